//! Life cycles as explicit state machines.
//!
//! ```text
//!  application   received -> approved -> in-production -> completed
//!  document      prepared -> queued <-> at-station -> personalized -> quality-passed
//!                         -> dispatched -> at-office -> handed-over <-> suspended
//!                         -> lost | stolen | revoked | expired -> returned -> destroyed
//!  parcel        open -> sealed -> under-way -> received | lost
//!  blank         received -> in-stock <-> in-transit, loaded
//!                in-stock, loaded -> at-station -> personalized | spoiled | returned | missing
//!  ribbon        in-stock <-> in-transit, in-stock -> loaded <-> opened -> used -> destroyed
//!  certificate   requested -> issued-on-hold -> ready -> active <-> suspended -> revoked
//!  PIN envelope  sealed -> ready -> printing -> printed -> dispatched -> delivered
//!  lease         open -> completed | spoiled | released | lost
//!  station       requested -> enrolled <-> suspended -> removed
//!  incident      open -> explained -> closed
//! ```
//!
//! A machine is a pure function: state and event give the next state or a
//! refusal. What else belongs to a transition is its [`Rule`]: what must hold (two
//! persons, a lease, a whole journal), whose right it is, and what the audit log
//! says of it. Whoever stores the change proves the guards in the same transaction.
//! `docs/life-cycles.md` shows all of it, and a test keeps it equal to the code.
//!
//! What a change of a document's state does to its certificates is
//! [`certificate_move`]'s.

mod application;
mod blank;
mod certificate;
mod document;
mod drawing;
mod envelope;
mod guard;
mod incident;
mod lease;
mod parcel;
mod policy;
mod ribbon;
mod rule;
mod station;

use std::fmt::{self, Display};

use thiserror::Error;

pub use application::{ApplicationEvent, ApplicationState};
pub use blank::{BlankEvent, BlankState};
pub use certificate::{CertificateEvent, CertificateState, RevocationReason};
pub use document::{DocumentEvent, DocumentState};
pub use drawing::{mermaid, table};
pub use envelope::{EnvelopeEvent, EnvelopeState};
pub use guard::Guard;
pub use incident::{IncidentEvent, IncidentKind, IncidentState};
pub use lease::{LeaseEvent, LeaseState};
pub use parcel::{ParcelEvent, ParcelState};
pub use policy::{CertificateMove, RevocationCause, certificate_move, policy_table};
pub use ribbon::{RibbonEvent, RibbonState};
pub use rule::Rule;
pub use station::{StationEvent, StationState};

/// A state of a life cycle.
pub trait LifeCycle: Copy + Eq + fmt::Debug + Display + 'static {
    /// What may happen to it.
    type Event: Copy + Eq + fmt::Debug + Display + 'static;

    /// What the life cycle is of, for example `document`.
    const SUBJECT: &'static str;

    /// The state in which it begins.
    const INITIAL: Self;

    /// Returns every state, in the order of a life.
    fn all() -> &'static [Self];

    /// Returns every event.
    fn events() -> &'static [Self::Event];

    /// Returns where an event leads from here and what belongs to it; none
    /// where the event may not happen.
    fn step(self, event: Self::Event) -> Option<(Self, Rule)>;

    /// Returns the state's name without what it carries.
    fn label(self) -> &'static str;

    /// Returns the event's name without what it carries.
    fn event_label(event: Self::Event) -> &'static str;

    /// Returns the state after an event. Guards are not judged here.
    ///
    /// # Errors
    ///
    /// [`Refused`] when the event may not happen in this state.
    fn apply(self, event: Self::Event) -> Result<Self, Refused<Self>> {
        self.step(event)
            .map(|(state, _)| state)
            .ok_or(Refused { state: self, event })
    }

    /// Returns what must hold for an event to happen here, besides the state.
    fn guards(self, event: Self::Event) -> &'static [Guard] {
        self.step(event).map_or(&[], |(_, rule)| rule.guards)
    }

    /// Tells whether nothing more can happen.
    fn is_final(self) -> bool {
        Self::events()
            .iter()
            .all(|&event| self.step(event).is_none())
    }

    /// Returns every transition, ordered by state and event.
    fn transitions() -> Vec<Transition<Self>> {
        let all = Self::all().iter().flat_map(|&from| {
            Self::events().iter().filter_map(move |&event| {
                let (to, rule) = from.step(event)?;
                Some(Transition {
                    from,
                    event,
                    to,
                    rule,
                })
            })
        });
        all.collect()
    }
}

/// One transition of a life cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition<S: LifeCycle> {
    /// The state before.
    pub from: S,
    /// What happens.
    pub event: S::Event,
    /// The state after.
    pub to: S,
    /// What must hold besides, whose right it is, and what is written down.
    pub rule: Rule,
}

/// An event that may not happen in a state. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub struct Refused<S: LifeCycle> {
    /// The state, which stays.
    pub state: S,
    /// The event that was refused.
    pub event: S::Event,
}

impl<S: LifeCycle> Display for Refused<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { state, event } = self;
        write!(f, "{} is {state} and does not admit {event}", S::SUBJECT)?;
        let mut possible: Vec<_> = S::events()
            .iter()
            .filter(|&&event| state.step(event).is_some())
            .map(|&event| S::event_label(event))
            .collect();
        possible.dedup();
        if possible.is_empty() {
            f.write_str("; nothing more can happen to it")
        } else {
            write!(f, "; possible: {}", possible.join(", "))
        }
    }
}

/// Implements [`LifeCycle`] for a state and an event whose values carry nothing. Each line is a
/// transition: its guards, `by` the acts of whose rights one is needed (none where the store does it
/// by itself), and `as` what the audit log calls it.
macro_rules! life_cycle {
    ($subject:literal, $state:ident, $event:ident, initial $initial:ident, {
        $( $from:ident + $on:ident => $to:ident [ $( $guard:ident ),* ]
            by [ $( $act:ident ),* ] as [ $( $evidence:literal ),+ ] ),+ $(,)?
    }) => {
        impl $crate::life_cycle::LifeCycle for $state {
            type Event = $event;

            const SUBJECT: &'static str = $subject;
            const INITIAL: Self = Self::$initial;

            fn all() -> &'static [Self] {
                Self::ALL
            }

            fn events() -> &'static [$event] {
                $event::ALL
            }

            fn step(self, event: $event) -> Option<(Self, $crate::life_cycle::Rule)> {
                match (self, event) {
                    $( ($state::$from, $event::$on) => Some((
                        $state::$to,
                        $crate::life_cycle::Rule {
                            guards: &[ $( $crate::life_cycle::Guard::$guard ),* ],
                            acts: &[ $( $crate::role::Act::$act ),* ],
                            evidence: &[ $( $evidence ),+ ],
                        },
                    )), )+
                    _ => None,
                }
            }

            fn label(self) -> &'static str {
                self.name()
            }

            fn event_label(event: $event) -> &'static str {
                event.name()
            }
        }
    };
}

use life_cycle;

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::HashSet;
    use std::hash::Hash;

    use super::*;

    /// Judges what every sound machine has in common.
    pub(crate) fn is_sound<S: LifeCycle + Hash>() {
        let mut reached = HashSet::from([S::INITIAL]);
        loop {
            let before = reached.len();
            for transition in S::transitions() {
                if reached.contains(&transition.from) {
                    reached.insert(transition.to);
                }
            }
            if reached.len() == before {
                break;
            }
        }
        for &state in S::all() {
            assert!(
                reached.contains(&state),
                "{} can never be {state}",
                S::SUBJECT
            );
        }
        for &event in S::events() {
            let used = S::transitions()
                .iter()
                .any(|transition| transition.event == event);
            assert!(used, "{} never sees {event}", S::SUBJECT);
        }
        assert!(S::all().iter().any(|state| state.is_final()));
        for transition in S::transitions() {
            let rule = transition.rule;
            assert!(!rule.guards.is_empty(), "{transition:?} is unguarded");
            assert!(!rule.evidence.is_empty(), "{transition:?} leaves nothing");
            for action in rule.evidence {
                let (subject, verb) = action.split_once('.').unwrap();
                let is_word = |word: &str| {
                    !word.is_empty()
                        && word
                            .bytes()
                            .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
                };
                assert!(is_word(subject) && is_word(verb), "{action}");
            }
            // A second person is one that somebody with a right is beside.
            let is_judged = rule
                .guards
                .iter()
                .any(|guard| guard.second_person().is_some());
            assert!(
                !is_judged || !rule.acts.is_empty(),
                "{transition:?} has no first person"
            );
        }
    }

    #[test]
    fn refusal_names_both_and_says_what_is_possible() {
        let refused = DocumentState::Queued
            .apply(DocumentEvent::HandOver)
            .unwrap_err();
        assert_eq!(
            refused.to_string(),
            "document is queued and does not admit hand-over; possible: lease, cancel"
        );
        let refused = BlankState::Destroyed.apply(BlankEvent::Issue).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "blank is destroyed and does not admit issue; nothing more can happen to it"
        );
    }
}
