//! `zimogs pki cvca | dv issue`: a certificate for a request.

use std::path::PathBuf;

use cert::cvc::{Chat, CvRequest, Holder, Role, Strength};
use clap::Args;
use hsm::sha256_hex;
use pki::{CvGrant, CvTerm, CvVoucher};

use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::files;
use crate::cli::hsm::TokenChoice;
use crate::cli::pki::cv::key::key;
use crate::cli::pki::cv::place::{
    FolderChoice, Reads, authority, certificate, current_root, current_verifier, malformed,
    of_issue, read, rights, today,
};
use crate::cli::pki::cv::show;

/// A document verifier's certificate lasts twelve weeks where nothing else is said, a terminal's
/// four.
const VERIFIER_DAYS: u16 = 84;
const TERMINAL_DAYS: u16 = 28;

/// Certifies the key of a request. Its sender must have the key, and be who it says: by its earlier
/// key, by its own country's CVCA, or in person.
#[derive(Args)]
pub(crate) struct Issue {
    /// The request (.cvreq).
    #[arg(value_name = "REQUEST")]
    request: PathBuf,
    #[command(flatten)]
    folder: FolderChoice,
    /// SHA-256 of the request, as its sender told it in person: for a first request.
    #[arg(long, value_name = "SHA256", conflicts_with = "voucher")]
    in_person: Option<String>,
    /// The verified certificate of the foreign CVCA that signed the request.
    #[arg(long, value_name = "FILE")]
    voucher: Option<PathBuf>,
    /// What it may read, at most what the issuer may.
    #[arg(long, value_delimiter = ',', default_value = "dg3")]
    rights: Vec<Reads>,
    /// How many days it holds after today: 14 days to 3 months for a document verifier [84], 1 day
    /// to 1 month for a terminal [28].
    #[arg(long)]
    days: Option<u16>,
    /// A copy of the certificate (.cvcert), beside the one in the folder.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    token: TokenChoice,
}

/// Issues, as a CVCA or as a document verifier.
pub(crate) fn run(options: &Issue, issuer: Role) -> Result<(), Failure> {
    let token = options.token.place()?.open()?;
    options.out.as_deref().map_or(Ok(()), files::be_free)?;
    let folder = options.folder.open()?;
    let bytes = read(&options.request)?;
    let request = CvRequest::parse(&bytes).map_err(|error| malformed(&options.request, &error))?;
    let holder = match issuer {
        Role::Cvca => current_root(&folder)?,
        _ => current_verifier(&folder)?,
    };
    let own = holder.certificate().holder().clone();
    let (role, days) = match issuer {
        Role::Cvca if request.holder().country() == own.country() => {
            (Role::DomesticVerifier, VERIFIER_DAYS)
        }
        Role::Cvca => (Role::ForeignVerifier, VERIFIER_DAYS),
        _ => (Role::Terminal, TERMINAL_DAYS),
    };
    let grant = CvGrant {
        chat: Chat::inspection(role, &rights(&options.rights)),
        term: CvTerm::days(today(), options.days.unwrap_or(days)).or_fail(Kind::Usage)?,
        voucher: voucher(options, &bytes)?,
    };
    let authority = authority(holder, key(&token, &own)?)?;
    let issued = authority
        .issue(&request, &grant, &folder)
        .map_err(|error| of_issue(&error))?;
    if let Some(out) = &options.out {
        files::write_new(out, issued.as_der())?;
    }
    let file = options.out.clone();
    let named = file.unwrap_or_else(|| format!("issued/{}.cvcert", issued.holder()).into());
    show::made(&[(named, &issued)], options.token.json)
}

fn voucher(options: &Issue, request: &[u8]) -> Result<CvVoucher, Failure> {
    if let Some(told) = &options.in_person {
        let digest = sha256_hex(request);
        return match told.trim().eq_ignore_ascii_case(&digest) {
            true => Ok(CvVoucher::Person),
            false => Err(Failure::new(
                Kind::Integrity,
                format!("SHA-256 of the request is {digest}: not what was told in person"),
            )),
        };
    }
    let Some(path) = &options.voucher else {
        return Ok(CvVoucher::EarlierKey);
    };
    let root = Holder::of_root(certificate(path)?, Strength::Current).or_fail(Kind::Integrity)?;
    Ok(CvVoucher::Authority(Box::new(root)))
}
