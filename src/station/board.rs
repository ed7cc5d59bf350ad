//! What stands at each slot now, and how fast the station works: the events of a watch, summed up.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use api::BlankEnd;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::{Event, Happening, Spent};

/// How many of the latest documents the rate is taken of.
const LATEST: usize = 50;
/// Share of the time from which on one thing is what the station waits for most.
const MUCH: f64 = 0.2;

/// A slot as people see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlotView {
    /// Its name.
    pub slot: String,
    /// What it does.
    pub state: SlotState,
    /// Since when.
    pub since: Timestamp,
    /// The number of the document that is in work, or was last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// The running step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Steps done, of the document in work.
    pub done: usize,
    /// Its steps in all.
    pub total: usize,
    /// Why it stands still, and what to do; of a finished blank, why it is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How many documents it made since the station started.
    pub made: u64,
    /// How many blanks were spoiled.
    pub spoiled: u64,
    /// How many went back untouched.
    pub untouched: u64,
}

/// What a slot does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SlotState {
    /// It has said nothing yet.
    Starting,
    /// Somebody paused it.
    Paused,
    /// Nobody has the shift.
    NobodyOnShift,
    /// It waits for a blank.
    WaitingForCard,
    /// A blank lies there, and there is nothing to make of it.
    NothingToDo,
    /// The centre cannot be reached: nothing is begun.
    CentreAway,
    /// A document is in work.
    Working,
    /// A document is in work, and its card is held until the centre is back.
    Parked,
    /// A blank has ended; it is to be taken out.
    Done,
    /// Somebody has to look.
    NeedsPerson,
    /// Its reader, or the station's clock, does not serve.
    OutOfService,
}

/// What the station waits for most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bottleneck {
    /// The chips: nothing else holds the station up.
    Cards,
    /// The centre: its keys and signatures, and the token that makes them.
    Centre,
    /// The authority: its certificates.
    Authority,
    /// The printer.
    Printer,
    /// People, who put blanks in and take documents out.
    People,
    /// Documents to make.
    Work,
}

/// The figures of a station since it started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    /// Documents made.
    pub made: u64,
    /// Blanks spoiled.
    pub spoiled: u64,
    /// Blanks that went back untouched.
    pub untouched: u64,
    /// Documents an hour, of the latest ones; none before the second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_hour: Option<f64>,
    /// What is waited for most; none before anything was waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bottleneck: Option<Bottleneck>,
}

/// What stands at each slot.
pub struct Board {
    slots: BTreeMap<String, SlotView>,
    /// When the latest documents were finished.
    finished: VecDeque<Timestamp>,
    spent: Spent,
    people: Duration,
    work: Duration,
}

impl Board {
    /// Makes a board for the slots of these names.
    pub fn new(slots: impl IntoIterator<Item = String>, now: Timestamp) -> Self {
        let view = |slot: String| {
            let view = SlotView {
                slot: slot.clone(),
                state: SlotState::Starting,
                since: now,
                number: None,
                step: None,
                done: 0,
                total: 0,
                reason: None,
                made: 0,
                spoiled: 0,
                untouched: 0,
            };
            (slot, view)
        };
        Self {
            slots: slots.into_iter().map(view).collect(),
            finished: VecDeque::new(),
            spent: Spent::default(),
            people: Duration::ZERO,
            work: Duration::ZERO,
        }
    }

    /// Takes in what happened at `now`. A slot that is not on the board is none of this station's.
    pub fn note(&mut self, event: &Event, now: Timestamp) {
        let Some(view) = self.slots.get_mut(&event.slot) else {
            return;
        };
        let (state, reason) = match &event.happening {
            Happening::Paused => (SlotState::Paused, None),
            Happening::NobodyOnShift => (SlotState::NobodyOnShift, None),
            Happening::WaitingForCard => (SlotState::WaitingForCard, None),
            Happening::NothingToDo => (SlotState::NothingToDo, None),
            Happening::CentreAway { reason } => (SlotState::CentreAway, Some(reason.clone())),
            Happening::NeedsPerson { reason } => (SlotState::NeedsPerson, Some(reason.clone())),
            Happening::OutOfService { reason } => (SlotState::OutOfService, Some(reason.clone())),
            Happening::Parked { .. } => (SlotState::Parked, None),
            Happening::Started { number, .. } => {
                view.number = Some(number.clone());
                (view.step, view.done, view.total) = (None, 0, 0);
                (SlotState::Working, None)
            }
            Happening::Progress { step, done, total } => {
                (view.step, view.done, view.total) = (Some(step.clone()), *done, *total);
                (SlotState::Working, None)
            }
            Happening::Finished {
                number, end, spent, ..
            } => {
                view.number = Some(number.clone());
                view.step = None;
                self.spent += *spent;
                let reason = match end {
                    BlankEnd::Personalized => {
                        view.made += 1;
                        self.finished.push_back(now);
                        if self.finished.len() > LATEST {
                            self.finished.pop_front();
                        }
                        None
                    }
                    BlankEnd::Spoiled { cause } => {
                        view.spoiled += 1;
                        Some(cause.clone())
                    }
                    BlankEnd::Untouched { cause } => {
                        view.untouched += 1;
                        Some(cause.clone())
                    }
                };
                (SlotState::Done, reason)
            }
        };
        if state != view.state {
            let lasted = Duration::try_from(now.duration_since(view.since)).unwrap_or_default();
            match view.state {
                SlotState::WaitingForCard | SlotState::Done | SlotState::NeedsPerson => {
                    self.people += lasted;
                }
                SlotState::NothingToDo => self.work += lasted,
                SlotState::CentreAway => self.spent.centre += lasted,
                _ => {}
            }
            view.since = now;
        }
        (view.state, view.reason) = (state, reason);
    }

    /// Returns the slots, by name.
    pub fn slots(&self) -> impl Iterator<Item = &SlotView> {
        self.slots.values()
    }

    /// Returns whether a document is in work anywhere.
    pub fn is_in_work(&self) -> bool {
        let works = |state| matches!(state, SlotState::Working | SlotState::Parked);
        self.slots.values().any(|view| works(view.state))
    }

    /// Returns the figures.
    pub fn pace(&self) -> Pace {
        let sum = |figure: fn(&SlotView) -> u64| self.slots.values().map(figure).sum();
        let per_hour = match (self.finished.front(), self.finished.back()) {
            (Some(first), Some(last)) if last > first => {
                let hours = last.duration_since(*first).as_secs_f64() / 3600.0;
                Some((self.finished.len() - 1) as f64 / hours)
            }
            _ => None,
        };
        Pace {
            made: sum(|view| view.made),
            spoiled: sum(|view| view.spoiled),
            untouched: sum(|view| view.untouched),
            per_hour,
            bottleneck: self.bottleneck(),
        }
    }

    /// Returns what is waited for most. The cards' own time is what remains where nothing else is
    /// waited for much.
    fn bottleneck(&self) -> Option<Bottleneck> {
        let waits = [
            (self.spent.centre, Bottleneck::Centre),
            (self.spent.authority, Bottleneck::Authority),
            (self.spent.printer, Bottleneck::Printer),
            (self.people, Bottleneck::People),
            (self.work, Bottleneck::Work),
        ];
        let all = waits.iter().map(|(time, _)| *time).sum::<Duration>() + self.spent.card;
        let most = waits.iter().max_by_key(|(time, _)| *time)?;
        match () {
            () if all.is_zero() => None,
            () if most.0.as_secs_f64() > all.as_secs_f64() * MUCH && most.0 > self.spent.card => {
                Some(most.1)
            }
            () => Some(Bottleneck::Cards),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn event(happening: Happening) -> Event {
        Event {
            slot: "a".into(),
            happening,
        }
    }

    fn finished(end: BlankEnd, centre: u64) -> Event {
        let centre = Duration::from_secs(centre);
        spent(end, |spent| spent.centre = centre)
    }

    fn spent(end: BlankEnd, on: impl FnOnce(&mut Spent)) -> Event {
        let mut spent = Spent {
            card: Duration::from_secs(10),
            ..Spent::default()
        };
        on(&mut spent);
        event(Happening::Finished {
            number: "XA0000001".into(),
            document: uuid::Uuid::nil(),
            end,
            chips: Vec::new(),
            certificates: 0,
            milliseconds: 0,
            spent,
        })
    }

    #[test]
    fn a_slot_is_where_its_last_event_left_it() {
        let mut board = Board::new(["a".to_owned(), "b".to_owned()], at(0));
        let state = |board: &Board| board.slots().next().unwrap().clone();
        assert_eq!(state(&board).state, SlotState::Starting);
        board.note(&event(Happening::WaitingForCard), at(1));
        board.note(&event(Happening::WaitingForCard), at(5));
        let waiting = state(&board);
        assert_eq!(
            (waiting.state, waiting.since),
            (SlotState::WaitingForCard, at(1))
        );
        let step = Happening::Progress {
            step: "write_file dg2".into(),
            done: 3,
            total: 9,
        };
        board.note(&event(step), at(6));
        assert!(board.is_in_work());
        let cause = "torn out".to_owned();
        board.note(&finished(BlankEnd::Spoiled { cause }, 0), at(9));
        let done = state(&board);
        assert_eq!((done.state, done.spoiled), (SlotState::Done, 1));
        assert_eq!(done.reason.as_deref(), Some("torn out"));
        assert!(!board.is_in_work());
        let other = board.slots().nth(1).unwrap();
        assert_eq!((other.state, other.spoiled), (SlotState::Starting, 0));
    }

    #[test]
    fn the_rate_is_of_the_latest_documents() {
        let mut board = Board::new(["a".to_owned()], at(0));
        board.note(&finished(BlankEnd::Personalized, 0), at(100));
        assert_eq!(board.pace().per_hour, None);
        for place in 1..=60 {
            board.note(&finished(BlankEnd::Personalized, 0), at(100 + 36 * place));
        }
        let pace = board.pace();
        assert_eq!((pace.made, pace.per_hour), (61, Some(100.0)));
    }

    #[test]
    fn what_is_waited_for_most_is_named() {
        let mut board = Board::new(["a".to_owned()], at(0));
        assert_eq!(board.pace().bottleneck, None);
        board.note(&finished(BlankEnd::Personalized, 1), at(0));
        assert_eq!(board.pace().bottleneck, Some(Bottleneck::Cards));
        board.note(&finished(BlankEnd::Personalized, 30), at(0));
        assert_eq!(board.pace().bottleneck, Some(Bottleneck::Centre));
        board.note(&event(Happening::WaitingForCard), at(60));
        board.note(&event(Happening::NothingToDo), at(200));
        assert_eq!(board.pace().bottleneck, Some(Bottleneck::People));
        let made = || BlankEnd::Personalized;
        let long = Duration::from_secs(1000);
        board.note(&spent(made(), |spent| spent.authority = long), at(200));
        assert_eq!(board.pace().bottleneck, Some(Bottleneck::Authority));
        board.note(&spent(made(), |spent| spent.printer = 2 * long), at(200));
        assert_eq!(board.pace().bottleneck, Some(Bottleneck::Printer));
    }
}
