//! KEYS.toml: where a desk's keys are, and where it writes.
//! Its form stands in `zimogs card personalize --help`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use central::{CertificateShelf, IssuingAuthority, KeyLabels, KeyService, TravelSigners};
use document::Environment;
use hsm::{EnvelopeKey, Secret, SoftHsmFolder, Token, TokenConfig};
use jiff::Timestamp;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::cli::card::pem;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::{secret_file, shipped, travel};

/// The shipped token kind.
const SOFTHSM2: &str = "softhsm2";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    out: PathBuf,
    token: TokenPart,
    masters: Option<BTreeMap<String, String>>,
    #[serde(default)]
    authority: AuthorityPart,
    #[serde(default)]
    envelope: EnvelopePart,
    travel: Option<travel::Part>,
}

/// Where a token is, and the file of the PIN that opens it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenPart {
    kind: Option<String>,
    label: String,
    pin_file: PathBuf,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct AuthorityPart {
    key: Option<String>,
    profile: Option<String>,
    certificate: Option<PathBuf>,
    profiles: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvelopePart {
    key: Option<String>,
}

/// The chips' keys at a desk, open: all that a channel needs.
pub(crate) struct ChipKeys {
    /// What derives them.
    pub(crate) service: KeyService,
    token: Arc<Token>,
    labels: KeyLabels,
}

/// A desk's keys, open.
pub(crate) struct DeskKeys {
    /// The chips' keys.
    pub(crate) chips: ChipKeys,
    /// The key to which PIN envelopes are sealed.
    pub(crate) envelope: EnvelopeKey,
    /// What issues certificates.
    pub(crate) authority: IssuingAuthority,
    /// The file of the authority's certificate, DER.
    pub(crate) authority_file: PathBuf,
    /// Who signs travel documents, and whom their chips trust.
    pub(crate) travel: TravelSigners,
    /// The desk's folder.
    pub(crate) out: PathBuf,
}

impl ChipKeys {
    /// Reads the file and opens the token that it names. Writes nothing.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let (file, folder) = read(path)?;
        Self::of(&file, &folder)
    }

    fn of(file: &File, folder: &Path) -> Result<Self, Failure> {
        let token = Arc::new(open_token(&file.token, folder)?);
        let defaults = KeyLabels::default();
        let labels = KeyLabels {
            masters: file.masters.clone().unwrap_or(defaults.masters),
            authority: file.authority.key.clone().unwrap_or(defaults.authority),
            envelope: file.envelope.key.clone().unwrap_or(defaults.envelope),
            audit: defaults.audit,
            ..KeyLabels::default()
        };
        Ok(Self {
            service: KeyService::new(Arc::clone(&token), labels.clone()),
            token,
            labels,
        })
    }

    /// Returns the key check value of the master key of a chip's key set, for a person to compare.
    pub(crate) fn kcv(&self, chip: &str, key_set: &str) -> Option<String> {
        let label = self.labels.master_of(chip, key_set).ok()?;
        let kcv = self.token.kcv(label).ok()?;
        Some(hex::encode_upper(kcv))
    }
}

fn read(path: &Path) -> Result<(File, PathBuf), Failure> {
    let text = fs::read_to_string(path).map_err(|error| {
        Failure::new(
            Kind::Usage,
            format!("{} cannot be read: {error}", path.display()),
        )
        .with_hint("name the file that says where the keys are: --keys KEYS.toml; or let a folder have throw-away ones: --trial DIR")
    })?;
    let file: File = toml::from_str(&text).map_err(|error| {
        Failure::new(
            Kind::Usage,
            format!("{}: {}", path.display(), error.to_string().trim_end()),
        )
    })?;
    let folder = path.parent().unwrap_or(Path::new("."));
    Ok((file, folder.to_owned()))
}

impl DeskKeys {
    /// Reads the file and opens what it names. The desk's folder is made where it is missing.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let (file, folder) = read(path)?;
        let folder = folder.as_path();
        let chips = ChipKeys::of(&file, folder)?;
        let (token, labels) = (&chips.token, &chips.labels);
        let out = folder.join(&file.out);
        fs::create_dir_all(&out).map_err(|error| {
            Failure::new(
                Kind::Failed,
                format!(
                    "the desk's folder {} cannot be made: {error}",
                    out.display()
                ),
            )
        })?;
        let spki = token.public_key(&labels.envelope).or_fail(Kind::Usage)?;
        let (authority, authority_file) =
            open_authority(&file.authority, folder, &out, token, labels)?;
        let travel = file.travel.as_ref();
        let travel = travel
            // A desk makes no document that leaves it.
            .map(|travel| travel.open(token, folder, Environment::Test))
            .transpose()?;
        let travel = TravelSigners::open(token, travel.unwrap_or_default()).or_fail(Kind::Usage)?;
        Ok(Self {
            travel,
            envelope: EnvelopeKey::from_spki_der(&spki).or_fail(Kind::Usage)?,
            authority,
            authority_file,
            out,
            chips,
        })
    }

    /// Opens a PIN envelope of this desk.
    pub(crate) fn open_envelope(
        &self,
        sealed: &[u8],
        context: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, hsm::EnvelopeError> {
        self.chips
            .token
            .open_envelope(&self.chips.labels.envelope, sealed, context)
    }
}

/// Opens a token whose PIN file only its owner can read; paths are relative to `folder`.
pub(crate) fn open_token(part: &TokenPart, folder: &Path) -> Result<Token, Failure> {
    let config = match part.kind.as_deref() {
        None | Some(SOFTHSM2) => shipped::SOFTHSM2.to_owned(),
        Some(file) => fs::read_to_string(folder.join(file)).map_err(|error| {
            Failure::new(
                Kind::Usage,
                format!("token kind {file} cannot be read: {error}"),
            )
            .with_hint("name a file, or the shipped kind softhsm2")
        })?,
    };
    let config = TokenConfig::parse(&config).or_fail(Kind::Usage)?;
    let path = folder.join(&part.pin_file);
    let pin = secret_file::read(&path, "PIN")?;
    Token::open(&config, &part.label, Secret::new(pin.trim())).map_err(|error| {
        let failure = Failure::of(Kind::Device, &error);
        match std::env::var_os(SoftHsmFolder::VARIABLE) {
            None => failure.with_hint(format!(
                "SoftHSM2 finds its tokens by the file that {} names: set it before",
                SoftHsmFolder::VARIABLE
            )),
            Some(_) => failure,
        }
    })
}

/// Opens the authority that has a certificate already, or makes it one.
fn open_authority(
    part: &AuthorityPart,
    folder: &Path,
    out: &Path,
    token: &Arc<Token>,
    labels: &KeyLabels,
) -> Result<(IssuingAuthority, PathBuf), Failure> {
    let mut shelf = CertificateShelf::default();
    match &part.profiles {
        Some(profiles) => shelve(&mut shelf, &folder.join(profiles))?,
        None => shipped::certificates().for_each(|(name, text)| shelf.put(name, text)),
    }
    let own = part.profile.as_deref().unwrap_or("pilot-ca");
    let path = part
        .certificate
        .as_ref()
        .map(|certificate| folder.join(certificate));
    let is_named = path.is_some();
    let path = path.unwrap_or_else(|| out.join("authority.der"));
    match fs::read(&path) {
        Ok(der) => {
            let authority =
                IssuingAuthority::restore(Arc::clone(token), &labels.authority, &shelf, own, &der);
            Ok((authority.or_fail(Kind::Usage)?, path))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !is_named => {
            let authority = IssuingAuthority::create(
                Arc::clone(token),
                &labels.authority,
                &shelf,
                own,
                Timestamp::now(),
            )
            .or_fail(Kind::Usage)?;
            pem::save(&path, authority.der()).or_fail(Kind::Failed)?;
            Ok((authority, path))
        }
        Err(error) => Err(Failure::new(
            Kind::Usage,
            format!(
                "the authority's certificate {} cannot be read: {error}",
                path.display()
            ),
        )),
    }
}

fn shelve(shelf: &mut CertificateShelf, folder: &Path) -> Result<(), Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::new(
            Kind::Usage,
            format!(
                "the certificate profiles in {} cannot be read: {error}",
                folder.display()
            ),
        )
    };
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_stem().and_then(|name| name.to_str());
        if let (Some(name), Some("toml")) =
            (name, path.extension().and_then(|ending| ending.to_str()))
        {
            shelf.put(name, fs::read_to_string(&path).map_err(unreadable)?);
        }
    }
    Ok(())
}
