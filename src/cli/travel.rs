//! Who signs travel documents, and whom their chips trust, as `installation.toml` and a desk's
//! KEYS.toml name them.
//!
//! ```text
//! [travel]
//! signers = "signers"              # the folder of `zimogs pki ds`
//! trust = ["csca-1.cer"]           # the country signing certificates
//! links = []
//! cvca = "cvca.cvcert"             # whose inspection systems may read fingerprints
//! ```
//!
//! A pilot, a test and a trial have their own of each, in `travel/`, made at the first use: nobody
//! but themselves trusts them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use central::TravelConfig;
use cert::cvc::{HolderReference, Right};
use cert::request::{Request, RequestInfo};
use document::Environment;
use hsm::{Curve, Signer, Token, TokenSigner};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use pki::country::{CountryAuthority, DocumentSigners, SignerEntry};
use pki::{CvAuthority, CvKey, CvTerm};
use serde::{Deserialize, Serialize};

use crate::cli::card::runs::write_whole;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::files;
use crate::cli::pki::country;

/// The folder of what a pilot makes for itself.
const OWN: &str = "travel";
/// The labels of its keys.
const CSCA: &str = "csca";
const SIGNER: &str = "ds-1";
const CVCA: &str = "cvca";
/// The first name of its CVCA, without number.
const CVCA_NAME: &str = "LVPILOT";
/// How many documents its signer signs.
const MOST: u64 = 100_000;
/// How many days its CVCA holds: three years.
const CVCA_DAYS: u16 = 1095;
/// The book of signers, in their folder.
const BOOK: &str = "book.json";

/// What a file says of travel documents.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    signers: PathBuf,
    trust: Vec<PathBuf>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    links: Vec<PathBuf>,
    cvca: Option<PathBuf>,
}

impl Part {
    /// Returns what a pilot makes for itself.
    pub(crate) fn own() -> Self {
        let own = Path::new(OWN);
        Self {
            signers: own.join("signers"),
            trust: vec![own.join("csca.cer")],
            links: Vec::new(),
            cvca: Some(own.join("cvca.cvcert")),
        }
    }

    /// Says whether it is what a pilot makes for itself.
    fn is_own(&self) -> bool {
        self.signers.starts_with(OWN)
    }

    /// Takes the paths as seen from a folder.
    pub(crate) fn seen_from(&mut self, folder: &Path) {
        let cvca = self.cvca.iter_mut();
        let all = self.trust.iter_mut().chain(&mut self.links).chain(cvca);
        for path in all.chain([&mut self.signers]) {
            *path = folder.join(&*path);
        }
    }

    /// Reads what is named, as seen from `folder`; makes it where it is a pilot's own and not there
    /// yet, and refuses to make any for production.
    pub(crate) fn open(
        &self,
        token: &Arc<Token>,
        folder: &Path,
        environment: Environment,
    ) -> Result<TravelConfig, Failure> {
        if self.is_own() && !folder.join(&self.signers).join(BOOK).exists() {
            if environment == Environment::Production {
                let told = "travel documents: [travel] names what a pilot makes for itself, and this installation is for production";
                return Err(Failure::new(Kind::Refused, told).with_hint(
                    "name the folder of zimogs pki ds and the state's certificates in installation.toml",
                ));
            }
            make(token, &folder.join(OWN))?;
        }
        let all = |paths: &[PathBuf]| {
            let read = paths.iter();
            let read = read.map(|path| country::certificates(&folder.join(path)));
            read.collect::<Result<Vec<_>, _>>().map(|all| all.concat())
        };
        let signers = folder.join(&self.signers);
        let book = signers.join(BOOK);
        let book: DocumentSigners = serde_json::from_slice(&files::read(&book, files::SHORT)?)
            .map_err(|_| {
                Failure::new(Kind::Integrity, format!("{} does not read", book.display()))
            })?;
        let mut certificates = Vec::new();
        for entry in book.entries() {
            let path = signers.join(format!("{}.cer", entry.label));
            certificates.extend(country::certificates(&path)?);
        }
        let point = self.cvca.as_ref();
        let point = point.map(|path| files::read(&folder.join(path), files::SHORT));
        Ok(TravelConfig {
            signers: book,
            certificates,
            anchors: all(&self.trust)?,
            links: all(&self.links)?,
            trust_point: point.transpose()?,
        })
    }
}

/// Makes a country signing CA, a document signer and a CVCA, all under keys of the token. What an
/// interrupted call left is made anew, under the same keys.
fn make(token: &Arc<Token>, folder: &Path) -> Result<(), Failure> {
    let signers = folder.join("signers");
    fs::create_dir_all(&signers).or_fail(Kind::Failed)?;
    let now = Timestamp::now();
    let root = key(token, CSCA, Curve::P384)?;
    let profile = country::profile("csca")?;
    let random = Arc::clone(token);
    let csca = CountryAuthority::create(&profile, root, random, now).or_fail(Kind::Failed)?;

    let profile = country::profile("ds")?;
    let signer = key(token, SIGNER, Curve::P256)?;
    let public = country::public_key(&*signer)?;
    let subject = profile.subject().or_fail(Kind::Failed)?;
    let algorithm = pki::country::signature_algorithm(&*signer).or_fail(Kind::Failed)?;
    let info = RequestInfo::for_key(&subject, &public, algorithm).or_fail(Kind::Failed)?;
    let signature = signer.sign(info.to_be_signed()).or_fail(Kind::Device)?;
    let request = info.assemble(&signature).or_fail(Kind::Failed)?;
    let request = Request::parse_and_verify(&request).or_fail(Kind::Failed)?;
    let certificate = csca.issue(&profile, &request, now).or_fail(Kind::Failed)?;
    let period = certificate
        .extensions()
        .private_key_usage
        .unwrap_or_default();
    let validity = certificate.validity();
    let mut book = DocumentSigners::default();
    book.add(SignerEntry {
        label: SIGNER.into(),
        serial: certificate.serial_hex(),
        from: period.not_before.unwrap_or(validity.not_before),
        until: period.not_after.unwrap_or(validity.not_after),
        most: MOST,
        used: 0,
        document_types: profile.document_types().to_vec(),
    })
    .or_fail(Kind::Failed)?;

    let holder = HolderReference::first(CVCA_NAME).or_fail(Kind::Failed)?;
    let today = now.to_zoned(TimeZone::UTC).date();
    let term = CvTerm::days(today, CVCA_DAYS).or_fail(Kind::Failed)?;
    let trusted = CvKey::new(key(token, CVCA, Curve::P256)?).or_fail(Kind::Failed)?;
    let trusted = CvAuthority::create(&trusted, &holder, &[Right::ReadFingerprints], term);
    let trusted = trusted.or_fail(Kind::Failed)?;

    // The book comes last: where it is, all is.
    let book = serde_json::to_vec_pretty(&book).or_fail(Kind::Failed)?;
    for (path, bytes) in [
        (folder.join("csca.cer"), csca.certificate().as_der()),
        (folder.join("cvca.cvcert"), trusted.as_der()),
        (signers.join(format!("{SIGNER}.cer")), certificate.as_der()),
        (signers.join(BOOK), &book),
    ] {
        write_whole(&path, bytes).or_fail(Kind::Failed)?;
    }
    Ok(())
}

/// Returns a key, made where the token does not have it.
fn key(token: &Token, label: &str, curve: Curve) -> Result<Arc<TokenSigner>, Failure> {
    let there = token.keys().or_fail(Kind::Device)?;
    if !there.iter().any(|key| key.label == label) {
        token
            .generate_signing_key(label, curve)
            .or_fail(Kind::Device)?;
    }
    country::signer(token, label).map(Arc::new)
}
