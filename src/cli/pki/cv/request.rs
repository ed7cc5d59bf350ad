//! `zimogs pki dv | is request`: the next key, and the request for its certificate.

use std::path::PathBuf;

use cert::cvc::{CvCertificate, HolderReference};
use clap::Args;
use hsm::sha256_hex;
use pki::CvFolder;
use serde_json::json;

use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::files;
use crate::cli::output;
use crate::cli::pki::cv::key::{NewKeyChoice, holder_name, key_of};
use crate::cli::pki::cv::place::{FolderChoice, of_folder, today};

/// Makes the next key, and a request that this key signs; the key before signs it too, where its
/// certificate holds.
#[derive(Args)]
pub(crate) struct Request {
    #[command(flatten)]
    folder: FolderChoice,
    /// Country code and name, for the first request: LVDVLV.
    #[arg(long, value_name = "NAME", value_parser = holder_name)]
    holder: Option<String>,
    /// The reference of who is asked; without it the request names nobody.
    #[arg(long, value_name = "REFERENCE")]
    authority: Option<HolderReference>,
    /// A copy of the request (.cvreq), beside the one in the folder.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    new: NewKeyChoice,
}

/// Makes key and request.
pub(crate) fn run(options: &Request) -> Result<(), Failure> {
    let token = options.new.open()?;
    options.out.as_deref().map_or(Ok(()), files::be_free)?;
    let folder = options.folder.open()?;
    let holder = next(&folder, options.holder.as_deref())?;
    let made = options.new.make(&token, &holder)?;
    let request = made
        .request(&holder, options.authority.as_ref())
        .or_fail(Kind::Device)?;
    let earlier = earlier(&folder)?;
    let request = match &earlier {
        Some(own) => key_of(&token, own)?
            .vouch(&request, own.holder())
            .or_fail(Kind::Device)?,
        None => request,
    };
    let kept = folder
        .keep_request(&request)
        .map_err(|error| of_folder(&error))?;
    if let Some(out) = &options.out {
        files::write_new(out, request.as_der())?;
    }
    let file = options.out.as_ref().unwrap_or(&kept);
    let digest = sha256_hex(request.as_der());
    let voucher = earlier.map(|own| own.holder().to_string());
    if options.new.token.json {
        return output::json(&json!({
            "file": file,
            "holder": holder.to_string(),
            "vouched_by": voucher,
            "sha256": digest,
        }));
    }
    output::line(&format!("{}: a request for {holder}", file.display()))?;
    output::line(&match voucher {
        Some(earlier) => format!("signed by {earlier} too"),
        None => format!("tell its digest in person: {digest}"),
    })
}

/// Returns the next reference: after the last request, or the first.
fn next(folder: &CvFolder, holder: Option<&str>) -> Result<HolderReference, Failure> {
    let requests = folder.requests().map_err(|error| of_folder(&error))?;
    let last = requests.iter().map(|request| request.holder()).max();
    match (last, holder) {
        (Some(last), Some(name)) if last.holder() != name.as_bytes() => {
            let fault = format!("the folder is that of {last}, not of {name}");
            Err(Failure::new(Kind::Usage, fault).with_hint("each holder has a folder of its own"))
        }
        (Some(last), _) => last.successor().or_fail(Kind::Refused),
        (None, Some(name)) => HolderReference::first(name).or_fail(Kind::Usage),
        (None, None) => Err(Failure::new(Kind::Usage, "whose first request is it?")
            .with_hint("--holder LVDVLV: country code and name")),
    }
}

/// Returns the latest certificate, if it holds today.
fn earlier(folder: &CvFolder) -> Result<Option<CvCertificate>, Failure> {
    let own = folder.own().map_err(|error| of_folder(&error))?;
    Ok(own.into_iter().rfind(|own| own.holds_on(today())))
}
