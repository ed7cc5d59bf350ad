//! The life of a printer's ribbon: what was printed with it can be read from it, so that it is
//! accounted for from its receipt to its destruction.

use super::life_cycle;
use crate::named::named;

named! {
    /// Where a ribbon is, and whether it shows anything.
    "ribbon state" enum RibbonState {
        /// New, in the store of a place.
        InStock = "in-stock",
        /// New, on its way from one place to another.
        InTransit = "in-transit",
        /// In the printer of a station's slot.
        Loaded = "loaded",
        /// Out of a printer before its end: it shows what was printed with it, and may be loaded
        /// again.
        Opened = "opened",
        /// Nothing more is printed with it. It shows what was.
        Used = "used",
        /// Used, on its way to the place where it is destroyed.
        UsedInTransit = "used-in-transit",
        /// Nobody knows where it is: an incident.
        Missing = "missing",
        /// Destroyed before witnesses.
        Destroyed = "destroyed",
    }
}

named! {
    /// What may happen to a ribbon.
    "ribbon event" enum RibbonEvent {
        /// It leaves for another place.
        Send = "send",
        /// The other place has it.
        TakeIn = "take-in",
        /// It is put into the printer of a slot.
        Load = "load",
        /// It is taken out before its end.
        Unload = "unload",
        /// It is at its end, damaged, or wanted no more.
        UseUp = "use-up",
        /// It is not where the books say.
        ReportMissing = "report-missing",
        /// A missing one turns up.
        Find = "find",
        /// It is destroyed.
        Destroy = "destroy",
    }
}

impl RibbonState {
    /// Tells whether a ribbon in this state lies at its place, and is counted there when a day is
    /// closed.
    #[must_use]
    pub const fn is_counted(self) -> bool {
        matches!(
            self,
            Self::InStock | Self::Loaded | Self::Opened | Self::Used
        )
    }
}

// Whatever was in a printer shows people, however little: it never comes back into stock. One that was out
// of sight is not used again: when found, it waits for its destruction.
life_cycle!("ribbon", RibbonState, RibbonEvent, initial InStock, {
    InStock + Send => InTransit [PlaceKnown] by [KeepRibbons] as ["ribbon.sent"],
    InStock + Load => Loaded [SlotNamed, PrinterFree] by [ChangeRibbon] as ["ribbon.loaded"],
    InStock + UseUp => Used [ReasonGiven] by [ChangeRibbon] as ["ribbon.used"],
    InStock + ReportMissing => Missing [IncidentOpen, TwoPersons] by [ReportRibbonMissing] as ["ribbon.missing"],
    InTransit + TakeIn => InStock [NotWhoSent] by [KeepRibbons] as ["ribbon.taken-in"],
    InTransit + ReportMissing => Missing [IncidentOpen, TwoPersons] by [ReportRibbonMissing] as ["ribbon.missing"],
    Loaded + Unload => Opened [SlotNamed] by [ChangeRibbon] as ["ribbon.unloaded"],
    Loaded + UseUp => Used [ReasonGiven] by [ChangeRibbon] as ["ribbon.used"],
    Loaded + ReportMissing => Missing [IncidentOpen, TwoPersons] by [ReportRibbonMissing] as ["ribbon.missing"],
    Opened + Load => Loaded [SlotNamed, PrinterFree] by [ChangeRibbon] as ["ribbon.loaded"],
    Opened + UseUp => Used [ReasonGiven] by [ChangeRibbon] as ["ribbon.used"],
    Opened + ReportMissing => Missing [IncidentOpen, TwoPersons] by [ReportRibbonMissing] as ["ribbon.missing"],
    Used + Send => UsedInTransit [PlaceKnown] by [KeepRibbons] as ["ribbon.sent"],
    Used + ReportMissing => Missing [IncidentOpen, TwoPersons] by [ReportRibbonMissing] as ["ribbon.missing"],
    Used + Destroy => Destroyed [ReasonGiven, TwoPersons] by [DestroyRibbons] as ["ribbon.destroyed"],
    UsedInTransit + TakeIn => Used [NotWhoSent] by [KeepRibbons] as ["ribbon.taken-in"],
    UsedInTransit + ReportMissing => Missing [IncidentOpen, TwoPersons] by [ReportRibbonMissing] as ["ribbon.missing"],
    Missing + Find => Used [IncidentOpen, TwoPersons] by [KeepRibbons] as ["ribbon.found"],
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::life_cycle::tests::is_sound;
    use crate::life_cycle::{Guard, LifeCycle};

    #[test]
    fn machine_is_sound() {
        is_sound::<RibbonState>();
    }

    #[test]
    fn what_was_in_a_printer_ends_in_destruction_and_never_in_stock() {
        let mut reached = vec![RibbonState::Loaded, RibbonState::Missing];
        for at in 0.. {
            let Some(&state) = reached.get(at) else { break };
            let new = matches!(state, RibbonState::InStock | RibbonState::InTransit);
            assert!(!new, "{state}");
            for &event in RibbonEvent::ALL {
                let next = state.apply(event).ok();
                reached.extend(next.filter(|next| !reached.contains(next)));
            }
        }
        let ends: Vec<_> = RibbonState::ALL
            .iter()
            .filter(|one| one.is_final())
            .collect();
        assert_eq!(ends, [&RibbonState::Destroyed]);
    }

    #[test]
    fn what_goes_out_of_sight_or_comes_back_takes_two_persons() {
        for transition in RibbonState::transitions() {
            let is_seen = matches!(transition.to, RibbonState::Missing | RibbonState::Destroyed)
                || transition.from == RibbonState::Missing;
            let guards = transition.rule.guards;
            assert_eq!(
                guards.contains(&Guard::TwoPersons),
                is_seen,
                "{transition:?}"
            );
        }
    }
}
