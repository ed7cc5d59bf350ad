//! Each document with all that belongs to it: everything must say the same of it.

use document::Purpose;
use document::life_cycle::{
    ApplicationState, BlankState, CertificateMove, CertificateState, DocumentEvent, DocumentState,
    EnvelopeState, LeaseState, LifeCycle, ParcelState, RevocationCause, RevocationReason,
    certificate_move,
};
use document::{Kind, OfficeCode, document_is_over};

use super::facts::{CertificateFacts, Facts, LeaseFacts, ParcelFacts, load};
use super::{Findings, Rule};
use crate::central::Central;
use crate::database::Connection;
use crate::error::Result;

/// Judges every document.
pub(super) async fn audit(
    central: &Central,
    tx: &mut Connection,
    findings: &mut Findings<'_>,
) -> Result<()> {
    let mut after = String::new();
    loop {
        let page = load(tx, &after).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after.clone_from(&last.id);
        findings.passed(page.len() as u64);
        for facts in &page {
            Judge {
                central,
                facts,
                findings,
                way: Way::default(),
            }
            .judge();
        }
    }
}

/// What the history of a document says of the card that it has now.
#[derive(Default)]
struct Way {
    /// Whether the history is known from its beginning.
    is_whole: bool,
    was_handed_over: bool,
    /// What was done last to the certificates of the card.
    moved: Option<CertificateMove>,
}

struct Judge<'a, 'b> {
    central: &'a Central,
    facts: &'a Facts,
    findings: &'a mut Findings<'b>,
    way: Way,
}

impl Judge<'_, '_> {
    fn fault(&mut self, rule: Rule, what: impl std::fmt::Display) {
        let facts = self.facts;
        let (number, state) = (facts.number.as_deref(), facts.state);
        let name = number.unwrap_or("without a number");
        let fault = format!(
            "document {name} of application {} is {state}, and {what}",
            facts.application
        );
        self.findings.fault(rule, fault);
    }

    fn judge(&mut self) {
        let facts = self.facts;
        for (rule, many) in [
            (Rule::Documents, 1),
            (Rule::History, facts.events.len()),
            (Rule::Leases, facts.leases.len()),
            (Rule::Certificates, facts.certificates.len()),
            (Rule::Envelopes, facts.envelopes.len()),
            (Rule::Parcels, facts.parcels.len()),
        ] {
            self.findings.checked(rule, many as u64);
        }
        self.history();
        self.application();
        self.numbers();
        self.blanks();
        self.leases();
        self.certificates();
        self.envelopes();
        self.parcels();
        self.queue();
    }

    /// Goes the way that the journal of events has.
    fn history(&mut self) {
        let facts = self.facts;
        let Some(&(first, _)) = facts.events.first() else {
            return;
        };
        // What was prepared before the journal began has its first event later.
        self.way.is_whole = first == DocumentEvent::Queue;
        let mut at = self.way.is_whole.then_some(DocumentState::INITIAL);
        for &(event, to) in &facts.events {
            if let Some(from) = at {
                if from.apply(event).ok() != Some(to) {
                    self.fault(
                        Rule::History,
                        format!(
                            "its history has {event} from {from} to {to}, which no life cycle has"
                        ),
                    );
                }
                self.step(from, event);
            }
            at = Some(to);
        }
        if at.is_some_and(|at| at != facts.state) {
            let at = at.map_or("", DocumentState::name);
            self.fault(Rule::History, format!("its history ends at {at}"));
        }
    }

    fn step(&mut self, from: DocumentState, event: DocumentEvent) {
        if matches!(event, DocumentEvent::HandOver | DocumentEvent::HandOverHere) {
            self.way.was_handed_over = true;
        }
        let (does, _) = certificate_move(from, event);
        if event == DocumentEvent::Lease {
            // Another card.
            self.way.moved = None;
        } else if does != CertificateMove::Nothing {
            self.way.moved = Some(does);
        }
    }

    fn application(&mut self) {
        use DocumentState as State;
        let facts = self.facts;
        let of = facts.of_application;
        let is_sound = match facts.state {
            state if state.is_before_hand_over() => of == ApplicationState::InProduction,
            State::Cancelled => of == ApplicationState::Withdrawn,
            State::Returned | State::Destroyed if !self.way.is_whole => matches!(
                of,
                ApplicationState::Completed | ApplicationState::Withdrawn
            ),
            State::Returned | State::Destroyed if !self.way.was_handed_over => {
                of == ApplicationState::Withdrawn
            }
            _ => of == ApplicationState::Completed,
        };
        if !is_sound {
            self.fault(Rule::Documents, format!("its application is {of}"));
        }
    }

    fn numbers(&mut self) {
        use DocumentState as State;
        let facts = self.facts;
        let expected = match facts.state {
            State::Prepared | State::Queued | State::AtStation => "allotted",
            State::Cancelled => "cancelled",
            _ => "issued",
        };
        let mut has_own = false;
        for (number, state) in &facts.numbers {
            let is_own = facts.number.as_ref() == Some(number);
            has_own |= is_own;
            let is_sound = match is_own {
                true => state == expected,
                false => matches!(state.as_str(), "spoiled" | "cancelled" | "returned"),
            };
            if !is_sound {
                self.fault(Rule::Numbers, format!("number {number} is {state}"));
            }
        }
        match &facts.number {
            Some(_) if !has_own => {
                self.fault(Rule::Numbers, "its number is in the books as another's");
            }
            None if !matches!(facts.state, State::Queued | State::Cancelled) => {
                self.fault(Rule::Numbers, "it has no number");
            }
            _ => {}
        }
    }

    /// The state in which the blank of the present number is; none where it has no blank yet.
    fn carrier(&self) -> Option<BlankState> {
        match self.facts.state {
            DocumentState::Prepared
            | DocumentState::Queued
            | DocumentState::AtStation
            | DocumentState::Cancelled => None,
            DocumentState::Destroyed => Some(BlankState::Destroyed),
            _ => Some(BlankState::Personalized),
        }
    }

    fn blanks(&mut self) {
        let facts = self.facts;
        let carrier = self.carrier();
        let mut own = 0;
        for blank in &facts.blanks {
            let is_own = carrier.is_some() && blank.number == facts.number;
            own += u32::from(is_own);
            let is_sound = match is_own {
                true => Some(blank.state) == carrier,
                // It carried the document once: it is out of use.
                false => matches!(
                    blank.state,
                    BlankState::Spoiled | BlankState::Missing | BlankState::Destroyed
                ),
            };
            if !is_sound {
                self.fault(
                    Rule::Blanks,
                    format!(
                        "blank {} with number {} is {}",
                        blank.serial,
                        blank.number.as_deref().unwrap_or("-"),
                        blank.state
                    ),
                );
            }
        }
        if own != u32::from(carrier.is_some()) {
            self.fault(Rule::Blanks, format!("{own} blanks carry it"));
        }
    }

    fn leases(&mut self) {
        let facts = self.facts;
        let mut making = 0;
        let mut made = 0;
        let mut renewing = 0;
        for lease in &facts.leases {
            match (lease.purpose, lease.is_live()) {
                (Purpose::Personalization, true) => making += 1,
                (Purpose::NewPins, true) => renewing += 1,
                _ => {}
            }
            let is_present = facts.number.as_ref() == Some(&lease.number);
            if lease.purpose == Purpose::Personalization
                && lease.state == LeaseState::Completed
                && is_present
            {
                made += 1;
            }
            if let Some(what) = contradiction(lease, facts) {
                self.fault(
                    Rule::Leases,
                    format!("lease {} is {}, {what}", lease.id, lease.state),
                );
            }
        }
        if making != u32::from(facts.state == DocumentState::AtStation) {
            self.fault(Rule::Leases, format!("{making} leases to make it are live"));
        }
        if renewing > 1 || (renewing == 1 && self.carrier() != Some(BlankState::Personalized)) {
            self.fault(
                Rule::Leases,
                format!("{renewing} leases for new PINs are live"),
            );
        }
        if self.carrier().is_some() && made != 1 {
            self.fault(Rule::Leases, format!("{made} leases made its card"));
        }
    }

    fn certificates(&mut self) {
        let facts = self.facts;
        for certificate in &facts.certificates {
            let is_sound = match facts.number.as_ref() == Some(&certificate.number) {
                true => self.is_as_moved(certificate),
                // Its card was given up.
                false => {
                    is_given_up(certificate.state)
                        || matches!(
                            certificate.state,
                            CertificateState::Revoked(RevocationReason::KeyCompromise)
                        )
                }
            };
            if !is_sound {
                self.fault(
                    Rule::Certificates,
                    format!(
                        "certificate {} of number {} is {}",
                        certificate.id, certificate.number, certificate.state
                    ),
                );
            }
        }
    }

    /// Tells whether a certificate of the present card is where the policy has it.
    fn is_as_moved(&self, certificate: &CertificateFacts) -> bool {
        use CertificateState::{Active, IssuedOnHold, Ready, Requested, Revoked, Suspended};
        let state = certificate.state;
        match self.facts.state {
            DocumentState::Prepared | DocumentState::Queued => is_given_up(state),
            // It is being ordered, and an order that failed leaves what the sweep revokes.
            DocumentState::AtStation => {
                matches!(state, Requested | IssuedOnHold | Ready) || is_given_up(state)
            }
            _ if !self.way.is_whole => {
                let is_usable = matches!(
                    self.facts.state,
                    DocumentState::HandedOver | DocumentState::Expired
                );
                is_usable || state != Active
            }
            _ => match self.way.moved {
                None | Some(CertificateMove::Nothing) => state == Ready,
                Some(CertificateMove::Release) => state == Active,
                Some(CertificateMove::Hold) => state == Suspended,
                Some(CertificateMove::Revoke(reason)) => state == Revoked(reason),
                Some(CertificateMove::RevokeByCause) => {
                    let causes = RevocationCause::ALL.iter();
                    causes
                        .map(|cause| Revoked(cause.reason()))
                        .any(|one| one == state)
                }
            },
        }
    }

    fn envelopes(&mut self) {
        let facts = self.facts;
        let renewing: Vec<_> = facts
            .leases
            .iter()
            .filter(|lease| lease.is_live())
            .map(|lease| lease.id.as_str())
            .collect();
        let mut alive = 0;
        for envelope in &facts.envelopes {
            let is_present = facts.number.as_ref() == Some(&envelope.number);
            let what = match envelope.state {
                EnvelopeState::Void | EnvelopeState::Destroyed => None,
                _ if !is_present => Some("is of a card that was given up"),
                EnvelopeState::Sealed if renewing.contains(&&*envelope.lease) => None,
                EnvelopeState::Sealed => Some("waits for a chip that nobody works on"),
                _ => {
                    alive += 1;
                    match (facts.state, envelope.state) {
                        (DocumentState::Prepared | DocumentState::Queued, _)
                        | (DocumentState::Cancelled, _) => Some("has no card"),
                        (state, EnvelopeState::Delivered) if !state.is_before_hand_over() => None,
                        (state, _) if document_is_over(state) => {
                            Some("is of a document that ended")
                        }
                        _ => None,
                    }
                }
            };
            if let Some(what) = what {
                self.fault(
                    Rule::Envelopes,
                    format!(
                        "PIN envelope {} is {} and {what}",
                        envelope.serial, envelope.state
                    ),
                );
            }
            // The PUK of a document that its holder has is the holder's alone.
            let may_be_kept = envelope.state == EnvelopeState::Sealed
                || (is_present && facts.state.is_before_hand_over());
            if envelope.is_kept && !may_be_kept {
                self.fault(
                    Rule::Envelopes,
                    format!("the PUK of PIN envelope {} is kept", envelope.serial),
                );
            }
        }
        if alive > 1 {
            self.fault(
                Rule::Envelopes,
                format!("{alive} PIN envelopes open its chip"),
            );
        }
    }

    fn parcels(&mut self) {
        let facts = self.facts;
        let mut carrying = 0;
        for parcel in &facts.parcels {
            let is_present = facts.number.as_ref() == Some(&parcel.number);
            let awaits = is_present && parcel.fate != "arrived";
            carrying += u32::from(awaits && parcel_is_sound(parcel));
            if facts
                .office
                .as_ref()
                .is_some_and(|office| *office != parcel.office)
            {
                self.fault(
                    Rule::Parcels,
                    format!("parcel {} goes to {}", parcel.serial, parcel.office),
                );
            }
            let is_sound = match parcel.fate.as_str() {
                "packed" => is_present && facts.state == DocumentState::Dispatched,
                _ => true,
            };
            if !is_sound || !parcel_is_sound(parcel) {
                self.fault(
                    Rule::Parcels,
                    format!(
                        "number {} is {} in parcel {}, which is {}",
                        parcel.number, parcel.fate, parcel.serial, parcel.state
                    ),
                );
            }
        }
        if facts.state == DocumentState::Dispatched && carrying == 0 {
            self.fault(Rule::Parcels, "no parcel holds or misses it");
        }
    }

    fn queue(&mut self) {
        let facts = self.facts;
        if facts.state != DocumentState::Queued {
            return;
        }
        self.findings.checked(Rule::Queue, 1);
        let kind: Option<Kind> = facts.kind.parse().ok();
        let profile = kind.and_then(|kind| self.central.document_profile(kind).ok());
        match profile {
            None => self.fault(Rule::Queue, "no profile of this installation makes it"),
            Some(profile) if profile.name != facts.profile => {
                self.fault(
                    Rule::Queue,
                    format!(
                        "waits under profile {}, and is made by {}",
                        facts.profile, profile.name
                    ),
                );
            }
            Some(_) => {}
        }
        let office = facts.office.as_deref().map(OfficeCode::parse);
        if let Some(Ok(office)) = office
            && self.central.place(&office) != facts.place
        {
            let place = facts.place.clone();
            self.fault(
                Rule::Queue,
                format!("waits at \"{place}\", where no station of its office looks"),
            );
        }
    }
}

/// Returns what a lease contradicts.
fn contradiction(lease: &LeaseFacts, facts: &Facts) -> Option<&'static str> {
    let is_present = facts.number.as_ref() == Some(&lease.number);
    let carries = lease
        .carried
        .as_ref()
        .is_some_and(|(document, number)| *document == facts.id && *number == lease.number);
    let is_out_of_use = matches!(
        lease.account,
        Some(BlankState::Spoiled | BlankState::Missing | BlankState::Destroyed)
    );
    let is_broken = match (lease.purpose, lease.state) {
        (_, LeaseState::Open | LeaseState::Expired) if !is_present => true,
        (Purpose::Personalization, LeaseState::Expired) if lease.blank.is_none() => true,
        (Purpose::Personalization, LeaseState::Open | LeaseState::Expired) => {
            lease.blank.is_some() && lease.account != Some(BlankState::AtStation)
        }
        (Purpose::NewPins, LeaseState::Open) => {
            !carries || lease.account != Some(BlankState::Personalized)
        }
        // It is ended at once where its time has passed, and spoils or loses nothing.
        (
            Purpose::NewPins,
            LeaseState::Expired | LeaseState::Spoiled | LeaseState::Lost | LeaseState::Released,
        )
        | (Purpose::Personalization, LeaseState::Failed) => true,
        (Purpose::NewPins, LeaseState::Completed | LeaseState::Failed) => !carries,
        (Purpose::Personalization, LeaseState::Completed) => !carries,
        (Purpose::Personalization, LeaseState::Spoiled) => {
            lease.blank.is_some() && !(carries && is_out_of_use)
        }
        (Purpose::Personalization, LeaseState::Lost) => !(carries && is_out_of_use),
        (Purpose::Personalization, LeaseState::Released) => false,
    };
    is_broken.then_some("and document and blank are not as it says")
}

/// Tells whether nothing usable can come of a certificate that was not wanted in the end.
fn is_given_up(state: CertificateState) -> bool {
    matches!(
        state,
        CertificateState::Abandoned
            | CertificateState::InDoubt
            | CertificateState::Revoked(RevocationReason::Superseded)
    )
}

/// Tells whether a parcel can have a document so.
fn parcel_is_sound(parcel: &ParcelFacts) -> bool {
    match parcel.fate.as_str() {
        "packed" => matches!(
            parcel.state,
            ParcelState::Open | ParcelState::Sealed | ParcelState::UnderWay
        ),
        "arrived" => parcel.state == ParcelState::Received,
        // Missed when it was counted in, lost with it, or missing before it was closed.
        _ => true,
    }
}
