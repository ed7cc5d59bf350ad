//! Motions, and what stops them.

use super::fault::{Mishap, Point};
use super::machine::{Answer, Card, Inside, Machine, Place};
use super::picture::Sheet;

impl Machine {
    /// Returns a mishap that comes before or in the middle of a deed.
    pub(super) fn moving_mishap(&mut self, point: Point) -> Option<Mishap> {
        let plans = &self.setup.plans;
        let next = plans.iter().find(|plan| plan.point == point)?;
        match next.mishap {
            Mishap::Mute | Mishap::Late | Mishap::Garbage | Mishap::Unplugged => None,
            _ => self.mishap(point),
        }
    }

    /// Says whether nothing moves now.
    pub(super) fn stopped(&self) -> Option<Answer> {
        let is_jammed = |inside: &Inside| inside.card.place == Place::Jammed;
        if self.cover_open {
            return Some(Answer::Not('C'));
        }
        self.inside
            .as_ref()
            .is_some_and(is_jammed)
            .then_some(Answer::Not('T'))
    }

    /// Lets something go wrong with what is inside.
    pub(super) fn befall(&mut self, mishap: Mishap) -> Answer {
        self.withdraw();
        match mishap {
            Mishap::Jam => {
                if let Some(inside) = &mut self.inside {
                    inside.card.place = Place::Jammed;
                }
                self.last = "ERR CARD";
                Answer::Not('T')
            }
            Mishap::Slip | Mishap::Half => {
                self.last = "ERR CARD";
                Answer::Not('T')
            }
            Mishap::NoCard => {
                self.hopper.clear();
                self.last = "NO CARD";
                Answer::Not('F')
            }
            Mishap::CoverOpen => {
                self.cover_open = true;
                Answer::Not('C')
            }
            Mishap::RibbonOut => {
                self.ribbon_out = true;
                Answer::Not('R')
            }
            Mishap::PowerLoss => {
                self.restart();
                Answer::Done
            }
            Mishap::Swap => {
                self.leave(Place::Output);
                self.take();
                Answer::Done
            }
            Mishap::Mute | Mishap::Late | Mishap::Garbage | Mishap::Unplugged => Answer::Done,
        }
    }

    /// `Si`, `Sis`, `Sic`.
    pub(super) fn insert(&mut self, name: &str) -> Answer {
        if let Some(stopped) = self.stopped() {
            return stopped;
        }
        self.pause += self.setup.pace.motion();
        let point = if name == "Si" {
            Point::Feed
        } else {
            Point::Station
        };
        if self.inside.is_some() && self.insertion != 'B' {
            // Another card goes in on top of the first.
            self.complain("a card is fed onto another");
            return self.befall(Mishap::Jam);
        }
        let mishap = self.moving_mishap(point);
        if mishap == Some(Mishap::NoCard) {
            return self.befall(Mishap::NoCard);
        }
        if mishap == Some(Mishap::CoverOpen) {
            return self.befall(Mishap::CoverOpen);
        }
        if self.inside.is_none() && !self.take() {
            self.last = "NO CARD";
            return Answer::Not('F');
        }
        self.withdraw();
        self.last = "OK";
        if let Some(mishap) = mishap {
            let befallen = self.befall(mishap);
            if befallen != Answer::Done || self.restarts {
                return befallen;
            }
        }
        let place = match name {
            "Sis" => Place::Contact,
            "Sic" => Place::Contactless,
            _ => Place::Print,
        };
        if let Some(inside) = &mut self.inside {
            inside.card.place = place;
        }
        self.present();
        Answer::Done
    }

    /// `Se`, `Ser`, `Seb`.
    pub(super) fn end(&mut self, place: Place, point: Point) -> Answer {
        if let Some(stopped) = self.stopped() {
            return stopped;
        }
        if place == Place::Output {
            let printed = self.print_pending(None);
            if printed != Answer::Done {
                return printed;
            }
        }
        self.pause += self.setup.pace.motion();
        match self.moving_mishap(point) {
            // It is out already when the lights go.
            Some(Mishap::PowerLoss) => self.restart(),
            Some(mishap) => {
                let befallen = self.befall(mishap);
                if befallen != Answer::Done {
                    return befallen;
                }
            }
            None => {}
        }
        self.sequence = None;
        self.leave(place);
        self.last = "OK";
        Answer::Done
    }

    /// `Scp`.
    pub(super) fn clean(&mut self) -> Answer {
        if let Some(stopped) = self.stopped() {
            return stopped;
        }
        if self.inside.is_some() {
            return Answer::Not('F');
        }
        if let Some(mishap) = self.moving_mishap(Point::Clean) {
            let befallen = self.befall(mishap);
            if befallen != Answer::Done {
                return befallen;
            }
        }
        self.cleanings += 1;
        Answer::Done
    }

    /// Takes a card from the hopper.
    fn take(&mut self) -> bool {
        let Some(blank) = self.hopper.pop_front() else {
            return false;
        };
        self.fed += 1;
        self.inside = Some(Inside {
            card: Card {
                number: self.fed,
                blank,
                place: Place::Print,
                front: String::new(),
                back: String::new(),
            },
            sheets: [Sheet::default(), Sheet::default()],
        });
        true
    }

    /// Moves what is inside somewhere else, and shows what was printed.
    pub(super) fn leave(&mut self, place: Place) {
        self.withdraw();
        let Some(mut inside) = self.inside.take() else {
            return;
        };
        inside.card.place = place;
        for (sheet, side) in inside.sheets.iter().zip(["front", "back"]) {
            if sheet.is_blank() {
                continue;
            }
            let stem = format!("card-{:04}-{side}", inside.card.number);
            if let Err(error) = sheet.write(&self.folder, &stem) {
                self.complain(format!("{stem}: {error}"));
            }
        }
        if !inside.sheets.iter().all(Sheet::is_blank) {
            self.setup.ribbon_left = self.setup.ribbon_left.saturating_sub(1);
        }
        self.gone.push(inside.card);
    }

    /// The power comes back: what was not saved is gone, and the card inside comes out.
    pub(super) fn restart(&mut self) {
        self.errors = 0;
        self.insertion = 'F';
        self.sequence = None;
        self.leave(Place::Output);
        self.restarts = true;
    }

    /// What a person does.
    pub(super) fn service(&mut self) {
        self.cover_open = false;
        if self.ribbon_out {
            self.ribbon_out = false;
            self.setup.ribbon_left = 200;
        }
        if self
            .inside
            .as_ref()
            .is_some_and(|inside| inside.card.place == Place::Jammed)
        {
            self.leave(Place::Hand);
        }
        self.last = "OK";
    }

    /// Shows the chip to the reader of the station at which the card is.
    fn present(&mut self) {
        let Some(inside) = &self.inside else { return };
        let blank = &inside.card.blank;
        let (station, chip) = match inside.card.place {
            Place::Contact => (&mut self.setup.contact, &blank.contact),
            Place::Contactless => (&mut self.setup.contactless, &blank.contactless),
            _ => return,
        };
        if let (Some(station), Some(chip)) = (station, chip)
            && let Err(error) = station.present(chip)
        {
            self.complain(format!("chip station: {error}"));
        }
    }

    /// Takes the chip from the reader: the card moves on.
    pub(super) fn withdraw(&mut self) {
        let Some(inside) = &self.inside else { return };
        let blank = &inside.card.blank;
        let (station, chip) = match inside.card.place {
            Place::Contact => (&mut self.setup.contact, &blank.contact),
            Place::Contactless => (&mut self.setup.contactless, &blank.contactless),
            _ => return,
        };
        if let (Some(station), Some(_)) = (station, chip)
            && let Err(error) = station.withdraw()
        {
            self.complain(format!("chip station: {error}"));
        }
        if let Some(inside) = &mut self.inside {
            inside.card.place = Place::Print;
        }
    }
}
