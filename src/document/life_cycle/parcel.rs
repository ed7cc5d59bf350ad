//! The life of a parcel: finished documents on their way from where they were made to the office
//! that hands them over.

use super::life_cycle;
use crate::named::named;

named! {
    /// The state of a parcel.
    "parcel state" enum ParcelState {
        /// Documents are put into it, and taken out.
        Open = "open",
        /// Closed and counted.
        Sealed = "sealed",
        /// Given to whoever carries it.
        UnderWay = "under-way",
        /// Opened and counted at its office.
        Received = "received",
        /// It never arrived.
        Lost = "lost",
        /// Given up empty.
        Discarded = "discarded",
    }
}

named! {
    /// What may happen to a parcel.
    "parcel event" enum ParcelEvent {
        /// A document is put into it.
        Add = "add",
        /// A document is taken out again.
        Remove = "remove",
        /// It is closed, and its documents are counted.
        Seal = "seal",
        /// It is opened again before it leaves.
        Reopen = "reopen",
        /// It leaves.
        Send = "send",
        /// Its office opens it, and counts.
        Receive = "receive",
        /// It is looked for in vain.
        Lose = "lose",
        /// It is given up empty.
        Discard = "discard",
    }
}

// PINs go another way than cards, so that one parcel in wrong hands is not both.
life_cycle!("parcel", ParcelState, ParcelEvent, initial Open, {
    Open + Add => Open [DocumentPassed, OneOffice] by [PackParcel] as ["parcel.packed"],
    Open + Remove => Open [DocumentInParcel] by [PackParcel] as ["parcel.unpacked"],
    Open + Seal => Sealed [CountAgreesWithParcel] by [PackParcel] as ["parcel.sealed"],
    Open + Discard => Discarded [ParcelEmpty, ReasonGiven] by [PackParcel] as ["parcel.discarded"],
    Sealed + Reopen => Open [ReasonGiven, TwoPersons] by [PackParcel] as ["parcel.reopened"],
    Sealed + Send => UnderWay [WayRecorded, NoEnvelopeOnThisWay] by [PackParcel] as ["parcel.sent"],
    UnderWay + Receive => Received [CountedByAnother, DifferenceIsIncident] by [ReceiveParcel] as ["parcel.received"],
    UnderWay + Lose => Lost [ReasonGiven, TwoPersons, IncidentOpen] by [ReportMishap] as ["parcel.lost"],
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::life_cycle::tests::is_sound;
    use crate::life_cycle::{Guard, LifeCycle};

    #[test]
    fn machine_is_sound() {
        is_sound::<ParcelState>();
    }

    #[test]
    fn nothing_is_put_into_a_closed_parcel_or_taken_out() {
        for &state in ParcelState::ALL {
            for event in [ParcelEvent::Add, ParcelEvent::Remove] {
                assert_eq!(state.apply(event).is_ok(), state == ParcelState::Open);
            }
        }
    }

    #[test]
    fn a_parcel_leaves_counted_without_pins_and_another_person_counts_it_in() {
        for transition in ParcelState::transitions() {
            if transition.to == ParcelState::UnderWay {
                assert_eq!(transition.from, ParcelState::Sealed);
                assert!(transition.rule.guards.contains(&Guard::NoEnvelopeOnThisWay));
            }
            if transition.to == ParcelState::Received {
                assert!(transition.rule.second_person().is_some());
            }
        }
    }
}
