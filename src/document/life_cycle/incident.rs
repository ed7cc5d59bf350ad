//! The life of an incident: something is not as the books say, and somebody must find out why.

use super::life_cycle;
use crate::named::named;

named! {
    /// What an incident is about.
    "incident kind" enum IncidentKind {
        /// A delivery has more or fewer blanks than was announced.
        DeliveryDiffers = "delivery-differs",
        /// A place's count differs from the books.
        CountDiffers = "count-differs",
        /// A blank is not where the books say.
        BlankMissing = "blank-missing",
        /// A blank that was missing turned up.
        BlankFound = "blank-found",
        /// A ribbon is not where the books say.
        RibbonMissing = "ribbon-missing",
        /// A ribbon that was missing turned up.
        RibbonFound = "ribbon-found",
        /// A printer has another ribbon than the books say.
        RibbonDiffers = "ribbon-differs",
        /// Document numbers were put on paper that must not be.
        NumbersMisprinted = "numbers-misprinted",
        /// A parcel holds something else than its list says, or was opened.
        ParcelDiffers = "parcel-differs",
        /// A parcel did not arrive.
        ParcelMissing = "parcel-missing",
        /// A document is not where the books say.
        DocumentMissing = "document-missing",
        /// A station reports a lease that the store does not know.
        UnknownLease = "unknown-lease",
        /// The store lacks what it acknowledged to a station.
        StoreBehind = "store-behind",
        /// Anything else that somebody reports.
        Other = "other",
    }
}

named! {
    /// The state of an incident.
    "incident state" enum IncidentState {
        /// Nobody knows why yet.
        Open = "open",
        /// Somebody found out why, and said so.
        Explained = "explained",
        /// Another person agreed.
        Closed = "closed",
    }
}

named! {
    /// What may happen to an incident.
    "incident event" enum IncidentEvent {
        /// Somebody says why it is so; once more where the first explanation did not do.
        Explain = "explain",
        /// Another person agrees with the explanation.
        Close = "close",
    }
}

life_cycle!("incident", IncidentState, IncidentEvent, initial Open, {
    Open + Explain => Explained [ReasonGiven] by [ReportIncident] as ["incident.explained"],
    Explained + Explain => Explained [ReasonGiven] by [ReportIncident] as ["incident.explained"],
    Explained + Close => Closed [NotWhoExplained] by [CloseIncident] as ["incident.closed"],
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::life_cycle::LifeCycle;
    use crate::life_cycle::tests::is_sound;

    #[test]
    fn machine_is_sound() {
        is_sound::<IncidentState>();
    }

    #[test]
    fn nothing_is_closed_without_an_explanation() {
        assert!(IncidentState::Open.apply(IncidentEvent::Close).is_err());
        assert!(IncidentState::Closed.is_final());
    }
}
