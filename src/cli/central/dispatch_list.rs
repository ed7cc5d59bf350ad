//! `zimogs central parcel dispatch-list`: the list that goes with a parcel, to a file or a printer.

use std::path::PathBuf;

use central::{CENTRAL_STORE, Central, ParcelContent};
use clap::Args;
use document::OfficeCode;
use print::{DispatchList, Language, PageContent, PageJob};
use serde_json::json;

use crate::cli::central::Place;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::print::device::{self, Device, Opened};
use crate::cli::{files, output};

/// Which list, and where it is printed.
#[derive(Args)]
pub(crate) struct Options {
    /// The parcel's serial number.
    parcel: String,
    /// The place that sends it.
    #[arg(long, value_name = "PLACE", default_value = CENTRAL_STORE)]
    from: OfficeCode,
    /// Writes a PDF.
    #[arg(long, value_name = "FILE", required_unless_present = "printer")]
    out: Option<PathBuf>,
    /// The profile of a printer of pages.
    #[arg(long, value_name = "PROFILE", requires = "at", conflicts_with = "out")]
    printer: Option<String>,
    /// Where the printer is: ipp://HOST/PATH, ipps://HOST/PATH, folder:/PATH.
    #[arg(long, value_name = "ADDRESS", requires = "printer")]
    at: Option<String>,
    /// Certificate of the printer, or of its issuer, for ipps: PEM; may be repeated.
    #[arg(long, value_name = "FILE", requires = "printer")]
    trust: Vec<PathBuf>,
    #[command(flatten)]
    place: Place,
}

/// Makes the list, and writes or prints it.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    options
        .place
        .with_central("quality", async |central, actor| {
            let content = central
                .parcel_content(&actor, &options.parcel, &options.from)
                .await?;
            let pdf = list_of(central, options, &content)
                .render()
                .or_fail(Kind::Failed)?;
            let parcel = &content.serial;
            let place = match (
                &options.out,
                options.printer.as_deref().zip(options.at.as_deref()),
            ) {
                (Some(path), _) => {
                    files::write_new(path, &pdf)?;
                    path.display().to_string()
                }
                (None, Some(named)) => printed(options, named, parcel, &pdf)?,
                (None, None) => return Err(Failure::new(Kind::Usage, "name a file or a printer")),
            };
            let documents = content.documents.len();
            match options.place.json() {
                true => output::json(&json!({
                    "parcel": parcel, "documents": documents, "place": place,
                })),
                false => output::line(&format!("{parcel}: {documents} documents, {place}")),
            }
        })
}

fn list_of(central: &Central, options: &Options, content: &ParcelContent) -> DispatchList {
    let (code, name) = &content.office;
    let sealed = central.calendar().day_of(content.sealed);
    DispatchList {
        parcel: content.serial.clone(),
        from: format!("{}, {}", options.from, content.from),
        to: match name {
            Some(name) => format!("{code}, {name}"),
            None => code.clone(),
        },
        sealed: sealed.strftime("%d.%m.%Y").to_string(),
        way: content.way.clone(),
        documents: content.documents.clone(),
        languages: vec![Language::Latvian, Language::English],
    }
}

/// Prints it; returns where it is.
fn printed(
    options: &Options,
    named: (&str, &str),
    parcel: &str,
    pdf: &[u8],
) -> Result<String, Failure> {
    let device = Device::named(named, &options.trust, options.place.profiles());
    let profile = device.profile()?;
    let Opened::Pages(mut printer, None) = device.open(profile)? else {
        let fault = format!("{} prints no pages of A4", named.0);
        return Err(Failure::new(Kind::Usage, fault));
    };
    let name = format!("dispatch-list-{parcel}");
    let job = PageJob {
        name: &name,
        content: PageContent::Pdf(pdf),
    };
    let receipt = printer.print(&job).map_err(|error| device::page(&error))?;
    Ok(receipt.place)
}
