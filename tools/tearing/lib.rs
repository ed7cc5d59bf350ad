//! The tear matrix: a whole personalization of every chip and document kind is torn at every
//! command, journal write, call to the centre and order to the authority, and the books are checked.
//!
//! ```text
//!   World ── a store, blanks and an application, as they are before; copied for each case
//!     └─► case ── life 1: the station meets its fault ──► life 2: the same journal, the same card,
//!           │      Bench, Disk, Network, Outside            then the next blank
//!           └─► judge ── chips, journal, store, authority: survived, spoiled, or what must not be
//! ```
//!
//! The station is the product's own, slot and journal and all; only what it stands in is ours.

mod authority;
mod bench;
mod carried;
mod case;
mod certificates;
mod dice;
mod disk;
mod fault;
mod installation;
mod judge;
mod matrix;
mod network;
mod order;
mod own_token;
mod printer;
pub mod process;
mod recipe;
mod simulation;
mod table;
mod trip;
mod world;

/// Why the matrix itself cannot go on: no finding, but a lack of something.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

pub use case::Tried;
pub use fault::{Fault, Point, Seam, UnknownFault};
pub use installation::travel;
pub use judge::Verdict;
pub use matrix::{Choice, Matrix, Progress, Stop, in_token};
pub use own_token::{in_own_token, interrupted};
pub use recipe::{RECIPES, Recipe};
pub use simulation::{Figures, Played, Simulation};
pub use table::{Totals, table};
pub use world::temporary;
