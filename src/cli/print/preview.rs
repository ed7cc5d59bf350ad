//! `zimogs print preview`: the faces of a document as pictures.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser as _;
use document::{
    Application, DocumentNumber, Environment, Kind as DocumentKind, MAX_APPLICATION_BYTES, Mrz,
    Record, Validity,
};
use jiff::Zoned;
use jiff::civil::Date;
use print::{Facts, Layout, Rendering};
use profile::{DocumentProfile, Shelf};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::{files, output, shipped};

/// Options of `print preview`.
#[derive(Args)]
pub(crate) struct Preview {
    /// The application: JSON, format 1.
    #[arg(value_name = "APPLICATION.json")]
    application: PathBuf,
    /// The folder that the pictures go to; it is made if it is missing, and pictures of the same
    /// name are replaced.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Renders it as if it were for this kind of document.
    #[arg(long, value_name = "KIND")]
    kind: Option<DocumentKind>,
    /// The document's number. Numbers of XA to XZ are a test's, and always say SPECIMEN.
    #[arg(long, value_name = "NUMBER", default_value = "XA0000001")]
    number: DocumentNumber,
    /// The day of issue; today, if it is left out. Example: 2026-11-20
    #[arg(long, value_name = "DAY")]
    issued: Option<Date>,
    /// Dots an inch, whatever the layouts say.
    #[arg(
        long,
        value_parser = PossibleValuesParser::new(["300", "600"])
            .try_map(|dots| dots.parse::<u16>())
    )]
    dpi: Option<u16>,
    /// A PDF beside each picture, as large as the document.
    #[arg(long)]
    pdf: bool,
    /// Each panel beside its picture, as printers take it: KIND-FACE.PANEL.png.
    #[arg(long)]
    panels: bool,
    /// SPECIMEN over every face.
    #[arg(long)]
    specimen: bool,
    /// Folder with more profiles, `documents/*.toml` and `faces/*.svg` in it; one of the
    /// same name takes the place of the shipped one.
    #[arg(long, value_name = "FOLDER")]
    profiles: Option<PathBuf>,
    /// One JSON value instead of text.
    #[arg(long)]
    json: bool,
}

/// What was rendered. Fields may be added, never renamed.
#[derive(Serialize)]
struct Rendered {
    kind: DocumentKind,
    number: DocumentNumber,
    profile: String,
    specimen: bool,
    /// The lines of the machine readable zone.
    mrz: Vec<String>,
    faces: Vec<RenderedFace>,
}

/// One face.
#[derive(Serialize)]
struct RenderedFace {
    name: String,
    layout: String,
    dpi: u16,
    width: u32,
    height: u32,
    panels: Vec<&'static str>,
    files: Vec<PathBuf>,
}

/// Files that are written when all is rendered.
type Files = Vec<(PathBuf, Zeroizing<Vec<u8>>)>;

/// Renders the faces.
pub(crate) fn run(options: &Preview) -> Result<ExitCode, Failure> {
    let day = options.issued.unwrap_or_else(|| Zoned::now().date());
    let application = application(&options.application, day)?;
    let kind = options.kind.unwrap_or(application.kind);
    let shelf = shipped::profiles(options.profiles.as_deref())?.documents;
    let profile = profile_of(&shelf, kind)?;
    let record = record(&application, kind, options.number, day)?;
    let zone = profile.zone(&record).or_fail(Kind::Failed)?;
    let mrz = zone.iter().flat_map(Mrz::lines).map(str::to_owned);
    let is_test = Environment::Test.owns(options.number.prefix());
    let mut rendered = Rendered {
        kind,
        number: options.number,
        profile: profile.name.clone(),
        specimen: options.specimen || is_test,
        mrz: mrz.collect(),
        faces: Vec::new(),
    };
    let authority = profile.authority().unwrap_or_default();
    let facts = Facts::of(
        &record,
        zone,
        authority,
        application.portrait.clone(),
        application.signature.clone(),
    );
    let mut files = Files::new();
    for face in &profile.faces {
        let layout = layout(&shelf, &face.layout)?;
        let dots = options.dpi.unwrap_or(layout.dots);
        let how = Rendering {
            dots,
            specimen: rendered.specimen,
        };
        let stem = format!("{kind}-{}", face.name);
        let printed = layout.render(&facts, how).map_err(|error| {
            let failure = Failure::of(Kind::Failed, &error);
            Failure::new(Kind::Failed, format!("{stem}: {}", failure.message()))
                .with_hint("nothing was written; correct the application or the layout")
        })?;
        let preprint = layout.render_preprint(dots).or_fail(Kind::Failed)?;
        let start = files.len();
        let mut add = |name: String, bytes| files.push((options.out.join(name), bytes));
        add(format!("{stem}.png"), printed.png(&preprint));
        if options.pdf {
            add(format!("{stem}.pdf"), printed.pdf(&preprint));
        }
        if options.panels {
            for (panel, raster) in &printed.panels {
                add(format!("{stem}.{}.png", panel.name()), raster.png(dots));
            }
        }
        rendered.faces.push(RenderedFace {
            name: face.name.clone(),
            layout: face.layout.clone(),
            dpi: dots,
            width: preprint.width,
            height: preprint.height,
            panels: printed
                .panels
                .iter()
                .map(|(panel, _)| panel.name())
                .collect(),
            files: files
                .iter()
                .skip(start)
                .map(|(path, _)| path.clone())
                .collect(),
        });
    }
    write(&options.out, &files)?;
    if options.json {
        output::json(&rendered)?;
    } else {
        for (path, _) in &files {
            output::line(&path.display().to_string())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn application(path: &Path, today: Date) -> Result<Application, Failure> {
    let bytes = Zeroizing::new(files::read(path, MAX_APPLICATION_BYTES)?);
    Application::parse(&bytes, today).map_err(|faults| {
        let faults: Vec<_> = faults.iter().map(|fault| format!("\n  {fault}")).collect();
        let fault = format!("{} is no application:{}", path.display(), faults.concat());
        Failure::new(Kind::Usage, fault).with_hint("docs/schemas/application-1.json says what is")
    })
}

/// Returns the document profile that serves a kind, and has faces.
fn profile_of(shelf: &Shelf, kind: DocumentKind) -> Result<DocumentProfile, Failure> {
    let mut serving = BTreeMap::new();
    for name in shelf.names() {
        let profile = DocumentProfile::load(shelf, name).or_fail(Kind::Usage)?;
        if profile.kinds.contains(&kind) {
            serving.insert(name, profile);
        }
    }
    let faceless = serving.keys().copied().collect::<Vec<_>>().join(", ");
    let mut with_faces = serving
        .into_values()
        .filter(|profile| !profile.faces.is_empty());
    with_faces.next().ok_or_else(|| match faceless.as_str() {
        "" => Failure::new(
            Kind::Usage,
            format!("no document profile serves the kind {kind}"),
        )
        .with_hint("write it into \"kinds\" of a document profile"),
        named => Failure::new(
            Kind::Usage,
            format!("the document profile {named} has no faces"),
        )
        .with_hint("write [[faces]] with \"name\" and \"layout\""),
    })
}

fn record(
    application: &Application,
    kind: DocumentKind,
    number: DocumentNumber,
    day: Date,
) -> Result<Record, Failure> {
    let validity = Validity::of(kind, application.holder.birth_date, day).or_fail(Kind::Usage)?;
    Ok(Record {
        number,
        kind,
        issued: validity.issued(),
        expires: validity.expires(),
        holder: application.holder.clone(),
        certificates: application.carries_certificates(day),
        prepared: BTreeMap::new(),
    })
}

/// Reads a layout of the shelf.
fn layout(shelf: &Shelf, name: &str) -> Result<Layout, Failure> {
    let text = shelf.layout(name).ok_or_else(|| {
        Failure::new(Kind::Usage, format!("no layout is named \"{name}\"")).with_hint(format!(
            "known are {}; a layout is a file in faces/",
            shelf.layouts().collect::<Vec<_>>().join(", ")
        ))
    })?;
    Layout::parse(name, text).or_fail(Kind::Usage)
}

/// Writes the files, each whole or not at all, for their owner alone: they show a person.
fn write(folder: &Path, files: &Files) -> Result<(), Failure> {
    let failed = |path: &Path, error: &dyn std::fmt::Display| {
        Failure::new(
            Kind::Failed,
            format!("{} cannot be written: {error}", path.display()),
        )
    };
    std::fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    for (path, bytes) in files {
        let draft = tempfile::NamedTempFile::new_in(folder).and_then(|mut draft| {
            draft.write_all(bytes)?;
            draft.as_file().sync_all()?;
            Ok(draft)
        });
        let draft = draft.map_err(|error| failed(path, &error))?;
        draft.persist(path).map_err(|error| failed(path, &error))?;
    }
    Ok(())
}
