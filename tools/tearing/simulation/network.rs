//! The network between the stations and the centre: requests and answers take their time, overtake
//! each other, are lost, arrive twice or long after anybody waits for them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use station::{Asked, Courier, Passed};
use tokio::sync::oneshot;

use super::time::Time;
use crate::dice::Dice;

/// How long a station waits for one answer (`station::RemoteConfig`).
const ANSWER: Duration = Duration::from_secs(110);

/// What comes back.
pub(super) type Answered = Result<Passed, String>;

/// Where an answer goes; nowhere from the second time that a request arrives.
type Reply = Option<oneshot::Sender<Answered>>;

/// What is on its way.
pub(super) enum Leg {
    /// A request, to the centre.
    There {
        station: usize,
        asked: Asked,
        reply: Reply,
    },
    /// An answer, to a station.
    Back {
        station: usize,
        method: String,
        answer: Answered,
        reply: Reply,
    },
}

/// How much goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weather {
    /// Nothing.
    Calm,
    /// Little.
    Fair,
    /// A lot.
    Foul,
}

impl Weather {
    /// Returns once in how many times something goes wrong; none: never.
    fn once_in(self) -> Option<u64> {
        match self {
            Self::Calm => None,
            Self::Fair => Some(40),
            Self::Foul => Some(6),
        }
    }
}

struct State {
    dice: Dice,
    weather: Weather,
    /// Which stations are cut off.
    cut: Vec<bool>,
    /// By the moment at which it arrives, and in which order it was sent.
    legs: BTreeMap<(u64, u64), Leg>,
    sent: u64,
    /// Nobody answers these, and whoever waits is not told so.
    silent: Vec<oneshot::Sender<Answered>>,
    told: Vec<String>,
}

/// The network.
pub(super) struct Network {
    time: Arc<Time>,
    state: Mutex<State>,
}

/// Returns the method of a request, for people.
fn method(asked: &Asked) -> &str {
    asked.target.rsplit('/').next().unwrap_or_default()
}

impl State {
    fn goes_wrong(&mut self) -> bool {
        self.weather
            .once_in()
            .is_some_and(|times| self.dice.once_in(times))
    }

    /// Draws how long something is on its way, in milliseconds.
    fn delay(&mut self) -> u64 {
        if !self.goes_wrong() {
            return 1 + self.dice.throw(60);
        }
        match self.dice.throw(4) {
            // Longer than anybody waits for it.
            0 => self.dice.throw(15 * 60_000),
            _ => self.dice.throw(5_000),
        }
    }

    fn send(&mut self, now: u64, leg: Leg) {
        let at = now + self.delay();
        self.sent += 1;
        self.legs.insert((at, self.sent), leg);
    }

    /// Loses something: whoever waits for it is told so, or not.
    fn lose(&mut self, reply: Reply) {
        if self.dice.once_in(2) {
            self.silent.extend(reply);
        }
    }
}

impl Network {
    pub(super) fn new(time: &Arc<Time>, dice: Dice, stations: usize) -> Arc<Self> {
        let state = State {
            dice,
            weather: Weather::Fair,
            cut: vec![false; stations],
            legs: BTreeMap::new(),
            sent: 0,
            silent: Vec::new(),
            told: Vec::new(),
        };
        Arc::new(Self {
            time: Arc::clone(time),
            state: Mutex::new(state),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn turn(&self, weather: Weather) {
        self.state().weather = weather;
    }

    /// Cuts a station off, or connects it again.
    pub(super) fn cut(&self, station: usize, is_cut: bool) {
        if let Some(cut) = self.state().cut.get_mut(station) {
            *cut = is_cut;
        }
    }

    /// Takes what was said since the last time.
    pub(super) fn told(&self) -> Vec<String> {
        std::mem::take(&mut self.state().told)
    }

    /// Returns when the next thing arrives.
    pub(super) fn next(&self) -> Option<u64> {
        self.state().legs.keys().next().map(|(at, _)| *at)
    }

    /// Takes one of the things that have arrived by now, whichever the dice say.
    pub(super) fn arrived(&self) -> Option<Leg> {
        let mut state = self.state();
        let due = state.legs.range(..=(self.time.passed(), u64::MAX));
        let due: Vec<_> = due.map(|(key, _)| *key).collect();
        let place = state.dice.place(due.len());
        state.legs.remove(due.get(place)?)
    }

    /// Returns how many things have arrived by now.
    pub(super) fn waiting(&self) -> usize {
        let state = self.state();
        state.legs.range(..=(self.time.passed(), u64::MAX)).count()
    }

    fn post(&self, station: usize, asked: Asked, reply: Reply) {
        let now = self.time.passed();
        let mut state = self.state();
        let name = method(&asked).to_owned();
        if state.cut.get(station).copied().unwrap_or_default() {
            state
                .told
                .push(format!("{name} of {} has no way", station + 1));
            state.lose(reply);
            return;
        }
        if state.goes_wrong() {
            state
                .told
                .push(format!("{name} of {} is lost", station + 1));
            state.lose(reply);
            return;
        }
        if state.goes_wrong() {
            let again = Leg::There {
                station,
                asked: asked.clone(),
                reply: None,
            };
            let at = now + state.dice.throw(10 * 60_000);
            state.sent += 1;
            let key = (at, state.sent);
            state.legs.insert(key, again);
            state
                .told
                .push(format!("{name} of {} goes twice", station + 1));
        }
        let leg = Leg::There {
            station,
            asked,
            reply,
        };
        state.send(now, leg);
    }

    /// Sends an answer back.
    pub(super) fn answer(&self, station: usize, method: &str, answer: Answered, reply: Reply) {
        let now = self.time.passed();
        let mut state = self.state();
        let is_cut = state.cut.get(station).copied().unwrap_or_default();
        if reply.is_some() && (is_cut || state.goes_wrong()) {
            let told = format!("the answer to {method} of {} is lost", station + 1);
            state.told.push(told);
            state.lose(reply);
            return;
        }
        let leg = Leg::Back {
            station,
            method: method.to_owned(),
            answer,
            reply,
        };
        state.send(now, leg);
    }
}

/// One station's way to the centre.
pub(super) struct Way {
    pub(super) network: Arc<Network>,
    pub(super) station: usize,
}

#[async_trait]
impl Courier for Way {
    async fn carry(&self, asked: Asked) -> Result<Option<Passed>, String> {
        let (reply, answered) = oneshot::channel();
        self.network.post(self.station, asked, Some(reply));
        match tokio::time::timeout(ANSWER, answered).await {
            Ok(Ok(answer)) => answer.map(Some),
            Ok(Err(_)) => Err("the connection broke".into()),
            Err(_) => Err("no answer in time".into()),
        }
    }
}
