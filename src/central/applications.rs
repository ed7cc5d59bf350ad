//! Applications: taken in whole or not at all, and decided by a second person.

use api::{Actor, CAUSE_LIMIT};
use audit::Control;
use document::life_cycle::{ApplicationEvent, ApplicationState, LifeCycle};
use document::{Act, Application, DocumentNumber, OfficeCode, Reference, four_eyes};
use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::Row;
use zeroize::Zeroizing;

use crate::accounts::{Person, authorise};
use crate::blind_index::store_digests;
use crate::central::Central;
use crate::contention::retried;
use crate::data_keys::store_keys;
use crate::database::{Connection, moment, parsed, stored};
use crate::error::{CentralError, Result, advance};
use crate::incoming::Incoming;
use crate::personal::{SealedApplication, store_images};
use crate::register_reports::application_changed;
use crate::scribe::Deed;
use crate::statements::sql;

impl Central {
    /// Takes in an application, JSON format 1.
    ///
    /// # Errors
    /// [`CentralError::Application`] with every fault: nothing of it is then stored but the
    /// refusal; [`CentralError::Conflict`] for a reference that is there already;
    /// [`CentralError::Refused`] without the right to it.
    pub async fn import(&self, actor: &Actor, bytes: &[u8]) -> Result<Reference> {
        let application = Application::parse(bytes, self.today())
            .map_err(|faults| CentralError::Application { faults });
        let reference = application
            .as_ref()
            .map_or("not-read", |application| application.reference.as_str());
        let deed = Deed::new(
            "application.imported",
            Control::PERSONAL_DATA,
            "application",
            reference,
        );
        let result = match application {
            Ok(application) => self.take_application(actor, &deed, &application).await,
            Err(error) => Err(error),
        };
        self.settle(actor, &deed, result).await
    }

    async fn take_application(
        &self,
        actor: &Actor,
        deed: &Deed,
        application: &Application,
    ) -> Result<Reference> {
        let ahead = self.seal_ahead(application).await?;
        let ahead = ahead.as_ref();
        if retried!(self.try_import(actor, deed, application, ahead))? {
            return Ok(application.reference.clone());
        }
        // The wrapping keys were turned since they were last looked at.
        match retried!(self.try_import(actor, deed, application, None))? {
            true => Ok(application.reference.clone()),
            false => Err(CentralError::damaged("the wrapping keys that are in use")),
        }
    }

    async fn try_import(
        &self,
        actor: &Actor,
        deed: &Deed,
        application: &Application,
        ahead: Option<&Incoming>,
    ) -> Result<bool> {
        let mut tx = self.write().await?;
        let clerk = authorise(&mut tx, actor, Act::EnterApplication).await?;
        if !self
            .store_application(&mut tx, application, ahead, &clerk.id)
            .await?
        {
            return Ok(false);
        }
        let deed = deed
            .clone()
            .with("kind", application.kind)
            .with("priority", application.priority);
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Stores an application that came in, under the account that entered it: as it was sealed before
    /// the transaction, or sealed now. Returns whether it did: not where what it was sealed under
    /// before is in use no more, and then the caller leaves nothing of the transaction.
    ///
    /// # Errors
    /// [`CentralError::Conflict`] for a reference that is there already.
    pub(crate) async fn store_application(
        &self,
        tx: &mut Connection,
        application: &Application,
        ahead: Option<&Incoming>,
        entered_by: &str,
    ) -> Result<bool> {
        let own;
        let incoming = match ahead {
            Some(ahead) => ahead,
            None => {
                own = self.seal_incoming(tx, application).await?;
                &own
            }
        };
        let reference = application.reference.as_str();
        let done = sqlx::query(sql!("INSERT INTO application (reference, kind, priority, state, content, entered_by, entered, office) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT (reference) DO NOTHING"))
        .bind(application.reference.as_str())
        .bind(application.kind.name())
        .bind(application.priority.name())
        .bind(ApplicationState::INITIAL.name())
        .bind(&incoming.sealed.content)
        .bind(entered_by)
        .bind(stored(self.now()))
        .bind(application.office.as_str())
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() != 1 {
            return Err(CentralError::conflict(
                "an application of this reference is there already; references are used once",
            ));
        }
        if !store_keys(tx, reference, &incoming.keys, self.now()).await? {
            return Ok(false);
        }
        store_images(tx, reference, incoming.sealed.images.as_deref()).await?;
        store_digests(tx, reference, &incoming.digests).await?;
        Ok(true)
    }

    /// Approves an application that another person entered, and prepares its document: the
    /// number, the validity, the subjects of its certificates, the day it is due. Returns the number;
    /// none where it comes with the blank, and the rest is prepared then.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to it, for one's own entry, and where no
    /// document can be made of it; [`CentralError::NotFound`]; [`CentralError::Conflict`] where it
    /// was decided already.
    pub async fn approve(&self, actor: &Actor, reference: &str) -> Result<Option<DocumentNumber>> {
        let deed = Deed::new(
            "application.approved",
            Control::SEGREGATION,
            "application",
            reference,
        );
        let result = retried!(self.try_approve(actor, &deed, reference));
        self.settle(actor, &deed, result).await
    }

    async fn try_approve(
        &self,
        actor: &Actor,
        deed: &Deed,
        reference: &str,
    ) -> Result<Option<DocumentNumber>> {
        let mut tx = self.write().await?;
        let approver = authorise(&mut tx, actor, Act::ApproveApplication).await?;
        let found = Found::load(&mut tx, reference).await?;
        found.decided_by_another(&approver)?;
        let state = advance(found.state, ApplicationEvent::Approve)?;
        let state = advance(state, ApplicationEvent::StartProduction)?;
        // Judged again as of today: what was whole when it came may be so no more.
        let application = self
            .open_application(&mut tx, reference, &found.sealed, self.today())
            .await?;
        self.decide(&mut tx, reference, &approver, state, None)
            .await?;
        self.record(&mut tx, Some(actor), deed).await?;
        let number = self
            .prepare(&mut tx, actor, &application, found.entered)
            .await?;
        tx.commit().await?;
        Ok(number)
    }

    /// Refuses an application that another person entered.
    ///
    /// # Errors
    /// As [`Central::approve`]; [`CentralError::Invalid`] without a cause.
    pub async fn reject(&self, actor: &Actor, reference: &str, cause: &str) -> Result<()> {
        let deed = Deed::new(
            "application.rejected",
            Control::SEGREGATION,
            "application",
            reference,
        );
        let result = retried!(self.try_reject(actor, &deed, reference, cause));
        self.settle(actor, &deed, result).await
    }

    async fn try_reject(
        &self,
        actor: &Actor,
        deed: &Deed,
        reference: &str,
        cause: &str,
    ) -> Result<()> {
        check_cause(cause)?;
        let mut tx = self.write().await?;
        let approver = authorise(&mut tx, actor, Act::RefuseApplication).await?;
        let found = Found::load(&mut tx, reference).await?;
        found.decided_by_another(&approver)?;
        let state = advance(found.state, ApplicationEvent::Refuse)?;
        self.decide(&mut tx, reference, &approver, state, Some(cause))
            .await?;
        application_changed(&mut tx, reference, state, self.now()).await?;
        self.record(&mut tx, Some(actor), deed).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Withdraws an application at the wish of who made it, as long as nobody has decided on it. What
    /// is in production already ends by [`Central::cancel_document`].
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is a clerk; [`CentralError::Conflict`] where it was
    /// decided already; [`CentralError::NotFound`]; [`CentralError::Invalid`] without a cause.
    pub async fn withdraw_application(
        &self,
        actor: &Actor,
        reference: &str,
        cause: &str,
    ) -> Result<()> {
        let deed = Deed::new(
            "application.withdrawn",
            Control::RECORDS,
            "application",
            reference,
        );
        let result = retried!(self.try_withdraw(actor, &deed, reference, cause));
        self.settle(actor, &deed, result).await
    }

    async fn try_withdraw(
        &self,
        actor: &Actor,
        deed: &Deed,
        reference: &str,
        cause: &str,
    ) -> Result<()> {
        check_cause(cause)?;
        let mut tx = self.write().await?;
        authorise(&mut tx, actor, Act::WithdrawApplication).await?;
        let found = Found::load(&mut tx, reference).await?;
        if found.state == ApplicationState::InProduction {
            return Err(CentralError::conflict(
                "a document is in production for it; cancel that, and the application ends with it",
            ));
        }
        let state = advance(found.state, ApplicationEvent::Withdraw)?;
        sqlx::query(sql!(
            "UPDATE application SET state = $1, cause = $2 WHERE reference = $3"
        ))
        .bind(state.name())
        .bind(cause)
        .bind(reference)
        .execute(&mut *tx)
        .await?;
        application_changed(&mut tx, reference, state, self.now()).await?;
        // Why may be about the holder: it is not for the log.
        self.record(&mut tx, Some(actor), deed).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Returns an application as it came in, JSON; once its images are erased, without them.
    ///
    /// # Errors
    /// [`CentralError::Conflict`] where it was erased.
    pub(crate) async fn application_content(
        &self,
        tx: &mut Connection,
        reference: &str,
    ) -> Result<Zeroizing<Vec<u8>>> {
        let found = Found::load(tx, reference).await?;
        match self.open_whole(tx, reference, &found.sealed).await {
            Err(CentralError::Conflict { .. }) => {
                self.open_identity(tx, reference, &found.sealed.content)
                    .await
            }
            whole => whole,
        }
    }

    /// Returns the content of an application as it was approved, judged as of a day.
    pub(crate) async fn as_of(
        &self,
        tx: &mut Connection,
        reference: &str,
        day: Date,
    ) -> Result<Application> {
        let found = Found::load(tx, reference).await?;
        self.open_application(tx, reference, &found.sealed, day)
            .await
    }

    async fn decide(
        &self,
        tx: &mut Connection,
        reference: &str,
        approver: &Person,
        state: ApplicationState,
        cause: Option<&str>,
    ) -> Result<()> {
        sqlx::query(sql!("UPDATE application SET state = $1, decided_by = $2, decided = $3, cause = $4 WHERE reference = $5"))
            .bind(state.name())
            .bind(&approver.id)
            .bind(stored(self.now()))
            .bind(cause)
            .bind(reference)
            .execute(tx)
            .await?;
        Ok(())
    }
}

/// Tells whether there is an application of this reference.
pub(crate) async fn is_known(tx: &mut Connection, reference: &Reference) -> Result<bool> {
    let known: i64 = sqlx::query_scalar(sql!(
        "SELECT count(*) FROM application WHERE reference = $1"
    ))
    .bind(reference.as_str())
    .fetch_one(tx)
    .await?;
    Ok(known > 0)
}

/// Moves an application on, whatever is its state: of the states from which the event leads on it is
/// in one, mostly the only one.
pub(crate) async fn apply(
    tx: &mut Connection,
    reference: &str,
    event: ApplicationEvent,
) -> Result<()> {
    for from in ApplicationState::all() {
        let Ok(next) = from.apply(event) else {
            continue;
        };
        let moved = sqlx::query(sql!(
            "UPDATE application SET state = $1 WHERE reference = $2 AND state = $3"
        ))
        .bind(next.name())
        .bind(reference)
        .bind(from.name())
        .execute(&mut *tx)
        .await?;
        if moved.rows_affected() == 1 {
            return Ok(());
        }
    }
    let state: String =
        sqlx::query_scalar(sql!("SELECT state FROM application WHERE reference = $1"))
            .bind(reference)
            .fetch_optional(tx)
            .await?
            .ok_or_else(unknown)?;
    let state: ApplicationState = parsed("an application's state", &state)?;
    advance(state, event).map(drop)
}

/// Returns the office that hands the document of an application over.
pub(crate) async fn office(tx: &mut Connection, reference: &str) -> Result<OfficeCode> {
    let office: Option<String> =
        sqlx::query_scalar(sql!("SELECT office FROM application WHERE reference = $1"))
            .bind(reference)
            .fetch_one(tx)
            .await?;
    let damaged = || CentralError::damaged("an application's office");
    OfficeCode::parse(&office.ok_or_else(damaged)?).map_err(|_| damaged())
}

/// An application as it is stored.
struct Found {
    state: ApplicationState,
    sealed: SealedApplication,
    entered_by: String,
    entered: Timestamp,
}

/// Says that there is none. The reference is not repeated: what a caller sends may be anything.
fn unknown() -> CentralError {
    CentralError::NotFound {
        what: "application of this reference".to_owned(),
    }
}

impl Found {
    async fn load(tx: &mut Connection, reference: &str) -> Result<Self> {
        let row = sqlx::query(sql!(
            "SELECT a.state, a.content, a.entered_by, a.entered, b.images FROM application a
             LEFT JOIN biometric_data b ON b.application = a.reference WHERE a.reference = $1"
        ))
        .bind(reference)
        .fetch_optional(tx)
        .await?;
        let row = row.ok_or_else(unknown)?;
        Ok(Self {
            state: parsed("an application's state", row.get("state"))?,
            sealed: SealedApplication {
                content: row.get("content"),
                images: row.get("images"),
            },
            entered_by: row.get("entered_by"),
            entered: moment(row.get("entered"))?,
        })
    }

    fn decided_by_another(&self, approver: &Person) -> Result<()> {
        // An account keeps its identity and its name: either tells two of them apart.
        four_eyes(&self.entered_by, &approver.id)
            .map_err(|error| CentralError::refused(error.to_string()))
    }
}

/// Checks a cause that a person or a station gives.
pub(crate) fn check_cause(cause: &str) -> Result<()> {
    let fits = (1..=CAUSE_LIMIT).contains(&cause.len())
        && !cause.trim().is_empty()
        && !cause.chars().any(char::is_control);
    if fits {
        Ok(())
    } else {
        Err(CentralError::invalid(format!(
            "a cause has 1 to {CAUSE_LIMIT} bytes on one line"
        )))
    }
}
