//! Figures as a database adds them up, before they are anything to look at.

use document::Kind;
use jiff::civil::Date;

/// What happened to documents of a kind and an office in a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// The month, as `2026-11`.
    pub month: String,
    /// The kind of document.
    pub kind: Kind,
    /// The office that hands them over; none where it was not kept.
    pub office: Option<String>,
    /// How many joined the queue for the first time.
    pub ordered: u64,
    /// How many blanks became documents.
    pub made: u64,
    /// How many were handed to their holders.
    pub issued: u64,
    /// How many were given up before.
    pub cancelled: u64,
}

/// Documents of one application day that passed on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delay {
    /// What the report's lines are told apart by.
    pub key: String,
    /// Whether they are urgent.
    pub urgent: bool,
    /// The day of their application.
    pub applied: Date,
    /// The day they were due.
    pub due: Date,
    /// The day they passed quality.
    pub ready: Date,
    /// How many.
    pub documents: u64,
}

/// What waits to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The kind of document.
    pub kind: Kind,
    /// Whether they are urgent.
    pub urgent: bool,
    /// How many are not ready yet.
    pub documents: u64,
    /// How many of them were due before today.
    pub overdue: u64,
    /// The day of the oldest application; none where none was kept.
    pub oldest: Option<Date>,
    /// The first day that one is due.
    pub first_due: Option<Date>,
}

/// How good the documents of one line were.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QualityTally {
    /// What the report's lines are told apart by.
    pub key: String,
    /// How many blanks became documents.
    pub made: u64,
    /// How many documents passed.
    pub passed: u64,
    /// How many of them without a blank spoiled or a failure before.
    pub first_pass: u64,
    /// How many were let pass with a concession.
    pub conceded: u64,
    /// How many documents failed.
    pub failed: u64,
    /// How many blanks were spoiled with what they carried.
    pub spoiled: u64,
}

/// What a station did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StationLine {
    /// The station.
    pub station: String,
    /// How many blanks it made documents of.
    pub made: u64,
    /// How many it spoiled.
    pub spoiled: u64,
    /// How many it gave back untouched.
    pub untouched: u64,
    /// How many seconds each document took: seconds and how often, by seconds.
    pub seconds: Vec<(u64, u64)>,
}

/// What a chip product took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChipLine {
    /// The chip profile.
    pub product: String,
    /// How many chips of finished documents.
    pub chips: u64,
    /// How many commands were sent to them.
    pub commands: u64,
    /// The fewest to one.
    pub fewest: u64,
    /// The most to one.
    pub most: u64,
    /// How many bytes went to them and came from them.
    pub bytes: u64,
}

/// Why blanks were spoiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CauseLine {
    /// Why; none where no cause was given, or for all the rarer ones together.
    pub cause: Option<String>,
    /// How many blanks.
    pub blanks: u64,
}

/// How many ribbons of card printers are in a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RibbonTally {
    /// What they are.
    pub item: String,
    /// The state.
    pub account: String,
    /// How many.
    pub ribbons: u64,
    /// How many cards were printed with them.
    pub cards: u64,
}

/// Blanks of one article in one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockLine {
    /// What they are: the article, or the first chip's product.
    pub article: String,
    /// The account.
    pub account: String,
    /// How many.
    pub blanks: u64,
}

/// Numbers of one series in one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberLine {
    /// The letters of the series.
    pub prefix: String,
    /// The account.
    pub account: String,
    /// How many.
    pub numbers: u64,
}
