//! `zimogs print sheet`: a letter or a list with invented data, as its layout has it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use print::SheetKind;
use serde_json::json;

use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::{files, output, shipped};

/// Options of `print sheet`.
#[derive(Args)]
pub(crate) struct Sheet {
    /// Which.
    #[arg(
        value_name = "SHEET",
        value_parser = PossibleValuesParser::new(SheetKind::ALL.map(SheetKind::name))
            .try_map(|name| SheetKind::named(&name).ok_or("no such sheet"))
    )]
    sheet: SheetKind,
    /// The PDF that is written; it must not be there yet.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Folder with more profiles, `sheets/*.svg` in it; one of the same name takes the place of the
    /// shipped one.
    #[arg(long, value_name = "FOLDER")]
    profiles: Option<PathBuf>,
    /// One JSON value instead of text.
    #[arg(long)]
    json: bool,
}

/// Renders it.
pub(crate) fn run(options: &Sheet) -> Result<ExitCode, Failure> {
    let layout = shipped::profiles(options.profiles.as_deref())?.sheet(options.sheet)?;
    let pdf = layout.sample().or_fail(Kind::Failed)?;
    files::write_new(&options.out, &pdf)?;
    match options.json {
        true => output::json(&json!({ "sheet": options.sheet.name(), "file": options.out }))?,
        false => output::line(&options.out.display().to_string())?,
    }
    Ok(ExitCode::SUCCESS)
}
