//! Certificates as they are stored: what was ordered, what came, where it stands.

use api::CertifyRequest;
use audit::Control;
use document::life_cycle::CertificateState;
use jiff::Timestamp;
use pki::Status;
use sqlx::Row;

use crate::blanks::BookedChip;
use crate::database::{Connection, DbRow, moment, parsed, stored};
use crate::error::{CentralError, Result};
use crate::lease::Held;
use crate::register::listed;
use crate::scribe::Deed;
use crate::standing::Unsettled;
use crate::statements::sql;

/// Where an authority has a certificate, as it said last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing was issued, as far as is known.
    None,
    /// On hold.
    OnHold,
    /// In use.
    Good,
    /// Revoked.
    Revoked,
}

impl Standing {
    /// Returns its name in the database and in lists.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::OnHold => "on-hold",
            Self::Good => "good",
            Self::Revoked => "revoked",
        }
    }

    fn read(text: &str) -> Result<Self> {
        [Self::None, Self::OnHold, Self::Good, Self::Revoked]
            .into_iter()
            .find(|standing| standing.name() == text)
            .ok_or_else(|| CentralError::damaged("a certificate's standing"))
    }

    /// Returns the standing that a status is.
    pub(crate) fn of(status: Status) -> Self {
        match status {
            Status::OnHold => Self::OnHold,
            Status::Good => Self::Good,
            Status::Revoked(_) => Self::Revoked,
        }
    }
}

/// A certificate that was ordered.
#[derive(Clone)]
pub(crate) struct Ordered {
    pub(crate) id: String,
    pub(crate) document: String,
    /// The document's application: what names its holder here lies under the key of its records.
    pub(crate) application: String,
    pub(crate) number: String,
    pub(crate) lease: String,
    pub(crate) chip: String,
    pub(crate) key: String,
    pub(crate) profile: String,
    pub(crate) authority: String,
    /// The exchange with the authority, sealed.
    pub(crate) exchange: Vec<u8>,
    /// Whether the authority may have seen the exchange.
    pub(crate) is_sent: bool,
    pub(crate) challenge: Vec<u8>,
    pub(crate) state: CertificateState,
    pub(crate) standing: Standing,
    /// Whether the authority was told that the certificate is accepted, or rejected.
    pub(crate) is_concluded: bool,
    /// The certificate that came.
    pub(crate) issued: Option<Issued>,
    /// How often the authority was asked in vain.
    pub(crate) tries: u32,
}

/// A certificate as it is stored: what stays of it when its holder's data is erased, and the rest.
#[derive(Clone)]
pub(crate) struct Issued {
    /// Its serial number in hexadecimal.
    pub(crate) serial: String,
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
    /// The certificate, sealed; empty once it was erased.
    pub(crate) der: Vec<u8>,
}

const COLUMNS: &str = "SELECT id, document, (SELECT application FROM document WHERE document.id = certificate.document) AS application, number, lease, chip, key_name, profile, authority, exchange, sent, challenge, state, standing, concluded, serial, not_before, not_after, der, tries FROM certificate";

/// What the sweep looks for: see the index of this name in the migrations.
pub(crate) const UNSETTLED: &str = "(state = 'in-doubt'
    OR (state IN ('issued-on-hold', 'ready') AND (standing <> 'on-hold' OR concluded = 0))
    OR (state = 'active' AND standing <> 'good')
    OR (state = 'suspended' AND standing <> 'on-hold')
    OR (state LIKE 'revoked%' AND standing <> 'revoked'))";

impl Ordered {
    fn read(row: &DbRow) -> Result<Self> {
        let serial: Option<String> = row.get("serial");
        let issued = serial.map(|serial| Issued {
            serial,
            not_before: row.get("not_before"),
            not_after: row.get("not_after"),
            der: row.get("der"),
        });
        Ok(Self {
            id: row.get("id"),
            document: row.get("document"),
            application: row.get("application"),
            number: row.get("number"),
            lease: row.get("lease"),
            chip: row.get("chip"),
            key: row.get("key_name"),
            profile: row.get("profile"),
            authority: row.get("authority"),
            exchange: row.get("exchange"),
            is_sent: row.get::<i64, _>("sent") == 1,
            challenge: row.get("challenge"),
            state: parsed("a certificate's state", row.get("state"))?,
            standing: Standing::read(row.get("standing"))?,
            is_concluded: row.get::<i64, _>("concluded") == 1,
            issued,
            tries: u32::try_from(row.get::<i64, _>("tries")).unwrap_or(u32::MAX),
        })
    }

    /// Finds the one of this name.
    pub(crate) async fn find(tx: &mut Connection, id: &str) -> Result<Option<Self>> {
        let row = sqlx::query(sql!(COLUMNS, " WHERE id = $1"))
            .bind(id)
            .fetch_optional(tx)
            .await?;
        row.as_ref().map(Self::read).transpose()
    }

    /// Loads the one of this name, which must be there.
    pub(crate) async fn load(tx: &mut Connection, id: &str) -> Result<Self> {
        let found = Self::find(tx, id).await?;
        found.ok_or_else(|| CentralError::damaged("a certificate that is on order"))
    }

    /// Finds the one that was ordered for a key of a lease's chip.
    pub(crate) async fn of_key(
        tx: &mut Connection,
        held: &Held,
        chip: &BookedChip,
        key: &str,
    ) -> Result<Option<Self>> {
        let row = sqlx::query(sql!(
            COLUMNS,
            " WHERE lease = $1 AND chip = $2 AND key_name = $3"
        ))
        .bind(held.id.to_string())
        .bind(&chip.serial)
        .bind(key)
        .fetch_optional(tx)
        .await?;
        row.as_ref().map(Self::read).transpose()
    }

    /// Finds the one that was ordered for the same key before; refuses a key that is another's,
    /// and another key in the place of one that was ordered.
    pub(crate) async fn before(
        tx: &mut Connection,
        held: &Held,
        chip: &BookedChip,
        request: &CertifyRequest,
        public_key: &[u8],
    ) -> Result<Option<Self>> {
        let same: Option<String> =
            sqlx::query_scalar(sql!("SELECT id FROM certificate WHERE public_key = $1"))
                .bind(public_key)
                .fetch_optional(&mut *tx)
                .await?;
        match (same, Self::of_key(tx, held, chip, &request.key).await?) {
            (None, None) => Ok(None),
            (Some(same), Some(there)) if same == there.id => Ok(Some(there)),
            (Some(_), _) => Err(CentralError::refused(
                "this public key was certified before, for another document or another key",
            )),
            (None, Some(_)) => Err(CentralError::refused(
                "another key was certified in this place already; report the blank as spoiled",
            )),
        }
    }

    /// Returns those that were ordered under a document number.
    pub(crate) async fn of_number(tx: &mut Connection, number: &str) -> Result<Vec<Self>> {
        let rows = sqlx::query(sql!(COLUMNS, " WHERE number = $1 ORDER BY id"))
            .bind(number)
            .fetch_all(tx)
            .await?;
        rows.iter().map(Self::read).collect()
    }

    /// Returns those of a document that are not over.
    pub(crate) async fn live(tx: &mut Connection, document: &str) -> Result<Vec<Self>> {
        let rows = sqlx::query(sql!(COLUMNS, " WHERE document = $1 ORDER BY id"))
            .bind(document)
            .fetch_all(tx)
            .await?;
        let mut live = Vec::new();
        for row in &rows {
            let ordered = Self::read(row)?;
            let is_live = matches!(
                ordered.state,
                CertificateState::Requested
                    | CertificateState::IssuedOnHold
                    | CertificateState::Ready
                    | CertificateState::Active
                    | CertificateState::Suspended
            );
            // One in doubt is the sweep's.
            if is_live {
                live.push(ordered);
            }
        }
        Ok(live)
    }

    /// Returns those whose authority has them elsewhere than the books, or has not said, and may be
    /// asked now: of one document, or of all.
    pub(crate) async fn unsettled(
        tx: &mut Connection,
        document: Option<&str>,
        now: Timestamp,
        most: i64,
    ) -> Result<Vec<Self>> {
        let rows = sqlx::query(sql!(
            COLUMNS,
            " WHERE ",
            UNSETTLED,
            " AND next_try <= $1 AND (CAST($2 AS TEXT) IS NULL OR document = $3) ORDER BY next_try, id LIMIT $4"
        ))
        .bind(stored(now))
        .bind(document)
        .bind(document)
        .bind(most)
        .fetch_all(tx)
        .await?;
        rows.iter().map(Self::read).collect()
    }

    /// Returns what is shown of those that are not settled, behind a moment and an identity.
    pub(crate) async fn unsettled_after(
        tx: &mut Connection,
        (next_try, id): (i64, &str),
        most: u32,
    ) -> Result<Vec<Unsettled>> {
        let rows = sqlx::query(sql!("SELECT id, number, key_name, authority, serial, state, standing, tries, next_try, trouble
             FROM certificate WHERE ", UNSETTLED, " AND (next_try, id) > ($1, $2) ORDER BY next_try, id LIMIT $3"))
        .bind(next_try)
        .bind(id)
        .bind(i64::from(most))
        .fetch_all(tx)
        .await?;
        let shown = |row: &DbRow| {
            Ok(Unsettled {
                order: row.get("id"),
                number: row.get("number"),
                key: row.get("key_name"),
                authority: row.get("authority"),
                serial: row.get("serial"),
                state: parsed("a certificate's state", row.get("state"))?,
                standing: Standing::read(row.get("standing"))?.name().into(),
                tries: u32::try_from(row.get::<i64, _>("tries")).unwrap_or(u32::MAX),
                next_try: moment(row.get("next_try"))?,
                trouble: row.get("trouble"),
            })
        };
        rows.iter().map(shown).collect()
    }

    /// Counts what is not settled.
    pub(crate) async fn count_unsettled(tx: &mut Connection) -> Result<u64> {
        let count: i64 =
            sqlx::query_scalar(sql!("SELECT count(*) FROM certificate WHERE ", UNSETTLED))
                .fetch_one(tx)
                .await?;
        Ok(count.unsigned_abs())
    }

    /// Returns where the authority is to have it; nothing where it has issued nothing.
    pub(crate) fn wanted(&self) -> Option<Status> {
        match self.state {
            CertificateState::IssuedOnHold
            | CertificateState::Ready
            | CertificateState::Suspended => Some(Status::OnHold),
            CertificateState::Active => Some(Status::Good),
            CertificateState::Revoked(reason) => Some(Status::Revoked(listed(reason))),
            CertificateState::Requested
            | CertificateState::InDoubt
            | CertificateState::Abandoned => None,
        }
    }

    /// Returns the serial number in hexadecimal, or nothing.
    pub(crate) fn serial(&self) -> &str {
        self.issued.as_ref().map_or("", |issued| &issued.serial)
    }

    /// Returns what an entry of the log says of an act on it.
    pub(crate) fn deed(&self, action: &'static str) -> Deed {
        let deed = match &self.issued {
            Some(issued) => Deed::new(action, Control::CRYPTOGRAPHY, "certificate", &issued.serial),
            None => Deed::new(action, Control::CRYPTOGRAPHY, "lease", &self.lease)
                .with("key", &self.key),
        };
        deed.with("document", &self.number)
            .with("state", self.state)
    }

    /// Stores a new one; its request is sealed.
    pub(crate) async fn enter(
        &self,
        tx: &mut Connection,
        public_key: &[u8],
        request: &[u8],
        now: Timestamp,
    ) -> Result<()> {
        sqlx::query(sql!("INSERT INTO certificate (id, document, number, lease, chip, key_name, profile, authority, public_key, request, exchange, sent, challenge, state, standing, concluded, changed, sealed)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, 1)"))
        .bind(&self.id)
        .bind(&self.document)
        .bind(&self.number)
        .bind(&self.lease)
        .bind(&self.chip)
        .bind(&self.key)
        .bind(&self.profile)
        .bind(&self.authority)
        .bind(public_key)
        .bind(request)
        .bind(&self.exchange)
        .bind(i64::from(self.is_sent))
        .bind(&self.challenge)
        .bind(self.state.to_string())
        .bind(self.standing.name())
        .bind(i64::from(self.is_concluded))
        .bind(stored(now))
        .execute(tx)
        .await?;
        Ok(())
    }

    /// Stores the exchange, where the order still stands as it stood when it was loaded. Returns
    /// whether it does: what was given up meanwhile is not asked for.
    pub(crate) async fn store_exchange(&self, tx: &mut Connection) -> Result<bool> {
        let stored = sqlx::query(sql!(
            "UPDATE certificate SET exchange = $1, sent = $2 WHERE id = $3 AND state = $4"
        ))
        .bind(&self.exchange)
        .bind(i64::from(self.is_sent))
        .bind(&self.id)
        .bind(self.state.to_string())
        .execute(tx)
        .await?;
        Ok(stored.rows_affected() == 1)
    }

    /// Stores the certificate that came, with state and standing.
    pub(crate) async fn store_issued(&self, tx: &mut Connection, now: Timestamp) -> Result<()> {
        let issued = self.issued.as_ref();
        sqlx::query(sql!("UPDATE certificate SET serial = $1, der = $2, not_before = $3, not_after = $4, state = $5, standing = $6, changed = $7, tries = 0, next_try = 0, trouble = NULL WHERE id = $8"))
            .bind(issued.map(|issued| &*issued.serial))
            .bind(issued.map(|issued| &*issued.der))
            .bind(issued.map(|issued| issued.not_before))
            .bind(issued.map(|issued| issued.not_after))
            .bind(self.state.to_string())
            .bind(self.standing.name())
            .bind(stored(now))
            .bind(&self.id)
            .execute(tx)
            .await?;
        Ok(())
    }

    /// Stores the state; its authority is told at once.
    pub(crate) async fn store_state(&self, tx: &mut Connection, now: Timestamp) -> Result<()> {
        sqlx::query(sql!(
            "UPDATE certificate SET state = $1, changed = $2, next_try = 0 WHERE id = $3"
        ))
        .bind(self.state.to_string())
        .bind(stored(now))
        .bind(&self.id)
        .execute(tx)
        .await?;
        Ok(())
    }

    /// Stores where the authority has it now.
    pub(crate) async fn store_standing(&self, tx: &mut Connection) -> Result<()> {
        sqlx::query(sql!("UPDATE certificate SET standing = $1, concluded = $2, tries = 0, next_try = 0, trouble = NULL WHERE id = $3"))
            .bind(self.standing.name())
            .bind(i64::from(self.is_concluded))
            .bind(&self.id)
            .execute(tx)
            .await?;
        Ok(())
    }

    /// Stores that the authority was asked in vain, how often, and when it is asked again.
    pub(crate) async fn store_trouble(
        &self,
        tx: &mut Connection,
        trouble: &str,
        next_try: Timestamp,
    ) -> Result<()> {
        sqlx::query(sql!(
            "UPDATE certificate SET tries = $1, next_try = $2, trouble = $3 WHERE id = $4"
        ))
        .bind(i64::from(self.tries))
        .bind(stored(next_try))
        .bind(trouble)
        .bind(&self.id)
        .execute(tx)
        .await?;
        Ok(())
    }
}
