//! The audit log: entries committed with their change, then put into the tree by one sequencer.
//!
//! ```text
//!   transition ──one transaction──► audit_entry (leaf: none)
//!                                        │ sequence(): in the order of commit
//!                                        ▼
//!                          leaf ─► audit_node rows ─► checkpoint, signed by the token
//! ```

use std::collections::BTreeMap;

use api::Actor;
use audit::{
    CheckpointSigner, Hash, KeyKind, NodeId, NodeRow, Outcome, SignedCheckpoint, SignerFault, Tree,
    VerifierKey,
};
use hsm::{Signer, TokenSigner};
use jiff::{SignedDuration, Timestamp};
use sqlx::{AssertSqlSafe, Row};

use crate::central::Central;
use crate::contention::retried;
use crate::database::{Connection, Write, moment, stored};
use crate::error::{CentralError, Result};
use crate::expected;
use crate::many_rows::{runs, tuples};
use crate::scribe::Deed;
use crate::statements::{assembled, sql};

/// How many entries one run of the sequencer takes into one transaction.
const BATCH: i64 = 4096;

/// An entry that waits longer for its leaf is an alarm.
pub(crate) const BOUND: SignedDuration = SignedDuration::from_secs(60);

/// The state of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditHealth {
    /// How many entries were committed.
    pub entries: u64,
    /// How many of them are in the tree, under the last signed checkpoint.
    pub sequenced: u64,
    /// How many wait.
    pub waiting: u64,
    /// Since when the oldest of those waits.
    pub oldest_waiting: Option<Timestamp>,
    /// Whether it waits for more than a minute: then the sequencer does not run.
    pub overdue: bool,
}

/// The key of the checkpoints, in the token.
pub(crate) struct LogKey {
    key: VerifierKey,
    signer: TokenSigner,
}

impl LogKey {
    /// Makes the signer of the log named `origin` from an Ed25519 key of the token.
    pub(crate) fn new(origin: &str, signer: TokenSigner) -> Result<Self> {
        let setup = |reason: String| CentralError::Setup { reason };
        // RFC 8410 §4: the key is the last 32 bytes.
        let public = signer
            .public_key_spki_der()
            .last_chunk()
            .filter(|_| signer.algorithm() == hsm::SignatureAlgorithm::Ed25519);
        let public = public.ok_or_else(|| {
            setup(format!(
                "the audit key \"{}\" is no Ed25519 key",
                signer.label()
            ))
        })?;
        let key = VerifierKey::new(KeyKind::Log, origin, public).map_err(|error| {
            setup(format!(
                "the audit log's origin \"{origin}\" cannot be used: {error}"
            ))
        })?;
        Ok(Self { key, signer })
    }
}

impl CheckpointSigner for LogKey {
    fn key(&self) -> &VerifierKey {
        &self.key
    }

    fn sign(&self, message: &[u8]) -> std::result::Result<[u8; 64], SignerFault> {
        let signature = self.signer.sign(message)?;
        signature
            .try_into()
            .map_err(|_| "the token's signature does not have 64 bytes".into())
    }
}

impl Central {
    /// Writes the entry of an act that was done, in the transaction that does it.
    pub(crate) async fn record(
        &self,
        tx: &mut Write,
        actor: Option<&Actor>,
        deed: &Deed,
    ) -> Result<()> {
        let judged = self.presence().judged(deed)?;
        self.scribe()
            .write(
                tx,
                actor,
                judged.as_ref().unwrap_or(deed),
                Outcome::Done,
                None,
            )
            .await
    }

    /// Passes a result on. Where the act was refused or failed, and so left nothing behind, the
    /// entry that says so is written by itself.
    pub(crate) async fn settle<'a, T>(
        &self,
        actor: impl Into<Option<&'a Actor>>,
        deed: &Deed,
        result: Result<T>,
    ) -> Result<T> {
        let Err(error) = &result else {
            expected::met();
            return result;
        };
        let Some(outcome) = error.outcome() else {
            return result;
        };
        let (actor, cause) = (actor.into(), error.chain());
        retried!(self.note_end(actor, deed, outcome, &cause))?;
        result
    }

    /// Writes the entry of an act that was not done by itself.
    async fn note_end(
        &self,
        actor: Option<&Actor>,
        deed: &Deed,
        outcome: Outcome,
        cause: &str,
    ) -> Result<()> {
        let mut tx = self.write().await?;
        self.scribe()
            .write(&mut tx, actor, deed, outcome, Some(cause))
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Writes the entry of what was said and not believed, in the transaction that takes it in.
    pub(crate) async fn record_refusal(
        &self,
        tx: &mut Write,
        actor: &Actor,
        deed: &Deed,
        error: &CentralError,
    ) -> Result<()> {
        let cause = error.chain();
        self.scribe()
            .write(tx, Some(actor), deed, Outcome::Refused, Some(&cause))
            .await
    }

    /// Puts the waiting entries into the tree, in the order in which they were committed, and
    /// signs a checkpoint over it. Returns how many there were.
    ///
    /// # Errors
    /// [`CentralError::Damaged`] where the stored tree is not the one that was signed last;
    /// nothing is then appended. The token's and the database's failures.
    pub async fn sequence(&self) -> Result<u64> {
        let mut total = 0;
        loop {
            let taken = retried!(self.sequence_batch())?;
            total += taken;
            if taken < BATCH.unsigned_abs() {
                return Ok(total);
            }
        }
    }

    async fn sequence_batch(&self) -> Result<u64> {
        let mut tx = self.sequencer().await?;
        let waiting = sqlx::query(sql!(
            "SELECT id, entry FROM audit_entry WHERE leaf IS NULL ORDER BY id LIMIT $1"
        ))
        .bind(BATCH)
        .fetch_all(&mut *tx)
        .await?;
        if waiting.is_empty() {
            return Ok(0);
        }
        let mut tree = self.signed_tree(&mut tx).await?;
        let (mut leaves, mut nodes) = (Vec::new(), Vec::new());
        for entry in &waiting {
            leaves.push((entry.get("id"), stored_size(tree.size())?));
            tree.append_to(Hash::of_leaf(entry.get("entry")), &mut nodes);
        }
        number_leaves(&mut tx, &leaves).await?;
        insert_nodes(&mut tx, &nodes).await?;
        let size = stored_size(tree.size())?;
        let key = self.log_key();
        // Signed before the commit: if that fails, the signature dies with it, unseen.
        let signed = self
            .blocking(move || SignedCheckpoint::sign(&tree, &*key))
            .await?
            .map_err(|error| CentralError::audit("a checkpoint")(error.into()))?;
        sqlx::query(sql!(
            "INSERT INTO audit_checkpoint (size, note, signed) VALUES ($1, $2, $3)"
        ))
        .bind(size)
        .bind(signed.note().to_string())
        .bind(stored(self.now()))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(waiting.len() as u64)
    }

    /// Restores the tree, and compares it with the last checkpoint: a log never signs two
    /// histories.
    async fn signed_tree(&self, tx: &mut Connection) -> Result<Tree> {
        let Some(checkpoint) = self.last_checkpoint(tx).await? else {
            return Ok(Tree::new());
        };
        let signed = checkpoint.checkpoint();
        let mut nodes = BTreeMap::new();
        for node in Tree::peaks_of(signed.size) {
            nodes.insert(node, fetch_node(tx, node).await?);
        }
        let tree = Tree::restore(signed.size, &nodes)
            .map_err(|_| CentralError::damaged("the audit tree's nodes"))?;
        if tree.root() != signed.root {
            return Err(CentralError::damaged(
                "the audit tree is not the one that was signed last",
            ));
        }
        Ok(tree)
    }

    /// Returns the last checkpoint, its signature verified.
    pub(crate) async fn last_checkpoint(
        &self,
        tx: &mut Connection,
    ) -> Result<Option<SignedCheckpoint>> {
        let note: Option<String> = sqlx::query_scalar(sql!(
            "SELECT note FROM audit_checkpoint ORDER BY size DESC LIMIT 1"
        ))
        .fetch_optional(tx)
        .await?;
        let open = |note: String| {
            SignedCheckpoint::open(note.as_bytes(), self.audit_key())
                .map_err(|_| CentralError::damaged("the last audit checkpoint does not verify"))
        };
        note.map(open).transpose()
    }

    /// Returns the key under which the log's checkpoints verify. Give it to auditors by another
    /// way than the export.
    pub fn audit_key(&self) -> &VerifierKey {
        self.log_key_ref().key()
    }

    /// Returns the state of the log.
    ///
    /// # Errors
    /// The database's failures.
    pub async fn audit_health(&self) -> Result<AuditHealth> {
        let mut tx = self.read().await?;
        let row = sqlx::query(sql!(
            "SELECT count(*) AS entries, count(leaf) AS sequenced,
                    min(CASE WHEN leaf IS NULL THEN committed END) AS oldest FROM audit_entry"
        ))
        .fetch_one(&mut *tx)
        .await?;
        let (entries, sequenced): (i64, i64) = (row.get("entries"), row.get("sequenced"));
        let oldest_waiting = row
            .get::<Option<i64>, _>("oldest")
            .map(moment)
            .transpose()?;
        Ok(AuditHealth {
            entries: entries.unsigned_abs(),
            sequenced: sequenced.unsigned_abs(),
            waiting: (entries - sequenced).unsigned_abs(),
            oldest_waiting,
            overdue: oldest_waiting.is_some_and(|since| self.now().duration_since(since) > BOUND),
        })
    }
}

/// Returns a size of the tree, or a place in it, as the database has it.
fn stored_size(size: u64) -> Result<i64> {
    i64::try_from(size).map_err(|_| CentralError::damaged("the audit tree's size"))
}

fn numbered(entries: usize) -> String {
    format!(
        "UPDATE audit_entry SET leaf = given.column2 FROM (VALUES {}) AS given WHERE audit_entry.id = given.column1",
        tuples(entries, 2)
    )
}

fn new_nodes(nodes: usize) -> String {
    format!(
        "INSERT INTO audit_node (height, position, hash) VALUES {}",
        tuples(nodes, 3)
    )
}

assembled!(numbered("BIGINT, BIGINT") => |_| vec![numbered(1)]);
assembled!(new_nodes => |_| vec![new_nodes(1), new_nodes(2)]);

/// Gives entries, by their identities, their leaves.
async fn number_leaves(tx: &mut Connection, leaves: &[(i64, i64)]) -> Result<()> {
    for run in runs(leaves) {
        let mut statement = sqlx::query(AssertSqlSafe(numbered(run.len())));
        for (id, leaf) in run {
            statement = statement.bind(id).bind(leaf);
        }
        let changed = statement.execute(&mut *tx).await?.rows_affected();
        if changed != run.len() as u64 {
            return Err(CentralError::damaged("an entry that waited for its leaf"));
        }
    }
    Ok(())
}

async fn insert_nodes(tx: &mut Connection, nodes: &[NodeRow]) -> Result<()> {
    for run in runs(nodes) {
        let mut statement = sqlx::query(AssertSqlSafe(new_nodes(run.len())));
        for row in run {
            statement = statement
                .bind(i64::from(row.node.height))
                .bind(stored_size(row.node.index)?)
                .bind(&row.hash.as_bytes()[..]);
        }
        statement.execute(&mut *tx).await?;
    }
    Ok(())
}

pub(crate) async fn fetch_node(tx: &mut Connection, node: NodeId) -> Result<Hash> {
    let position = stored_size(node.index)?;
    let hash: Option<Vec<u8>> = sqlx::query_scalar(sql!(
        "SELECT hash FROM audit_node WHERE height = $1 AND position = $2"
    ))
    .bind(i64::from(node.height))
    .bind(position)
    .fetch_optional(tx)
    .await?;
    hash.and_then(|hash| Hash::try_from(hash.as_slice()).ok())
        .ok_or_else(|| CentralError::damaged("a node of the audit tree"))
}
