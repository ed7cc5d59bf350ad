//! Reads a holder field by field, and judges what fields say of each other.

use jiff::civil::Date;

use super::reader::Reader;
use super::tree::Tree;
use super::{FaultCode, LONGEST_LIFE};
use crate::{
    BirthPlace, GivenNames, Holder, Kind, Nationality, PersonalCode, Sex, Surname, anniversary,
};

/// A holder as far as it could be read: a field that is `None` has had its fault.
#[derive(Default)]
pub(super) struct Subject {
    surname: Option<Surname>,
    given_names: Option<GivenNames>,
    personal_code: Option<PersonalCode>,
    birth_date: Option<Date>,
    sex: Option<Sex>,
    nationality: Option<Nationality>,
    birth_place: Option<Option<BirthPlace>>,
}

impl Subject {
    pub(super) fn read(reader: &mut Reader, tree: Tree) -> Self {
        let known = [
            "surname",
            "given_names",
            "personal_code",
            "birth_date",
            "sex",
            "nationality",
            "birth_place",
        ];
        let Some(mut fields) = reader.object(tree, "holder", &known) else {
            return Self::default();
        };
        Self {
            surname: reader.parsed(&mut fields, "surname", Surname::parse),
            given_names: reader.parsed(&mut fields, "given_names", GivenNames::parse),
            personal_code: reader.parsed(&mut fields, "personal_code", PersonalCode::parse),
            birth_date: reader.date(&mut fields, "birth_date"),
            sex: reader.named(&mut fields, "sex"),
            nationality: reader.parsed(&mut fields, "nationality", Nationality::parse),
            birth_place: reader.optional(&mut fields, "birth_place", BirthPlace::parse),
        }
    }

    /// Reports what does not go together, as of `today`.
    pub(super) fn judge(&self, reader: &mut Reader, kind: Option<Kind>, today: Date) {
        if let Some(code) = &self.personal_code {
            if code.check_digit_valid() == Some(false) {
                let message = "is mistyped: its last digit does not fit the others";
                reader.add("holder.personal_code", FaultCode::CheckDigit, message);
            }
            if self
                .birth_date
                .is_some_and(|birth_date| !code.agrees_with(birth_date))
            {
                let message = "must be the date that the personal code begins with";
                reader.add("holder.birth_date", FaultCode::BirthDateMismatch, message);
            }
        }
        if let Some(birth_date) = self.birth_date {
            if birth_date > today {
                let message = format!("must not be after today, {today}");
                reader.add("holder.birth_date", FaultCode::InFuture, message);
            }
            let oldest = anniversary(today, -LONGEST_LIFE);
            if oldest.is_some_and(|oldest| birth_date < oldest) {
                let message = format!("must be within the last {LONGEST_LIFE} years");
                reader.add("holder.birth_date", FaultCode::TooLongAgo, message);
            }
        }
        if let (Some(kind), Some(nationality)) = (kind, self.nationality)
            && !kind.admits(nationality)
        {
            let message = format!("must be {} for kind {kind}", kind.holders());
            reader.add(
                "holder.nationality",
                FaultCode::NationalityNotForKind,
                message,
            );
        }
    }

    pub(super) fn finish(self) -> Option<Holder> {
        Some(Holder {
            surname: self.surname?,
            given_names: self.given_names?,
            personal_code: self.personal_code?,
            birth_date: self.birth_date?,
            sex: self.sex?,
            nationality: self.nationality?,
            birth_place: self.birth_place?,
        })
    }
}

impl From<Holder> for Subject {
    fn from(holder: Holder) -> Self {
        Self {
            surname: Some(holder.surname),
            given_names: Some(holder.given_names),
            personal_code: Some(holder.personal_code),
            birth_date: Some(holder.birth_date),
            sex: Some(holder.sex),
            nationality: Some(holder.nationality),
            birth_place: Some(holder.birth_place),
        }
    }
}
