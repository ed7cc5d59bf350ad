//! A station of up to sixteen slots: the product's own threads, journal and outbox, virtual chips that
//! take the time of real ones, and the store behind the trait that stations use. What is made is the
//! identity card, whose two chips work at the same time: a card takes by itself what its slower one does.
//!
//! ```text
//!   hands that change blanks in no time ─► readers ─► slots ─► store, whose authority takes its time
//! ```
//!
//! What is not in it: HTTPS between station and store, which work in one process here, and PC/SC.

mod feeder;
mod slow;

use std::error::Error;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use api::{Actor, BlankEnd};
use central::{Central, DatabaseSource};
use document::Environment;
use hsm::SoftHsmFolder;
use serde::{Deserialize, Serialize};
use station::{
    Catalogue, Happening, SlotChip, SlotConfig, Station, StationConfig, Surroundings, WriteWatch,
};
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use vcard::Timing;

use self::feeder::Feeder;
use self::slow::Slow;
use crate::chips::shelf;
use crate::growth::house::{EID_CARD, Goods, House, ID_CARD, ID_CARD_OF_SECORA};
use crate::{Measured, Row, Wanted};

/// How many slots are kept busy.
const SLOTS: &[usize] = if cfg!(test) { &[2] } else { &[1, 2, 4, 8, 16] };
/// How many cards each slot makes.
const EACH: usize = if cfg!(test) { 1 } else { 3 };
/// About what a card takes: within it the first blanks are laid at all slots.
const APART: Duration = Duration::from_millis(1500);
/// After how many seconds the authority answers.
const LATENCIES: &[f64] = if cfg!(test) { &[0.5] } else { &[0.5, 2.0, 5.0] };
/// At how many slots the authority takes its time.
const SLOTS_OF_LATENCY: usize = 2;
/// The write of the journal at which a station is ended in the middle of a card.
const CUT_OFF: u32 = 20;
const HOST: &str = "station: host processor time a card";
const SCALES: &str = "station: cards at the most slots, beside one slot";
const RECOVERY: &str = "station: from a start after a kill to the card's next step";
const OWN: &str = "the slower chip's own time for a card";
const AS_ONE: &str = "slots by what the fewest slots made";
const IDEAL: &str = "slots by the slower chip's own time for a card";

type Done<T> = Result<T, Box<dyn Error>>;

fn rate(slots: usize) -> String {
    format!("station, {slots} slots: cards")
}

fn added(latency: f64) -> String {
    format!("station, certificates after {latency} s: added time a card")
}

/// Returns the names of the rows.
pub(crate) fn names() -> Vec<String> {
    let rates = SLOTS.iter().map(|slots| rate(*slots));
    let rates = rates.chain(OTHERS.map(|(what, _)| of_other(what)));
    let added = LATENCIES.iter().map(|latency| added(*latency));
    let others = [SCALES, HOST, RECOVERY].map(str::to_owned);
    rates.chain(others).chain(added).collect()
}

/// What else is made at the most slots.
const OTHERS: [(&str, &Goods); 2] = [("SECORA ID X", &ID_CARD_OF_SECORA), ("one chip", &EID_CARD)];

fn of_other(what: &str) -> String {
    let most = SLOTS.last().copied().unwrap_or_default();
    format!("station, {most} slots, {what}: cards")
}

/// What one run of a station gave.
#[derive(Debug, Serialize, Deserialize)]
struct Run {
    slots: usize,
    cards: usize,
    /// How many all slots made in a second, each from its first blank on.
    a_second: f64,
    /// The mean of what a document took at its slot.
    each: f64,
    /// The mean of what the chips would have taken by themselves.
    own: f64,
    /// The mean of the processor's time that a slot's thread took beside its chip.
    host: f64,
}

/// Everything that was measured.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Figures {
    runs: Vec<Run>,
    others: Vec<(String, Run)>,
    slow: Vec<(f64, Run)>,
    /// From the start to the next step, and the chip's own time.
    recovery: Option<(f64, f64)>,
}

/// Measures in a process of its own: SoftHSM2 learns its folder when it starts.
pub(crate) fn rows(wanted: Wanted<'_>) -> Measured {
    let folder = tempfile::tempdir()?;
    let tokens = SoftHsmFolder::prepare(folder.path())?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--station").arg(wanted.0.unwrap_or_default());
    let output = tokens.apply(&mut command).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(shown(&serde_json::from_slice(&output.stdout)?))
}

fn shown(figures: &Figures) -> Vec<Row> {
    let mut rows = Vec::new();
    let runs = figures.runs.iter().map(|run| (rate(run.slots), run));
    let others = figures.others.iter().map(|(name, run)| (name.clone(), run));
    for (name, run) in runs.chain(others) {
        let an_hour = run.a_second * 3600.0;
        let ideal = run.slots as f64 / run.own * 3600.0;
        rows.push(Row::new(&name, an_hour, "an hour", ideal).beside(IDEAL));
    }
    let ends = figures.runs.first().zip(figures.runs.last());
    if let Some((fewest, most)) = ends.filter(|(fewest, _)| SLOTS.first() == Some(&fewest.slots)) {
        let slots = most.slots as f64 / fewest.slots as f64;
        let (an_hour, ideal) = (most.a_second * 3600.0, slots * fewest.a_second * 3600.0);
        rows.push(Row::new(SCALES, an_hour, "an hour", ideal).beside(AS_ONE));
    }
    if let Some(most) = figures.runs.last() {
        rows.push(Row::new(HOST, most.host, "s", most.own).beside(OWN));
    }
    if let Some((seconds, own)) = figures.recovery {
        rows.push(Row::new(RECOVERY, seconds, "s", own).beside(OWN));
    }
    let prompt = figures.slow.first().filter(|(latency, _)| *latency == 0.0);
    let prompt = prompt.map_or(0.0, |(_, run)| run.each);
    for (latency, run) in figures.slow.iter().filter(|(latency, _)| *latency > 0.0) {
        let more = run.each - prompt;
        rows.push(Row::new(&added(*latency), more, "s", run.own).beside(OWN));
    }
    rows
}

/// Measures with the store's keys in SoftHSM2, which has a folder here, those rows whose name contains
/// a text. Returns the figures in JSON.
pub(crate) fn measure(name: &str) -> Result<String, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let wanted = Wanted((!name.is_empty()).then_some(name));
    let figures = runtime.block_on(measured(wanted))?;
    Ok(serde_json::to_string(&figures)?)
}

async fn measured(wanted: Wanted<'_>) -> Done<Figures> {
    let mut floor = Floor::of("station", &ID_CARD).await?;
    let mut figures = Figures::default();
    let (fewest, most) = (SLOTS.first(), SLOTS.last());
    for slots in SLOTS {
        let of_host = wanted.has(HOST) && Some(slots) == most;
        let of_both = wanted.has(SCALES) && [fewest, most].contains(&Some(slots));
        if wanted.has(&rate(*slots)) || of_host || of_both {
            figures.runs.push(floor.run(*slots, 0.0).await?);
        }
    }
    for (what, goods) in OTHERS {
        let name = of_other(what);
        if let Some(most) = most.filter(|_| wanted.has(&name)) {
            let run = Floor::of(what, goods).await?.run(*most, 0.0).await?;
            figures.others.push((name, run));
        }
    }
    if wanted.has(RECOVERY) {
        figures.recovery = Some(floor.recover().await?);
    }
    let latencies = LATENCIES
        .iter()
        .filter(|latency| wanted.has(&added(**latency)));
    let latencies: Vec<_> = latencies.copied().collect();
    if !latencies.is_empty() {
        for latency in std::iter::once(0.0).chain(latencies) {
            let run = floor.run(SLOTS_OF_LATENCY, latency).await?;
            figures.slow.push((latency, run));
        }
    }
    Ok(figures)
}

/// Where stations work.
struct Floor {
    goods: &'static Goods,
    house: House,
    central: Arc<Central>,
    folder: TempDir,
    runs: u32,
}

impl Floor {
    /// Founds a store for such documents, with a token of its own.
    async fn of(label: &str, goods: &'static Goods) -> Done<Self> {
        let folder = tempfile::tempdir()?;
        let database = DatabaseSource::Sqlite(folder.path().join("central.db"));
        let (house, central) = House::found(database, label, goods).await?;
        Ok(Self {
            goods,
            house,
            central: Arc::new(central),
            folder,
            runs: 0,
        })
    }

    /// Lays blanks at so many slots, and prepares a document for each.
    async fn lay(&mut self, slots: usize, each: usize) -> Done<Feeder> {
        let blanks = u32::try_from(slots * each)?;
        let laid = self.house.prepare(&self.central, blanks, false).await?;
        let classes = self.goods.chips.iter();
        let classes = classes.map(|(_, class)| Timing::find(class).ok_or("no such class"));
        let classes = classes.collect::<Result<Vec<_>, _>>()?;
        let later = APART / u32::try_from(slots)?;
        Ok(Feeder::new(slots, &classes, laid, later))
    }

    /// Has a station of so many slots make all its cards, after one at each slot that is not counted.
    async fn run(&mut self, slots: usize, latency: f64) -> Done<Run> {
        // Readers and chips are measured once.
        self.make(slots, 1, 0.0).await?;
        self.make(slots, EACH, latency).await
    }

    async fn make(&mut self, slots: usize, each: usize, latency: f64) -> Done<Run> {
        let feeder = self.lay(slots, each).await?;
        self.runs += 1;
        let surroundings = Surroundings {
            readers: Arc::new(feeder.clone()),
            ..Surroundings::default()
        };
        let station = self.start(slots, latency, surroundings)?;
        let mut events = station.watch();
        let (mut made, mut milliseconds) = (0, 0);
        while made < slots * each {
            match events.recv().await?.happening {
                Happening::Finished {
                    end: BlankEnd::Personalized,
                    milliseconds: taken,
                    ..
                } => {
                    made += 1;
                    milliseconds += taken;
                }
                Happening::Finished { end, .. } => return Err(format!("{end:?}").into()),
                Happening::NeedsPerson { reason } | Happening::OutOfService { reason } => {
                    return Err(reason.into());
                }
                _ => {}
            }
        }
        let there = feeder.clone();
        let stopping = move || {
            there.wait_for_all(each);
            station.stop();
        };
        tokio::task::spawn_blocking(stopping).await?;
        let (own, host) = feeder.spent();
        let cards = slots * each;
        Ok(Run {
            slots,
            cards,
            a_second: feeder.a_second(),
            each: milliseconds as f64 / 1000.0 / cards as f64,
            own: own / cards as f64,
            host: host / cards as f64,
        })
    }

    /// Ends a station in the middle of a card, and starts it again. Returns how long it took until the
    /// card went on, and the chip's own time.
    async fn recover(&mut self) -> Done<(f64, f64)> {
        let feeder = self.lay(1, 1).await?;
        self.runs += 1;
        let writes = Arc::new(Cut::default());
        let cut: Arc<dyn WriteWatch> = writes.clone();
        let first = Surroundings {
            readers: Arc::new(feeder.clone()),
            writes: cut,
            ..Surroundings::default()
        };
        let station = self.start(1, 0.0, first)?;
        let mut events = station.watch();
        loop {
            tokio::select! {
                () = writes.met.notified() => break,
                event = events.recv() => {
                    if let Happening::Finished { end, .. } = event?.happening {
                        return Err(format!("it ended before it was cut off: {end:?}").into());
                    }
                }
            }
        }
        tokio::task::spawn_blocking(move || drop(station)).await?;
        let begun = Instant::now();
        let again = Surroundings {
            readers: Arc::new(feeder.clone()),
            ..Surroundings::default()
        };
        let station = self.start(1, 0.0, again)?;
        let mut events = station.watch();
        let mut went_on = None;
        loop {
            match events.recv().await?.happening {
                Happening::Progress { .. } => {
                    went_on.get_or_insert(begun.elapsed().as_secs_f64());
                }
                Happening::Finished {
                    end: BlankEnd::Personalized,
                    ..
                } => break,
                Happening::Finished { end, .. } => return Err(format!("{end:?}").into()),
                _ => {}
            }
        }
        tokio::task::spawn_blocking(move || station.stop()).await?;
        let (own, _) = feeder.spent();
        Ok((went_on.ok_or("nothing was done again")?, own))
    }

    fn start(&self, slots: usize, latency: f64, surroundings: Surroundings) -> Done<Station> {
        let slot = |at| SlotConfig {
            name: feeder::slot(at),
            article: None,
            chips: (self.goods.chips.iter().enumerate())
                .map(|(place, (product, _))| SlotChip {
                    product: (*product).to_owned(),
                    reader: feeder::reader(at, place),
                })
                .collect(),
            printer: None,
            feeder: None,
            scanner: None,
        };
        let config = StationConfig {
            environment: Environment::Test,
            office: None,
            // Each run has a journal of its own, and so another name.
            shift: Some(Actor {
                station: format!("measured-{}", self.runs),
                person: "operator".into(),
            }),
            parking: Duration::from_secs(60),
            journal: self.journal(),
            slots: (0..slots).map(slot).collect(),
            catalogue: Catalogue::new(shelf("chips")?, shelf("documents")?),
        };
        let centre = Arc::new(Slow {
            centre: self.central.clone(),
            latency: Duration::from_secs_f64(latency),
        });
        let runtime = Handle::current();
        Ok(Station::start_in(surroundings, config, centre, runtime)?)
    }

    fn journal(&self) -> PathBuf {
        self.folder.path().join(format!("journal-{}.db", self.runs))
    }
}

/// Ends a slot's thread at a write of its journal, as a kill ends it there.
#[derive(Default)]
struct Cut {
    writes: AtomicU32,
    met: Notify,
}

impl WriteWatch for Cut {
    fn before(&self) -> rusqlite::Result<()> {
        if self.writes.fetch_add(1, Ordering::Relaxed) + 1 >= CUT_OFF {
            self.met.notify_one();
            // Nothing is said of it: it is no fault of anybody's.
            std::panic::resume_unwind(Box::new("cut off"));
        }
        Ok(())
    }

    fn after(&self, _: bool) {}
}

#[cfg(test)]
mod tests {
    use hsm::test_support;

    use super::*;

    #[test]
    fn a_station_is_measured_to_its_end() {
        let test = "station::tests::a_station_is_measured_to_its_end";
        test_support::with_private_tokens(test, || {
            let figures = measure("station").unwrap();
            let figures: Figures = serde_json::from_str(&figures).unwrap();
            let rows = shown(&figures);
            let named: Vec<_> = rows.iter().map(|row| row.name.clone()).collect();
            assert_eq!(named, names());
            // No slot is faster than its chip, and the chip takes its time.
            let rate = &rows[0];
            assert!(rate.ratio > Some(0.0) && rate.ratio < Some(1.0), "{rate:?}");
            assert!(figures.runs[0].own > 0.5, "{figures:?}");
            assert!(figures.runs[0].host > 0.0, "{figures:?}");
            assert!(figures.recovery.is_some());
        });
    }
}
