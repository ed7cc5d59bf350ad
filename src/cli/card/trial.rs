//! Where the keys are: a desk's KEYS.toml, or a trial's folder that makes its own, so that a card
//! engineer with a new chip needs none.
//!
//! ```text
//! DIR/keys.toml   the desk's file, written anew at each use for the chip at hand
//!     token/      SoftHSM2, and the PIN that opens it (this user only)
//!     made/       journal, certificates, sealed PIN envelopes
//! ```

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use card::cipher::{Key, KeyAlgorithm, kcv};
use card::gp::Diversification;
use central::KeyLabels;
use clap::Args;
use hsm::{MasterKeySize, Secret, SoftHsmFolder, Token, TokenConfig};
use profile::{ChipProfile, Cipher, Detail, KeySet, KeySource, ObjectKind};
use zeroize::Zeroizing;

use crate::cli::card::desk_keys::ChipKeys;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::{shipped, travel};

/// The label of a trial's token.
const TOKEN: &str = "trial";
/// The name of the file that says where the keys are.
const KEYS_FILE: &str = "keys.toml";

/// Where the keys are.
#[derive(Args)]
pub(crate) struct KeysOption {
    /// Where the keys are and where to write, TOML.
    #[arg(long, value_name = "KEYS.toml", conflicts_with = "trial")]
    keys: Option<PathBuf>,
    /// Folder of a trial: token, authority, envelope and master keys are made in it on first use,
    /// and found again later. They are throw-away: never for a real document.
    #[arg(long, value_name = "DIR")]
    trial: Option<PathBuf>,
    /// Of a trial: the environment variable that holds the maker's transport (master) key in
    /// hexadecimal, on the first use with such chips. Not needed where the profile says a key that
    /// all the world knows.
    #[arg(long, value_name = "VARIABLE", requires = "trial")]
    transport_key_env: Option<String>,
}

impl KeysOption {
    /// Returns the file that says where the keys are, where one was named. It may start this
    /// program again, so that it finds the trial's token.
    pub(crate) fn file(&self, chip: &ChipProfile) -> Result<Option<PathBuf>, Failure> {
        match &self.trial {
            Some(folder) => {
                Trial::prepare(folder, chip, self.transport_key_env.as_deref()).map(Some)
            }
            None => Ok(self.keys.clone()),
        }
    }

    /// Returns the file of a desk: one was named, or the working folder has one.
    pub(crate) fn desk_file(&self, chip: &ChipProfile) -> Result<PathBuf, Failure> {
        let file = self.file(chip)?;
        Ok(file.unwrap_or_else(|| PathBuf::from(KEYS_FILE)))
    }

    /// Returns the file that says where the keys of a desk or trial are that was used before. It
    /// may start this program again, so that it finds the trial's token.
    pub(crate) fn existing(&self) -> Result<PathBuf, Failure> {
        let Some(folder) = &self.trial else {
            let file = self.keys.clone();
            return Ok(file.unwrap_or_else(|| PathBuf::from(KEYS_FILE)));
        };
        let trial = Trial {
            folder: folder.canonicalize().map_err(|error| {
                let fault = format!("there is no trial in {}: {error}", folder.display());
                Failure::new(Kind::Usage, fault)
            })?,
        };
        let path = trial.folder.join(KEYS_FILE);
        if !path.is_file() {
            let fault = format!("there is no trial in {}", folder.display());
            return Err(Failure::new(Kind::Usage, fault)
                .with_hint("name the folder that `card personalize --trial` made"));
        }
        trial.enter()?;
        Ok(path)
    }

    /// Opens the chips' keys, where they are named.
    pub(crate) fn chip_keys(&self, chip: &ChipProfile) -> Result<Option<ChipKeys>, Failure> {
        let file = self.file(chip)?;
        file.map(|file| ChipKeys::open(&file)).transpose()
    }
}

struct Trial {
    folder: PathBuf,
}

impl Trial {
    /// Makes the folder ready for a chip, and returns its KEYS.toml.
    fn prepare(
        folder: &Path,
        chip: &ChipProfile,
        variable: Option<&str>,
    ) -> Result<PathBuf, Failure> {
        let unmade = |error: std::io::Error| {
            let fault = format!(
                "the trial's folder {} cannot be made: {error}",
                folder.display()
            );
            Failure::new(Kind::Failed, fault)
        };
        let mut builder = DirBuilder::new();
        builder
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(unmade)?;
        let trial = Self {
            folder: folder.canonicalize().map_err(unmade)?,
        };
        trial.enter()?;
        let given = variable.map(given).transpose()?;
        let masters = trial.keys(chip, given.as_ref())?;
        let mut text = format!(
            "# Throw-away keys of a trial, for chip profile {}; written anew at each use.\nout = \"made\"\n\n[token]\nlabel = \"{TOKEN}\"\npin_file = \"token/pin\"\n\n[masters]\n",
            chip.name
        );
        for (set, label) in &masters {
            text.push_str(&format!("{set:?} = {label:?}\n"));
        }
        let travel = toml::to_string(&travel::Part::own()).or_fail(Kind::Failed)?;
        text.push_str(&format!("\n[travel]\n{travel}"));
        let path = trial.folder.join(KEYS_FILE);
        fs::write(&path, text).or_fail(Kind::Failed)?;
        Ok(path)
    }

    /// Starts this program again so that it finds the trial's token, unless it does already: a
    /// process cannot safely change its own environment.
    fn enter(&self) -> Result<(), Failure> {
        let softhsm = SoftHsmFolder::prepare(&self.folder.join("token")).or_fail(Kind::Failed)?;
        if softhsm.is_named_by(std::env::var_os(SoftHsmFolder::VARIABLE).as_deref()) {
            return Ok(());
        }
        let mut command = Command::new(std::env::current_exe().or_fail(Kind::Failed)?);
        command.args(std::env::args_os().skip(1));
        softhsm.apply(&mut command);
        // It comes back only when it failed.
        Err(Failure::of(Kind::Failed, &command.exec()))
    }

    fn token(&self) -> Result<Token, Failure> {
        let config = TokenConfig::parse(shipped::SOFTHSM2).or_fail(Kind::Failed)?;
        let path = self.folder.join("token").join("pin");
        if let Ok(pin) = fs::read_to_string(&path).map(Zeroizing::new) {
            return Token::open(&config, TOKEN, Secret::new(pin.trim())).map_err(|error| {
                Failure::of(Kind::Device, &error).with_hint(format!(
                    "if the trial was interrupted when it began, remove {}",
                    self.folder.display()
                ))
            });
        }
        let mut random = Zeroizing::new([0_u8; 32]);
        getrandom::fill(random.as_mut_slice())
            .map_err(|error| Failure::new(Kind::Failed, error.to_string()))?;
        let (user, officer) = random.split_at(16);
        let pin = Zeroizing::new(hex::encode(user));
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(&path);
        file.and_then(|mut file| file.write_all(pin.as_bytes()))
            .or_fail(Kind::Failed)?;
        let officer = Secret::new(hex::encode(officer));
        Token::initialize(&config, TOKEN, &officer, Secret::new(pin.as_str())).or_fail(Kind::Device)
    }

    /// Makes the keys that are missing; returns the labels of the chip's master keys by key set,
    /// and of those of its issuer's PINs by name.
    fn keys(
        &self,
        chip: &ChipProfile,
        given: Option<&Key>,
    ) -> Result<BTreeMap<String, String>, Failure> {
        let token = self.token()?;
        let there = token.keys().or_fail(Kind::Device)?;
        let mut masters = BTreeMap::new();
        for (name, set) in &chip.channel.keys {
            let KeySource::Diversified(how) = set.source else {
                continue;
            };
            let label = format!("{name}-{}-{}", how.name(), slug(set.cipher));
            let is_there = there.iter().any(|key| key.label == label);
            let comes = chip.channel.is_makers(name);
            match (is_there, given.filter(|_| comes)) {
                (true, Some(given)) => compare(&token, &label, given, set.cipher)?,
                (true, None) => {}
                (false, Some(given)) => import(&token, &label, given, how, set)?,
                (false, None) if comes => {
                    let fault = format!(
                        "chip \"{}\" comes under its maker's {name} key ({}), which this trial does not have",
                        chip.name, set.cipher
                    );
                    return Err(Failure::new(Kind::Usage, fault).with_hint(
                        "put it into the environment in hexadecimal and name the variable: --transport-key-env VARIABLE",
                    ));
                }
                (false, None) => generate(&token, &label, how, set)?,
            }
            masters.insert(name.clone(), label);
        }
        for pin in chip.objects(ObjectKind::Pin) {
            let Detail::Pin(rules) = &pin.detail else {
                continue;
            };
            // A master key that has the name of a key set is that one.
            let name = rules
                .issuer
                .iter()
                .find(|name| !masters.contains_key(*name));
            if let Some(name) = name {
                let label = format!("{name}-pin");
                if !there.iter().any(|key| key.label == label) {
                    let made = token.generate_master_key(&label, MasterKeySize::Aes128);
                    made.or_fail(Kind::Device)?;
                }
                masters.insert(name.clone(), label);
            }
        }
        let labels = KeyLabels {
            masters: BTreeMap::new(),
            ..KeyLabels::default()
        };
        labels.generate_missing(&token).or_fail(Kind::Device)?;
        Ok(masters)
    }
}

fn slug(cipher: Cipher) -> String {
    match cipher {
        Cipher::Aes(bits) => format!("aes-{bits}"),
        Cipher::Des3 => "des3".into(),
    }
}

fn algorithm(cipher: Cipher) -> KeyAlgorithm {
    match cipher {
        Cipher::Aes(_) => KeyAlgorithm::Aes,
        Cipher::Des3 => KeyAlgorithm::TripleDes,
    }
}

/// Reads the transport key out of the environment.
fn given(variable: &str) -> Result<Key, Failure> {
    let text = Zeroizing::new(std::env::var(variable).unwrap_or_default());
    let bytes = hex::decode(text.trim()).map(Zeroizing::new).ok();
    let key = bytes.and_then(|bytes| Key::new(&bytes).ok());
    key.ok_or_else(|| {
        let fault = format!("{variable} does not hold a key of 16, 24 or 32 bytes in hexadecimal");
        Failure::new(Kind::Usage, fault)
    })
}

/// Refuses another transport key than the one that the trial has.
fn compare(token: &Token, label: &str, given: &Key, cipher: Cipher) -> Result<(), Failure> {
    let ours = token.kcv(label).or_fail(Kind::Device)?;
    let theirs = kcv(given, algorithm(cipher)).or_fail(Kind::Usage)?;
    if ours == theirs {
        return Ok(());
    }
    let fault = format!(
        "this trial has another transport key (check value {}) than the one that is given ({})",
        hex::encode_upper(ours),
        hex::encode_upper(theirs)
    );
    Err(Failure::new(Kind::Refused, fault).with_hint("name another folder: --trial DIR"))
}

fn import(
    token: &Token,
    label: &str,
    key: &Key,
    how: Diversification,
    set: &KeySet,
) -> Result<(), Failure> {
    match how {
        Diversification::Kdf3 => token.import_master_key(label, key),
        Diversification::EmvCps11 | Diversification::Visa2 => {
            token.import_des3_master_key(label, key)
        }
        Diversification::None => token.import_transport_key(label, key, algorithm(set.cipher)),
    }
    .or_fail(Kind::Device)
}

fn generate(token: &Token, label: &str, how: Diversification, set: &KeySet) -> Result<(), Failure> {
    let size = match set.cipher {
        Cipher::Aes(192) => MasterKeySize::Aes192,
        Cipher::Aes(256) => MasterKeySize::Aes256,
        _ => MasterKeySize::Aes128,
    };
    match how {
        Diversification::Kdf3 => token.generate_master_key(label, size),
        Diversification::EmvCps11 | Diversification::Visa2 => token.generate_des3_master_key(label),
        // The chip gets the key itself, so it must be able to leave the token.
        Diversification::None => {
            let length = match set.cipher {
                Cipher::Aes(bits) => usize::from(bits) / 8,
                Cipher::Des3 => 24,
            };
            let mut bytes = Zeroizing::new(vec![0; length]);
            getrandom::fill(bytes.as_mut_slice())
                .map_err(|error| Failure::new(Kind::Failed, error.to_string()))?;
            let key = Key::new(&bytes).or_fail(Kind::Failed)?;
            token.import_transport_key(label, &key, algorithm(set.cipher))
        }
    }
    .or_fail(Kind::Device)
}
