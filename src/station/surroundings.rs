//! What a station stands in: the machine's readers, disk and clock, and a centre that may take its
//! time. A rehearsal has others.

use std::sync::Arc;

use jiff::Timestamp;

use crate::bridge::Patience;
use crate::journal::{Unwatched, WriteWatch};
use crate::readers::{PcscService, ReaderService};

/// What a station stands in. By default it is the machine, and the patience of every day.
pub struct Surroundings {
    /// What its readers are reached by.
    pub readers: Arc<dyn ReaderService>,
    /// Who sees every write of its journal.
    pub writes: Arc<dyn WriteWatch>,
    /// How long it waits for the centre.
    pub patience: Patience,
    /// What time it is there.
    pub clock: Arc<dyn Clock>,
    /// Which start of the machine it is; none where that is not known.
    pub boot: Option<String>,
    /// Who says which of its threads moves next. None: they wait in the operating system, and move as
    /// they like.
    pub turns: Option<Arc<dyn Turns>>,
}

impl Default for Surroundings {
    fn default() -> Self {
        Self {
            readers: Arc::new(PcscService),
            writes: Arc::new(Unwatched),
            patience: Patience::default(),
            clock: Arc::new(SystemClock),
            boot: this_boot(),
            turns: None,
        }
    }
}

/// Returns which start of this machine it is.
pub(crate) fn this_boot() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(boot.trim().to_owned())
}

/// A station's clock.
pub trait Clock: Send + Sync {
    /// Returns the present moment.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Lets the threads of a station move one at a time, in an order that somebody draws: a simulation
/// that is to run the same way again.
pub trait Turns: Send + Sync {
    /// Gives the turn away: whoever calls this has nothing to do until something else moved. Returns
    /// when it is the caller's turn again, whether or not that has come which it waits for.
    fn pass(&self);
}
