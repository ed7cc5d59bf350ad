//! How the threads of a station wait: in the operating system, or, where somebody draws which of them
//! moves next, by giving their turn away.

use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::task::{Context, Poll, Waker};

use jiff::Timestamp;

use crate::drive::{Answers, Heard};
use crate::station::Shared;
use crate::surroundings::{Clock, Turns};

impl Shared {
    /// Waits on this thread until a future is through.
    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        let Some(turns) = &self.turns else {
            return self.runtime.block_on(future);
        };
        let _within = self.runtime.enter();
        let mut future = pin!(future);
        // Whoever has the turn looks by themselves whether anything came.
        let mut context = Context::from_waker(Waker::noop());
        loop {
            match future.as_mut().poll(&mut context) {
                Poll::Ready(done) => return done,
                Poll::Pending => turns.pass(),
            }
        }
    }

    /// Returns what arrives at a receiver, as this station waits for it.
    pub(crate) fn answers(&self, received: Receiver<Heard>) -> impl Answers {
        Arriving {
            received,
            clock: Arc::clone(&self.clock),
            turns: self.turns.clone(),
        }
    }
}

/// What arrives for one blank in work.
struct Arriving {
    received: Receiver<Heard>,
    clock: Arc<dyn Clock>,
    turns: Option<Arc<dyn Turns>>,
}

impl Answers for Arriving {
    fn arrived(&self) -> Option<Heard> {
        self.received.try_recv().ok()
    }

    fn next(&self) -> Option<Heard> {
        let Some(turns) = &self.turns else {
            return self.received.recv().ok();
        };
        loop {
            match self.received.try_recv() {
                Ok(heard) => return Some(heard),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => turns.pass(),
            }
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
