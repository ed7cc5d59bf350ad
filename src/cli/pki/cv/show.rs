//! `zimogs pki cvca | dv | is show`: certificates and requests, and what their signatures are worth.

use std::path::{Path, PathBuf};

use cert::cvc::{CvCertificate, CvRequest, Holder, Strength};
use clap::Args;
use hsm::sha256_hex;
use pki::{CvFolder, CvTrustError};
use serde_json::{Value, json};

use crate::cli::card::tables::headed;
use crate::cli::failure::{Failure, Kind};
use crate::cli::output;
use crate::cli::pki::cv::place::{malformed, of_folder, read, today};

/// Shows certificates and requests. With a folder, certificates are judged by what it trusts, and
/// without files its own and what it gave out are shown.
#[derive(Args)]
pub(crate) struct Show {
    /// Certificates (.cvcert) and requests (.cvreq).
    #[arg(value_name = "FILE", required_unless_present = "folder")]
    files: Vec<PathBuf>,
    /// A holder's folder.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// One JSON value instead of text.
    #[arg(long)]
    json: bool,
}

/// One that is shown.
struct Row {
    value: Value,
    cells: [String; 6],
    /// Whether its signature is false.
    wrong: bool,
}

/// Shows them; exit code 5 where a signature is false.
pub(crate) fn run(options: &Show) -> Result<(), Failure> {
    let folder = match &options.folder {
        // Looking makes nothing.
        Some(path) if !path.is_dir() => {
            let fault = format!("{} is no folder", path.display());
            return Err(Failure::new(Kind::Usage, fault));
        }
        Some(path) => Some(CvFolder::open(path).map_err(|error| of_folder(&error))?),
        None => None,
    };
    let mut rows = Vec::new();
    for path in &options.files {
        let bytes = read(path)?;
        // A request is what does not read as a certificate and reads as one.
        rows.push(
            match (CvCertificate::parse(&bytes), CvRequest::parse(&bytes)) {
                (Ok(certificate), _) => of_certificate(path, &certificate, folder.as_ref()),
                (Err(_), Ok(request)) => of_request(path, &request),
                (Err(error), Err(_)) => return Err(malformed(path, &error)),
            },
        );
    }
    if let Some(folder) = folder.as_ref().filter(|_| options.files.is_empty()) {
        let failed = |error| of_folder(&error);
        for (part, certificates) in [
            ("trusted", folder.trusted().map_err(failed)?),
            ("chain", folder.chain().map_err(failed)?),
            ("own", folder.own().map_err(failed)?),
            ("issued", folder.issued().map_err(failed)?),
        ] {
            let row = |certificate| of_certificate(Path::new(part), certificate, Some(folder));
            rows.extend(certificates.iter().map(row));
        }
        let requests = folder.requests().map_err(failed)?;
        rows.extend(
            requests
                .iter()
                .map(|request| of_request(Path::new("requests"), request)),
        );
    }
    print(&rows, options.json)?;
    match rows.iter().any(|row| row.wrong) {
        true => Err(Failure::new(Kind::Integrity, "a signature is false")),
        false => Ok(()),
    }
}

/// Shows certificates that were made or taken in, with their files.
pub(crate) fn made(certificates: &[(PathBuf, &CvCertificate)], json: bool) -> Result<(), Failure> {
    let rows: Vec<_> = certificates
        .iter()
        .map(|(path, certificate)| row(path, certificate, "verified", false))
        .collect();
    print(&rows, json)
}

fn print(rows: &[Row], json: bool) -> Result<(), Failure> {
    if json {
        let values: Vec<_> = rows.iter().map(|row| &row.value).collect();
        return output::json(&values);
    }
    let mut table = headed([
        "file",
        "holder",
        "by",
        "role and rights",
        "holds",
        "signature",
    ]);
    for row in rows {
        table.add_row(&row.cells);
    }
    output::line(&table.to_string())
}

fn of_certificate(path: &Path, certificate: &CvCertificate, folder: Option<&CvFolder>) -> Row {
    if certificate.is_self_issued() {
        return match Holder::of_root(certificate.clone(), Strength::Current) {
            Ok(_) => row(path, certificate, "its own", false),
            Err(error) => row(path, certificate, &error.to_string(), true),
        };
    }
    let Some(folder) = folder else {
        return row(path, certificate, "not judged: no folder", false);
    };
    match judged(folder, certificate) {
        Ok(()) => row(path, certificate, "verified", false),
        Err(CvTrustError::Chain(error)) => {
            let wrong = matches!(error, cert::cvc::ChainError::Signature { .. });
            row(path, certificate, &error.to_string(), wrong)
        }
        Err(error) => row(path, certificate, &error.to_string(), false),
    }
}

/// Judges as of today, first by the holder's own certificates: it issued what it gave out.
fn judged(folder: &CvFolder, certificate: &CvCertificate) -> Result<(), CvTrustError> {
    let own = folder.own()?;
    let issuer =
        |root: &CvCertificate| root.is_self_issued() && root.holder() == certificate.issuer();
    if let Some(root) = own.into_iter().find(issuer) {
        Holder::of_root(root, Strength::Current)?.accepts(certificate.clone(), today())?;
        return Ok(());
    }
    folder.judge(certificate, today()).map(drop)
}

fn row(path: &Path, certificate: &CvCertificate, verdict: &str, wrong: bool) -> Row {
    let chat = certificate.chat();
    let rights: Vec<_> = chat
        .rights()
        .into_iter()
        .map(|right| right.name())
        .collect();
    let key = certificate.public_key();
    let role = format!("{} {}", certificate.role().name(), rights.join(","));
    let holds = format!(
        "{} to {}",
        certificate.effective(),
        certificate.expiration()
    );
    Row {
        value: json!({
            "kind": "certificate",
            "file": path,
            "holder": certificate.holder().to_string(),
            "issuer": certificate.issuer().to_string(),
            "role": certificate.role().name(),
            "terminal_type": chat.terminal().oid().to_string(),
            "rights": rights,
            "algorithm": key.algorithm().to_string(),
            "curve": key.curve().map(|curve| curve.to_string()),
            "effective": certificate.effective().to_string(),
            "expiration": certificate.expiration().to_string(),
            "sha256": sha256_hex(certificate.as_der()),
            "signature": verdict,
        }),
        cells: [
            path.display().to_string(),
            certificate.holder().to_string(),
            certificate.issuer().to_string(),
            role.trim_end().to_owned(),
            holds,
            verdict.to_owned(),
        ],
        wrong,
    }
}

fn of_request(path: &Path, request: &CvRequest) -> Row {
    let possession = request.verify(Strength::Current);
    let verdict = match &possession {
        Ok(()) => "has its key".to_owned(),
        Err(error) => error.to_string(),
    };
    let signer = request.outer().map(|outer| outer.signer.to_string());
    let authority = request.authority().map(ToString::to_string);
    let key = request.public_key();
    Row {
        value: json!({
            "kind": "request",
            "file": path,
            "holder": request.holder().to_string(),
            "authority": authority,
            "vouched_by": signer,
            "algorithm": key.algorithm().to_string(),
            "curve": key.curve().map(|curve| curve.to_string()),
            "sha256": sha256_hex(request.as_der()),
            "signature": verdict,
        }),
        cells: [
            path.display().to_string(),
            request.holder().to_string(),
            authority.unwrap_or_default(),
            match signer {
                Some(signer) => format!("request, vouched by {signer}"),
                None => "request".to_owned(),
            },
            String::new(),
            verdict,
        ],
        wrong: possession.is_err(),
    }
}
