//! What a printer's profile says of its dialect.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use thiserror::Error;

use super::command::is_command;
use super::panel::{Bitmap, Encoding};
use crate::card_printer::{Capabilities, ChipStation, Condition};
use crate::face::Panel;
use crate::link::SerialSettings;

/// The most dots of a line or a column: 1200 dots an inch.
const MOST_DOTS: u32 = 4400;

/// A printer profile of the escape command language.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct EscProfile {
    /// `esc`.
    #[allow(dead_code, reason = "who reads the profile has looked at it")]
    #[schemars(extend("const" = "esc"))]
    protocol: String,
    /// What people call it.
    pub title: String,
    /// Dots of a line, and lines, as the card stands in the printer.
    dots: (u32, u32),
    /// Dots an inch.
    #[schemars(range(min = 150, max = 1200))]
    resolution: u16,
    /// The ribbon, as the printer calls it; another one prints nothing.
    pub(super) ribbon: String,
    /// Letters of the ribbon that print the front, in its order.
    front: Letters,
    /// Letters of the ribbon that print the back.
    #[serde(default)]
    back: Letters,
    /// How many tones a colour has.
    levels: Levels,
    /// Whether black and varnish are compressed line by line.
    compress: bool,
    /// How a lying card is turned to stand in the printer.
    turn: Turn,
    /// Where chips are reached.
    #[serde(default)]
    stations: Vec<Station>,
    /// Whether a chip is reached after its card is printed on.
    #[serde(default)]
    encodes_after_print: bool,
    /// Whether there is a reject box.
    rejects: bool,
    /// Whether the card counter counts each card once, so that a card too many is noticed.
    pub(super) counts_cards: bool,
    /// Whether a question is also acknowledged.
    pub(super) acknowledges_reads: bool,
    /// Sent first, before anything is acknowledged: who manages errors, and that orders are
    /// acknowledged.
    pub(super) acknowledge: Vec<CommandText>,
    /// Sent then.
    pub(super) prepare: Vec<CommandText>,
    /// The commands.
    pub(super) commands: Commands,
    /// What the printer says of itself; another text with ERR in it stops the next card.
    #[serde(default)]
    said: Vec<Said>,
    /// How long is waited.
    seconds: Seconds,
    /// The serial line.
    pub(super) serial: Serial,
}

/// Why a text is no profile of this language.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EscProfileError {
    /// The file is not written as a profile is; line and column are in the reason.
    #[error("it is no printer profile")]
    Malformed(#[from] toml::de::Error),
    /// What it says cannot be.
    #[error("{0}")]
    Wrong(&'static str),
}

/// The panels of a side: letters of the ribbon, in its order.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String", extend("pattern" = "^(ymc)?k?o?$"))]
struct Letters(Vec<Bitmap>);

impl TryFrom<String> for Letters {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bitmaps: Option<Vec<_>> = text.chars().map(Bitmap::of).collect();
        let bitmaps = bitmaps.ok_or("panels are letters of ymcko")?;
        if !bitmaps.is_sorted_by(|one, next| one < next) {
            return Err("panels stand in the order ymcko, each once");
        }
        let colours = bitmaps.iter().filter(|bitmap| **bitmap <= Bitmap::Cyan);
        match colours.count() {
            0 | 3 => Ok(Self(bitmaps)),
            _ => Err("colours are y, m and c, or none of them"),
        }
    }
}

impl Letters {
    fn panels(&self) -> Vec<Panel> {
        let mut panels: Vec<Panel> = self.0.iter().map(|bitmap| panel_of(*bitmap)).collect();
        panels.dedup();
        panels
    }
}

/// Returns the panel of which a bitmap is a part.
const fn panel_of(bitmap: Bitmap) -> Panel {
    match bitmap {
        Bitmap::Yellow | Bitmap::Magenta | Bitmap::Cyan => Panel::Colour,
        Bitmap::Black => Panel::Black,
        Bitmap::Overlay => Panel::Overlay,
    }
}

/// How many tones a colour has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "u32")]
#[schemars(with = "u32", extend("enum" = [32, 64, 128]))]
pub(super) struct Levels(u32);

impl TryFrom<u32> for Levels {
    type Error = &'static str;

    fn try_from(count: u32) -> Result<Self, Self::Error> {
        match count {
            32 | 64 | 128 => Ok(Self(count)),
            _ => Err("colours have 32, 64 or 128 levels"),
        }
    }
}

impl Levels {
    pub(super) const fn count(self) -> u32 {
        self.0
    }

    /// Returns how many bits a dot has.
    pub(super) const fn bits(self) -> u32 {
        self.0.trailing_zeros()
    }
}

/// How a lying card is turned to stand in the printer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Turn {
    Clockwise,
    Counterclockwise,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Station {
    Contact,
    Contactless,
}

/// A command that nothing ends early.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String", extend("pattern" = "^[A-Z][!-~]*$"))]
pub(super) struct CommandText(pub(super) String);

impl TryFrom<String> for CommandText {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match is_command(&text) {
            true => Ok(Self(text)),
            false => Err("a command is a capital letter and what follows, without blanks"),
        }
    }
}

/// The commands that printers of this language may have otherwise.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Commands {
    pub(super) begin: CommandText,
    pub(super) feed: CommandText,
    pub(super) contact: CommandText,
    pub(super) contactless: CommandText,
    pub(super) front: CommandText,
    pub(super) back: CommandText,
    pub(super) good: CommandText,
    pub(super) reject: CommandText,
    pub(super) clean: CommandText,
    pub(super) serial: CommandText,
    pub(super) model: CommandText,
    pub(super) firmware: CommandText,
    pub(super) ribbon: CommandText,
    pub(super) ribbon_set: CommandText,
    pub(super) ribbon_end: CommandText,
    pub(super) ribbon_left: CommandText,
    pub(super) cards: CommandText,
    pub(super) panels: CommandText,
    pub(super) cleanings: CommandText,
    pub(super) last: CommandText,
    pub(super) last_ribbon: CommandText,
}

/// What a text means.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Said {
    text: String,
    means: Means,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Means {
    Nothing,
    HopperEmpty,
    CardFault,
    RibbonOut,
    CleaningDue,
}

/// How long is waited for each kind of command.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Seconds {
    connect: Wait,
    read: Wait,
    quiet: Wait,
    set: Wait,
    r#move: Wait,
    panel: Wait,
    clean: Wait,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "f64")]
#[schemars(with = "f64", extend("minimum" = 0.05, "maximum" = 900))]
struct Wait(Duration);

impl TryFrom<f64> for Wait {
    type Error = &'static str;

    fn try_from(seconds: f64) -> Result<Self, Self::Error> {
        match (0.05..=900.0).contains(&seconds) {
            true => Ok(Self(Duration::from_secs_f64(seconds))),
            false => Err("a wait is 0.05 to 900 seconds"),
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Serial {
    #[schemars(range(min = 300, max = 4_000_000))]
    baud: u32,
    hardware_flow: bool,
}

/// A kind of command, by how long it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Connect,
    Read,
    /// Nothing comes any more.
    Quiet,
    Set,
    Move,
    Panel,
    Clean,
}

impl EscProfile {
    /// Reads a profile, and proves what it says.
    ///
    /// # Errors
    /// [`EscProfileError`].
    pub fn parse(text: &str) -> Result<Self, EscProfileError> {
        let profile: Self = toml::from_str(text)?;
        let (width, height) = profile.dots;
        let is_wrong = [
            (
                !(1..=MOST_DOTS).contains(&width) || !(1..=MOST_DOTS).contains(&height),
                "\"dots\" are 1 to 4400 across and down",
            ),
            (
                profile.compress && width > 8 * 254,
                "lines of more than 2032 dots cannot be compressed: say \"compress = false\"",
            ),
            (
                !(150..=1200).contains(&profile.resolution),
                "\"resolution\" is 150 to 1200 dots an inch",
            ),
            (
                profile.front.0.is_empty() && profile.back.0.is_empty(),
                "it prints no panel: say \"front\" or \"back\"",
            ),
            (
                profile.acknowledge.is_empty() || profile.prepare.is_empty(),
                "\"acknowledge\" and \"prepare\" have a command each at least: without a word from the printer nobody knows what came of a card",
            ),
            (
                !is_command(&format!("P{}", profile.ribbon)),
                "\"ribbon\" is a name without blanks",
            ),
            (
                !(300..=4_000_000).contains(&profile.serial.baud),
                "\"baud\" is 300 to 4000000",
            ),
        ];
        match is_wrong.into_iter().find(|(is_wrong, _)| *is_wrong) {
            Some((_, wrong)) => Err(EscProfileError::Wrong(wrong)),
            None => Ok(profile),
        }
    }

    /// Returns what the printer can do.
    pub(crate) fn capabilities(&self) -> Capabilities {
        let (width, height) = self.dots;
        let station = |station: &Station| match station {
            Station::Contact => ChipStation::Contact,
            Station::Contactless => ChipStation::Contactless,
        };
        Capabilities {
            dots: (height, width),
            resolution: self.resolution,
            front: self.front.panels(),
            back: self.back.panels(),
            stations: self.stations.iter().map(station).collect(),
            encodes_after_print: self.encodes_after_print,
            rejects: self.rejects,
        }
    }

    /// Returns how panels are sent.
    pub(super) fn encoding(&self) -> Encoding {
        Encoding {
            width: self.dots.0,
            height: self.dots.1,
            turn: self.turn,
            levels: self.levels,
            compresses: self.compress,
        }
    }

    /// Returns the bitmaps of a panel in the order of the ribbon.
    pub(super) fn bitmaps(&self, side: crate::card_printer::Side) -> &[Bitmap] {
        match side {
            crate::card_printer::Side::Front => &self.front.0,
            crate::card_printer::Side::Back => &self.back.0,
        }
    }

    /// Returns the panel of a bitmap.
    pub(super) const fn panel(bitmap: Bitmap) -> Panel {
        panel_of(bitmap)
    }

    /// Returns how long a command may take that sends so many bytes.
    pub(super) fn wait(&self, kind: Kind, bytes: usize, is_serial: bool) -> Duration {
        let seconds = self.seconds;
        let wait = match kind {
            Kind::Connect => seconds.connect,
            Kind::Read => seconds.read,
            Kind::Quiet => seconds.quiet,
            Kind::Set => seconds.set,
            Kind::Move => seconds.r#move,
            Kind::Panel => seconds.panel,
            Kind::Clean => seconds.clean,
        };
        // Ten bits a byte: start, eight, stop.
        let line = match is_serial {
            true => Duration::from_secs_f64(10.0 * bytes as f64 / f64::from(self.serial.baud)),
            false => Duration::ZERO,
        };
        wait.0 + line
    }

    /// Returns how a serial line to it is set.
    pub(super) const fn serial_settings(&self) -> SerialSettings {
        SerialSettings {
            baud: self.serial.baud,
            hardware_flow: self.serial.hardware_flow,
        }
    }

    /// Returns what a text means: nothing where all is well.
    pub(super) fn condition(&self, text: &str) -> Option<Condition> {
        let known = self.said.iter().find(|said| said.text == text);
        match known.map(|said| said.means) {
            Some(Means::Nothing) => None,
            Some(Means::HopperEmpty) => Some(Condition::HopperEmpty),
            Some(Means::CardFault) => Some(Condition::CardFault),
            Some(Means::RibbonOut) => Some(Condition::RibbonOut),
            Some(Means::CleaningDue) => Some(Condition::CleaningDue),
            // Every error that such a printer says has this in it.
            None if text.contains("ERR") => Some(Condition::Other(text.to_owned())),
            None => None,
        }
    }
}

#[cfg(test)]
#[path = "../../../tests/print/esc_profile.rs"]
mod tests;
