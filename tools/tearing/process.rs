//! A station in a process of its own, over PC/SC: somebody else kills it where it halts.
//!
//! ```text
//!   prepare ─► store, token, chips in files
//!   live, with a place ─► says HERE, and halts until it is killed
//!   live, without one  ─► END … after each blank; JUDGE on its input ─► FOUND … , WELL
//! ```

use std::fs;
use std::io::{BufRead, Write, stdin, stdout};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use api::Centre;
use card::{Channel, ChannelError};
use reader::ReaderError;
use station::{CardWatch, HeldCard, PcscService, ReaderService, Station, Surroundings};
use tokio::runtime::{Builder, Handle};
use vcard::{Chip, FileStore};

use crate::Failure;
use crate::carried::Lines;
use crate::case::{Life, config};
use crate::disk::Disk;
use crate::fault::{Fault, Point, Seam};
use crate::installation::Installation;
use crate::judge;
use crate::network::Network;
use crate::recipe::{RECIPES, Recipe};
use crate::trip::Trip;
use crate::world::{BLANKS, World, made, reader};

/// What a station says where it is to be killed.
pub const HERE: &str = "HERE";
/// What it says when a blank ended, with how.
pub const END: &str = "END";
/// What it says where that was the last blank.
pub const LAST: &str = "LAST";
/// What it is told when it is to stop, and to judge what is left.
pub const JUDGE: &str = "JUDGE";
/// What it says of each thing that must not be.
pub const FOUND: &str = "FOUND";
/// What it says at the end.
pub const WELL: &str = "WELL";

/// A document of one chip, all of whose certificates are the store's own: an authority outside would
/// end with this process.
fn recipe() -> Result<Recipe, Failure> {
    let mut all = RECIPES.into_iter();
    let recipe = all.find(|recipe| recipe.name == "alien-id-card");
    let mut recipe = recipe.ok_or("no such recipe")?;
    recipe.outside = None;
    Ok(recipe)
}

fn say(line: &str) {
    // Whoever does not listen has given up.
    let _ = writeln!(stdout(), "{line}").and_then(|()| stdout().flush());
}

/// Returns the file of the chip of a blank, from 1.
#[must_use]
pub fn chip(folder: &Path, blank: usize) -> PathBuf {
    folder.join(format!("chip-{blank}.json"))
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let mut builder = Builder::new_multi_thread();
    Ok(builder.worker_threads(2).enable_all().build()?)
}

/// Makes the store and the chips in a folder. SoftHSM2 finds its own by the environment.
///
/// # Errors
/// Where any of it cannot be made.
pub fn prepare(folder: &Path) -> Result<(), Failure> {
    let (recipe, installation) = (recipe()?, Installation::shared()?);
    let world = World::planned(recipe, BLANKS)?;
    let store = folder.join("central.db");
    runtime()?.block_on(world.fill(&installation, &store, 1))?;
    fs::create_dir(folder.join("station"))?;
    for number in 1..=world.blanks.len() {
        for (place, kind) in recipe.chips.iter().enumerate() {
            let file = FileStore::create(&chip(folder, number))?;
            drop(made(kind, place, u8::try_from(number)?, file)?);
        }
    }
    Ok(())
}

/// Lives once at a reader: with a point until it is killed there, without one until it is told to
/// judge, when the last chip is out of the reader again.
///
/// # Errors
/// Where the station cannot be started, or what is left cannot be judged.
pub fn live(folder: &Path, name: &str, point: Option<Point>) -> Result<(), Failure> {
    runtime()?.block_on(lived(folder, name, point))
}

async fn lived(folder: &Path, name: &str, point: Option<Point>) -> Result<(), Failure> {
    let (recipe, installation) = (recipe()?, Installation::shared()?);
    let store = folder.join("central.db");
    let outside = installation.authority();
    let central = installation
        .central(&recipe, &store, Arc::clone(&outside))
        .await?;
    let trip = Arc::new(Trip::halting(point, || say(HERE)));
    let tapped = Arc::new(Tapped {
        trip: Arc::clone(&trip),
        is_watched: Mutex::new(false),
        watched: Condvar::new(),
    });
    let surroundings = Surroundings {
        readers: Arc::clone(&tapped) as Arc<dyn ReaderService>,
        writes: Arc::new(Disk {
            trip: Arc::clone(&trip),
            lasting: None,
        }),
        ..Surroundings::default()
    };
    let network = Arc::new(Network {
        centre: Arc::new(central.clone()) as Arc<dyn Centre>,
        trip: Arc::clone(&trip),
        lines: Lines::default(),
    });
    let journal = folder.join("station").join("journal.db");
    let config = config(&recipe, &journal, &[name.to_owned()], None)?;
    let runtime = Handle::current();
    let starting = move || Station::start_in(surroundings, config, network, runtime);
    let station = tokio::task::spawn_blocking(starting).await??;
    let mut life = Life {
        events: station.watch(),
        station,
        trip,
        has_printer: false,
    };
    tapped.open();
    let mut ended = 0;
    loop {
        let end = life.end().await;
        ended += 1;
        let word = match end.is_last() {
            true => LAST,
            false => END,
        };
        say(&format!("{word} {}", end.told()));
        if end.is_last() {
            break;
        }
    }
    // The report may still be on its way: the slot ends in order.
    let told = tokio::task::spawn_blocking(|| stdin().lock().lines().next()).await?;
    if told.transpose()?.as_deref() != Some(JUDGE) {
        return Err("nobody wants a judgement".into());
    }
    life.stop().await?;
    let world = World::planned(recipe, BLANKS)?;
    let mut used = Vec::new();
    for (at, blank) in world.blanks.iter().enumerate().take(ended) {
        used.push((blank, vec![(reader(0), Chip::open(&chip(folder, at + 1))?)]));
    }
    let judgement = judge::judge(judge::After {
        world: &world,
        central: &central,
        outside: &outside,
        journals: vec![("station-1", &journal)],
        store: &store,
        used,
    });
    for finding in judgement.await?.findings() {
        say(&format!("{FOUND} {finding}"));
    }
    central.close().await;
    say(WELL);
    Ok(())
}

/// The machine's PC/SC service, whose commands are counted.
struct Tapped {
    trip: Arc<Trip>,
    /// Whether somebody watches: slots begin no sooner.
    is_watched: Mutex<bool>,
    watched: Condvar,
}

impl Tapped {
    fn open(&self) {
        *self
            .is_watched
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = true;
        self.watched.notify_all();
    }
}

impl ReaderService for Tapped {
    fn connect(&self) -> Result<Box<dyn CardWatch>, ReaderError> {
        let is_watched = self.is_watched.lock();
        let is_watched = is_watched.unwrap_or_else(PoisonError::into_inner);
        drop(
            self.watched
                .wait_while(is_watched, |is_watched| !*is_watched),
        );
        PcscService.connect()
    }

    fn open(&self, reader: &str, patience: Duration) -> Result<HeldCard, ChannelError> {
        let held = PcscService.open(reader, patience)?;
        Ok(HeldCard {
            channel: Box::new(Counted {
                channel: held.channel,
                trip: Arc::clone(&self.trip),
            }),
            ..held
        })
    }
}

/// A card whose commands are counted.
struct Counted {
    channel: Box<dyn Channel>,
    trip: Arc<Trip>,
}

impl Channel for Counted {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        let met = self.trip.pass(Seam::Command);
        let answer = self.channel.transmit(command);
        match met {
            Some(Fault::KilledAtCommand) => self.trip.die(),
            _ => answer,
        }
    }

    fn atr(&self) -> &[u8] {
        self.channel.atr()
    }

    fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
        self.channel.reset()
    }

    fn set_patience(&mut self, patience: Duration) {
        self.channel.set_patience(patience);
    }
}
