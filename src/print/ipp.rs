//! Printers of the Internet Printing Protocol (*RFC 8010*, *RFC 8011*), in clear in a private network
//! or over TLS.
//!
//! ```text
//!   Create-Job ──► Send-Document ──► Get-Job-Attributes … ──► completed
//!                        │                    └── aborted, cancelled, too late: Cancel-Job
//!                        └── the connection breaks: the job's number is known, it is cancelled
//! ```

mod address;
mod driver;
mod exchange;
mod message;

pub use address::{IppAddress, IppAddressError};
pub use driver::{IppPatience, IppPrinter};
pub use message::{IppMessage, IppMessageError};
