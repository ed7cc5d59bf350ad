//! The outbox: what is in the journal gets to the centre in order and once, and once more to a
//! centre that was restored from a backup.

use std::sync::{Mutex, MutexGuard, PoisonError};

use api::{Actor, Centre, Standing};

use crate::error::StationError;
use crate::journal::{Journal, Outgoing};

fn locked(journal: &Mutex<Journal>) -> MutexGuard<'_, Journal> {
    // Who panicked in the middle of a write has rolled its transaction back.
    journal.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells the centre how far this journal goes, and sends it what it lacks: what waits, and after a
/// restoration of the centre also what it acknowledged before. One caller at a time, so that the
/// order holds.
///
/// # Errors
/// [`StationError::Reconciling`] where all is sent and people have to end the reconciliation at the
/// centre; [`StationError::Behind`] where nobody told the centre that it was restored;
/// [`StationError::Centre`]; [`StationError::Journal`].
pub async fn reconcile(
    journal: &Mutex<Journal>,
    centre: &dyn Centre,
    actor: &Actor,
) -> Result<(), StationError> {
    let hello = locked(journal).hello()?;
    let mut welcome = centre.hello(actor, &hello).await?;
    let known = locked(journal).epoch()?;
    if let Some(epoch) = welcome.epoch.filter(|epoch| known != Some(*epoch)) {
        tracing::warn!(%epoch, reports = welcome.reports, "the centre was restored from a backup");
        // First: once it is said that this journal knows of the restoration, what it does not send is gone.
        locked(journal).send_again(welcome.reports)?;
        locked(journal).set_epoch(epoch)?;
        let hello = locked(journal).hello()?;
        welcome = centre.hello(actor, &hello).await?;
    }
    match welcome.standing {
        Standing::Known => return send(journal, centre, actor).await,
        Standing::Behind => {
            return Err(StationError::Behind {
                acknowledged: hello.acknowledged,
                reports: welcome.reports,
            });
        }
        Standing::Reconciling => {}
    }
    let again = locked(journal).send_again(welcome.reports)?;
    if again > 0 {
        tracing::warn!(
            reports = again,
            "the centre lacks reports; they are sent again"
        );
    }
    send(journal, centre, actor).await?;
    let hello = locked(journal).hello()?;
    match centre.hello(actor, &hello).await?.standing {
        Standing::Known => Ok(()),
        Standing::Reconciling | Standing::Behind => Err(StationError::Reconciling),
    }
}

/// Sends what waits, in order. What cannot be sent now stays.
pub(crate) async fn send(
    journal: &Mutex<Journal>,
    centre: &dyn Centre,
    actor: &Actor,
) -> Result<(), StationError> {
    loop {
        let Some(next) = locked(journal).next_outgoing()? else {
            return Ok(());
        };
        match &next {
            Outgoing::Report(report) => centre.report(actor, report).await?,
            Outgoing::Act(act) => centre.act(actor, act).await?,
        }
        locked(journal).sent(next.sequence())?;
    }
}
