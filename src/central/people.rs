//! People: how they prove who they are, and for how long that is believed.
//!
//! ```text
//!  administrator ── issue_code ──► one-time code, handed over in person
//!  person ── enrol (code, password) ──► second factor shown once ── confirm ──► may sign in
//!         ── sign_in (password) ──► ticket ── second_factor ──► session token
//!         ── each request: session (token, station) ──► actor
//!
//!  every attempt is counted before it is judged (lock_out), and only digests are stored
//! ```

mod administration;
mod base32;
mod card;
mod enrolment;
mod factor;
mod lock_out;
mod password;
mod session;
mod sign_in;
mod token;
mod totp;

pub use administration::{AccountDetails, EnrolmentCode};
pub(crate) use administration::{check_roles, details};
pub use enrolment::{Enrolled, Enrolment, NewFactor, TotpSecret};
pub use factor::{FactorProof, SecondFactor};
pub(crate) use password::Passwords;
pub use session::{Session, SessionLine, SessionToken};
pub use sign_in::{SignedIn, Visit};
pub use totp::TotpAlgorithm;

/// Returns the code that an app shows, for tests of what takes codes.
#[cfg(test)]
pub(crate) fn totp_code(secret: &[u8], now: jiff::Timestamp) -> String {
    totp::Shared::at(secret, now)
}
