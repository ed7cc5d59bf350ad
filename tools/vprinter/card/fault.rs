//! What goes wrong, and when.

use std::str::FromStr;

use thiserror::Error;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// The card jams: nothing moves until a person was there.
    Jam,
    /// The card does not arrive in time, but can be moved on.
    Slip,
    /// The hopper is empty.
    NoCard,
    /// The cover is opened before it: nothing moves until it is closed.
    CoverOpen,
    /// The ribbon ends before it.
    RibbonOut,
    /// Half of the panel is printed, then the card slips.
    Half,
    /// The power fails before it and comes back: settings that were not saved are gone, and the card
    /// inside is moved to the output, as printers do when they start.
    PowerLoss,
    /// It is done, and nothing is said.
    Mute,
    /// It is done, and said only when the next command comes.
    Late,
    /// It is done, and nonsense is said.
    Garbage,
    /// It is done, and the cable is pulled out before that is said, and put in again.
    Unplugged,
    /// By itself it takes another card from the hopper, after moving the one inside to the output.
    Swap,
}

/// When it goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// A card is fed.
    Feed,
    /// A card goes to a chip station.
    Station,
    /// This panel is taken and printed: y, m, c, k or o.
    Panel(char),
    /// A card goes to the output.
    Eject,
    /// A card goes to the reject box.
    Reject,
    /// It cleans itself.
    Clean,
    /// A question is asked.
    Read,
}

/// Something that goes wrong once: `MISHAP@POINT`, as in `jam@station` or `half@panel-m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What.
    pub mishap: Mishap,
    /// When.
    pub point: Point,
}

impl Mishap {
    /// Every mishap with its name.
    pub const ALL: [(&'static str, Self); 12] = [
        ("jam", Self::Jam),
        ("slip", Self::Slip),
        ("no-card", Self::NoCard),
        ("cover-open", Self::CoverOpen),
        ("ribbon-out", Self::RibbonOut),
        ("half", Self::Half),
        ("power-loss", Self::PowerLoss),
        ("mute", Self::Mute),
        ("late", Self::Late),
        ("garbage", Self::Garbage),
        ("unplugged", Self::Unplugged),
        ("swap", Self::Swap),
    ];
}

impl Point {
    /// Every point of a job with its name.
    pub const ALL: [(&'static str, Self); 11] = [
        ("feed", Self::Feed),
        ("station", Self::Station),
        ("panel-y", Self::Panel('y')),
        ("panel-m", Self::Panel('m')),
        ("panel-c", Self::Panel('c')),
        ("panel-k", Self::Panel('k')),
        ("panel-o", Self::Panel('o')),
        ("eject", Self::Eject),
        ("reject", Self::Reject),
        ("clean", Self::Clean),
        ("read", Self::Read),
    ];
}

/// A text that plans nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("what goes wrong is MISHAP@POINT; mishaps: {}; points: {}", Mishap::ALL.map(|(name, _)| name).join(", "), Point::ALL.map(|(name, _)| name).join(", "))]
pub struct UnknownPlan;

impl FromStr for Plan {
    type Err = UnknownPlan;

    fn from_str(text: &str) -> Result<Self, UnknownPlan> {
        let (mishap, point) = text.split_once('@').ok_or(UnknownPlan)?;
        let mishap = Mishap::ALL.iter().find(|(name, _)| *name == mishap);
        let point = Point::ALL.iter().find(|(name, _)| *name == point);
        match (mishap, point) {
            (Some((_, mishap)), Some((_, point))) => Ok(Self {
                mishap: *mishap,
                point: *point,
            }),
            _ => Err(UnknownPlan),
        }
    }
}
