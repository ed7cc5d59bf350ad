//! A document profile: which chips a kind of document has, and what each holder gets on them.

use std::collections::BTreeMap;

use document::Kind;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::chip::Interface;
use crate::chip_file::{InterfaceName, Text};
use crate::chip_load::Loader;
use crate::document_pin::{DocumentPin, DocumentPinFile};
use crate::error::{ProfileError, nearest};
use crate::placed::Placed;
use crate::source::{Place, Shelf, Sources};

/// The format of document profiles that this program reads.
const FORMAT: u32 = 1;

/// A proved document profile.
#[derive(Clone, Debug)]
pub struct DocumentProfile {
    /// Its name.
    pub name: String,
    /// What a person calls it.
    pub title: String,
    /// SHA-256 over the texts of the profile and its ancestors.
    pub digest: [u8; 32],
    /// The profiles that it extends, the nearest first.
    pub ancestors: Vec<String>,
    /// The kinds of document that it serves.
    pub kinds: Vec<Kind>,
    /// The chips of one blank, in the order in which they are personalized.
    pub chips: Vec<DocumentChip>,
    /// Where each product is named.
    places: Vec<(String, Place)>,
}

/// What one chip of the document gets.
#[derive(Clone, Debug)]
pub struct DocumentChip {
    /// How it is reached.
    pub interface: Interface,
    /// The chip profiles it may be.
    pub products: Vec<String>,
    /// The holder's keys by the chip profile's names.
    pub keys: BTreeMap<String, DocumentKey>,
    /// The holder's PINs by the chip profile's names.
    pub pins: BTreeMap<String, DocumentPin>,
}

/// What one key of the holder needs.
#[derive(Clone, Debug)]
pub struct DocumentKey {
    /// The certificate profile; none for a key that gets no certificate.
    pub certificate: Option<String>,
    /// The age in years from which a holder gets it.
    pub minimum_age: u16,
}

/// A document profile: which chips a kind of document has, and what each holder gets on them.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DocumentFile {
    /// The format of this file: 1.
    format: Placed<u32>,
    /// The profile's name.
    name: Text,
    /// What a person calls the document.
    title: String,
    /// The kinds of document that it serves.
    kinds: Vec<Text>,
    /// The chips of one blank, in the order in which they are personalized.
    chips: Placed<Vec<DocumentChipFile>>,
}

/// What one chip of the document gets.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DocumentChipFile {
    /// How it is reached.
    interface: InterfaceName,
    /// The names of the chip profiles that it may be.
    products: Placed<Vec<Text>>,
    /// The holder's keys by the chip profile's names.
    #[serde(default)]
    keys: BTreeMap<String, DocumentKeyFile>,
    /// The holder's PINs by the chip profile's names.
    #[serde(default)]
    pins: BTreeMap<String, DocumentPinFile>,
}

/// What one key of the holder needs.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DocumentKeyFile {
    /// The certificate profile; none for a key that gets no certificate.
    certificate: Option<String>,
    /// The age in years from which a holder gets it.
    #[serde(default)]
    minimum_age: u16,
}

impl DocumentProfile {
    /// Loads and proves the document profile `name` of a shelf, with all that it extends.
    ///
    /// # Errors
    /// The first fault, with file, line, column and a hint.
    pub fn load(shelf: &Shelf, name: &str) -> Result<Self, ProfileError> {
        let (sources, table) = Sources::parse(shelf, name)?;
        let file = DocumentFile::deserialize(toml::Deserializer::from(table))
            .map_err(|error| sources.unreadable(&error))?;
        let loader = Loader { sources };
        if *file.format.get_ref() != FORMAT {
            return loader.fault(
                file.format.span(),
                format!("format {} is not known", file.format.get_ref()),
                format!("this program reads format {FORMAT}"),
            );
        }
        let mut kinds = Vec::new();
        for text in &file.kinds {
            match text.get_ref().parse() {
                Ok(kind) => kinds.push(kind),
                Err(_) => {
                    return loader.fault(
                        text.span(),
                        format!("no kind of document is \"{}\"", text.get_ref()),
                        nearest(text.get_ref(), Kind::ALL.iter().map(|kind| kind.name())),
                    );
                }
            }
        }
        let mut chips = Vec::new();
        let mut places = Vec::new();
        if file.chips.get_ref().is_empty() {
            return loader.fault(
                file.chips.span(),
                "the document has no chip",
                "write [[chips]] with \"interface\" and \"products\"",
            );
        }
        for chip in file.chips.into_inner() {
            if chip.products.get_ref().is_empty() {
                return loader.fault(
                    chip.products.span(),
                    "no chip profile is named for this chip",
                    "write the names of those that it may be: products = [\"…\"]",
                );
            }
            for product in chip.products.get_ref() {
                let place = loader.sources.place(product.span().start);
                places.push((product.get_ref().clone(), place));
            }
            let mut pins = BTreeMap::new();
            for (name, pin) in chip.pins {
                pins.insert(name, pin.load(&loader)?);
            }
            chips.push(DocumentChip {
                interface: match chip.interface {
                    InterfaceName::Contact => Interface::Contact,
                    InterfaceName::Contactless => Interface::Contactless,
                },
                products: chip
                    .products
                    .into_inner()
                    .into_iter()
                    .map(Placed::into_inner)
                    .collect(),
                keys: chip
                    .keys
                    .into_iter()
                    .map(|(name, key)| {
                        (
                            name,
                            DocumentKey {
                                certificate: key.certificate,
                                minimum_age: key.minimum_age,
                            },
                        )
                    })
                    .collect(),
                pins,
            });
        }
        loader.sources.named(&file.name)?;
        Ok(Self {
            name: file.name.into_inner(),
            title: file.title,
            digest: loader.sources.digest(),
            ancestors: loader.sources.ancestors(),
            kinds,
            chips,
            places,
        })
    }

    /// Checks that there is a chip profile for every product that the document names.
    ///
    /// # Errors
    /// The first product for which there is none, with its place.
    pub fn check_products(&self, chips: &Shelf) -> Result<(), ProfileError> {
        match self
            .places
            .iter()
            .find(|(product, _)| chips.text(product).is_none())
        {
            None => Ok(()),
            Some((product, place)) => Err(ProfileError::Invalid {
                place: place.clone(),
                fault: format!("no chip profile is named \"{product}\""),
                hint: nearest(product, chips.names()),
            }),
        }
    }
}
