//! The fields of a zone.

use crate::named::named;

named! {
    /// A field of the machine readable zone.
    "mrz field" enum Field {
        /// Document code: a letter for the sort of document, and one for its type or `<`.
        DocumentCode = "document-code",
        /// State or organization that issues it.
        Issuer = "issuer",
        /// Names of the holder.
        Names = "names",
        /// Document number, or its first nine characters.
        DocumentNumber = "document-number",
        /// Check digit of the document number; `<` where the number goes on elsewhere.
        DocumentNumberCheck = "document-number-check",
        /// Optional data: of line 1 in a TD1; the personal number in a TD3.
        OptionalData = "optional-data",
        /// Check digit of the optional data, in a TD3 only.
        OptionalDataCheck = "optional-data-check",
        /// Date of birth.
        BirthDate = "birth-date",
        /// Check digit of the date of birth.
        BirthDateCheck = "birth-date-check",
        /// Sex.
        Sex = "sex",
        /// Date of expiry.
        ExpiryDate = "expiry-date",
        /// Check digit of the date of expiry.
        ExpiryDateCheck = "expiry-date-check",
        /// Nationality of the holder.
        Nationality = "nationality",
        /// Optional data of line 2 in a TD1.
        SecondOptionalData = "second-optional-data",
        /// Check digit over the others with their own check digits.
        CompositeCheck = "composite-check",
    }
}

impl Field {
    /// Returns what it is called in a message.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::DocumentCode => "document code",
            Self::Issuer => "issuing state",
            Self::Names => "names",
            Self::DocumentNumber => "document number",
            Self::DocumentNumberCheck => "check digit of the document number",
            Self::OptionalData => "optional data",
            Self::OptionalDataCheck => "check digit of the optional data",
            Self::BirthDate => "date of birth",
            Self::BirthDateCheck => "check digit of the date of birth",
            Self::Sex => "sex",
            Self::ExpiryDate => "date of expiry",
            Self::ExpiryDateCheck => "check digit of the date of expiry",
            Self::Nationality => "nationality",
            Self::SecondOptionalData => "optional data of line 2",
            Self::CompositeCheck => "composite check digit",
        }
    }

    /// Returns the check digit of this field; none where no format has one.
    pub(super) const fn check(self) -> Option<Self> {
        match self {
            Self::DocumentNumber => Some(Self::DocumentNumberCheck),
            Self::OptionalData => Some(Self::OptionalDataCheck),
            Self::BirthDate => Some(Self::BirthDateCheck),
            Self::ExpiryDate => Some(Self::ExpiryDateCheck),
            _ => None,
        }
    }

    /// Tells whether the composite check digit covers it: all but code, states, names and sex
    /// (*ICAO Doc 9303-4, -5 and -6 §4.2.4*).
    pub(super) const fn is_covered(self) -> bool {
        !matches!(
            self,
            Self::DocumentCode
                | Self::Issuer
                | Self::Names
                | Self::Nationality
                | Self::Sex
                | Self::CompositeCheck
        )
    }
}
