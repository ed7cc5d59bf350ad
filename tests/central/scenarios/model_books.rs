//! The reference model: what the books must have, and who may do what. It is written from
//! `docs/life-cycles.md` and shares nothing with the store but the names of states.

use std::collections::{BTreeMap, BTreeSet};

use document::Role;
use document::life_cycle::{
    ApplicationState, BlankState, DocumentState, EnvelopeState, LeaseState, ParcelState,
};
use jiff::{SignedDuration, Timestamp};

/// Who there is. The last has no account.
pub(super) const PEOPLE: [(&str, &[Role]); 15] = [
    ("clerk", &[Role::Clerk]),
    ("clara", &[Role::Clerk]),
    ("anna", &[Role::Clerk, Role::Approver]),
    ("approver", &[Role::Approver]),
    ("operator", &[Role::Operator]),
    ("boris", &[Role::Operator]),
    ("quality", &[Role::Quality]),
    ("berta", &[Role::Quality, Role::Clerk]),
    ("keeper", &[Role::StockKeeper]),
    ("relief", &[Role::StockKeeper]),
    ("officer", &[Role::SecurityOfficer]),
    ("envelopes", &[Role::EnvelopeClerk]),
    ("auditor", &[Role::Auditor]),
    ("administrator", &[Role::Administrator]),
    ("nobody", &[]),
];

pub(super) type Who = &'static str;

/// Says whether somebody has one of these roles.
pub(super) fn is(who: Who, roles: &[Role]) -> bool {
    let found = PEOPLE.iter().find(|(name, _)| *name == who);
    found.is_some_and(|(_, has)| has.iter().any(|role| roles.contains(role)))
}

/// Says whether somebody can be a witness to another.
pub(super) fn witnesses(witness: Who, who: Who) -> bool {
    witness != who && witness != "nobody"
}

/// How long a lease lasts.
pub(super) const TERM: SignedDuration = SignedDuration::from_mins(10);

/// What is made: of a booklet without a chip, of a chip card, of a numbered sheet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Make {
    Booklet,
    Card,
    Sheet,
}

impl Make {
    pub(super) const ALL: [Self; 3] = [Self::Booklet, Self::Card, Self::Sheet];
}

/// An application with its document.
#[derive(Clone, Debug)]
pub(super) struct Paper {
    pub(super) reference: String,
    pub(super) make: Make,
    /// The sample that it is.
    pub(super) holder: &'static str,
    pub(super) office: &'static str,
    pub(super) is_urgent: bool,
    pub(super) entered_by: Who,
    pub(super) entered: Timestamp,
    pub(super) application: ApplicationState,
    /// None before it is approved.
    pub(super) document: Option<Paperwork>,
    /// The PIN letters of all its cards.
    pub(super) letters: Vec<PinLetter>,
}

#[derive(Clone, Debug)]
pub(super) struct PinLetter {
    pub(super) serial: String,
    pub(super) number: String,
    pub(super) state: EnvelopeState,
    pub(super) way: Option<String>,
}

impl Paper {
    /// The PINs of its letters open nothing any more: what is not on paper is destroyed, and paper is
    /// void. `keeps_delivered`: but for what its holder has.
    pub(super) fn annul(&mut self, keeps_delivered: bool) {
        use EnvelopeState as Letter;
        for letter in &mut self.letters {
            letter.state = match letter.state {
                Letter::Sealed | Letter::Ready => Letter::Destroyed,
                Letter::Delivered if keeps_delivered => Letter::Delivered,
                Letter::Destroyed => Letter::Destroyed,
                _ => Letter::Void,
            };
        }
    }

    /// Whether its card had PINs, and nobody has them.
    pub(super) fn has_lost_its_pins(&self) -> bool {
        let number = self.document.as_ref().and_then(|one| one.number.as_ref());
        let own = || {
            self.letters
                .iter()
                .filter(|one| Some(&one.number) == number)
        };
        let over = [EnvelopeState::Void, EnvelopeState::Destroyed];
        own().count() > 0 && own().all(|one| over.contains(&one.state))
    }
}

#[derive(Clone, Debug)]
pub(super) struct Paperwork {
    pub(super) state: DocumentState,
    pub(super) number: Option<String>,
    /// The how many-th document it is.
    pub(super) order: usize,
    pub(super) since: Timestamp,
    /// Who made the card, and who suspended it.
    pub(super) operator: Option<Who>,
    pub(super) suspended_by: Option<Who>,
    pub(super) blank: Option<String>,
    /// The parcel that it is in, or was missed in.
    pub(super) parcel: Option<usize>,
    pub(super) was_handed_over: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Blank {
    pub(super) make: Make,
    pub(super) state: BlankState,
    pub(super) place: &'static str,
    pub(super) slot: Option<(&'static str, &'static str)>,
    pub(super) sender: Option<Who>,
    pub(super) carried: bool,
    pub(super) own_number: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Lease {
    pub(super) paper: usize,
    pub(super) blank: Option<String>,
    pub(super) state: LeaseState,
    pub(super) expires: Timestamp,
    pub(super) station: &'static str,
    pub(super) slot: &'static str,
    pub(super) operator: Who,
    /// Whether keys were given for its chip.
    pub(super) begun: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Parcel {
    pub(super) serial: String,
    pub(super) office: &'static str,
    pub(super) state: ParcelState,
    /// The papers that are packed in it.
    pub(super) content: BTreeSet<usize>,
    /// Who had it in hands before it left.
    pub(super) hands: BTreeSet<Who>,
}

/// What the books must have.
#[derive(Default)]
pub(super) struct Books {
    pub(super) papers: Vec<Paper>,
    pub(super) blanks: BTreeMap<String, Blank>,
    pub(super) leases: Vec<Lease>,
    pub(super) parcels: Vec<Parcel>,
    pub(super) numbers: BTreeSet<String>,
    /// Of each station: how many reports it sent.
    pub(super) reports: BTreeMap<&'static str, u64>,
    pub(super) documents: usize,
}

impl Books {
    /// Returns the document of a paper.
    pub(super) fn document(&mut self, paper: usize) -> &mut Paperwork {
        self.papers[paper].document.as_mut().unwrap()
    }

    pub(super) fn state(&self, paper: usize) -> Option<DocumentState> {
        self.papers[paper].document.as_ref().map(|one| one.state)
    }

    /// Moves a document on.
    pub(super) fn go(&mut self, paper: usize, state: DocumentState, now: Timestamp) {
        let document = self.document(paper);
        (document.state, document.since) = (state, now);
    }

    /// A document's card is given up: its blank is out of use, and it waits under another number.
    pub(super) fn start_again(
        &mut self,
        paper: usize,
        blank: BlankState,
        new: Option<String>,
        now: Timestamp,
    ) {
        if let Some(serial) = self.document(paper).blank.take() {
            let booked = self.blanks.get_mut(&serial).unwrap();
            (booked.state, booked.carried, booked.slot) = (blank, true, None);
        }
        self.papers[paper].annul(false);
        if let Some(new) = &new {
            assert!(self.numbers.insert(new.clone()), "{new} was given before");
        }
        self.go(paper, DocumentState::Queued, now);
        let document = self.document(paper);
        (document.number, document.operator, document.parcel) = (new, None, None);
    }

    /// The document whose turn it is at a slot for chip cards.
    pub(super) fn first_card(&self, due: impl Fn(&Paper) -> String) -> Option<usize> {
        let waiting = self.papers.iter().enumerate().filter(|(_, paper)| {
            let document = paper.document.as_ref();
            paper.make == Make::Card
                && document.is_some_and(|one| one.state == DocumentState::Queued)
        });
        let turn = |paper: &Paper| {
            let order = paper.document.as_ref().map(|one| one.order);
            (due(paper), !paper.is_urgent, order)
        };
        waiting
            .min_by_key(|(_, paper)| turn(paper))
            .map(|(at, _)| at)
    }

    /// Ends the leases whose time has passed: those that no blank was bound to go back.
    pub(super) fn expire(&mut self, now: Timestamp) {
        for at in 0..self.leases.len() {
            let lease = &mut self.leases[at];
            if lease.state != LeaseState::Open || lease.expires > now {
                continue;
            }
            lease.state = match lease.blank {
                Some(_) => LeaseState::Expired,
                None => LeaseState::Released,
            };
            let paper = lease.paper;
            if lease.state == LeaseState::Released {
                self.go(paper, DocumentState::Queued, now);
            }
        }
    }
}
