//! Letters to a strict virtual printer, over TCP.

use std::error::Error;
use std::net::TcpListener;

use document::DocumentNumber;
use vprinter::{Trouble, VirtualPrinter};

use super::*;
use crate::sheet::shipped;
use crate::{EnvelopeLetter, LetterPin, SheetKind};

const SERIAL: &str = "E-2026-000017";

fn letter() -> Letter {
    EnvelopeLetter {
        serial: SERIAL.into(),
        document: DocumentNumber::parse("XA0000001").unwrap(),
        lines: vec!["Anna Izdomāta".to_owned()].into(),
        pins: vec![LetterPin {
            title: "PIN1".into(),
            digits: b"739184062715".to_vec().into(),
            must_change: false,
        }],
    }
    .render(&shipped(SheetKind::PinEnvelope))
    .unwrap()
}

fn printer(address: &str) -> PjlPrinter {
    let patience = Patience {
        answer: Duration::from_secs(30),
        paper: Duration::from_secs(60),
    };
    PjlPrinter::new(address.parse().unwrap(), patience)
}

/// Prints a letter on a printer with this trouble, and returns what came of it, the paper and the
/// printer's faults.
fn print(trouble: &[Trouble]) -> (Result<PrintedReceipt, PrintError>, usize, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let virtual_printer = VirtualPrinter::start(folder.path(), trouble).unwrap();
    let mut printer = printer(&virtual_printer.address());
    match trouble {
        [Trouble::Mute] => printer.patience.paper = Duration::from_secs(2),
        [Trouble::Deaf] => printer.patience.answer = Duration::from_millis(300),
        _ => {}
    }
    let printed = printer.print(letter());
    if printed.as_ref().is_err_and(PrintError::is_spent) {
        // What it knows nothing of may still be on its way.
        virtual_printer.wait_for_jobs(1);
    }
    let paper = virtual_printer.paper().unwrap().len();
    (printed, paper, virtual_printer.stop())
}

#[test]
fn a_letter_is_one_paper_with_the_pin_on_it() {
    let folder = tempfile::tempdir().unwrap();
    let virtual_printer = VirtualPrinter::start(folder.path(), &[]).unwrap();
    let receipt = printer(&virtual_printer.address()).print(letter()).unwrap();
    assert_eq!(receipt.serial, SERIAL);
    assert_eq!(receipt.printer, virtual_printer.address());
    let [paper] = &virtual_printer.paper().unwrap()[..] else {
        panic!("not one paper");
    };
    assert_eq!(paper.file_stem().unwrap(), SERIAL);
    assert_eq!(std::fs::read(paper).unwrap(), letter().pdf());
    // Where pdftotext is installed.
    if let Ok(text) = std::fs::read_to_string(paper.with_extension("txt")) {
        assert!(text.contains("739184062715"), "{text}");
    }
    assert_eq!(
        virtual_printer.stop(),
        [""; 0],
        "a strict printer found nothing"
    );
}

#[test]
fn a_printer_that_is_not_ready_gets_nothing() {
    for (trouble, expected) in [
        (Trouble::Offline, 10_002),
        (Trouble::NoToner, 40_010),
        (Trouble::LowToner, 10_006),
    ] {
        let (printed, paper, faults) = print(&[trouble]);
        let error = printed.unwrap_err();
        assert!(!error.is_spent(), "{error}");
        let folder = tempfile::tempdir().unwrap();
        let virtual_printer = VirtualPrinter::start(folder.path(), &[trouble]).unwrap();
        let device = printer(&virtual_printer.address()).look().unwrap();
        assert_eq!(device.code, expected);
        assert!(
            matches!(error, PrintError::NotReady { code, .. } if code == expected),
            "{error}"
        );
        assert_eq!((paper, faults), (0, Vec::new()));
    }
}

#[test]
fn what_is_no_printer_gets_nothing() {
    for trouble in [Trouble::Deaf, Trouble::Stranger] {
        let (printed, paper, _) = print(&[trouble]);
        let error = printed.unwrap_err();
        assert!(matches!(error, PrintError::NoPrinter { .. }), "{error}");
        assert!(!error.is_spent());
        assert_eq!(paper, 0);
    }
    // Nobody listens there.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let error = printer(&format!("tcp://{port}"))
        .print(letter())
        .unwrap_err();
    assert!(matches!(error, PrintError::Unreachable { .. }), "{error}");
    assert!(!error.is_spent());
    let world = printer("tcp://192.0.2.1").print(letter()).unwrap_err();
    let reason = world.source().unwrap().to_string();
    assert!(reason.contains("in the clear"), "{reason}");
}

#[test]
fn an_envelope_of_which_nobody_knows_is_spent() {
    for (trouble, papers, reason) in [
        (
            Trouble::Jam,
            0,
            "the printer stopped: \"PAPER JAM\" (42011)",
        ),
        (
            Trouble::Cancelled,
            0,
            "ended the job with \"USER_CANCELED\"",
        ),
        (Trouble::Mute, 1, "did not say that the envelope is printed"),
        (Trouble::Twice, 2, "printed 2 pages"),
        (Trouble::Torn, 0, "the "),
    ] {
        let (printed, paper, _) = print(&[trouble]);
        let error = printed.unwrap_err();
        assert!(error.is_spent(), "{trouble:?}: {error}");
        assert!(error.to_string().contains(SERIAL), "{error}");
        assert!(
            error.to_string().contains("accounted as destroyed"),
            "{error}"
        );
        let cause = error.source().unwrap().to_string();
        assert!(cause.contains(reason), "{trouble:?}: {cause}");
        assert_eq!(paper, papers, "{trouble:?}");
        let shown = format!("{error:?}");
        assert!(!shown.contains("739184062715"), "{shown}");
    }
}

/// After trouble the same printer prints the next letter: nothing of the one before is left.
#[test]
fn the_next_letter_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let troubles = [Trouble::Torn, Trouble::Jam];
    let virtual_printer = VirtualPrinter::start(folder.path(), &troubles).unwrap();
    let mut printer = printer(&virtual_printer.address());
    assert!(printer.print(letter()).unwrap_err().is_spent());
    assert!(printer.print(letter()).unwrap_err().is_spent());
    printer.print(letter()).unwrap();
    assert_eq!(virtual_printer.paper().unwrap().len(), 1);
}

#[test]
fn a_letter_that_would_end_itself_is_not_sent() {
    let pdf = [b"%PDF-1.7 ".as_slice(), pjl::EXIT].concat();
    let letter = Letter::new(SERIAL.into(), pdf.into());
    let error = printer("tcp://127.0.0.1").print(letter).unwrap_err();
    assert!(matches!(error, PrintError::Ambiguous), "{error}");
}
