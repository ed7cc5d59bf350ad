//! How an installation begins: its settings, a token of its own, its keys.
//!
//! ```text
//! planned ─► write ─────────────► found_token ──────► make_keys ─► (the store, its first account)
//! (judged)   installation.toml    token/pin: whole    what the token lacks
//! ```
//!
//! Each step is whole or not there, and a step that is there is left as it is: whatever was cut off
//! begins anew where it was.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use card::gp::Key;
use central::{Central, KeyLabels, StoreKey};
use document::{Environment, Series};
use hsm::{Secret, Token, TokenConfig};
use zeroize::Zeroizing;

use super::{Envelopes, Extras, Installation, SETTINGS, Settings, TOKEN};
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::hsm::{self as keys, NewKey, Officers};
use crate::cli::serving::write_secret;
use crate::cli::shipped::Profiles;
use crate::cli::{database, files, shipped, travel};

/// The PIN of a token that is being made; it gets its own name when the token is whole.
const UNFINISHED: &str = "pin-of-unfinished-token";
/// The letters of a test's number series, and the name of its log, where none are named.
const TEST_SERIES: &str = "XA";
const TEST_ORIGIN: &str = "test.zimogs.example/central";

/// What stands before the settings of a new installation.
const HEAD: &str = "\
# What this installation is. Environment, series, origin, token and authority are bound into its
# token and its books when it is founded, and stay; all else may be changed and is read at the next
# start. `zimogs central check` finds what is misspelt. Paths are relative to this folder.

";

/// What stands behind them: what may be added.
const FOOT: &str = "
# What may be added (docs/operation.md):
#
# [serve]                            # where the store is served; by default 127.0.0.1:8443
# listen = \"0.0.0.0:8443\"
# certificate = \"serve/chain.pem\"    # by default a test makes its own, for this machine alone
# key = \"serve/chain.key\"
#
# [telemetry]
# metrics = \"127.0.0.1:9464\"         # where Prometheus reads; by default nowhere
#
# [envelopes]
# printer = \"tcp://10.0.0.9\"         # the printer that seals
#
# [backups]                          # which are kept; by default every one
# keep = 400
# days = 14
";

/// What an installation is asked to be. What is not asked stays as it is, or is as usual.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) environment: Option<Environment>,
    pub(crate) series: Option<String>,
    pub(crate) origin: Option<String>,
    /// The file that describes its token.
    pub(crate) token: Option<PathBuf>,
    pub(crate) authority: Option<String>,
    pub(crate) database: Option<database::Part>,
    pub(crate) extras: Extras,
}

impl Asked {
    /// Returns the settings of a new installation.
    fn settings(&self) -> Result<Settings, Failure> {
        let lacking = |what: &str, hint: &str| {
            Failure::new(
                Kind::Usage,
                format!("a new installation is not told {what}"),
            )
            .with_hint(hint)
        };
        let environment = self.environment.ok_or_else(|| {
            let hint = "--environment test or --environment production; nothing takes it back";
            lacking("what it is for", hint)
        })?;
        let is_test = environment == Environment::Test;
        let usual = |named: &Option<String>, usual: &str, what: &str, hint: &str| match named {
            Some(named) => Ok(named.clone()),
            None if is_test => Ok(usual.to_owned()),
            None => Err(lacking(what, hint)),
        };
        if !is_test && self.token.is_none() {
            let hint = "--token FILE describes an HSM's; a test alone makes one in software";
            return Err(lacking("its token", hint));
        }
        Ok(Settings {
            format: 1,
            environment,
            series: usual(
                &self.series,
                TEST_SERIES,
                "the letters of its document numbers",
                "--series, two capitals that do not begin with X",
            )?,
            origin: usual(
                &self.origin,
                TEST_ORIGIN,
                "the name of its log",
                "--origin, as in --origin id.example.lv/central",
            )?,
            token: None,
            authority: None,
            own_stations: BTreeSet::new(),
            masters: BTreeMap::new(),
            envelopes: Envelopes::default(),
            authorities: BTreeMap::new(),
            serve: None,
            telemetry: None,
            travel: is_test.then(travel::Part::own),
            database: None,
            backups: None,
        })
    }

    /// Puts what is asked into settings.
    fn put_into(self, settings: &mut Settings) {
        let Extras {
            envelopes,
            authorities,
            travel,
            database,
        } = self.extras;
        if let Some(environment) = self.environment {
            settings.environment = environment;
        }
        if let Some(series) = self.series {
            settings.series = series;
        }
        if let Some(origin) = self.origin {
            settings.origin = origin;
        }
        settings.token = self.token.or(settings.token.take());
        settings.authority = self.authority.or(settings.authority.take());
        if !envelopes.is_silent() {
            settings.envelopes = envelopes;
        }
        if !authorities.is_empty() {
            settings.authorities = authorities;
        }
        settings.travel = travel.or(settings.travel.take());
        settings.database = self.database.or(database).or(settings.database.take());
    }
}

impl Installation {
    /// Plans an installation in a folder, or finds the one that is there and demands that it is what
    /// is asked. Nothing is written.
    pub(crate) fn planned(folder: &Path, asked: Asked) -> Result<Self, Failure> {
        let folder = match folder.canonicalize() {
            Ok(folder) => folder,
            Err(_) => std::path::absolute(folder).or_fail(Kind::Usage)?,
        };
        let there = match fs::symlink_metadata(folder.join(SETTINGS)) {
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            // One that is there and cannot be read is none that is missing.
            _ => Some(Self::open(&folder)?.settings),
        };
        if there.is_none() {
            be_nobodys(&folder)?;
        }
        let mut settings = match &there {
            Some(there) => there.clone(),
            None => asked.settings()?,
        };
        asked.put_into(&mut settings);
        if let Some(there) = &there
            && let Some(key) = difference(there, &settings)?
        {
            let fault = format!(
                "{SETTINGS} in {} has another {key} than is asked here; nothing is changed",
                folder.display()
            );
            return Err(Failure::new(Kind::Refused, fault).with_hint(
                "leave the option out to go on with what is there, or name another folder",
            ));
        }
        Series::new(settings.environment, &settings.series, 1, 9_999_999).or_fail(Kind::Usage)?;
        audit::check_name(&settings.origin).or_fail(Kind::Usage)?;
        Ok(Self { folder, settings })
    }

    /// Returns whether its settings are written.
    pub(crate) fn is_written(&self) -> bool {
        self.folder.join(SETTINGS).exists()
    }

    /// Makes its folder, for this user alone.
    pub(crate) fn make_folder(&self) -> Result<(), Failure> {
        let mut builder = fs::DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(&self.folder);
        made.map_err(|error| {
            let fault = format!("{} cannot be made: {error}", self.folder.display());
            Failure::new(Kind::Failed, fault)
        })
    }

    /// Takes the folder for founding; the turn ends when the file is dropped.
    pub(crate) fn founding_turn(&self) -> Result<File, Failure> {
        let folder = File::open(&self.folder).or_fail(Kind::Failed)?;
        match folder.try_lock() {
            Ok(()) => Ok(folder),
            Err(TryLockError::WouldBlock) => {
                let fault = format!("{} is being founded by another", self.folder.display());
                Err(Failure::new(Kind::Refused, fault).with_hint("wait for its end"))
            }
            Err(TryLockError::Error(error)) => Err(Failure::of(Kind::Failed, &error)),
        }
    }

    /// Writes its settings, which are not there yet.
    pub(crate) fn write(self) -> Result<Self, Failure> {
        self.make_folder()?;
        let folder = self.folder.canonicalize().or_fail(Kind::Failed)?;
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder
            .create(folder.join("station"))
            .or_fail(Kind::Failed)?;
        let settings = toml::to_string(&self.settings).or_fail(Kind::Failed)?;
        let text = format!("{HEAD}{settings}{FOOT}");
        files::write_new(&folder.join(SETTINGS), text.as_bytes())?;
        Self::open(&folder)
    }

    /// Returns whether its token is there: one that a file describes is somebody else's to make.
    pub(crate) fn has_token(&self) -> bool {
        self.settings.token.is_some() || self.own_pin().exists()
    }

    /// Opens its token; its own is made where it is not there.
    pub(crate) fn found_token(&self) -> Result<Token, Failure> {
        if self.has_token() {
            return self.token();
        }
        let folder = self.folder.join("token");
        let tokens = folder.join("tokens");
        let unfinished = folder.join(UNFINISHED);
        let turn = self.turn()?;
        // Keys are made only under a PIN that has its name: here is nothing but what was cut off.
        let was_cut_off = unfinished.exists();
        for token in fs::read_dir(&tokens).or_fail(Kind::Failed)? {
            let token = token.or_fail(Kind::Failed)?.path();
            if !was_cut_off {
                return Err(pin_is_gone(&folder));
            }
            fs::remove_dir_all(&token).or_fail(Kind::Failed)?;
        }
        let mut random = Zeroizing::new([0_u8; 32]);
        getrandom::fill(random.as_mut_slice())
            .map_err(|error| Failure::new(Kind::Failed, error.to_string()))?;
        let (user, officer) = random.split_at(16);
        let pin = Zeroizing::new(hex::encode(user));
        write_secret(&unfinished, &pin)?;
        let config = TokenConfig::parse(shipped::SOFTHSM2).or_fail(Kind::Failed)?;
        // Nobody resets the PIN of a token in software: whoever could has its file as well.
        let officer = Secret::new(hex::encode(officer));
        let token = Token::initialize(&config, TOKEN, &officer, Secret::new(pin.as_str()))
            .or_fail(Kind::Device)?;
        fs::rename(&unfinished, self.own_pin()).or_fail(Kind::Failed)?;
        let synced = File::open(&folder).and_then(|folder| folder.sync_all());
        synced.or_fail(Kind::Failed)?;
        drop(turn);
        Ok(token)
    }

    /// Makes the keys that its token lacks; the chip maker's transport master key is given. Returns
    /// their labels.
    ///
    /// Where officers keep the keys, in production and wherever there is a list of them, two order it.
    pub(crate) fn make_keys(
        &self,
        token: &Token,
        transport: Option<&Key>,
        officers: Option<&Officers>,
    ) -> Result<Vec<String>, Failure> {
        let missing = self.labels().missing(token).or_fail(Kind::Device)?;
        let place = self.token_place()?;
        let has_list = place.officers.as_ref().is_some_and(|list| list.exists());
        let is_kept = self.environment() == Environment::Production || has_list;
        let (transports, own): (Vec<_>, Vec<_>) = missing
            .into_iter()
            .partition(|(_, key)| *key == StoreKey::Transport);
        let named = |keys: &[(String, StoreKey)]| {
            let labels: Vec<_> = keys.iter().map(|(label, _)| label.as_str()).collect();
            labels.join(", ")
        };
        if is_kept && officers.is_none() && !own.is_empty() {
            let fault = format!(
                "the token lacks {}, and two officers order what is made in it",
                named(&own)
            );
            return Err(Failure::new(Kind::Refused, fault)
                .with_hint("--officer anna=anna.pem --officer juris=juris.pem"));
        }
        let mut made = Vec::new();
        for (label, key) in own {
            token.remove_half_made(&label).or_fail(Kind::Device)?;
            match officers {
                Some(officers) => drop(keys::make(token, officers, kind_of(key), &label)?),
                None => drop(key.make(token, &label).or_fail(Kind::Device)?),
            }
            made.push(label);
        }
        match transport {
            _ if transports.is_empty() => {}
            Some(key) if !is_kept => {
                for (label, _) in transports {
                    token.import_master_key(&label, key).or_fail(Kind::Device)?;
                    made.push(label);
                }
            }
            _ => {
                let fault = format!(
                    "the token lacks {}, the master key of the chips' maker",
                    named(&transports)
                );
                return Err(Failure::new(Kind::Refused, fault).with_hint(
                    "two officers take it in, with its label and --as master (zimogs hsm import, or zimogs hsm ceremony components); then run this again",
                ));
            }
        }
        Ok(made)
    }

    /// Opens the central store; founds it where that was not done, or cut off.
    pub(crate) async fn found_central(
        &self,
        token: Token,
        profiles: &Profiles,
    ) -> Result<Central, Failure> {
        Ok(Central::establish(self.config(token, profiles)?).await?)
    }

    /// Demands that token and database belong together: books are those that the token founded, and
    /// where there are none it founded none yet.
    pub(crate) fn be_one(&self, token: &Token, has_books: bool) -> Result<(), Failure> {
        if has_books {
            let missing = self.labels().missing(token).or_fail(Kind::Device)?;
            let log = KeyLabels::default().audit;
            return match missing.iter().any(|(label, _)| *label == log) {
                true => Err(books_are_others()),
                false => Ok(()),
            };
        }
        // The store binds its token after it has given its database a form. Else there were two logs
        // under one key, and the same numbers a second time.
        match token.bound_to().or_fail(Kind::Device)? {
            None => Ok(()),
            Some(_) => {
                let fault = "the token has founded an installation already, and the database is empty; nothing is changed";
                Err(Failure::new(Kind::Refused, fault).with_hint(
                    "bring its books back (zimogs central restore), or name their database; a new installation takes a new token",
                ))
            }
        }
    }
}

/// Says that the books are those of another token.
pub(crate) fn books_are_others() -> Failure {
    let fault = "the database holds the books of an installation whose token is not here; nothing is changed";
    Failure::new(Kind::Refused, fault).with_hint(
        "bring its token back (zimogs hsm restore), or name an empty database for a new installation",
    )
}

fn pin_is_gone(folder: &Path) -> Failure {
    let fault = format!("there is a token in {}, and no PIN", folder.display());
    Failure::new(Kind::Refused, fault)
        .with_hint("bring the file `pin` back; without it the keys are lost")
}

/// Demands a folder that holds nothing of an installation.
fn be_nobodys(folder: &Path) -> Result<(), Failure> {
    let refused = |fault: String, hint: &str| {
        Err(Failure::new(Kind::Refused, fault).with_hint(hint.to_owned()))
    };
    let shown = folder.display();
    let Ok(found) = fs::metadata(folder) else {
        return Ok(());
    };
    if !found.is_dir() {
        return refused(format!("{shown} is no folder"), "name another");
    }
    if found.permissions().mode() & 0o077 != 0 {
        return refused(
            format!("{shown} can be reached by others"),
            &format!("chmod go= {shown}"),
        );
    }
    let token = folder.join("token");
    let tokens = fs::read_dir(token.join("tokens")).is_ok_and(|mut tokens| tokens.next().is_some());
    if tokens || token.join("pin").exists() || folder.join("central.db").exists() {
        return refused(
            format!("{shown} holds token or books of an installation, and no {SETTINGS}"),
            "bring the file back (zimogs central restore), or name another folder",
        );
    }
    Ok(())
}

/// Returns the first key that two settings have otherwise.
fn difference(there: &Settings, asked: &Settings) -> Result<Option<String>, Failure> {
    let table = |settings: &Settings| toml::Table::try_from(settings).or_fail(Kind::Failed);
    let (there, asked) = (table(there)?, table(asked)?);
    let keys: BTreeSet<_> = there.keys().chain(asked.keys()).collect();
    let other = |key: &&&String| there.get(**key) != asked.get(**key);
    Ok(keys.iter().find(other).map(|key| (*key).clone()))
}

fn kind_of(key: StoreKey) -> NewKey {
    match key {
        StoreKey::Transport | StoreKey::Master => NewKey::Aes128,
        StoreKey::Signing => NewKey::P384,
        StoreKey::Log => NewKey::Ed25519,
        StoreKey::Agreement => NewKey::Envelope,
        StoreKey::Index => NewKey::Aes256,
    }
}
