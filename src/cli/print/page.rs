//! `zimogs print page`: a PDF on a printer of pages.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use print::{PageContent, PageJob};
use serde_json::json;

use super::device::{self, Device, Opened};
use crate::cli::failure::{Failure, Kind};
use crate::cli::{files, output};

/// The longest PDF, in bytes.
const MOST: usize = 64 << 20;
/// The longest name of a job, in bytes.
const LONGEST: usize = 64;

/// Options of `print page`.
#[derive(Args)]
pub(crate) struct Page {
    /// The PDF.
    file: PathBuf,
    #[command(flatten)]
    device: Device,
    /// One JSON value instead of text.
    #[arg(long)]
    json: bool,
}

/// Prints a PDF, once, and says where it is.
pub(crate) fn run(options: &Page) -> Result<ExitCode, Failure> {
    let shown = options.file.display();
    let pdf = files::read(&options.file, MOST)?;
    if !pdf.starts_with(b"%PDF-") {
        return Err(Failure::new(Kind::Usage, format!("{shown} is no PDF")));
    }
    let profile = options.device.profile()?;
    let Opened::Pages(mut printer, None) = options.device.open(profile)? else {
        let fault = format!("{} prints no pages", options.device.printer);
        return Err(Failure::new(Kind::Usage, fault)
            .with_hint("name the profile of one that does: ipp-a4, folder"));
    };
    let name = job_name(&options.file);
    let job = PageJob {
        name: &name,
        content: PageContent::Pdf(&pdf),
    };
    let receipt = printer.print(&job).map_err(|error| device::page(&error))?;
    match options.json {
        true => output::json(&json!({
            "printer": options.device.at, "profile": options.device.printer, "name": name,
            "place": receipt.place, "job": receipt.job,
        }))?,
        false => output::line(&format!("printed: {}", receipt.place))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns what the job of a file is called: its name, of letters that mean nothing to a printer.
fn job_name(file: &std::path::Path) -> String {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let allowed = |letter: char| match letter {
        'A'..='Z' | 'a'..='z' | '0'..='9' | '_' => letter,
        _ => '-',
    };
    let name: String = stem.chars().map(allowed).take(LONGEST).collect();
    match name.is_empty() {
        true => "page".to_owned(),
        false => name,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_job_is_called_as_its_file() {
        assert_eq!(job_name(Path::new("/x/list 1.pdf")), "list-1");
        assert_eq!(job_name(Path::new(".pdf")), "-pdf");
        assert_eq!(job_name(Path::new("/")), "page");
        assert_eq!(job_name(Path::new(&"ž".repeat(99))).len(), LONGEST);
    }
}
