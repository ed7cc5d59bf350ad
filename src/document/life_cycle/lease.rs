//! The life of a lease: one document and one blank, given to one station slot for a time.

use super::life_cycle;
use crate::named::named;

named! {
    /// The state of a lease.
    "lease state" enum LeaseState {
        /// The station works on it.
        Open = "open",
        /// Its end has passed without a report. Document and blank stay bound:
        /// only the station's journal, or a count, says what became of them.
        Expired = "expired",
        /// The blank carries the document.
        Completed = "completed",
        /// The blank is spoiled.
        Spoiled = "spoiled",
        /// The blank came back untouched.
        Released = "released",
        /// The blank is missing.
        Lost = "lost",
        /// The document that was made before is as it was: it did not get what it was leased for.
        Failed = "failed",
    }
}

named! {
    /// What may happen to a lease.
    "lease event" enum LeaseEvent {
        /// The station asks for more time.
        Renew = "renew",
        /// Its end passes.
        Expire = "expire",
        /// It is taken from its station: another one goes on with its card.
        Move = "move",
        /// The station takes it over in whose slot its card lies.
        TakeOver = "take-over",
        /// The station reports the document done.
        Complete = "complete",
        /// The station reports the blank spoiled.
        Spoil = "spoil",
        /// The station gives the blank back untouched.
        Release = "release",
        /// The blank is missing.
        Lose = "lose",
        /// What was to be done to a document that was made before was not done.
        Fail = "fail",
    }
}

life_cycle!("lease", LeaseState, LeaseEvent, initial Open, {
    Open + Renew => Open [LeaseHeld, WithinTerm] by [PersonalizeDocument, RenewPins] as ["channel.opened", "keys.given", "certificate.requested", "lds.signed", "stage.sealed", "stage.confirmed"],
    Open + Expire => Expired [TermPassed] by [] as ["lease.expired"],
    Open + Move => Expired [TwoPersons, ReasonGiven] by [MoveLease] as ["lease.moved"],
    Open + Complete => Completed [LeaseHeld, JournalWhole, ChipsVerified] by [PersonalizeDocument, RenewPins] as ["lease.reported", "document.produced", "new-pins.set"],
    Open + Spoil => Spoiled [LeaseHeld, BlankSpoiled] by [PersonalizeDocument, RenewPins] as ["lease.reported", "lease.put-aside", "document.produced"],
    Open + Release => Released [LeaseHeld, BlankUntouched] by [PersonalizeDocument, RenewPins] as ["lease.reported", "lease.given-back"],
    Open + Lose => Lost [BlankMissing, TwoPersons] by [GiveUpLease] as ["lease.given-up"],
    Open + Fail => Failed [DocumentMade, ReasonGiven] by [PersonalizeDocument, RenewPins] as ["new-pins.failed"],
    Expired + Move => Expired [TwoPersons, ReasonGiven] by [MoveLease] as ["lease.moved"],
    Expired + TakeOver => Open [LeaseMoved] by [PersonalizeDocument] as ["lease.taken-over"],
    Expired + Complete => Completed [LeaseHeld, JournalWhole, ChipsVerified] by [PersonalizeDocument, RenewPins] as ["lease.reported", "new-pins.set"],
    Expired + Spoil => Spoiled [BlankSpoiled] by [PersonalizeDocument, RenewPins] as ["lease.reported", "lease.put-aside"],
    Expired + Release => Released [BlankUntouched] by [PersonalizeDocument, RenewPins] as ["lease.reported", "lease.expired"],
    Expired + Lose => Lost [BlankMissing, TwoPersons] by [GiveUpLease] as ["lease.given-up"],
    Expired + Fail => Failed [DocumentMade, ReasonGiven] by [PersonalizeDocument, RenewPins] as ["new-pins.failed"],
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::life_cycle::LifeCycle;
    use crate::life_cycle::tests::is_sound;

    #[test]
    fn machine_is_sound() {
        is_sound::<LeaseState>();
    }

    #[test]
    fn expired_lease_is_never_renewed_but_still_hears_a_late_report() {
        assert!(LeaseState::Expired.apply(LeaseEvent::Renew).is_err());
        assert_eq!(
            LeaseState::Expired.apply(LeaseEvent::Complete),
            Ok(LeaseState::Completed)
        );
        assert!(!LeaseState::Expired.is_final());
    }

    #[test]
    fn every_end_is_final() {
        use LeaseState::{Completed, Failed, Lost, Released, Spoiled};
        for end in [Completed, Spoiled, Released, Lost, Failed] {
            assert!(end.is_final());
        }
    }
}
