//! Why a job was not printed, or nobody knows whether it was.

use std::error::Error;
use std::io;

use thiserror::Error;

/// What goes wrong below a printer's protocol.
type Cause = Box<dyn Error + Send + Sync>;

/// Why a job was not printed, or nobody knows whether it was.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PageError {
    /// The job's name is none.
    #[error("a job's name is 1 to 64 of A-Z, a-z, 0-9, -, _ and full stop; nothing was sent")]
    Name,
    /// It cannot be reached. Nothing was sent.
    #[error("the printer {printer} cannot be reached; nothing was sent")]
    Unreachable {
        /// Where it was looked for.
        printer: String,
        /// Why.
        #[source]
        source: Cause,
    },
    /// What answers is no printer of this protocol. Nothing was printed.
    #[error("{printer} does not answer as a printer of its protocol; nothing was printed")]
    NoPrinter {
        /// Where it is.
        printer: String,
        /// What is wrong with it.
        #[source]
        source: Cause,
    },
    /// It takes no job now. Nothing was sent.
    #[error("the printer {printer} is not ready: {}; nothing was sent", conditions.join(", "))]
    NotReady {
        /// Where it is.
        printer: String,
        /// What it says of itself.
        conditions: Vec<String>,
    },
    /// It does not print such content. Nothing was sent.
    #[error("the printer {printer} does not print {content}; nothing was sent")]
    Content {
        /// Where it is.
        printer: String,
        /// What was to be printed.
        content: String,
    },
    /// It refused the job. Nothing was printed.
    #[error("the printer {printer} refused the job: {said}; nothing was printed")]
    Refused {
        /// Where it is.
        printer: String,
        /// What it said.
        said: String,
    },
    /// Some of it may be on paper, and not all of it for sure.
    #[error(
        "the job {job} at {printer} failed: look what came out, and destroy it, before it is printed again"
    )]
    Spoiled {
        /// Where it is.
        printer: String,
        /// The job: its number, where the printer gave it one, or its name.
        job: String,
        /// What happened.
        #[source]
        cause: SpoiledCause,
    },
    /// A file cannot be written.
    #[error("{path} cannot be written")]
    File {
        /// Its path.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// What happened to a job of which some may be on paper.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SpoiledCause {
    /// The connection broke, and the job could not be found again.
    #[error("the connection broke")]
    Lost(#[source] Cause),
    /// The printer gave it up.
    #[error("the printer gave it up: {}", .0.join(", "))]
    Aborted(Vec<String>),
    /// Somebody cancelled it.
    #[error("it was cancelled: {}", .0.join(", "))]
    Cancelled(Vec<String>),
    /// It was not done in time, and was cancelled.
    #[error("it was not done in time: {}; it was cancelled", .0.join(", "))]
    Late(Vec<String>),
}

impl PageError {
    /// Tells whether any of the job may be on paper.
    #[must_use]
    pub const fn may_be_on_paper(&self) -> bool {
        matches!(self, Self::Spoiled { .. })
    }
}
