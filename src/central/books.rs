//! The audit of the books: what must hold of the whole store, whatever was done and wherever it was
//! cut off.
//!
//! ```text
//!   one snapshot ─► documents   each with its application, blank, numbers, leases, certificates, PINs
//!                ─► registers   blanks, numbers, reports, outboxes, each as a whole
//!                ─► log         every leaf and checkpoint; every transition has its entry
//!                ─► protection  every encrypted value under its key, no key without a value
//! ```
//!
//! Nothing is changed, and every fault is named by references that the log has too. The states are
//! judged by the life cycles and the policy of `document`, not by what wrote them.

mod documents;
mod facts;
mod journals;
mod log;
mod progress;
mod protection;
mod registers;

use api::Actor;
use document::Act;
use jiff::Timestamp;

use crate::accounts::authorise;
use crate::central::Central;
use crate::error::Result;
use crate::{number_account, ribbon_check, stock_check};

use self::progress::Watched;
pub use self::progress::{AuditPart, AuditProgress};

/// The most faults of one invariant that are named.
const MAX_NAMED: usize = 200;

/// What an audit of the books found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BooksAudit {
    /// As of when.
    pub at: Timestamp,
    /// Each thing that must hold, with what breaks it.
    pub invariants: Vec<Invariant>,
}

impl BooksAudit {
    /// Tells whether everything holds.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.invariants
            .iter()
            .all(|invariant| invariant.faults.is_empty())
    }

    /// Returns every fault that is named, each after its invariant.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let all = self.invariants.iter().flat_map(|invariant| {
            let faults = invariant.faults.iter();
            faults.map(|fault| format!("{}: {fault}", invariant.name))
        });
        all.collect()
    }
}

/// Something that must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invariant {
    /// Its name, for programs.
    pub name: &'static str,
    /// What it demands.
    pub demands: &'static str,
    /// How many things were looked at.
    pub checked: u64,
    /// What breaks it, in words: the first 200.
    pub faults: Vec<String>,
    /// How many more break it.
    pub unnamed: u64,
}

/// The invariants, in the order in which they are told.
#[derive(Clone, Copy, Debug)]
enum Rule {
    Documents,
    History,
    Queue,
    Blanks,
    Ribbons,
    Numbers,
    Leases,
    Certificates,
    Envelopes,
    Parcels,
    Reports,
    Outbox,
    Log,
    Evidence,
    Protection,
}

const RULES: [(&str, &str); 15] = [
    (
        "documents",
        "each application has one document at most, and both are as far as the other says",
    ),
    (
        "history",
        "each document went one unbroken way of its life cycle, to the state that it is in",
    ),
    (
        "queue",
        "the queue has exactly the documents that wait, each where its station looks for it",
    ),
    (
        "blanks",
        "every blank is in exactly one account, the journal adds up to it, and what carries a document is the one that the document has",
    ),
    (
        "ribbons",
        "every ribbon is in exactly one state, to which its journal leads, and each card was printed with one that was in its printer",
    ),
    (
        "numbers",
        "every number is accounted for once, and on no two documents and no two blanks",
    ),
    (
        "leases",
        "every lease is live with its document and blank, or ended as both are",
    ),
    (
        "certificates",
        "each certificate is where the policy has it for what became of its document",
    ),
    (
        "envelopes",
        "the PINs of each document lie in one envelope, as long as anybody may need them",
    ),
    (
        "parcels",
        "a document is on its way in exactly one parcel, and every parcel has what was counted into it",
    ),
    (
        "reports",
        "each station's reports are there without gap, and each lease was ended by one at most",
    ),
    (
        "outbox",
        "each register is told each change once, in reports without gap",
    ),
    (
        "log",
        "every entry has its leaf, and every checkpoint that was signed is one of this tree",
    ),
    (
        "evidence",
        "every transition has its entry in the log, and what the log says is what the books have",
    ),
    (
        "protection",
        "every encrypted value opens under its own key, and no key is left of what was erased",
    ),
];

/// Collects what is found, and says how far it is.
struct Findings<'a> {
    invariants: Vec<Invariant>,
    watched: Watched<'a>,
}

impl<'a> Findings<'a> {
    fn new(watched: Watched<'a>) -> Self {
        let empty = RULES.iter().map(|&(name, demands)| Invariant {
            name,
            demands,
            checked: 0,
            faults: Vec::new(),
            unnamed: 0,
        });
        Self {
            invariants: empty.collect(),
            watched,
        }
    }

    /// Begins a part of the audit.
    fn begin(&mut self, part: AuditPart) {
        self.watched.begin(part);
    }

    /// Says that so many documents, entries or keys were looked at.
    fn passed(&mut self, count: u64) {
        self.watched.passed(count);
    }

    /// Counts things that were looked at.
    fn checked(&mut self, rule: Rule, count: u64) {
        if let Some(invariant) = self.invariants.get_mut(rule as usize) {
            invariant.checked += count;
        }
    }

    fn fault(&mut self, rule: Rule, fault: impl Into<String>) {
        if let Some(invariant) = self.invariants.get_mut(rule as usize) {
            match invariant.faults.len() < MAX_NAMED {
                true => invariant.faults.push(fault.into()),
                false => invariant.unnamed += 1,
            }
        }
    }

    fn faults(&mut self, rule: Rule, faults: impl IntoIterator<Item = String>) {
        for fault in faults {
            self.fault(rule, fault);
        }
    }
}

impl Central {
    /// Audits the books: whether everything holds that must hold of the store as a whole. All of it
    /// is read in one snapshot, page by page, and nothing is changed. It takes time in proportion to
    /// the store. What grows with it in memory is where the log has each application and lease: 20 to
    /// 40 bytes of either, so 40 to 80 a document, and half as much again while their table grows.
    ///
    /// # Errors
    /// [`CentralError::Refused`](crate::CentralError::Refused) unless the actor may read the log;
    /// the database's failures and the token's. What is wrong in the books is no error.
    pub async fn audit_books(&self, actor: &Actor) -> Result<BooksAudit> {
        self.audit_books_watched(actor, &|_| {}).await
    }

    /// Audits the books, and tells how far it is at the beginning of each part and after each page.
    ///
    /// # Errors
    /// As [`Central::audit_books`].
    pub async fn audit_books_watched(
        &self,
        actor: &Actor,
        watch: &(dyn Fn(AuditProgress) + Sync),
    ) -> Result<BooksAudit> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ReadAuditLog).await?;
        let mut findings = Findings::new(Watched::new(&mut tx, watch).await?);
        findings.begin(AuditPart::Accounts);
        let stock = stock_check::check(&mut tx).await?;
        findings.checked(Rule::Blanks, stock.blanks + stock.movements);
        findings.faults(Rule::Blanks, stock.differences);
        let ribbons = ribbon_check::check(&mut tx).await?;
        findings.checked(Rule::Ribbons, ribbons.ribbons + ribbons.movements);
        findings.faults(Rule::Ribbons, ribbons.differences);
        let numbers = number_account::check(&mut tx).await?;
        let given = numbers.accounts.iter().map(|account| account.given).sum();
        findings.checked(Rule::Numbers, given);
        findings.faults(Rule::Numbers, numbers.faults);
        findings.begin(AuditPart::Documents);
        documents::audit(self, &mut tx, &mut findings).await?;
        findings.begin(AuditPart::Registers);
        registers::audit(&mut tx, &mut findings).await?;
        findings.begin(AuditPart::Log);
        log::audit(self, &mut tx, &mut findings).await?;
        findings.begin(AuditPart::Protection);
        protection::audit(self, &mut tx, &mut findings).await?;
        Ok(BooksAudit {
            at: self.now(),
            invariants: findings.invariants,
        })
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_manual_has_every_invariant() {
        let manual = include_str!("../../docs/operation.md");
        let (_, rest) = manual.split_once("<!-- invariants -->\n").unwrap();
        let (table, _) = rest.split_once("<!-- end of invariants -->").unwrap();
        let lines = super::RULES
            .iter()
            .map(|(name, demands)| format!("| {name} | {demands} |\n"));
        assert_eq!(table, lines.collect::<String>());
    }
}
