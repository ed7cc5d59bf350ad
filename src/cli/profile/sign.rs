//! `zimogs profile sign`: a person signs the release of a profile.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use audit::CheckpointSigner;
use clap::Args;
use profile::{
    ChipProfile, DocumentProfile, ProfileKind, Release, ReleaseError, Released, SIGNATURES_NEEDED,
    Shelf, text_digest,
};
use serde_json::json;

use crate::cli::card::profiles::find;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::profile::found::{certificate, printer};
use crate::cli::profile::layouts;
use crate::cli::profile::signing_key::{KEY_FILES, PersonKey};
use crate::cli::{output, releases, shipped};

/// Signs the release of a profile, or makes the key to do so.
///
/// The profile is proved first; what is signed is its digest, which covers all that it extends.
/// Two people have to sign, each with a key of their own.
#[derive(Args)]
#[command(after_help = EXAMPLES, after_long_help = format!("{KEY_FILES}\n\n{EXAMPLES}"))]
pub(crate) struct Sign {
    /// A shipped profile, one of --profiles, or a profile's file.
    #[arg(
        value_name = "NAME|FILE",
        required_unless_present = "new_key",
        conflicts_with = "new_key"
    )]
    profile: Option<String>,
    /// Who signs: a name without spaces and plus signs, the one in releasers.txt.
    #[arg(long = "as", value_name = "PERSON")]
    person: String,
    /// The person's key.
    #[arg(long, required_unless_present = "new_key", conflicts_with = "new_key")]
    key: Option<PathBuf>,
    /// Makes a key instead, and prints the line for releasers.txt.
    #[arg(long, value_name = "KEY", conflicts_with_all = ["out", "kind", "profiles"])]
    new_key: Option<PathBuf>,
    /// The file of the release; by default NAME.release in releases/chips/, releases/documents/,
    /// releases/certificates/, releases/printers/ or releases/sheets/ beside the profile's folder.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Whether the profile is of a chip, a document, a certificate, a printer or a sheet (the layout of a
    /// letter, a list or a label), where name and folder do not say it.
    #[arg(long, value_name = "chip|document|certificate|printer|sheet", value_parser = parse_kind)]
    kind: Option<ProfileKind>,
    /// A folder with chips/, documents/, certificates/, printers/ and sheets/ whose profiles are laid over the
    /// shipped ones.
    #[arg(long, value_name = "FOLDER")]
    profiles: Option<PathBuf>,
    /// One JSON value instead of text.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  zimogs profile sign --new-key anna.pem --as anna
  zimogs profile sign my-profiles/chips/new-chip.toml --as anna --key anna.pem
  zimogs profile sign pin-envelope --as anna --key anna.pem --profiles my-profiles";

fn parse_kind(text: &str) -> Result<ProfileKind, String> {
    text.parse()
}

/// Runs the command.
pub(crate) fn run(options: &Sign) -> Result<ExitCode, Failure> {
    match (&options.new_key, &options.profile, &options.key) {
        (Some(path), ..) => new_key(options, path),
        (None, Some(profile), Some(key)) => sign(options, profile, key),
        _ => Err(Failure::new(Kind::Usage, "which profile, and which key?")),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn new_key(options: &Sign, path: &Path) -> Result<(), Failure> {
    let made = PersonKey::make(&options.person, path)?;
    let line = made.key().to_string();
    if options.json {
        let shown = path.display().to_string();
        output::json(&json!({ "person": options.person, "key": shown, "verifier_key": line }))
    } else {
        output::line(&line)
    }
}

fn sign(options: &Sign, profile: &str, key: &Path) -> Result<(), Failure> {
    let place = Place::find(profile, options.kind, options.profiles.as_deref())?;
    let about = prove(place.kind, &place.shelf, &place.name)?;
    let path = match &options.out {
        Some(path) => path.clone(),
        None => place.folder.join(about.file_name()),
    };
    let shown = path.display();
    let mut release = match releases::existing(&path)? {
        Some(release) => {
            release.check(&about).map_err(|error| {
                Failure::of(Kind::Refused, &error).with_hint(format!(
                    "if the profile was meant to change, remove {shown}: the new one needs every signature anew"
                ))
            })?;
            release
        }
        None => Release::new(about.clone()).or_fail(Kind::Failed)?,
    };
    let key = PersonKey::open(&options.person, key)?;
    release.sign(&key).map_err(|error| match error {
        ReleaseError::Sign { .. } => Failure::of(Kind::Device, &error),
        _ => Failure::of(Kind::Refused, &error),
    })?;
    releases::save(&path, &release.to_string())?;
    let signers: Vec<_> = release.signers().collect();
    if options.json {
        return output::json(&json!({
            "kind": about.kind().name(), "name": about.name(), "digest": hex::encode(about.digest()),
            "extends": about.ancestors(), "file": shown.to_string(), "verifier_key": key.key().to_string(),
            "signers": signers, "signatures": signers.len(), "needed": SIGNATURES_NEEDED,
        }));
    }
    let next = match SIGNATURES_NEEDED.saturating_sub(signers.len()) {
        0 => "zimogs profile released --releasers FILE says whether they hold".to_owned(),
        lacking => format!("{lacking} more needed"),
    };
    output::line(&format!(
        "{about}\n{shown}: {} of {SIGNATURES_NEEDED} signatures ({}); {next}",
        signers.len(),
        signers.join(", ")
    ))
}

/// Where a profile and its release are.
struct Place {
    kind: ProfileKind,
    shelf: Shelf,
    name: String,
    /// The folder of its release.
    folder: PathBuf,
}

impl Place {
    fn find(
        profile: &str,
        kind: Option<ProfileKind>,
        over: Option<&Path>,
    ) -> Result<Self, Failure> {
        let path = Path::new(profile);
        let shelves = shipped::profiles(over)?;
        let shelf_of = |kind| shelves.shelf(kind).clone();
        let which = |fault: String| {
            Failure::new(Kind::Usage, fault)
                .with_hint("say which: --kind chip, document, certificate, printer or sheet")
        };
        let of_profile = |ending: &OsStr| ending == "toml" || ending == "svg";
        if path.extension().is_some_and(of_profile) || path.is_file() {
            let folder = path.parent().unwrap_or(Path::new(""));
            let is_of = |kind: &ProfileKind| folder.ends_with(kind.folder());
            let of_folder = ProfileKind::ALL.into_iter().find(is_of);
            let kind = kind.or(of_folder).ok_or_else(|| {
                which(format!(
                    "{profile} is in no folder chips, documents, certificates, printers or sheets"
                ))
            })?;
            let (shelf, name) = find(shelf_of(kind), profile)?;
            let folder = match (of_folder, folder.parent()) {
                (Some(_), Some(above)) => above.join(releases::FOLDER).join(kind.folder()),
                _ => folder.to_owned(),
            };
            return Ok(Self {
                kind,
                shelf,
                name,
                folder,
            });
        }
        let has = |kind: &ProfileKind| shelf_of(*kind).names().any(|name| name == profile);
        let found: Vec<_> = ProfileKind::ALL.into_iter().filter(has).collect();
        let kind = match (kind, &found[..]) {
            (Some(kind), _) => kind,
            (None, [kind]) => *kind,
            // A name that nothing has is refused with the names that there are.
            (None, []) => ProfileKind::Chip,
            (None, kinds) => {
                let kinds: Vec<_> = kinds
                    .iter()
                    .map(|kind| format!("a {kind} profile"))
                    .collect();
                let fault = format!("\"{profile}\" is {}", kinds.join(" and "));
                return Err(which(fault));
            }
        };
        let folder = over.unwrap_or(Path::new(""));
        Ok(Self {
            kind,
            shelf: shelf_of(kind),
            name: profile.to_owned(),
            folder: folder.join(releases::FOLDER).join(kind.folder()),
        })
    }
}

/// Loads and proves a profile, and returns what its release is about.
pub(crate) fn prove(kind: ProfileKind, shelf: &Shelf, name: &str) -> Result<Released, Failure> {
    let about = match kind {
        ProfileKind::Chip => Released::chip(&ChipProfile::load(shelf, name).or_fail(Kind::Usage)?),
        ProfileKind::Document => {
            Released::document(&DocumentProfile::load(shelf, name).or_fail(Kind::Usage)?)
        }
        ProfileKind::Certificate => {
            certificate(shelf, name).or_fail(Kind::Usage)?;
            Released::certificate(name, shelf.text(name).unwrap_or_default())
        }
        ProfileKind::Printer => {
            printer(shelf, name).or_fail(Kind::Usage)?;
            Released::printer(name, &text_digest(shelf.text(name).unwrap_or_default()))
        }
        ProfileKind::Sheet => {
            let text = shelf.text(name).unwrap_or_default();
            layouts::prove_sheet(name, text)?;
            Released::sheet(name, text)
        }
    };
    about.or_fail(Kind::Usage)
}
