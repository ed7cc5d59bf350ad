//! The tamper-evident log: who did what, on what, when, and how it ended, in a form in which
//! nothing can be changed or left out unnoticed.
//!
//! Pure: it stores nothing, reads no clock and holds no key. It gives rows for a store, and takes
//! nodes, files and signatures through small traits.
//!
//! ```text
//!   Entry ──encode──► leaf ──► Tree::append ──► NodeRow…              the store keeps the rows
//!                                 │
//!                                 └─► SignedCheckpoint::sign          the key sits in an HSM
//!                                        ├─► cosign                   a witness: it only grew
//!                                        ├─► InclusionProof, Receipt  this entry is in it
//!                                        └─► Exporter ──► files ──► verify_export
//! ```
//!
//! - Hashing and proofs: *RFC 9162 §2.1* (the same as *RFC 6962 §2.1*).
//! - Checkpoints: *C2SP tlog-checkpoint*, *signed-note* and *tlog-cosignature*, with Ed25519.
//! - Exports: *C2SP tlog-tiles*; receipts: *C2SP tlog-proof*. Others' tools can check both.
//!
//! The log proves what was signed. It cannot prove that the last entries were not cut off together
//! with the checkpoint over them: for that, somebody else must have seen a later checkpoint. That
//! is what witnesses are for.

mod checkpoint;
mod control;
mod decimal;
mod entry;
mod export;
mod fault;
mod field;
mod hash;
mod key;
mod note;
mod proof;
mod reader;
mod receipt;
mod tile;
mod tree;
#[cfg(test)]
mod vectors;
mod verify;
mod witness;

pub use checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint};
pub use control::Control;
pub use entry::{Actor, ClockQuality, Entry, EntryError, MAX_ENTRY, Outcome, Subject};
pub use export::{ExportError, ExportFile, Exporter, export};
pub use fault::{FaultList, IntegrityFault, Part, VerifyError};
pub use field::{Action, Cause, Details, EntryId, FieldError, Reference, SubjectKind, Timestamp};
pub use hash::{Hash, HashLength};
pub use key::{
    CheckpointSigner, KeyError, KeyKind, SignError, SignerFault, VerifierKey, check_name,
};
pub use note::{NoteError, SignedNote};
pub use proof::{ConsistencyProof, InclusionProof, ProofError};
pub use reader::{ExportReader, ReadError, ReadFault};
pub use receipt::{Receipt, ReceiptError};
pub use tile::{CHECKPOINT_PATH, TILE_WIDTH, Tile, TileKind, TilePathError};
pub use tree::{MAX_SIZE, NodeError, NodeId, NodeMissing, NodeRow, Nodes, Tree};
pub use verify::{ExportReport, Trust, verify_export, verify_export_with};
pub use witness::{WitnessError, cosign};
