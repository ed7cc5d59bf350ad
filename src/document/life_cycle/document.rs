//! The life of a document, from its data to its end.

use super::life_cycle;
use crate::named::named;

named! {
    /// The state of a document.
    "document state" enum DocumentState {
        /// Its data are prepared and its number is allotted.
        Prepared = "prepared",
        /// Waiting for a station.
        Queued = "queued",
        /// Leased to a station slot, with a blank.
        AtStation = "at-station",
        /// The blank carries it; it is not judged yet.
        Personalized = "personalized",
        /// Judged good, and waiting for its holder.
        QualityPassed = "quality-passed",
        /// Judged bad, and waiting for what becomes of it.
        QualityFailed = "quality-failed",
        /// In its holder's hands.
        HandedOver = "handed-over",
        /// Lost, replaced or taken away after it was handed over.
        Revoked = "revoked",
        /// Given up before anybody had it. Its number is not used again.
        Cancelled = "cancelled",
    }
}

named! {
    /// What may happen to a document.
    "document event" enum DocumentEvent {
        /// It joins the queue.
        Queue = "queue",
        /// A station takes it, with a blank.
        Lease = "lease",
        /// The station gives it back, and the blank untouched.
        Release = "release",
        /// The station reports it done.
        Personalize = "personalize",
        /// The blank is spoiled; it needs another one.
        SpoilBlank = "spoil-blank",
        /// The blank is gone, with whatever it carries.
        LoseBlank = "lose-blank",
        /// Quality passes it.
        PassQuality = "pass-quality",
        /// Quality fails it.
        FailQuality = "fail-quality",
        /// A failed one is let pass, with a recorded concession.
        Concede = "concede",
        /// The holder receives it.
        HandOver = "hand-over",
        /// It ends after it was handed over.
        Revoke = "revoke",
        /// It is given up before.
        Cancel = "cancel",
    }
}

// A spoiled blank is in our hands, so the same document goes on to a new one. A
// missing blank is not: a second one under the same number might make two live
// documents, hence the number is given up and a new document is prepared.
life_cycle!("document", DocumentState, DocumentEvent, initial Prepared, {
    Prepared + Queue => Queued [DocumentPrepared],
    Prepared + Cancel => Cancelled [ReasonGiven],
    Queued + Lease => AtStation [LeaseOpened],
    Queued + Cancel => Cancelled [ReasonGiven, CertificatesRevoked],
    AtStation + Release => Queued [LeaseHeld, BlankUntouched],
    AtStation + Personalize => Personalized [LeaseHeld, JournalWhole, ChipsVerified, BlankPersonalized],
    AtStation + SpoilBlank => Queued [LeaseHeld, BlankSpoiled, CertificatesRevoked],
    AtStation + LoseBlank => Cancelled [BlankMissing, CertificatesRevoked],
    Personalized + PassQuality => QualityPassed [OtherPerson, CertificatesOnHold],
    Personalized + FailQuality => QualityFailed [OtherPerson, ReasonGiven],
    Personalized + LoseBlank => Cancelled [BlankMissing, CertificatesRevoked],
    Personalized + Cancel => Cancelled [ReasonGiven, BlankSpoiled, CertificatesRevoked],
    QualityFailed + SpoilBlank => Queued [BlankSpoiled, CertificatesRevoked],
    QualityFailed + Concede => QualityPassed [OtherPerson, ConcessionRecorded, CertificatesOnHold],
    QualityFailed + LoseBlank => Cancelled [BlankMissing, CertificatesRevoked],
    QualityFailed + Cancel => Cancelled [ReasonGiven, BlankSpoiled, CertificatesRevoked],
    QualityPassed + HandOver => HandedOver [HolderIdentified, CertificatesOnHold],
    QualityPassed + FailQuality => QualityFailed [ReasonGiven],
    QualityPassed + LoseBlank => Cancelled [BlankMissing, CertificatesRevoked],
    QualityPassed + Cancel => Cancelled [ReasonGiven, BlankSpoiled, CertificatesRevoked],
    HandedOver + Revoke => Revoked [ReasonGiven, CertificatesRevoked],
});

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::life_cycle::tests::is_sound;
    use crate::life_cycle::{Guard, LifeCycle};

    #[test]
    fn machine_is_sound() {
        is_sound::<DocumentState>();
    }

    #[test]
    fn straight_life_reaches_the_holder() {
        use DocumentEvent::{HandOver, Lease, PassQuality, Personalize, Queue};
        let end = [Queue, Lease, Personalize, PassQuality, HandOver]
            .into_iter()
            .try_fold(DocumentState::INITIAL, DocumentState::apply);
        assert_eq!(end, Ok(DocumentState::HandedOver));
    }

    #[test]
    fn spoiled_blank_brings_the_document_back_to_the_queue() {
        let spoil = DocumentEvent::SpoilBlank;
        assert_eq!(
            DocumentState::AtStation.apply(spoil),
            Ok(DocumentState::Queued)
        );
        assert_eq!(
            DocumentState::QualityFailed.apply(spoil),
            Ok(DocumentState::Queued)
        );
        assert!(DocumentState::QualityPassed.apply(spoil).is_err());
    }

    #[test]
    fn leaving_a_touched_blank_always_demands_that_its_certificates_are_dead() {
        for transition in DocumentState::transitions() {
            let touched = matches!(
                transition.from,
                DocumentState::AtStation
                    | DocumentState::Personalized
                    | DocumentState::QualityFailed
                    | DocumentState::QualityPassed
            );
            let leaves = matches!(
                transition.to,
                DocumentState::Queued | DocumentState::Cancelled
            );
            if touched && leaves && transition.event != DocumentEvent::Release {
                assert!(
                    transition.guards.contains(&Guard::CertificatesRevoked),
                    "{transition:?}"
                );
                let accounted = [Guard::BlankSpoiled, Guard::BlankMissing];
                assert!(
                    transition
                        .guards
                        .iter()
                        .any(|guard| accounted.contains(guard))
                );
            }
        }
    }

    proptest! {
        #[test]
        fn nobody_gets_a_document_that_was_not_personalized_and_passed(
            events in prop::collection::vec(prop::sample::select(DocumentEvent::ALL), 0..60),
        ) {
            let mut state = DocumentState::INITIAL;
            let (mut personalized, mut passed) = (false, false);
            for event in events {
                let Ok(next) = state.apply(event) else { continue };
                personalized |= next == DocumentState::Personalized;
                passed |= next == DocumentState::QualityPassed;
                if next == DocumentState::Queued {
                    (personalized, passed) = (false, false);
                }
                prop_assert!(next != DocumentState::HandedOver || personalized && passed);
                state = next;
            }
        }
    }
}
