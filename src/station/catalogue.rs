//! The profiles that this station has, and the plans for a lease.

use std::collections::BTreeSet;
use std::sync::Arc;

use api::{Lease, ProfilePin};
use document::{Kind, Purpose};
use print::Layout;
use profile::{ChipProfile, DocumentProfile, NumberSource, Plan, ProfileError, Shelf};

use crate::error::StationError;
use crate::faces::BadLayout;

/// The profiles at hand.
#[derive(Clone, Debug)]
pub struct Catalogue {
    chips: Shelf,
    documents: Shelf,
}

impl Catalogue {
    /// Takes the texts of the chip and document profiles.
    pub fn new(chips: Shelf, documents: Shelf) -> Self {
        Self { chips, documents }
    }

    /// Returns a chip profile.
    ///
    /// # Errors
    /// [`StationError::Profile`].
    pub(crate) fn chip(&self, name: &str) -> Result<ChipProfile, StationError> {
        Ok(ChipProfile::load(&self.chips, name)?)
    }

    /// Returns every document profile.
    ///
    /// # Errors
    /// [`StationError::Profile`].
    pub(crate) fn documents(&self) -> Result<Vec<DocumentProfile>, StationError> {
        let names = self.documents.names();
        let loaded = names.map(|name| DocumentProfile::load(&self.documents, name));
        Ok(loaded.collect::<Result<_, _>>()?)
    }

    /// Reads a layout.
    ///
    /// # Errors
    /// [`StationError::NoLayout`], [`StationError::Layout`].
    pub(crate) fn layout(&self, name: &str) -> Result<Layout, StationError> {
        let text = self.documents.layout(name);
        let text = text.ok_or_else(|| StationError::NoLayout {
            layout: name.to_owned(),
        })?;
        let layout = name.to_owned();
        Layout::parse(name, text).map_err(|source| BadLayout { layout, source }.into())
    }

    /// Tells whether a document that can be made of such blanks gets its number from the blank: then
    /// it is leased for the one that lies in the slot.
    ///
    /// # Errors
    /// [`StationError::Profile`].
    pub(crate) fn follows_blank(
        &self,
        products: &[String],
        article: Option<&str>,
    ) -> Result<bool, StationError> {
        for profile in self.documents()? {
            let is_fit =
                profile.made_of(products).is_some() && profile.article.as_deref() == article;
            if is_fit && profile.number == NumberSource::Blank {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns the kinds of document that are made of such blanks.
    ///
    /// # Errors
    /// [`StationError::Profile`].
    pub fn kinds_of(
        &self,
        products: &[String],
        article: Option<&str>,
    ) -> Result<BTreeSet<Kind>, StationError> {
        let documents = self.documents()?.into_iter();
        let fit = documents.filter(|profile| {
            profile.made_of(products).is_some() && profile.article.as_deref() == article
        });
        Ok(fit.flat_map(|profile| profile.kinds).collect())
    }

    /// Returns the plan for each chip of a lease, with the chip profile's name, in the order of
    /// the document profile's chips.
    ///
    /// # Errors
    /// [`StationError::OtherProfile`] when a profile here is not the one that the centre
    /// pinned; [`StationError::Profile`] when it cannot be loaded or does not fit.
    pub fn plans(&self, lease: &Lease) -> Result<Vec<Plan>, StationError> {
        let document = DocumentProfile::load(&self.documents, &lease.document.name)?;
        pinned(&document.name, document.digest, &lease.document)?;
        let mut plans = Vec::new();
        for wanted in &document.chips {
            let is_left_alone = lease.purpose == Purpose::NewPins && wanted.pins.is_empty();
            if is_left_alone {
                continue;
            }
            let pin = lease
                .chips
                .iter()
                .find(|pin| wanted.products.contains(&pin.name));
            let pin = pin.ok_or_else(|| ProfileError::Mismatch {
                document: document.name.clone(),
                chip: lease
                    .chips
                    .iter()
                    .map(|pin| pin.name.as_str())
                    .collect::<Vec<_>>()
                    .join(", "),
                fault: format!("the lease has none of {}", wanted.products.join(", ")),
                hint: "take a blank with such a chip, or begin anew with a lease of today"
                    .to_owned(),
            })?;
            let chip = ChipProfile::load(&self.chips, &pin.name)?;
            pinned(&chip.name, chip.digest, pin)?;
            plans.push(Plan::of(
                lease.purpose,
                Arc::new(chip),
                &document.name,
                wanted,
                &lease.record,
            )?);
        }
        Ok(plans)
    }
}

/// Demands that a profile here is the one that the centre released.
fn pinned(name: &str, digest: [u8; 32], pin: &ProfilePin) -> Result<(), StationError> {
    if digest == pin.digest {
        Ok(())
    } else {
        Err(StationError::OtherProfile {
            name: name.to_owned(),
        })
    }
}
