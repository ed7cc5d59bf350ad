//! What a station stands in: the machine's readers and disk, and a centre that may take its time.
//! A rehearsal has others.

use std::sync::Arc;

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
}

impl Default for Surroundings {
    fn default() -> Self {
        Self {
            readers: Arc::new(PcscService),
            writes: Arc::new(Unwatched),
            patience: Patience::default(),
        }
    }
}
