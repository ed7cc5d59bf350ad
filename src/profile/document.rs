//! A document profile: which chips a kind of document has, and what each holder gets on them.

use std::collections::BTreeMap;

use document::Kind;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::chip::Interface;
use crate::chip_file::{InterfaceName, Text};
use crate::chip_load::Loader;
use crate::document_face::{self, DocumentFace, DocumentFaceFile};
use crate::document_lds::{DocumentLds, DocumentLdsFile};
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
    /// SHA-256 over the texts of the profile and its ancestors, and of the layouts that it names,
    /// as far as they are at hand.
    pub digest: [u8; 32],
    /// The profiles that it extends, the nearest first.
    pub ancestors: Vec<String>,
    /// The kinds of document that it serves.
    pub kinds: Vec<Kind>,
    /// The name of the blanks that it is made of, where their chips do not say it.
    pub article: Option<String>,
    /// Where its number comes from.
    pub number: NumberSource,
    /// What is printed on it, in the order in which it is.
    pub faces: Vec<DocumentFace>,
    /// Whoever it says it was issued by, where no travel chip says it.
    pub(crate) own_authority: Option<String>,
    /// The chips of one blank, in the order in which they are personalized; none for a document
    /// that has no chip and is made at a desk.
    pub chips: Vec<DocumentChip>,
    /// Where each product is named.
    places: Vec<(String, Place)>,
}

/// Where the number of a document comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NumberSource {
    /// A series: it is allotted when the application is approved.
    #[default]
    Allotted,
    /// The blank, which its maker numbered: what depends on the number is prepared once it is known
    /// which blank lies in the slot.
    Blank,
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
    /// The files of a travel document, on a chip that has them.
    pub lds: Option<DocumentLds>,
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
    /// The name of the blanks that it is made of, as deliveries have it. Only a document without
    /// chips must have one; its blanks are known by nothing else.
    article: Option<Text>,
    /// Where its number comes from.
    #[serde(default)]
    number: NumberName,
    /// Whoever the document says it was issued by, where no travel chip of it says so.
    authority: Option<String>,
    /// What is printed on it.
    #[serde(default)]
    faces: Vec<DocumentFaceFile>,
    /// The chips of one blank, in the order in which they are personalized. A document without
    /// them is made at a desk.
    chips: Option<Placed<Vec<DocumentChipFile>>>,
}

/// Where the number of a document comes from.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum NumberName {
    /// From a series.
    #[default]
    Allotted,
    /// From the blank, which its maker numbered.
    Blank,
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
    /// The files of a travel document, on a chip that has them.
    lds: Option<DocumentLdsFile>,
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
        if let Some(article) = &file.article
            && !is_article(article.get_ref())
        {
            return loader.fault(
                article.span(),
                format!("\"{}\" names no blank", article.get_ref()),
                "1 to 64 of a-z, 0-9 and -, as deliveries have it",
            );
        }
        let mut chips = Vec::new();
        let mut places = Vec::new();
        let mut has_travel_chip = false;
        let written = match file.chips {
            Some(written) if written.get_ref().is_empty() => {
                return loader.fault(
                    written.span(),
                    "the list of chips is empty",
                    "write [[chips]] with \"interface\" and \"products\", or leave it out for a document without chips",
                );
            }
            Some(written) => written.into_inner(),
            None if file.article.is_none() => {
                return loader.fault(
                    file.name.span(),
                    "the document has neither chips nor an article: nothing says of which blanks it is made",
                    "write [[chips]] with \"interface\" and \"products\"; for a document without chips, article = \"name-of-the-blanks\"",
                );
            }
            None => Vec::new(),
        };
        for chip in written {
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
            if let Some(second) = chip.lds.as_ref().filter(|_| has_travel_chip) {
                return loader.fault(
                    second.place(),
                    "a document has one travel chip",
                    "leave one of the two [chips.lds] out",
                );
            }
            has_travel_chip |= chip.lds.is_some();
            let lds = chip.lds.map(|lds| lds.load(&loader, &kinds)).transpose()?;
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
                lds,
            });
        }
        loader.sources.named(&file.name)?;
        let faces = document_face::load(&loader, file.faces)?;
        let layouts = faces.iter().filter_map(|face| shelf.layout(&face.layout));
        Ok(Self {
            name: file.name.into_inner(),
            title: file.title,
            digest: loader.sources.digest_with(layouts),
            own_authority: file.authority,
            ancestors: loader.sources.ancestors(),
            kinds,
            article: file.article.map(Placed::into_inner),
            number: match file.number {
                NumberName::Allotted => NumberSource::Allotted,
                NumberName::Blank => NumberSource::Blank,
            },
            faces,
            chips,
            places,
        })
    }

    /// Returns which of the products each of its chips is made of, in its own order; none unless
    /// every chip finds one and every product its place.
    pub fn made_of<'a>(&self, products: &'a [String]) -> Option<Vec<&'a str>> {
        if self.chips.len() != products.len() {
            return None;
        }
        let chips = self.chips.iter().map(|chip| {
            let mut offered = products.iter().map(String::as_str);
            offered.find(|product| chip.products.iter().any(|known| known == product))
        });
        chips.collect()
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

/// Tells whether a text can name the blanks of a document.
pub fn is_article(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}
