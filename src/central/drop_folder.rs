//! The folder drop: registers lay packages down as files, and find answers and reports as files.
//!
//! ```text
//! FOLDER/inbox/SOURCE/*.json     packages; a source is served here once this folder is there
//!        outbox/SOURCE/          answers (NAME-DIGEST.answer.json), reports (report-NUMBER.json)
//!        done/SOURCE/            packages of which something was taken, for a week
//!        refused/SOURCE/         the others, for as long as the evidence is kept
//! ```
//!
//! Each step may be the last one before a crash: the package is taken (again: the same answer), the
//! answer is laid down whole under its name, the file is claimed, and only then it is filed. So the
//! next pass does what the last one left, and nothing twice. What a sender puts under the same name
//! meanwhile is another package; a file that cannot be read or moved is told, and holds up no other.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use api::PackageState;
use audit::{Control, Outcome};
use cert::jws::{Jws, JwsError};
use document::{DataClass, SourceName};

use crate::central::Central;
use crate::contention::retried;
use crate::drop_files::{
    at, claim, give_back, give_name, is_filed, is_package, labels, make_folder, names, private,
    read_whole, sync, write_part,
};
use crate::error::{CentralError, Result};
use crate::scribe::Deed;

/// How many days a package stays in the folder after it was taken.
pub const DROP_DONE_DAYS: i64 = 7;

/// How many days a refused package stays in the folder.
const REFUSED_DAYS: i64 = match DataClass::RefusedPackage.days() {
    Some(days) => days as i64,
    None => 0,
};

/// How long a file that is not whole may be on its way.
const QUIET: Duration = Duration::from_secs(60);

/// Most packages of one source in one pass: the others have their turn too.
const MAX_FILES: usize = 1000;

/// What one pass did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DropPass {
    /// The packages that were answered.
    pub packages: Vec<DroppedPackage>,
    /// Files that are not whole yet, and are left until they are.
    pub waiting: usize,
    /// Reports that were laid down.
    pub reports: usize,
    /// Files of packages that were removed since their term is over.
    pub erased: usize,
    /// What is wrong with files and folders here; they are tried again in the next pass.
    pub faults: Vec<String>,
}

impl DropPass {
    /// Notes what is wrong with one file, which holds up no other.
    fn unless_file<T>(&mut self, result: Result<T>) -> Result<Option<T>> {
        match result {
            Err(error @ CentralError::File { .. }) => {
                self.faults.push(error.chain());
                Ok(None)
            }
            result => result.map(Some),
        }
    }
}

/// A package that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DroppedPackage {
    /// Its source.
    pub source: String,
    /// The name of its file.
    pub file: String,
    /// What became of it.
    pub state: PackageState,
}

/// A pass over a folder.
struct Pass<'a> {
    central: &'a Central,
    folder: &'a Path,
    /// Steps that are left before it is cut off; for tests, which cut it off at each.
    left: AtomicUsize,
}

impl Central {
    /// Serves a drop folder once: takes packages, lays down answers and reports, removes what has
    /// been there for its term.
    ///
    /// # Errors
    /// [`CentralError::Conflict`] while another process serves the folder; [`CentralError::File`]
    /// for the folder itself; the token's and the database's failures. Whatever was begun is ended by the next pass.
    pub async fn serve_drop_folder(&self, folder: &Path) -> Result<DropPass> {
        self.serve_until(folder, usize::MAX).await
    }

    /// Serves a folder, and is cut off after so many steps.
    pub(crate) async fn serve_until(&self, folder: &Path, steps: usize) -> Result<DropPass> {
        make_folder(folder)?;
        let lock = folder.join(".lock");
        let turn = at(&lock, private().create(true).append(true).open(&lock))?;
        if turn.try_lock().is_err() {
            return Err(CentralError::conflict(
                "another process serves this folder; one is enough",
            ));
        }
        let pass = Pass {
            central: self,
            folder,
            left: AtomicUsize::new(steps),
        };
        let mut done = DropPass::default();
        for source in pass.sources()? {
            let served = pass.packages(&source, &mut done).await;
            done.unless_file(served)?;
            let served = pass.reports(&source, &mut done).await;
            done.unless_file(served)?;
        }
        pass.erase(&mut done).await?;
        Ok(done)
    }
}

impl Pass<'_> {
    /// Stands where a crash may come.
    fn step(&self) -> Result<()> {
        let step = |left: usize| left.checked_sub(1);
        let cut = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, step);
        cut.map(drop).map_err(|_| CentralError::Ending)
    }

    /// Returns the sources that have an inbox here, by name.
    fn sources(&self) -> Result<Vec<SourceName>> {
        let inbox = self.folder.join("inbox");
        make_folder(&inbox)?;
        let mut sources = Vec::new();
        for name in names(&inbox)? {
            match SourceName::parse(&name) {
                Ok(source) if inbox.join(&name).is_dir() => sources.push(source),
                _ => tracing::warn!("the inbox has something that is no source's folder"),
            }
        }
        Ok(sources)
    }

    fn place(&self, kind: &str, source: &SourceName) -> Result<PathBuf> {
        let folder = self.folder.join(kind);
        make_folder(&folder)?;
        let folder = folder.join(source.as_str());
        make_folder(&folder)?;
        Ok(folder)
    }

    async fn packages(&self, source: &SourceName, done: &mut DropPass) -> Result<()> {
        let inbox = self.folder.join("inbox").join(source.as_str());
        give_back(&inbox)?;
        let mut files: Vec<_> = names(&inbox)?
            .into_iter()
            .filter(|name| is_package(name))
            .collect();
        // Numbers without leading zeros are in order as well.
        files.sort_by_key(|name| (name.len(), name.clone()));
        files.truncate(MAX_FILES);
        // What is early waits for what is beside it, as long as anything is taken.
        let mut last_round = false;
        while !files.is_empty() {
            let mut early = Vec::new();
            let mut progress = false;
            for name in files {
                let served = self.package(source, &inbox, &name, last_round, done).await;
                match done.unless_file(served)? {
                    Some(Step::Done(state)) => progress |= state != PackageState::NotAdmitted,
                    Some(Step::Early) => early.push(name),
                    Some(Step::Waits) => done.waiting += 1,
                    None => {}
                }
            }
            last_round = !progress;
            files = early;
        }
        Ok(())
    }

    async fn package(
        &self,
        source: &SourceName,
        inbox: &Path,
        name: &str,
        last_round: bool,
        done: &mut DropPass,
    ) -> Result<Step> {
        let path = inbox.join(name);
        let Some((bytes, modified)) = read_whole(&path)? else {
            return Ok(Step::Waits);
        };
        let is_whole = !matches!(Jws::parse(&bytes, usize::MAX), Err(JwsError::CutOff));
        let age = SystemTime::now().duration_since(modified);
        if !is_whole && age.unwrap_or_default() < QUIET {
            return Ok(Step::Waits);
        }
        self.step()?;
        let answered = match self.central.answer_package(source.as_str(), &bytes).await {
            Ok(answered) => answered,
            // Unknown or removed: nobody is answered, and the package stays where it is.
            Err(CentralError::NotFound { .. } | CentralError::Refused { .. }) => {
                return Ok(Step::Waits);
            }
            Err(error) => return Err(error),
        };
        if answered.is_early && !last_round {
            return Ok(Step::Early);
        }
        self.step()?;
        let (stem, label) = labels(name, &bytes);
        let outbox = self.place("outbox", source)?;
        self.lay_down(&outbox, &format!("{label}.answer.json"), &answered.answer)?;
        self.step()?;
        let kind = match answered.state {
            PackageState::Taken | PackageState::Partly => "done",
            PackageState::Refused | PackageState::NotAdmitted => "refused",
        };
        let away = self.place(kind, source)?;
        let Some(claimed) = claim(inbox, name, &bytes)? else {
            return Ok(Step::Waits);
        };
        self.step()?;
        // Filed as a copy: its term runs from now on, and the file may be of another user.
        self.lay_down(&away, &format!("{label}.json"), &bytes)?;
        if kind == "done" {
            // It may have been refused before, as one that came too early.
            let refused = self.place("refused", source)?;
            let same = label.strip_prefix(stem).unwrap_or_default();
            for name in names(&refused)? {
                if name.ends_with(&format!("{same}.json")) {
                    at(&refused, fs::remove_file(refused.join(name)))?;
                }
            }
        }
        at(&claimed, fs::remove_file(&claimed))?;
        at(inbox, sync(inbox))?;
        self.step()?;
        done.packages.push(DroppedPackage {
            source: source.to_string(),
            file: name.to_owned(),
            state: answered.state,
        });
        Ok(Step::Done(answered.state))
    }

    /// Lays down the reports that a source was not given. What is laid down is given: a source
    /// knows a report by its number.
    async fn reports(&self, source: &SourceName, done: &mut DropPass) -> Result<()> {
        let mut last = match self.central.acknowledged(source).await {
            Ok(last) => last,
            Err(CentralError::NotFound { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        loop {
            let reports = self.central.reports(source, last).await?;
            let Some((until, _)) = reports.last() else {
                return Ok(());
            };
            let until = *until;
            let outbox = self.place("outbox", source)?;
            for (number, report) in &reports {
                self.step()?;
                self.lay_down(&outbox, &format!("report-{number:08}.json"), report)?;
                done.reports += 1;
            }
            self.step()?;
            self.central.acknowledge_reports(source, until).await?;
            last = until;
        }
    }

    /// Lays a file down, and stands before it gets its name.
    fn lay_down(&self, folder: &Path, name: &str, bytes: &[u8]) -> Result<()> {
        let part = write_part(folder, name, bytes)?;
        self.step()?;
        give_name(&part, folder, name)
    }

    /// Removes packages whose term is over.
    async fn erase(&self, done: &mut DropPass) -> Result<()> {
        for (kind, days) in [("done", DROP_DONE_DAYS), ("refused", REFUSED_DAYS)] {
            let place = self.folder.join(kind);
            if !place.is_dir() {
                continue;
            }
            let term = Duration::from_secs(86_400 * days.unsigned_abs());
            for source in names(&place)? {
                let folder = place.join(&source);
                let filed = names(&folder);
                let Some(filed) = done.unless_file(filed)? else {
                    continue;
                };
                for name in filed.into_iter().filter(|name| is_filed(name)) {
                    let path = folder.join(&name);
                    let erased = self.erase_after(term, days, &source, &name, &path).await;
                    if done.unless_file(erased)? == Some(true) {
                        done.erased += 1;
                    }
                }
            }
        }
        Ok(())
    }

    /// Removes a file whose term is over. Tells whether it was.
    async fn erase_after(
        &self,
        term: Duration,
        days: i64,
        source: &str,
        name: &str,
        path: &Path,
    ) -> Result<bool> {
        let changed = fs::symlink_metadata(path).and_then(|meta| meta.modified());
        let age = SystemTime::now().duration_since(at(path, changed)?);
        if age.unwrap_or_default() < term {
            return Ok(false);
        }
        retried!(self.erased(source, name, days))?;
        at(path, fs::remove_file(path))?;
        Ok(true)
    }

    /// Says in the log that a file is removed, before it is.
    async fn erased(&self, source: &str, name: &str, days: i64) -> Result<()> {
        let mut tx = self.central.write().await?;
        let reference = format!("{source}/{name}");
        let deed = Deed::new(
            "package.file-erased",
            Control::DELETION,
            "package",
            reference,
        )
        .with("days", days);
        let scribe = self.central.scribe();
        scribe
            .write(&mut tx, None, &deed, Outcome::Done, None)
            .await?;
        tx.commit().await?;
        Ok(())
    }
}

/// What became of a file in a pass.
enum Step {
    Done(PackageState),
    Early,
    Waits,
}
