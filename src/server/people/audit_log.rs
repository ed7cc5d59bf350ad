//! The audit log: entries, checkpoints, proofs. Reading it leaves entries too.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use central::LoggedEntry;
use document::Act;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use crate::people::answer::{Answer, Page};
use crate::people::call::{Call, page_of};
use crate::people::named::{Cursor, Leaf, Limit, Object};
use crate::people::operation::{Operation, of};
use crate::problem::{Fault, Problem};

/// An entry of the log.
#[derive(Serialize, JsonSchema)]
struct EntryShown {
    /// Its place in the tree.
    leaf: u64,
    /// The entry.
    entry: Object,
    /// Its bytes in base64: the leaf's hash goes over them.
    bytes: String,
}

/// The last signed checkpoint.
#[derive(Serialize, JsonSchema)]
struct Checkpoint {
    /// A signed note (C2SP tlog-checkpoint).
    note: String,
}

/// That an entry is in the tree.
#[derive(Serialize, JsonSchema)]
struct ProofShown {
    /// The hash of the leaf.
    leaf_hash: String,
    /// The leaf's index.
    index: u64,
    /// How many leaves the tree has.
    size: u64,
    /// The hashes from the leaf up, in hexadecimal (RFC 9162 §2.1.3).
    path: Vec<String>,
    /// The signed checkpoint that it leads to.
    checkpoint: String,
}

const LIST: &str = "log";

async fn list(call: Call) -> Result<Answer, Problem> {
    let (after, limit) = call.page(LIST)?;
    let from = match after.as_str() {
        "" => 0,
        leaf => leaf
            .parse::<u64>()
            .ok()
            .and_then(|leaf| leaf.checked_add(1))
            .ok_or_else(|| Problem::new(Fault::Invalid, "the cursor is not one of this list"))?,
    };
    let mut found = call
        .central
        .log_from(call.actor()?, from, limit + 1)
        .await?;
    let mut entries = Vec::new();
    for logged in found.drain(..) {
        let damaged = |_| Problem::new(Fault::Damaged, "an entry of the log cannot be read");
        let entry = serde_json::from_slice(&logged.bytes).map_err(damaged)?;
        entries.push(EntryShown {
            leaf: logged.leaf,
            bytes: bytes_of(&logged),
            entry,
        });
    }
    let key = |entry: &EntryShown| entry.leaf.to_string();
    Answer::json(&page_of(LIST, entries, limit, key, |entry| entry))
}

fn bytes_of(logged: &LoggedEntry) -> String {
    STANDARD.encode(&logged.bytes)
}

async fn checkpoint(call: Call) -> Result<Answer, Problem> {
    let note = call.central.checkpoint(call.actor()?).await?;
    Answer::json(&Checkpoint { note })
}

async fn proof(call: Call) -> Result<Answer, Problem> {
    let none = |_| Problem::new(Fault::NotFound, "there is no entry of this leaf");
    let leaf = call.part("leaf").parse::<u64>().map_err(none)?;
    let found = call.central.log_proof(call.actor()?, leaf).await?;
    Answer::json(&ProofShown {
        leaf_hash: found.leaf.to_string(),
        index: found.proof.index,
        size: found.proof.size,
        path: found.proof.path.iter().map(ToString::to_string).collect(),
        checkpoint: found.checkpoint,
    })
}

/// Returns the operations.
pub(crate) fn operations() -> Vec<Operation> {
    let right = Act::ReadAuditLog;
    of(
        "audit",
        vec![
            Operation::get(
                "/v1/audit/entries",
                "listEntries",
                "Lists the entries in the order of the tree.",
            )
            .personal(right, "audit.read", "log")
            .field::<Limit>("limit", "The most items of the page.", 50)
            .field::<Cursor>("cursor", "The next of the page before.", "AWxvZwAw")
            .gives::<Page<EntryShown>>(200, "A page.", json!({ "items": [], "next": null }))
            .runs(list),
            Operation::get(
                "/v1/audit/checkpoint",
                "showCheckpoint",
                "Shows the last signed checkpoint.",
            )
            .read(right, "audit.read", "log")
            .gives::<Checkpoint>(
                200,
                "The checkpoint.",
                json!({ "note": "example.org/central\n1\n…\n" }),
            )
            .runs(checkpoint),
            Operation::get(
                "/v1/audit/entries/{leaf}/proof",
                "proveEntry",
                "Proves that an entry is in the tree that the last checkpoint signs.",
            )
            .parameter::<Leaf>("leaf", "The entry's place in the tree.", 0)
            .read(right, "audit.read", "log")
            .gives::<ProofShown>(
                200,
                "The proof.",
                json!({
                    "leaf_hash": "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                    "index": 0, "size": 1, "path": [], "checkpoint": "example.org/central\n1\n…\n",
                }),
            )
            .runs(proof),
        ],
    )
}
