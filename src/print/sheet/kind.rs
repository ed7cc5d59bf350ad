//! Which sheets there are, and what a layout of each may ask for and must have.

use crate::face::field::TextField;

/// A kind of sheet. Its layout has its name: `pin-envelope.svg`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SheetKind {
    /// The letter with a holder's PINs, one page.
    PinEnvelope,
    /// The list that goes with a parcel of documents, as many pages as it takes.
    DispatchList,
}

impl SheetKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::PinEnvelope, Self::DispatchList];

    /// Returns its name, as files have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PinEnvelope => "pin-envelope",
            Self::DispatchList => "dispatch-list",
        }
    }

    /// Returns the kind of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Returns what its rows are called: `z:rows`.
    pub(super) const fn rows(self) -> &'static str {
        match self {
            Self::PinEnvelope => "pins",
            Self::DispatchList => "documents",
        }
    }

    /// Returns how many rows must have room on the first page; none where there may be more pages.
    pub(super) const fn one_page(self) -> Option<usize> {
        match self {
            Self::PinEnvelope => Some(Self::PINS),
            Self::DispatchList => None,
        }
    }

    /// Returns the texts that stand outside of rows.
    pub(super) const fn fields(self) -> &'static [TextField] {
        match self {
            Self::PinEnvelope => &[
                TextField::EnvelopeNumber,
                TextField::EnvelopeAddress,
                TextField::EnvelopeTransport,
                TextField::Number,
                TextField::Specimen,
            ],
            Self::DispatchList => &[
                TextField::Parcel,
                TextField::ParcelFrom,
                TextField::ParcelTo,
                TextField::ParcelDocuments,
                TextField::ParcelSealed,
                TextField::ParcelWay,
                TextField::Page,
                TextField::Specimen,
            ],
        }
    }

    /// Returns the texts that stand in rows.
    pub(super) const fn row_fields(self) -> &'static [TextField] {
        match self {
            Self::PinEnvelope => &[
                TextField::Row,
                TextField::PinTitle,
                TextField::PinDigits,
                TextField::PinTransport,
            ],
            Self::DispatchList => &[
                TextField::Row,
                TextField::Number,
                TextField::TitleLatvian,
                TextField::TitleEnglish,
            ],
        }
    }

    /// Returns the texts without which it is none: one that is printed without them is spent for
    /// nothing.
    pub(super) const fn needed(self) -> &'static [TextField] {
        match self {
            Self::PinEnvelope => &[
                TextField::EnvelopeNumber,
                TextField::EnvelopeAddress,
                TextField::PinTitle,
                TextField::PinDigits,
            ],
            Self::DispatchList => &[
                TextField::Parcel,
                TextField::ParcelTo,
                TextField::ParcelDocuments,
                TextField::Number,
                TextField::Page,
            ],
        }
    }

    /// Tells whether its rows are secret: they stand where the printer covers them.
    pub(super) const fn is_covered(self) -> bool {
        matches!(self, Self::PinEnvelope)
    }

    /// The most PINs of a document.
    pub(crate) const PINS: usize = 8;
    /// The most digits of a PIN.
    pub(crate) const DIGITS: usize = 12;
}

impl std::fmt::Display for SheetKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}
