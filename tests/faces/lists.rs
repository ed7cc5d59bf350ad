//! Lists on paper, read by poppler and zbar.

use std::path::{Path, PathBuf};
use std::process::Command;

use document::{DocumentNumber, Kind};
use print::{DispatchList, FaceError, LetterError, SheetKind, SheetLayout};

use crate::codes::read;
use crate::{missing, project};

/// The shipped layout of a list.
pub(crate) fn layout() -> SheetLayout {
    let text = project("firmware-profiles/sheets/dispatch-list.svg");
    let text = std::fs::read_to_string(text).unwrap();
    SheetLayout::parse(SheetKind::DispatchList, &text).unwrap()
}

/// A list of so many documents of every kind in turn.
pub(crate) fn list(documents: usize) -> DispatchList {
    let number = |at: usize| DocumentNumber::parse(&format!("XA{at:07}")).unwrap();
    let kinds = Kind::ALL.iter().copied().cycle();
    DispatchList {
        parcel: "PA0000042".into(),
        from: "CENTRAL, the central store".into(),
        to: "RIGA-1, Rīgas 1. nodaļa".into(),
        sealed: "20.11.2026".into(),
        way: Some("RR123456785LV".into()),
        documents: (1..=documents).map(number).zip(kinds).collect(),
    }
}

/// Makes a PDF a picture a page, of so many dots an inch; none where poppler is not here.
pub(crate) fn pictures(pdf: &[u8], dpi: u16, folder: &Path) -> Option<Vec<PathBuf>> {
    let file = folder.join("list.pdf");
    std::fs::write(&file, pdf).unwrap();
    let made = Command::new("pdftoppm")
        .args(["-png", "-r", &dpi.to_string()])
        .arg(&file)
        .arg(folder.join("list"))
        .status();
    let Ok(made) = made else {
        missing::program("pdftoppm");
        return None;
    };
    assert!(made.success());
    let entries = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "png"))
        .collect();
    files.sort();
    Some(files)
}

/// Returns the text of a PDF, page by page.
fn text(pdf: &[u8], folder: &Path) -> Option<Vec<String>> {
    let file = folder.join("list.pdf");
    std::fs::write(&file, pdf).unwrap();
    let output = Command::new("pdftotext")
        .arg("-layout")
        .arg(&file)
        .arg("-")
        .output();
    let Ok(output) = output else {
        missing::program("pdftotext");
        return None;
    };
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let pages = text.trim_end_matches('\x0C').split('\x0C');
    Some(pages.map(str::to_owned).collect())
}

#[test]
fn a_dispatch_list_says_what_is_in_the_parcel_and_nobody_s_name() {
    let folder = tempfile::tempdir().unwrap();
    let list = list(11);
    let pdf = list.render(&layout()).unwrap();
    assert_eq!(
        pdf,
        list.render(&layout()).unwrap(),
        "the same bytes each time"
    );
    let Some(pages) = text(&pdf, folder.path()) else {
        return;
    };
    let [page] = &*pages else {
        panic!("{} pages", pages.len())
    };
    for said in [
        "Dispatch list",
        "PA0000042",
        "CENTRAL, the central store",
        "RIGA-1, Rīgas 1. nodaļa",
        "RR123456785LV",
        "20.11.2026",
        "Nodeva / Handed over by",
        "Saņēma un saskaitīja / Received and counted by",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    for (number, kind) in &list.documents {
        let row = page.lines().find(|line| line.contains(&number.to_string()));
        let row = row.unwrap_or_else(|| panic!("{number}: {page}"));
        assert!(
            row.contains(kind.title_lv()) && row.contains(kind.title()),
            "{row}"
        );
    }
    let Some(pictures) = pictures(&pdf, 200, folder.path()) else {
        return;
    };
    let Some(codes) = read(&pictures[0]) else {
        return;
    };
    // As the parcel's label has it.
    assert_eq!(codes, ["CODE-128:PA0000042"]);
}

#[test]
fn a_long_list_has_pages_and_signatures_once() {
    let folder = tempfile::tempdir().unwrap();
    for (documents, expected) in [(1, 1), (24, 1), (25, 2), (120, 4), (1_000, 24)] {
        let Some(pages) = text(&list(documents).render(&layout()).unwrap(), folder.path()) else {
            return;
        };
        assert_eq!(pages.len(), expected, "{documents}");
        let all = pages.concat();
        for number in [1, documents.div_ceil(2), documents] {
            let number = format!("XA{number:07}");
            assert_eq!(all.matches(&number).count(), 1, "{number} of {documents}");
        }
        assert_eq!(all.matches("Handed over by").count(), 1, "{documents}");
        let last = pages.last().unwrap();
        assert!(
            last.contains("Handed over by") && last.contains(&format!("{expected}/{expected}"))
        );
    }
}

#[test]
fn what_cannot_be_on_a_list_is_refused() {
    assert!(matches!(
        list(0).render(&layout()),
        Err(LetterError::Count { found: 0, .. })
    ));
    assert!(matches!(
        list(1_001).render(&layout()),
        Err(LetterError::Count { most: 1_000, .. })
    ));
    let mut odd = list(1);
    odd.to = "x".repeat(121);
    assert!(matches!(
        odd.render(&layout()),
        Err(LetterError::Length { .. })
    ));
    odd.to = "\u{4E2D}".into();
    assert!(matches!(
        odd.render(&layout()),
        Err(LetterError::Layout(FaceError::Letter { .. }))
    ));
    odd = list(1);
    odd.parcel = "RĪGA".into();
    assert!(odd.render(&layout()).is_err());
}
