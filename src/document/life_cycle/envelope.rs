//! The life of a PIN envelope: an item of its own, that goes another way than its card.

use super::life_cycle;
use crate::named::named;

named! {
    /// The state of a PIN envelope.
    "envelope state" enum EnvelopeState {
        /// Its PINs are on their way to the chip: not proved to be on it.
        Sealed = "sealed",
        /// The chip confirmed them: it may be printed.
        Ready = "ready",
        /// Its PINs went to the printer. They go to none again.
        Printing = "printing",
        /// It is a sealed letter, and what it holds stands nowhere else.
        Printed = "printed",
        /// It is on its way to the holder, apart from the card.
        Dispatched = "dispatched",
        /// It is in its holder's hands.
        Delivered = "delivered",
        /// Its PINs open nothing any more; the paper is still somewhere.
        Void = "void",
        /// It is no more.
        Destroyed = "destroyed",
    }
}

named! {
    /// What may happen to a PIN envelope.
    "envelope event" enum EnvelopeEvent {
        /// The chip confirms its PINs.
        Confirm = "confirm",
        /// It goes to the printer.
        Print = "print",
        /// The printer took nothing of it.
        Return = "return",
        /// The printer has printed and sealed it.
        Finish = "finish",
        /// It is sent.
        Dispatch = "dispatch",
        /// Its holder has it.
        Deliver = "deliver",
        /// Its chip was given up, or got other PINs.
        Annul = "annul",
        /// It is destroyed.
        Destroy = "destroy",
    }
}

life_cycle!("PIN envelope", EnvelopeState, EnvelopeEvent, initial Sealed, {
    Sealed + Confirm => Ready [ChipConfirmed] by [PersonalizeDocument, RenewPins] as ["pins.confirmed"],
    Sealed + Annul => Destroyed [ReasonGiven] by [] as ["envelope.destroyed"],
    Ready + Print => Printing [LoggedFirst] by [PrintEnvelope] as ["envelope.printing"],
    Ready + Annul => Destroyed [ReasonGiven] by [] as ["envelope.destroyed"],
    Printing + Return => Ready [NothingPrinted] by [PrintEnvelope] as ["envelope.not-printed"],
    Printing + Finish => Printed [PrinterConfirmed] by [PrintEnvelope] as ["envelope.printed"],
    Printing + Annul => Void [ReasonGiven] by [] as ["envelope.void"],
    Printing + Destroy => Destroyed [ReasonGiven, TwoPersons] by [DispatchEnvelope] as ["envelope.destroyed"],
    Printed + Dispatch => Dispatched [ApartFromCard] by [DispatchEnvelope] as ["envelope.dispatched"],
    Printed + Annul => Void [ReasonGiven] by [] as ["envelope.void"],
    Printed + Destroy => Destroyed [ReasonGiven, TwoPersons] by [DispatchEnvelope] as ["envelope.destroyed"],
    Dispatched + Deliver => Delivered [HolderIdentified] by [DispatchEnvelope] as ["envelope.delivered"],
    Dispatched + Annul => Void [ReasonGiven] by [] as ["envelope.void"],
    Dispatched + Destroy => Destroyed [ReasonGiven, TwoPersons] by [DispatchEnvelope] as ["envelope.destroyed"],
    Delivered + Annul => Void [ReasonGiven] by [] as ["envelope.void"],
    Void + Destroy => Destroyed [ReasonGiven, TwoPersons] by [DispatchEnvelope] as ["envelope.destroyed"],
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::life_cycle::LifeCycle;
    use crate::life_cycle::tests::is_sound;

    #[test]
    fn machine_is_sound() {
        is_sound::<EnvelopeState>();
    }

    #[test]
    fn nothing_is_printed_twice_and_no_paper_vanishes() {
        for transition in EnvelopeState::transitions() {
            // What was on paper never becomes printable again.
            if transition.to == EnvelopeState::Ready {
                assert!(matches!(
                    transition.from,
                    EnvelopeState::Sealed | EnvelopeState::Printing
                ));
            }
            // Paper is destroyed before a witness; what was never on paper needs none.
            let on_paper = !matches!(
                transition.from,
                EnvelopeState::Sealed | EnvelopeState::Ready
            );
            if transition.to == EnvelopeState::Destroyed {
                assert_eq!(
                    transition
                        .rule
                        .guards
                        .contains(&crate::life_cycle::Guard::TwoPersons),
                    on_paper
                );
            }
        }
    }
}
