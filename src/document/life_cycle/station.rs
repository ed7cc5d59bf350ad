//! The life of a station in the store's books.

use super::life_cycle;
use crate::named::named;

named! {
    /// The state of a station.
    "station state" enum StationState {
        /// An administrator asked for it; it may do nothing yet.
        Requested = "requested",
        /// It has a certificate, and may ask for work.
        Enrolled = "enrolled",
        /// It may do nothing until it is let in again.
        Suspended = "suspended",
        /// It never comes back; its name is not given again.
        Removed = "removed",
    }
}

named! {
    /// What may happen to a station.
    "station event" enum StationEvent {
        /// A certificate is given for its key: its first, or another.
        Confirm = "confirm",
        /// It is stopped at once.
        Suspend = "suspend",
        /// It is let in again.
        Resume = "resume",
        /// It goes for good.
        Remove = "remove",
    }
}

life_cycle!("station", StationState, StationEvent, initial Requested, {
    Requested + Confirm => Enrolled [FourEyes, KeyCompared] by [ConfirmStation] as ["station.enrolled"],
    Requested + Remove => Removed [ReasonGiven] by [ManageStations] as ["station.removed"],
    Enrolled + Confirm => Enrolled [FourEyes, KeyCompared] by [ConfirmStation] as ["station.enrolled"],
    Enrolled + Suspend => Suspended [ReasonGiven] by [WatchStations] as ["station.suspended"],
    Enrolled + Remove => Removed [ReasonGiven] by [ManageStations] as ["station.removed"],
    Suspended + Resume => Enrolled [ReleasedByAnother, ReasonGiven] by [ConfirmStation] as ["station.resumed"],
    Suspended + Remove => Removed [ReasonGiven] by [ManageStations] as ["station.removed"],
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::life_cycle::LifeCycle;
    use crate::life_cycle::tests::is_sound;

    #[test]
    fn machine_is_sound() {
        is_sound::<StationState>();
    }

    #[test]
    fn a_suspended_station_gets_no_certificate_and_a_removed_one_nothing() {
        assert!(
            StationState::Suspended
                .apply(StationEvent::Confirm)
                .is_err()
        );
        assert!(StationState::Removed.is_final());
    }
}
