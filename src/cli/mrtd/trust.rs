//! Whom the inspector trusts, in files: certificates, revocation lists, master lists.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use mrtd::inspection::{Trust, TrustError, TrustedKind};
use serde::Serialize;

use crate::cli::card::pem;
use crate::cli::failure::{Failure, Kind};

/// The longest file, in bytes: as long as the longest revocation list.
const MAX_TRUST_FILE: u64 = cert::MAX_CRL as u64;

/// What blocks of PEM may hold.
const LABELS: [&str; 4] = ["CERTIFICATE", "X509 CRL", "CMS", "PKCS7"];

/// Whom to trust, and as of when.
#[derive(Args)]
pub(crate) struct TrustOptions {
    /// Whom to trust: country signing certificates (PEM or DER), revocation lists, a master list.
    /// May be given several times. Without it the signer stays open.
    #[arg(long, value_name = "FILE")]
    trust: Vec<PathBuf>,
    /// Judge as of this time: 2026-01-31 or 2026-01-31T12:00:00Z. Else as of now.
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<Timestamp>,
}

/// What a file gave. Fields may be added, never renamed.
#[derive(Serialize)]
pub(crate) struct Trusted {
    /// The file.
    file: String,
    /// `country-signing`, `link`, `document-signer`, `revocation-list` or `master-list`.
    kind: &'static str,
    /// How many certificates came of it.
    certificates: usize,
    /// How many do not read.
    unread: usize,
    /// Of a master list: who signed it, and who says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    signer: Option<String>,
}

impl TrustOptions {
    /// Returns the time to judge by.
    pub(crate) fn at(&self) -> Timestamp {
        self.at.unwrap_or_else(Timestamp::now)
    }

    /// Reads the files.
    pub(crate) fn read(&self) -> Result<(Trust, Vec<Trusted>), Failure> {
        let mut trust = Trust::default();
        let mut all = Vec::new();
        for path in &self.trust {
            for der in contents(path)? {
                let added = trust.add(&der).map_err(|error| refused(path, &error))?;
                all.push(Trusted {
                    file: path.display().to_string(),
                    kind: name(added.kind),
                    certificates: added.certificates,
                    unread: added.unread,
                    signer: None,
                });
            }
        }
        let lists = all.iter_mut().filter(|one| one.kind == "master-list");
        for (list, judgement) in lists.zip(trust.judge_lists(self.at())) {
            list.signer = Some(judgement.reason);
        }
        Ok((trust, all))
    }
}

impl Trusted {
    /// Returns a line for a person.
    pub(crate) fn line(&self) -> String {
        let Self { file, kind, .. } = self;
        let mut text = format!("trusted: {file} ({kind}");
        if self.certificates > 1 {
            text.push_str(&format!(", {} certificates", self.certificates));
        }
        if self.unread > 0 {
            text.push_str(&format!(", {} more do not read", self.unread));
        }
        if let Some(signer) = &self.signer {
            text.push_str(&format!(", {signer}"));
        }
        text.push(')');
        text
    }
}

const fn name(kind: TrustedKind) -> &'static str {
    match kind {
        TrustedKind::Anchor => "country-signing",
        TrustedKind::Link => "link",
        TrustedKind::Signer => "document-signer",
        TrustedKind::RevocationList => "revocation-list",
        TrustedKind::MasterList => "master-list",
    }
}

fn refused(path: &Path, error: &TrustError) -> Failure {
    let kind = if error.is_alteration() {
        Kind::Integrity
    } else {
        Kind::Usage
    };
    let failure = Failure::of(kind, error);
    let message = format!("{}: {}", path.display(), failure.message());
    Failure::new(kind, message)
}

/// Returns what a file holds in DER: itself, or what its blocks of PEM do.
fn contents(path: &Path) -> Result<Vec<Vec<u8>>, Failure> {
    let shown = path.display();
    let fault = |why: &str| Failure::new(Kind::Usage, format!("{shown}: {why}"));
    let mut bytes = Vec::new();
    let read = File::open(path)
        .and_then(|file| file.take(MAX_TRUST_FILE + 1).read_to_end(&mut bytes))
        .map_err(|error| fault(&error.to_string()))?;
    if read as u64 > MAX_TRUST_FILE {
        return Err(fault("longer than any list"));
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) if pem::is_pem(text) => {
            let blocks = pem::blocks(text, &LABELS).map_err(|error| fault(&error.to_string()))?;
            if blocks.is_empty() {
                return Err(fault("it has other blocks of PEM only"));
            }
            Ok(blocks)
        }
        _ => Ok(vec![bytes]),
    }
}

/// Reads a time, or a day: its first second.
fn time(text: &str) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let day = text.parse::<Date>().ok();
    let at = day.and_then(|day| day.to_zoned(TimeZone::UTC).ok());
    at.map(|at| at.timestamp())
        .ok_or_else(|| "give a day as 2026-01-31 or a time as 2026-01-31T12:00:00Z".to_owned())
}
