//! A batch as it was planned: NAME.batch.json. It is written once, before anything is made.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cli::batch::queue::Queued;
use crate::cli::card::runs::write_whole;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::files;

/// The longest plan that is read, in bytes: a million documents.
const LONGEST: usize = 256 << 20;

/// A planned batch.
#[derive(Serialize, Deserialize)]
pub(crate) struct Plan {
    /// The form of this file.
    format: String,
    /// When it was planned.
    pub(crate) planned: Timestamp,
    /// What was asked for.
    pub(crate) asked: String,
    /// The documents.
    pub(crate) documents: Vec<Queued>,
}

const FORMAT: &str = "zimogs-batch/v1";

impl Plan {
    /// Plans these documents.
    pub(crate) fn new(asked: &str, documents: Vec<Queued>) -> Self {
        Self {
            format: FORMAT.to_owned(),
            planned: Timestamp::now(),
            asked: asked.to_owned(),
            documents,
        }
    }

    /// Reads a plan.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let bytes = files::read(path, LONGEST)?;
        let wrong = || {
            let fault = format!("{} is no plan of a batch", path.display());
            Failure::new(Kind::Usage, fault)
                .with_hint("zimogs batch run writes one: NAME.batch.json")
        };
        let plan: Self = serde_json::from_slice(&bytes).map_err(|_| wrong())?;
        match plan.format == FORMAT {
            true => Ok(plan),
            false => Err(wrong()),
        }
    }

    /// Writes the plan, where none is yet.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Failure> {
        files::be_free(path)?;
        let bytes = serde_json::to_vec_pretty(self).or_fail(Kind::Failed)?;
        write_whole(path, &bytes).or_fail(Kind::Failed)
    }
}

/// Returns where the results of a plan stand: NAME.results.jsonl.
pub(crate) fn results_of(plan: &Path) -> PathBuf {
    let name = plan
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_default();
    let stem = name.strip_suffix(".batch.json").unwrap_or(&name);
    plan.with_file_name(format!("{stem}.results.jsonl"))
}
