//! Layouts that no document profile names, proved: letters, lists and labels.

use std::path::{Path, PathBuf};

use print::{Layout, LayoutError, SheetKind, SheetLayout};
use profile::{DocumentProfile, ProfileKind, Shelf};

use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::profile::paint::Fault;
use crate::cli::shipped::{self, FACES, LABEL};

/// A layout at hand.
pub(crate) struct FoundLayout {
    /// `sheet` or `layout`.
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    /// Its file, as a person finds it.
    pub(crate) file: String,
    text: String,
}

impl FoundLayout {
    fn new(kind: &'static str, name: &str, text: &str, over: Option<&Path>) -> Self {
        let folder = match kind {
            SHEET => ProfileKind::Sheet.folder(),
            _ => FACES,
        };
        let own = over.map(|over| over.join(folder).join(format!("{name}.svg")));
        Self {
            kind,
            name: name.to_owned(),
            file: match own.filter(|path| path.is_file()) {
                Some(path) => path.display().to_string(),
                None => format!("shipped:{folder}/{name}.svg"),
            },
            text: text.to_owned(),
        }
    }

    /// Proves it; returns its fault.
    pub(crate) fn fault(&self) -> Option<Fault> {
        let proved = match self.kind {
            SHEET => parse(&self.name, &self.text),
            _ => Ok(Layout::parse(&self.name, &self.text).map(|_| ())),
        };
        match proved {
            Err(unknown) => Some(Fault::without_place(self.file.clone(), unknown)),
            Ok(Err(error)) => Some(Fault::of_layout(&error, self.file.clone(), &self.text)),
            Ok(Ok(())) => None,
        }
    }
}

const SHEET: &str = ProfileKind::Sheet.name();
const LAYOUT: &str = "layout";

/// Parses the layout of a letter, a list or a label; the outer error says that nothing has that name.
fn parse(name: &str, text: &str) -> Result<Result<(), LayoutError>, String> {
    if name == LABEL {
        return Ok(Layout::parse(name, text).map(|_| ()));
    }
    let kind = SheetKind::named(name).ok_or_else(|| {
        let known = SheetKind::ALL.map(SheetKind::name).join(", ");
        format!("no sheet is named \"{name}\": there are {known}, {LABEL}")
    })?;
    Ok(SheetLayout::parse(kind, text).map(|_| ()))
}

/// Proves the layout of a letter, a list or a label.
pub(crate) fn prove_sheet(name: &str, text: &str) -> Result<(), Failure> {
    let parsed = parse(name, text).map_err(|unknown| Failure::new(Kind::Usage, unknown))?;
    parsed.or_fail(Kind::Usage)
}

/// Returns every sheet, and the layouts that no document profile names.
pub(crate) fn all(over: Option<&Path>) -> Result<Vec<FoundLayout>, Failure> {
    let profiles = shipped::profiles(over)?;
    let sheets = profiles.sheets.names();
    let sheets = sheets.filter_map(|name| Some((name, profiles.sheets.text(name)?)));
    let mut found: Vec<_> = sheets
        .map(|(name, text)| FoundLayout::new(SHEET, name, text, over))
        .collect();
    let named = named_by_documents(&profiles.documents);
    for name in profiles.documents.layouts() {
        if let Some(text) = profiles.documents.layout(name)
            && !named.iter().any(|other| other == name)
        {
            found.push(FoundLayout::new(LAYOUT, name, text, over));
        }
    }
    Ok(found)
}

fn named_by_documents(documents: &Shelf) -> Vec<String> {
    let all = documents.names();
    // One with a fault is told of by itself.
    let sound = all.filter_map(|name| DocumentProfile::load(documents, name).ok());
    let faces = sound.flat_map(|profile| profile.faces);
    faces.map(|face| face.layout).collect()
}

/// Returns the layout that a person named: a file that ends in .svg, or one of [`all`]; none where
/// there is none of that name.
pub(crate) fn named(name: &str, over: Option<&Path>) -> Result<Option<FoundLayout>, Failure> {
    let path = PathBuf::from(name);
    if path.extension().is_none_or(|ending| ending != "svg") {
        return Ok(all(over)?.into_iter().find(|found| found.name == name));
    }
    let text = std::fs::read_to_string(&path).or_fail(Kind::Usage)?;
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let kind = match SheetKind::named(&stem) {
        None if stem != LABEL => LAYOUT,
        _ => SHEET,
    };
    Ok(Some(FoundLayout {
        kind,
        name: stem.into_owned(),
        file: name.to_owned(),
        text,
    }))
}
