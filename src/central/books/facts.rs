//! Everything that the books have of a document, beside each other.

use std::collections::HashMap;

use document::Purpose;
use document::life_cycle::{
    ApplicationState, BlankState, CertificateState, DocumentEvent, DocumentState, EnvelopeState,
    LeaseState, ParcelState,
};
use sqlx::Row;

use crate::database::{Connection, DbRow, parsed};
use crate::error::Result;
use crate::statements::sql;

/// How many documents are loaded at once.
const PAGE: i64 = 512;

/// What the books have of a document.
pub(super) struct Facts {
    pub(super) id: String,
    pub(super) application: String,
    pub(super) kind: String,
    pub(super) profile: String,
    pub(super) office: Option<String>,
    pub(super) place: String,
    pub(super) number: Option<String>,
    pub(super) state: DocumentState,
    pub(super) of_application: ApplicationState,
    pub(super) events: Vec<(DocumentEvent, DocumentState)>,
    /// The numbers that are in the books as its own, with their states.
    pub(super) numbers: Vec<(String, String)>,
    pub(super) leases: Vec<LeaseFacts>,
    /// Those that carry it, or carried it.
    pub(super) blanks: Vec<BlankFacts>,
    pub(super) certificates: Vec<CertificateFacts>,
    pub(super) envelopes: Vec<EnvelopeFacts>,
    pub(super) parcels: Vec<ParcelFacts>,
}

pub(super) struct LeaseFacts {
    pub(super) id: String,
    pub(super) purpose: Purpose,
    pub(super) number: String,
    pub(super) state: LeaseState,
    pub(super) blank: Option<String>,
    /// The account of its blank.
    pub(super) account: Option<BlankState>,
    /// The document and number that its blank carries.
    pub(super) carried: Option<(String, String)>,
}

impl LeaseFacts {
    pub(super) fn is_live(&self) -> bool {
        matches!(self.state, LeaseState::Open | LeaseState::Expired)
    }
}

pub(super) struct BlankFacts {
    pub(super) serial: String,
    pub(super) state: BlankState,
    pub(super) number: Option<String>,
}

pub(super) struct CertificateFacts {
    pub(super) id: String,
    pub(super) number: String,
    pub(super) state: CertificateState,
}

pub(super) struct EnvelopeFacts {
    pub(super) serial: String,
    pub(super) number: String,
    pub(super) lease: String,
    pub(super) state: EnvelopeState,
    /// Whether something is kept sealed to the store's own key.
    pub(super) is_kept: bool,
}

pub(super) struct ParcelFacts {
    pub(super) serial: String,
    pub(super) office: String,
    pub(super) state: ParcelState,
    pub(super) number: String,
    /// What became of the document in it.
    pub(super) fate: String,
}

/// Loads the documents after this one; empty where there are no more.
pub(super) async fn load(tx: &mut Connection, after: &str) -> Result<Vec<Facts>> {
    let rows = sqlx::query(sql!("SELECT d.id, d.application, d.kind, d.profile, d.office, d.place, d.number, d.state, a.state AS of_application
         FROM document d JOIN application a ON a.reference = d.application WHERE d.id > $1 ORDER BY d.id LIMIT $2"))
    .bind(after)
    .bind(PAGE)
    .fetch_all(&mut *tx)
    .await?;
    let mut facts = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
    let Some(last) = facts.last().map(|facts| facts.id.clone()) else {
        return Ok(facts);
    };
    let places = facts.iter().enumerate();
    let places: HashMap<String, usize> = places.map(|(at, one)| (one.id.clone(), at)).collect();
    let mut page = Page {
        range: (after, &last),
        places,
    };
    page.each(
        tx,
        sql!("SELECT document, event, state FROM document_event WHERE document > $1 AND document <= $2 ORDER BY document, id"),
        |at, row| {
            let event = parsed("what happened to a document", row.get("event"))?;
            let state = parsed("a document's state", row.get("state"))?;
            push(&mut facts, at, |facts| facts.events.push((event, state)));
            Ok(())
        },
    )
    .await?;
    page.each(
        tx,
        sql!("SELECT document, number, state FROM number WHERE document > $1 AND document <= $2 ORDER BY document, number"),
        |at, row| {
            let number = (row.get("number"), row.get("state"));
            push(&mut facts, at, |facts| facts.numbers.push(number));
            Ok(())
        },
    )
    .await?;
    page.each(
        tx,
        sql!("SELECT l.document, l.id, l.purpose, l.number, l.state, l.blank, b.state AS account, b.document AS carried, b.number AS carried_number
         FROM lease l LEFT JOIN blank b ON b.serial = l.blank WHERE l.document > $1 AND l.document <= $2 ORDER BY l.document, l.opened, l.id"),
        |at, row| {
            let lease = read_lease(row)?;
            push(&mut facts, at, |facts| facts.leases.push(lease));
            Ok(())
        },
    )
    .await?;
    page.each(
        tx,
        sql!("SELECT document, serial, state, number FROM blank WHERE document > $1 AND document <= $2 ORDER BY document, serial"),
        |at, row| {
            let blank = BlankFacts {
                serial: row.get("serial"),
                state: parsed("a blank's state", row.get("state"))?,
                number: row.get("number"),
            };
            push(&mut facts, at, |facts| facts.blanks.push(blank));
            Ok(())
        },
    )
    .await?;
    page.each(
        tx,
        sql!("SELECT document, id, number, state FROM certificate WHERE document > $1 AND document <= $2 ORDER BY document, id"),
        |at, row| {
            let certificate = CertificateFacts {
                id: row.get("id"),
                number: row.get("number"),
                state: parsed("a certificate's state", row.get("state"))?,
            };
            push(&mut facts, at, |facts| facts.certificates.push(certificate));
            Ok(())
        },
    )
    .await?;
    page.each(
        tx,
        sql!("SELECT document, serial, number, lease, state, CAST(CASE WHEN kept IS NULL THEN 0 ELSE 1 END AS BIGINT) AS kept FROM envelope WHERE document > $1 AND document <= $2 ORDER BY document, serial"),
        |at, row| {
            let envelope = EnvelopeFacts {
                serial: row.get("serial"),
                number: row.get("number"),
                lease: row.get("lease"),
                state: parsed("an envelope's state", row.get("state"))?,
                is_kept: row.get::<i64, _>("kept") == 1,
            };
            push(&mut facts, at, |facts| facts.envelopes.push(envelope));
            Ok(())
        },
    )
    .await?;
    page.each(
        tx,
        sql!("SELECT pd.document, p.serial, p.office, p.state, pd.number, pd.state AS fate FROM parcel_document pd
         JOIN parcel p ON p.serial = pd.parcel WHERE pd.document > $1 AND pd.document <= $2 ORDER BY pd.document, p.serial, pd.number"),
        |at, row| {
            let parcel = ParcelFacts {
                serial: row.get("serial"),
                office: row.get("office"),
                state: parsed("a parcel's state", row.get("state"))?,
                number: row.get("number"),
                fate: row.get("fate"),
            };
            push(&mut facts, at, |facts| facts.parcels.push(parcel));
            Ok(())
        },
    )
    .await?;
    Ok(facts)
}

/// The documents of a page, between two identities as the database orders them.
struct Page<'a> {
    range: (&'a str, &'a str),
    places: HashMap<String, usize>,
}

impl Page<'_> {
    /// Reads what belongs to the documents of the page, row by row.
    async fn each(
        &mut self,
        tx: &mut Connection,
        statement: &'static str,
        mut take: impl FnMut(usize, &DbRow) -> Result<()>,
    ) -> Result<()> {
        let rows = sqlx::query(statement)
            .bind(self.range.0)
            .bind(self.range.1)
            .fetch_all(tx)
            .await?;
        for row in &rows {
            if let Some(&at) = self.places.get(row.get::<&str, _>("document")) {
                take(at, row)?;
            }
        }
        Ok(())
    }
}

fn push(facts: &mut [Facts], at: usize, add: impl FnOnce(&mut Facts)) {
    if let Some(facts) = facts.get_mut(at) {
        add(facts);
    }
}

fn read(row: &DbRow) -> Result<Facts> {
    Ok(Facts {
        id: row.get("id"),
        application: row.get("application"),
        kind: row.get("kind"),
        profile: row.get("profile"),
        office: row.get("office"),
        place: row.get("place"),
        number: row.get("number"),
        state: parsed("a document's state", row.get("state"))?,
        of_application: parsed("an application's state", row.get("of_application"))?,
        events: Vec::new(),
        numbers: Vec::new(),
        leases: Vec::new(),
        blanks: Vec::new(),
        certificates: Vec::new(),
        envelopes: Vec::new(),
        parcels: Vec::new(),
    })
}

fn read_lease(row: &DbRow) -> Result<LeaseFacts> {
    let account: Option<&str> = row.get("account");
    let carried: Option<String> = row.get("carried");
    let number: Option<String> = row.get("carried_number");
    Ok(LeaseFacts {
        id: row.get("id"),
        purpose: parsed("a lease's purpose", row.get("purpose"))?,
        number: row.get("number"),
        state: parsed("a lease's state", row.get("state"))?,
        blank: row.get("blank"),
        account: account
            .map(|state| parsed("a blank's state", state))
            .transpose()?,
        carried: carried.zip(number),
    })
}
