//! How a command fails: an exit code that scripts can trust, what happened, and what to do.

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use central::CentralError;
use perso::Fault;

/// A command that did not do what was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    message: String,
    hint: Option<String>,
}

/// What kind of failure it is: one exit code each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It was tried and failed.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// A reader, a card or a printer.
    Device = 3,
    /// A rule or a missing right forbids it.
    Refused = 4,
    /// Something was altered that must not be.
    Integrity = 5,
}

impl Failure {
    /// Makes a failure that says `message`.
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
        }
    }

    /// Makes a failure of an error with all its causes.
    pub(crate) fn of(kind: Kind, error: &(dyn Error + 'static)) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            // An error that is transparent to its cause would say it twice.
            if !message.ends_with(&text) {
                message.push_str("\n  because ");
                message.push_str(&text);
            }
            source = cause.source();
        }
        Self::new(kind, message)
    }

    /// Adds what to do about it.
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Returns what happened.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Returns what to do about it.
    pub(crate) fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Returns what kind of failure it is.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// Shows it on standard error.
    pub(crate) fn show(&self) {
        let mut out = std::io::stderr().lock();
        // Nobody is left to tell when standard error is closed.
        let _ = writeln!(out, "zimogs: {}", self.message);
        if let Some(hint) = &self.hint {
            let _ = writeln!(out, "  try: {hint}");
        }
    }

    /// Returns the exit code.
    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(self.kind as u8)
    }
}

impl From<CentralError> for Failure {
    fn from(error: CentralError) -> Self {
        let kind = match error {
            CentralError::Application { .. }
            | CentralError::Refused { .. }
            | CentralError::NotFound { .. }
            | CentralError::Conflict { .. }
            | CentralError::Changed
            | CentralError::Reconciling { .. }
            | CentralError::SignIn
            | CentralError::NoSession
            | CentralError::SecondPerson
            | CentralError::TooSoon { .. }
            | CentralError::Unfounded { .. }
            | CentralError::Environment { .. } => Kind::Refused,
            CentralError::Invalid { .. } => Kind::Usage,
            CentralError::Token(_) | CentralError::KeyMissing { .. } | CentralError::WrongKeys => {
                Kind::Device
            }
            CentralError::Release(ref error) if !error.is_alteration() => Kind::Refused,
            CentralError::Damaged { .. }
            | CentralError::Lacking { .. }
            | CentralError::Release(_) => Kind::Integrity,
            _ => Kind::Failed,
        };
        Self::of(kind, &error)
    }
}

impl From<&Fault> for Kind {
    /// Says by whose fault work on a chip failed.
    fn from(fault: &Fault) -> Self {
        match fault {
            Fault::WrongChip { .. }
            | Fault::AuthenticationRefused { .. }
            | Fault::NotProved { .. }
            | Fault::Refused { .. }
            | Fault::SecretRefused { .. }
            | Fault::NoResult { .. }
            | Fault::Channel { .. }
            | Fault::Card { .. } => Self::Device,
            // What the store does not allow, it says through the executor.
            Fault::AlreadyPersonalized { .. } | Fault::WrongKeys { .. } | Fault::Centre { .. } => {
                Self::Refused
            }
            Fault::OldKeysTaken { .. }
            | Fault::KeyCheckValue { .. }
            | Fault::Certificate { .. }
            | Fault::ReadBack { .. }
            | Fault::Inspection { .. }
            | Fault::Signature { .. }
            | Fault::Tries { .. } => Self::Integrity,
            _ => Self::Failed,
        }
    }
}

/// Turns an error into a failure of a kind: `.or_fail(Kind::Device)?`.
pub(crate) trait OrFail<T> {
    /// Makes the error a failure.
    fn or_fail(self, kind: Kind) -> Result<T, Failure>;
}

impl<T, E: Error + 'static> OrFail<T> for Result<T, E> {
    fn or_fail(self, kind: Kind) -> Result<T, Failure> {
        self.map_err(|error| Failure::of(kind, &error))
    }
}
