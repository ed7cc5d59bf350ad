//! What simulations come across, in figures.

use std::ops::AddAssign;

/// What one simulation came across.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// What went wrong by the dice.
    pub misfortunes: u64,
    /// How often a process was killed.
    pub kills: u64,
    /// How many leases were taken from a dead station.
    pub moved: u64,
    /// How often the centre was restored from an older copy.
    pub restored: u64,
    /// In how many simulations the blanks were numbered by their maker.
    pub numbered: u64,
    /// How many requests the centre answered.
    pub answered: u64,
    /// How many blanks lay in a slot.
    pub blanks: u64,
    /// How many of them were spoiled.
    pub spoiled: u64,
    /// The time that passed in it, in seconds.
    pub seconds: u64,
}

impl AddAssign<&Figures> for Figures {
    fn add_assign(&mut self, other: &Self) {
        self.misfortunes += other.misfortunes;
        self.kills += other.kills;
        self.moved += other.moved;
        self.restored += other.restored;
        self.numbered += other.numbered;
        self.answered += other.answered;
        self.blanks += other.blanks;
        self.spoiled += other.spoiled;
        self.seconds += other.seconds;
    }
}
