//! Faces and letters, and the printers that make them; how a blank comes to one.
//!
//! ```text
//!   SheetLayout, EnvelopeLetter ── render ──► Letter (a PDF in memory, wiped when dropped)
//!                                  │
//!                                  ▼ moved: it is printed once, or not at all
//!   EnvelopePrinter ◄── print ── PjlPrinter ── TCP 9100 ──► a printer that seals
//!                                  └──► PrintedReceipt, or PrintError: spent or not
//!
//!   Layout ── render ──► Face ── Printer: feed, position, print, eject
//!                                  └── EscPrinter ── Link ── TCP or serial ──► a card printer
//!
//!   Feeder ─► a blank ─► Scanner ─► AdmittedBlank ─► ConfirmedBlank: known before it is written
//!
//!   a list, a proof, a label ── PagePrinter ── IppPrinter, ZplPrinter, FolderPrinter
//! ```
//!
//! A letter never touches a disk: it is made in memory and streamed. Which of them was paper and
//! which was not is the caller's to account for; the error says what is known.
//! [`PjlPrinter::look`] says how a printer is, without printing.

mod address;
mod card_printer;
mod dispatch_list;
mod envelope_letter;
mod esc;
mod face;
mod folder_printer;
mod intake;
mod ipp;
mod letter;
mod link;
#[cfg(test)]
#[path = "../../tests/missing/missing.rs"]
mod missing;
mod page_printer;
mod pjl;
mod pjl_printer;
mod printer;
mod printer_profile;
mod printer_schema;
mod sheet;
mod test_face;
mod zpl;

pub use address::{Address, AddressError};
pub use card_printer::{
    Act, Bin, Capabilities, CardFate, ChipStation, Condition, Consumables, FaceMismatch, Faces,
    Identity, MachineFault, Printer, PrinterError, PrinterPlace, PrinterStatus, Roster,
    RosterError, Side,
};
pub use dispatch_list::DispatchList;
pub use envelope_letter::{EnvelopeLetter, LetterError, LetterPin};
pub use esc::{EscPlace, EscPrinter, EscProfile, EscProfileError, EscReplies, EscReply, Garbled};
pub use face::{
    Face, FaceError, Facts, Layout, LayoutError, NAMESPACE, Panel, PictureError, PictureField,
    Raster, RasterForm, Rendering, TextField,
};
pub use folder_printer::FolderPrinter;
pub use intake::{
    BlankSerial, Feeder, FeederEar, FeederError, FeederNoise, LineFeeder, LineFeederTexts, ScanEar,
    ScanError, ScanFault, Scanner, ScannerSettings,
};
pub use ipp::{IppAddress, IppAddressError, IppMessage, IppMessageError, IppPatience, IppPrinter};
pub use letter::Letter;
pub use link::{Link, LinkAddress, LinkAddressError, SerialSettings};
pub use page_printer::{
    PageContent, PageError, PageJob, PagePrinter, PagePrinterState, PageReceipt, SpoiledCause,
};
pub use pjl::{Device, Ear, Gibberish, Said};
pub use pjl_printer::{Patience, PjlPrinter};
pub use printer::{EnvelopePrinter, PrintError, PrintedReceipt, SpentCause};
pub use printer_profile::{
    FolderProfile, IppProfile, PrinterProfile, PrinterProfileError, ZplProfile,
};
pub use printer_schema::printer_schema;
pub use sheet::{SheetKind, SheetLayout};
pub use test_face::{TestFaceError, test_face};
pub use zpl::{ZplEar, ZplGarbled, ZplPatience, ZplPrinter, ZplStatus};
