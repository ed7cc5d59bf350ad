//! How a blank comes to a slot: fed, and its printed serial number read. The centre is told both that
//! and the chips, before anything is written.

mod feeder;
mod scan;
mod scanner;

pub use feeder::{Feeder, FeederEar, FeederError, FeederNoise, LineFeeder, LineFeederTexts};
pub use scan::{BlankSerial, ScanEar, ScanFault};
pub use scanner::{ScanError, Scanner, ScannerSettings};
