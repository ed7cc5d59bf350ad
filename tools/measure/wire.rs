//! What PC/SC and the virtual reader cost alone: a command that the chip answers at once.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use card::Channel;
use reader::{Connection, LOOKING};

use crate::in_turns;

/// Commands in one turn.
const COMMANDS: u32 = 300;

/// Returns the seconds that one command takes on the reader of this name, in the best of some
/// turns.
pub(crate) fn seconds_a_command(reader: &str) -> Result<f64, Box<dyn Error>> {
    let mut card = Connection::open(reader, LOOKING)?;
    // GET DATA with an unknown tag: refused without any work.
    let command = [0x80, 0xCA, 0x7F, 0x7F, 0x00];
    let [best] = in_turns([&mut || {
        let started = Instant::now();
        for _ in 0..COMMANDS {
            card.transmit(&command)?;
        }
        Ok(started.elapsed().as_secs_f64() / f64::from(COMMANDS))
    }])?;
    Ok(best)
}

/// Makes a blank for measuring.
pub(crate) fn blank(path: &Path) -> Result<(), Box<dyn Error>> {
    let product = vcard::Product::find("lateid-v2").ok_or("no product")?;
    let maker = vcard::TransportMasterKey::new([7; 16]);
    vcard::Chip::blank(
        product,
        vcard::ChipNumber::random()?,
        &maker,
        vcard::FileStore::create(path)?,
    )?;
    Ok(())
}
