//! The entries of a register's package: each is taken whole, or refused with every fault.

use api::{Actor, EntryAnswer, EntryState};
use audit::{Control, Outcome};
use document::life_cycle::{ApplicationEvent, ApplicationState};
use document::{Action, Application, Entry, Fault, FaultCode, Reference};
use sqlx::Row;

use crate::applications::{apply, is_known};
use crate::blind_index::in_work;
use crate::central::Central;
use crate::database::{Connection, Write, parsed};
use crate::error::{CentralError, Result};
use crate::packages::{codes, fault};
use crate::register_reports::application_changed;
use crate::scribe::Deed;
use crate::sources::Sender;
use crate::statements::sql;

impl Central {
    /// Takes an entry, or refuses it; either stands in the log.
    pub(crate) async fn take_entry(
        &self,
        tx: &mut Write,
        actor: &Actor,
        sender: &Sender,
        sequence: i64,
        position: usize,
        entry: Entry,
    ) -> Result<EntryAnswer> {
        let Entry { reference, action } = entry;
        let about = reference.as_ref().map_or("not-read", Reference::as_str);
        let deed = Deed::new(
            "application.imported",
            Control::PERSONAL_DATA,
            "application",
            about,
        )
        .with("package", sequence)
        .with("position", position);
        let faults = match action {
            Err(faults) => faults,
            Ok(Action::New(application)) => {
                let faults = self.admissible(tx, sender, &application, None).await?;
                if faults.is_empty() {
                    self.take_in(tx, actor, sender, sequence, &application, &deed)
                        .await?;
                }
                faults
            }
            Ok(Action::Replace { old, by }) => {
                let mut faults = still_open(tx, sender, &old).await?;
                faults.extend(self.admissible(tx, sender, &by, Some(&old)).await?);
                if faults.is_empty() {
                    self.take_in(tx, actor, sender, sequence, &by, &deed)
                        .await?;
                    self.supersede(tx, actor, &old, &by.reference).await?;
                }
                faults
            }
            Ok(Action::Withdraw { reference, .. }) => {
                let faults = still_open(tx, sender, &reference).await?;
                if faults.is_empty() {
                    self.withdraw(tx, actor, &reference).await?;
                }
                faults
            }
        };
        let state = if faults.is_empty() {
            EntryState::Taken
        } else {
            let codes = codes(&faults);
            let deed = deed.named("application.not-admitted");
            self.scribe()
                .write(tx, Some(actor), &deed, Outcome::Refused, Some(&codes))
                .await?;
            EntryState::Refused
        };
        Ok(EntryAnswer {
            position,
            reference,
            state,
            faults,
        })
    }

    /// Returns why an application may not come in from this source; `instead` of another, or none.
    async fn admissible(
        &self,
        tx: &mut Connection,
        sender: &Sender,
        application: &Application,
        instead: Option<&Reference>,
    ) -> Result<Vec<Fault>> {
        let mut faults = Vec::new();
        if is_known(tx, &application.reference).await? {
            let message = "is another application's; references are used once".to_owned();
            faults.push(fault("reference", FaultCode::ReferenceUsed, message));
        }
        if application.source != sender.register {
            let message = format!("must be {}, whose package it came in", sender.register);
            faults.push(fault("source", FaultCode::SourceMismatch, message));
        }
        let kind = application.kind;
        let is_made = self.document_profile(kind).is_ok();
        if !is_made || !sender.kinds.contains(&kind) {
            let message = format!("{kind} is not among what this source may ask for here");
            faults.push(fault("kind", FaultCode::KindNotForSource, message));
        }
        let office = application.office.as_str();
        if !sender.offices.is_empty() && !sender.offices.iter().any(|known| known == office) {
            let message = "is not among the offices of this source".to_owned();
            faults.push(fault("office", FaultCode::OfficeNotForSource, message));
        }
        let code = &application.holder.personal_code;
        let others = in_work(tx, self, code, kind).await?;
        let replaced = instead.map(Reference::as_str);
        for other in others {
            if Some(&*other) == replaced {
                continue;
            }
            let message = match origin(tx, &other).await? {
                Some(source) if source == sender.name.as_str() => format!(
                    "has an application for {kind} in work: {other}; replace or withdraw it"
                ),
                _ => format!("has an application for {kind} in work, which another source sent"),
            };
            faults.push(fault(
                "holder.personal_code",
                FaultCode::DuplicateApplication,
                message,
            ));
        }
        Ok(faults)
    }

    async fn take_in(
        &self,
        tx: &mut Write,
        actor: &Actor,
        sender: &Sender,
        sequence: i64,
        application: &Application,
        deed: &Deed,
    ) -> Result<()> {
        // Sealed in the transaction: what it is sealed under is in use.
        if !self
            .store_application(tx, application, None, &sender.account)
            .await?
        {
            return Err(CentralError::damaged("the wrapping keys that are in use"));
        }
        sqlx::query(sql!(
            "INSERT INTO application_origin (application, source, sequence) VALUES ($1, $2, $3)"
        ))
        .bind(application.reference.as_str())
        .bind(sender.name.as_str())
        .bind(sequence)
        .execute(&mut **tx)
        .await?;
        let deed = deed
            .clone()
            .with("kind", application.kind)
            .with("priority", application.priority);
        self.record(tx, Some(actor), &deed).await
    }

    async fn supersede(
        &self,
        tx: &mut Write,
        actor: &Actor,
        old: &Reference,
        by: &Reference,
    ) -> Result<()> {
        apply(tx, old.as_str(), ApplicationEvent::Supersede).await?;
        sqlx::query(sql!(
            "UPDATE application_origin SET superseded_by = $1 WHERE application = $2"
        ))
        .bind(by.as_str())
        .bind(old.as_str())
        .execute(&mut **tx)
        .await?;
        let deed = Deed::new(
            "application.superseded",
            Control::RECORDS,
            "application",
            old,
        )
        .with("by", by);
        self.record(tx, Some(actor), &deed).await?;
        application_changed(tx, old.as_str(), ApplicationState::Superseded, self.now()).await
    }

    async fn withdraw(&self, tx: &mut Write, actor: &Actor, reference: &Reference) -> Result<()> {
        apply(tx, reference.as_str(), ApplicationEvent::Withdraw).await?;
        // The register's words may be about the holder: they stay with the register.
        sqlx::query(sql!(
            "UPDATE application SET cause = $1 WHERE reference = $2"
        ))
        .bind("its register withdrew it")
        .bind(reference.as_str())
        .execute(&mut **tx)
        .await?;
        let deed = Deed::new(
            "application.withdrawn",
            Control::RECORDS,
            "application",
            reference,
        );
        self.record(tx, Some(actor), &deed).await?;
        application_changed(
            tx,
            reference.as_str(),
            ApplicationState::Withdrawn,
            self.now(),
        )
        .await
    }
}

/// Returns the source that an application came from; none for one that was typed in.
async fn origin(tx: &mut Connection, reference: &str) -> Result<Option<String>> {
    Ok(sqlx::query_scalar(sql!(
        "SELECT source FROM application_origin WHERE application = $1"
    ))
    .bind(reference)
    .fetch_optional(tx)
    .await?)
}

/// Returns why an application is not the source's own any more, to replace or withdraw.
async fn still_open(
    tx: &mut Connection,
    sender: &Sender,
    reference: &Reference,
) -> Result<Vec<Fault>> {
    let row = sqlx::query(sql!(
        "SELECT a.state FROM application a JOIN application_origin o ON o.application = a.reference
         WHERE a.reference = $1 AND o.source = $2"
    ))
    .bind(reference.as_str())
    .bind(sender.name.as_str())
    .fetch_optional(tx)
    .await?;
    // What others sent is not told from what nobody sent.
    let Some(row) = row else {
        let message = "is of no application that this source sent".to_owned();
        return Ok(vec![fault("reference", FaultCode::NotThere, message)]);
    };
    let state: ApplicationState = parsed("an application's state", row.get("state"))?;
    if state == ApplicationState::Received {
        return Ok(Vec::new());
    }
    let message = format!("is of an application that is {state}; ask its office");
    Ok(vec![fault("reference", FaultCode::NotOpen, message)])
}
