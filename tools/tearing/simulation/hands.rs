//! The people before the slots: they put blanks in and take them out.

use vcard::Chip;

use super::play::Play;
use super::setting::{SLOTS, STATIONS, reader};
use crate::Failure;

impl Play<'_> {
    /// Takes out what lies in a slot, and puts the next blank in, where there is anything to make.
    pub(super) fn change(&mut self, station: usize, slot: usize) -> Result<(), Failure> {
        if self.is_dead(station) {
            return Ok(());
        }
        let wanted = !self.is_closing && (self.mended.is_none() || self.left()? > 0);
        let next = match wanted {
            true => {
                let blank = self.setting.world.blanks.get(self.next_blank);
                let blank = blank.ok_or("the blanks are used up")?;
                let (_, chip) = blank.chips()?.pop().ok_or("a blank without a chip")?;
                let number = self.next_blank;
                self.next_blank += 1;
                self.figures.blanks += 1;
                Some((number, chip))
            }
            false => None,
        };
        self.put(station, slot, next);
        Ok(())
    }

    /// Lays a card into a slot; what lies there is taken out.
    pub(super) fn lay(&mut self, station: usize, slot: usize, card: (usize, Chip)) {
        self.put(station, slot, Some(card));
    }

    fn put(&mut self, station: usize, slot: usize, card: Option<(usize, Chip)>) {
        let Some(office) = self.offices.get_mut(station) else {
            return;
        };
        let number = card.as_ref().map(|(number, _)| *number);
        let old = office.pads.put(&reader(slot), card.map(|(_, chip)| chip));
        office.wake();
        if let Some(slot) = office.slots.get_mut(slot) {
            slot.is_through = false;
            let was = std::mem::replace(&mut slot.blank, number);
            self.used.extend(was.zip(old));
        }
    }

    /// Takes a chip out and puts it back.
    pub(super) fn touch(&mut self, station: usize, slot: usize) {
        let Some(office) = self.offices.get_mut(station) else {
            return;
        };
        if let Some(chip) = office.pads.put(&reader(slot), None) {
            office.pads.put(&reader(slot), Some(chip));
        }
    }

    /// Takes the blanks out for which there is nothing to make any more.
    pub(super) fn clear(&mut self) -> Result<(), Failure> {
        if self.left()? > 0 {
            return Ok(());
        }
        for station in 0..STATIONS {
            for slot in 0..SLOTS {
                let office = self.offices.get(station);
                let before = office.and_then(|office| office.slots.get(slot));
                if before.is_some_and(|before| before.blank.is_some()) {
                    self.change(station, slot)?;
                }
            }
        }
        Ok(())
    }
}
