//! How a printer is, and what is in it.

/// Which printer it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its model.
    pub model: String,
    /// Its serial number.
    pub serial: String,
    /// Its firmware's version.
    pub firmware: String,
}

/// How a printer is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrinterStatus {
    /// What it says of itself; empty where all is well.
    pub conditions: Vec<Condition>,
}

impl PrinterStatus {
    /// Tells whether a card may be fed.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.conditions.iter().any(Condition::stops)
    }
}

/// Something that a printer says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Condition {
    /// The last card order found no card.
    HopperEmpty,
    /// The last card order failed.
    CardFault,
    /// The ribbon is at its end.
    RibbonOut,
    /// Cleaning is due.
    CleaningDue,
    /// Anything else that it calls an error, in its own words.
    Other(String),
}

impl Condition {
    /// Returns its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::HopperEmpty => "hopper-empty",
            Self::CardFault => "card-fault",
            Self::RibbonOut => "ribbon-out",
            Self::CleaningDue => "cleaning-due",
            Self::Other(said) => said,
        }
    }

    /// Tells whether it stands in the way of the next card.
    const fn stops(&self) -> bool {
        match self {
            // The hopper may have been filled since, and a failed card was rejected: the next
            // order finds out.
            Self::HopperEmpty | Self::CardFault => false,
            Self::RibbonOut | Self::CleaningDue | Self::Other(_) => true,
        }
    }
}

/// What is in a printer, and what it has counted. Nothing where it does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Consumables {
    /// The kind of its ribbon, as it calls it.
    pub ribbon: Option<String>,
    /// Cards for which the ribbon lasts.
    pub ribbon_left: Option<u64>,
    /// Cards that it has moved in its life.
    pub cards: Option<u64>,
    /// Panels that it has printed in its life.
    pub panels: Option<u64>,
    /// Cleanings in its life.
    pub cleanings: Option<u64>,
}
