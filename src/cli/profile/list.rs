//! `zimogs profile list`: the profiles at hand.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use pki::CertificateProfile;
use print::PrinterProfile;
use profile::{ChipProfile, DocumentProfile, NumberSource, ObjectKind};
use serde::Serialize;

use crate::cli::card::tables;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::profile::found::{self, Found, Proved};
use crate::cli::profile::paint::Fault;

/// Options of `profile list`.
#[derive(Args)]
pub(crate) struct List {
    /// Folder with more profiles, `chips/*.toml`, `documents/*.toml`, `certificates/*.toml` and
    /// `printers/*.toml` in it; one of the same name takes the place of the shipped one.
    #[arg(long)]
    profiles: Option<PathBuf>,
    /// One JSON value instead of a table.
    #[arg(long)]
    json: bool,
}

/// One profile. Fields may be added, never renamed.
#[derive(Serialize)]
struct Line {
    kind: &'static str,
    name: String,
    file: String,
    shipped: bool,
    valid: bool,
    title: Option<String>,
    /// Of a chip: `contact` or `contactless`.
    interface: Option<String>,
    /// Of a chip: how the issuer's channel is opened.
    channel: Option<String>,
    /// What a chip has, which chips a document has, which keys get such a certificate, or what a printer
    /// speaks and prints.
    has: Vec<String>,
    /// SHA-256 over the profile and what it extends, hexadecimal: what a lease pins.
    digest: Option<String>,
    fault: Option<Fault>,
}

/// Lists the profiles.
pub(crate) fn run(options: &List) -> Result<ExitCode, Failure> {
    let found = found::all(options.profiles.as_deref())?;
    let lines: Vec<Line> = found.iter().map(Line::of).collect();
    if options.json {
        output::json(&lines)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = tables::headed([
        "kind",
        "name",
        "title",
        "interface",
        "channel",
        "has",
        "digest",
        "",
    ]);
    for line in &lines {
        let digest = line.digest.as_deref().unwrap_or_default();
        table.add_row([
            line.kind,
            &line.name,
            line.title.as_deref().unwrap_or_default(),
            line.interface.as_deref().unwrap_or_default(),
            line.channel.as_deref().unwrap_or_default(),
            &line.has.join(", "),
            digest.get(..12).unwrap_or(digest),
            if line.valid { "valid" } else { "FAULTY" },
        ]);
    }
    output::line(&table.to_string())?;
    if lines.iter().any(|line| !line.valid) {
        output::line("what is wrong: zimogs profile check")?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Line {
    fn of(found: &Found) -> Self {
        let mut line = Self {
            kind: found.kind.name(),
            name: found.name.clone(),
            file: found.path(),
            shipped: found.is_shipped(),
            valid: true,
            title: None,
            interface: None,
            channel: None,
            has: Vec::new(),
            digest: None,
            fault: None,
        };
        match found.prove() {
            Ok(proved) => {
                line.digest = found.digest(&proved).map(hex::encode);
                match proved {
                    Proved::Chip(chip) => line.chip(&chip),
                    Proved::Document(document) => line.document(&document),
                    Proved::Certificate(certificate) => line.certificate(&certificate),
                    Proved::Printer(printer) => line.printer(&printer),
                }
            }
            Err(error) => {
                line.valid = false;
                line.fault = Some(Fault::of(error, found));
            }
        }
        line
    }

    fn chip(&mut self, chip: &ChipProfile) {
        self.title = Some(chip.title.clone());
        self.interface = Some(chip.interface.to_string());
        self.channel = Some(chip.channel.to_string());
        for (kind, one, many) in [
            (ObjectKind::Application, "application", "applications"),
            (ObjectKind::File, "file", "files"),
            (ObjectKind::Data, "data object", "data objects"),
            (ObjectKind::Pin, "PIN", "PINs"),
            (ObjectKind::Key, "key", "keys"),
            (ObjectKind::KeySet, "key set", "key sets"),
        ] {
            match chip.objects(kind).count() {
                0 => {}
                1 => self.has.push(format!("1 {one}")),
                count => self.has.push(format!("{count} {many}")),
            }
        }
    }

    fn certificate(&mut self, certificate: &CertificateProfile) {
        let algorithms = certificate.algorithms();
        self.has
            .extend(algorithms.map(|algorithm| format!("{algorithm} keys")));
    }

    fn printer(&mut self, printer: &PrinterProfile) {
        self.title = Some(printer.title().to_owned());
        self.has.push(printer.protocol().to_owned());
        let Some(capabilities) = printer.capabilities() else {
            return;
        };
        for (side, panels) in [("front", &capabilities.front), ("back", &capabilities.back)] {
            let names: Vec<_> = panels.iter().map(|panel| panel.name()).collect();
            if !names.is_empty() {
                self.has.push(format!("{side}: {}", names.join(" and ")));
            }
        }
        self.has.push(format!("{} dpi", capabilities.resolution));
    }

    fn document(&mut self, document: &DocumentProfile) {
        self.title = Some(document.title.clone());
        if let Some(article) = &document.article {
            self.has.push(format!("article {article}"));
        }
        if document.number == NumberSource::Blank {
            self.has.push("the blank's number".to_owned());
        }
        for chip in &document.chips {
            self.has
                .push(format!("{} {}", chip.interface, chip.products.join(" or ")));
        }
    }
}
