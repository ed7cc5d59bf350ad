//! A printer of envelopes, whatever it is connected by.

use std::io;

use thiserror::Error;

use crate::letter::Letter;

/// A printer of envelopes.
pub trait EnvelopePrinter {
    /// Prints a letter, once. The letter is gone afterwards, whatever came of it.
    ///
    /// # Errors
    /// [`PrintError`]; [`PrintError::is_spent`] says whether any of it may be on paper.
    fn print(&mut self, letter: Letter) -> Result<PrintedReceipt, PrintError>;
}

/// The printer said that the envelope is in its output bin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrintedReceipt {
    /// The envelope's serial number.
    pub serial: String,
    /// The printer's address.
    pub printer: String,
}

/// Why an envelope was not printed, or nobody knows whether it was.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PrintError {
    /// The printer cannot be reached. Nothing was sent.
    #[error("the printer {printer} cannot be reached; nothing was sent")]
    Unreachable {
        /// Its address.
        printer: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What answers is no printer that this program can speak to. Nothing of the letter was sent.
    #[error("{printer} does not answer as a printer with a job language (PJL); nothing was sent")]
    NoPrinter {
        /// Its address.
        printer: String,
        /// What was wrong with it.
        #[source]
        source: io::Error,
    },
    /// The printer is not ready. Nothing of the letter was sent.
    #[error("the printer is not ready: \"{display}\" ({code}); nothing was sent")]
    NotReady {
        /// Its status code.
        code: u32,
        /// What its panel shows.
        display: String,
    },
    /// The letter holds what would end it early. Nothing of it was sent.
    #[error("the letter cannot be told from the printer's own commands; nothing was sent")]
    Ambiguous,
    /// The letter was sent, or some of it, and was not printed for sure.
    #[error(
        "envelope {serial} is spent and must be accounted as destroyed: cancel the job at the printer, and destroy what came out of it"
    )]
    Spent {
        /// The envelope's serial number.
        serial: String,
        /// What happened.
        #[source]
        cause: SpentCause,
    },
}

/// What happened to an envelope that is spent.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SpentCause {
    /// The connection broke in the middle.
    #[error("the connection broke after {sent} of {whole} bytes of the letter")]
    Broken {
        /// How many bytes were given to the connection.
        sent: usize,
        /// How many there are.
        whole: usize,
        /// What happened.
        #[source]
        source: io::Error,
    },
    /// All of it was sent, and the printer never said that it is printed.
    #[error("the printer did not say that the envelope is printed")]
    Silent(#[source] io::Error),
    /// The printer stopped.
    #[error("the printer stopped: \"{display}\" ({code})")]
    Stopped {
        /// Its status code.
        code: u32,
        /// What its panel shows.
        display: String,
    },
    /// The job was cancelled.
    #[error("the printer ended the job with \"{0}\"")]
    Cancelled(String),
    /// Not one page.
    #[error("the printer says that it printed {0} pages, and the letter has one")]
    Pages(u32),
}

impl PrintError {
    /// Returns whether any of the letter may be on paper, or in the printer's memory: then the
    /// envelope is spent, and another one is a new PIN set.
    pub fn is_spent(&self) -> bool {
        matches!(self, Self::Spent { .. })
    }
}
