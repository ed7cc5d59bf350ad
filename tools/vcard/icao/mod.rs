//! A modern travel document chip: LDS 1.7 and 1.8, PACE, BAC, EAC. The chip's manual is
//! `README.md` beside this file.
//!
//! ```text
//!               document        memory, volatile state, which command goes where
//! issuer ─────► personalization CREATE FILE, PUT DATA, keys, lock       (issuer's channel)
//! reader ─────► pace            MSE, GENERAL AUTHENTICATE   ─► mapping ─┐
//!               basic_access    GET CHALLENGE, EXTERNAL AUTHENTICATE   ─┴► inspection::messaging
//!               reading         SELECT, READ BINARY         ◄─ rules ─ files
//!               active_authentication, chip_authentication  ◄─ key_objects
//!               terminal_authentication ◄─ certificates, trust
//! ```

mod active_authentication;
mod basic_access;
mod certificates;
mod chain;
mod chip_authentication;
mod curve;
mod document;
mod files;
mod key_objects;
mod mapping;
mod memory;
mod pace;
mod personalization;
mod reading;
#[cfg(test)]
mod scenarios;
mod terminal_authentication;
mod trust;

use serde_json::Value;

use crate::applet::Applet;
use document::Document;
pub(crate) use document::{AID, Build};

/// Starts the applet with so much memory: with what [`Applet::memory`] gave, or as it is
/// installed.
///
/// # Errors
/// [`serde_json::Error`] where that is no memory of this applet.
pub(crate) fn start(
    build: Build,
    room: usize,
    memory: Option<Value>,
) -> Result<Box<dyn Applet + Send>, serde_json::Error> {
    let memory = memory.map(serde_json::from_value).transpose()?;
    let memory = memory.unwrap_or_default();
    Ok(Box::new(Document::new(build, room, memory)))
}
