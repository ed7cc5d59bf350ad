//! A document profile: which chips a kind of document has, and what each holder gets on them.

use std::collections::BTreeMap;

use document::Kind;
use serde::Deserialize;


use crate::chip::Interface;
use crate::chip_file::{InterfaceName, Text};
use crate::placed::Placed;
use crate::chip_load::Loader;
use crate::error::ProfileError;
use crate::source::{Shelf, Sources};

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
    /// The kinds of document that it serves.
    pub kinds: Vec<Kind>,
    /// The chips of one blank, in the order in which they are personalized.
    pub chips: Vec<DocumentChip>,
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
    /// The holder's PINs by the chip profile's names: how many digits each has.
    pub pins: BTreeMap<String, u8>,
}

/// What one key of the holder needs.
#[derive(Clone, Debug)]
pub struct DocumentKey {
    /// The certificate profile; none for a key that gets no certificate.
    pub certificate: Option<String>,
    /// The age in years from which a holder gets it.
    pub minimum_age: u16,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DocumentFile {
    format: Placed<u32>,
    name: String,
    title: String,
    kinds: Vec<Text>,
    chips: Vec<ChipFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChipFile {
    interface: InterfaceName,
    products: Vec<String>,
    #[serde(default)]
    keys: BTreeMap<String, KeyFile>,
    #[serde(default)]
    pins: BTreeMap<String, PinFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    certificate: Option<String>,
    #[serde(default)]
    minimum_age: u16,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PinFile {
    digits: Placed<u8>,
}

impl DocumentProfile {
    /// Loads and proves the document profile `name` of a shelf, with all that it extends.
    ///
    /// # Errors
    /// The first fault, with file, line, column and a hint.
    pub fn load(shelf: &Shelf, name: &str) -> Result<Self, ProfileError> {
        let (sources, table) = Sources::parse(shelf, name)?;
        let file = DocumentFile::deserialize(toml::Deserializer::from(table)).map_err(|error| {
            sources.unreadable(&error)
        })?;
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
                        "known are \"id-card\", \"alien-id-card\"",
                    );
                }
            }
        }
        let mut chips = Vec::new();
        for chip in file.chips {
            let mut pins = BTreeMap::new();
            for (name, pin) in chip.pins {
                if !(4..=12).contains(pin.digits.get_ref()) {
                    return loader.fault(
                        pin.digits.span(),
                        format!("a PIN of {} digits", pin.digits.get_ref()),
                        "from 4 to 12",
                    );
                }
                pins.insert(name, pin.digits.into_inner());
            }
            chips.push(DocumentChip {
                interface: match chip.interface {
                    InterfaceName::Contact => Interface::Contact,
                    InterfaceName::Contactless => Interface::Contactless,
                },
                products: chip.products,
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
        Ok(Self {
            name: file.name,
            title: file.title,
            digest: loader.sources.digest(),
            kinds,
            chips,
        })
    }
}
