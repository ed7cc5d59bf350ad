//! `zimogs central parcel dispatch-list | label`: the list that goes with a parcel, and what is glued
//! on it, to a file or a printer.

use std::path::PathBuf;

use central::{CENTRAL_STORE, Central, ParcelContent};
use clap::Args;
use document::{Environment, OfficeCode};
use print::{
    DispatchList, Facts, PageContent, PageJob, Panel, Raster, Rendering, SheetKind, TextField,
};
use serde_json::json;

use crate::cli::central::Place;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::print::device::{self, Device, Opened};
use crate::cli::shipped::{self, LABEL};
use crate::cli::{files, output};

/// Of which parcel, and where it is printed.
#[derive(Args)]
pub(crate) struct Options {
    /// The parcel's serial number.
    parcel: String,
    /// The place that sends it.
    #[arg(long, value_name = "PLACE", default_value = CENTRAL_STORE)]
    from: OfficeCode,
    /// Writes a file: a list as PDF, a label as PNG.
    #[arg(long, value_name = "FILE", required_unless_present = "printer")]
    out: Option<PathBuf>,
    /// The profile of a printer of pages, or of labels.
    #[arg(long, value_name = "PROFILE", requires = "at", conflicts_with = "out")]
    printer: Option<String>,
    /// Where the printer is: ipp://HOST/PATH, ipps://HOST/PATH, tcp://HOST, folder:/PATH.
    #[arg(long, value_name = "ADDRESS", requires = "printer")]
    at: Option<String>,
    /// Certificate of the printer, or of its issuer, for ipps: PEM; may be repeated.
    #[arg(long, value_name = "FILE", requires = "printer")]
    trust: Vec<PathBuf>,
    #[command(flatten)]
    place: Place,
}

/// Makes the list, and writes or prints it.
pub(crate) fn list(options: &Options) -> Result<(), Failure> {
    let profiles = shipped::profiles(options.place.profiles())?;
    let layout = profiles.sheet(SheetKind::DispatchList)?;
    options.make("dispatch-list", |central, content| {
        profiles.admit_sheet(central, SheetKind::DispatchList.name())?;
        let list = list_of(central, options, content);
        let pdf = list.render(&layout).or_fail(Kind::Failed)?;
        Ok(Paper::Pdf(pdf))
    })
}

/// Makes the label, and writes or prints it.
pub(crate) fn label(options: &Options) -> Result<(), Failure> {
    let profiles = shipped::profiles(options.place.profiles())?;
    let layout = profiles.label()?;
    options.make("label", |central, content| {
        profiles.admit_sheet(central, LABEL)?;
        let how = Rendering {
            dots: layout.dots,
            specimen: central.environment() == Environment::Test,
        };
        let facts = facts(&list_of(central, options, content));
        let face = layout.render(&facts, how).or_fail(Kind::Failed)?;
        let mut panels = face.panels.into_iter();
        let black = panels.find(|(panel, _)| *panel == Panel::Black);
        let (_, raster) = black.ok_or_else(|| {
            let fault = format!("the layout {LABEL} has no panel \"black\"");
            Failure::new(Kind::Usage, fault).with_hint("a label printer prints black alone")
        })?;
        Ok(Paper::Label(raster, how.dots))
    })
}

/// What is printed.
enum Paper {
    Pdf(Vec<u8>),
    Label(Raster, u16),
}

impl Options {
    /// Makes a paper of the parcel, and writes or prints it.
    fn make(
        &self,
        name: &str,
        paper: impl FnOnce(&Central, &ParcelContent) -> Result<Paper, Failure>,
    ) -> Result<(), Failure> {
        let made = self.place.with_central("quality", async |central, actor| {
            let content = central
                .parcel_content(&actor, &self.parcel, &self.from)
                .await?;
            let paper = paper(central, &content)?;
            Ok((content, paper))
        });
        // A printer waits by itself: not where the store's own work runs.
        let (content, paper) = made?;
        let parcel = &content.serial;
        let named = self.printer.as_deref().zip(self.at.as_deref());
        let place = match (&self.out, named) {
            (Some(path), _) => {
                match &paper {
                    Paper::Pdf(pdf) => files::write_new(path, pdf)?,
                    Paper::Label(raster, dots) => files::write_new(path, &raster.png(*dots))?,
                }
                path.display().to_string()
            }
            (None, Some(named)) => self.printed(named, &format!("{name}-{parcel}"), &paper)?,
            (None, None) => return Err(Failure::new(Kind::Usage, "name a file or a printer")),
        };
        let documents = content.documents.len();
        match self.place.json() {
            true => output::json(&json!({
                "parcel": parcel, "documents": documents, "place": place,
            })),
            false => output::line(&format!("{parcel}: {documents} documents, {place}")),
        }
    }

    /// Prints it; returns where it is.
    fn printed(&self, named: (&str, &str), name: &str, paper: &Paper) -> Result<String, Failure> {
        let device = Device::named(named, &self.trust, self.place.profiles());
        let profile = device.profile()?;
        let usage = |fault: String| Failure::new(Kind::Usage, fault);
        let (mut printer, content) = match (device.open(profile)?, paper) {
            (Opened::Pages(printer, None), Paper::Pdf(pdf)) => (printer, PageContent::Pdf(pdf)),
            (Opened::Pages(printer, labels), Paper::Label(raster, dots)) => {
                if let Some((printed, _)) = labels.filter(|(printed, _)| printed != dots) {
                    let fault = format!(
                        "{} prints {printed} dots an inch, and the label is made for {dots}",
                        named.0
                    );
                    return Err(usage(fault).with_hint("correct z:dpi in sheets/parcel-label.svg"));
                }
                (printer, PageContent::Label(raster, *dots))
            }
            (_, Paper::Pdf(_)) => return Err(usage(format!("{} prints no pages of A4", named.0))),
            (_, Paper::Label(..)) => return Err(usage(format!("{} prints no labels", named.0))),
        };
        let job = PageJob { name, content };
        let receipt = printer.print(&job).map_err(|error| device::page(&error))?;
        Ok(receipt.place)
    }
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
    }
}

/// Returns what a label says: as the list has it.
fn facts(list: &DispatchList) -> Facts {
    let mut facts = Facts::default();
    facts.set(TextField::Parcel, &*list.parcel);
    facts.set(TextField::ParcelFrom, &*list.from);
    facts.set(TextField::ParcelTo, &*list.to);
    facts.set(TextField::ParcelDocuments, list.documents.len().to_string());
    facts.set(TextField::ParcelSealed, &*list.sealed);
    facts.set(TextField::ParcelWay, list.way.clone().unwrap_or_default());
    facts
}
