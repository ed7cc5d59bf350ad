//! What a change of a document's state does to its certificates.
//!
//! A certificate is usable while its document is in its holder's hands and in use, and never
//! otherwise. The reasons are those of *RFC 5280 §5.3.1*; a hold is taken only where the law lets
//! the document come back.

use std::fmt::{self, Display, Write as _};

use super::{
    CertificateEvent, CertificateState, DocumentEvent, DocumentState, LifeCycle, RevocationReason,
};
use crate::named::named;

named! {
    /// Why a document ends by decision, after it was handed over.
    "revocation cause" enum RevocationCause {
        /// Another document took its place.
        Replaced = "replaced",
        /// The holder's name, status or other data changed.
        DataChanged = "data-changed",
        /// The holder died.
        Deceased = "deceased",
        /// The holder gave it up.
        Surrendered = "surrendered",
        /// The right to it ended, or it was taken away.
        RightEnded = "right-ended",
        /// Its key, its chip or its PINs may be in other hands, or the chip's kind is broken.
        Compromised = "compromised",
    }
}

impl RevocationCause {
    /// Returns why the document's certificates are revoked then.
    #[must_use]
    pub const fn reason(self) -> RevocationReason {
        match self {
            Self::Replaced => RevocationReason::Superseded,
            Self::DataChanged => RevocationReason::AffiliationChanged,
            Self::Deceased | Self::Surrendered => RevocationReason::CessationOfOperation,
            Self::RightEnded => RevocationReason::PrivilegeWithdrawn,
            Self::Compromised => RevocationReason::KeyCompromise,
        }
    }
}

/// What becomes of each certificate of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CertificateMove {
    /// It stays as it is.
    Nothing,
    /// It is put on hold.
    Hold,
    /// It is released: activated for the first time, or in use again.
    Release,
    /// It is revoked.
    Revoke(RevocationReason),
    /// It is revoked for the cause that the document is revoked for.
    RevokeByCause,
}

impl CertificateMove {
    /// Puts the cause into a move that depends on it. Without one the safest is taken.
    #[must_use]
    pub fn for_cause(self, cause: Option<RevocationCause>) -> Self {
        match self {
            Self::RevokeByCause => {
                Self::Revoke(cause.unwrap_or(RevocationCause::Compromised).reason())
            }
            other => other,
        }
    }

    /// Returns what that is for a certificate in this state; none where it stays as it is.
    /// `is_sent`: whether its authority may have heard of the request for it.
    ///
    /// One in doubt stays so: the sweep asks after it, and revokes what was issued. One that was
    /// revoked keeps its reason.
    #[must_use]
    pub fn event(self, state: CertificateState, is_sent: bool) -> Option<CertificateEvent> {
        use CertificateState::{
            Abandoned, Active, InDoubt, IssuedOnHold, Ready, Requested, Revoked, Suspended,
        };
        match (self, state) {
            (Self::Nothing, _) | (_, Abandoned | InDoubt | Revoked(_)) => None,
            (Self::Hold, Active) => Some(CertificateEvent::Suspend),
            // What was never released is on hold.
            (Self::Hold, _) | (Self::Release, Active) => None,
            (Self::Release, Suspended) => Some(CertificateEvent::Resume),
            // Of one that the chip did not prove, the certificate's own life cycle refuses it.
            (Self::Release, Requested | IssuedOnHold | Ready) => Some(CertificateEvent::Activate),
            (Self::Revoke(_) | Self::RevokeByCause, Requested) => Some(match is_sent {
                true => CertificateEvent::Doubt,
                false => CertificateEvent::Abandon,
            }),
            (Self::Revoke(reason), _) => Some(CertificateEvent::Revoke(reason)),
            (Self::RevokeByCause, _) => self.for_cause(None).event(state, is_sent),
        }
    }
}

impl Display for CertificateMove {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::Hold => f.write_str("hold"),
            Self::Release => f.write_str("release"),
            Self::Revoke(reason) => write!(f, "revoke: {reason}"),
            Self::RevokeByCause => f.write_str("revoke: by the cause"),
        }
    }
}

/// Returns what a document's transition does to its certificates, and why. Of a transition that the
/// life cycle does not have, nothing.
#[must_use]
pub fn certificate_move(
    from: DocumentState,
    event: DocumentEvent,
) -> (CertificateMove, &'static str) {
    use CertificateMove::{Hold, Nothing, Release, Revoke, RevokeByCause};
    use RevocationReason::{CessationOfOperation, KeyCompromise, Superseded};
    if from.step(event).is_none() {
        return (Nothing, "");
    }
    match (from, event) {
        (
            _,
            DocumentEvent::Queue
            | DocumentEvent::Lease
            | DocumentEvent::Release
            | DocumentEvent::Personalize
            | DocumentEvent::PassQuality
            | DocumentEvent::FailQuality
            | DocumentEvent::Concede
            | DocumentEvent::Pack
            | DocumentEvent::Unpack
            | DocumentEvent::Arrive,
        ) => (Nothing, "on hold until the hand-over"),
        (_, DocumentEvent::HandOver | DocumentEvent::HandOverHere) => {
            (Release, "its holder has card and PINs")
        }
        (_, DocumentEvent::SpoilBlank) => (
            Revoke(Superseded),
            "the card is in our hands and another one takes its place",
        ),
        (_, DocumentEvent::LoseBlank) => (
            Revoke(KeyCompromise),
            "the chip with the keys is in unknown hands",
        ),
        (_, DocumentEvent::Cancel) => (Revoke(CessationOfOperation), "wanted no more"),
        (_, DocumentEvent::NotCollected) => (Revoke(CessationOfOperation), "never handed over"),
        (_, DocumentEvent::Suspend) => (Hold, "it may come back"),
        (_, DocumentEvent::Resume) => (Release, "its holder was identified again"),
        (_, DocumentEvent::ReportLost | DocumentEvent::ReportStolen) => (
            Revoke(KeyCompromise),
            "the chip is in unknown hands, and the document never comes back into use: a hold would promise that",
        ),
        (_, DocumentEvent::Revoke) => (RevokeByCause, "the decision says why"),
        (_, DocumentEvent::Expire) => (
            Nothing,
            "no certificate outlasts its document; lists need not name what is expired",
        ),
        (DocumentState::HandedOver | DocumentState::Suspended, DocumentEvent::TakeBack) => {
            (Revoke(CessationOfOperation), "given back before its end")
        }
        (DocumentState::Expired, DocumentEvent::TakeBack) => (Nothing, "expired with its document"),
        (_, DocumentEvent::TakeBack | DocumentEvent::Destroy) => {
            (Nothing, "revoked or expired before")
        }
    }
}

/// Returns the policy as two Markdown tables: by the document's transition, and by the cause of a
/// revocation.
#[must_use]
pub fn policy_table() -> String {
    let mut text =
        "| event | of a document that is | its certificates | why |\n| --- | --- | --- | --- |\n"
            .to_owned();
    for &event in DocumentEvent::ALL {
        // States of which an event does the same are one line.
        let mut lines: Vec<(CertificateMove, &str, Vec<&str>)> = Vec::new();
        for &from in DocumentState::ALL {
            if from.step(event).is_none() {
                continue;
            }
            let (does, why) = certificate_move(from, event);
            match lines
                .iter_mut()
                .find(|line| (line.0, line.1) == (does, why))
            {
                Some(line) => line.2.push(from.name()),
                None => lines.push((does, why, vec![from.name()])),
            }
        }
        for (does, why, states) in lines {
            let _ = writeln!(text, "| {event} | {} | {does} | {why} |", states.join(", "));
        }
    }
    text.push_str("\n| cause of a revocation | certificates are revoked as |\n| --- | --- |\n");
    for &cause in RevocationCause::ALL {
        let _ = writeln!(text, "| {cause} | {} |", cause.reason());
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn whatever_leaves_the_holders_hands_leaves_no_usable_certificate() {
        for transition in DocumentState::transitions() {
            let (does, why) = certificate_move(transition.from, transition.event);
            assert!(!why.is_empty(), "{transition:?} has no reason");
            let usable = |state| state == DocumentState::HandedOver;
            match (usable(transition.from), usable(transition.to)) {
                // What expires is bounded by its own dates.
                _ if transition.to == DocumentState::Expired => {
                    assert_eq!(does, CertificateMove::Nothing);
                }
                (true, false) => assert!(
                    matches!(
                        does,
                        CertificateMove::Hold
                            | CertificateMove::Revoke(_)
                            | CertificateMove::RevokeByCause
                    ),
                    "{transition:?}"
                ),
                (_, true) => assert_eq!(does, CertificateMove::Release, "{transition:?}"),
                (false, false) => assert_ne!(does, CertificateMove::Release, "{transition:?}"),
            }
        }
    }

    #[test]
    fn a_hold_is_only_where_the_document_may_come_back() {
        for transition in DocumentState::transitions() {
            if certificate_move(transition.from, transition.event).0 == CertificateMove::Hold {
                let back = transition.to.apply(DocumentEvent::Resume);
                assert_eq!(back, Ok(DocumentState::HandedOver));
            }
        }
    }

    #[test]
    fn what_does_not_exist_moves_nothing() {
        assert_eq!(
            certificate_move(DocumentState::Queued, DocumentEvent::HandOver),
            (CertificateMove::Nothing, "")
        );
    }

    proptest! {
        /// After any life, no certificate is usable but those of a document in its holder's hands,
        /// and none is left in doubt about a document that ended.
        #[test]
        fn certificates_keep_pace_with_their_document(
            events in prop::collection::vec(prop::sample::select(DocumentEvent::ALL), 0..80),
            cause in prop::sample::select(RevocationCause::ALL),
        ) {
            let mut document = DocumentState::INITIAL;
            let (mut certificate, mut expired) = (None, false);
            for event in events {
                let Ok(next) = document.apply(event) else { continue };
                if next == DocumentState::Personalized {
                    certificate = Some(CertificateState::Ready);
                }
                let does = certificate_move(document, event).0.for_cause(Some(cause));
                let moved = certificate.and_then(|state| does.event(state, true).map(|moved| (state, moved)));
                if let Some((state, moved)) = moved {
                    certificate = Some(state.apply(moved).unwrap());
                }
                document = next;
                expired |= document == DocumentState::Expired;
                let Some(state) = certificate else { continue };
                if !expired {
                    let usable = state == CertificateState::Active;
                    prop_assert_eq!(usable, document == DocumentState::HandedOver);
                }
                if document == DocumentState::Suspended {
                    prop_assert_eq!(state, CertificateState::Suspended);
                }
                let gone = [DocumentState::Lost, DocumentState::Stolen, DocumentState::Revoked, DocumentState::Cancelled];
                if gone.contains(&document) || document == DocumentState::Queued {
                    prop_assert!(matches!(state, CertificateState::Revoked(_)));
                }
            }
        }
    }
}
