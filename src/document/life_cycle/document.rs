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
        /// Judged good, at the place where it was made.
        QualityPassed = "quality-passed",
        /// Judged bad, and waiting for what becomes of it.
        QualityFailed = "quality-failed",
        /// In a parcel for its office.
        Dispatched = "dispatched",
        /// At its office, and waiting for its holder.
        AtOffice = "at-office",
        /// In its holder's hands, and in use.
        HandedOver = "handed-over",
        /// Out of use for a time.
        Suspended = "suspended",
        /// Lost by its holder. It is never in use again, wherever it turns up.
        Lost = "lost",
        /// Stolen from its holder. As one that is lost.
        Stolen = "stolen",
        /// Replaced, given up or taken away; not in our hands yet.
        Revoked = "revoked",
        /// Its last day has passed.
        Expired = "expired",
        /// Back with the issuer, to be destroyed.
        Returned = "returned",
        /// Destroyed before a witness.
        Destroyed = "destroyed",
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
        /// It is put into a parcel for its office.
        Pack = "pack",
        /// It is taken out of its parcel again.
        Unpack = "unpack",
        /// Its office has it.
        Arrive = "arrive",
        /// The holder receives it at its office.
        HandOver = "hand-over",
        /// The holder receives it where it was made.
        HandOverHere = "hand-over-here",
        /// Nobody came for it.
        NotCollected = "not-collected",
        /// It is taken out of use for a time.
        Suspend = "suspend",
        /// It is in use again.
        Resume = "resume",
        /// Its holder has lost it.
        ReportLost = "report-lost",
        /// It was stolen from its holder.
        ReportStolen = "report-stolen",
        /// It ends after it was handed over.
        Revoke = "revoke",
        /// Its last day passes.
        Expire = "expire",
        /// It comes back.
        TakeBack = "take-back",
        /// It is destroyed.
        Destroy = "destroy",
        /// It is given up before.
        Cancel = "cancel",
    }
}

// A blank that is spoiled or gone takes its number along, so that the document goes on to a new
// blank under another number: two cards under one number would be two live documents.
//
// Written reports of a loss are final: whoever finds the document finds one that is out of use. One
// that may be found again in a minute is suspended.
life_cycle!("document", DocumentState, DocumentEvent, initial Prepared, {
    Prepared + Queue => Queued [DocumentPrepared] by [ApproveApplication] as ["document.prepared", "document.queued"],
    Prepared + Cancel => Cancelled [ReasonGiven] by [CancelDocument] as ["document.cancelled"],
    Queued + Lease => AtStation [LeaseOpened] by [PersonalizeDocument] as ["document.leased", "document.produced"],
    Queued + Cancel => Cancelled [ReasonGiven, CertificatesRevoked] by [CancelDocument] as ["document.cancelled"],
    AtStation + Release => Queued [LeaseHeld, BlankUntouched] by [PersonalizeDocument] as ["lease.reported", "lease.put-aside", "lease.expired", "lease.given-back"],
    AtStation + Personalize => Personalized [LeaseHeld, JournalWhole, ChipsVerified, BlankPersonalized] by [PersonalizeDocument] as ["lease.reported", "document.produced"],
    AtStation + SpoilBlank => Queued [LeaseHeld, BlankSpoiled, CertificatesRevoked, NumberGivenUp] by [PersonalizeDocument] as ["lease.reported", "lease.put-aside", "document.produced"],
    AtStation + LoseBlank => Queued [TwoPersons, BlankMissing, CertificatesRevoked, NumberGivenUp] by [GiveUpLease] as ["lease.given-up"],
    Personalized + PassQuality => QualityPassed [OtherPerson, CertificatesOnHold] by [JudgeDocument] as ["quality.passed"],
    Personalized + FailQuality => QualityFailed [OtherPerson, ReasonGiven] by [JudgeDocument] as ["quality.failed"],
    Personalized + LoseBlank => Queued [TwoPersons, BlankMissing, CertificatesRevoked, NumberGivenUp] by [ReportMishap] as ["document.missing"],
    Personalized + Cancel => Cancelled [ReasonGiven, BlankSpoiled, CertificatesRevoked] by [CancelDocument] as ["document.cancelled"],
    QualityFailed + SpoilBlank => Queued [BlankSpoiled, CertificatesRevoked, NumberGivenUp] by [JudgeDocument] as ["quality.failed"],
    QualityFailed + Concede => QualityPassed [OtherPerson, ConcessionRecorded, CertificatesOnHold] by [ConcedeDocument] as ["quality.conceded"],
    QualityFailed + LoseBlank => Queued [TwoPersons, BlankMissing, CertificatesRevoked, NumberGivenUp] by [ReportMishap] as ["document.missing"],
    QualityFailed + Cancel => Cancelled [ReasonGiven, BlankSpoiled, CertificatesRevoked] by [CancelDocument] as ["document.cancelled"],
    QualityPassed + FailQuality => QualityFailed [OtherPerson, ReasonGiven] by [JudgeDocument] as ["quality.failed"],
    QualityPassed + Pack => Dispatched [ParcelOpen, CertificatesOnHold] by [PackParcel] as ["parcel.packed"],
    QualityPassed + HandOverHere => HandedOver [MadeHere, HolderIdentified, CertificatesOnHold] by [HandOverDocument] as ["document.handed-over"],
    QualityPassed + NotCollected => Returned [CollectionTermPassed, CertificatesFollow] by [TakeBackDocument] as ["document.not-collected"],
    QualityPassed + LoseBlank => Queued [TwoPersons, BlankMissing, CertificatesRevoked, NumberGivenUp] by [ReportMishap] as ["document.missing"],
    QualityPassed + Cancel => Cancelled [ReasonGiven, BlankSpoiled, CertificatesRevoked] by [CancelDocument] as ["document.cancelled"],
    Dispatched + Unpack => QualityPassed [ParcelOpen] by [PackParcel] as ["parcel.unpacked"],
    Dispatched + Arrive => AtOffice [CountedByAnother, ParcelReceived] by [ReceiveParcel] as ["document.arrived"],
    Dispatched + SpoilBlank => Queued [ParcelReceived, ReasonGiven, BlankSpoiled, CertificatesRevoked, NumberGivenUp] by [ReportMishap] as ["document.damaged"],
    Dispatched + LoseBlank => Queued [TwoPersons, BlankMissing, CertificatesRevoked, NumberGivenUp] by [ReportMishap] as ["document.missing"],
    AtOffice + HandOver => HandedOver [HolderIdentified, CertificatesOnHold] by [HandOverDocument] as ["document.handed-over"],
    AtOffice + NotCollected => Returned [CollectionTermPassed, CertificatesFollow] by [TakeBackDocument] as ["document.not-collected"],
    AtOffice + SpoilBlank => Queued [ReasonGiven, BlankSpoiled, CertificatesRevoked, NumberGivenUp] by [ReportMishap] as ["document.damaged"],
    AtOffice + LoseBlank => Queued [TwoPersons, BlankMissing, CertificatesRevoked, NumberGivenUp] by [ReportMishap] as ["document.missing"],
    AtOffice + Cancel => Cancelled [ReasonGiven, BlankSpoiled, CertificatesRevoked] by [CancelDocument] as ["document.cancelled"],
    HandedOver + Suspend => Suspended [ReasonGiven, CertificatesFollow] by [SuspendDocument] as ["document.suspended"],
    HandedOver + ReportLost => Lost [LossInWriting, ReasonGiven, CertificatesFollow] by [ReportDocumentLost] as ["document.lost"],
    HandedOver + ReportStolen => Stolen [LossInWriting, ReasonGiven, CertificatesFollow] by [ReportDocumentLost] as ["document.stolen"],
    HandedOver + Revoke => Revoked [ReasonGiven, CertificatesFollow] by [RevokeDocument] as ["document.revoked"],
    HandedOver + Expire => Expired [ValidityPassed, CertificatesFollow] by [] as ["document.expired"],
    HandedOver + TakeBack => Returned [DocumentAtHand, ReasonGiven, CertificatesFollow] by [TakeBackDocument] as ["document.returned"],
    Suspended + Resume => HandedOver [ReleasedByAnother, HolderIdentified, CertificatesFollow] by [ResumeDocument] as ["document.resumed"],
    Suspended + ReportLost => Lost [LossInWriting, ReasonGiven, CertificatesFollow] by [ReportDocumentLost] as ["document.lost"],
    Suspended + ReportStolen => Stolen [LossInWriting, ReasonGiven, CertificatesFollow] by [ReportDocumentLost] as ["document.stolen"],
    Suspended + Revoke => Revoked [ReasonGiven, CertificatesFollow] by [RevokeDocument] as ["document.revoked"],
    Suspended + Expire => Expired [ValidityPassed, CertificatesFollow] by [] as ["document.expired"],
    Suspended + TakeBack => Returned [DocumentAtHand, ReasonGiven, CertificatesFollow] by [TakeBackDocument] as ["document.returned"],
    Lost + TakeBack => Returned [DocumentAtHand, ReasonGiven, CertificatesFollow] by [TakeBackDocument] as ["document.returned"],
    Stolen + TakeBack => Returned [DocumentAtHand, ReasonGiven, CertificatesFollow] by [TakeBackDocument] as ["document.returned"],
    Revoked + TakeBack => Returned [DocumentAtHand, ReasonGiven, CertificatesFollow] by [TakeBackDocument] as ["document.returned"],
    Expired + TakeBack => Returned [DocumentAtHand, ReasonGiven, CertificatesFollow] by [TakeBackDocument] as ["document.returned"],
    Returned + Destroy => Destroyed [DocumentAtHand, TwoPersons] by [DestroyDocument] as ["document.destroyed"],
});

impl DocumentState {
    /// Tells whether nobody but the issuer ever had the document, and its holder may still get it.
    #[must_use]
    pub const fn is_before_hand_over(self) -> bool {
        matches!(
            self,
            Self::Prepared
                | Self::Queued
                | Self::AtStation
                | Self::Personalized
                | Self::QualityPassed
                | Self::QualityFailed
                | Self::Dispatched
                | Self::AtOffice
        )
    }
}

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
    fn straight_life_reaches_the_holder_over_a_parcel_or_where_it_was_made() {
        use DocumentEvent::{
            Arrive, HandOver, HandOverHere, Lease, Pack, PassQuality, Personalize, Queue,
        };
        let made = [Queue, Lease, Personalize, PassQuality];
        let end = |last: &[DocumentEvent]| {
            made.iter()
                .chain(last)
                .try_fold(DocumentState::INITIAL, |state, &event| state.apply(event))
        };
        assert_eq!(
            end(&[Pack, Arrive, HandOver]),
            Ok(DocumentState::HandedOver)
        );
        assert_eq!(end(&[HandOverHere]), Ok(DocumentState::HandedOver));
        assert!(end(&[HandOver]).is_err(), "nothing is skipped");
        assert!(end(&[Pack, HandOver]).is_err(), "it is in a parcel");
        let guards = DocumentState::QualityPassed.guards(HandOverHere);
        assert!(guards.contains(&Guard::MadeHere));
    }

    #[test]
    fn what_is_out_of_use_for_good_never_comes_back_to_its_holder() {
        use DocumentState::{Destroyed, Expired, Lost, Returned, Revoked, Stolen};
        let gone = [Lost, Stolen, Revoked, Expired, Returned, Destroyed];
        for transition in DocumentState::transitions() {
            if gone.contains(&transition.from) {
                assert!(gone.contains(&transition.to), "{transition:?}");
            }
        }
        for state in gone {
            let mut reached = vec![state];
            for at in 0.. {
                let Some(&state) = reached.get(at) else { break };
                for &event in DocumentEvent::ALL {
                    let next = state.apply(event).ok();
                    reached.extend(next.filter(|next| !reached.contains(next)));
                }
            }
            assert!(reached.contains(&Destroyed), "{state} has no end");
        }
    }

    #[test]
    fn only_what_came_back_is_destroyed_and_before_a_witness() {
        for &state in DocumentState::ALL {
            let destroyed = state.apply(DocumentEvent::Destroy);
            assert_eq!(destroyed.is_ok(), state == DocumentState::Returned);
        }
        let guards = DocumentState::Returned.guards(DocumentEvent::Destroy);
        assert!(guards.contains(&Guard::TwoPersons));
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
                    | DocumentState::Dispatched
                    | DocumentState::AtOffice
            );
            let leaves = matches!(
                transition.to,
                DocumentState::Queued | DocumentState::Cancelled
            );
            if touched && leaves && transition.event != DocumentEvent::Release {
                assert!(
                    transition.rule.guards.contains(&Guard::CertificatesRevoked),
                    "{transition:?}"
                );
                let accounted = [Guard::BlankSpoiled, Guard::BlankMissing];
                assert!(
                    transition
                        .rule
                        .guards
                        .iter()
                        .any(|guard| accounted.contains(guard))
                );
                // The card is still somewhere, under its number.
                let again = transition.to == DocumentState::Queued;
                let is_renumbered = transition.rule.guards.contains(&Guard::NumberGivenUp);
                assert_eq!(again, is_renumbered, "{transition:?}");
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
