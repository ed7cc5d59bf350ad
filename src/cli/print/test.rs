//! `zimogs print test`: a sheet to be looked at.

use std::process::ExitCode;

use clap::Args;
use print::{
    Bin, Face, Faces, PageContent, PageJob, PagePrinter, Panel, Printer, PrinterError, test_face,
};
use serde::Serialize;

use super::device::{self, Device, Opened};
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::output;

/// A card (*ISO/IEC 7810*, ID-1) and a page, in millimetres.
const CARD: (f32, f32) = (85.6, 53.98);
const PAGE: (f32, f32) = (210.0, 297.0);
/// Dots an inch of a page.
const PAGE_DOTS: u16 = 150;
/// What the job is called.
const JOB: &str = "zimogs-test";

/// Options of `print test`.
#[derive(Args)]
pub(crate) struct Test {
    #[command(flatten)]
    device: Device,
    /// Puts the test card into the reject box, so that it never lies among documents.
    #[arg(long)]
    reject: bool,
    /// One JSON value instead of text.
    #[arg(long)]
    json: bool,
}

/// What was printed. Fields may be added, never renamed.
#[derive(Serialize)]
struct Printed {
    printer: String,
    profile: String,
    /// The panels of each side that was printed.
    front: Vec<&'static str>,
    back: Vec<&'static str>,
    /// Where it is: output, reject, the printer or a file.
    place: String,
}

/// Prints a test sheet.
pub(crate) fn run(options: &Test) -> Result<ExitCode, Failure> {
    let profile = options.device.profile()?;
    let mut printed = Printed {
        printer: options.device.at.clone(),
        profile: options.device.printer.clone(),
        front: Vec::new(),
        back: Vec::new(),
        place: String::new(),
    };
    match options.device.open(profile)? {
        Opened::Cards(mut printer) => card(&mut *printer, options.reject, &mut printed)?,
        Opened::Pages(mut printer, label) => page(&mut *printer, label, &mut printed)?,
    }
    match options.json {
        true => output::json(&printed)?,
        false => {
            output::line(&format!("printed: {}", printed.place))?;
            output::line("  look: which edge is up, the frame 3 mm from each edge, every panel")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn card(printer: &mut dyn Printer, reject: bool, printed: &mut Printed) -> Result<(), Failure> {
    let failed = |error: PrinterError| device::card(&error);
    let capabilities = printer.capabilities().clone();
    let side = |panels: &[Panel]| -> Result<Option<Face>, Failure> {
        if panels.is_empty() {
            return Ok(None);
        }
        let face = test_face(CARD, capabilities.resolution, panels).or_fail(Kind::Failed)?;
        Ok(Some(face))
    };
    let (front, back) = (side(&capabilities.front)?, side(&capabilities.back)?);
    let names = |face: &Option<Face>| {
        let panels = face.iter().flat_map(|face| &face.panels);
        panels.map(|(panel, _)| panel.name()).collect()
    };
    printed.front = names(&front);
    printed.back = names(&back);
    // Whatever is inside is nobody's.
    printer.eject(Bin::Reject).map_err(failed)?;
    printer.feed().map_err(failed)?;
    let faces = Faces {
        front: front.as_ref(),
        back: back.as_ref(),
    };
    let bin = if reject { Bin::Reject } else { Bin::Good };
    let done = printer.print(faces).and_then(|()| printer.eject(bin));
    if let Err(error) = done {
        // A test card with half a test on it must not wait inside for a person's chip.
        let failure = failed(error);
        return match printer.eject(Bin::Reject) {
            Ok(()) => Err(failure),
            Err(_) => Err(Failure::new(
                failure.kind(),
                format!("{}\n  the test card is still inside", failure.message()),
            )
            .with_hint(failure.hint().unwrap_or_default())),
        };
    }
    printed.place = if reject { "reject" } else { "output" }.to_owned();
    Ok(())
}

fn page(
    printer: &mut dyn PagePrinter,
    label: Option<(u16, (u16, u16))>,
    printed: &mut Printed,
) -> Result<(), Failure> {
    let failed = |error| device::page(&error);
    let Some((dots, (width, height))) = label else {
        let panels = [Panel::Colour, Panel::Black];
        let face = test_face(PAGE, PAGE_DOTS, &panels).or_fail(Kind::Failed)?;
        let (width, height) = face
            .panels
            .first()
            .map_or((0, 0), |(_, raster)| (raster.width, raster.height));
        let paper = print::Raster {
            width,
            height,
            form: print::RasterForm::Rgb,
            bytes: vec![255; 3 * width as usize * height as usize],
        };
        let pdf = face.pdf(&paper);
        let job = PageJob {
            name: JOB,
            content: PageContent::Pdf(&pdf),
        };
        printed.front = panels.map(Panel::name).into();
        printed.place = printer.print(&job).map_err(failed)?.place;
        return Ok(());
    };
    let size = (f32::from(width), f32::from(height));
    let face = test_face(size, dots, &[Panel::Black]).or_fail(Kind::Failed)?;
    let black = face.panels.iter().find(|(panel, _)| *panel == Panel::Black);
    let Some((panel, raster)) = black else {
        return Err(Failure::new(Kind::Failed, "the test label has no panel"));
    };
    let job = PageJob {
        name: JOB,
        content: PageContent::Label(raster, dots),
    };
    printed.front = vec![panel.name()];
    printed.place = printer.print(&job).map_err(failed)?.place;
    Ok(())
}
