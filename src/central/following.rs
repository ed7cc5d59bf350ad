//! Certificates follow their document: what its life cycle moves, it moves in the same transaction.
//!
//! ```text
//!   act ─► document moves ─► document::certificate_move ─► each certificate's own life cycle
//!                                                               │ commit
//!                                        at once, or the sweep ─► its authority (`standing.rs`)
//! ```

use api::Actor;
use document::life_cycle::{
    CertificateEvent, CertificateMove, CertificateState, DocumentEvent, DocumentState,
    RevocationCause, certificate_move,
};

use crate::central::Central;
use crate::certificate_rows::{Ordered, Standing};
use crate::database::{Connection, Write};
use crate::documents::Document;
use crate::error::{Result, advance};
use crate::happenings::Happening;

/// What an act came to: where a document is now, and its certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The number under which it was moved.
    pub number: String,
    /// Its state now.
    pub state: DocumentState,
    /// Every certificate of this number that was issued.
    pub certificates: Vec<Followed>,
}

impl Moved {
    /// Returns whether every authority has every certificate where the books have it.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.certificates.iter().all(|one| one.is_settled)
    }
}

/// Where a certificate of a document is after an act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    /// Its serial number in hexadecimal.
    pub serial: String,
    /// The key's name in the chip profile.
    pub key: String,
    /// The authority's name.
    pub authority: String,
    /// Where the books have it.
    pub state: CertificateState,
    /// Where its authority has it: `on-hold`, `good` or `revoked`.
    pub standing: String,
    /// Whether both agree. Where not, the sweep goes on trying.
    pub is_settled: bool,
    /// The connector to its authority has no way to put it on hold, release or revoke it: somebody
    /// must do that at the authority itself.
    pub by_hand: bool,
}

impl Central {
    /// Moves a document on, and its certificates as the policy says.
    pub(crate) async fn move_document(
        &self,
        tx: &mut Write,
        actor: Option<&Actor>,
        document: &mut Document,
        event: DocumentEvent,
        happening: Happening<'_>,
    ) -> Result<()> {
        let (does, _) = certificate_move(document.state, event);
        document.apply(tx, event, happening).await?;
        self.move_certificates(tx, actor, document, does).await
    }

    /// As [`Central::move_document`], by a decision that says why.
    pub(crate) async fn end_document(
        &self,
        tx: &mut Write,
        actor: &Actor,
        document: &mut Document,
        why: RevocationCause,
        happening: Happening<'_>,
    ) -> Result<()> {
        let event = DocumentEvent::Revoke;
        let (does, _) = certificate_move(document.state, event);
        document.apply(tx, event, happening).await?;
        let does = does.for_cause(Some(why));
        self.move_certificates(tx, Some(actor), document, does)
            .await
    }

    /// Moves the certificates of a document.
    pub(crate) async fn move_certificates(
        &self,
        tx: &mut Write,
        actor: Option<&Actor>,
        document: &Document,
        does: CertificateMove,
    ) -> Result<()> {
        for mut ordered in Ordered::live(tx, &document.id).await? {
            let Some(event) = does.event(ordered.state, ordered.is_sent) else {
                continue;
            };
            ordered.state = advance(ordered.state, event)?;
            ordered.store_state(tx, self.now()).await?;
            let deed = ordered.deed(action(event));
            self.record(tx, actor, &deed).await?;
        }
        Ok(())
    }

    /// Tells the authorities what an act moved, and returns how far they followed.
    pub(crate) async fn moved(
        &self,
        document: &str,
        number: String,
        state: DocumentState,
    ) -> Result<Moved> {
        self.settle_document(document).await;
        let certificates = self.followed(&mut *self.read().await?, &number).await?;
        Ok(Moved {
            number,
            state,
            certificates,
        })
    }

    /// Returns how far the authorities followed with the certificates of a document number.
    pub(crate) async fn followed(
        &self,
        tx: &mut Connection,
        number: &str,
    ) -> Result<Vec<Followed>> {
        let mut certificates = Vec::new();
        for ordered in Ordered::of_number(tx, number).await? {
            let wanted = ordered.wanted();
            let authority = self.authorities().get(&ordered.authority);
            let Some(issued) = ordered.issued else {
                continue;
            };
            certificates.push(Followed {
                serial: issued.serial,
                is_settled: wanted.is_none_or(|wanted| Standing::of(wanted) == ordered.standing),
                by_hand: authority.is_ok_and(|authority| !authority.promises().sets_status),
                key: ordered.key,
                authority: ordered.authority,
                state: ordered.state,
                standing: ordered.standing.name().to_owned(),
            });
        }
        Ok(certificates)
    }
}

/// Returns what the log calls an event of a certificate that follows its document.
fn action(event: CertificateEvent) -> &'static str {
    match event {
        CertificateEvent::Issue => "certificate.issued",
        CertificateEvent::Doubt => "certificate.in-doubt",
        CertificateEvent::Abandon => "certificate.abandoned",
        CertificateEvent::Prove => "certificate.proved",
        CertificateEvent::Activate => "certificate.activated",
        CertificateEvent::Suspend => "certificate.suspended",
        CertificateEvent::Resume => "certificate.resumed",
        CertificateEvent::Revoke(_) => "certificate.revoked",
    }
}
