//! The list that goes with a parcel of finished documents: what is in it, and who signs for it.
//!
//! It names documents by number and kind, and nobody. The same list gives the same bytes.

use document::{DocumentNumber, Kind};

use crate::envelope_letter::{LetterError, of_kind, specimen};
use crate::face::{Facts, TextField};
use crate::sheet::{SheetKind, SheetLayout};

/// The most documents of a parcel.
const DOCUMENTS: usize = 1_000;
/// The most characters of a line, before it is measured.
const CHARACTERS: usize = 120;

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
}

impl DispatchList {
    /// Makes the PDF by the layout of a dispatch list: as many pages as it takes.
    ///
    /// # Errors
    /// [`LetterError`]: then nothing was made.
    pub fn render(&self, layout: &SheetLayout) -> Result<Vec<u8>, LetterError> {
        self.check()?;
        of_kind(layout, SheetKind::DispatchList)?;
        let mut facts = Facts::default();
        facts.set(TextField::Parcel, &*self.parcel);
        facts.set(TextField::ParcelFrom, &*self.from);
        facts.set(TextField::ParcelTo, &*self.to);
        facts.set(TextField::ParcelDocuments, self.documents.len().to_string());
        facts.set(TextField::ParcelSealed, &*self.sealed);
        if let Some(way) = &self.way {
            facts.set(TextField::ParcelWay, &**way);
        }
        let numbers: Vec<_> = self.documents.iter().map(|(number, _)| *number).collect();
        specimen(&mut facts, &numbers);
        let row = |((document, kind), number): (&(DocumentNumber, Kind), usize)| {
            let mut row = Facts::default();
            row.set(TextField::Row, number.to_string());
            row.set(TextField::Number, document.to_string());
            row.set(TextField::TitleLatvian, kind.title_lv());
            row.set(TextField::TitleEnglish, kind.title());
            row
        };
        let rows: Vec<_> = self.documents.iter().zip(1..).map(row).collect();
        Ok(layout.pages(&facts, &rows)?.to_vec())
    }

    fn check(&self) -> Result<(), LetterError> {
        let (found, most) = (self.documents.len(), DOCUMENTS);
        if !(1..=most).contains(&found) {
            let what = "documents";
            return Err(LetterError::Count { what, found, most });
        }
        for (what, text) in [
            ("the parcel's number", &self.parcel),
            ("who sends it", &self.from),
            ("where it goes", &self.to),
            ("the day", &self.sealed),
        ] {
            if text.trim().is_empty() || text.chars().count() > CHARACTERS {
                return Err(LetterError::Length { what });
            }
        }
        Ok(())
    }
}
