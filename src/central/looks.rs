//! Looking leaves a trace: who read a holder's data, and who tried to read what they may not.

use api::Actor;
use audit::Control;
use document::Act;

use crate::accounts::authorise;
use crate::central::Central;
use crate::contention::retried;
use crate::error::Result;
use crate::scribe::Deed;

/// What somebody is about to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// The right that it takes.
    pub act: Act,
    /// How the audit log calls it: `application.read`, say.
    pub action: &'static str,
    /// The kind of thing, as the log calls it.
    pub kind: &'static str,
    /// Its pseudonymous reference.
    pub reference: String,
    /// Whether it holds a holder's data, so that reading it leaves an entry too.
    pub personal: bool,
}

impl Central {
    /// Judges whether the actor may read something. What is refused leaves an entry, and so does
    /// what is read of a holder: before it is read.
    ///
    /// # Errors
    /// [`crate::CentralError::Refused`].
    pub async fn look(&self, actor: &Actor, look: &Look) -> Result<()> {
        let control = if look.personal {
            Control::PERSONAL_DATA
        } else {
            Control::ACCESS_CONTROL
        };
        let deed = Deed::new(look.action, control, look.kind, &look.reference);
        let result = retried!(self.try_look(actor, look, &deed));
        self.settle(actor, &deed, result).await
    }

    async fn try_look(&self, actor: &Actor, look: &Look, deed: &Deed) -> Result<()> {
        if !look.personal {
            let mut tx = self.read().await?;
            return authorise(&mut tx, actor, look.act).await.map(drop);
        }
        let mut tx = self.write().await?;
        authorise(&mut tx, actor, look.act).await?;
        self.record(&mut tx, Some(actor), deed).await?;
        tx.commit().await?;
        Ok(())
    }
}
