//! The faces of a document: which layouts are printed on it.

use std::collections::BTreeSet;

use document::mrz::Conventions;
use document::{Mrz, Record};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::chip_file::Text;
use crate::chip_load::Loader;
use crate::document::{DocumentProfile, is_article};
use crate::document_lds::PreparationError;
use crate::error::{ProfileError, nearest};
use crate::source::{Place, Shelf};

/// One face of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentFace {
    /// Its name: `front`, `back`.
    pub name: String,
    /// The name of its layout.
    pub layout: String,
    /// Where the layout is named.
    place: Place,
}

/// One face of a document.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DocumentFaceFile {
    /// Its name, as a preview's file has it behind the kind: "front", "back".
    name: Text,
    /// The name of its layout: of a file in faces/, without .svg.
    layout: Text,
}

/// Reads the faces, each with a name of its own.
pub(crate) fn load(
    loader: &Loader<'_>,
    faces: Vec<DocumentFaceFile>,
) -> Result<Vec<DocumentFace>, ProfileError> {
    let mut names = BTreeSet::new();
    let mut loaded = Vec::new();
    for face in faces {
        for text in [&face.name, &face.layout] {
            if !is_article(text.get_ref()) {
                return loader.fault(
                    text.span(),
                    format!("\"{}\" names neither a face nor a layout", text.get_ref()),
                    "1 to 64 of a-z, 0-9 and -",
                );
            }
        }
        if !names.insert(face.name.get_ref().clone()) {
            return loader.fault(
                face.name.span(),
                format!("two faces are named \"{}\"", face.name.get_ref()),
                "give each a name of its own: its preview is a file of that name",
            );
        }
        loaded.push(DocumentFace {
            place: loader.sources.place(face.layout.span().start),
            name: face.name.into_inner(),
            layout: face.layout.into_inner(),
        });
    }
    Ok(loaded)
}

impl DocumentProfile {
    /// Checks that there is a layout for every face. What a layout says is proved where it is read.
    ///
    /// # Errors
    /// The first face for which there is none, with its place.
    pub fn check_layouts(&self, shelf: &Shelf) -> Result<(), ProfileError> {
        let mut faces = self.faces.iter();
        match faces.find(|face| shelf.layout(&face.layout).is_none()) {
            None => Ok(()),
            Some(face) => Err(ProfileError::Invalid {
                place: face.place.clone(),
                fault: format!("no layout is named \"{}\"", face.layout),
                hint: nearest(&face.layout, shelf.layouts()),
            }),
        }
    }

    /// Returns the machine-readable zone of a document, as its face shows it: where it has a travel chip,
    /// the one that DG1 holds. None where its kind has none.
    ///
    /// # Errors
    /// [`PreparationError`].
    pub fn zone(&self, record: &Record) -> Result<Option<Mrz>, PreparationError> {
        let mut travel = self.chips.iter().filter_map(|chip| chip.lds.as_ref());
        if let Some(lds) = travel.next() {
            return lds.zone(record).map(Some);
        }
        let conventions = Conventions::of(record.kind);
        conventions
            .map(|conventions| Mrz::of(record, &conventions))
            .transpose()
            .map_err(PreparationError::Zone)
    }

    /// Returns whoever the document says it was issued by: what its travel chip says, or else what
    /// the profile does.
    pub fn authority(&self) -> Option<&str> {
        let mut travel = self.chips.iter().filter_map(|chip| chip.lds.as_ref());
        let of_chip = travel.find_map(|lds| lds.authority.as_deref());
        of_chip.or(self.own_authority.as_deref())
    }
}
