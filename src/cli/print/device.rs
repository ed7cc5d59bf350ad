//! The printer that a command line names.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use print::{
    EscPlace, FolderPrinter, IppPrinter, LinkAddress, PageError, PagePrinter, Printer,
    PrinterError, PrinterPlace, PrinterProfile, ZplPrinter,
};
use profile::Shelf;

use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::{files, shipped};

/// Which printer, and where it is.
#[derive(Args)]
pub(crate) struct Device {
    /// The printer's profile: a file of `printers/` without its ending.
    #[arg(long, value_name = "PROFILE")]
    pub(crate) printer: String,
    /// Where it is: tcp://HOST:PORT, serial:/dev/…, ipp://HOST/PATH, ipps://HOST/PATH, folder:/PATH.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) at: String,
    /// The serial number that a card printer must have.
    #[arg(long, value_name = "SERIAL")]
    serial_number: Option<String>,
    /// Certificate of the printer, or of its issuer, for ipps: PEM; may be repeated.
    #[arg(long, value_name = "FILE")]
    trust: Vec<PathBuf>,
    /// Folder with more profiles, `printers/*.toml` in it; one of the same name takes the place of
    /// the shipped one.
    #[arg(long, value_name = "FOLDER")]
    profiles: Option<PathBuf>,
}

/// A printer.
pub(crate) enum Opened {
    /// Of cards.
    Cards(Box<dyn Printer>),
    /// Of pages: with its resolution, and its label's size in millimetres where it prints labels.
    Pages(Box<dyn PagePrinter>, Option<(u16, (u16, u16))>),
}

impl Device {
    /// Names one otherwise than by a command line of its own.
    pub(crate) fn named(
        (printer, at): (&str, &str),
        trust: &[PathBuf],
        profiles: Option<&Path>,
    ) -> Self {
        Self {
            printer: printer.to_owned(),
            at: at.to_owned(),
            serial_number: None,
            trust: trust.to_vec(),
            profiles: profiles.map(Path::to_owned),
        }
    }

    /// Reads its profile.
    pub(crate) fn profile(&self) -> Result<PrinterProfile, Failure> {
        let shelf = shipped::profiles(self.profiles.as_deref())?.printers;
        profile(&shelf, &self.printer)
    }

    /// Connects to it. Nothing moves.
    pub(crate) fn open(&self, profile: PrinterProfile) -> Result<Opened, Failure> {
        Ok(match profile {
            profile @ PrinterProfile::Esc(_) => {
                let place = place(profile, &self.at, self.serial_number.clone())?;
                Opened::Cards(place.connect().map_err(|error| card(&error))?)
            }
            PrinterProfile::Ipp(profile) => {
                let address = self.at.parse().or_fail(Kind::Usage)?;
                let trusted: Result<Vec<_>, _> =
                    self.trust.iter().map(|path| certificate(path)).collect();
                let printer =
                    IppPrinter::new(address, &trusted?, &profile.media, profile.patience());
                Opened::Pages(Box::new(printer.map_err(|error| page(&error))?), None)
            }
            PrinterProfile::Zpl(profile) => {
                let address = self.at.parse().or_fail(Kind::Usage)?;
                let printer = ZplPrinter::new(address, profile.resolution, profile.patience());
                let label = (profile.resolution, profile.label);
                Opened::Pages(Box::new(printer), Some(label))
            }
            PrinterProfile::Folder(_) => {
                let path = self.at.strip_prefix("folder:").ok_or_else(|| {
                    Failure::new(Kind::Usage, "a folder's address is folder:/PATH")
                })?;
                Opened::Pages(Box::new(FolderPrinter::new(path.as_ref())), None)
            }
            // Whoever adds a protocol adds it here.
            _ => {
                return Err(Failure::new(
                    Kind::Usage,
                    "this protocol has no driver here",
                ));
            }
        })
    }
}

/// Reads the printer profile of a name.
pub(crate) fn profile(printers: &Shelf, name: &str) -> Result<PrinterProfile, Failure> {
    let Some(text) = printers.text(name) else {
        let known: Vec<&str> = printers.names().collect();
        let fault = format!("no printer profile is named \"{name}\"");
        return Err(
            Failure::new(Kind::Usage, fault).with_hint(format!("known are {}", known.join(", ")))
        );
    };
    PrinterProfile::parse(text).map_err(|error| {
        let fault = Failure::of(Kind::Usage, &error);
        let text = format!("printers/{name}.toml: {}", fault.message());
        Failure::new(Kind::Usage, text)
    })
}

/// Returns where a printer of cards stands; `serial` is the serial number that it must have.
pub(crate) fn place(
    profile: PrinterProfile,
    at: &str,
    serial: Option<String>,
) -> Result<Arc<dyn PrinterPlace>, Failure> {
    match profile {
        PrinterProfile::Esc(profile) => {
            let address: LinkAddress = at.parse().or_fail(Kind::Usage)?;
            Ok(Arc::new(EscPlace::new(*profile, address, serial)))
        }
        other => {
            let fault = format!(
                "a printer of the protocol {} prints no cards",
                other.protocol()
            );
            Err(Failure::new(Kind::Usage, fault))
        }
    }
}

/// Makes a failure of what a printer of cards said.
pub(crate) fn card(error: &PrinterError) -> Failure {
    Failure::of(Kind::Device, error).with_hint(error.remedy())
}

/// Makes a failure of what a printer of pages said.
pub(crate) fn page(error: &PageError) -> Failure {
    let kind = match error {
        PageError::Name => Kind::Usage,
        PageError::File { .. } => Kind::Failed,
        _ => Kind::Device,
    };
    Failure::of(kind, error)
}

/// Reads a certificate, PEM.
fn certificate(path: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = files::read(path, files::SHORT)?;
    match pem_rfc7468::decode_vec(&bytes) {
        Ok(("CERTIFICATE", der)) => Ok(der),
        _ => {
            let fault = format!("{} is no certificate in PEM", path.display());
            Err(Failure::new(Kind::Usage, fault))
        }
    }
}
