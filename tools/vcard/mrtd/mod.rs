//! The ICAO LDS applet of the JMRTD project, strict. The chip's manual is `README.md` beside
//! this file.
//!
//! ```text
//! SELECT AID ─► personalization   PUT DATA, CREATE FILE, UPDATE BINARY, lock
//!               passport          GET CHALLENGE, EXTERNAL AUTHENTICATE ─► inspection: session
//!               reading           SELECT, READ BINARY, INTERNAL AUTHENTICATE ◄─ 0C … ┘
//! ```

mod active_authentication;
mod files;
mod passport;
mod personalization;
mod reading;
#[cfg(test)]
mod scenarios;

use serde_json::Value;

use crate::applet::Applet;
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
