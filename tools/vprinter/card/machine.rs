//! The machine: what is in it, and what it obeys.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::chip::Station;
use super::dots;
use super::fault::{Mishap, Plan, Point};
use super::language::{HEIGHT, Heard, Panel};
use super::pace::{Pace, Worked};
use super::picture::Sheet;

/// Bit of `Pem`: orders are acknowledged.
const ACKNOWLEDGES: u8 = 4;

/// How a printer is set up.
pub struct Setup {
    /// Its serial number.
    pub serial: String,
    /// Its ribbon, as its language calls it.
    pub ribbon: String,
    /// Cards for which the ribbon lasts.
    pub ribbon_left: u32,
    /// What is in the hopper, the first card first.
    pub hopper: Vec<Blank>,
    /// The reader at the contact station.
    pub contact: Option<Box<dyn Station>>,
    /// The reader at the contactless station.
    pub contactless: Option<Box<dyn Station>>,
    /// How long it takes.
    pub pace: Pace,
    /// What goes wrong, in order.
    pub plans: Vec<Plan>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            serial: "V000000001".into(),
            ribbon: "ymcko".into(),
            ribbon_left: 200,
            hopper: Vec::new(),
            contact: None,
            contactless: None,
            pace: Pace::None,
            plans: Vec::new(),
        }
    }
}

/// A card in the hopper.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Blank {
    /// The state file of the chip with contacts.
    pub contact: Option<PathBuf>,
    /// The state file of the chip without.
    pub contactless: Option<PathBuf>,
}

/// A card that left the hopper.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Card {
    /// Which one it is, from 1.
    pub number: usize,
    /// What it was.
    pub blank: Blank,
    /// Where it is now.
    pub place: Place,
    /// The panels that were begun on its front, in order.
    pub front: String,
    /// The panels that were begun on its back, in order.
    pub back: String,
}

/// Where a card is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Inside, under the head.
    Print,
    /// Inside, at the contacts.
    Contact,
    /// Inside, at the antenna.
    Contactless,
    /// Inside, jammed.
    Jammed,
    /// In the output.
    Output,
    /// In the reject box.
    Rejected,
    /// In somebody's hand, who took it out.
    Hand,
}

/// A card with what is on it.
pub(super) struct Inside {
    pub(super) card: Card,
    pub(super) sheets: [Sheet; 2],
}

/// What an order came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Done,
    Not(char),
    Text(String),
}

/// What goes back, and what happens to the line.
#[derive(Debug, Default)]
pub(super) struct Effect {
    pub(super) bytes: Vec<u8>,
    pub(super) pause: Duration,
    pub(super) ending: Ending,
}

/// What happens to the line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Ending {
    #[default]
    None,
    /// The printer starts anew: a connection ends, a serial line is only silent.
    Restart,
    /// The cable is out, and in again.
    Unplugged,
}

/// The machine.
pub(super) struct Machine {
    pub(super) folder: PathBuf,
    pub(super) setup: Setup,
    pub(super) hopper: VecDeque<Blank>,
    pub(super) inside: Option<Inside>,
    pub(super) gone: Vec<Card>,
    pub(super) fed: usize,
    /// `Pem` now; what was saved is nothing.
    pub(super) errors: u8,
    pub(super) insertion: char,
    pub(super) sequence: Option<Sequence>,
    pub(super) cover_open: bool,
    pub(super) ribbon_out: bool,
    /// What the last order of a card came to, in the guide's words.
    pub(super) last: &'static str,
    pub(super) panels: u64,
    pub(super) cleanings: u64,
    pub(super) pause: Duration,
    pub(super) worked: Worked,
    pub(super) restarts: bool,
    late: Vec<u8>,
    complaints: Vec<String>,
}

/// A sequence from `Ss` to `Se`.
#[derive(Default)]
pub(super) struct Sequence {
    pub(super) verso: bool,
    /// Downloaded, printed by the next download or the end.
    pub(super) pending: Option<Panel>,
    /// The ribbon goes one way.
    pub(super) last: Option<usize>,
}

impl Machine {
    pub(super) fn new(folder: &Path, mut setup: Setup) -> Self {
        Self {
            folder: folder.to_owned(),
            hopper: std::mem::take(&mut setup.hopper).into(),
            setup,
            inside: None,
            gone: Vec::new(),
            fed: 0,
            errors: 0,
            insertion: 'F',
            sequence: None,
            cover_open: false,
            ribbon_out: false,
            last: "OK",
            panels: 0,
            cleanings: 0,
            pause: Duration::ZERO,
            worked: Worked::default(),
            restarts: false,
            late: Vec::new(),
            complaints: Vec::new(),
        }
    }

    pub(super) fn plan(&mut self, plan: Plan) {
        self.setup.plans.push(plan);
    }

    pub(super) fn load(&mut self, blanks: impl IntoIterator<Item = Blank>) {
        self.hopper.extend(blanks);
    }

    pub(super) fn hopper(&self) -> usize {
        self.hopper.len()
    }

    pub(super) fn cards(&self) -> Vec<Card> {
        let inside = self.inside.iter().map(|inside| inside.card.clone());
        let mut cards: Vec<_> = self.gone.iter().cloned().chain(inside).collect();
        cards.sort_by_key(|card| card.number);
        cards
    }

    pub(super) fn complaints(&self) -> Vec<String> {
        self.complaints.clone()
    }

    pub(super) fn complain(&mut self, why: impl Into<String>) {
        self.complaints.push(why.into());
    }

    /// Returns what goes wrong now, once.
    pub(super) fn mishap(&mut self, point: Point) -> Option<Mishap> {
        let plans = &mut self.setup.plans;
        let at = plans.iter().position(|plan| plan.point == point)?;
        Some(plans.remove(at).mishap)
    }

    /// Obeys what was heard.
    pub(super) fn obey(&mut self, heard: Heard) -> Effect {
        self.pause = Duration::ZERO;
        let (answer, point) = match heard {
            Heard::Wrong(why) => {
                self.complain(why);
                (Answer::Not('1'), None)
            }
            Heard::Panel(panel) => {
                let point = Point::Panel(panel.letter);
                (self.download(panel), Some(point))
            }
            Heard::Command { name, parameters } => {
                let parameters: Vec<&str> = parameters.iter().map(String::as_str).collect();
                let point = point_of(&name);
                let answer = self.command(&name, &parameters);
                if matches!(answer, Answer::Not('1' | '2')) {
                    self.complain(format!("{name} {parameters:?}"));
                }
                (answer, point)
            }
        };
        self.effect(&answer, point)
    }

    /// Says it, or what a mishap makes of it.
    fn effect(&mut self, answer: &Answer, point: Option<Point>) -> Effect {
        let mut effect = Effect {
            bytes: std::mem::take(&mut self.late),
            pause: self.pause,
            ending: Ending::None,
        };
        if std::mem::take(&mut self.restarts) {
            effect.bytes.clear();
            effect.ending = Ending::Restart;
            return effect;
        }
        let said = self.said(answer);
        match point.and_then(|point| self.spoken_mishap(point)) {
            Some(Mishap::Mute) => {}
            Some(Mishap::Late) => self.late = said,
            Some(Mishap::Garbage) => effect.bytes.extend([0xFF, 0x80]),
            Some(Mishap::Unplugged) => effect.ending = Ending::Unplugged,
            _ => effect.bytes.extend(said),
        }
        effect
    }

    /// Returns a mishap that comes between the deed and the word.
    fn spoken_mishap(&mut self, point: Point) -> Option<Mishap> {
        let plans = &mut self.setup.plans;
        let at = plans.iter().position(|plan| {
            plan.point == point
                && matches!(
                    plan.mishap,
                    Mishap::Mute | Mishap::Late | Mishap::Garbage | Mishap::Unplugged
                )
        })?;
        Some(plans.remove(at).mishap)
    }

    fn said(&self, answer: &Answer) -> Vec<u8> {
        match (answer, self.errors & ACKNOWLEDGES != 0) {
            (Answer::Text(text), _) => [text.as_bytes(), &[0]].concat(),
            (Answer::Done, true) => vec![0x06],
            (Answer::Not(code), true) => vec![0x15, *code as u8],
            // A printer that does not acknowledge is silent on errors too.
            (Answer::Done | Answer::Not(_), false) => Vec::new(),
        }
    }

    fn command(&mut self, name: &str, parameters: &[&str]) -> Answer {
        match (name, parameters) {
            ("Pem", [level]) => match level.parse::<u8>() {
                Ok(ACKNOWLEDGES) => {
                    self.errors |= ACKNOWLEDGES;
                    Answer::Done
                }
                Ok(level @ (0..=3 | 5 | 16 | 18)) => {
                    self.errors = level | self.errors & ACKNOWLEDGES;
                    Answer::Done
                }
                _ => Answer::Not('2'),
            },
            ("Pmi", [mode] | [mode, "s"]) => match *mode {
                "F" | "M" | "B" => {
                    self.insertion = mode.chars().next().unwrap_or('F');
                    Answer::Done
                }
                _ => Answer::Not('2'),
            },
            ("Pr", [ribbon]) => match self.is_ribbon(ribbon) {
                true => Answer::Done,
                false => Answer::Not('R'),
            },
            ("Pc", ["y" | "m" | "c" | "k" | "o", "=", value]) => match value.parse::<u8>() {
                Ok(0..=20) => Answer::Done,
                _ => Answer::Not('2'),
            },
            // What a maker's driver sends, and the guide does not have.
            ("Pdt", ["DU"]) | ("Mr", ["s"]) => Answer::Done,
            ("Ppws", [number]) if number.parse::<u64>().is_ok() => Answer::Done,
            ("Ss", []) => {
                self.sequence = Some(Sequence::default());
                Answer::Done
            }
            ("Sr" | "Sv", []) => self.side(name == "Sv"),
            ("Si" | "Sis" | "Sic", []) => self.insert(name),
            ("Se", [] | ["1"]) => self.end(Place::Output, Point::Eject),
            ("Ser" | "Seb", []) => self.end(Place::Rejected, Point::Reject),
            ("Scp", []) => self.clean(),
            ("Srs", []) => {
                self.restart();
                Answer::Done
            }
            _ if name.starts_with('R') => self.read(name, parameters),
            _ => Answer::Not('1'),
        }
    }

    /// A ribbon of black resin has several names: the guide's, and the driver's.
    fn is_ribbon(&self, name: &str) -> bool {
        let black = |name: &str| matches!(name, "k" | "kb");
        name == self.setup.ribbon || black(name) && black(&self.setup.ribbon)
    }

    fn side(&mut self, verso: bool) -> Answer {
        let has_verso = self.setup.ribbon.matches('k').count() > 1 || self.is_ribbon("k");
        if verso && !has_verso {
            return Answer::Not('2');
        }
        // What was downloaded is of the side before.
        let printed = self.print_pending(None);
        if printed != Answer::Done {
            return printed;
        }
        match &mut self.sequence {
            Some(sequence) => {
                sequence.verso = verso;
                Answer::Done
            }
            None => Answer::Not('1'),
        }
    }

    fn download(&mut self, panel: Panel) -> Answer {
        let order = "ymcko".find(panel.letter);
        let on_ribbon = self.setup.ribbon.contains(panel.letter);
        let Some(sequence) = &mut self.sequence else {
            self.complain("a panel outside a sequence");
            return Answer::Not('1');
        };
        let is_back = order <= sequence.last && !sequence.verso;
        if !on_ribbon || is_back {
            self.complain(format!(
                "the panel {} is not next on the ribbon",
                panel.letter
            ));
            return Answer::Not('2');
        }
        if let Err(why) = dots::decode(&panel) {
            self.complain(why);
            return Answer::Not('2');
        }
        sequence.last = order;
        if self.inside.is_none() {
            let fed = self.insert("Si");
            if fed != Answer::Done {
                return fed;
            }
        }
        let letter = panel.letter;
        let printed = self.print_pending(Some(letter));
        if printed != Answer::Done {
            return printed;
        }
        if let Some(sequence) = &mut self.sequence {
            sequence.pending = Some(panel);
        }
        Answer::Done
    }

    /// Prints what was downloaded before. `next` is the panel that comes now: what goes wrong with
    /// it goes wrong with the card that is under the head.
    pub(super) fn print_pending(&mut self, next: Option<char>) -> Answer {
        let pending = self.sequence.as_mut().and_then(|sequence| {
            let panel = sequence.pending.take()?;
            Some((usize::from(sequence.verso), panel))
        });
        let mishap = next.and_then(|letter| self.moving_mishap(Point::Panel(letter)));
        if let Some((verso, panel)) = pending {
            if let Some(stopped) = self.stopped() {
                return stopped;
            }
            let lines = match mishap {
                Some(Mishap::Half) => HEIGHT / 2,
                _ => HEIGHT,
            };
            let dots = dots::decode(&panel).unwrap_or_default();
            self.pause += self.setup.pace.panel(panel.letter);
            self.panels += 1;
            // Under the head no station reaches its chips.
            self.withdraw();
            if let Some(inside) = &mut self.inside {
                if let Some(sheet) = inside.sheets.get_mut(verso) {
                    sheet.print(panel.letter, dots, lines);
                }
                inside.card.front = inside
                    .sheets
                    .first()
                    .map(Sheet::letters)
                    .unwrap_or_default();
                inside.card.back = inside.sheets.last().map(Sheet::letters).unwrap_or_default();
            }
        }
        match mishap {
            Some(mishap) => self.befall(mishap),
            None => Answer::Done,
        }
    }
}

/// Returns the point of a job at which a command is.
fn point_of(name: &str) -> Option<Point> {
    Some(match name {
        "Si" => Point::Feed,
        "Sis" | "Sic" => Point::Station,
        "Se" => Point::Eject,
        "Ser" | "Seb" => Point::Reject,
        "Scp" => Point::Clean,
        _ if name.starts_with('R') => Point::Read,
        _ => return None,
    })
}
