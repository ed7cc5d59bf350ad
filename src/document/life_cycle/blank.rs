//! The life of a blank: every one is in exactly one account, from receipt to destruction.

use super::life_cycle;
use crate::named::named;

named! {
    /// The account that a blank is in.
    "blank state" enum BlankState {
        /// In a store.
        InStock = "in-stock",
        /// At a station.
        AtStation = "at-station",
        /// It carries a document.
        Personalized = "personalized",
        /// It can carry no document any more.
        Spoiled = "spoiled",
        /// Back from a station, untouched, and not counted yet.
        Returned = "returned",
        /// Nobody knows where it is: an incident.
        Missing = "missing",
        /// Destroyed before witnesses.
        Destroyed = "destroyed",
    }
}

named! {
    /// What may happen to a blank.
    "blank event" enum BlankEvent {
        /// It goes to a station.
        Issue = "issue",
        /// A station made a document of it.
        Personalize = "personalize",
        /// It is damaged, failed, doubtful or no longer wanted.
        Spoil = "spoil",
        /// A station gives it back untouched.
        Return = "return",
        /// A returned one is counted back into the store.
        Restock = "restock",
        /// It is not where the books say.
        ReportMissing = "report-missing",
        /// A missing one turns up.
        Find = "find",
        /// It is destroyed.
        Destroy = "destroy",
    }
}

// A blank that was out of sight is never used: when found, it is spoiled. A document that came back
// takes its blank along into destruction.
life_cycle!("blank", BlankState, BlankEvent, initial InStock, {
    InStock + Issue => AtStation [ReceiverBooked] by [PersonalizeDocument] as ["blank.issued", "document.produced"],
    InStock + Spoil => Spoiled [ReasonGiven] by [PersonalizeDocument] as ["blank.spoiled", "blank.crossed"],
    InStock + ReportMissing => Missing [IncidentOpen] by [ReportBlankMissing] as ["blank.missing"],
    AtStation + Personalize => Personalized [LeaseHeld, JournalWhole, ChipsVerified] by [PersonalizeDocument] as ["lease.reported", "document.produced"],
    AtStation + Spoil => Spoiled [ReasonGiven] by [PersonalizeDocument] as ["lease.reported", "document.produced"],
    AtStation + Return => Returned [BlankUntouched] by [PersonalizeDocument] as ["lease.reported"],
    AtStation + ReportMissing => Missing [IncidentOpen, TwoPersons] by [GiveUpLease] as ["lease.given-up"],
    Personalized + Spoil => Spoiled [NotHandedOver, ReasonGiven] by [JudgeDocument, CancelDocument, ReportMishap] as ["quality.failed", "document.cancelled", "document.damaged"],
    Personalized + ReportMissing => Missing [NotHandedOver, IncidentOpen, TwoPersons] by [ReportMishap] as ["document.missing"],
    Personalized + Destroy => Destroyed [DocumentReturned, TwoPersons] by [DestroyDocument] as ["document.destroyed"],
    Spoiled + ReportMissing => Missing [IncidentOpen] by [ReportBlankMissing] as ["blank.missing"],
    Spoiled + Destroy => Destroyed [TwoPersons] by [DestroyBlanks] as ["blank.destroyed"],
    Returned + Restock => InStock [CountAgrees] by [CountBlanks] as ["blank.restocked"],
    Returned + Spoil => Spoiled [ReasonGiven] by [PersonalizeDocument, CountBlanks] as ["blank.spoiled", "blank.crossed"],
    Returned + ReportMissing => Missing [IncidentOpen] by [ReportBlankMissing] as ["blank.missing"],
    Missing + Find => Spoiled [IncidentOpen, TwoPersons] by [CountBlanks] as ["blank.found"],
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::life_cycle::tests::is_sound;
    use crate::life_cycle::{Guard, LifeCycle};

    #[test]
    fn machine_is_sound() {
        is_sound::<BlankState>();
    }

    #[test]
    fn used_or_lost_blank_never_comes_back_into_stock() {
        let mut reached = vec![
            BlankState::Personalized,
            BlankState::Spoiled,
            BlankState::Missing,
        ];
        for at in 0.. {
            let Some(&state) = reached.get(at) else { break };
            assert_ne!(state, BlankState::InStock);
            for &event in BlankEvent::ALL {
                reached.extend(
                    state
                        .apply(event)
                        .ok()
                        .filter(|next| !reached.contains(next)),
                );
            }
        }
    }

    #[test]
    fn only_a_spoiled_blank_is_destroyed_or_one_whose_document_came_back() {
        for &state in BlankState::ALL {
            let guards = state.guards(BlankEvent::Destroy);
            assert_eq!(
                state.apply(BlankEvent::Destroy).is_ok(),
                matches!(state, BlankState::Spoiled | BlankState::Personalized)
            );
            assert_eq!(
                guards.contains(&Guard::DocumentReturned),
                state == BlankState::Personalized
            );
        }
    }
}
