//! A sheet filled in with invented data, to be looked at by whoever writes a layout.

use document::{DocumentNumber, Kind};
use zeroize::Zeroizing;

use super::kind::SheetKind;
use super::layout::SheetLayout;
use crate::dispatch_list::DispatchList;
use crate::envelope_letter::{EnvelopeLetter, LetterError, LetterPin};

/// How many documents the invented parcel has: two pages, as the list is shipped.
const DOCUMENTS: usize = 40;

impl SheetLayout {
    /// Renders it with invented data of a test: a holder with a long name, PINs that open nothing.
    ///
    /// # Errors
    /// [`LetterError`], where the layout has no room for what is usual.
    pub fn sample(&self) -> Result<Zeroizing<Vec<u8>>, LetterError> {
        let number = |at: usize| {
            let text = format!("XA{at:07}");
            DocumentNumber::parse(&text).ok()
        };
        match self.kind {
            SheetKind::PinEnvelope => {
                let pin = |title: &str, digits: &str, must_change| LetterPin {
                    title: title.to_owned(),
                    digits: digits.as_bytes().to_vec().into(),
                    must_change,
                };
                let lines = [
                    "Pārgarizdomātais-Neesošaisuzvārds",
                    "Anna Marija Šķērsvītra",
                    "RIGA-1",
                ];
                let letter = EnvelopeLetter {
                    serial: "PE0000001".to_owned(),
                    document: number(1).ok_or(LetterError::Serial)?,
                    lines: lines.map(str::to_owned).to_vec().into(),
                    pins: vec![
                        pin("PIN1", "0000", true),
                        pin("PIN2", "000000", false),
                        pin("PUK", "00000000", false),
                    ],
                };
                let letter = letter.render(self)?;
                Ok(Zeroizing::new(letter.pdf().to_vec()))
            }
            SheetKind::DispatchList => {
                let kinds = Kind::ALL.iter().copied().cycle();
                let list = DispatchList {
                    parcel: "PA0000042".to_owned(),
                    from: "CENTRAL, the central store".to_owned(),
                    to: "RIGA-1, Rīgas 1. nodaļa".to_owned(),
                    sealed: "20.11.2026".to_owned(),
                    way: Some("RR123456785LV".to_owned()),
                    documents: (1..=DOCUMENTS).filter_map(number).zip(kinds).collect(),
                };
                list.render(self).map(Zeroizing::new)
            }
        }
    }
}
