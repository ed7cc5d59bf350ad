//! The life of an application.

use super::life_cycle;
use crate::named::named;

named! {
    /// The state of an application.
    "application state" enum ApplicationState {
        /// Valid, stored, and waiting for a second person.
        Received = "received",
        /// Approved; a document may be prepared.
        Approved = "approved",
        /// A document is prepared or further on.
        InProduction = "in-production",
        /// The holder has the document.
        Completed = "completed",
        /// Refused by the approver.
        Refused = "refused",
        /// Withdrawn by the holder, the office or the register that sent it.
        Withdrawn = "withdrawn",
        /// Replaced by another application of the register that sent it.
        Superseded = "superseded",
    }
}

named! {
    /// What may happen to an application.
    "application event" enum ApplicationEvent {
        /// A second person approves.
        Approve = "approve",
        /// A second person refuses.
        Refuse = "refuse",
        /// Data preparation takes it up.
        StartProduction = "start-production",
        /// The document was handed over.
        Complete = "complete",
        /// It is wanted no more.
        Withdraw = "withdraw",
        /// Its register sends another in its place.
        Supersede = "supersede",
    }
}

life_cycle!("application", ApplicationState, ApplicationEvent, initial Received, {
    Received + Approve => Approved [FourEyes] by [ApproveApplication] as ["application.approved"],
    Received + Refuse => Refused [FourEyes, ReasonGiven] by [RefuseApplication] as ["application.rejected"],
    Received + Withdraw => Withdrawn [ReasonGiven] by [WithdrawApplication] as ["application.withdrawn"],
    Received + Supersede => Superseded [ReplacementReceived] by [] as ["application.superseded"],
    Approved + StartProduction => InProduction [DocumentPrepared] by [ApproveApplication] as ["document.prepared", "document.queued"],
    Approved + Withdraw => Withdrawn [ReasonGiven] by [WithdrawApplication] as ["application.withdrawn"],
    InProduction + Complete => Completed [DocumentHandedOver] by [HandOverDocument] as ["document.handed-over"],
    InProduction + Withdraw => Withdrawn [NoDocumentLive, ReasonGiven] by [WithdrawApplication, CancelDocument, TakeBackDocument] as ["application.withdrawn"],
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::life_cycle::tests::is_sound;
    use crate::life_cycle::{Guard, LifeCycle};

    #[test]
    fn machine_is_sound() {
        is_sound::<ApplicationState>();
    }

    #[test]
    fn nothing_is_made_before_a_second_person_approved() {
        for &state in ApplicationState::ALL {
            let started = state.apply(ApplicationEvent::StartProduction);
            assert_eq!(started.is_ok(), state == ApplicationState::Approved);
        }
        let guards = ApplicationState::Received.guards(ApplicationEvent::Approve);
        assert_eq!(guards, [Guard::FourEyes]);
    }
}
