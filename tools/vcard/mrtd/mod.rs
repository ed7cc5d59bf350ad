//! The ICAO LDS applet of the JMRTD project, strict. The chip's manual is `README.md` beside
//! this file.
//!
//! ```text
//! SELECT AID ─► personalization   PUT DATA, CREATE FILE, UPDATE BINARY, lock
//!               basic_access      GET CHALLENGE, EXTERNAL AUTHENTICATE ─► Session
//!               secure_messaging  0C …                                      │
//!               reading           SELECT, READ BINARY, INTERNAL AUTHENTICATE ◄┘
//! ```

mod active_authentication;
mod basic_access;
mod des;
mod files;
mod passport;
mod personalization;
mod reading;
#[cfg(test)]
mod scenarios;
mod secure_messaging;

use serde_json::Value;

use crate::applet::Applet;
pub(crate) use basic_access::mrz_information;
pub(crate) use passport::AID;
use passport::Passport;

/// Returns the applet as it is installed: no keys, no files, not locked.
pub(crate) fn blank() -> Box<dyn Applet + Send> {
    Box::new(Passport::default())
}

/// Returns the applet with the memory that [`Applet::memory`] gave.
pub(crate) fn wake(memory: Value) -> Result<Box<dyn Applet + Send>, serde_json::Error> {
    Ok(Box::new(Passport::wake(memory)?))
}
