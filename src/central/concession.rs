//! A document that quality failed and that is not scrapped at once: it is held until it is, or until
//! somebody takes the responsibility for letting it pass (*ISO 9001:2015 §8.7*).

use api::Actor;
use audit::Control;
use document::Act;
use document::life_cycle::DocumentEvent;

use crate::accounts::authorise;
use crate::applications::check_cause;
use crate::central::Central;
use crate::contention::retried;
use crate::documents::Document;
use crate::error::Result;
use crate::hand_over::judged_by_another;
use crate::scribe::Deed;

impl Central {
    /// Fails a document, and holds it until it is decided what becomes of it: it is scrapped
    /// ([`Central::fail_quality`]), cancelled, or let pass ([`Central::concede`]).
    ///
    /// # Errors
    /// As [`Central::fail_quality`].
    pub async fn hold_quality(&self, actor: &Actor, number: &str, cause: &str) -> Result<()> {
        let deed = Deed::new("quality.failed", Control::SEGREGATION, "document", number);
        let result = retried!(async {
            check_cause(cause)?;
            let mut tx = self.write().await?;
            let judge = authorise(&mut tx, actor, Act::JudgeDocument).await?;
            let mut document = Document::numbered(&mut tx, number).await?;
            judged_by_another(&mut tx, &document, &judge).await?;
            let happening = self.happens().because(cause).by(&judge);
            document
                .apply(&mut tx, DocumentEvent::FailQuality, happening)
                .await?;
            self.check_not_in_work(&mut tx, &document).await?;
            let deed = deed.clone().with("cause", cause).with("held", "yes");
            self.record(&mut tx, Some(actor), &deed).await?;
            tx.commit().await?;
            Ok(())
        });
        self.settle(actor, &deed, result).await
    }

    /// Lets a document pass that quality failed and holds, with what is wrong with it and what was
    /// done about it.
    ///
    /// # Errors
    /// [`CentralError::Refused`](crate::CentralError::Refused) unless the actor is a security
    /// officer who did not make it; [`CentralError::Conflict`](crate::CentralError::Conflict) for a
    /// document that is not held;
    /// [`CentralError::NotFound`](crate::CentralError::NotFound);
    /// [`CentralError::Invalid`](crate::CentralError::Invalid) without a defect or an action.
    pub async fn concede(
        &self,
        actor: &Actor,
        number: &str,
        defect: &str,
        action: &str,
    ) -> Result<()> {
        let deed = Deed::new("quality.conceded", Control::EVIDENCE, "document", number);
        let result = retried!(async {
            check_cause(defect)?;
            check_cause(action)?;
            let mut tx = self.write().await?;
            let officer = authorise(&mut tx, actor, Act::ConcedeDocument).await?;
            let mut document = Document::numbered(&mut tx, number).await?;
            judged_by_another(&mut tx, &document, &officer).await?;
            let happening = self.happens().because(defect).by(&officer);
            document
                .apply(&mut tx, DocumentEvent::Concede, happening)
                .await?;
            let deed = deed.clone().with("defect", defect).with("done", action);
            self.record(&mut tx, Some(actor), &deed).await?;
            tx.commit().await?;
            Ok(())
        });
        self.settle(actor, &deed, result).await
    }
}
