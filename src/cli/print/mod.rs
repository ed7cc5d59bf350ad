//! `zimogs print`: what is printed on documents, and the printers that do it.

mod clean;
pub(crate) mod device;
mod page;
mod preview;
mod sheet;
mod status;
mod test;

use std::process::ExitCode;

use clap::Subcommand;

use crate::cli::failure::Failure;

/// Renders the faces of documents, and looks after printers.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Renders the faces of an application's document as pictures: one PNG a face, KIND-FACE.png,
    /// at the resolution of its layout. Examples:
    /// zimogs print preview application.json --out faces
    /// zimogs print preview application.json --out faces --kind passport --dpi 600 --panels
    #[command(verbatim_doc_comment)]
    Preview(preview::Preview),
    /// Renders a letter or a list with invented data, as its layout has it: a PDF. Example:
    /// zimogs print sheet pin-envelope --out envelope.pdf --profiles my-profiles
    Sheet(sheet::Sheet),
    /// Asks a printer how it is: ready or not (exit code 3), what it says of itself; of a card
    /// printer also serial number, ribbon and counters. Nothing moves. Examples:
    /// zimogs print status --printer esc-ymcko --at serial:/dev/serial/by-id/usb-printer --json
    /// zimogs print status --printer ipp-a4 --at ipps://printer.office/ipp/print --trust printer.pem
    #[command(verbatim_doc_comment)]
    Status(status::Status),
    /// Prints a test sheet: a card (whatever is inside is rejected first), a page or a label.
    /// Examples:
    /// zimogs print test --printer esc-ymcko --at tcp://192.168.0.20:9100 --reject
    /// zimogs print test --printer zpl-300 --at tcp://192.168.0.21
    #[command(verbatim_doc_comment)]
    Test(test::Test),
    /// Has a card printer clean itself, and says what it has counted; whatever is inside is rejected
    /// first, and the cleaning card is put in where it asks for one. Example:
    /// zimogs print clean --printer esc-ymcko --at tcp://192.168.0.20:9100
    #[command(verbatim_doc_comment)]
    Clean(clean::Clean),
    /// Prints a PDF on a printer of pages, once, and says where it is. No PIN letters: these go to a
    /// printer that seals. Examples:
    /// zimogs print page list.pdf --printer ipp-a4 --at ipps://printer.office/ipp/print --trust printer.pem
    /// zimogs print page list.pdf --printer folder --at folder:/var/spool/lists
    #[command(verbatim_doc_comment)]
    Page(page::Page),
}

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Preview(options) => preview::run(options),
        Command::Sheet(options) => sheet::run(options),
        Command::Status(options) => status::run(options),
        Command::Test(options) => test::run(options),
        Command::Clean(options) => clean::run(options),
        Command::Page(options) => page::run(options),
    }
}
