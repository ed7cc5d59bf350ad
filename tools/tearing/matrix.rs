//! The matrix: every recipe, every fault, every place; all of it, or a sample with a seed.

use std::collections::VecDeque;
use std::fmt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use hsm::SoftHsmFolder;
use tokio::runtime::{Builder, Runtime};

use crate::Failure;
use crate::case::{self, Tried};
use crate::dice::Dice;
use crate::fault::{Fault, Point, Seam};
use crate::installation::Installation;
use crate::recipe::{RECIPES, Recipe};
use crate::world::World;

/// What is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Everything.
    All,
    /// So many cases: every fault and every recipe at least once, if there are enough.
    Sample {
        /// How many.
        cases: usize,
        /// Where the dice begin.
        seed: u64,
    },
    /// Everything of one fault.
    Only(Fault),
    /// One case.
    Case {
        /// The recipe's name.
        recipe: String,
        /// Where it is torn.
        point: Point,
    },
}

impl Choice {
    /// Reads the identity of a case: `RECIPE/FAULT@PLACE`.
    ///
    /// # Errors
    /// In words, where it is none.
    pub fn case(id: &str) -> Result<Self, String> {
        let shape = "a case is named RECIPE/FAULT@PLACE, as in id-card/garbage@17";
        let (recipe, point) = id.split_once('/').ok_or(shape)?;
        let (fault, at) = point.split_once('@').ok_or(shape)?;
        let fault = fault.parse::<Fault>().map_err(|error| error.to_string())?;
        let at = at.parse().ok().filter(|at| *at > 0).ok_or(shape)?;
        if !RECIPES.iter().any(|known| known.name == recipe) {
            let names: Vec<_> = RECIPES.iter().map(|recipe| recipe.name).collect();
            return Err(format!(
                "no recipe is called \"{recipe}\"; there are {}",
                names.join(", ")
            ));
        }
        Ok(Self::Case {
            recipe: recipe.to_owned(),
            point: Point { fault, at },
        })
    }

    fn needs(&self, recipe: &Recipe) -> bool {
        match self {
            Self::Case { recipe: named, .. } => named == recipe.name,
            _ => true,
        }
    }
}

/// How far it is.
#[derive(Debug)]
pub enum Progress<'a> {
    /// So many worlds are founded of so many.
    Founded(usize, usize),
    /// So many cases there are.
    Begins(usize),
    /// This one was tried.
    Tried(&'a Tried),
}

/// A case that is to be tried.
type Case = (Arc<World>, Point);

/// Whether somebody wants it to end: what is under way is ended, and nothing more is begun.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Has it end.
    pub fn now(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Returns whether it is to end.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The matrix, ready to be tried.
pub struct Matrix {
    installation: Arc<Installation>,
    worlds: Vec<Arc<World>>,
    workers: usize,
}

impl fmt::Debug for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Matrix({} worlds)", self.worlds.len())
    }
}

fn id_of((world, point): &Case) -> String {
    format!("{}/{point}", world.recipe.name)
}

/// What one worker works at, and its answers.
fn work<T: Send, R: Send>(
    things: Vec<T>,
    workers: usize,
    act: &(dyn Fn(&Runtime, T) -> R + Sync),
    heard: &mut dyn FnMut(R) -> bool,
) -> Result<(), Failure> {
    let queue = Mutex::new(VecDeque::from(things));
    let runtime = || {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).enable_all().build()
    };
    let (answers, received) = channel();
    std::thread::scope(|scope| {
        for _ in 0..workers {
            let runtime = runtime()?;
            let (answers, queue): (Sender<R>, _) = (answers.clone(), &queue);
            scope.spawn(move || {
                loop {
                    let next = queue
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .pop_front();
                    let Some(next) = next else {
                        break;
                    };
                    if answers.send(act(&runtime, next)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(answers);
        for answer in received {
            if !heard(answer) {
                queue.lock().unwrap_or_else(PoisonError::into_inner).clear();
            }
        }
        Ok(())
    })
}

impl Matrix {
    /// Founds the worlds that a choice needs, with a token in the folder that the environment names
    /// ([`in_token`]). `workers` cases are tried at once.
    ///
    /// # Errors
    /// Where a token, a profile or a whole personalization fails, and where it was to stop.
    pub fn found(
        choice: &Choice,
        workers: usize,
        stop: &Stop,
        watch: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Self, Failure> {
        let installation = Arc::new(Installation::found()?);
        let wanted = RECIPES.into_iter().enumerate();
        let wanted: Vec<_> = wanted.filter(|(_, recipe)| choice.needs(recipe)).collect();
        let (total, mut founded, mut failure) = (wanted.len(), Vec::new(), None);
        let found = |runtime: &Runtime, (at, recipe): (usize, Recipe)| {
            let world = runtime.block_on(World::found(&installation, recipe));
            world.map(|world| (at, Arc::new(world)))
        };
        // One after another: SoftHSM does not always make a key while others search the same token.
        work(wanted, 1, &found, &mut |world| {
            match world {
                Ok(world) => founded.push(world),
                Err(error) => failure = Some(error),
            }
            watch(Progress::Founded(founded.len(), total));
            failure.is_none() && !stop.is_wanted()
        })?;
        if stop.is_wanted() {
            return Err("stopped before anything was tried".into());
        }
        if let Some(error) = failure {
            return Err(error);
        }
        founded.sort_unstable_by_key(|(at, _)| *at);
        Ok(Self {
            installation,
            worlds: founded.into_iter().map(|(_, world)| world).collect(),
            workers,
        })
    }

    /// Returns what a whole personalization of each recipe passes: commands, writes, calls, orders.
    pub fn wholes(&self) -> impl Iterator<Item = (&'static str, [u64; Seam::ALL.len()])> {
        let worlds = self.worlds.iter();
        worlds.map(|world| {
            let counts = Seam::ALL.map(|seam| world.counts.of(seam));
            (world.recipe.name, counts)
        })
    }

    /// Returns how many cases there are in all.
    #[must_use]
    pub fn size(&self) -> u64 {
        let all = self.worlds.iter().flat_map(|world| {
            let faults = Fault::ALL.into_iter();
            faults.map(|fault| world.places(fault))
        });
        all.sum()
    }

    fn cases(&self, choice: &Choice) -> Vec<Case> {
        let all = |only: Option<Fault>| {
            let mut cases = Vec::new();
            for world in &self.worlds {
                for fault in Fault::ALL {
                    if only.is_none_or(|only| only == fault) {
                        let places = 1..=world.places(fault);
                        let points = places.map(|at| Point { fault, at });
                        cases.extend(points.map(|point| (Arc::clone(world), point)));
                    }
                }
            }
            cases
        };
        match choice {
            Choice::All => all(None),
            Choice::Only(fault) => all(Some(*fault)),
            Choice::Case { point, .. } => {
                let worlds = self.worlds.iter();
                worlds.map(|world| (Arc::clone(world), *point)).collect()
            }
            Choice::Sample { cases, seed } => self.sampled(*cases, *seed),
        }
    }

    /// Returns the identity of the case behind so many from one on, in the order in which a choice is tried:
    /// where it goes on that was stopped.
    #[must_use]
    pub fn next(&self, choice: &Choice, from: Option<&str>, tried: usize) -> Option<String> {
        let cases = self.cases(choice);
        let first = from.map_or(Some(0), |from| {
            cases.iter().position(|case| id_of(case) == from)
        });
        cases.get(first? + tried).map(id_of)
    }

    /// Draws cases: fault after fault, each with the recipe whose turn it is, where it can happen.
    fn sampled(&self, cases: usize, seed: u64) -> Vec<Case> {
        let mut dice = Dice::new(seed);
        let mut turns: Vec<_> = (0..self.worlds.len()).collect();
        let mut drawn = Vec::new();
        for fault in Fault::ALL.into_iter().cycle().take(cases) {
            let can = |world: &World| world.places(fault) > 0;
            let is_able = |turn: &usize| self.worlds.get(*turn).is_some_and(|world| can(world));
            let Some(place) = turns.iter().position(is_able) else {
                continue;
            };
            // Whoever had its turn comes last.
            let turn = turns.remove(place);
            turns.push(turn);
            if let Some(world) = self.worlds.get(turn) {
                let at = 1 + dice.throw(world.places(fault));
                drawn.push((Arc::clone(world), Point { fault, at }));
            }
        }
        drawn
    }

    /// Tries what was chosen, until all of it is or it is to stop; in its order, `from` a case on.
    ///
    /// # Errors
    /// Where there is no such case, and where one cannot be tried; what is found in one is no error.
    pub fn run(
        &self,
        choice: &Choice,
        from: Option<&str>,
        stop: &Stop,
        watch: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Vec<Tried>, Failure> {
        let mut cases = self.cases(choice);
        if let Some(from) = from {
            let first = cases.iter().position(|case| id_of(case) == from);
            let first = first.ok_or_else(|| format!("no case of these is \"{from}\""))?;
            cases.drain(..first);
        }
        watch(Progress::Begins(cases.len()));
        let (mut all, mut failure) = (Vec::new(), None);
        let attempt = |runtime: &Runtime, (world, point): Case| {
            let tried = runtime.block_on(case::run(&self.installation, &world, Some(point)));
            tried.map_err(|error| format!("{}/{point}: {error}", world.recipe.name))
        };
        work(cases, self.workers, &attempt, &mut |tried| {
            match tried {
                Ok(tried) => {
                    watch(Progress::Tried(&tried));
                    all.push(tried);
                }
                Err(error) => failure = Some(error),
            }
            failure.is_none() && !stop.is_wanted()
        })?;
        match failure {
            Some(error) => Err(error.into()),
            None => Ok(all),
        }
    }
}

/// Prepares a program that is about to be started so that it finds tokens of its own in a folder:
/// SoftHSM2 learns its folder when it starts.
///
/// # Errors
/// Where the folder cannot be made.
pub fn in_token(folder: &Path, program: &mut Command) -> Result<(), Failure> {
    SoftHsmFolder::prepare(folder)?.apply(program);
    Ok(())
}
