//! A private `pcscd` with many virtual readers, in namespaces of its own.
//!
//! ```text
//! Farm ── spawns ──► vcard farm ── unshare ──► vcard farm-inside (mount, net, pid namespace)
//!   │                    ▲ stdin closes: all ends       ├─ pcscd ◄─ DIR/pcscd/pcscd.comm ─ clients
//!   └─ Client ── DIR/farm.sock, one JSON line each ────►└─ chips, each in its slot
//! ```
//!
//! Clients outside reach this `pcscd` with `PCSCLITE_CSOCK_NAME=DIR/pcscd/pcscd.comm`.

mod client;
mod daemon;
mod inside;
mod namespace;
mod slots;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::circumstances::Circumstances;
use crate::fault::Fault;

pub use client::{Client, ClientError, Farm};
pub use daemon::DaemonError;
pub use inside::{FarmError, serve};
pub use namespace::{NamespaceError, enter};

/// Most readers that one pcscd serves (`PCSCLITE_MAX_READERS_CONTEXTS`).
pub const MOST_READERS: usize = 16;

/// One line to the farm.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Puts the chip in a state file into a reader.
    Insert {
        /// Number of the reader, from 0.
        reader: usize,
        /// The chip's state file.
        state: PathBuf,
        /// What it will meet.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fault: Option<Fault>,
        /// Under what circumstances it works besides.
        #[serde(default)]
        circumstances: Circumstances,
        /// A recorded session that it draws its random numbers from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        recording: Option<PathBuf>,
    },
    /// Takes the chip out of a reader.
    Remove {
        /// Number of the reader, from 0.
        reader: usize,
    },
    /// Asks what is where.
    Status {},
    /// Ends the farm.
    Stop {},
}

/// The farm's line back, when what was asked is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// Done.
    Done {},
    /// What is where.
    Status {
        /// Every reader, in order.
        readers: Vec<ReaderStatus>,
    },
    /// Not done.
    Error {
        /// Why.
        message: String,
    },
}

/// One reader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReaderStatus {
    /// Its name in PC/SC.
    pub name: String,
    /// The state file of the chip in it.
    pub chip: Option<PathBuf>,
}

/// The farm's first line on its standard output.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Announcement {
    /// pcscd answers and the farm listens.
    Ready {
        /// True.
        ready: bool,
        /// The control socket.
        socket: PathBuf,
        /// The value for `PCSCLITE_CSOCK_NAME`.
        pcsc: PathBuf,
        /// The readers' names in PC/SC, in order.
        readers: Vec<String>,
    },
    /// It cannot start.
    Failed {
        /// False.
        ready: bool,
        /// Why, with what to do about it.
        error: String,
    },
}

/// Writes an error and its causes in one line.
pub fn explain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
