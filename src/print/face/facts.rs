//! What is printed on one document: texts, pictures and the zone, as data.

use std::collections::BTreeMap;
use std::fmt;

use document::{Image, Mrz, Record, Sex};
use jiff::civil::Date;
use zeroize::Zeroizing;

use super::field::TextField;

/// What is printed on one document, or on one label.
///
/// Personal data: `Debug` shows nothing of it, and memory is wiped on drop.
#[derive(Clone, Default)]
pub struct Facts {
    texts: BTreeMap<TextField, Zeroizing<String>>,
    pub(super) portrait: Option<Image>,
    pub(super) signature: Option<Image>,
    pub(super) zone: Option<Mrz>,
}

impl Facts {
    /// Takes what a record says, the zone of a kind that has one, and the pictures.
    ///
    /// The zone comes as data: it must be the one that DG1 holds. `authority` is whoever the
    /// document says it was issued by.
    #[must_use]
    pub fn of(
        record: &Record,
        zone: Option<Mrz>,
        authority: &str,
        portrait: Image,
        signature: Option<Image>,
    ) -> Self {
        let holder = &record.holder;
        let mut facts = Self {
            portrait: Some(portrait),
            signature,
            ..Self::default()
        };
        facts.set(TextField::TitleLatvian, record.kind.title_lv());
        facts.set(TextField::TitleEnglish, record.kind.title());
        facts.set(TextField::Number, record.number.to_string());
        facts.set(TextField::Issued, day(record.issued));
        facts.set(TextField::Expires, day(record.expires));
        facts.set(TextField::Authority, authority);
        facts.set(TextField::Surname, holder.surname.upper());
        facts.set(TextField::GivenNames, holder.given_names.upper());
        facts.set(TextField::PersonalCode, holder.personal_code.to_string());
        facts.set(TextField::BirthDate, day(holder.birth_date));
        facts.set(
            TextField::Sex,
            match holder.sex {
                Sex::Female => "S / F",
                Sex::Male => "V / M",
                Sex::Unspecified => "X",
            },
        );
        facts.set(TextField::Nationality, holder.nationality.as_str());
        if let Some(place) = &holder.birth_place {
            facts.set(TextField::BirthPlace, place.upper());
        }
        if let Some(zone) = zone {
            facts.set(TextField::Code, zone.document_code());
            facts.zone = Some(zone);
        }
        facts
    }

    /// Sets the portrait.
    pub fn set_portrait(&mut self, portrait: Image) {
        self.portrait = Some(portrait);
    }

    /// Sets a text; one of nothing but blanks is none.
    pub fn set(&mut self, field: TextField, text: impl Into<String>) {
        let text = Zeroizing::new(text.into());
        if text.trim().is_empty() {
            self.texts.remove(&field);
        } else {
            self.texts.insert(field, text);
        }
    }

    /// Returns a text.
    #[must_use]
    pub fn text(&self, field: TextField) -> Option<&str> {
        self.texts.get(&field).map(|text| text.as_str())
    }
}

/// Writes a date as people read it here (*ICAO Doc 9303-3 §3.8* allows the full stop).
fn day(date: Date) -> String {
    date.strftime("%d.%m.%Y").to_string()
}

impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Facts({} texts, …)", self.texts.len())
    }
}
