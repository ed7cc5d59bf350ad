//! The life of a blank: every one is in exactly one account, from receipt to destruction.

use super::life_cycle;
use crate::named::named;

named! {
    /// The account that a blank is in.
    "blank state" enum BlankState {
        /// At a place, as a delivery whose count is not what was announced.
        Received = "received",
        /// In the store of a place.
        InStock = "in-stock",
        /// On its way from one place to another.
        InTransit = "in-transit",
        /// In a slot of a station, of no document yet.
        Loaded = "loaded",
        /// At a station, bound to a lease.
        AtStation = "at-station",
        /// It carries a document.
        Personalized = "personalized",
        /// It can carry no document any more.
        Spoiled = "spoiled",
        /// Back from a station, untouched, and not counted yet.
        Returned = "returned",
        /// Back with its maker.
        SentBack = "sent-back",
        /// Nobody knows where it is: an incident.
        Missing = "missing",
        /// Destroyed before witnesses.
        Destroyed = "destroyed",
    }
}

named! {
    /// What may happen to a blank.
    "blank event" enum BlankEvent {
        /// Its delivery was counted, and is what the books say.
        Accept = "accept",
        /// It leaves for another place.
        Send = "send",
        /// The other place has it.
        TakeIn = "take-in",
        /// It is put into a slot of a station.
        Load = "load",
        /// It is taken out of the slot.
        Unload = "unload",
        /// It is bound to a lease.
        Issue = "issue",
        /// A station made a document of it.
        Personalize = "personalize",
        /// It is damaged, failed, doubtful or no longer wanted.
        Spoil = "spoil",
        /// A station gives it back untouched.
        Return = "return",
        /// Its lease never reached the station: it is in the store, as before.
        TakeBack = "take-back",
        /// Its lease never reached the station: it is loaded in its slot, as before.
        PutBack = "put-back",
        /// A returned one is counted back into the store.
        Restock = "restock",
        /// It goes back to its maker.
        SendBack = "send-back",
        /// It is not where the books say.
        ReportMissing = "report-missing",
        /// It is carried to another station, which goes on with it.
        Carry = "carry",
        /// A missing one turns up.
        Find = "find",
        /// It is destroyed.
        Destroy = "destroy",
    }
}

impl BlankState {
    /// Tells whether it is at a place and nobody works on it, so that whoever finds it damaged
    /// there may book it as spoiled.
    #[must_use]
    pub const fn is_idle(self) -> bool {
        matches!(
            self,
            Self::Received | Self::InStock | Self::Loaded | Self::Returned
        )
    }

    /// Tells whether a blank in this account lies at its place, and is counted there when a day is
    /// closed. A personalized one is a document: it is accounted for as such.
    #[must_use]
    pub const fn is_counted(self) -> bool {
        self.is_idle() || matches!(self, Self::AtStation | Self::Spoiled)
    }
}

// A blank that was out of sight is never used: when found, it is spoiled. A document that came back
// takes its blank along into destruction. What carries anything of a holder goes back to no maker.
life_cycle!("blank", BlankState, BlankEvent, initial Received, {
    Received + Accept => InStock [CountAgrees, TwoPersons] by [ReceiveBlanks] as ["blanks.received", "delivery.accepted"],
    Received + Spoil => Spoiled [ReasonGiven] by [PersonalizeDocument, MoveBlanks] as ["blank.spoiled", "blank.crossed"],
    Received + SendBack => SentBack [ReasonGiven, TwoPersons] by [MoveBlanks] as ["blank.sent-back"],
    Received + ReportMissing => Missing [IncidentOpen] by [ReportBlankMissing] as ["blank.missing"],
    InStock + Send => InTransit [PlaceKnown] by [MoveBlanks] as ["blank.sent"],
    InStock + Load => Loaded [SlotNamed] by [MoveBlanks] as ["blank.loaded"],
    InStock + Issue => AtStation [ReceiverBooked] by [PersonalizeDocument] as ["blank.issued", "document.produced"],
    InStock + Spoil => Spoiled [ReasonGiven] by [PersonalizeDocument, MoveBlanks, ReceiveBlanks] as ["blank.spoiled", "blank.crossed"],
    InStock + SendBack => SentBack [ReasonGiven, TwoPersons] by [MoveBlanks] as ["blank.sent-back"],
    InStock + ReportMissing => Missing [IncidentOpen] by [ReportBlankMissing] as ["blank.missing"],
    InTransit + TakeIn => InStock [NotWhoSent] by [MoveBlanks] as ["blank.taken-in"],
    InTransit + ReportMissing => Missing [IncidentOpen] by [ReportBlankMissing] as ["blank.missing"],
    Loaded + Unload => InStock [CountAgrees] by [MoveBlanks] as ["blank.unloaded"],
    Loaded + Issue => AtStation [ReceiverBooked, SameSlot] by [PersonalizeDocument] as ["blank.issued", "document.produced"],
    Loaded + Spoil => Spoiled [ReasonGiven] by [PersonalizeDocument, MoveBlanks] as ["blank.spoiled", "blank.crossed"],
    Loaded + ReportMissing => Missing [IncidentOpen] by [ReportBlankMissing] as ["blank.missing"],
    AtStation + Personalize => Personalized [LeaseHeld, JournalWhole, ChipsVerified] by [PersonalizeDocument] as ["lease.reported", "document.produced"],
    AtStation + Spoil => Spoiled [ReasonGiven] by [PersonalizeDocument] as ["lease.reported", "lease.put-aside", "document.produced"],
    AtStation + Return => Returned [BlankUntouched] by [PersonalizeDocument] as ["lease.reported"],
    AtStation + TakeBack => InStock [BlankUntouched] by [PersonalizeDocument] as ["lease.given-back", "lease.expired"],
    AtStation + PutBack => Loaded [BlankUntouched, SameSlot] by [PersonalizeDocument] as ["lease.given-back", "lease.expired"],
    AtStation + Carry => AtStation [LeaseMoved] by [PersonalizeDocument] as ["lease.taken-over"],
    AtStation + ReportMissing => Missing [IncidentOpen, TwoPersons] by [GiveUpLease] as ["lease.given-up"],
    Personalized + Spoil => Spoiled [NotHandedOver, ReasonGiven] by [JudgeDocument, CancelDocument, ReportMishap] as ["quality.failed", "document.cancelled", "document.damaged"],
    Personalized + ReportMissing => Missing [NotHandedOver, IncidentOpen, TwoPersons] by [ReportMishap] as ["document.missing"],
    Personalized + Destroy => Destroyed [DocumentReturned, TwoPersons] by [DestroyDocument] as ["document.destroyed"],
    Spoiled + SendBack => SentBack [NothingCarried, ReasonGiven, TwoPersons] by [MoveBlanks] as ["blank.sent-back"],
    Spoiled + ReportMissing => Missing [IncidentOpen] by [ReportBlankMissing] as ["blank.missing"],
    Spoiled + Destroy => Destroyed [TwoPersons] by [DestroyBlanks] as ["blank.destroyed"],
    Returned + Restock => InStock [CountAgrees] by [CountBlanks] as ["blank.restocked"],
    Returned + Spoil => Spoiled [ReasonGiven] by [PersonalizeDocument, MoveBlanks] as ["blank.spoiled", "blank.crossed"],
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
            BlankState::SentBack,
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

    #[test]
    fn what_leaves_the_stock_unused_takes_two_persons() {
        for transition in BlankState::transitions() {
            let gone = matches!(transition.to, BlankState::SentBack | BlankState::Destroyed);
            if gone || transition.from == BlankState::Missing {
                assert!(
                    transition.rule.guards.contains(&Guard::TwoPersons),
                    "{transition:?}"
                );
            }
        }
    }
}
