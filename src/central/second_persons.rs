//! The second person of an act that is asked for over the interface: who is named proves nothing,
//! and so they confirm it in a session of their own.
//!
//! ```text
//!   one    request, names other ──► tried, and taken back ──► waits
//!   other  sees it, in a session of their own ──────────────► confirmed
//!   one    the same request ──► act, and the confirmation is used up: one transaction
//! ```
//!
//! On the store's own machine there is no session, and a witness is believed as named. That is said
//! by whoever opened the store there ([`Central::on_own_machine`]); where nothing is said, nobody is
//! there.

use audit::Control;
use document::four_eyes;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};
use sqlx::Row;
use uuid::Uuid;

use crate::accounts::Person;
use crate::central::Central;
use crate::contention::retried;
use crate::database::{Connection, DbRow, moment, stored};
use crate::error::{CentralError, Result};
use crate::people::Session;
use crate::scribe::Deed;
use crate::statements::sql;

/// How long a confirmation may be waited for, and used.
const TERM: SignedDuration = SignedDuration::from_hours(1);

/// The most that one person has waiting at a time.
const MOST: i64 = 50;

/// Who is there beside the person who acts.
#[derive(Clone, Debug)]
pub(crate) enum Presence {
    /// Nobody: what takes a second person is refused.
    Nobody,
    /// Whoever is named: they stand before the store's own machine, whose account is the proof.
    Named,
    /// It is looked whether the act could be done, and nothing of it is kept.
    Trial,
    /// Somebody confirmed it.
    Confirmed { id: String, now: Timestamp },
}

/// A request for an act that takes a second person.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// What the interface calls the operation.
    pub operation: &'a str,
    /// The address.
    pub address: &'a str,
    /// What is sent; it holds no holder's data.
    pub body: &'a [u8],
}

impl Asked<'_> {
    fn digest(&self) -> Vec<u8> {
        let mut hash = Sha256::new();
        for part in [
            self.operation.as_bytes(),
            self.address.as_bytes(),
            self.body,
        ] {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().to_vec()
    }
}

/// That the second person confirmed a request. It is good for one act.
#[derive(Clone, Debug)]
pub struct Confirmed(String);

/// A request that waits for its second person, or for its first once they confirmed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Awaited {
    /// Its identity.
    pub id: String,
    /// The account that asked.
    pub person: String,
    /// The account that is to confirm.
    pub witness: String,
    /// What the interface calls the operation.
    pub operation: String,
    /// The address.
    pub address: String,
    /// What is sent.
    pub body: Vec<u8>,
    /// When it was asked for.
    pub asked: Timestamp,
    /// Until when it may be confirmed and done.
    pub expires: Timestamp,
    /// When it was confirmed.
    pub confirmed: Option<Timestamp>,
}

impl Awaited {
    fn read(row: &DbRow) -> Result<Self> {
        let confirmed: Option<i64> = row.get("confirmed");
        Ok(Self {
            id: row.get("id"),
            person: row.get("person"),
            witness: row.get("witness"),
            operation: row.get("operation"),
            address: row.get("address"),
            body: row.get("body"),
            asked: moment(row.get("asked"))?,
            expires: moment(row.get("expires"))?,
            confirmed: confirmed.map(moment).transpose()?,
        })
    }
}

const COLUMNS: &str = "SELECT s.id, p.name AS person, w.name AS witness, s.operation, s.address, s.body, s.asked, s.expires, s.confirmed
     FROM second_person s JOIN account p ON p.id = s.person JOIN account w ON w.id = s.witness";

impl Central {
    /// Returns the store as it is on its own machine, where a witness is believed as named: for the
    /// command line, and nothing that is reached from elsewhere.
    #[must_use]
    pub fn on_own_machine(&self) -> Self {
        self.beside(Presence::Named)
    }

    /// Returns the store where nobody is there beside the person who acts: what takes a second
    /// person is refused with [`CentralError::SecondPerson`]. A store opens like this.
    #[must_use]
    pub fn with_nobody(&self) -> Self {
        self.beside(Presence::Nobody)
    }

    /// Returns the store for one act whose second person confirmed it over the interface. The
    /// confirmation is used up with the act; another is refused with
    /// [`CentralError::SecondPerson`].
    #[must_use]
    pub fn confirmed_by(&self, Confirmed(id): Confirmed) -> Self {
        let now = self.now();
        self.beside(Presence::Confirmed { id, now })
    }

    /// Returns the store for a trial: it is looked whether an act that takes a second person could
    /// be done, and nothing of it is kept; whoever is asked to confirm is asked for what can be. An
    /// act that only lacks the confirmation is refused with [`CentralError::SecondPerson`]; what is
    /// refused otherwise leaves its entry.
    #[must_use]
    pub fn on_trial(&self) -> Self {
        self.beside(Presence::Trial)
    }

    /// Returns the confirmation of a request, if its second person gave it.
    ///
    /// # Errors
    /// The database's failures.
    pub async fn confirmed(
        &self,
        session: &Session,
        asked: &Asked<'_>,
    ) -> Result<Option<Confirmed>> {
        let mut tx = self.read().await?;
        let id: Option<String> = sqlx::query_scalar(sql!("SELECT id FROM second_person WHERE person = $1 AND digest = $2 AND expires > $3 AND confirmed IS NOT NULL"))
        .bind(&session.account)
        .bind(asked.digest())
        .bind(stored(self.now()))
        .fetch_optional(&mut *tx)
        .await?;
        Ok(id.map(Confirmed))
    }

    /// Asks the second person of a request for their word. Asked again, it is the same request.
    ///
    /// # Errors
    /// [`CentralError::Refused`] for oneself, for a locked account, and where one has too many
    /// waiting; [`CentralError::NotFound`] for an account that is not there.
    pub async fn ask_second_person(
        &self,
        session: &Session,
        asked: &Asked<'_>,
        witness: &str,
    ) -> Result<Awaited> {
        let deed = Deed::new(
            "confirmation.asked",
            Control::SEGREGATION,
            "confirmation",
            "new",
        )
        .with("operation", asked.operation);
        let result = retried!(self.try_ask(session, &deed, asked, witness));
        self.settle(&session.actor, &deed, result).await
    }

    async fn try_ask(
        &self,
        session: &Session,
        deed: &Deed,
        asked: &Asked<'_>,
        witness: &str,
    ) -> Result<Awaited> {
        let now = self.now();
        let mut tx = self.write().await?;
        let witness = Person::unlocked(&mut tx, witness).await?;
        four_eyes(&session.actor.person, &witness.name)
            .map_err(|_| CentralError::refused("this takes two persons; name another one"))?;
        sqlx::query(sql!("DELETE FROM second_person WHERE expires <= $1"))
            .bind(stored(now))
            .execute(&mut *tx)
            .await?;
        let known: Option<String> = sqlx::query_scalar(sql!(
            "SELECT id FROM second_person WHERE person = $1 AND digest = $2"
        ))
        .bind(&session.account)
        .bind(asked.digest())
        .fetch_optional(&mut *tx)
        .await?;
        let id = match known {
            Some(id) => id,
            None => {
                let waiting: i64 = sqlx::query_scalar(sql!(
                    "SELECT count(*) FROM second_person WHERE person = $1"
                ))
                .bind(&session.account)
                .fetch_one(&mut *tx)
                .await?;
                if waiting >= MOST {
                    return Err(CentralError::refused(
                        "too many of your requests wait for a second person; have them confirmed, or withdraw some",
                    ));
                }
                let id = Uuid::now_v7().to_string();
                sqlx::query(sql!("INSERT INTO second_person (id, person, witness, operation, address, digest, body, asked, expires)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"))
                .bind(&id)
                .bind(&session.account)
                .bind(&witness.id)
                .bind(asked.operation)
                .bind(asked.address)
                .bind(asked.digest())
                .bind(asked.body)
                .bind(stored(now))
                .bind(stored(now + TERM))
                .execute(&mut *tx)
                .await?;
                let deed = deed
                    .clone()
                    .about(&id)
                    .with("witness", &witness.id)
                    .with("request", hex::encode(asked.digest()));
                self.record(&mut tx, Some(&session.actor), &deed).await?;
                id
            }
        };
        let awaited = load(&mut tx, session, &id, now).await?;
        tx.commit().await?;
        Ok(awaited)
    }

    /// Returns what waits for this person's word, and what they wait for themselves, the oldest
    /// first.
    ///
    /// # Errors
    /// The database's failures.
    pub async fn awaited(&self, session: &Session) -> Result<Vec<Awaited>> {
        let mut tx = self.read().await?;
        let rows = sqlx::query(sql!(
            COLUMNS,
            " WHERE (s.person = $1 OR s.witness = $2) AND s.expires > $3 ORDER BY s.asked, s.id"
        ))
        .bind(&session.account)
        .bind(&session.account)
        .bind(stored(self.now()))
        .fetch_all(&mut *tx)
        .await?;
        rows.iter().map(Awaited::read).collect()
    }

    /// Returns one of them.
    ///
    /// # Errors
    /// [`CentralError::NotFound`] for one that is others', done or too old.
    pub async fn awaited_one(&self, session: &Session, id: &str) -> Result<Awaited> {
        let mut tx = self.read().await?;
        load(&mut tx, session, id, self.now()).await
    }

    /// Confirms as the second person what another asked for.
    ///
    /// # Errors
    /// [`CentralError::NotFound`] for what does not wait for this person; [`CentralError::Conflict`]
    /// where they confirmed it before.
    pub async fn confirm_as_second(&self, session: &Session, id: &str) -> Result<()> {
        let deed = Deed::new(
            "confirmation.given",
            Control::SEGREGATION,
            "confirmation",
            id,
        );
        let result = retried!(async {
            let mut tx = self.write().await?;
            let found = load(&mut tx, session, id, self.now()).await?;
            if found.person == session.actor.person {
                return Err(not_there());
            }
            let changed = sqlx::query(sql!(
                "UPDATE second_person SET confirmed = $1 WHERE id = $2 AND confirmed IS NULL"
            ))
            .bind(stored(self.now()))
            .bind(&found.id)
            .execute(&mut *tx)
            .await?;
            if changed.rows_affected() != 1 {
                return Err(CentralError::conflict("you have confirmed it already"));
            }
            let asked = Asked {
                operation: &found.operation,
                address: &found.address,
                body: &found.body,
            };
            let deed = deed
                .clone()
                .with("operation", &found.operation)
                .with("request", hex::encode(asked.digest()));
            self.record(&mut tx, Some(&session.actor), &deed).await?;
            tx.commit().await?;
            Ok(())
        });
        self.settle(&session.actor, &deed, result).await
    }

    /// Forgets what waited in vain. Returns how much that was.
    pub(crate) async fn forget_asked(&self) -> Result<u64> {
        let mut tx = self.write().await?;
        let forgotten = sqlx::query(sql!("DELETE FROM second_person WHERE expires <= $1"))
            .bind(stored(self.now()))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(forgotten.rows_affected())
    }

    /// Withdraws a request that is not done yet: whoever asked, or whoever was asked.
    ///
    /// # Errors
    /// [`CentralError::NotFound`] for one that is others', done or too old.
    pub async fn withdraw_asked(&self, session: &Session, id: &str) -> Result<()> {
        let deed = Deed::new(
            "confirmation.withdrawn",
            Control::SEGREGATION,
            "confirmation",
            id,
        );
        let result = retried!(async {
            let mut tx = self.write().await?;
            let found = load(&mut tx, session, id, self.now()).await?;
            sqlx::query(sql!("DELETE FROM second_person WHERE id = $1"))
                .bind(&found.id)
                .execute(&mut *tx)
                .await?;
            let deed = deed.clone().with("operation", &found.operation);
            self.record(&mut tx, Some(&session.actor), &deed).await?;
            tx.commit().await?;
            Ok(())
        });
        self.settle(&session.actor, &deed, result).await
    }
}

async fn load(tx: &mut Connection, session: &Session, id: &str, now: Timestamp) -> Result<Awaited> {
    let row = sqlx::query(sql!(
        COLUMNS,
        " WHERE s.id = $1 AND (s.person = $2 OR s.witness = $3) AND s.expires > $4"
    ))
    .bind(id)
    .bind(&session.account)
    .bind(&session.account)
    .bind(stored(now))
    .fetch_optional(tx)
    .await?;
    Awaited::read(&row.ok_or_else(not_there)?)
}

fn not_there() -> CentralError {
    CentralError::NotFound {
        what: "request that waits for you".to_owned(),
    }
}

impl Presence {
    /// Demands that a witness is there. What is asked for over the interface takes the confirmation
    /// of the very witness, which is used up in the transaction of the act.
    pub(crate) async fn attends(&self, tx: &mut Connection, witness: &Person) -> Result<()> {
        let (id, now) = match self {
            Self::Named | Self::Trial => return Ok(()),
            Self::Nobody => return Err(CentralError::SecondPerson),
            Self::Confirmed { id, now } => (id, *now),
        };
        let used = sqlx::query(sql!("DELETE FROM second_person WHERE id = $1 AND witness = $2 AND confirmed IS NOT NULL AND expires > $3"))
        .bind(id)
        .bind(&witness.id)
        .bind(stored(now))
        .execute(tx)
        .await?;
        match used.rows_affected() {
            1 => Ok(()),
            _ => Err(CentralError::SecondPerson),
        }
    }

    /// Ends a trial before anything of it is kept, and says of an act which confirmation it used.
    pub(crate) fn judged(&self, deed: &Deed) -> Result<Option<Deed>> {
        match self {
            Self::Trial => Err(CentralError::SecondPerson),
            Self::Confirmed { id, .. } => Ok(Some(deed.clone().with("confirmation", id))),
            Self::Nobody | Self::Named => Ok(None),
        }
    }
}
