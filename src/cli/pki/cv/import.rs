//! `zimogs pki dv | is import`: certificates that came back.

use std::path::PathBuf;

use cert::cvc::{CvCertificate, Holder, Role, Strength};
use clap::Args;
use pki::{CvFolder, CvFolderError, accepts_own};

use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::pki::cv::place::{FolderChoice, certificate, of_folder, of_trust, today};
use crate::cli::pki::cv::show;

/// Takes in certificates: each is verified from a trusted CVCA down, and its own must answer a
/// request. The order of the files does not matter.
#[derive(Args)]
pub(crate) struct Import {
    /// The certificates (.cvcert).
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    folder: FolderChoice,
    /// Trust the CVCA certificates among them from now on: you know where they come from.
    #[arg(long)]
    trust: bool,
    /// One JSON value instead of text.
    #[arg(long)]
    json: bool,
}

/// Imports, for a document verifier or for a terminal.
pub(crate) fn run(options: &Import, terminal: bool) -> Result<(), Failure> {
    let folder = options.folder.open()?;
    let mut certificates = Vec::new();
    for path in &options.files {
        certificates.push(certificate(path)?);
    }
    // From the root down, so that each finds what it is judged by.
    certificates.sort_by_key(|certificate| {
        let step = match certificate.role() {
            Role::Cvca if certificate.is_self_issued() => 0,
            Role::Cvca => 1,
            Role::DomesticVerifier | Role::ForeignVerifier => 2,
            Role::Terminal => 3,
        };
        (step, certificate.effective(), certificate.holder().clone())
    });
    let mut taken = Vec::new();
    for certificate in &certificates {
        let path = take(&folder, certificate, options.trust, terminal)?;
        taken.push((path, certificate));
    }
    show::made(&taken, options.json)
}

fn take(
    folder: &CvFolder,
    certificate: &CvCertificate,
    trust: bool,
    terminal: bool,
) -> Result<PathBuf, Failure> {
    let failed = |error: CvFolderError| of_folder(&error);
    if certificate.is_self_issued() {
        let trusted = folder.trusted().map_err(failed)?;
        if !trust && !trusted.contains(certificate) {
            let fault = format!("nobody said that {} is trusted", certificate.holder());
            return Err(Failure::new(Kind::Refused, fault)
                .with_hint("compare it with what its state publishes, then: --trust"));
        }
        Holder::of_root(certificate.clone(), Strength::Current).or_fail(Kind::Integrity)?;
        return kept(folder.keep_trusted(certificate), &trusted, certificate);
    }
    folder
        .judge(certificate, today())
        .map_err(|error| of_trust(&error))?;
    let own_role = match terminal {
        true => certificate.role() == Role::Terminal,
        false => certificate.role().is_verifier(),
    };
    if own_role {
        let requests = folder.requests().map_err(failed)?;
        if !requests
            .iter()
            .any(|request| accepts_own(request, certificate))
        {
            let fault = format!("{} answers no request of this folder", certificate.holder());
            return Err(Failure::new(Kind::Refused, fault)
                .with_hint("holder, key and authority must be those of the request"));
        }
        let own = folder.own().map_err(failed)?;
        return kept(folder.keep_own(certificate), &own, certificate);
    }
    if certificate.role() == Role::Terminal {
        let fault = format!(
            "{} is a terminal, and this a document verifier",
            certificate.holder()
        );
        return Err(Failure::new(Kind::Refused, fault));
    }
    let chain = folder.chain().map_err(failed)?;
    kept(folder.keep_chain(certificate), &chain, certificate)
}

/// What is there already, byte for byte, may come again.
fn kept(
    written: Result<PathBuf, CvFolderError>,
    before: &[CvCertificate],
    certificate: &CvCertificate,
) -> Result<PathBuf, Failure> {
    match written {
        Err(CvFolderError::There { path }) if before.contains(certificate) => Ok(path),
        written => written.map_err(|error| of_folder(&error)),
    }
}
