//! The facts that guard transitions.

use crate::named::named;

/// Declares the guards, each with its fact as documentation and as text.
macro_rules! guards {
    ($( $guard:ident = $name:literal: $fact:literal ),+ $(,)?) => {
        named! {
            /// A fact that must hold for a transition, besides the state.
            "guard" enum Guard { $( #[doc = $fact] $guard = $name ),+ }
        }

        impl Guard {
            /// Returns the fact as a sentence without capital and full stop.
            #[must_use]
            pub const fn fact(self) -> &'static str {
                match self { $( Self::$guard => $fact ),+ }
            }
        }
    };
}

guards! {
    FourEyes = "four-eyes": "a second person decides, who did not enter it",
    OtherPerson = "other-person": "the person who judges is not the one who personalized",
    TwoPersons = "two-persons": "two persons are present and named",
    ReasonGiven = "reason-given": "a reason is recorded",
    DocumentPrepared = "document-prepared": "a document is prepared from the application, under a number of its own",
    DocumentHandedOver = "document-handed-over": "the document is in its holder's hands",
    ReplacementReceived = "replacement-received": "the application that replaces it is received with it, from the register that sent it",
    NoDocumentLive = "no-document-live": "no document of the application is live or can become so",
    DocumentMade = "document-made": "the blank carried the document before the lease, and carries it still",
    LeaseOpened = "lease-opened": "a lease is open for this document, one blank of the right stock and one station slot, with the digests of the profiles pinned",
    LeaseHeld = "lease-held": "the reporting station holds the lease on this document and blank",
    LeaseMoved = "lease-moved": "it was taken from another station, and every chip of its blank lies in the slot",
    TermPassed = "term-passed": "the lease's end has passed",
    WithinTerm = "within-term": "the lease's end has not passed",
    JournalWhole = "journal-whole": "the station's journal is whole, in order and signed",
    ChipsVerified = "chips-verified": "every chip of the blank was read back and verified",
    BlankUntouched = "blank-untouched": "no step that changes a chip for good was begun",
    BlankSpoiled = "blank-spoiled": "the blank is booked as spoiled",
    BlankMissing = "blank-missing": "the blank is booked as missing, and an incident is open",
    BlankPersonalized = "blank-personalized": "the blank is booked as personalized",
    NotHandedOver = "not-handed-over": "the document of the blank was not handed over",
    ReceiverBooked = "receiver-booked": "the place and the person that receive it are booked",
    PlaceKnown = "place-known": "the place that it goes to is in the books",
    NotWhoSent = "not-who-sent": "the person who receives it is not the one who sent it",
    SlotNamed = "slot-named": "the station and its slot are booked",
    PrinterFree = "printer-free": "no other ribbon is loaded in that slot",
    SameSlot = "same-slot": "the lease is of the slot that it is loaded in",
    NothingCarried = "nothing-carried": "it never carried anything of a document",
    CountAgrees = "count-agrees": "the place's count agrees with the books",
    IncidentOpen = "incident-open": "an incident is open",
    NotWhoExplained = "not-who-explained": "the person who closes it is not the one who explained it",
    PossessionProved = "possession-proved": "the chip proved that it holds the private key",
    ChipConfirmed = "chip-confirmed": "the chip's own answers say that its PINs were set",
    LoggedFirst = "logged-first": "the log says so before any content leaves the store",
    NothingPrinted = "nothing-printed": "the printer took nothing of it",
    PrinterConfirmed = "printer-confirmed": "the printer confirmed that it is printed and sealed",
    ApartFromCard = "apart-from-card": "it goes another way than the card, and the way is recorded",
    ChallengeSigned = "challenge-signed": "the certificate is on the chip, and the chip signed the registration authority's challenge under it",
    CertificatesOnHold = "certificates-on-hold": "every certificate of the blank is issued and on hold",
    CertificatesRevoked = "certificates-revoked": "every certificate of the blank is revoked, or was never issued",
    HolderIdentified = "holder-identified": "the holder, or who may act for them, was identified",
    MadeHere = "made-here": "the place where it was made is the office that hands it over, as the books have it, and no parcel holds it",
    ParcelOpen = "parcel-open": "its parcel is open, and goes to the document's office",
    ParcelReceived = "parcel-received": "its parcel was received, and who counted it has the document in hand",
    DocumentPassed = "document-passed": "quality has passed the document",
    OneOffice = "one-office": "the document's office is the parcel's",
    DocumentInParcel = "document-in-parcel": "the books have the document in this parcel",
    ParcelEmpty = "parcel-empty": "nothing is in it",
    CountAgreesWithParcel = "count-agrees-with-parcel": "the documents were counted, and are exactly those that the books have in it, at least one",
    WayRecorded = "way-recorded": "how it goes is recorded: a consignment's number, say",
    NoEnvelopeOnThisWay = "no-envelope-on-this-way": "no PIN envelope of a document in it goes the same way",
    CountedByAnother = "counted-by-another": "who counts it in packed nothing into it, and neither sealed nor sent it",
    DifferenceIsIncident = "difference-is-incident": "a difference between count and books opens an incident, which names each document",
    NumberGivenUp = "number-given-up": "its number is never used again: it gets another one, at once or with the next blank",
    CollectionTermPassed = "collection-term-passed": "nobody came for it within the term, and its application ends with that",
    ReleasedByAnother = "released-by-another": "who releases it is not the one who suspended it",
    LossInWriting = "loss-in-writing": "its holder reported it, in writing or before the clerk",
    DocumentSuspended = "document-suspended": "its document is suspended",
    ValidityPassed = "validity-passed": "its last day of validity has passed",
    DocumentAtHand = "document-at-hand": "it is in hand, and its number was read from it",
    DocumentReturned = "document-returned": "the document of the blank came back, and ends with it",
    CertificatesFollow = "certificates-follow": "its certificates move as the table below says",
    KeyCompared = "key-compared": "the digest of its key was read off at the station, and named by who confirms",
    ConcessionRecorded = "concession-recorded": "defect, action and who concedes are recorded (ISO 9001:2015 §8.7.2)",
}

impl Guard {
    /// Returns the four-eyes rule that it is, in a few words; none where one person is enough for
    /// it.
    #[must_use]
    pub const fn second_person(self) -> Option<&'static str> {
        match self {
            Self::FourEyes => Some("not who entered it"),
            Self::OtherPerson => Some("not who made it"),
            Self::TwoPersons => Some("with a witness"),
            Self::CountedByAnother => Some("not who packed, sealed or sent it"),
            Self::NotWhoSent => Some("not who sent it"),
            Self::NotWhoExplained => Some("not who explained it"),
            Self::ReleasedByAnother => Some("not who suspended it"),
            _ => None,
        }
    }
}
