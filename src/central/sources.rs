//! Sources: the systems of registers that send applications, and what each may send.

use api::Actor;
use audit::Control;
use document::{Act, Kind, OfficeCode, Source as Register, SourceName};
use sqlx::Row;
use uuid::Uuid;

use crate::accounts::{SOURCE, authorise};
use crate::applications::check_cause;
use crate::central::Central;
use crate::contention::retried;
use crate::database::{Connection, DbRow, Write, parsed, stored};
use crate::error::{CentralError, Result};
use crate::expected::tag_of;
use crate::scribe::Deed;
use crate::source_keys::{SourceKey, keys};
use crate::statements::sql;

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

const COLUMNS: &str =
    "SELECT name, register, removed, next_package, last_report, acknowledged FROM source";

impl Source {
    /// Returns the tag of what people change of it: packages and reports that pass leave it as it is.
    #[must_use]
    pub fn tag(&self) -> String {
        let Self {
            name,
            register,
            removed,
            kinds,
            offices,
            keys,
            next_package: _,
            last_report: _,
            acknowledged: _,
        } = self;
        tag_of(&format!(
            "{name}\n{register:?}\n{removed}\n{kinds:?}\n{offices:?}\n{keys:?}"
        ))
    }

    /// Loads the one of this name.
    pub(crate) async fn load(tx: &mut Connection, name: &str) -> Result<Self> {
        let row = sqlx::query(sql!(COLUMNS, " WHERE name = $1"))
            .bind(name)
            .fetch_optional(&mut *tx)
            .await?;
        Self::read(tx, &row.ok_or_else(unknown)?).await
    }

    async fn read(tx: &mut Connection, row: &DbRow) -> Result<Self> {
        let name: String = row.get("name");
        Ok(Self {
            register: parsed("a source's register", row.get("register"))?,
            removed: row.get::<Option<i64>, _>("removed").is_some(),
            kinds: kinds(tx, &name).await?,
            offices: offices(tx, &name).await?,
            next_package: count(row.get("next_package"))?,
            last_report: count(row.get("last_report"))?,
            acknowledged: count(row.get("acknowledged"))?,
            keys: keys(tx, &name).await?,
            name,
        })
    }
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
    pub(crate) async fn manages_or_admits(&self, tx: &mut Write, actor: &Actor) -> Result<()> {
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
        let rows = sqlx::query(sql!(COLUMNS, " ORDER BY name"))
            .fetch_all(&mut *tx)
            .await?;
        let mut sources = Vec::with_capacity(rows.len());
        for row in rows {
            sources.push(Source::read(&mut tx, &row).await?);
        }
        Ok(sources)
    }
}

fn listed<T: std::fmt::Display>(all: &[T]) -> String {
    let all: Vec<_> = all.iter().map(ToString::to_string).collect();
    all.join(" ")
}
