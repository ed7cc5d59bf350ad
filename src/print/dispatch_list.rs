//! The list that goes with a parcel of finished documents: what is in it, and who signs for it.
//!
//! It names documents by number and kind, and nobody. The same list gives the same bytes.

use document::{DocumentNumber, Kind};

use crate::envelope_letter::LetterError;
use crate::face::bars;
use crate::layout::{Area, PAGE, points};
use crate::sheet::{Sheet, pdf};
use crate::typeface::Typeface;
use crate::words::Language;

/// The most documents of a parcel.
const DOCUMENTS: usize = 1_000;
/// The most characters of a line, before it is measured.
const CHARACTERS: usize = 120;
/// The edges of what is written, in millimetres.
const LEFT: f32 = 20.0;
const RIGHT: f32 = 190.0;
/// Where the rows begin: on the first page, and on each other.
const FIRST: f32 = 88.0;
const NEXT: f32 = 35.0;
/// Where they end, and where they end above the signatures.
const END: f32 = 275.0;
const SIGNED: f32 = 225.0;
/// From row to row.
const ROW: f32 = 5.5;
/// The width of a module of the bar code.
const MODULE: f32 = 0.33;

/// A list of what is in a parcel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DispatchList {
    /// The parcel's serial number, which its bar code says too: as on its label.
    pub parcel: String,
    /// Who sends it.
    pub from: String,
    /// Where it goes.
    pub to: String,
    /// When it was sealed, as people write it.
    pub sealed: String,
    /// How it goes, where that is known: a consignment's number, say.
    pub way: Option<String>,
    /// What is in it, in order.
    pub documents: Vec<(DocumentNumber, Kind)>,
    /// The languages in their order.
    pub languages: Vec<Language>,
}

/// The words of a list.
struct ListWords {
    title: &'static str,
    parcel: &'static str,
    from: &'static str,
    to: &'static str,
    sealed: &'static str,
    way: &'static str,
    documents: &'static str,
    number: &'static str,
    kind: &'static str,
    handed_over: &'static str,
    received: &'static str,
    name: &'static str,
    signature: &'static str,
    day: &'static str,
}

const LATVIAN: ListWords = ListWords {
    title: "Nosūtāmo dokumentu saraksts",
    parcel: "Sūtījums",
    from: "Sūtītājs",
    to: "Saņēmējs",
    sealed: "Aizvērts",
    way: "Sūtījuma numurs",
    documents: "Dokumenti",
    number: "Numurs",
    kind: "Dokumenta veids",
    handed_over: "Nodeva",
    received: "Saņēma un saskaitīja",
    name: "Vārds, uzvārds",
    signature: "Paraksts",
    day: "Datums",
};

const ENGLISH: ListWords = ListWords {
    title: "Dispatch list",
    parcel: "Parcel",
    from: "From",
    to: "To",
    sealed: "Sealed",
    way: "Consignment",
    documents: "Documents",
    number: "Number",
    kind: "Kind of document",
    handed_over: "Handed over by",
    received: "Received and counted by",
    name: "Name",
    signature: "Signature",
    day: "Date",
};

impl DispatchList {
    /// Makes the PDF: A4, as many pages as it takes, two signatures on the last.
    ///
    /// # Errors
    /// [`LetterError`]: then nothing was made.
    pub fn render(&self) -> Result<Vec<u8>, LetterError> {
        self.check()?;
        let (Some(book), Some(bold)) = (Typeface::book(), Typeface::bold()) else {
            return Err(LetterError::Typeface);
        };
        let pages = self.pages();
        let (count, mut number) = (pages.len(), 0);
        let mut sheets = Vec::with_capacity(count);
        for (page, rows) in pages.iter().enumerate() {
            let mut sheet = Sheet::new();
            let mut top = if page == 0 { FIRST } else { NEXT };
            self.head(&mut sheet, &book, &bold, page == 0)?;
            self.columns(&mut sheet, &book, top - ROW)?;
            for (document, kind) in *rows {
                number += 1;
                let text = number.to_string();
                sheet.text(&book, 9.0, (LEFT, top), &text, "a row")?;
                let document = document.to_string();
                sheet.text(&bold, 10.0, (LEFT + 14.0, top), &document, "a row")?;
                let kinds = self.both(|language| match language {
                    Language::Latvian => kind.title_lv(),
                    Language::English => kind.title(),
                });
                fitting(&mut sheet, &book, 9.0, (LEFT + 46.0, top), &kinds)?;
                top += ROW;
            }
            if page + 1 == count {
                self.signatures(&mut sheet, &book, &bold)?;
            }
            let foot = format!("{} · {}/{count}", self.parcel, page + 1);
            sheet.text(&book, 8.0, (LEFT, PAGE.height - 12.0), &foot, "the foot")?;
            sheets.push(sheet.finish());
        }
        Ok(pdf(&sheets, &book, &bold).to_vec())
    }

    fn check(&self) -> Result<(), LetterError> {
        for (what, found, most) in [
            ("documents", self.documents.len(), DOCUMENTS),
            ("languages", self.languages.len(), 2),
        ] {
            if !(1..=most).contains(&found) {
                return Err(LetterError::Count { what, found, most });
            }
        }
        for (what, text) in [
            ("who sends it", &self.from),
            ("where it goes", &self.to),
            ("the day", &self.sealed),
        ] {
            if text.trim().is_empty() || text.chars().count() > CHARACTERS {
                return Err(LetterError::Room { what });
            }
        }
        Ok(())
    }

    /// Divides the documents among pages.
    fn pages(&self) -> Vec<&[(DocumentNumber, Kind)]> {
        let rows = |from: f32, to: f32| ((to - from) / ROW) as usize;
        let mut pages = Vec::new();
        let mut left = &*self.documents;
        loop {
            let from = if pages.is_empty() { FIRST } else { NEXT };
            if left.len() <= rows(from, SIGNED) {
                pages.push(left);
                return pages;
            }
            // What would fill the page is no last one: the signatures have theirs.
            let (here, behind) = left.split_at(rows(from, END).min(left.len()));
            pages.push(here);
            left = behind;
        }
    }

    fn both(&self, of: impl Fn(Language) -> &'static str) -> String {
        let texts: Vec<_> = self
            .languages
            .iter()
            .map(|language| of(*language))
            .collect();
        texts.join(" / ")
    }

    fn words(&self, of: impl Fn(&'static ListWords) -> &'static str) -> String {
        self.both(|language| match language {
            Language::Latvian => of(&LATVIAN),
            Language::English => of(&ENGLISH),
        })
    }

    fn head(
        &self,
        sheet: &mut Sheet,
        book: &Typeface,
        bold: &Typeface,
        is_first: bool,
    ) -> Result<(), LetterError> {
        let title = self.words(|words| words.title);
        if !is_first {
            let title = format!("{title} · {}", self.parcel);
            return sheet.text(book, 9.0, (LEFT, 20.0), &title, "the title");
        }
        sheet.text(bold, 15.0, (LEFT, 22.0), &title, "the title")?;
        self.bars(sheet)?;
        let way = self.way.clone().unwrap_or_default();
        let count = self.documents.len().to_string();
        let left = [
            (self.words(|words| words.parcel), &self.parcel),
            (self.words(|words| words.from), &self.from),
            (self.words(|words| words.to), &self.to),
        ];
        let right = [
            (self.words(|words| words.sealed), &self.sealed),
            (self.words(|words| words.way), &way),
            (self.words(|words| words.documents), &count),
        ];
        for (column, lines) in [(LEFT, left), (LEFT + 100.0, right)] {
            let mut top = 38.0;
            for (label, value) in lines {
                sheet.text(book, 8.0, (column, top), &label, "a label")?;
                fitting(sheet, bold, 12.0, (column, top + 5.2), value)?;
                top += 14.0;
            }
        }
        Ok(())
    }

    /// Draws the parcel's bar code, as its label has it.
    fn bars(&self, sheet: &mut Sheet) -> Result<(), LetterError> {
        let dark = bars(&self.parcel).map_err(|_| LetterError::Serial)?;
        let mut left = RIGHT - dark.len() as f32 * MODULE;
        for is_dark in dark {
            if is_dark {
                // Neighbours overlap a little: no viewer draws a gap between them.
                sheet.fill(Area {
                    left,
                    top: 26.0,
                    width: MODULE + 0.01,
                    height: 9.0,
                });
            }
            left += MODULE;
        }
        Ok(())
    }

    fn columns(&self, sheet: &mut Sheet, book: &Typeface, top: f32) -> Result<(), LetterError> {
        let (number, kind) = (
            self.words(|words| words.number),
            self.words(|words| words.kind),
        );
        sheet.text(book, 8.0, (LEFT + 14.0, top), &number, "a label")?;
        sheet.text(book, 8.0, (LEFT + 46.0, top), &kind, "a label")?;
        sheet.line(LEFT, RIGHT, top + 1.4);
        Ok(())
    }

    fn signatures(
        &self,
        sheet: &mut Sheet,
        book: &Typeface,
        bold: &Typeface,
    ) -> Result<(), LetterError> {
        let half = 80.0;
        for (left, title) in [
            (LEFT, self.words(|words| words.handed_over)),
            (RIGHT - half, self.words(|words| words.received)),
        ] {
            sheet.text(bold, 9.0, (left, SIGNED + 12.0), &title, "a label")?;
            let mut top = SIGNED + 22.0;
            for label in [
                self.words(|words| words.name),
                self.words(|words| words.signature),
                self.words(|words| words.day),
            ] {
                sheet.line(left, left + half, top);
                sheet.text(book, 7.0, (left, top + 3.2), &label, "a label")?;
                top += 12.0;
            }
        }
        Ok(())
    }
}

/// Writes a line as large as it fits, down to two thirds.
fn fitting(
    sheet: &mut Sheet,
    face: &Typeface,
    size: f32,
    at: (f32, f32),
    text: &str,
) -> Result<(), LetterError> {
    let room = points(RIGHT - at.0);
    let width = face.width(text, size);
    let size = match width > room {
        true => size * room / width,
        false => size,
    };
    if size < 6.0 {
        return Err(LetterError::Room { what: "a line" });
    }
    sheet.text(face, size, at, text, "a line")
}
