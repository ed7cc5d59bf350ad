//! The readers of this machine.

use std::ffi::CString;
use std::time::{Duration, Instant};

use pcsc::{Context, Scope, State};

use crate::error::ReaderError;

/// How long one wait for a change lasts before the readers are looked at again.
const POLL: Duration = Duration::from_millis(500);

/// A connection to the PC/SC service. One per thread: a slot must not wait for another's.
pub struct Readers {
    context: Context,
}

/// A reader and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReaderState {
    /// The reader's name.
    pub name: String,
    /// The answer to reset of the card in it, if there is one.
    pub atr: Option<Vec<u8>>,
    /// Whether another program holds the card for itself.
    pub in_use: bool,
}

/// One insertion of a card into a reader, told apart from the next by the service's count of
/// insertions and removals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Insertion(u32);

impl Insertion {
    /// Returns the insertion of this count, for what has cards without a service.
    #[must_use]
    pub const fn counted(count: u32) -> Self {
        Self(count)
    }
}

impl Readers {
    /// Connects to the service.
    ///
    /// # Errors
    /// [`ReaderError::NoService`] when it does not run.
    pub fn new() -> Result<Self, ReaderError> {
        let context = Context::establish(Scope::User)
            .map_err(|error| ReaderError::service("connecting", error))?;
        Ok(Self { context })
    }

    /// Returns all readers with their cards, in the service's order; none is no error.
    pub fn list(&self) -> Result<Vec<ReaderState>, ReaderError> {
        let names = match self.context.list_readers_owned() {
            Ok(names) => names,
            Err(pcsc::Error::NoReadersAvailable) => return Ok(Vec::new()),
            Err(error) => return Err(ReaderError::service("listing readers", error)),
        };
        names.into_iter().map(|name| self.state(name)).collect()
    }

    fn state(&self, name: CString) -> Result<ReaderState, ReaderError> {
        let shown = name.to_string_lossy().into_owned();
        let mut states = [pcsc::ReaderState::new(name, State::UNAWARE)];
        match self
            .context
            .get_status_change(Some(Duration::ZERO), &mut states)
        {
            Ok(()) | Err(pcsc::Error::Timeout) => {}
            Err(error) => return Err(ReaderError::service("looking into a reader", error)),
        }
        let [state] = states;
        let found = state.event_state();
        Ok(ReaderState {
            name: shown,
            atr: found.contains(State::PRESENT).then(|| state.atr().to_vec()),
            in_use: found.contains(State::EXCLUSIVE),
        })
    }

    /// Returns the one reader whose name is `name`, or else contains it.
    ///
    /// # Errors
    /// [`ReaderError::UnknownReader`], [`ReaderError::AmbiguousReader`], [`ReaderError::NoReaders`].
    pub fn find(&self, name: &str) -> Result<ReaderState, ReaderError> {
        let all = self.list()?;
        if all.is_empty() {
            return Err(ReaderError::NoReaders);
        }
        if let Some(exact) = all.iter().find(|reader| reader.name == name) {
            return Ok(exact.clone());
        }
        let mut fits: Vec<_> = all
            .iter()
            .filter(|reader| reader.name.contains(name))
            .cloned()
            .collect();
        match (fits.pop(), fits.is_empty()) {
            (Some(one), true) => Ok(one),
            (Some(one), false) => Err(ReaderError::AmbiguousReader {
                name: name.to_owned(),
                fits: fits
                    .into_iter()
                    .chain([one])
                    .map(|reader| reader.name)
                    .collect(),
            }),
            (None, _) => Err(ReaderError::UnknownReader {
                name: name.to_owned(),
                known: all.into_iter().map(|reader| reader.name).collect(),
            }),
        }
    }

    /// Waits until a card is in `reader`, at most `timeout`; `stop` is asked now and then
    /// whether to give up. Returns which insertion it was.
    ///
    /// # Errors
    /// [`ReaderError::NoCardCame`].
    pub fn wait_for_card(
        &self,
        reader: &str,
        timeout: Duration,
        stop: &dyn Fn() -> bool,
    ) -> Result<Insertion, ReaderError> {
        self.wait(reader, timeout, stop, &|state, _| {
            state.contains(State::PRESENT)
        })
    }

    /// Waits until the card of `insertion` is gone from `reader`, also when another one is
    /// there already. Returns whether it is gone: not so after `timeout` or `stop`.
    ///
    /// # Errors
    /// The service's.
    pub fn wait_for_removal(
        &self,
        reader: &str,
        insertion: Insertion,
        timeout: Duration,
        stop: &dyn Fn() -> bool,
    ) -> Result<bool, ReaderError> {
        let gone = |state: State, now: Insertion| state.contains(State::EMPTY) || now != insertion;
        match self.wait(reader, timeout, stop, &gone) {
            Ok(_) => Ok(true),
            Err(ReaderError::NoCardCame { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn wait(
        &self,
        reader: &str,
        timeout: Duration,
        stop: &dyn Fn() -> bool,
        done: &dyn Fn(State, Insertion) -> bool,
    ) -> Result<Insertion, ReaderError> {
        let unknown = || ReaderError::UnknownReader {
            name: reader.to_owned(),
            known: Vec::new(),
        };
        let name = CString::new(reader).map_err(|_| unknown())?;
        let mut states = [pcsc::ReaderState::new(name, State::UNAWARE)];
        let end = Instant::now() + timeout;
        loop {
            match self
                .context
                .get_status_change(Some(POLL.min(timeout)), &mut states)
            {
                Ok(()) | Err(pcsc::Error::Timeout) => {}
                Err(pcsc::Error::UnknownReader) => return Err(unknown()),
                Err(error) => return Err(ReaderError::service("waiting for a card", error)),
            }
            let [state] = &mut states;
            let now = Insertion(state.event_count());
            if done(state.event_state(), now) {
                return Ok(now);
            }
            state.sync_current_state();
            if stop() || Instant::now() >= end {
                return Err(ReaderError::NoCardCame {
                    reader: reader.to_owned(),
                    seconds: timeout.as_secs(),
                });
            }
        }
    }
}
