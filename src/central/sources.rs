//! Sources: the systems of registers that send applications, what each may send, and the keys with
//! which each signs.
//!
//! An administrator adds a source and proposes its keys; a security officer admits them, having
//! compared the thumbprint with the register's people by another way. Either takes a key back alone.

use api::Actor;
use audit::Control;
use cert::jws::JwsKey;
use document::{Act, Kind, OfficeCode, Source as Register, SourceName, four_eyes};
use jiff::Timestamp;
use sqlx::Row;
use uuid::Uuid;

use crate::accounts::{SOURCE, authorise, name_of};
use crate::applications::check_cause;
use crate::central::Central;
use crate::contention::retried;
use crate::database::{Connection, Write, moment, parsed, stored};
use crate::error::{CentralError, Result};
use crate::scribe::Deed;
use crate::statements::sql;

/// Most keys of one source that are proposed or admitted: the present, the next, and one to spare.
const MAX_KEYS: i64 = 4;

/// A source to add.
#[derive(Clone, Debug)]
pub struct NewSource {
    /// Its name.
    pub name: SourceName,
    /// The register that its applications name.
    pub register: Register,
    /// The kinds of documents that it may ask for.
    pub kinds: Vec<Kind>,
    /// The offices to which it may send; none: every office.
    pub offices: Vec<OfficeCode>,
}

/// A source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// The register that its applications name.
    pub register: Register,
    /// Whether it was removed.
    pub removed: bool,
    /// The kinds of documents that it may ask for.
    pub kinds: Vec<Kind>,
    /// The offices to which it may send; none: every office.
    pub offices: Vec<String>,
    /// The number that its next package must have.
    pub next_package: u64,
    /// The last report that was made for it.
    pub last_report: u64,
    /// The last report that it has said it has.
    pub acknowledged: u64,
    /// Its keys, in the order in which they were proposed.
    pub keys: Vec<SourceKey>,
}

/// A key of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceKey {
    /// Its thumbprint (*RFC 7638*).
    pub thumbprint: String,
    /// From when it counts.
    pub not_before: Timestamp,
    /// Until when it counts.
    pub not_after: Timestamp,
    /// `proposed`, `admitted` or `withdrawn`.
    pub state: &'static str,
}

/// A source as packages are judged by it.
pub(crate) struct Sender {
    pub(crate) name: SourceName,
    pub(crate) account: String,
    pub(crate) register: Register,
    pub(crate) kinds: Vec<Kind>,
    pub(crate) offices: Vec<String>,
    pub(crate) next_package: u64,
}

impl Sender {
    /// Loads a source that was not removed.
    pub(crate) async fn load(tx: &mut Connection, name: &SourceName) -> Result<Self> {
        let row = sqlx::query(sql!(
            "SELECT account, register, removed, next_package FROM source WHERE name = $1"
        ))
        .bind(name.as_str())
        .fetch_optional(&mut *tx)
        .await?;
        let row = row.ok_or_else(unknown)?;
        if row.get::<Option<i64>, _>("removed").is_some() {
            return Err(CentralError::refused(
                "this source was removed; nothing is taken from it",
            ));
        }
        Ok(Self {
            name: name.clone(),
            account: row.get("account"),
            register: parsed("a source's register", row.get("register"))?,
            kinds: kinds(tx, name.as_str()).await?,
            offices: offices(tx, name.as_str()).await?,
            next_package: count(row.get("next_package"))?,
        })
    }

    /// Returns how the log names it.
    pub(crate) fn actor(name: &SourceName, station: &str) -> Actor {
        Actor {
            station: station.to_owned(),
            person: format!("{SOURCE}{name}"),
        }
    }
}

fn unknown() -> CentralError {
    CentralError::NotFound {
        what: "source of this name; zimogs central source list shows them".to_owned(),
    }
}

pub(crate) fn count(stored: i64) -> Result<u64> {
    u64::try_from(stored).map_err(|_| CentralError::damaged("a source's numbers"))
}

async fn kinds(tx: &mut Connection, source: &str) -> Result<Vec<Kind>> {
    let kinds: Vec<String> = sqlx::query_scalar(sql!(
        "SELECT kind FROM source_kind WHERE source = $1 ORDER BY kind"
    ))
    .bind(source)
    .fetch_all(tx)
    .await?;
    kinds.iter().map(|kind| parsed("a kind", kind)).collect()
}

async fn offices(tx: &mut Connection, source: &str) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar(sql!(
        "SELECT office FROM source_office WHERE source = $1 ORDER BY office"
    ))
    .bind(source)
    .fetch_all(tx)
    .await?)
}

/// Returns the keys of a source that count at a moment.
pub(crate) async fn valid_keys(
    tx: &mut Connection,
    source: &SourceName,
    at: Timestamp,
) -> Result<Vec<JwsKey>> {
    let keys: Vec<Vec<u8>> = sqlx::query_scalar(sql!("SELECT spki FROM source_key WHERE source = $1 AND admitted IS NOT NULL AND withdrawn IS NULL
         AND not_before <= $2 AND not_after > $3 ORDER BY thumbprint"))
    .bind(source.as_str())
    .bind(stored(at))
    .bind(stored(at))
    .fetch_all(tx)
    .await?;
    let read = |spki: &Vec<u8>| {
        JwsKey::from_spki_der(spki).map_err(|_| CentralError::damaged("a source's key"))
    };
    keys.iter().map(read).collect()
}

impl Central {
    /// Adds a source. It sends nothing before a key of it is proposed and admitted.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is an administrator, and for a kind of document
    /// that such a register does not ask for; [`CentralError::Conflict`] for a name that was used
    /// before; [`CentralError::Invalid`] without a kind.
    pub async fn add_source(&self, actor: &Actor, source: &NewSource) -> Result<()> {
        let deed = Deed::new(
            "source.added",
            Control::ACCESS_RIGHTS,
            "source",
            &source.name,
        )
        .with("register", source.register)
        .with("kinds", listed(&source.kinds))
        .with("offices", listed(&source.offices));
        let result = retried!(self.try_add_source(actor, &deed, source));
        self.settle(actor, &deed, result).await?;
        self.make_registers_key().await
    }

    async fn try_add_source(&self, actor: &Actor, deed: &Deed, source: &NewSource) -> Result<()> {
        let mut tx = self.write().await?;
        authorise(&mut tx, actor, Act::ManageSources).await?;
        if source.kinds.is_empty() {
            return Err(CentralError::invalid(
                "a source asks for at least one kind of document",
            ));
        }
        let (register, mut kinds) = (source.register, source.kinds.iter());
        if let Some(kind) = kinds.find(|kind| !register.may_send(**kind)) {
            return Err(CentralError::refused(format!(
                "{register} does not ask for {kind}"
            )));
        }
        let name = source.name.as_str();
        let known: i64 = sqlx::query_scalar(sql!("SELECT count(*) FROM source WHERE name = $1"))
            .bind(name)
            .fetch_one(&mut *tx)
            .await?;
        if known > 0 {
            return Err(CentralError::conflict(
                "a source of this name is there, or was; give it another",
            ));
        }
        let (account, now) = (Uuid::now_v7().to_string(), stored(self.now()));
        // No role, and a name that nobody can sign in with.
        sqlx::query(sql!(
            "INSERT INTO account (id, name, added) VALUES ($1, $2, $3)"
        ))
        .bind(&account)
        .bind(format!("{SOURCE}{name}"))
        .bind(now)
        .execute(&mut *tx)
        .await?;
        sqlx::query(sql!("INSERT INTO source (name, account, register, added, next_package, last_report, acknowledged)
             VALUES ($1, $2, $3, $4, 1, 0, 0)"))
        .bind(name)
        .bind(&account)
        .bind(source.register.name())
        .bind(now)
        .execute(&mut *tx)
        .await?;
        for kind in &source.kinds {
            sqlx::query(sql!(
                "INSERT INTO source_kind (source, kind) VALUES ($1, $2) ON CONFLICT DO NOTHING"
            ))
            .bind(name)
            .bind(kind.name())
            .execute(&mut *tx)
            .await?;
        }
        for office in &source.offices {
            sqlx::query(sql!(
                "INSERT INTO source_office (source, office) VALUES ($1, $2) ON CONFLICT DO NOTHING"
            ))
            .bind(name)
            .bind(office.as_str())
            .execute(&mut *tx)
            .await?;
        }
        self.record(&mut tx, Some(actor), deed).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Proposes a key of a source, `SubjectPublicKeyInfo` in DER; returns its thumbprint, which
    /// whoever admits it compares with what the register says of it.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is an administrator; [`CentralError::Invalid`]
    /// for a key that signs nothing here, and a validity that is none; [`CentralError::Conflict`]
    /// for a key that is known, and for too many.
    pub async fn propose_source_key(
        &self,
        actor: &Actor,
        source: &SourceName,
        spki: &[u8],
        validity: (Timestamp, Timestamp),
    ) -> Result<String> {
        let deed = Deed::new(
            "source.key-proposed",
            Control::CRYPTOGRAPHY,
            "source",
            source,
        );
        let result = retried!(self.try_propose(actor, &deed, source, spki, validity));
        self.settle(actor, &deed, result).await
    }

    async fn try_propose(
        &self,
        actor: &Actor,
        deed: &Deed,
        source: &SourceName,
        spki: &[u8],
        (not_before, not_after): (Timestamp, Timestamp),
    ) -> Result<String> {
        let mut tx = self.write().await?;
        let administrator = authorise(&mut tx, actor, Act::ManageSources).await?;
        Sender::load(&mut tx, source).await?;
        let key = JwsKey::from_spki_der(spki)
            .map_err(|error| CentralError::invalid(error.to_string()))?;
        if not_before >= not_after || not_after <= self.now() {
            return Err(CentralError::invalid(
                "a key counts from a moment until a later one that is still to come",
            ));
        }
        let thumbprint = key.thumbprint();
        let row = sqlx::query(sql!("SELECT CAST(coalesce(sum(CASE WHEN thumbprint = $1 THEN 1 ELSE 0 END), 0) AS BIGINT) AS known,
                    CAST(coalesce(sum(CASE WHEN source = $2 AND withdrawn IS NULL AND not_after > $3 THEN 1 ELSE 0 END), 0) AS BIGINT) AS held
             FROM source_key"))
        .bind(&thumbprint)
        .bind(source.as_str())
        .bind(stored(self.now()))
        .fetch_one(&mut *tx)
        .await?;
        if row.get::<i64, _>("known") > 0 {
            return Err(CentralError::conflict(
                "this key was proposed before; a source makes a new one for each proposal",
            ));
        }
        if row.get::<i64, _>("held") >= MAX_KEYS {
            return Err(CentralError::conflict(format!(
                "a source has at most {MAX_KEYS} keys; withdraw one first"
            )));
        }
        sqlx::query(sql!("INSERT INTO source_key (thumbprint, source, spki, not_before, not_after, proposed_by, proposed)
             VALUES ($1, $2, $3, $4, $5, $6, $7)"))
        .bind(&thumbprint)
        .bind(source.as_str())
        .bind(key.spki_der())
        .bind(stored(not_before))
        .bind(stored(not_after))
        .bind(&administrator.id)
        .bind(stored(self.now()))
        .execute(&mut *tx)
        .await?;
        let deed = deed
            .clone()
            .with("key", &thumbprint)
            .with("not_before", not_before)
            .with("not_after", not_after);
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(thumbprint)
    }

    /// Admits a key that another person proposed.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor is a security officer, and another person;
    /// [`CentralError::NotFound`]; [`CentralError::Conflict`] for a key that was decided.
    pub async fn admit_source_key(&self, actor: &Actor, thumbprint: &str) -> Result<()> {
        let deed = Deed::new(
            "source.key-admitted",
            Control::SEGREGATION,
            "key",
            thumbprint,
        );
        let result = retried!(self.try_admit(actor, &deed, thumbprint));
        self.settle(actor, &deed, result).await
    }

    async fn try_admit(&self, actor: &Actor, deed: &Deed, thumbprint: &str) -> Result<()> {
        let mut tx = self.write().await?;
        let officer = authorise(&mut tx, actor, Act::AdmitSourceKey).await?;
        let row = key_row(&mut tx, thumbprint).await?;
        let proposer = name_of(&mut tx, row.get("proposed_by")).await?;
        four_eyes(&proposer, &officer.name).map_err(|_| {
            CentralError::refused("nobody admits a key that they proposed; another person must")
        })?;
        let decided = row.get::<Option<i64>, _>("admitted").is_some();
        if decided || row.get::<Option<i64>, _>("withdrawn").is_some() {
            return Err(CentralError::conflict(
                "this key was admitted or withdrawn already",
            ));
        }
        sqlx::query(sql!(
            "UPDATE source_key SET admitted_by = $1, admitted = $2 WHERE thumbprint = $3"
        ))
        .bind(&officer.id)
        .bind(stored(self.now()))
        .bind(thumbprint)
        .execute(&mut *tx)
        .await?;
        let deed = deed.clone().with("source", row.get::<String, _>("source"));
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Withdraws a key: nothing is taken under it from now on. What was taken stays.
    ///
    /// # Errors
    /// [`CentralError::Refused`] unless the actor may propose or admit keys;
    /// [`CentralError::NotFound`]; [`CentralError::Conflict`] where it is withdrawn;
    /// [`CentralError::Invalid`] without a cause.
    pub async fn withdraw_source_key(
        &self,
        actor: &Actor,
        thumbprint: &str,
        cause: &str,
    ) -> Result<()> {
        let deed = Deed::new(
            "source.key-withdrawn",
            Control::CRYPTOGRAPHY,
            "key",
            thumbprint,
        );
        let result = retried!(self.try_withdraw_key(actor, &deed, thumbprint, cause));
        self.settle(actor, &deed, result).await
    }

    async fn try_withdraw_key(
        &self,
        actor: &Actor,
        deed: &Deed,
        thumbprint: &str,
        cause: &str,
    ) -> Result<()> {
        let mut tx = self.write().await?;
        self.manages_or_admits(&mut tx, actor).await?;
        check_cause(cause)?;
        let row = key_row(&mut tx, thumbprint).await?;
        if row.get::<Option<i64>, _>("withdrawn").is_some() {
            return Err(CentralError::conflict("this key is withdrawn already"));
        }
        sqlx::query(sql!(
            "UPDATE source_key SET withdrawn = $1 WHERE thumbprint = $2"
        ))
        .bind(stored(self.now()))
        .bind(thumbprint)
        .execute(&mut *tx)
        .await?;
        let deed = deed
            .clone()
            .with("source", row.get::<String, _>("source"))
            .with("cause", cause);
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Removes a source: nothing more is taken from it. What it sent stays, and its reports may
    /// still be fetched.
    ///
    /// # Errors
    /// As [`Central::withdraw_source_key`].
    pub async fn remove_source(
        &self,
        actor: &Actor,
        source: &SourceName,
        cause: &str,
    ) -> Result<()> {
        let deed = Deed::new("source.removed", Control::ACCESS_RIGHTS, "source", source);
        let result = retried!(self.try_remove_source(actor, &deed, source, cause));
        self.settle(actor, &deed, result).await
    }

    async fn try_remove_source(
        &self,
        actor: &Actor,
        deed: &Deed,
        source: &SourceName,
        cause: &str,
    ) -> Result<()> {
        let mut tx = self.write().await?;
        self.manages_or_admits(&mut tx, actor).await?;
        check_cause(cause)?;
        Sender::load(&mut tx, source).await?;
        sqlx::query(sql!("UPDATE source SET removed = $1 WHERE name = $2"))
            .bind(stored(self.now()))
            .bind(source.as_str())
            .execute(&mut *tx)
            .await?;
        let deed = deed.clone().with("cause", cause);
        self.record(&mut tx, Some(actor), &deed).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Judges whether the actor may take something from a source: whoever could give it.
    async fn manages_or_admits(&self, tx: &mut Write, actor: &Actor) -> Result<()> {
        match authorise(tx, actor, Act::AdmitSourceKey).await {
            Ok(_) => Ok(()),
            Err(CentralError::Refused { .. }) => {
                authorise(tx, actor, Act::ManageSources).await.map(drop)
            }
            Err(error) => Err(error),
        }
    }

    /// Returns every source, by name.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to see reports.
    pub async fn sources(&self, actor: &Actor) -> Result<Vec<Source>> {
        let mut tx = self.read().await?;
        authorise(&mut tx, actor, Act::ViewReports).await?;
        let rows = sqlx::query(sql!("SELECT name, register, removed, next_package, last_report, acknowledged FROM source ORDER BY name"))
        .fetch_all(&mut *tx)
        .await?;
        let mut sources = Vec::with_capacity(rows.len());
        for row in rows {
            let name: String = row.get("name");
            sources.push(Source {
                register: parsed("a source's register", row.get("register"))?,
                removed: row.get::<Option<i64>, _>("removed").is_some(),
                kinds: kinds(&mut tx, &name).await?,
                offices: offices(&mut tx, &name).await?,
                next_package: count(row.get("next_package"))?,
                last_report: count(row.get("last_report"))?,
                acknowledged: count(row.get("acknowledged"))?,
                keys: keys(&mut tx, &name).await?,
                name,
            });
        }
        Ok(sources)
    }
}

async fn key_row(tx: &mut Connection, thumbprint: &str) -> Result<crate::database::DbRow> {
    let row = sqlx::query(sql!(
        "SELECT source, proposed_by, admitted, withdrawn FROM source_key WHERE thumbprint = $1"
    ))
    .bind(thumbprint)
    .fetch_optional(tx)
    .await?;
    row.ok_or_else(|| CentralError::NotFound {
        what: "key of this thumbprint".to_owned(),
    })
}

async fn keys(tx: &mut Connection, source: &str) -> Result<Vec<SourceKey>> {
    let rows = sqlx::query(sql!(
        "SELECT thumbprint, not_before, not_after, admitted, withdrawn FROM source_key
         WHERE source = $1 ORDER BY proposed, thumbprint"
    ))
    .bind(source)
    .fetch_all(tx)
    .await?;
    let key = |row: &crate::database::DbRow| {
        let there = |column| row.get::<Option<i64>, _>(column).is_some();
        Ok(SourceKey {
            thumbprint: row.get("thumbprint"),
            not_before: moment(row.get("not_before"))?,
            not_after: moment(row.get("not_after"))?,
            state: match (there("withdrawn"), there("admitted")) {
                (true, _) => "withdrawn",
                (false, true) => "admitted",
                (false, false) => "proposed",
            },
        })
    };
    rows.iter().map(key).collect()
}

fn listed<T: std::fmt::Display>(all: &[T]) -> String {
    let all: Vec<_> = all.iter().map(ToString::to_string).collect();
    all.join(" ")
}
