//! What the printer of a slot prints: the layouts of the documents' faces, read once, and the faces of
//! one document.

use std::collections::BTreeMap;

use api::{FacePictures, Lease, Secret};
use document::{Environment, Image, ImageError, ImageLimits, PORTRAIT_LIMITS, SIGNATURE_LIMITS};
use print::{
    Capabilities, Face, FaceError, FaceMismatch, Faces, Facts, Layout, LayoutError, Rendering, Side,
};
use profile::{DocumentProfile, PreparationError};
use thiserror::Error;

use crate::catalogue::Catalogue;
use crate::error::StationError;

/// Why the faces of a document cannot be printed. Nothing was done to a blank yet.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FacesError {
    /// The centre gave no pictures with the lease.
    #[error("the centre gave no pictures with the lease; it is of an earlier version")]
    NoPictures,
    /// A picture is none.
    #[error("the {picture} cannot be read")]
    Picture {
        /// Which.
        picture: &'static str,
        /// What is wrong with it.
        #[source]
        source: ImageError,
    },
    /// The printer does not print this document.
    #[error("the slot's printer does not print \"{document}\"")]
    Document {
        /// The document profile.
        document: String,
    },
    /// Its machine-readable zone cannot be made.
    #[error("the machine-readable zone cannot be made")]
    Zone(#[source] PreparationError),
    /// A face cannot be rendered; the reason names the field.
    #[error("the {side} cannot be rendered")]
    Face {
        /// The side.
        side: Side,
        /// Why not.
        #[source]
        source: FaceError,
    },
    /// The printer does not print what was rendered.
    #[error("the {side} cannot be printed")]
    Unprintable {
        /// The side.
        side: Side,
        /// Why not.
        #[source]
        source: FaceMismatch,
    },
}

/// A layout of the station's that cannot be read.
#[derive(Debug, Error)]
#[error("the layout \"{layout}\" cannot be used")]
pub struct BadLayout {
    /// Its name.
    pub layout: String,
    /// What is wrong with it.
    #[source]
    pub source: LayoutError,
}

/// The documents whose every face a printer prints, with their layouts.
pub(crate) struct FaceShelf {
    capabilities: Capabilities,
    documents: BTreeMap<String, (DocumentProfile, Vec<(Side, Layout)>)>,
}

impl FaceShelf {
    /// Finds the documents that a printer of these capabilities prints.
    ///
    /// # Errors
    /// [`StationError::Profile`], [`StationError::Layout`].
    pub(crate) fn of(
        catalogue: &Catalogue,
        capabilities: &Capabilities,
    ) -> Result<Self, StationError> {
        let mut documents = BTreeMap::new();
        for profile in catalogue.documents()? {
            let mut sides = Vec::new();
            for face in &profile.faces {
                let layout = catalogue.layout(&face.layout)?;
                let Some(side) = Side::named(&face.name) else {
                    continue;
                };
                if capabilities.check_layout(side, &layout).is_ok() {
                    sides.push((side, layout));
                }
            }
            if !sides.is_empty() && sides.len() == profile.faces.len() {
                documents.insert(profile.name.clone(), (profile, sides));
            }
        }
        Ok(Self {
            capabilities: capabilities.clone(),
            documents,
        })
    }

    /// Returns the names of their profiles.
    pub(crate) fn names(&self) -> Vec<String> {
        self.documents.keys().cloned().collect()
    }

    /// Renders the faces of a leased document.
    ///
    /// # Errors
    /// [`FacesError`].
    pub(crate) fn render(
        &self,
        lease: &Lease,
        environment: Environment,
    ) -> Result<RenderedFaces, FacesError> {
        let found = self.documents.get(&lease.document.name);
        let (profile, layouts) = found.ok_or_else(|| FacesError::Document {
            document: lease.document.name.clone(),
        })?;
        let FacePictures {
            portrait,
            signature,
        } = lease.pictures.as_ref().ok_or(FacesError::NoPictures)?;
        let portrait = picture("portrait", portrait, PORTRAIT_LIMITS)?;
        let signature = signature
            .as_ref()
            .map(|bytes| picture("signature", bytes, SIGNATURE_LIMITS))
            .transpose()?;
        let zone = profile.zone(&lease.record).map_err(FacesError::Zone)?;
        let authority = profile.authority().unwrap_or_default();
        let facts = Facts::of(&lease.record, zone, authority, portrait, signature);
        let how = Rendering {
            dots: self.capabilities.resolution,
            specimen: environment == Environment::Test,
        };
        let mut rendered = RenderedFaces::default();
        for (side, layout) in layouts {
            let side = *side;
            let face = layout.render(&facts, how);
            let face = face.map_err(|source| FacesError::Face { side, source })?;
            let panels = face.panels.iter();
            let panels = panels.map(|(panel, raster)| (*panel, (raster.width, raster.height)));
            let judged = self.capabilities.check(side, face.dots, panels);
            judged.map_err(|source| FacesError::Unprintable { side, source })?;
            match side {
                Side::Front => rendered.front = Some(face),
                Side::Back => rendered.back = Some(face),
            }
        }
        Ok(rendered)
    }
}

fn picture(
    picture: &'static str,
    bytes: &Secret,
    limits: ImageLimits,
) -> Result<Image, FacesError> {
    Image::recognise(bytes.expose().to_vec(), limits)
        .map_err(|source| FacesError::Picture { picture, source })
}

/// The faces of one document, as its printer takes them. Personal data: wiped on drop.
#[derive(Debug, Default)]
pub(crate) struct RenderedFaces {
    front: Option<Face>,
    back: Option<Face>,
}

impl RenderedFaces {
    /// Returns them for a printer.
    pub(crate) fn faces(&self) -> Faces<'_> {
        Faces {
            front: self.front.as_ref(),
            back: self.back.as_ref(),
        }
    }
}
