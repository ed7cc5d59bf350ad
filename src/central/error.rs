//! What can go wrong, by whose fault it is.

use std::path::PathBuf;

use api::ApiError;
use audit::Outcome;
use document::{Fault, LifeCycle, WrongNumberFormat};
use thiserror::Error;

/// The result of what the store does.
pub(crate) type Result<T, E = CentralError> = std::result::Result<T, E>;

/// Why the store did not do what it was asked. None of these names a holder.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CentralError {
    /// An application is not valid; nothing of it was stored.
    #[error("the application is refused for {} faults: {}", faults.len(), list(faults))]
    Application {
        /// Every fault.
        faults: Vec<Fault>,
    },
    /// What was asked for makes no sense.
    #[error("the request is not valid: {reason}")]
    Invalid {
        /// What is wrong with it.
        reason: String,
    },
    /// A rule or a missing right forbids it.
    #[error("refused: {reason}")]
    Refused {
        /// Which rule, and what to do.
        reason: String,
    },
    /// There is no such thing.
    #[error("there is no {what}")]
    NotFound {
        /// What was asked for.
        what: String,
    },
    /// The thing is in another state than the request supposes.
    #[error("conflict: {reason}")]
    Conflict {
        /// What differs.
        reason: String,
    },
    /// The store was restored from a backup, and does not know yet what was made after it.
    #[error("{reason}")]
    Reconciling {
        /// What is awaited.
        reason: &'static str,
    },
    /// Somebody did not prove who they are. Which part was wrong stands in the audit log only.
    #[error(
        "the account, the password or the second factor is not right, or the account may not be used"
    )]
    SignIn,
    /// Too many attempts failed.
    #[error("too many attempts failed; try again in {seconds} seconds")]
    TooSoon {
        /// When it may be tried again.
        seconds: u64,
    },
    /// What was to stand for a person does not, or not any more.
    #[error("the session or ticket does not hold, or not here; sign in again")]
    NoSession,
    /// The thing is another than the caller saw.
    #[error("it changed since it was read; read it again, and decide again")]
    Changed,
    /// The act takes a second person, who has not confirmed it in a session of their own.
    #[error("a second person must confirm this in a session of their own")]
    SecondPerson,
    /// The operating system gave no random bytes.
    #[error("the operating system gives no random bytes")]
    Random,
    /// The chips that lie at one slot are not those of one blank.
    #[error("the chips are not of one blank: {reason}")]
    NotOneBlank {
        /// Which chips of which blanks.
        reason: String,
    },
    /// A lease that was moved to another station.
    #[error("moved to another station: {reason}")]
    Moved {
        /// What was moved, and what to do with what lies there.
        reason: String,
    },
    /// A card that was begun elsewhere is awaited, and may lie in the slot that asks.
    #[error("a card that was begun elsewhere is awaited; say which chips lie in the slot")]
    ChipsWanted,
    /// A number that documents of a kind do not have.
    #[error(transparent)]
    NumberFormat(#[from] WrongNumberFormat),
    /// A chip's cryptogram does not fit its keys.
    #[error("the keys of this chip are not ours: its cryptogram does not fit")]
    WrongKeys,
    /// The installation is set up in a way that cannot work, or as another one.
    #[error("the installation cannot start: {reason}")]
    Setup {
        /// What is wrong, and what to do.
        reason: String,
    },
    /// Nobody founded the store.
    #[error(
        "no store was founded in {database}; zimogs central init founds it, zimogs central restore brings one back"
    )]
    Unfounded {
        /// Which database, without any password.
        database: String,
    },
    /// What is for a test was to serve in production, or the reverse.
    #[error("the installation cannot start: {reason}")]
    Environment {
        /// What is not of this environment, and what to do.
        reason: String,
    },
    /// A plan asks for what authority or token do not have.
    #[error("{reason}")]
    Unfit {
        /// What is missing, and what to do.
        reason: String,
    },
    /// A firmware profile is not sound.
    #[error("a profile cannot be used")]
    Profile(#[from] profile::ProfileError),
    /// A profile is not released as it is, and so may not run.
    #[error("the installation cannot start")]
    Release(#[from] profile::ReleaseError),
    /// A step of a profile cannot be rendered.
    #[error("a step of the profile cannot be rendered")]
    Render(#[from] profile::RenderError),
    /// The token did not serve.
    #[error("the token does not serve")]
    Token(#[from] hsm::HsmError),
    /// A wrapping key that the books know, and that nothing lies under yet, is not in the token.
    #[error(
        "key \"{label}\" is not in the token: it was made and is not taken into use without it; bring back the token's backup that has it (zimogs hsm restore), wait where the token copies its keys to this one, or have another made: zimogs central erase --turn-keys"
    )]
    KeyMissing {
        /// Its label.
        label: String,
    },
    /// A PIN envelope was not sealed or not opened.
    #[error("the PIN envelope cannot be used")]
    Envelope(#[from] hsm::EnvelopeError),
    /// The certificate authority did not issue.
    #[error("the certificate authority does not serve: {reason}")]
    Authority {
        /// What it says.
        reason: String,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A document signer did not sign.
    #[error("the document signer does not serve")]
    Signing {
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A certification authority did not do what it was asked. What it said is for whoever asked
    /// it, and in no log: it may name a holder.
    #[error("the certification authority {what}")]
    Certification {
        /// What happened.
        what: &'static str,
        /// What it said.
        said: String,
    },
    /// An audit entry or a checkpoint could not be made.
    #[error("the audit log cannot take {what}")]
    Audit {
        /// What could not be taken.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Stored data are not what this program wrote.
    #[error("stored data are damaged: {what}; restore a backup and treat this as an incident")]
    Damaged {
        /// What is damaged.
        what: String,
    },
    /// A copy of the store ends before what somebody has seen of its log.
    #[error(
        "the copy ends at entry {entries} of the log, and a checkpoint over {seen} entries is known: what came between is lost, and numbers would be given twice; restore what came after the copy too"
    )]
    Lacking {
        /// How many entries the copy has.
        entries: u64,
        /// How many there were.
        seen: u64,
    },
    /// The database's server does not answer, or lets nobody in.
    #[error("{database} cannot be opened; see that the server runs, and that it lets this user in")]
    Unreachable {
        /// Which database, without any password.
        database: String,
        /// What it said.
        #[source]
        source: sqlx::Error,
    },
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// Others changed the same rows at the same time, again and again.
    #[error("others change the same things at this moment; ask again")]
    Busy {
        /// What the database said last.
        #[source]
        source: sqlx::Error,
    },
    /// The database could not be brought to this program's form.
    #[error("the database could not be migrated")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A file of an export could not be written.
    #[error("{} cannot be written", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Work was cut off because the program ends.
    #[error("the work was cut off: the program is ending")]
    Ending,
}

fn list(faults: &[Fault]) -> String {
    let lines: Vec<_> = faults.iter().map(Fault::to_string).collect();
    lines.join("; ")
}

impl CentralError {
    pub(crate) fn refused(reason: impl Into<String>) -> Self {
        Self::Refused {
            reason: reason.into(),
        }
    }

    pub(crate) fn invalid(reason: impl Into<String>) -> Self {
        Self::Invalid {
            reason: reason.into(),
        }
    }

    pub(crate) fn conflict(reason: impl Into<String>) -> Self {
        Self::Conflict {
            reason: reason.into(),
        }
    }

    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged { what: what.into() }
    }

    pub(crate) fn audit(
        what: &'static str,
    ) -> impl Fn(Box<dyn std::error::Error + Send + Sync>) -> Self {
        move |source| Self::Audit { what, source }
    }

    /// Returns the whole chain of causes on one line, for the audit log.
    pub(crate) fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        text
    }

    /// Returns how an act that ended so stands in the audit log: nothing where the log itself,
    /// or the database under it, is what failed.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Application { .. }
            | Self::Invalid { .. }
            | Self::Refused { .. }
            | Self::NotFound { .. }
            | Self::Conflict { .. }
            | Self::Certification { .. }
            | Self::NotOneBlank { .. }
            | Self::Moved { .. }
            | Self::NumberFormat(_)
            | Self::SignIn
            | Self::Changed
            | Self::WrongKeys => Some(Outcome::Refused),
            Self::Unfit { .. }
            | Self::Profile(_)
            | Self::Render(_)
            | Self::Token(_)
            | Self::KeyMissing { .. }
            | Self::Envelope(_)
            | Self::Authority { .. }
            | Self::Signing { .. }
            | Self::File { .. }
            | Self::Damaged { .. }
            | Self::Lacking { .. } => Some(Outcome::Failed),
            Self::Setup { .. }
            | Self::Unfounded { .. }
            | Self::Environment { .. }
            | Self::Release(_)
            | Self::Audit { .. }
            | Self::Database(_)
            | Self::Busy { .. }
            | Self::Unreachable { .. }
            | Self::Migration(_)
            // An attempt that is not judged leaves nothing: else the log is flooded.
            | Self::TooSoon { .. }
            | Self::Reconciling { .. }
            | Self::NoSession
            // It is not refused: it is asked for.
            | Self::SecondPerson
            | Self::ChipsWanted
            | Self::Random
            | Self::Ending => None,
        }
    }
}

/// What a station is told. Where the fault is the store's own, it learns only that it may ask
/// again: what broke is for the log of the store.
impl From<CentralError> for ApiError {
    fn from(error: CentralError) -> Self {
        match error {
            CentralError::Application { .. } => Self::Invalid {
                reason: error.to_string(),
            },
            CentralError::Invalid { reason } => Self::Invalid { reason },
            CentralError::Refused { reason } => Self::Refused { reason },
            CentralError::NotFound { what } => Self::NotFound { what },
            CentralError::Conflict { reason } => Self::Conflict { reason },
            CentralError::Certification { ref said, .. } => Self::Refused {
                reason: format!("{error}: {said}; report the blank as spoiled"),
            },
            CentralError::Reconciling { reason } => Self::Unavailable {
                reason: reason.to_owned(),
            },
            CentralError::NotOneBlank { reason } => Self::NotOneBlank { reason },
            CentralError::Moved { reason } => Self::Moved { reason },
            CentralError::ChipsWanted => Self::ChipsWanted,
            CentralError::NumberFormat(wrong) => Self::Refused {
                reason: wrong.to_string(),
            },
            CentralError::WrongKeys => Self::WrongKeys,
            CentralError::SignIn
            | CentralError::NoSession
            | CentralError::TooSoon { .. }
            | CentralError::SecondPerson => Self::Refused {
                reason: error.to_string(),
            },
            CentralError::Changed => Self::Conflict {
                reason: error.to_string(),
            },
            other => {
                tracing::error!(
                    error = other.chain(),
                    "the store could not answer a station"
                );
                Self::Unavailable {
                    reason: other.to_string(),
                }
            }
        }
    }
}

/// The target of the trace of what moves.
const MOVED: &str = "central::moved";

/// Returns where an event would lead a life cycle, and moves nothing.
pub(crate) fn admits<S: LifeCycle>(state: S, event: S::Event) -> Result<S> {
    state
        .apply(event)
        .map_err(|refused| CentralError::conflict(refused.to_string()))
}

/// Moves a life cycle on.
pub(crate) fn advance<S: LifeCycle>(state: S, event: S::Event) -> Result<S> {
    let next = admits(state, event)?;
    // For tests: a transition is one of the acts' that its life cycle names.
    tracing::trace!(
        target: MOVED,
        subject = S::SUBJECT,
        from = state.label(),
        event = S::event_label(event)
    );
    Ok(next)
}
