//! The store's HTTPS server: `/v1` for stations and people, and what tells whether it is well.
//!
//! ```text
//!   TCP ──► Doors ──► TLS 1.3 ──► Peer ──► request ──► guard ──────────► router ──► Central
//!           how many  server's    the      HTTP/1.1    identity, limits,  station/
//!           at once   key; shows  client's             problem details    health
//!                     possession  certificate
//! ```
//!
//! Transport security proves only that a client has the key of the certificate that it shows; who
//! that is, and whether it may, is judged for each request in the store's own books. Whatever
//! fails is a problem detail (*RFC 9457*) whose `type` stays the same from version to version. A
//! request that reached a handler runs to its end, whether or not its client waits for it.

mod doors;
mod guard;
mod health;
mod limits;
mod metrics;
#[cfg(test)]
#[path = "../../tests/missing/missing.rs"]
mod missing;
mod peer;
mod people;
mod posted;
mod problem;
mod router;
mod serving;
mod state;
mod station;
mod tls;

pub use health::health_router;
pub use limits::Limits;
pub use metrics::serve_metrics;
pub use peer::Peer;
pub use people::{Pace, Paces, openapi};
pub use posted::Posted;
pub use problem::{Fault, Problem};
pub use router::router;
pub use serving::serve;
pub use state::{Adopt, Server};
pub use tls::{TlsError, tls};
