//! Copies of the store: made while it works, and judged before anybody works with one.
//!
//! ```text
//!   store ── sequence, copy as of one moment ──► file ── log recomputed ──► Judged
//!     └─ entry: the copy's SHA-256               witness: a later checkpoint ─┘
//! ```
//!
//! A PostgreSQL server copies its databases by its own programs, to any moment; what is here judges the
//! log of the one it restored.
//!
//! A copy that lacks entries over which somebody has seen a signed checkpoint is no store to go on
//! with: its numbers would be given twice, and its log would sign a second history.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use api::Actor;
use audit::{Control, Hash, SignedCheckpoint, Tree, VerifierKey};
use document::Act;
use sha2::{Digest, Sha256};
use sqlx::{Connection as _, Row};

use crate::accounts::authorise;
use crate::central::Central;
use crate::contention::retried;
use crate::database::{Connection, DatabaseSource};
use crate::error::{CentralError, Result};
use crate::scribe::Deed;
use crate::statements::sql;
use crate::{postgres, sqlite};

/// How many entries are read at once.
const PAGE: i64 = 1024;

/// A copy of the store's database that was made or judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// SHA-256 of the file.
    pub digest: [u8; 32],
    /// Its log.
    pub log: JudgedLog,
}

/// A log that is the one that was signed, entry for entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgedLog {
    /// How many entries it has under a signed checkpoint.
    pub entries: u64,
    /// That checkpoint, a signed note (*C2SP tlog-checkpoint*).
    pub checkpoint: String,
    /// The key under which it verifies, as verifiers name it.
    pub key: String,
    /// How many entries wait for the next checkpoint.
    pub waiting: u64,
}

impl Central {
    /// Copies the store's database into a new file, as of one moment, while the store works, and
    /// notes the copy's digest in the log.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to it; [`CentralError::File`] where the file is
    /// there already or cannot be written; [`CentralError::Damaged`] where the copy is not whole.
    pub async fn back_up(&self, actor: &Actor, file: &Path) -> Result<Copied> {
        let deed = Deed::new("store.backed-up", Control::BACKUP, "store", "central");
        let result = self.try_back_up(actor, &deed, file).await;
        self.settle(actor, &deed, result).await
    }

    async fn try_back_up(&self, actor: &Actor, deed: &Deed, file: &Path) -> Result<Copied> {
        authorise(&mut self.read().await?, actor, Act::BackUpStore).await?;
        // What waits is signed first, so that the copy says as much as it can of itself.
        self.sequence().await?;
        make_new(file).map_err(at(file))?;
        if let Err(error) = self.database().copy_into(file).await {
            // Half a copy is none.
            std::fs::remove_file(file).map_err(at(file))?;
            return Err(error);
        }
        let synced = file.to_owned();
        self.blocking(move || File::open(synced)?.sync_all())
            .await?
            .map_err(at(file))?;
        let copied = judge_copy(file, None).await?;
        let deed = deed
            .clone()
            .with("sha256", hex::encode(copied.digest))
            .with("entries", copied.log.entries);
        retried!(async {
            let mut tx = self.write().await?;
            self.record(&mut tx, Some(actor), &deed).await?;
            tx.commit().await?;
            Ok(())
        })?;
        Ok(copied)
    }
}

impl Central {
    /// Signs what waits, judges the log where it is, and notes that what lies beside the database is
    /// copied now: for books on a server, which copies them by its own programs.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to it; [`CentralError::Damaged`] where the log is
    /// not the one that was signed.
    pub async fn back_up_beside(&self, actor: &Actor) -> Result<JudgedLog> {
        let deed = Deed::new("store.backed-up", Control::BACKUP, "store", "central");
        let result = self.try_back_up_beside(actor, &deed).await;
        self.settle(actor, &deed, result).await
    }

    async fn try_back_up_beside(&self, actor: &Actor, deed: &Deed) -> Result<JudgedLog> {
        authorise(&mut self.read().await?, actor, Act::BackUpStore).await?;
        self.sequence().await?;
        let log = judge_log(&mut *self.read().await?, None).await?;
        let deed = deed
            .clone()
            .with("database", "by its server")
            .with("entries", log.entries);
        retried!(async {
            let mut tx = self.write().await?;
            self.record(&mut tx, Some(actor), &deed).await?;
            tx.commit().await?;
            Ok(())
        })?;
        Ok(log)
    }
}

impl Central {
    /// Notes that so many copies of the store are removed, since enough newer ones are there, and how
    /// many are left.
    ///
    /// # Errors
    /// [`CentralError::Refused`] without the right to make them.
    pub async fn note_pruned(&self, actor: &Actor, pruned: usize, left: usize) -> Result<()> {
        let deed = Deed::new("store.backups-pruned", Control::BACKUP, "store", "central")
            .with("pruned", pruned)
            .with("left", left);
        let result = retried!(self.try_note_pruned(actor, &deed));
        self.settle(actor, &deed, result).await
    }

    async fn try_note_pruned(&self, actor: &Actor, deed: &Deed) -> Result<()> {
        let mut tx = self.write().await?;
        authorise(&mut tx, actor, Act::BackUpStore).await?;
        self.record(&mut tx, Some(actor), deed).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Judges a copy of the store: the file is whole, everything in it refers to something, its log is
/// the one that was signed, and it reaches as far as `witness`, a later checkpoint that was kept
/// elsewhere. Nothing is changed.
///
/// # Errors
/// [`CentralError::File`]; [`CentralError::Damaged`] where the copy was damaged or altered, and where
/// it lacks entries that the witness has; [`CentralError::Invalid`] for a witness of another log.
pub async fn judge_copy(file: &Path, witness: Option<&[u8]>) -> Result<Copied> {
    let digest = digest(file).map_err(at(file))?;
    // A copy is at rest: nothing is made beside it.
    let mut copy = sqlite::connect(file, "ro&immutable=true").await?;
    check_file(&mut copy).await?;
    let log = judge_log(&mut copy, witness).await?;
    copy.close().await?;
    Ok(Copied { digest, log })
}

/// Judges the store's database where it is, a restored one say, before a store is opened with it: as
/// [`judge_copy`]; what a PostgreSQL server checks of its own files is left to it. Nothing is changed.
///
/// # Errors
/// As [`judge_copy`], and [`CentralError::Unreachable`].
pub async fn judge_database(source: &DatabaseSource, witness: Option<&[u8]>) -> Result<JudgedLog> {
    match source {
        DatabaseSource::Sqlite(file) => {
            let mut connection = sqlite::connect(file, "ro").await?;
            check_file(&mut connection).await?;
            let log = judge_log(&mut connection, witness).await?;
            connection.close().await?;
            Ok(log)
        }
        DatabaseSource::Postgres(address) => {
            let mut connection = postgres::connect(address).await?;
            let mut tx = connection.begin_with(postgres::BEGIN_READ).await?;
            let log = judge_log(&mut tx, witness).await?;
            drop(tx);
            connection.close().await?;
            Ok(log)
        }
    }
}

/// Demands that a SQLite file is whole, and that everything in it refers to something.
async fn check_file(connection: &mut Connection) -> Result<()> {
    let whole: String = sqlx::query_scalar("PRAGMA integrity_check(1)")
        .fetch_one(&mut *connection)
        .await?;
    let dangling = sqlx::query("PRAGMA foreign_key_check")
        .fetch_optional(&mut *connection)
        .await?;
    match whole == "ok" && dangling.is_none() {
        true => Ok(()),
        false => Err(CentralError::damaged("the copy of the store")),
    }
}

async fn judge_log(copy: &mut Connection, witness: Option<&[u8]>) -> Result<JudgedLog> {
    let key: String = sqlx::query_scalar(sql!("SELECT audit_key FROM installation"))
        .fetch_one(&mut *copy)
        .await
        .map_err(|error| match error {
            sqlx::Error::RowNotFound => CentralError::damaged("a database without a store in it"),
            // PostgreSQL: undefined_table.
            sqlx::Error::Database(said) if said.code().as_deref() == Some("42P01") => {
                CentralError::damaged("a database without a store in it")
            }
            other => other.into(),
        })?;
    let verifier: VerifierKey = key
        .parse()
        .map_err(|_| CentralError::damaged("the copy's audit key"))?;
    let note: String = sqlx::query_scalar(sql!(
        "SELECT note FROM audit_checkpoint ORDER BY size DESC LIMIT 1"
    ))
    .fetch_optional(&mut *copy)
    .await?
    .ok_or_else(|| CentralError::damaged("a log without a checkpoint"))?;
    let signed = SignedCheckpoint::open(note.as_bytes(), &verifier)
        .map_err(|_| CentralError::damaged("the copy's last checkpoint"))?;
    let witness = witness
        .map(|note| SignedCheckpoint::open(note, &verifier))
        .transpose()
        .map_err(|_| {
            CentralError::invalid(
                "the witness is no checkpoint of this log; name a file that `zimogs audit export` wrote",
            )
        })?;
    let (size, root) = (signed.checkpoint().size, signed.checkpoint().root);
    let seen = witness.as_ref().map(SignedCheckpoint::checkpoint);
    if let Some(seen) = seen.filter(|seen| seen.size > size) {
        return Err(CentralError::Lacking {
            entries: size,
            seen: seen.size,
        });
    }
    let roots = recompute(copy, seen.map_or(size, |seen| seen.size)).await?;
    if roots.size != size || roots.root != root {
        return Err(CentralError::damaged("the copy's log"));
    }
    if seen.is_some_and(|seen| roots.earlier != seen.root) {
        return Err(CentralError::damaged(
            "the copy's log, which the witness contradicts",
        ));
    }
    let waiting: i64 =
        sqlx::query_scalar(sql!("SELECT count(*) FROM audit_entry WHERE leaf IS NULL"))
            .fetch_one(&mut *copy)
            .await?;
    Ok(JudgedLog {
        entries: size,
        checkpoint: note,
        key,
        waiting: waiting.unsigned_abs(),
    })
}

/// What the entries of a log hash to.
struct Roots {
    size: u64,
    root: Hash,
    /// The root over fewer of them.
    earlier: Hash,
}

/// Hashes every sequenced entry anew.
async fn recompute(copy: &mut Connection, earlier: u64) -> Result<Roots> {
    let mut tree = Tree::new();
    let mut at_earlier = tree.root();
    loop {
        let next = i64::try_from(tree.size())
            .map_err(|_| CentralError::damaged("the size of the copy's log"))?;
        let rows = sqlx::query(sql!(
            "SELECT leaf, entry FROM audit_entry WHERE leaf >= $1 ORDER BY leaf LIMIT $2"
        ))
        .bind(next)
        .bind(PAGE)
        .fetch_all(&mut *copy)
        .await?;
        if rows.is_empty() {
            break;
        }
        for (leaf, row) in (next..).zip(&rows) {
            if row.get::<i64, _>("leaf") != leaf {
                return Err(CentralError::damaged("the copy's log, which has a gap"));
            }
            tree.append(Hash::of_leaf(row.get("entry")));
            if tree.size() == earlier {
                at_earlier = tree.root();
            }
        }
    }
    Ok(Roots {
        size: tree.size(),
        root: tree.root(),
        earlier: at_earlier,
    })
}

/// Makes an empty file for this user only. What is there already is never written over.
fn make_new(file: &Path) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .map(drop)
}

fn digest(file: &Path) -> io::Result<[u8; 32]> {
    let mut file = File::open(file)?;
    let (mut hash, mut page) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut page)? {
            0 => return Ok(hash.finalize().into()),
            length => hash.update(page.get(..length).unwrap_or_default()),
        }
    }
}

fn at(file: &Path) -> impl FnOnce(io::Error) -> CentralError {
    let path = file.to_owned();
    |source| CentralError::File { path, source }
}
