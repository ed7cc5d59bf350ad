//! Leases as they are stored: which document, of which chips, on which blank.

use api::{Actor, LeaseId};
use document::life_cycle::{LeaseEvent, LeaseState};
use document::{Act, Purpose};
use jiff::Timestamp;
use sqlx::Row;
use uuid::Uuid;

use crate::blanks::BookedChip;
use crate::database::{Connection, DbRow, moment, parsed, stored};
use crate::error::{CentralError, Result, advance};
use crate::lease_moves::{had_it, is_awaited, moved};
use crate::statements::sql;

/// A lease as it is stored.
pub(crate) struct Held {
    pub(crate) id: LeaseId,
    /// What it is for.
    pub(crate) purpose: Purpose,
    pub(crate) document: String,
    pub(crate) number: String,
    pub(crate) station: String,
    pub(crate) slot: String,
    /// The account that it was given to: who makes the document.
    pub(crate) operator: String,
    /// What it is made with, in the order of the document profile's chips.
    pub(crate) chips: Vec<LeasedChip>,
    pub(crate) document_digest: Vec<u8>,
    /// The blank that is bound to it, from the first channel on.
    pub(crate) blank: Option<String>,
    pub(crate) state: LeaseState,
    pub(crate) expires: Timestamp,
    /// Its slot has a printer.
    pub(crate) is_printed: bool,
}

/// A chip profile that a document is made with.
pub(crate) struct LeasedChip {
    pub(crate) product: String,
    pub(crate) digest: Vec<u8>,
}

const COLUMNS: &str = "SELECT id, purpose, document, number, station, slot, operator, document_digest, blank, state, expires, printed FROM lease";

impl Held {
    async fn read(tx: &mut Connection, row: &DbRow) -> Result<Self> {
        let id = LeaseId(parsed("a lease's identity", row.get("id"))?);
        let chips = sqlx::query(sql!(
            "SELECT product, digest FROM lease_chip WHERE lease = $1 ORDER BY position"
        ))
        .bind(id.to_string())
        .fetch_all(tx)
        .await?;
        let chip = |row: &DbRow| LeasedChip {
            product: row.get("product"),
            digest: row.get("digest"),
        };
        Ok(Self {
            id,
            purpose: parsed("a lease's purpose", row.get("purpose"))?,
            document: row.get("document"),
            number: row.get("number"),
            station: row.get("station"),
            slot: row.get("slot"),
            operator: row.get("operator"),
            chips: chips.iter().map(chip).collect(),
            document_digest: row.get("document_digest"),
            blank: row.get("blank"),
            state: parsed("a lease's state", row.get("state"))?,
            expires: moment(row.get("expires"))?,
            is_printed: row.get::<i64, _>("printed") == 1,
        })
    }

    /// Loads a lease of this station, in whatever state.
    ///
    /// # Errors
    /// [`CentralError::Moved`] for one that was taken from it; [`CentralError::NotFound`].
    pub(crate) async fn load(tx: &mut Connection, actor: &Actor, id: LeaseId) -> Result<Self> {
        let row = sqlx::query(sql!(COLUMNS, " WHERE id = $1 AND station = $2"))
            .bind(id.to_string())
            .bind(&actor.station)
            .fetch_optional(&mut *tx)
            .await?;
        let Some(row) = row else {
            return Err(match had_it(tx, id, &actor.station).await? {
                true => moved(id),
                false => CentralError::NotFound {
                    what: format!("lease {id} of this station"),
                },
            });
        };
        let held = Self::read(tx, &row).await?;
        match held.state == LeaseState::Expired && is_awaited(tx, id).await? {
            true => Err(moved(id)),
            false => Ok(held),
        }
    }

    /// Loads a lease of any station, in whatever state.
    pub(crate) async fn find(tx: &mut Connection, id: LeaseId) -> Result<Self> {
        let row = sqlx::query(sql!(COLUMNS, " WHERE id = $1"))
            .bind(id.to_string())
            .fetch_optional(&mut *tx)
            .await?;
        let row = row.ok_or_else(|| CentralError::NotFound {
            what: format!("lease {id}"),
        })?;
        Self::read(tx, &row).await
    }

    /// Tells whether there is such a lease, of whichever station.
    pub(crate) async fn is_known(tx: &mut Connection, id: LeaseId) -> Result<bool> {
        let found: i64 = sqlx::query_scalar(sql!("SELECT count(*) FROM lease WHERE id = $1"))
            .bind(id.to_string())
            .fetch_one(tx)
            .await?;
        Ok(found > 0)
    }

    /// Finds the open lease of a slot.
    pub(crate) async fn of_slot(
        tx: &mut Connection,
        station: &str,
        slot: &str,
    ) -> Result<Option<Self>> {
        let row = sqlx::query(sql!(
            COLUMNS,
            " WHERE station = $1 AND slot = $2 AND state = 'open' AND purpose = 'personalization'"
        ))
        .bind(station)
        .bind(slot)
        .fetch_optional(&mut *tx)
        .await?;
        match row {
            Some(row) => Self::read(tx, &row).await.map(Some),
            None => Ok(None),
        }
    }

    /// Finds the lease that a document is bound by.
    pub(crate) async fn of_document(tx: &mut Connection, document: &str) -> Result<Option<Self>> {
        // Written so that no planner takes the index of live leases: it has one page, which whoever gets
        // work writes into.
        let row = sqlx::query(sql!(
            COLUMNS,
            " WHERE document = $1 AND CASE WHEN state IN ('open', 'expired') THEN 1 ELSE 0 END = 1"
        ))
        .bind(document)
        .fetch_optional(&mut *tx)
        .await?;
        match row {
            Some(row) => Self::read(tx, &row).await.map(Some),
            None => Ok(None),
        }
    }

    /// Tells whether it is open and its time has passed.
    pub(crate) fn is_overdue(&self, now: Timestamp) -> bool {
        self.state == LeaseState::Open && self.expires <= now
    }

    /// Returns the open leases whose time has passed.
    pub(crate) async fn overdue(tx: &mut Connection, now: Timestamp) -> Result<Vec<Self>> {
        let rows = sqlx::query(sql!(
            COLUMNS,
            " WHERE state = 'open' AND expires <= $1 ORDER BY expires, id"
        ))
        .bind(stored(now))
        .fetch_all(&mut *tx)
        .await?;
        let mut overdue = Vec::new();
        for row in &rows {
            overdue.push(Self::read(tx, row).await?);
        }
        Ok(overdue)
    }

    /// Stores a new lease.
    pub(crate) async fn store(&self, tx: &mut Connection, opened: Timestamp) -> Result<()> {
        sqlx::query(sql!("INSERT INTO lease (id, purpose, document, number, station, slot, operator, document_digest, blank, state, opened, expires, turn, printed)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"))
        .bind(self.id.to_string())
        .bind(self.purpose.name())
        .bind(&self.document)
        .bind(&self.number)
        .bind(&self.station)
        .bind(&self.slot)
        .bind(&self.operator)
        .bind(&self.document_digest)
        .bind(&self.blank)
        .bind(self.state.name())
        .bind(stored(opened))
        .bind(stored(self.expires))
        .bind(Uuid::now_v7().to_string())
        .bind(i64::from(self.is_printed))
        .execute(&mut *tx)
        .await?;
        for (position, chip) in (0_i64..).zip(&self.chips) {
            sqlx::query(sql!(
                "INSERT INTO lease_chip (lease, position, product, digest) VALUES ($1, $2, $3, $4)"
            ))
            .bind(self.id.to_string())
            .bind(position)
            .bind(&chip.product)
            .bind(&chip.digest)
            .execute(&mut *tx)
            .await?;
        }
        Ok(())
    }

    /// Moves the lease on.
    pub(crate) async fn apply(&mut self, tx: &mut Connection, event: LeaseEvent) -> Result<()> {
        self.state = advance(self.state, event)?;
        sqlx::query(sql!("UPDATE lease SET state = $1 WHERE id = $2"))
            .bind(self.state.name())
            .bind(self.id.to_string())
            .execute(tx)
            .await?;
        Ok(())
    }

    /// Lets the lease last longer.
    pub(crate) async fn extend(&mut self, tx: &mut Connection, expires: Timestamp) -> Result<()> {
        self.expires = expires;
        sqlx::query(sql!("UPDATE lease SET expires = $1 WHERE id = $2"))
            .bind(stored(expires))
            .bind(self.id.to_string())
            .execute(tx)
            .await?;
        Ok(())
    }

    /// Binds a blank to the lease.
    pub(crate) async fn bind(&mut self, tx: &mut Connection, blank: &str) -> Result<()> {
        sqlx::query(sql!("UPDATE lease SET blank = $1 WHERE id = $2"))
            .bind(blank)
            .bind(self.id.to_string())
            .execute(tx)
            .await?;
        self.blank = Some(blank.to_owned());
        Ok(())
    }

    /// Frees the blank that was bound to the lease, which is over.
    pub(crate) async fn unbind(&mut self, tx: &mut Connection) -> Result<()> {
        sqlx::query(sql!("UPDATE lease SET blank = NULL WHERE id = $1"))
            .bind(self.id.to_string())
            .execute(tx)
            .await?;
        self.blank = None;
        Ok(())
    }

    /// Returns the right that is needed for what it is for.
    pub(crate) fn act(&self) -> Act {
        match self.purpose {
            Purpose::Personalization => Act::PersonalizeDocument,
            Purpose::NewPins => Act::RenewPins,
        }
    }

    /// Demands that it is for making a document: a finished one gets no keys and no certificates.
    pub(crate) fn check_personalizes(&self) -> Result<()> {
        match self.purpose {
            Purpose::Personalization => Ok(()),
            Purpose::NewPins => Err(CentralError::refused(
                "this lease gives a finished document new PINs, and nothing else",
            )),
        }
    }

    /// Returns its products as a person reads them.
    pub(crate) fn products(&self) -> String {
        let products: Vec<_> = self.chips.iter().map(|chip| &*chip.product).collect();
        products.join(", ")
    }

    /// Says whether it is made with these products, in whatever order.
    pub(crate) fn takes<'a>(&self, products: impl Iterator<Item = &'a str>) -> bool {
        let (mut own, mut others): (Vec<_>, Vec<_>) = (
            self.chips.iter().map(|chip| &*chip.product).collect(),
            products.collect(),
        );
        own.sort_unstable();
        others.sort_unstable();
        own == others
    }

    /// Demands that a chip is of the blank that is bound to the lease.
    pub(crate) async fn chip(&self, tx: &mut Connection, serial: &str) -> Result<BookedChip> {
        let Some(bound) = &self.blank else {
            return Err(CentralError::refused(
                "no blank is bound to this lease yet; claim the chip first",
            ));
        };
        let chip = BookedChip::find(tx, serial).await?;
        let chip = chip.filter(|chip| chip.blank == *bound).ok_or_else(|| {
            CentralError::refused(format!(
                "chip {serial} is not of blank {bound}, which is bound to this lease; report it before you use another blank"
            ))
        })?;
        let mut leased = self.chips.iter();
        match leased.any(|leased| leased.product == chip.product) {
            true => Ok(chip),
            false => Err(CentralError::refused(format!(
                "this lease is for {} of blank {bound}, not for its chip {serial}",
                self.products()
            ))),
        }
    }
}
