//! A station that is killed for good, and what people do then: two of them take its leases, its cards are
//! carried to other stations, and one day it comes back.

use super::invariants;
use super::later::Later;
use super::play::Play;
use super::setting::{SLOTS, STATIONS, named, reader};
use crate::Failure;
use crate::case::ALL;
use crate::installation::actor;

/// After how many milliseconds people look again, where the centre was down.
const AGAIN: u64 = 60_000;

/// The station that is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dead {
    station: usize,
    is_emptied: bool,
}

impl Play<'_> {
    /// Tells whether a station is dead.
    pub(super) fn is_dead(&self, station: usize) -> bool {
        self.dead.is_some_and(|dead| dead.station == station)
    }

    /// Kills a station for good, as the only one of a simulation.
    pub(super) fn bury(&mut self, station: usize) {
        let office = self.offices.get_mut(station);
        let Some(office) = office.filter(|office| office.is_up()) else {
            return;
        };
        if self.is_buried {
            return;
        }
        office.kill();
        self.is_buried = true;
        self.figures.kills += 1;
        self.dead = Some(Dead {
            station,
            is_emptied: false,
        });
        let after = 1_000 + self.dice.throw(15 * 60_000);
        self.plan(after, Later::Carry(station));
    }

    /// Has its leases taken from a dead station, and its cards carried to the others.
    pub(super) fn carry(&mut self, station: usize) -> Result<(), Failure> {
        let name = named(station);
        let moved = self.centre.with(async |central| {
            let leases = central.leases_after(&actor("auditor"), "", ALL).await?;
            let own = leases.iter().filter(|lease| lease.station == name);
            let mut moved = 0;
            for lease in own.filter(|lease| lease.blank.is_some()) {
                let officer = actor("officer");
                let done = central.move_lease(&officer, lease.id, "keeper", "it is dead");
                done.await?;
                moved += 1;
            }
            Ok(moved)
        });
        let Some(moved) = moved.transpose()? else {
            self.plan(AGAIN, Later::Carry(station));
            return Ok(());
        };
        self.figures.moved += moved;
        self.note(format!("{moved} leases are taken from {name}"));
        let journal = self.offices.get(station).map(|office| office.journal());
        for document in invariants::touched(journal.as_deref())? {
            self.taken.insert((station, document));
        }
        for slot in 0..SLOTS {
            let Some(office) = self.offices.get_mut(station) else {
                continue;
            };
            let chip = office.pads.put(&reader(slot), None);
            let blank = office.slots.get_mut(slot).and_then(|slot| {
                slot.is_through = false;
                slot.blank.take()
            });
            if let Some((blank, chip)) = blank.zip(chip) {
                let other = (station + 1 + self.dice.place(STATIONS - 1)) % STATIONS;
                self.lay(other, slot, (blank, chip));
            }
        }
        if let Some(dead) = &mut self.dead {
            dead.is_emptied = true;
        }
        let after = 1_000 + self.dice.throw(30 * 60_000);
        self.plan(after, Later::ComeBack(station));
        Ok(())
    }

    /// Has a dead station come back, with its journal and new blanks.
    pub(super) fn come_back(&mut self, station: usize) -> Result<(), Failure> {
        if !self.is_dead(station) {
            return Ok(());
        }
        self.dead = None;
        self.note(format!("{} comes back", named(station)));
        for slot in 0..SLOTS {
            self.change(station, slot)?;
        }
        self.start(station)
    }

    /// Does what is still to be done for a dead station, where all is to be mended.
    pub(super) fn bring_back(&mut self) -> Result<(), Failure> {
        let Some(dead) = self.dead else {
            return Ok(());
        };
        if !dead.is_emptied {
            self.carry(dead.station)?;
        }
        self.come_back(dead.station)
    }

    /// Brings a card that lies about to a slot, where its lease waits for it.
    pub(super) fn bring_awaited(&mut self) -> Result<(), Failure> {
        for (serial, from) in invariants::awaited(&self.centre.store)? {
            let world = &self.setting.world;
            let place = self.used.iter().position(|(number, _)| {
                let blank = world.blanks.get(*number);
                blank.is_some_and(|blank| blank.serial == serial)
            });
            let Some(place) = place else { continue };
            let card = self.used.remove(place);
            let mut others = (0..STATIONS).filter(|other| named(*other) != from);
            let other = others.next().unwrap_or_default();
            self.note(format!("blank {serial} is found, and brought"));
            self.lay(other, 0, card);
        }
        Ok(())
    }
}
