//! `zimogs profile released`: which profiles two people released as they are now.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use profile::{ProfileKind, ReleaseError, ReleaseShelf, Released};
use serde_json::{Value, json};

use crate::cli::failure::{Failure, Kind};
use crate::cli::profile::sign::prove;
use crate::cli::{output, releases, shipped};

/// Says which profiles are released as they are now, and by whom.
///
/// Exit code 5 where a release was altered or is about other texts than the profile's, 4 where
/// signatures are missing.
#[derive(Args)]
#[command(after_help = "\
Example:
  zimogs profile released --profiles profiles --releasers releasers.txt")]
pub(crate) struct Check {
    /// The profiles; all of them where none is named.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// The list of those whose signatures count: one verifier key a line.
    #[arg(long, value_name = "FILE")]
    releasers: PathBuf,
    /// A folder with chips/, documents/, certificates/, printers/ and sheets/ whose profiles are laid over the
    /// shipped ones; their releases are in releases/ in it.
    #[arg(long, value_name = "FOLDER")]
    profiles: Option<PathBuf>,
    /// Another folder with the releases: chips/NAME.release, documents/NAME.release and
    /// certificates/NAME.release in it.
    #[arg(long, value_name = "FOLDER")]
    releases: Option<PathBuf>,
    /// One JSON value instead of text.
    #[arg(long)]
    json: bool,
}

/// What was found out about one profile.
struct Verdict {
    about: Released,
    /// The names on the signatures, false ones too.
    signers: Vec<String>,
    judged: Result<Vec<String>, ReleaseError>,
}

impl Verdict {
    fn new(about: Released, shelf: &ReleaseShelf) -> Self {
        let release = shelf.release(about.kind(), about.name());
        let signers = |release: profile::Release| release.signers().map(str::to_owned).collect();
        Self {
            signers: release.map(signers).unwrap_or_default(),
            judged: shelf.judge(&about),
            about,
        }
    }

    fn state(&self) -> &'static str {
        match &self.judged {
            Ok(_) => "released",
            Err(error) if error.is_alteration() => "altered",
            Err(_) => "not released",
        }
    }

    /// The listed people whose signatures hold.
    fn people(&self) -> &[String] {
        match &self.judged {
            Ok(people) | Err(ReleaseError::TooFew { people, .. }) => people,
            Err(_) => &[],
        }
    }

    fn json(&self) -> Value {
        let fault = self.judged.as_ref().err().map(chain);
        json!({
            "kind": self.about.kind().name(), "name": self.about.name(),
            "digest": hex::encode(self.about.digest()), "extends": self.about.ancestors(),
            "state": self.state(), "people": self.people(), "signers": self.signers, "fault": fault,
        })
    }
}

/// Runs the command.
pub(crate) fn run(options: &Check) -> Result<ExitCode, Failure> {
    let profiles = shipped::profiles(options.profiles.as_deref())?;
    let beside = options.profiles.as_deref().unwrap_or(Path::new(""));
    let beside = beside.join(releases::FOLDER);
    let mut shelf = ReleaseShelf::default();
    releases::lay_over(&mut shelf, options.releases.as_deref().unwrap_or(&beside))?;
    shelf.set_releasers(releases::releasers(&options.releasers)?);

    let mut verdicts = Vec::new();
    for kind in ProfileKind::ALL {
        let texts = profiles.shelf(kind);
        let named =
            |name: &&str| options.names.is_empty() || options.names.iter().any(|n| n == name);
        for name in texts.names().filter(named) {
            verdicts.push(Verdict::new(prove(kind, texts, name)?, &shelf));
        }
    }
    for name in &options.names {
        let has = |kind| profiles.shelf(kind).names().any(|n| n == name);
        if !ProfileKind::ALL.into_iter().any(has) {
            let fault = format!("no profile is named \"{name}\"");
            return Err(Failure::new(Kind::Usage, fault).with_hint("--profiles FOLDER names more"));
        }
    }
    if options.json {
        output::json(&verdicts.iter().map(Verdict::json).collect::<Vec<_>>())?;
    } else {
        show(&verdicts)?;
    }
    conclude(&verdicts)
}

fn show(verdicts: &[Verdict]) -> Result<(), Failure> {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_header([
        "kind",
        "profile",
        "digest",
        "state",
        "signed by",
    ]);
    for verdict in verdicts {
        let mut digest = hex::encode(verdict.about.digest());
        digest.truncate(16);
        table.add_row([
            verdict.about.kind().name(),
            verdict.about.name(),
            &digest,
            verdict.state(),
            &verdict.people().join(", "),
        ]);
    }
    output::line(&table.to_string())
}

/// The exit code: what was altered weighs more than what is missing.
fn conclude(verdicts: &[Verdict]) -> Result<ExitCode, Failure> {
    let errors = || {
        verdicts
            .iter()
            .filter_map(|verdict| verdict.judged.as_ref().err())
    };
    let lines = |altered: bool| {
        let those = errors().filter(|error| error.is_alteration() == altered);
        those.map(chain).collect::<Vec<_>>()
    };
    let (altered, missing) = (lines(true), lines(false));
    match (altered.is_empty(), missing.is_empty()) {
        (true, true) => Ok(ExitCode::SUCCESS),
        (true, false) => Err(Failure::new(Kind::Refused, missing.join("\n  "))
            .with_hint("zimogs profile sign NAME --as PERSON --key KEY")),
        (false, _) => Err(
            Failure::new(Kind::Integrity, altered.join("\n  ")).with_hint(
                "find out who changed the profile or its release, and restore the right one",
            ),
        ),
    }
}

fn chain(error: &ReleaseError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
