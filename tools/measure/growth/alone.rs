//! Parts that have a process of their own, since memory that was used once is not given back: the
//! figure is the most that such a process had, its program and its libraries with it.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use api::{ApiError, Centre};
use central::{Central, CentralError, PersonQuery};
use document::life_cycle::{ApplicationState, DocumentState};
use jiff::{ToSpan, Zoned};
use report::{By, Span};
use tokio::runtime::{Handle, Runtime};
use vcard::Chip;

use super::house::{CODE, House, actor};
use super::looks::{self, PAGE};
use super::station::{Station, asked_again};
use super::{database, label};
use crate::memory;

/// How many people and stations work at once.
const AT_ONCE: u32 = 8;

/// How many documents each station makes, and how often each person asks for every list.
const EACH: u32 = if cfg!(test) { 1 } else { 12 };

type Done<T> = Result<T, Box<dyn Error>>;

/// A part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// Leases, reports and lists by eight at once.
    Load,
    /// The audit of the books.
    Audit,
}

/// What a part took.
pub(super) struct Taken {
    /// Seconds, where they are measured.
    pub(super) seconds: f64,
    /// Megabytes at most.
    pub(super) memory: f64,
}

/// Measures a part in a process of its own, in the store that this process founded and closed.
#[cfg(not(test))]
pub(super) fn measure(part: Part, url: &str, documents: u32, house: &House) -> Done<Taken> {
    use std::process::Command;

    use clap::ValueEnum;

    let part = part.to_possible_value().ok_or("a part without a name")?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--growth-part", part.get_name(), "--growth", url]);
    command.arg("--sizes").arg(documents.to_string());
    let applications = house.applications().to_string();
    let output = command.arg("--applications").arg(applications).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    taken(&String::from_utf8_lossy(&output.stdout))
}

/// A test's program is another one.
#[cfg(test)]
pub(super) fn measure(part: Part, url: &str, documents: u32, house: &House) -> Done<Taken> {
    taken(&run(part, url, documents, house.applications())?)
}

fn taken(said: &str) -> Done<Taken> {
    let mut figures = said.split_whitespace().map(str::parse);
    match (figures.next(), figures.next()) {
        (Some(seconds), Some(memory)) => Ok(Taken {
            seconds: seconds?,
            memory: memory?,
        }),
        _ => Err(format!("no figures: {said}").into()),
    }
}

/// Does a part, as this process was started for, in a store of so many documents; so many
/// applications were made in it beside the copies. Returns seconds and megabytes.
pub(crate) fn run(part: Part, url: &str, documents: u32, applications: u32) -> Done<String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let mut house = House::found_by_another(database(url)?, &label(documents), applications)?;
    let central = runtime.block_on(house.open())?;
    let seconds = match part {
        Part::Load => load(&runtime, &mut house, &central).map(|()| 0.0),
        Part::Audit => runtime.block_on(looks::audit(&central)),
    };
    runtime.block_on(central.close());
    Ok(format!("{} {}", seconds?, memory::most()?))
}

/// Has stations make documents and people ask for lists, all at once, while the sequencer works.
fn load(runtime: &Runtime, house: &mut House, central: &Central) -> Done<()> {
    let laid = house.prepare(central, AT_ONCE * EACH, false);
    let mut chips = runtime.block_on(laid)?.into_iter().flatten();
    let ended = Arc::new(AtomicBool::new(false));
    let sequencer = {
        let (central, ended) = (central.clone(), Arc::clone(&ended));
        runtime.spawn(async move {
            while !ended.load(Ordering::Relaxed) {
                central.sequence().await?;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            central.sequence().await.map(drop)
        })
    };
    let done = thread::scope(|scope| {
        let mut all = Vec::new();
        for number in 1..=AT_ONCE {
            let chips: Vec<_> = chips.by_ref().take(EACH as usize).collect();
            let handle = runtime.handle();
            all.push(scope.spawn(move || work(handle, central, number, chips)));
        }
        for one in all {
            one.join().map_err(|_| "one of those at work fell")??;
        }
        Done::Ok(())
    });
    ended.store(true, Ordering::Relaxed);
    runtime.block_on(sequencer)??;
    done
}

/// What one of them does. What goes wrong is told in words, to whoever waits for the thread.
fn work(handle: &Handle, central: &Central, number: u32, chips: Vec<Chip>) -> Result<(), String> {
    let work = async {
        let mut station = Station::new(&format!("station-loaded-{number}"), 0)?;
        for chip in chips {
            let request = Station::request();
            let lease = asked_again!(
                ApiError::Unavailable,
                central.lease(&station.actor, &request)
            )?;
            let lease = lease.ok_or("the queue is empty")?;
            let report = station.make(central, &lease, chip).await?;
            asked_again!(
                ApiError::Unavailable,
                central.report(&station.actor, &report)
            )?;
            ask(central).await?;
        }
        Done::Ok(())
    };
    handle.block_on(work).map_err(|error| error.to_string())
}

/// Asks for every list and the reports of a year.
async fn ask(central: &Central) -> Done<()> {
    let (auditor, clerk) = (actor("auditor"), actor("clerk"));
    let person = PersonQuery {
        code: Some(CODE.into()),
        ..PersonQuery::default()
    };
    asked_again!(CentralError::Busy, central.search(&clerk, &person))?;
    let until = Zoned::now().date();
    let year = Span::new(until.checked_sub(1.year())?, until)?;
    let received = Some(ApplicationState::Received);
    central
        .applications_after(&clerk, received, "", PAGE)
        .await?;
    for state in [None, Some(DocumentState::Queued)] {
        central.documents_after(&auditor, state, "", PAGE).await?;
    }
    central.document_lines_after(&auditor, "", PAGE).await?;
    central.leases_after(&auditor, "", PAGE).await?;
    central.parcels_after(&auditor, true, "", PAGE).await?;
    central.deliveries_after(&auditor, "", PAGE).await?;
    central.stock(&auditor).await?;
    central.number_figures(&auditor).await?;
    central.waiting(&auditor).await?;
    central.tallies(&auditor, year).await?;
    central.delays(&auditor, year, By::Office).await?;
    Ok(())
}
