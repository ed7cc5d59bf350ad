//! What the commands for travel documents share: profiles, keys, and whom to trust.

use std::path::{Path, PathBuf};

use cert::{Certificate, KeyAlgorithm, MAX_CRL, PublicKey, RevocationList, UnverifiedCrl};
use clap::Args;
use hsm::{Signer, Token, TokenSigner};
use jiff::Timestamp;
use pki::country::CountryProfile;

use crate::cli::card::pem;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::files;
use crate::cli::hsm::NewKey;

const SHIPPED: [(&str, &str); 3] = [
    ("csca", include_str!("../../../certs/country/csca.toml")),
    ("ds", include_str!("../../../certs/country/ds.toml")),
    (
        "master-list-signer",
        include_str!("../../../certs/country/master-list-signer.toml"),
    ),
];

/// Returns a profile: a shipped one by its name, or a file's.
pub(crate) fn profile(named: &str) -> Result<CountryProfile, Failure> {
    let shipped = SHIPPED.iter().find(|(name, _)| *name == named);
    let text = match shipped {
        Some((_, text)) => (*text).to_owned(),
        None => text(Path::new(named))?,
    };
    CountryProfile::parse(&text).or_fail(Kind::Usage)
}

/// Returns the text of a profile, to be kept.
pub(super) fn profile_text(named: &str) -> Result<String, Failure> {
    match SHIPPED.iter().find(|(name, _)| *name == named) {
        Some((_, text)) => Ok((*text).to_owned()),
        None => text(Path::new(named)),
    }
}

fn text(path: &Path) -> Result<String, Failure> {
    let bytes = files::read(path, files::SHORT)?;
    String::from_utf8(bytes)
        .map_err(|_| Failure::new(Kind::Usage, format!("{} is no text", path.display())))
}

/// Refuses a kind of key that a profile does not allow, before a key is made.
pub(super) fn allow(profile: &CountryProfile, kind: NewKey) -> Result<(), Failure> {
    let is_allowed =
        KeyAlgorithm::named(kind.name()).is_some_and(|algorithm| profile.allows(algorithm));
    if is_allowed {
        return Ok(());
    }
    let (name, kind) = (profile.name(), kind.name());
    let fault = format!("certificate profile {name:?} does not allow a {kind} key");
    Err(Failure::new(Kind::Refused, fault))
}

/// Returns a key that signs.
pub(crate) fn signer(token: &Token, label: &str) -> Result<TokenSigner, Failure> {
    token.signer(label).or_fail(Kind::Device)
}

/// Returns its public key.
pub(crate) fn public_key(signer: &dyn Signer) -> Result<PublicKey, Failure> {
    PublicKey::from_spki_der(signer.public_key_spki_der()).or_fail(Kind::Device)
}

/// Reads a file's certificates, DER or PEM; states' oddities are taken.
pub(crate) fn certificates(path: &Path) -> Result<Vec<Certificate>, Failure> {
    let bytes = files::read(path, files::SHORT)?;
    match bytes.first() {
        Some(0x30) => {
            let read = Certificate::parse_of_state(&bytes);
            read.map(|one| vec![one])
                .map_err(|error| Failure::new(Kind::Usage, format!("{}: {error}", path.display())))
        }
        _ => pem::read(path),
    }
}

/// Whom to trust.
#[derive(Args)]
pub(super) struct Trust {
    /// A country signing certificate that is trusted, DER or PEM. May be repeated.
    #[arg(long = "trust", value_name = "FILE", required = true)]
    anchors: Vec<PathBuf>,
    /// A link certificate. May be repeated.
    #[arg(long = "link", value_name = "FILE")]
    links: Vec<PathBuf>,
    /// A revocation list of a trusted country signing CA, DER. May be repeated.
    #[arg(long = "crl", value_name = "FILE")]
    lists: Vec<PathBuf>,
}

/// What [`Trust`] names, read.
pub(super) struct Trusted {
    pub(super) anchors: Vec<Certificate>,
    pub(super) links: Vec<Certificate>,
    pub(super) lists: Vec<RevocationList>,
}

impl Trust {
    pub(super) fn read(&self, at: Timestamp) -> Result<Trusted, Failure> {
        let all = |paths: &[PathBuf]| {
            let read: Result<Vec<_>, _> = paths.iter().map(|path| certificates(path)).collect();
            read.map(|read| read.into_iter().flatten().collect::<Vec<_>>())
        };
        let (anchors, links) = (all(&self.anchors)?, all(&self.links)?);
        let mut lists = Vec::new();
        for path in &self.lists {
            lists.push(list(path, &anchors, at)?);
        }
        Ok(Trusted {
            anchors,
            links,
            lists,
        })
    }
}

/// Reads a list that one of the anchors signed.
fn list(path: &Path, anchors: &[Certificate], at: Timestamp) -> Result<RevocationList, Failure> {
    let bytes = files::read(path, MAX_CRL)?;
    let shown = path.display();
    let read = UnverifiedCrl::parse(bytes)
        .map_err(|error| Failure::new(Kind::Usage, format!("{shown}: {error}")))?;
    let mut fault = None;
    for anchor in anchors {
        match read.clone().verify(anchor, at) {
            Ok(list) => return Ok(list),
            Err(error) => fault = Some(error),
        }
    }
    let fault = fault.map_or(
        "no country signing certificate is trusted".to_owned(),
        |fault| fault.to_string(),
    );
    Err(Failure::new(Kind::Integrity, format!("{shown}: {fault}")))
}
