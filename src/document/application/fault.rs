//! What can be wrong with an application.

use std::fmt;

use serde::Serialize;

use crate::named::named;
use crate::{ImageError, NameError, NationalityError, PersonalCodeError};

named! {
    /// The kind of a fault: what programs go by, and statistics count.
    "fault code" enum FaultCode {
        /// More bytes than an application may have.
        ApplicationTooLarge = "application-too-large",
        /// Not JSON, or not one JSON object.
        NotJson = "not-json",
        /// A format that this version does not read.
        UnsupportedFormat = "unsupported-format",
        /// A field that must be there is not.
        Missing = "missing",
        /// A field that the format does not have.
        UnknownField = "unknown-field",
        /// A field that is there twice.
        DuplicateField = "duplicate-field",
        /// A value of another JSON type.
        WrongType = "wrong-type",
        /// A value that is not in the closed set of the field.
        UnknownValue = "unknown-value",
        /// A text that does not have the form of the field.
        BadForm = "bad-form",
        /// A name without a letter.
        Empty = "empty",
        /// A text with too many characters.
        TooLong = "too-long",
        /// A character that the field does not admit.
        BadCharacter = "bad-character",
        /// Letters and diacritics apart: not in NFC.
        NotComposed = "not-composed",
        /// A space, hyphen or apostrophe out of place.
        BadSeparator = "bad-separator",
        /// A day that no calendar has.
        NoSuchDate = "no-such-date",
        /// A date after today.
        InFuture = "in-future",
        /// A birth date longer ago than anybody lives.
        TooLongAgo = "too-long-ago",
        /// A personal code whose seventh digit names no century.
        NoSuchCentury = "no-such-century",
        /// A personal code whose last digit does not fit the others.
        CheckDigit = "check-digit",
        /// A birth date that is not the personal code's.
        BirthDateMismatch = "birth-date-mismatch",
        /// A nationality that this kind of document is not for.
        NationalityNotForKind = "nationality-not-for-kind",
        /// Data that are not base64.
        NotBase64 = "not-base64",
        /// An image of more bytes than allowed.
        ImageTooLarge = "image-too-large",
        /// Bytes of no image format that is read.
        ImageUnrecognised = "image-unrecognised",
        /// An image that is cut off, broken or unusual.
        ImageDamaged = "image-damaged",
        /// An image with too few or too many pixels.
        ImageDimensions = "image-dimensions",
        /// A portrait that lies on its side.
        ImageLying = "image-lying",
        /// An image of another type than stated.
        MediaTypeMismatch = "media-type-mismatch",
        /// A list with too many entries.
        TooMany = "too-many",
        /// The same entry again in a list.
        Repeated = "repeated",
        /// A kind of document that this source does not ask for.
        KindNotForSource = "kind-not-for-source",
        /// An office that this source does not send to.
        OfficeNotForSource = "office-not-for-source",
        /// Another source than the one that sent it.
        SourceMismatch = "source-mismatch",
        /// A reference that an application has already.
        ReferenceUsed = "reference-used",
        /// Another application for the same person and kind of document is in work.
        DuplicateApplication = "duplicate-application",
        /// No application of this reference came from this source.
        NotThere = "not-there",
        /// An application that was decided already.
        NotOpen = "not-open",
        /// A package with too many bytes.
        PackageTooLarge = "package-too-large",
        /// A package that is not signed as packages are.
        NotSigned = "not-signed",
        /// A key that is not admitted for this source at this time.
        KeyNotAdmitted = "key-not-admitted",
        /// A signature that does not verify.
        WrongSignature = "wrong-signature",
        /// A package for another environment: test and production never meet.
        EnvironmentMismatch = "environment-mismatch",
        /// A number after one that is missing.
        SequenceGap = "sequence-gap",
        /// A number that another package has.
        SequenceUsed = "sequence-used",
        /// An identity that another package has.
        PackageUsed = "package-used",
        /// There are more faults than are listed.
        More = "more",
    }
}

/// One fault of an application.
///
/// It never repeats a value, so that it may be stored and sent where personal
/// data must not go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Path of the field, for example `holder.personal_code`; empty for the whole.
    pub field: String,
    /// What kind of fault it is.
    pub code: FaultCode,
    /// What is expected, in English.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = if self.field.is_empty() {
            "application"
        } else {
            &self.field
        };
        write!(f, "{field}: {}", self.message)
    }
}

impl std::error::Error for Fault {}

/// An error that a fault is made of.
pub(super) trait Coded: fmt::Display {
    fn code(&self) -> FaultCode;
}

impl Coded for PersonalCodeError {
    fn code(&self) -> FaultCode {
        match self {
            Self::Form => FaultCode::BadForm,
            Self::Century => FaultCode::NoSuchCentury,
            Self::Date => FaultCode::NoSuchDate,
        }
    }
}

impl Coded for NameError {
    fn code(&self) -> FaultCode {
        match self {
            Self::Empty => FaultCode::Empty,
            Self::TooLong { .. } => FaultCode::TooLong,
            Self::NotComposed { .. } => FaultCode::NotComposed,
            Self::Character { .. } => FaultCode::BadCharacter,
            Self::Separator { .. } => FaultCode::BadSeparator,
        }
    }
}

impl Coded for NationalityError {
    fn code(&self) -> FaultCode {
        match self {
            Self::Form => FaultCode::BadForm,
            Self::Unknown => FaultCode::UnknownValue,
        }
    }
}

impl Coded for ImageError {
    fn code(&self) -> FaultCode {
        match self {
            Self::TooLarge { .. } => FaultCode::ImageTooLarge,
            Self::Unrecognised | Self::Format { .. } => FaultCode::ImageUnrecognised,
            Self::Damaged(_) => FaultCode::ImageDamaged,
            Self::Dimensions { .. } => FaultCode::ImageDimensions,
            Self::Lying => FaultCode::ImageLying,
        }
    }
}

impl Coded for crate::UnknownName {
    fn code(&self) -> FaultCode {
        FaultCode::UnknownValue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_leads_with_the_field() {
        let fault = Fault {
            field: "holder.surname".to_owned(),
            code: FaultCode::Missing,
            message: "is missing".to_owned(),
        };
        assert_eq!(fault.to_string(), "holder.surname: is missing");
        let whole = Fault {
            field: String::new(),
            ..fault
        };
        assert_eq!(whole.to_string(), "application: is missing");
        assert_eq!(
            serde_json::to_string(&whole).unwrap(),
            r#"{"field":"","code":"missing","message":"is missing"}"#
        );
    }
}
