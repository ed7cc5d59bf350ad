//! Folders, files and days of card-verifiable certificates.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use cert::cvc::{CvCertificate, CvcError, Holder, MAX_CVC, Right, Strength};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use pki::{CvAuthority, CvFolder, CvFolderError, CvIssueError, CvTrustError};

use crate::cli::failure::{Failure, Kind, OrFail};

/// Which folder.
#[derive(Args)]
pub(crate) struct FolderChoice {
    /// The holder's folder; it is made where it is missing.
    #[arg(long, value_name = "FOLDER")]
    folder: PathBuf,
}

impl FolderChoice {
    /// Opens it.
    pub(crate) fn open(&self) -> Result<CvFolder, Failure> {
        CvFolder::open(&self.folder).map_err(|error| of_folder(&error))
    }
}

/// What a terminal may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Reads {
    /// Fingerprints.
    Dg3,
    /// Iris.
    Dg4,
}

/// Returns the rights.
pub(crate) fn rights(reads: &[Reads]) -> Vec<Right> {
    let right = |reads: &Reads| match reads {
        Reads::Dg3 => Right::ReadFingerprints,
        Reads::Dg4 => Right::ReadIris,
    };
    reads.iter().map(right).collect()
}

/// Returns today: everywhere the same day.
pub(crate) fn today() -> Date {
    Timestamp::now().to_zoned(TimeZone::UTC).date()
}

/// Returns a CVCA's own certificate: the latest that it signed itself.
pub(crate) fn current_root(folder: &CvFolder) -> Result<Holder, Failure> {
    let own = folder.own().map_err(|error| of_folder(&error))?;
    let root = own.into_iter().rfind(CvCertificate::is_self_issued);
    let root = root.ok_or_else(|| {
        Failure::new(Kind::Refused, "the folder has no certificate of a CVCA")
            .with_hint("zimogs pki cvca init makes the first")
    })?;
    Holder::of_root(root, Strength::Current).or_fail(Kind::Integrity)
}

/// Returns a document verifier's own certificate: the latest that holds today.
pub(crate) fn current_verifier(folder: &CvFolder) -> Result<Holder, Failure> {
    let own = folder.own().map_err(|error| of_folder(&error))?;
    let latest = own.last().ok_or_else(|| {
        Failure::new(Kind::Refused, "the folder has no certificate yet")
            .with_hint("zimogs pki dv request asks for one, zimogs pki dv import takes it in")
    })?;
    folder
        .judge(latest, today())
        .map_err(|error| of_trust(&error))
}

/// Reads a file of at most the length of a certificate.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    // One byte more tells a file that is too long.
    let most = MAX_CVC as u64 + 1;
    File::open(path)
        .and_then(|file| file.take(most).read_to_end(&mut bytes))
        .map_err(|error| {
            Failure::new(
                Kind::Usage,
                format!("{} cannot be read: {error}", path.display()),
            )
        })?;
    Ok(bytes)
}

/// Says that a file is no certificate or request.
pub(crate) fn malformed(path: &Path, error: &CvcError) -> Failure {
    let failure = Failure::of(Kind::Failed, error);
    Failure::new(
        Kind::Failed,
        format!("{}: {}", path.display(), failure.message()),
    )
}

/// Reads a certificate.
pub(crate) fn certificate(path: &Path) -> Result<CvCertificate, Failure> {
    CvCertificate::parse(&read(path)?).map_err(|error| malformed(path, &error))
}

/// Opens an authority with its key.
pub(crate) fn authority(holder: Holder, key: pki::CvKey) -> Result<CvAuthority, Failure> {
    CvAuthority::new(holder, key).map_err(|error| of_issue(&error))
}

/// Turns what a folder says into a failure.
pub(crate) fn of_folder(error: &CvFolderError) -> Failure {
    let kind = match error {
        CvFolderError::There { .. } => Kind::Refused,
        CvFolderError::Damaged { .. } | CvFolderError::Misplaced { .. } => Kind::Integrity,
        _ => Kind::Failed,
    };
    Failure::of(kind, error)
}

/// Turns what keeps a certificate from being trusted into a failure.
pub(crate) fn of_trust(error: &CvTrustError) -> Failure {
    use cert::cvc::ChainError;
    match error {
        CvTrustError::Folder(error) => of_folder(error),
        CvTrustError::NoPath { .. } => Failure::of(Kind::Refused, error)
            .with_hint("import the CVCA's certificate with --trust, and the links after it"),
        CvTrustError::Chain(ChainError::Signature { .. }) => Failure::of(Kind::Integrity, error),
        _ => Failure::of(Kind::Refused, error),
    }
}

/// Turns a refusal to issue into a failure.
pub(crate) fn of_issue(error: &CvIssueError) -> Failure {
    match error {
        CvIssueError::Key(_) => Failure::of(Kind::Device, error),
        CvIssueError::Folder(error) => of_folder(error),
        CvIssueError::Possession(_) | CvIssueError::FalseVoucher { .. } => {
            Failure::of(Kind::Integrity, error)
        }
        CvIssueError::NotVouched { .. } => Failure::of(Kind::Refused, error).with_hint(
            "compare the digest that its sender tells over another way: --in-person SHA256",
        ),
        CvIssueError::Reused { .. } => Failure::of(Kind::Refused, error)
            .with_hint("what was issued stands in the folder: issued/"),
        _ => Failure::of(Kind::Refused, error),
    }
}
