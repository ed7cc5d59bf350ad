//! The life of a holder's certificate.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Guard, LifeCycle, Rule};
use crate::UnknownName;
use crate::named::named;
use crate::role::Act;

named! {
    /// Why a certificate is revoked (*RFC 5280 §5.3.1*). `unspecified` is not
    /// here: a reason is always known.
    "revocation reason" enum RevocationReason {
        /// The card is lost or stolen, or its key may be known to others.
        KeyCompromise = "key-compromise",
        /// The holder's data changed.
        AffiliationChanged = "affiliation-changed",
        /// Replaced by another certificate, or its card was spoiled.
        Superseded = "superseded",
        /// Wanted no more: never handed over, given back, holder deceased.
        CessationOfOperation = "cessation-of-operation",
        /// The right to it ended.
        PrivilegeWithdrawn = "privilege-withdrawn",
    }
}

impl RevocationReason {
    /// Returns the CRL reason code (*RFC 5280 §5.3.1*).
    #[must_use]
    pub const fn crl_code(self) -> u8 {
        match self {
            Self::KeyCompromise => 1,
            Self::AffiliationChanged => 3,
            Self::Superseded => 4,
            Self::CessationOfOperation => 5,
            Self::PrivilegeWithdrawn => 9,
        }
    }
}

/// The state of a certificate. Expiry is a date, not a state.
///
/// Its wire name is one text; a reason follows a colon: `revoked:key-compromise`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum CertificateState {
    /// Asked of the CA.
    Requested,
    /// Given up after the CA was asked, before it is known whether it issued.
    InDoubt,
    /// Given up, and the CA issued nothing.
    Abandoned,
    /// Issued, and on hold until the document is handed over.
    IssuedOnHold,
    /// On the chip, whose key signed a challenge under it; still on hold.
    Ready,
    /// In use.
    Active,
    /// Out of use for a time, with its document: on hold again.
    Suspended,
    /// Revoked for good.
    Revoked(RevocationReason),
}

/// What may happen to a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CertificateEvent {
    /// The CA issues it, on hold.
    Issue,
    /// It is given up, and nothing was issued.
    Abandon,
    /// It is given up while the CA may have issued it.
    Doubt,
    /// The chip signs the registration authority's challenge under it.
    Prove,
    /// The document is handed over.
    Activate,
    /// The document is suspended.
    Suspend,
    /// The document is released again.
    Resume,
    /// It is revoked.
    Revoke(RevocationReason),
}

use RevocationReason::{
    AffiliationChanged, CessationOfOperation, KeyCompromise, PrivilegeWithdrawn, Superseded,
};

impl LifeCycle for CertificateState {
    type Event = CertificateEvent;

    const SUBJECT: &'static str = "certificate";
    const INITIAL: Self = Self::Requested;

    fn all() -> &'static [Self] {
        &[
            Self::Requested,
            Self::InDoubt,
            Self::Abandoned,
            Self::IssuedOnHold,
            Self::Ready,
            Self::Active,
            Self::Suspended,
            Self::Revoked(KeyCompromise),
            Self::Revoked(AffiliationChanged),
            Self::Revoked(Superseded),
            Self::Revoked(CessationOfOperation),
            Self::Revoked(PrivilegeWithdrawn),
        ]
    }

    fn events() -> &'static [CertificateEvent] {
        use CertificateEvent::{Abandon, Activate, Doubt, Issue, Prove, Resume, Revoke, Suspend};
        &[
            Issue,
            Doubt,
            Abandon,
            Prove,
            Activate,
            Suspend,
            Resume,
            Revoke(KeyCompromise),
            Revoke(AffiliationChanged),
            Revoke(Superseded),
            Revoke(CessationOfOperation),
            Revoke(PrivilegeWithdrawn),
        ]
    }

    fn step(self, event: CertificateEvent) -> Option<(Self, Rule)> {
        use CertificateEvent::{Abandon, Activate, Doubt, Issue, Prove, Resume, Revoke, Suspend};
        // What no person does by itself follows a document or a blank: theirs is the right.
        const FOLLOWS: &[Act] = &[];
        const STATION: &[Act] = &[Act::PersonalizeDocument];
        let rule = |guards, acts, evidence| Rule {
            guards,
            acts,
            evidence,
        };
        match (self, event) {
            (Self::Requested, Issue) => Some((
                Self::IssuedOnHold,
                rule(&[Guard::PossessionProved], STATION, &["certificate.issued"]),
            )),
            (Self::Requested, Doubt) => Some((
                Self::InDoubt,
                rule(&[Guard::ReasonGiven], FOLLOWS, &["certificate.in-doubt"]),
            )),
            (Self::Requested, Abandon) => Some((
                Self::Abandoned,
                rule(&[Guard::ReasonGiven], FOLLOWS, &["certificate.abandoned"]),
            )),
            (Self::InDoubt, Abandon) => Some((
                Self::Abandoned,
                rule(
                    &[Guard::ReasonGiven, Guard::TwoPersons],
                    &[Act::ClearCertificate],
                    &["certificate.doubt-cleared", "certificate.abandoned"],
                ),
            )),
            (Self::IssuedOnHold, Prove) => Some((
                Self::Ready,
                rule(&[Guard::ChallengeSigned], STATION, &["certificate.proved"]),
            )),
            (Self::Ready, Activate) => Some((
                Self::Active,
                rule(
                    &[Guard::DocumentHandedOver],
                    &[Act::HandOverDocument],
                    &["certificate.activated"],
                ),
            )),
            (Self::Active, Suspend) => Some((
                Self::Suspended,
                rule(
                    &[Guard::DocumentSuspended],
                    &[Act::SuspendDocument],
                    &["certificate.suspended"],
                ),
            )),
            (Self::Suspended, Resume) => Some((
                Self::Active,
                rule(
                    &[Guard::DocumentHandedOver, Guard::ReleasedByAnother],
                    &[Act::ResumeDocument],
                    &["certificate.resumed"],
                ),
            )),
            // Of one that was abandoned an answer may still come: it is revoked, whatever was said.
            (Self::Abandoned | Self::InDoubt, Revoke(reason)) => Some((
                Self::Revoked(reason),
                rule(
                    &[Guard::ReasonGiven],
                    FOLLOWS,
                    &["certificate.orphan-found", "certificate.issued"],
                ),
            )),
            (Self::IssuedOnHold | Self::Ready | Self::Active | Self::Suspended, Revoke(reason)) => {
                Some((
                    Self::Revoked(reason),
                    rule(&[Guard::ReasonGiven], FOLLOWS, &["certificate.revoked"]),
                ))
            }
            _ => None,
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::InDoubt => "in-doubt",
            Self::Abandoned => "abandoned",
            Self::IssuedOnHold => "issued-on-hold",
            Self::Ready => "ready",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Revoked(_) => "revoked",
        }
    }

    fn event_label(event: CertificateEvent) -> &'static str {
        match event {
            CertificateEvent::Issue => "issue",
            CertificateEvent::Doubt => "doubt",
            CertificateEvent::Abandon => "abandon",
            CertificateEvent::Prove => "prove",
            CertificateEvent::Activate => "activate",
            CertificateEvent::Suspend => "suspend",
            CertificateEvent::Resume => "resume",
            CertificateEvent::Revoke(_) => "revoke",
        }
    }
}

impl fmt::Display for CertificateState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Revoked(reason) => write!(f, "{}:{reason}", self.label()),
            _ => f.pad(self.label()),
        }
    }
}

impl fmt::Display for CertificateEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let label = CertificateState::event_label(*self);
        match self {
            Self::Revoke(reason) => write!(f, "{label}:{reason}"),
            _ => f.pad(label),
        }
    }
}

impl FromStr for CertificateState {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = Self::all();
        all.iter()
            .copied()
            .find(|state| state.to_string() == text)
            .ok_or_else(|| UnknownName {
                what: "certificate state",
                expected: all
                    .iter()
                    .map(Self::to_string)
                    .collect::<Vec<_>>()
                    .join(", "),
            })
    }
}

impl TryFrom<String> for CertificateState {
    type Error = UnknownName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<CertificateState> for String {
    fn from(state: CertificateState) -> Self {
        state.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::life_cycle::tests::is_sound;

    #[test]
    fn machine_is_sound() {
        is_sound::<CertificateState>();
    }

    #[test]
    fn lists_hold_every_reason() {
        for &reason in RevocationReason::ALL {
            assert!(CertificateState::all().contains(&CertificateState::Revoked(reason)));
            assert!(CertificateState::events().contains(&CertificateEvent::Revoke(reason)));
        }
    }

    #[test]
    fn certificate_is_active_only_in_its_holders_hands_and_revoked_for_good() {
        for transition in CertificateState::transitions() {
            if transition.to == CertificateState::Active {
                let guards = transition.rule.guards;
                assert!(guards.contains(&Guard::DocumentHandedOver), "{guards:?}");
            }
        }
        for &reason in RevocationReason::ALL {
            assert!(CertificateState::Revoked(reason).is_final());
        }
        let resumed = CertificateState::Suspended.apply(CertificateEvent::Resume);
        assert_eq!(resumed, Ok(CertificateState::Active));
        assert!(
            CertificateState::Ready
                .apply(CertificateEvent::Suspend)
                .is_err()
        );
    }

    #[test]
    fn reason_is_kept_on_the_wire() {
        for &state in CertificateState::all() {
            let json = serde_json::to_string(&state).unwrap();
            assert_eq!(
                serde_json::from_str::<CertificateState>(&json).unwrap(),
                state
            );
        }
        let revoked = CertificateState::Revoked(KeyCompromise);
        assert_eq!(revoked.to_string(), "revoked:key-compromise");
        assert!("revoked".parse::<CertificateState>().is_err());
    }

    #[test]
    fn crl_codes_are_those_of_rfc_5280() {
        let codes = RevocationReason::ALL.iter().map(|reason| reason.crl_code());
        assert_eq!(codes.collect::<Vec<_>>(), [1, 3, 4, 5, 9]);
    }
}
