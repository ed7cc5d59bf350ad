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

// A blank that was out of sight is never used: when found, it is spoiled.
life_cycle!("blank", BlankState, BlankEvent, initial InStock, {
    InStock + Issue => AtStation [ReceiverBooked],
    InStock + Spoil => Spoiled [ReasonGiven],
    InStock + ReportMissing => Missing [IncidentOpen],
    AtStation + Personalize => Personalized [LeaseHeld, JournalWhole, ChipsVerified],
    AtStation + Spoil => Spoiled [ReasonGiven],
    AtStation + Return => Returned [BlankUntouched],
    AtStation + ReportMissing => Missing [IncidentOpen],
    Personalized + Spoil => Spoiled [NotHandedOver, ReasonGiven],
    Personalized + ReportMissing => Missing [NotHandedOver, IncidentOpen],
    Spoiled + ReportMissing => Missing [IncidentOpen],
    Spoiled + Destroy => Destroyed [TwoPersons],
    Returned + Restock => InStock [CountAgrees],
    Returned + Spoil => Spoiled [ReasonGiven],
    Returned + ReportMissing => Missing [IncidentOpen],
    Missing + Find => Spoiled [IncidentOpen, TwoPersons],
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::life_cycle::LifeCycle;
    use crate::life_cycle::tests::is_sound;

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
    fn only_a_spoiled_blank_is_destroyed() {
        for &state in BlankState::ALL {
            assert_eq!(
                state.apply(BlankEvent::Destroy).is_ok(),
                state == BlankState::Spoiled
            );
        }
    }
}
