//! One case: the station meets its fault, is started again with the same journal and the same card
//! in its slot, and gets the next blank where that one is no document.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::{BlankEnd, Centre};
use central::{Central, DocumentLine};
use document::Environment;
use document::life_cycle::DocumentState;
use station::{
    Catalogue, Event, Happening, Patience, SlotChip, SlotConfig, SlotPrinter, Station,
    StationConfig, Surroundings,
};
use tokio::runtime::Handle;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::Failure;
use crate::authority::Outside;
use crate::bench::{Bench, Service};
use crate::carried::{self, Lines, Passing};
use crate::disk::{Disk, Lasting};
use crate::fault::{Fault, Point};
use crate::installation::{Installation, actor, operator, operator_at};
use crate::judge::{self, Expected, Verdict};
use crate::network::Network;
use crate::printer::Press;
use crate::recipe::Recipe;
use crate::trip::{Counts, Trip};
use crate::world::{World, reader, temporary};

/// How long a station may take for a blank before it is said to hang.
const LONGEST: Duration = Duration::from_secs(120);
/// How long the station waits for its centre here, so that an authority that never answers is tried
/// in little time.
const ANSWER: Duration = Duration::from_secs(60);
const CERTIFICATE: Duration = Duration::from_secs(6);
const PAUSE: Duration = Duration::from_millis(2);
/// How often a person puts a printer right in one case.
const SERVICES: usize = 8;
/// More documents than a case has.
pub(crate) const ALL: u32 = 100;

/// What was tried, and what came of it.
#[derive(Clone, Debug)]
pub struct Tried {
    /// The recipe's name.
    pub recipe: &'static str,
    /// Its chips.
    pub chip: String,
    /// What went wrong; nothing in a whole run.
    pub point: Option<Point>,
    /// Whether it went wrong: signatures differ in length, and so runs by a command or two.
    pub is_met: bool,
    /// What came of it.
    pub verdict: Verdict,
    /// What must not be, in words.
    pub findings: Vec<String>,
    /// What happened, in order.
    pub told: Vec<String>,
    /// How long it took.
    pub seconds: f64,
    /// What the first life passed.
    pub counts: Counts,
    /// What the second life passed, where it may be killed.
    pub(crate) second: Counts,
    /// What was left of it.
    pub(crate) left: Expected,
}

impl Tried {
    /// Returns its identity, by which it is tried again.
    #[must_use]
    pub fn id(&self) -> String {
        match self.point {
            Some(point) => format!("{}/{point}", self.recipe),
            None => self.recipe.to_owned(),
        }
    }
}

/// How a blank ended, as the slot said it.
#[derive(Debug)]
pub(crate) enum End {
    Finished(BlankEnd),
    NeedsPerson(String),
    Idle,
    Killed,
    Hangs,
}

impl End {
    /// Tells whether no other blank is put in after it.
    pub(crate) fn is_last(&self) -> bool {
        let made = BlankEnd::Personalized;
        matches!(self, Self::Idle | Self::Hangs)
            || matches!(self, Self::Finished(end) if *end == made)
    }

    pub(crate) fn told(&self) -> String {
        match self {
            Self::Finished(BlankEnd::Personalized) => "personalized".into(),
            Self::Finished(BlankEnd::Spoiled { cause }) => format!("spoiled: {cause}"),
            Self::Finished(BlankEnd::Untouched { cause }) => format!("untouched: {cause}"),
            Self::NeedsPerson(reason) => format!("needs a person: {reason}"),
            Self::Idle => "nothing to do".into(),
            Self::Killed => "killed".into(),
            Self::Hangs => "it hangs".into(),
        }
    }
}

/// What a case plays in.
pub(crate) struct Scene<'a> {
    world: &'a World,
    pub(crate) central: Central,
    outside: Arc<Outside>,
    pub(crate) bench: Arc<Bench>,
    /// The slot's printer, where the recipe has one.
    press: Option<Press>,
    pub(crate) clock: Arc<Passing>,
    /// The station that lives, and its journal.
    pub(crate) station: &'static str,
    pub(crate) journal: PathBuf,
    /// The journal of the first station.
    pub(crate) first_journal: PathBuf,
    /// Of the journal little gets through that nobody waits for.
    is_bad: bool,
    /// How often the machine was started.
    boots: u32,
}

/// One life of the station.
pub(crate) struct Life {
    pub(crate) station: Station,
    pub(crate) events: Receiver<Event>,
    pub(crate) trip: Arc<Trip>,
    pub(crate) has_printer: bool,
}

/// Returns how a station is set up whose slot has these readers, and this printer.
pub(crate) fn config(
    recipe: &Recipe,
    journal: &Path,
    readers: &[String],
    printer: Option<SlotPrinter>,
) -> Result<StationConfig, Failure> {
    let chips = recipe.chips.iter().zip(readers);
    let chips = chips.map(|(chip, reader)| SlotChip {
        product: chip.profile.into(),
        reader: reader.clone(),
    });
    Ok(StationConfig {
        environment: Environment::Test,
        office: None,
        shift: Some(operator()),
        // A card whose store is gone is given up after the patience, not held.
        parking: Duration::ZERO,
        journal: journal.to_owned(),
        slots: vec![SlotConfig {
            name: "slot 1".into(),
            article: None,
            chips: chips.collect(),
            printer,
            feeder: None,
            scanner: None,
        }],
        catalogue: Catalogue::new(recipe.chip_shelf()?, recipe.document_shelf()?),
    })
}

impl Scene<'_> {
    pub(crate) const FIRST: &'static str = "station-1";
    pub(crate) const SECOND: &'static str = "station-2";

    /// Tells whether the document is made.
    async fn is_made(&self) -> Result<bool, Failure> {
        let documents = (self.central)
            .document_lines_after(&actor("clerk"), "", ALL)
            .await?;
        let made = |line: &DocumentLine| line.state == DocumentState::Personalized;
        Ok(documents.iter().any(made))
    }

    /// Starts the station. Its slot begins when somebody watches.
    /// Inside: the life, or what it met where it was killed before its slot began.
    pub(crate) async fn begin(
        &self,
        point: Option<Point>,
    ) -> Result<Result<Life, Arc<Trip>>, Failure> {
        let trip = Arc::new(Trip::armed(point));
        self.outside.follow(&trip);
        self.bench.open(false);
        let surroundings = Surroundings {
            readers: Arc::new(Service {
                bench: Arc::clone(&self.bench),
                trip: Arc::clone(&trip),
            }),
            writes: Arc::new(Disk {
                trip: Arc::clone(&trip),
                lasting: point
                    .filter(|point| point.fault == Fault::PowerLost)
                    .map(|_| Lasting::of(&self.journal)),
            }),
            patience: Patience {
                answer: ANSWER,
                certificate: CERTIFICATE,
                pauses: vec![PAUSE; 3],
            },
            clock: Arc::clone(&self.clock) as Arc<dyn station::Clock>,
            boot: Some(format!("boot {}", self.boots)),
            ..Surroundings::default()
        };
        let network = Network {
            centre: Arc::new(self.central.clone()) as Arc<dyn Centre>,
            trip: Arc::clone(&trip),
            lines: Lines::over(self.is_bad),
        };
        let recipe = &self.world.recipe;
        let readers: Vec<_> = (0..recipe.chips.len()).map(reader).collect();
        let press = self.press.as_ref();
        let printer = press.map(|press| press.of_slot(&trip)).transpose()?;
        let mut config = config(recipe, &self.journal, &readers, printer)?;
        config.shift = Some(operator_at(self.station));
        let runtime = Handle::current();
        let starting = move || Station::start_in(surroundings, config, Arc::new(network), runtime);
        let station = match tokio::task::spawn_blocking(starting).await {
            Err(error) if error.is_panic() && trip.is_met() => return Ok(Err(trip)),
            started => started??,
        };
        let events = station.watch();
        self.bench.open(true);
        Ok(Ok(Life {
            station,
            events,
            trip,
            has_printer: self.press.is_some(),
        }))
    }

    /// Puts right what a fault left, as a person does.
    fn serviced(&self) {
        match &self.press {
            Some(press) => {
                self.bench.plug_in();
                press.service();
            }
            None => self.bench.put_back(),
        }
    }

    /// Lives once, until the first blank is through or the fault is met. Returns what it passed, and
    /// how it ended.
    async fn live(&self, point: Option<Point>) -> Result<(Arc<Trip>, String), Failure> {
        let lived = match self.begin(point).await? {
            Ok(mut life) => {
                let told = life.end().await.told();
                (life.stop().await?, told)
            }
            Err(trip) => (trip, End::Killed.told()),
        };
        self.serviced();
        Ok(lived)
    }
}

impl Life {
    /// Waits until the slot is through with the blank in it.
    pub(crate) async fn end(&mut self) -> End {
        let deadline = tokio::time::sleep(LONGEST);
        tokio::pin!(deadline);
        loop {
            let event = tokio::select! {
                event = self.events.recv() => event,
                () = self.trip.killed() => return End::Killed,
                () = &mut deadline => return End::Hangs,
            };
            match event.map(|event| event.happening) {
                Ok(Happening::Finished { end, .. }) => return End::Finished(end),
                Ok(Happening::NeedsPerson { reason }) => return End::NeedsPerson(reason),
                // What stops a printer does not always pass by itself.
                Ok(Happening::OutOfService { reason }) if self.has_printer => {
                    return End::NeedsPerson(reason);
                }
                Ok(Happening::NothingToDo) => return End::Idle,
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return End::Killed,
            }
        }
    }

    /// Stops the station, which finishes what it is at.
    pub(crate) async fn stop(self) -> Result<Arc<Trip>, Failure> {
        let (station, trip) = (self.station, self.trip);
        let stopping = move || {
            station.stop();
            drop(station);
        };
        tokio::task::spawn_blocking(stopping).await?;
        Ok(trip)
    }
}

/// Tries one case.
pub(crate) async fn run(
    installation: &Installation,
    world: &World,
    point: Option<Point>,
) -> Result<Tried, Failure> {
    let started = Instant::now();
    let folder = temporary()?;
    let (store, journal) = world.copy(folder.path())?;
    let outside = installation.authority();
    let recipe = &world.recipe;
    let (bench, clock) = (Arc::<Bench>::default(), Arc::<Passing>::default());
    let authority = Arc::clone(&outside);
    let carried = point.and_then(|point| {
        let fault = point.fault.at_first_station()?;
        Some(Point { fault, ..point })
    });
    // Each second place: the network is bad, and the dead station comes back when all is done.
    let is_odd = point.is_some_and(|point| point.at % 2 == 1);
    let mut scene = Scene {
        world,
        central: installation
            .central_by(recipe, &store, authority, carried::shared(&clock))
            .await?,
        outside,
        press: recipe
            .printed
            .map(|_| Press::start(&bench, &world.blanks))
            .transpose()?,
        bench,
        clock,
        station: Scene::FIRST,
        first_journal: journal.clone(),
        journal,
        is_bad: carried.is_some() && is_odd,
        boots: 1,
    };
    let mut told = Vec::new();
    let mut blanks = world.blanks.iter();
    let mut in_slot = blanks.next().ok_or("no blank")?;
    if scene.press.is_none() {
        scene.bench.change(in_slot.chips()?);
    }
    let again = point.and_then(|point| {
        let fault = point.fault.in_second_life()?;
        Some(Point { fault, ..point })
    });
    let at_first = match again {
        Some(_) => Some(world.middle()),
        None => carried.or(point),
    };
    let (first, ended) = scene.live(at_first).await?;
    told.push(format!("at first {ended}"));
    let mut is_met = first.is_met();
    let mut passed = Counts::default();
    if point.is_some_and(|point| point.fault == Fault::PowerLost) && is_met {
        Lasting::of(&scene.journal).lose_the_rest()?;
        scene.boots += 1;
    }
    if again.is_some() {
        let (second, ended) = scene.live(again).await?;
        told.push(format!("started again {ended}"));
        is_met &= second.is_met();
        passed = second.counts();
    }

    if carried.is_some() {
        scene.move_leases(&mut told).await?;
        if !is_odd {
            scene.come_back(&mut told).await?;
        }
        scene.leave_station()?;
    }

    let mut used = Vec::new();
    let mut services = 0;
    let life = scene.begin(None).await?;
    let mut life = life.map_err(|_| "a station without a fault was killed")?;
    let mut end = life.end().await;
    told.push(format!("then {}", end.told()));
    while !end.is_last() && !scene.is_made().await? {
        if scene.press.is_some() {
            services += 1;
            if services > SERVICES {
                break;
            }
            scene.serviced();
            life.station.order("slot 1", true);
            end = life.end().await;
            told.push(format!("then {}", end.told()));
            continue;
        }
        let Some(next) = blanks.next() else {
            break;
        };
        used.push((in_slot, scene.bench.take()));
        in_slot = next;
        scene.bench.change(in_slot.chips()?);
        end = life.end().await;
        told.push(format!("with the next blank {}", end.told()));
    }
    life.stop().await?;
    if carried.is_some() && is_odd {
        scene.come_back(&mut told).await?;
    }
    match &scene.press {
        Some(press) => used = press.used(&scene.bench, &world.blanks),
        None => used.push((in_slot, scene.bench.take())),
    }

    let after = judge::After {
        world,
        central: &scene.central,
        outside: &scene.outside,
        journals: vec![
            (Scene::FIRST, &scene.first_journal),
            (scene.station, &scene.journal),
        ],
        store: &store,
        used,
    };
    let judgement = judge::judge(after).await?;
    scene.central.close().await;
    Ok(Tried {
        recipe: recipe.name,
        chip: recipe.chip(),
        point,
        is_met,
        verdict: judgement.verdict(),
        findings: judgement.findings(),
        told,
        seconds: started.elapsed().as_secs_f64(),
        counts: first.counts(),
        second: passed,
        left: judgement.left,
    })
}
