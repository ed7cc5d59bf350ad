//! `zimogs profile check`: proves profiles, and that documents fit their chips.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use profile::{ChipProfile, DocumentProfile, ProfileKind};
use serde::Serialize;

use crate::cli::failure::{Failure, Kind};
use crate::cli::output;
use crate::cli::profile::found::{self, Found, Proved};
use crate::cli::profile::layouts::{self, FoundLayout};
use crate::cli::profile::paint::Fault;

/// Options of `profile check`.
#[derive(Args)]
pub(crate) struct Check {
    /// Files, or names of profiles, letters, lists and labels; without any all that there are.
    #[arg(value_name = "FILE|NAME")]
    profiles_named: Vec<String>,
    /// Folder with more profiles, `chips/*.toml`, `documents/*.toml`, `certificates/*.toml`,
    /// `printers/*.toml`, `faces/*.svg` and `sheets/*.svg` in it; one of the same name takes the place of the shipped one.
    #[arg(long)]
    profiles: Option<PathBuf>,
    /// One JSON value instead of text.
    #[arg(long)]
    json: bool,
}

/// What came of one profile. Fields may be added, never renamed.
#[derive(Serialize)]
struct Verdict {
    kind: &'static str,
    name: String,
    file: String,
    valid: bool,
    faults: Vec<Fault>,
    warnings: Vec<Fault>,
}

/// Proves the profiles.
pub(crate) fn run(options: &Check) -> Result<ExitCode, Failure> {
    let over = options.profiles.as_deref();
    let (mut found, mut layouts) = (Vec::new(), Vec::new());
    for name in &options.profiles_named {
        match layouts::named(name, over)? {
            Some(layout) => layouts.push(layout),
            None => found.extend(found::named(name, over)?),
        }
    }
    if options.profiles_named.is_empty() {
        found = found::all(over)?;
        layouts = layouts::all(over)?;
    }
    let chips = chips_at_hand(&found, over)?;
    let mut verdicts = Vec::new();
    for found in &found {
        verdicts.push(judge(found, &chips)?);
    }
    verdicts.extend(layouts.iter().map(Verdict::of_layout));
    let faulty = verdicts.iter().filter(|verdict| !verdict.valid).count();
    if options.json {
        output::json(&verdicts)?;
    } else {
        for verdict in &verdicts {
            output::line(&verdict.text())?;
        }
        let count = verdicts.len();
        output::line(&match faulty {
            0 => format!("{count} checked, none faulty"),
            _ => format!("{count} checked, {faulty} faulty"),
        })?;
    }
    Ok(match faulty {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::from(Kind::Usage as u8),
    })
}

/// Returns the sound chip profiles, those that were named among them, for the documents that want
/// them.
fn chips_at_hand(
    named: &[Found],
    over: Option<&std::path::Path>,
) -> Result<BTreeMap<String, Arc<ChipProfile>>, Failure> {
    let all = found::all(over)?;
    let mut chips = BTreeMap::new();
    for found in all.iter().chain(named) {
        if found.kind == ProfileKind::Chip
            && let Ok(Proved::Chip(chip)) = found.prove()
        {
            chips.insert(chip.name.clone(), Arc::from(chip));
        }
    }
    Ok(chips)
}

fn judge(found: &Found, chips: &BTreeMap<String, Arc<ChipProfile>>) -> Result<Verdict, Failure> {
    let mut verdict = Verdict {
        kind: found.kind.name(),
        name: found.name.clone(),
        file: found.path(),
        valid: true,
        faults: Vec::new(),
        warnings: Vec::new(),
    };
    match found.prove() {
        Err(error) => verdict.faults.push(Fault::of(error, found)),
        Ok(Proved::Chip(chip)) => {
            let odd = chip.warnings().iter();
            verdict
                .warnings
                .extend(odd.map(|odd| Fault::warning(odd, found)));
            found::warnings(&chip)
                .into_iter()
                .for_each(|odd| verdict.warn(odd));
        }
        Ok(Proved::Document(document)) => {
            verdict.products(&document, chips)?;
            verdict.layouts(&document, found);
        }
        Ok(Proved::Certificate(_) | Proved::Printer(_)) => {}
    }
    verdict.valid = verdict.faults.is_empty();
    Ok(verdict)
}

impl Verdict {
    fn of_layout(layout: &FoundLayout) -> Self {
        let faults: Vec<_> = layout.fault().into_iter().collect();
        Self {
            kind: layout.kind,
            name: layout.name.clone(),
            file: layout.file.clone(),
            valid: faults.is_empty(),
            faults,
            warnings: Vec::new(),
        }
    }

    fn warn(&mut self, what: String) {
        let odd = Fault::without_place(self.file.clone(), what);
        self.warnings.push(odd);
    }

    fn products(
        &mut self,
        document: &DocumentProfile,
        chips: &BTreeMap<String, Arc<ChipProfile>>,
    ) -> Result<(), Failure> {
        let products = document.chips.iter().flat_map(|chip| &chip.products);
        for product in products {
            match chips.get(product) {
                None => self.warn(format!(
                    "no sound chip profile \"{product}\" is at hand: whether the two fit is not known; name its file in the same command, or a folder of profiles by --profiles"
                )),
                Some(chip) => {
                    if let Some(fault) = found::mismatch(document, chip)? {
                        let fault = Fault::without_place(self.file.clone(), fault);
                        self.faults.push(fault);
                    }
                }
            }
        }
        Ok(())
    }

    /// Proves the layouts of its faces, and that their zones are those of its kinds.
    fn layouts(&mut self, document: &DocumentProfile, found: &Found) {
        for face in &document.faces {
            let name = &face.layout;
            let fault = match found.layout(name) {
                None => Some(format!(
                    "no layout is named \"{name}\": write faces/{name}.svg"
                )),
                Some(text) => match print::Layout::parse(name, text) {
                    Err(error) => Some(format!("faces/{error}")),
                    Ok(layout) => layout.mismatch(&document.kinds),
                },
            };
            if let Some(fault) = fault {
                let fault = Fault::without_place(self.file.clone(), fault);
                self.faults.push(fault);
            }
        }
    }

    fn text(&self) -> String {
        let mut lines = vec![format!(
            "{} {} \"{}\" ({})",
            if self.valid { "valid " } else { "FAULTY" },
            self.kind,
            self.name,
            self.file
        )];
        lines.extend(self.faults.iter().map(Fault::text));
        let warnings = self.warnings.iter();
        lines.extend(warnings.map(|odd| format!("  warning: {}", odd.line())));
        lines.join("\n")
    }
}
