//! What a check of an installation or a station found, each with what to do about it.

use std::path::Path;

use serde::Serialize;

use crate::cli::failure::{Failure, Kind};
use crate::cli::output;

/// How little room on a disk is told, and how little fails, in bytes.
const LITTLE: u64 = 2 << 30;
const TOO_LITTLE: u64 = 200 << 20;
/// How something was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Passed,
    Warned,
    Failed,
}

/// What was found of one thing.
#[derive(Debug, Serialize)]
struct Finding {
    /// What was looked at.
    check: String,
    verdict: Verdict,
    /// What was found.
    said: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// The exit code that it is worth.
    exit: u8,
}

/// All that was found.
#[derive(Default)]
pub(crate) struct Findings(Vec<Finding>);

impl Findings {
    /// It is as it should be.
    pub(crate) fn passed(&mut self, check: impl Into<String>, said: impl Into<String>) {
        self.put(check, Verdict::Passed, said.into(), None, 0);
    }

    /// It serves, and somebody should look.
    pub(crate) fn warned(&mut self, check: impl Into<String>, said: impl Into<String>, next: &str) {
        self.put(check, Verdict::Warned, said.into(), Some(next.into()), 0);
    }

    /// It does not serve.
    pub(crate) fn failed(
        &mut self,
        check: impl Into<String>,
        kind: Kind,
        said: impl Into<String>,
        next: &str,
    ) {
        let next = Some(next.to_owned()).filter(|next| !next.is_empty());
        self.put(check, Verdict::Failed, said.into(), next, kind as u8);
    }

    /// It could not be looked at, or does not serve.
    pub(crate) fn fault(&mut self, check: impl Into<String>, failure: &Failure) {
        let next = failure.hint().map(str::to_owned);
        let said = failure.message().to_owned();
        self.put(check, Verdict::Failed, said, next, failure.kind() as u8);
    }

    fn put(
        &mut self,
        check: impl Into<String>,
        verdict: Verdict,
        said: String,
        next: Option<String>,
        exit: u8,
    ) {
        self.0.push(Finding {
            check: check.into(),
            verdict,
            said,
            next,
            exit,
        });
    }

    /// Looks whether the disk has room for what is written next.
    pub(crate) fn disk(&mut self, folder: &Path) {
        match rustix::fs::statvfs(folder) {
            Err(error) => {
                let said = format!("the disk under {} does not tell: {error}", folder.display());
                let next = "look whether the folder is there, and whether its disk is mounted";
                self.failed("disk", Kind::Failed, said, next);
            }
            Ok(disk) => {
                let free = disk.f_bavail.saturating_mul(disk.f_frsize);
                let said = format!("{} MiB are free under {}", free >> 20, folder.display());
                match free {
                    0..TOO_LITTLE => self.failed("disk", Kind::Failed, said, "make room"),
                    TOO_LITTLE..LITTLE => self.warned("disk", said, "make room soon"),
                    _ => self.passed("disk", said),
                }
            }
        }
    }

    /// Tells all of it. Fails with the highest exit code of what failed.
    pub(crate) fn tell(&self, as_json: bool) -> Result<(), Failure> {
        let found = &self.0;
        if as_json {
            output::json(&found)?;
        } else {
            for one in found {
                let mark = match one.verdict {
                    Verdict::Passed => "passed",
                    Verdict::Warned => "WARNED",
                    Verdict::Failed => "FAILED",
                };
                output::line(&format!("{mark}  {}: {}", one.check, one.said))?;
                if let Some(next) = &one.next {
                    output::line(&format!("        try: {next}"))?;
                }
            }
        }
        let failed = || found.iter().filter(|one| one.verdict == Verdict::Failed);
        let worst = failed().map(|one| one.exit).max();
        let kind = match worst {
            None => return Ok(()),
            Some(5) => Kind::Integrity,
            Some(4) => Kind::Refused,
            Some(3) => Kind::Device,
            Some(2) => Kind::Usage,
            Some(_) => Kind::Failed,
        };
        let message = format!("{} of {} checks failed", failed().count(), found.len());
        Err(Failure::new(kind, message))
    }
}
