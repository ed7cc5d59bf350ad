//! Looking: what there is and how it stands, without holders' data.

use std::collections::BTreeMap;

use api::{Actor, JournalLine};
use document::life_cycle::{BlankState, CertificateState, DocumentState, EnvelopeState};
use document::{Act, DataClass, DeliveredChip, Kind};
use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::{AssertSqlSafe, Row};

use crate::accounts::authorise;
use crate::central::Central;
use crate::certificate_contents::certificate_cell;
use crate::database::{Connection, DbRow, moment, parsed};
use crate::documents::Document;
use crate::error::{CentralError, Result};
use crate::many_rows::{runs, tuples};
use crate::protection::open;
use crate::statements::{assembled, sql};

/// A document in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentLine {
    /// Its identity, which stays when it gets another number.
    pub id: String,
    /// Its number now; none while it waits for a blank that has one.
    pub number: Option<String>,
    /// The reference of its application.
    pub application: String,
    /// Its kind.
    pub kind: Kind,
    /// Its state.
    pub state: DocumentState,
    /// Whether it is urgent.
    pub urgent: bool,
    /// The day it is due.
    pub due: Date,
    /// The day of issue; none while nothing is prepared.
    pub issued: Option<Date>,
    /// The day of expiry; none while nothing is prepared.
    pub expires: Option<Date>,
    /// The serial number that is printed on the blank that carries it, or is bound to its lease.
    pub blank: Option<String>,
    /// The serial numbers of that blank's chips, in the order of their places; none before a
    /// blank is bound.
    pub chips: Vec<String>,
    /// Its PIN envelope, if it has one.
    pub envelope: Option<EnvelopeState>,
    /// How many certificates it has that are not revoked.
    pub certificates: usize,
    /// Where it stands in lists: behind all that were prepared before it.
    pub turn: String,
}

/// A certificate in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateLine {
    /// Its serial number in hexadecimal.
    pub serial: String,
    /// The document number that it was issued under.
    pub number: String,
    /// The key's name in the chip profile.
    pub key: String,
    /// The certificate profile.
    pub profile: String,
    /// The name of the authority that issued it.
    pub authority: String,
    /// Its state.
    pub state: CertificateState,
    /// Where its authority has it: `on-hold`, `good` or `revoked`.
    pub standing: String,
    /// From when it holds.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
    /// The certificate; none once it was erased.
    pub der: Option<Vec<u8>>,
}

/// A blank in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlankLine {
    /// The serial number that is printed on it.
    pub serial: String,
    /// What it is, where its chips do not say it.
    pub article: Option<String>,
    /// The document number that its maker gave it, if it did.
    pub own_number: Option<String>,
    /// Its chips, in the order of their places.
    pub chips: Vec<DeliveredChip>,
    /// The delivery that it came with.
    pub delivery: String,
    /// The account it is in.
    pub state: BlankState,
    /// The document number that stands on it, also on a spoiled one.
    pub number: Option<String>,
}

/// The account of the numbers: every one that was given is in exactly one of the figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberAccount {
    /// The letters of the first series that has numbers left.
    pub prefix: String,
    /// The next number of that series; none when all are used up.
    pub next: Option<String>,
    /// Given to documents that are not made yet.
    pub allotted: u64,
    /// Carried by documents that were made.
    pub issued: u64,
    /// On numbered blanks that came back untouched.
    pub returned: u64,
    /// Spoiled with a blank.
    pub spoiled: u64,
    /// Given up with a document.
    pub cancelled: u64,
}

const LINE: &str = "SELECT d.id, d.number, d.application, d.kind, d.state, d.urgent, d.due, d.issued, d.expires, d.turn,
            (SELECT l.blank FROM lease l WHERE l.number = d.number AND l.purpose = 'personalization' AND l.state IN ('open', 'expired', 'completed')) AS blank,
            (SELECT e.state FROM envelope e WHERE e.number = d.number AND e.state NOT IN ('void', 'destroyed') ORDER BY e.state = 'sealed', e.serial LIMIT 1) AS envelope,
            (SELECT count(*) FROM certificate c WHERE c.number = d.number AND c.state IN ('issued-on-hold', 'ready', 'active')) AS certificates
     FROM document d";

/// Returns the search for the chips of so many blanks.
fn chips_of(blanks: usize) -> String {
    format!(
        "SELECT blank, serial FROM chip WHERE blank IN {} ORDER BY blank, position",
        tuples(1, blanks)
    )
}

assembled!(chips_of => |_| vec![chips_of(1), chips_of(2)]);

/// Reads documents with the chips of their blanks.
async fn lines(tx: &mut Connection, rows: &[DbRow]) -> Result<Vec<DocumentLine>> {
    let blanks: Vec<&str> = rows.iter().filter_map(|row| row.get("blank")).collect();
    let mut chips: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for run in runs(&blanks) {
        let mut statement = sqlx::query(AssertSqlSafe(chips_of(run.len())));
        for blank in run {
            statement = statement.bind(*blank);
        }
        for row in &statement.fetch_all(&mut *tx).await? {
            let of_blank = chips.entry(row.get("blank")).or_default();
            of_blank.push(row.get("serial"));
        }
    }
    let day = |text: Option<&str>| text.map(|text| parsed("a day", text)).transpose();
    let line = |row: &DbRow| {
        let envelope: Option<&str> = row.get("envelope");
        let blank: Option<String> = row.get("blank");
        Ok(DocumentLine {
            id: row.get("id"),
            number: row.get("number"),
            application: row.get("application"),
            kind: parsed("a document's kind", row.get("kind"))?,
            state: parsed("a document's state", row.get("state"))?,
            urgent: row.get::<i64, _>("urgent") == 1,
            due: parsed("a day", row.get("due"))?,
            issued: day(row.get("issued"))?,
            expires: day(row.get("expires"))?,
            chips: blank
                .as_deref()
                .and_then(|blank| chips.get(blank))
                .cloned()
                .unwrap_or_default(),
            blank,
            envelope: envelope
                .map(|state| parsed("an envelope's state", state))
                .transpose()?,
            certificates: usize::try_from(row.get::<i64, _>("certificates")).unwrap_or_default(),
            turn: row.get("turn"),
        })
    };
    rows.iter().map(line).collect()
}

impl Central {
    /// Returns up to `limit` documents whose turns come after `after`: the oldest first.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to see documents.
    pub async fn document_lines_after(
        &self,
        actor: &Actor,
        after: &str,
        limit: u32,
    ) -> Result<Vec<DocumentLine>> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ViewDocument).await?;
        let rows = sqlx::query(sql!(LINE, " WHERE d.turn > $1 ORDER BY d.turn LIMIT $2"))
            .bind(after)
            .bind(i64::from(limit))
            .fetch_all(&mut *tx)
            .await?;
        lines(&mut tx, &rows).await
    }

    /// Returns the certificates of a document, those of its spoiled blanks too.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to see documents; [`CentralError::NotFound`].
    pub async fn certificates(&self, actor: &Actor, number: &str) -> Result<Vec<CertificateLine>> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ViewDocument).await?;
        let document = Document::numbered(&mut tx, number).await?;
        let key = self
            .protection()
            .find_key(&mut tx, &document.application, DataClass::Record)
            .await?;
        let rows = sqlx::query(sql!("SELECT id, serial, number, key_name, profile, authority, state, standing, not_before, not_after, der FROM certificate
             WHERE document = $1 AND serial IS NOT NULL ORDER BY not_before, key_name"))
        .bind(&document.id)
        .fetch_all(&mut *tx)
        .await?;
        let line = |row: &DbRow| {
            Ok(CertificateLine {
                serial: row.get("serial"),
                number: row.get("number"),
                key: row.get("key_name"),
                profile: row.get("profile"),
                authority: row.get("authority"),
                state: parsed("a certificate's state", row.get("state"))?,
                standing: row.get("standing"),
                not_before: moment(row.get("not_before"))?,
                not_after: moment(row.get("not_after"))?,
                der: match &key {
                    None => None,
                    Some(key) => {
                        let cell = certificate_cell(&document.application, row.get("id"), "der");
                        Some(open(key, &cell, row.get("der"))?.to_vec())
                    }
                },
            })
        };
        rows.iter().map(line).collect()
    }

    /// Returns every blank with its chips, by the serial number that is printed on it.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to reports.
    pub async fn blanks(&self, actor: &Actor) -> Result<Vec<BlankLine>> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ViewReports).await?;
        let rows = sqlx::query(sql!("SELECT b.serial, b.delivery, b.state, b.number, b.article, b.own_number, c.product, c.serial AS chip, c.key_version
             FROM blank b LEFT JOIN chip c ON c.blank = b.serial ORDER BY b.serial, c.position NULLS FIRST"))
        .fetch_all(&mut *tx)
        .await?;
        let mut blanks: Vec<BlankLine> = Vec::new();
        for row in &rows {
            // A blank without chips has a row of its own.
            let product: Option<String> = row.get("product");
            let chip = product.map(|product| DeliveredChip {
                product,
                serial: row.get("chip"),
                key_version: row
                    .get::<Option<i64>, _>("key_version")
                    .and_then(|version| u8::try_from(version).ok()),
            });
            let serial: &str = row.get("serial");
            match blanks.last_mut().filter(|blank| blank.serial == serial) {
                Some(blank) => blank.chips.extend(chip),
                None => blanks.push(BlankLine {
                    serial: serial.to_owned(),
                    article: row.get("article"),
                    own_number: row.get("own_number"),
                    chips: chip.into_iter().collect(),
                    delivery: row.get("delivery"),
                    state: parsed("a blank's state", row.get("state"))?,
                    number: row.get("number"),
                }),
            }
        }
        Ok(blanks)
    }

    /// Returns the account of the numbers.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to reports.
    pub async fn numbers(&self, actor: &Actor) -> Result<NumberAccount> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ViewReports).await?;
        let series = sqlx::query(sql!("SELECT prefix, next, last FROM series ORDER BY CASE WHEN state = 'open' AND next <= last THEN 0 ELSE 1 END, turn LIMIT 1"))
            .fetch_one(&mut *tx)
            .await?;
        let (prefix, next, last): (String, i64, i64) =
            (series.get("prefix"), series.get("next"), series.get("last"));
        let rows = sqlx::query(sql!(
            "SELECT state, count(*) AS numbers FROM number GROUP BY state"
        ))
        .fetch_all(&mut *tx)
        .await?;
        let of = |state: &str| {
            let row = rows.iter().find(|row| row.get::<&str, _>("state") == state);
            row.map_or(0, |row| row.get::<i64, _>("numbers").unsigned_abs())
        };
        Ok(NumberAccount {
            next: (next <= last).then(|| format!("{prefix}{next:07}")),
            prefix,
            allotted: of("allotted"),
            issued: of("issued"),
            returned: of("returned"),
            spoiled: of("spoiled"),
            cancelled: of("cancelled"),
        })
    }

    /// Returns what stations wrote down of making a document, blank after blank.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to see documents; [`CentralError::NotFound`].
    pub async fn journal(&self, actor: &Actor, number: &str) -> Result<Vec<JournalLine>> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ViewDocument).await?;
        let document = Document::numbered(&mut tx, number).await?;
        let rows = sqlx::query(sql!(
            "SELECT j.at, j.step, j.moment, j.evidence FROM journal_line j
             JOIN report r ON r.station = j.station AND r.sequence = j.sequence
             JOIN lease l ON l.id = r.lease
             WHERE l.document = $1 ORDER BY r.received, j.station, j.sequence, j.place"
        ))
        .bind(&document.id)
        .fetch_all(&mut *tx)
        .await?;
        let line = |row: &DbRow| {
            Ok(JournalLine {
                at: parsed("a moment", row.get("at"))?,
                step: row.get("step"),
                moment: row.get("moment"),
                evidence: serde_json::from_str(row.get("evidence"))
                    .map_err(|_| CentralError::damaged("a journal line"))?,
            })
        };
        rows.iter().map(line).collect()
    }
}
