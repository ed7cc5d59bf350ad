//! IsoApplet, an open-source PKCS#15 card, in the two versions that were recorded.
//!
//! ```text
//! creation ──PUK──► initialisation ──PIN──► activated
//!    └───────────────PIN (no PUK, ever)────────▲
//! ```
//!
//! Until the PIN is set everything is allowed; from the next selection on, access bytes rule.
//! What it answers, refusals included, is what the applet's published source says.

mod applet;
mod files;
mod import;
mod keys;
mod memory;
mod pins;
#[cfg(test)]
mod scenarios;
mod security;

use serde_json::Value;

use crate::applet::Applet;

/// AID of the instance.
pub(crate) const AID: &[u8] = &[
    0xF2, 0x76, 0xA2, 0x88, 0xBC, 0xFB, 0xA6, 0x9D, 0x34, 0xF3, 0x10, 0x01,
];

/// A build of the applet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Build {
    pub(crate) version: Version,
    /// Whether private keys may be imported: a switch of its source, off as published.
    pub(crate) import: bool,
}

/// A version of the applet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// 0.6, for Java Card 2.2.2: short commands, SHA-1 inside.
    V0,
    /// 1.0, for Java Card 3.0.4: extended commands, given hashes.
    V1,
}

/// Starts the applet on a card with so many bytes for it: with this memory, or as installed.
pub(crate) fn start(
    build: Build,
    room: usize,
    memory: Option<Value>,
) -> Result<Box<dyn Applet + Send>, serde_json::Error> {
    let memory = memory.map(serde_json::from_value).transpose()?;
    Ok(Box::new(applet::IsoApplet::new(
        build,
        room,
        memory.unwrap_or_default(),
    )))
}
