//! Stations and centre under a simulation: the same code as in an office, and nothing else that moves
//! by itself.
//!
//! ```text
//!             seed ─► dice ─► play: who moves next, what arrives, what goes wrong
//!                              │
//!   office 1..3                │ network                       centre
//!   Station, journal, outbox ──┼─► delay, loss, twice, cut ──► routes ─► Central ─► SQLite
//!   RemoteCentre               │
//!   chips in readers           └─► clocks, kills, shifts, blanks, the centre's restarts and restorations
//! ```
//!
//! One thread moves at a time (`floor`), and the time stands still unless it is moved on (`time`): a
//! seed runs the same way again.

mod centre;
mod dead;
mod figures;
mod floor;
mod hands;
mod invariants;
mod later;
mod life;
mod misfortune;
mod network;
mod office;
mod pads;
mod play;
mod restored;
mod setting;
mod time;
mod told;

use std::fmt;

use tokio::runtime::Builder;

use crate::Failure;
use crate::dice::Dice;
use crate::installation::Installation;
use crate::recipe::{RECIPES, Recipe};
use crate::world::temporary;
use play::Play;
use setting::Setting;

pub use figures::Figures;

/// The document that is made in simulations.
const RECIPE: &str = "alien-id-card";

/// One simulation that was played to its end.
#[derive(Clone, Debug)]
pub struct Played {
    /// Its seed.
    pub seed: u64,
    /// What must not be, in words.
    pub found: Vec<String>,
    /// What happened, in order, with the seconds from the beginning.
    pub trace: Vec<String>,
    /// What it came across.
    pub figures: Figures,
}

/// What simulations begin with.
pub struct Simulation {
    installation: Installation,
    setting: Setting,
    /// As the other, with blanks that their maker numbered.
    numbered: Setting,
}

/// In how many simulations the blanks are numbered once.
const NUMBERED: u64 = 3;

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Simulation")
    }
}

fn recipe() -> Result<Recipe, Failure> {
    let found = RECIPES.into_iter().find(|recipe| recipe.name == RECIPE);
    Ok(found.ok_or("there is no such recipe")?)
}

impl Simulation {
    /// Founds a store with documents to make, and lets stations in.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn found() -> Result<Self, Failure> {
        let installation = Installation::found()?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let found = |recipe| {
            let setting = runtime.block_on(Setting::found(&installation, recipe))?;
            setting.measure()?;
            Ok::<_, Failure>(setting)
        };
        let (setting, numbered) = (found(recipe()?)?, found(recipe()?.numbered())?);
        Ok(Self {
            installation,
            setting,
            numbered,
        })
    }

    /// Plays the simulation of a seed.
    ///
    /// # Errors
    /// Where it cannot be played; what is found in it is no error.
    pub fn play(&self, seed: u64) -> Result<Played, Failure> {
        let folder = temporary()?;
        let is_numbered = Dice::apart(seed, 3).once_in(NUMBERED);
        let setting = match is_numbered {
            true => &self.numbered,
            false => &self.setting,
        };
        let mut play = Play::new(&self.installation, setting, seed, folder.path())?;
        play.figures.numbered += u64::from(is_numbered);
        let found = match play.run() {
            Ok(found) => found,
            Err(error) => vec![format!("it cannot go on: {error}")],
        };
        Ok(Played {
            seed,
            found,
            trace: std::mem::take(&mut play.trace),
            figures: play.figures.clone(),
        })
    }
}
