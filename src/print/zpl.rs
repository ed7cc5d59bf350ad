//! Label printers of the Zebra programming language, over TCP.
//!
//! *ZPL II Programming Guide*: `^XA … ^XZ` is a label, `^GF` a picture in it, `~HS` asks how the
//! printer is. The face comes rendered, so that a label looks alike on every printer and no text of
//! ours is ever a command of theirs.

mod label;
mod printer;
mod status;

pub use printer::{ZplPatience, ZplPrinter};
pub use status::{ZplEar, ZplGarbled, ZplStatus};
