//! Labels on a strict virtual printer.

use vprinter::label::{LabelTrouble, VirtualLabelPrinter};

use super::*;
use crate::face::{Facts, Layout, Panel, Raster, Rendering, TextField};

/// The shipped label of a parcel.
fn label() -> Raster {
    let text = include_str!("../../firmware-profiles/sheets/parcel-label.svg");
    let layout = Layout::parse("parcel-label", text).unwrap();
    let mut facts = Facts::default();
    for field in layout.fields() {
        facts.set(TextField::named(field).unwrap(), "PA0000001");
    }
    let how = Rendering {
        dots: 300,
        specimen: false,
    };
    let mut face = layout.render(&facts, how).unwrap();
    let at = face
        .panels
        .iter()
        .position(|(panel, _)| *panel == Panel::Black);
    face.panels.swap_remove(at.unwrap()).1
}

fn patience() -> ZplPatience {
    ZplPatience {
        answer: Duration::from_secs(20),
        paper: Duration::from_secs(20),
    }
}

fn print(
    trouble: Option<LabelTrouble>,
    patience: ZplPatience,
) -> (Result<PageReceipt, PageError>, Vec<Vec<u8>>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let virtual_printer = VirtualLabelPrinter::start(folder.path(), trouble).unwrap();
    let address = virtual_printer.address().parse().unwrap();
    let mut printer = ZplPrinter::new(address, 300, patience);
    let label = label();
    let job = PageJob {
        name: "PA0000001",
        content: PageContent::Label(&label, 300),
    };
    let printed = printer.print(&job);
    let labels = virtual_printer.labels();
    let labels = labels.iter().map(|path| std::fs::read(path).unwrap());
    (printed, labels.collect(), virtual_printer.complaints())
}

#[test]
fn a_label_is_printed_dot_for_dot() {
    let (printed, labels, complaints) = print(None, patience());
    printed.unwrap();
    assert_eq!(complaints, [""; 0]);
    let [label_png] = &labels[..] else {
        panic!("{} labels", labels.len())
    };
    let mut reader = ::png::Decoder::new(std::io::Cursor::new(label_png))
        .read_info()
        .unwrap();
    let mut seen = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut seen).unwrap();
    let sent = label();
    assert_eq!((info.width, info.height), (sent.width, sent.height));
    let dark = seen.iter().filter(|pixel| **pixel == 0).count();
    let bits: u32 = sent.bytes.iter().map(|byte| byte.count_ones()).sum();
    assert_eq!(dark, bits as usize);
    assert!(dark > 1000);
}

#[test]
fn each_trouble_says_whether_a_label_may_be_on_paper() {
    let hasty = ZplPatience {
        answer: Duration::from_millis(500),
        paper: Duration::from_millis(500),
    };
    for (trouble, patience, on_paper, labels) in [
        (LabelTrouble::Silent, hasty, false, 0),
        (LabelTrouble::Paused, patience(), false, 0),
        (LabelTrouble::RibbonOut, hasty, true, 0),
        (LabelTrouble::Torn, patience(), true, 0),
        (LabelTrouble::Stuck, hasty, true, 1),
    ] {
        let (printed, came, _) = print(Some(trouble), patience);
        let error = printed.unwrap_err();
        assert_eq!(error.may_be_on_paper(), on_paper, "{trouble:?}: {error}");
        assert_eq!(came.len(), labels, "{trouble:?}");
    }
}

#[test]
fn what_is_no_label_is_not_sent() {
    let label = label();
    let mut printer = ZplPrinter::new("tcp://127.0.0.1:1".parse().unwrap(), 300, patience());
    for content in [
        PageContent::Pdf(b"%PDF-1.7"),
        PageContent::Label(&label, 203),
    ] {
        let job = PageJob {
            name: "PA0000001",
            content,
        };
        let error = printer.print(&job).unwrap_err();
        assert!(matches!(error, PageError::Content { .. }), "{error}");
    }
    let error = printer.look().unwrap_err();
    assert!(matches!(error, PageError::Unreachable { .. }), "{error}");
}
