//! What goes wrong, drawn by the dice.

use std::time::Duration;

use super::later::Later;
use super::life::Doom;
use super::network::Weather;
use super::office::Office;
use super::play::Play;
use super::setting::{OPERATORS, SLOTS, STATIONS, named};
use crate::Failure;
use crate::dice::Dice;

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misfortune {
    /// A station's process is killed.
    Kill,
    /// It is killed at one of its next writes or commands.
    Doom(Doom),
    /// It is ended, and started again.
    Restart,
    /// It is cut off from the centre.
    Cut,
    /// The centre is down.
    Down,
    /// Whatever is sent is likely to be lost.
    Foul,
    /// Somebody puts another blank into a slot.
    Swap,
    /// Somebody takes a card out and puts it back.
    Touch,
    /// The shift is handed over.
    HandOver,
    /// Nobody has the shift.
    Nobody,
    /// A station's clock is wrong.
    Clock,
    /// Everything stands still until leases have expired.
    Sleep,
    /// A slot pauses.
    Pause,
    /// Somebody gives up the card that a slot holds.
    GiveUp,
    /// A station is killed for good, and its cards are carried to others.
    Dead,
    /// The centre's books are copied, and lost some time after it.
    Lost,
    /// The centre does its duties: it settles certificates and sequences its log.
    Duties,
}

impl Misfortune {
    pub(super) fn draw(dice: &mut Dice) -> Self {
        match dice.throw(22) {
            0 | 1 => Self::Kill,
            2 | 3 => Self::Doom(Doom::BeforeWrite(1 + dice.throw(30))),
            4 | 5 => Self::Doom(Doom::AfterWrite(1 + dice.throw(30))),
            6 => Self::Doom(Doom::AtCommand(1 + dice.throw(250))),
            7 => Self::Restart,
            8 | 9 => Self::Cut,
            10 => Self::Down,
            11 | 12 => Self::Foul,
            13 => Self::Swap,
            14 => Self::Touch,
            15 => match dice.once_in(2) {
                true => Self::HandOver,
                false => Self::Nobody,
            },
            16 => Self::Clock,
            17 => Self::Sleep,
            18 => match dice.once_in(2) {
                true => Self::Pause,
                false => Self::GiveUp,
            },
            19 => Self::Dead,
            20 => Self::Lost,
            _ => Self::Duties,
        }
    }

    /// Has it happen, to one of the stations.
    pub(super) fn befall(self, play: &mut Play<'_>) -> Result<(), Failure> {
        let station = play.dice.place(STATIONS);
        let slot = play.dice.place(SLOTS);
        play.figures.misfortunes += 1;
        let name = named(station);
        play.note(format!("*** {self:?}: {name}, slot {}", slot + 1));
        let long = |dice: &mut Dice, most: u64| match dice.once_in(3) {
            true => dice.throw(most),
            false => SECOND + dice.throw(20 * SECOND),
        };
        match self {
            Self::Kill => {
                if let Some(office) = running(play, station) {
                    office.kill();
                    play.figures.kills += 1;
                    let after = long(&mut play.dice, 12 * MINUTE);
                    play.plan(after, Later::Start(station));
                }
            }
            Self::Doom(doom) => {
                if let Some(office) = running(play, station) {
                    office.life.doom(doom);
                }
            }
            Self::Restart => {
                if let Some(office) = running(play, station) {
                    office.wind_up();
                    office.wake();
                }
            }
            Self::Cut => {
                play.network.cut(station, true);
                let after = long(&mut play.dice, 20 * MINUTE);
                play.plan(after, Later::Connect(station));
            }
            Self::Down => {
                play.centre.stop();
                let after = long(&mut play.dice, 6 * MINUTE);
                play.plan(after, Later::Up);
            }
            Self::Foul => {
                play.network.turn(Weather::Foul);
                let after = long(&mut play.dice, 3 * MINUTE);
                play.plan(after, Later::Clear);
            }
            Self::Swap => play.change(station, slot)?,
            Self::Touch => play.touch(station, slot),
            Self::HandOver => {
                if let Some(office) = play.offices.get_mut(station) {
                    let next = office.shift.map_or(0, |now| (now + 1) % OPERATORS.len());
                    office.hand_over(Some(next));
                }
            }
            Self::Nobody => {
                let person = play.dice.place(OPERATORS.len());
                let after = long(&mut play.dice, 15 * MINUTE);
                if let Some(office) = play.offices.get_mut(station) {
                    office.hand_over(None);
                }
                play.plan(after, Later::Take(station, person));
            }
            Self::Clock => {
                let by = i64::try_from(play.dice.throw(60 * MINUTE)).unwrap_or_default();
                let by = if play.dice.once_in(2) { -by } else { by };
                if let Some(office) = play.offices.get_mut(station) {
                    office.clock.set_wrong(by);
                }
            }
            Self::Sleep => {
                let by = 11 * MINUTE + play.dice.throw(20 * MINUTE);
                play.sleep(Duration::from_millis(by));
            }
            Self::Pause => {
                if let Some(office) = play.offices.get(station) {
                    office.order(slot, false);
                }
                let after = long(&mut play.dice, 15 * MINUTE);
                play.plan(after, Later::Work(station, slot));
            }
            Self::GiveUp => {
                if let Some(office) = play.offices.get(station) {
                    office.give_up(slot);
                }
            }
            Self::Dead => play.bury(station),
            Self::Lost => play.copy_centre()?,
            Self::Duties => {
                let done = play.centre.with(async |central| {
                    central.sequence().await?;
                    central.sweep_certificates_now().await?;
                    Ok(())
                });
                done.transpose()?;
            }
        }
        Ok(())
    }
}

fn running<'p>(play: &'p mut Play<'_>, station: usize) -> Option<&'p mut Office> {
    let office = play.offices.get_mut(station)?;
    office.is_up().then_some(office)
}
