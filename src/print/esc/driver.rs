//! The driver: what may be ordered when, and what a card is when an order fails.

use super::command::Command;
use super::panel::Bitmap;
use super::profile::{EscProfile, Kind};
use super::talk::Talk;
use crate::card_printer::{
    Act, Bin, Capabilities, CardFate, ChipStation, Condition, Consumables, Faces, Identity,
    Printer, PrinterError, PrinterStatus, Side,
};
use crate::face::{Panel, Raster};
use crate::link::LinkAddress;

/// A card printer of the escape command language.
///
/// A card that was inside when it was connected is nobody's: the first order that moves cards is
/// [`Printer::eject`] to the reject box.
pub struct EscPrinter {
    pub(super) profile: EscProfile,
    pub(super) capabilities: Capabilities,
    pub(super) address: LinkAddress,
    pub(super) name: String,
    pub(super) serial: String,
    pub(super) talk: Option<Talk>,
    pub(super) inside: Inside,
    /// A sequence is open: a card may be fed into it.
    pub(super) is_begun: bool,
    pub(super) counted: Option<Counted>,
}

/// What is inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inside {
    Nothing,
    /// The card that was fed; whether any of a face was sent for it.
    Card {
        marked: bool,
    },
    /// Nobody knows.
    Doubt {
        marked: bool,
    },
}

/// The printer's count of cards.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    pub(super) before: i64,
    pub(super) fed: i64,
}

impl EscPrinter {
    /// Connects to a printer and prepares it. No card moves. `serial` is the serial number that is
    /// expected there, where that is known.
    ///
    /// # Errors
    /// [`PrinterError`].
    pub fn connect(
        profile: EscProfile,
        address: LinkAddress,
        serial: Option<&str>,
    ) -> Result<Self, PrinterError> {
        let mut printer = Self {
            capabilities: profile.capabilities(),
            profile,
            name: address.to_string(),
            address,
            serial: serial.unwrap_or_default().to_owned(),
            talk: None,
            inside: Inside::Doubt { marked: false },
            is_begun: false,
            counted: None,
        };
        printer.open()?;
        Ok(printer)
    }

    fn open(&mut self) -> Result<(), PrinterError> {
        self.talk = None;
        self.is_begun = false;
        self.counted = None;
        let talk = Talk::open(&self.address, &self.profile);
        let mut talk = talk.map_err(|source| PrinterError::Unreachable {
            printer: self.name.clone(),
            source,
        })?;
        let found = talk.greet(&self.profile);
        let found = found.map_err(|mute| self.mute(mute, Act::Connect, CardFate::Unmoved))?;
        if !self.serial.is_empty() && found != self.serial {
            return Err(PrinterError::AnotherPrinter {
                printer: self.name.clone(),
                expected: self.serial.clone(),
                found,
            });
        }
        self.serial = found;
        for command in &self.profile.acknowledge {
            let told = talk.tell(&command.0, &self.profile);
            told.map_err(|mute| self.mute(mute, Act::Prepare, CardFate::Unmoved))?;
        }
        let again = talk.greet(&self.profile);
        again.map_err(|mute| self.mute(mute, Act::Prepare, CardFate::Unmoved))?;
        self.talk = Some(talk);
        for at in 0..self.profile.prepare.len() {
            let command = self.profile.prepare.get(at).map(|text| text.0.clone());
            self.order(&command.unwrap_or_default(), Kind::Set, Act::Prepare)?;
        }
        Ok(())
    }

    /// Returns what the card is, as far as this program knows.
    pub(super) fn fate(&self) -> CardFate {
        match self.inside {
            Inside::Nothing => CardFate::Unmoved,
            Inside::Card { marked: false } => CardFate::Blank,
            Inside::Doubt { marked: false } => CardFate::Unknown,
            Inside::Card { marked: true } | Inside::Doubt { marked: true } => CardFate::Marked,
        }
    }

    /// From here on nobody knows where the card is.
    pub(super) fn doubt(&mut self) {
        let marked = matches!(
            self.inside,
            Inside::Card { marked: true } | Inside::Doubt { marked: true }
        );
        self.inside = Inside::Doubt { marked };
        // A card of which nobody knows is counted anew from the next one on.
        self.counted = None;
    }

    /// Demands that a card was fed and is not printed on.
    fn blank(&self, because: &'static str) -> Result<(), PrinterError> {
        match self.inside {
            Inside::Card { marked: false } => Ok(()),
            Inside::Card { marked: true } => Err(PrinterError::Order { because }),
            Inside::Nothing => Err(PrinterError::Order {
                because: "no card is inside",
            }),
            Inside::Doubt { .. } => Err(PrinterError::Order {
                because: "nobody knows which card is inside: reject it first",
            }),
        }
    }

    /// Judges the faces, and makes their downloads. Nothing is sent.
    fn downloads(&self, faces: Faces<'_>) -> Result<Vec<(Side, Vec<Command>)>, PrinterError> {
        let encoding = self.profile.encoding();
        let mut sides = Vec::new();
        for (side, face) in faces.sides() {
            let panels = face.panels.iter();
            let panels = panels.map(|(panel, raster)| (*panel, (raster.width, raster.height)));
            let judged = self.capabilities.check(side, face.dots, panels);
            judged.map_err(|because| PrinterError::Unprintable { side, because })?;
            let of = |bitmap: Bitmap| -> Option<(Panel, &Raster)> {
                let panel = EscProfile::panel(bitmap);
                let mut panels = face.panels.iter();
                let found = panels.find(|(found, _)| *found == panel);
                found.map(|(panel, raster)| (*panel, raster))
            };
            let downloads = self.profile.bitmaps(side).iter().filter_map(|bitmap| {
                let (_, raster) = of(*bitmap)?;
                Some(encoding.download(*bitmap, raster))
            });
            sides.push((side, downloads.collect()));
        }
        Ok(sides)
    }

    /// Demands the ribbon of the profile, and tells the printer of it.
    fn check_ribbon(&mut self) -> Result<(), PrinterError> {
        let question = self.profile.commands.ribbon.0.clone();
        let found = self.ask(&question)?;
        if !found.eq_ignore_ascii_case(&self.profile.ribbon) {
            return Err(PrinterError::WrongRibbon {
                printer: self.name.clone(),
                expected: self.profile.ribbon.clone(),
                found,
            });
        }
        let set = &self.profile.commands.ribbon_set.0;
        let set = format!("{set};{}", self.profile.ribbon);
        self.order(&set, Kind::Set, Act::Prepare)
    }
}

impl Printer for EscPrinter {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn identity(&mut self) -> Result<Identity, PrinterError> {
        let commands = self.profile.commands.clone();
        Ok(Identity {
            model: self.ask(&commands.model.0)?,
            serial: self.ask(&commands.serial.0)?,
            firmware: self.ask(&commands.firmware.0)?,
        })
    }

    fn status(&mut self) -> Result<PrinterStatus, PrinterError> {
        let commands = self.profile.commands.clone();
        let mut conditions = Vec::new();
        for question in [&commands.last.0, &commands.last_ribbon.0] {
            let said = self.ask(question)?;
            conditions.extend(self.profile.condition(&said));
        }
        if self.ask(&commands.ribbon_end.0)? != "OK" {
            conditions.push(Condition::RibbonOut);
        }
        conditions.dedup();
        Ok(PrinterStatus { conditions })
    }

    fn consumables(&mut self) -> Result<Consumables, PrinterError> {
        let commands = self.profile.commands.clone();
        Ok(Consumables {
            ribbon: Some(self.ask(&commands.ribbon.0)?).filter(|text| !text.contains("ERR")),
            ribbon_left: self.number(&commands.ribbon_left.0)?,
            cards: self.number(&commands.cards.0)?,
            panels: self.number(&commands.panels.0)?,
            cleanings: self.number(&commands.cleanings.0)?,
        })
    }

    fn feed(&mut self) -> Result<(), PrinterError> {
        let because = match self.inside {
            Inside::Nothing => None,
            Inside::Card { .. } => Some("a card is inside already"),
            Inside::Doubt { .. } => Some("a card may be inside: reject it first"),
        };
        if let Some(because) = because {
            return Err(PrinterError::Order { because });
        }
        self.check_ribbon()?;
        let before = self.count()?;
        let commands = self.profile.commands.clone();
        if !self.is_begun {
            self.order(&commands.begin.0, Kind::Set, Act::Feed)?;
            self.is_begun = true;
        }
        self.order(&commands.feed.0, Kind::Move, Act::Feed)?;
        self.inside = Inside::Card { marked: false };
        self.counted = None;
        let fed = match self.count() {
            Ok(fed) => fed,
            Err(error) => {
                self.doubt();
                return Err(error);
            }
        };
        if let (Some(before), Some(fed)) = (before, fed) {
            self.counted = Some(Counted { before, fed });
            // Some count a card when it comes in, some when it goes out.
            if !(0..=1).contains(&fed.saturating_sub(before)) {
                self.doubt();
                return Err(PrinterError::Miscounted {
                    printer: self.name.clone(),
                    act: Act::Feed,
                    found: fed.saturating_sub(before),
                    card: self.fate(),
                });
            }
        }
        Ok(())
    }

    fn position(&mut self, station: ChipStation) -> Result<(), PrinterError> {
        if !self.capabilities.stations.contains(&station) {
            return Err(PrinterError::Order {
                because: "the printer has no such station",
            });
        }
        let printed = "the card is printed on already, and this printer reaches a chip before that";
        match (self.inside, self.capabilities.encodes_after_print) {
            (Inside::Card { marked: true }, true) => {}
            _ => self.blank(printed)?,
        }
        self.check_count(Act::Position(station))?;
        let command = match station {
            ChipStation::Contact => self.profile.commands.contact.0.clone(),
            ChipStation::Contactless => self.profile.commands.contactless.0.clone(),
        };
        self.order(&command, Kind::Move, Act::Position(station))?;
        self.check_count(Act::Position(station))
    }

    fn print(&mut self, faces: Faces<'_>) -> Result<(), PrinterError> {
        self.blank("the card is printed on already, and is never printed again")?;
        let sides = self.downloads(faces)?;
        let Some((first, _)) = sides.first() else {
            return Err(PrinterError::Order {
                because: "there is no face to print",
            });
        };
        self.check_count(Act::Print(*first))?;
        for (side, downloads) in sides {
            let turn = match side {
                Side::Front => self.profile.commands.front.0.clone(),
                Side::Back => self.profile.commands.back.0.clone(),
            };
            self.order(&turn, Kind::Set, Act::Print(side))?;
            for download in downloads {
                // From its first byte on.
                self.inside = Inside::Card { marked: true };
                self.send(&download, Kind::Panel, Act::Print(side))?;
            }
        }
        Ok(())
    }

    fn eject(&mut self, bin: Bin) -> Result<(), PrinterError> {
        let commands = self.profile.commands.clone();
        let (command, act) = match bin {
            Bin::Good => match self.inside {
                Inside::Card { .. } => (commands.good, Act::EjectGood),
                _ => {
                    return Err(PrinterError::Order {
                        because: "no card is inside of which anybody knows that it is good",
                    });
                }
            },
            Bin::Reject => (commands.reject, Act::EjectReject),
        };
        // The last panel is printed by this.
        self.order(&command.0, Kind::Panel, act)?;
        self.is_begun = false;
        // Not every printer counts what it rejects.
        let least = match bin {
            Bin::Good => 1,
            Bin::Reject => 0,
        };
        if let Some(counted) = self.counted.take() {
            let now = self.count();
            let now = match now {
                Ok(now) => now,
                Err(error) => {
                    self.doubt();
                    return Err(error);
                }
            };
            let found = now.map_or(1, |now| now.saturating_sub(counted.before));
            if !(least..=1).contains(&found) {
                self.doubt();
                return Err(PrinterError::Miscounted {
                    printer: self.name.clone(),
                    act,
                    found,
                    card: self.fate(),
                });
            }
        }
        self.inside = Inside::Nothing;
        Ok(())
    }

    fn clean(&mut self) -> Result<(), PrinterError> {
        if self.inside != Inside::Nothing {
            return Err(PrinterError::Order {
                because: "a card is inside, or may be: eject it first",
            });
        }
        let command = self.profile.commands.clean.0.clone();
        self.order(&command, Kind::Clean, Act::Clean)
    }

    fn reconnect(&mut self) -> Result<(), PrinterError> {
        self.doubt();
        self.open()
    }
}

impl std::fmt::Debug for EscPrinter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EscPrinter({}, {:?})", self.name, self.inside)
    }
}

#[cfg(test)]
#[path = "../../../tests/print/esc_printer.rs"]
mod tests;
