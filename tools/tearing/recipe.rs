//! Which documents are made, and of what: every kind that a shipped profile makes of a chip, and
//! every chip that is shipped.

use std::fs;
use std::path::{Path, PathBuf};

use central::CertificateShelf;
use profile::Shelf;

use crate::Failure;

/// A document of one kind on a blank of certain chips.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// The name, in the identity of each case.
    pub name: &'static str,
    /// The kind, as applications have it.
    pub kind: &'static str,
    /// The application.
    sample: &'static str,
    /// The document profile's file.
    document: &'static str,
    /// What the document profile says otherwise here than in its file.
    otherwise: &'static [(&'static str, &'static str)],
    /// The blank's chips.
    pub(crate) chips: &'static [RecipeChip],
    /// Whether the maker numbers the blanks.
    pub(crate) is_numbered: bool,
    /// The layout that the slot's printer prints on the front; none where people put the blanks in.
    pub(crate) printed: Option<&'static str>,
    /// The certificate that an authority outside issues; the store's own issues the others.
    pub(crate) outside: Option<&'static str>,
}

/// A chip of a blank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RecipeChip {
    /// The chip profile.
    pub(crate) profile: &'static str,
    /// The virtual chip.
    pub(crate) product: &'static str,
}

const fn chip(product: &'static str) -> RecipeChip {
    RecipeChip {
        profile: product,
        product,
    }
}

/// The maker numbers the blanks, and the document gets the number of its blank.
const NUMBERED: (&str, &str) = (
    "kinds = [\"alien-id-card\"]",
    "kinds = [\"alien-id-card\"]\nnumber = \"blank\"",
);

const LATEID: &[RecipeChip] = &[chip("lateid-v2")];
const TRAVEL: &[RecipeChip] = &[chip("icao-lds")];
const TWO: &[RecipeChip] = &[chip("icao-lds"), chip("lateid-v2")];
const EID: Option<&str> = Some("eid-authentication");
const PIV: Option<&str> = Some("piv-authentication");

/// A trial's profile makes no kind of document; here it makes this one.
const AS_ALIEN_CARD: (&str, &str) = ("kinds = []", "kinds = [\"alien-id-card\"]");

const fn booklet(name: &'static str, kind: &'static str, sample: &'static str) -> Recipe {
    Recipe {
        name,
        kind,
        sample,
        document: "firmware-profiles/documents/passport.toml",
        otherwise: &[],
        chips: TRAVEL,
        is_numbered: true,
        printed: None,
        outside: None,
    }
}

/// Every recipe.
pub const RECIPES: [Recipe; 11] = [
    Recipe {
        name: "id-card",
        kind: "id-card",
        sample: "18-fingerprints",
        document: "firmware-profiles/documents/id-card.toml",
        otherwise: &[],
        chips: TWO,
        is_numbered: false,
        printed: None,
        outside: EID,
    },
    Recipe {
        name: "alien-id-card",
        kind: "alien-id-card",
        sample: "09-alien",
        document: "firmware-profiles/documents/eid-card.toml",
        otherwise: &[],
        chips: LATEID,
        is_numbered: false,
        printed: None,
        outside: EID,
    },
    Recipe {
        name: "printed-card",
        kind: "alien-id-card",
        sample: "09-alien",
        document: "firmware-profiles/documents/eid-card.toml",
        // Its own faces are engraved.
        otherwise: &[
            (
                "layout = \"alien-id-card-front\"",
                "layout = \"residence-permit-front\"",
            ),
            (
                "[[faces]]\nname = \"back\"\nlayout = \"alien-id-card-back\"\n",
                "",
            ),
        ],
        chips: LATEID,
        is_numbered: false,
        printed: Some("residence-permit-front"),
        outside: EID,
    },
    booklet("passport", "passport", "19-passport"),
    Recipe {
        name: "piv-card",
        kind: "alien-id-card",
        sample: "09-alien",
        document: "firmware-profiles/documents/piv-card.toml",
        otherwise: &[AS_ALIEN_CARD],
        chips: &[chip("piv")],
        is_numbered: false,
        printed: None,
        outside: PIV,
    },
    // The shipped profile of this chip takes data groups that were prepared elsewhere; its sibling
    // gets them from the store.
    Recipe {
        name: "mrtd-applet-passport",
        kind: "passport",
        sample: "19-passport",
        document: "tests/travel/documents/mrtd-passport.toml",
        otherwise: &[],
        chips: &[RecipeChip {
            profile: "mrtd-passport",
            product: "mrtd-applet",
        }],
        is_numbered: false,
        printed: None,
        outside: None,
    },
    Recipe {
        name: "residence-permit",
        kind: "residence-permit",
        sample: "26-residence-permit",
        document: "firmware-profiles/documents/residence-permit.toml",
        otherwise: &[],
        chips: TWO,
        is_numbered: false,
        printed: None,
        outside: EID,
    },
    booklet(
        "non-citizen-passport",
        "non-citizen-passport",
        "22-non-citizen-passport",
    ),
    booklet(
        "refugee-travel-document",
        "refugee-travel-document",
        "23-refugee",
    ),
    booklet(
        "stateless-travel-document",
        "stateless-travel-document",
        "24-stateless",
    ),
    booklet(
        "subsidiary-protection-travel-document",
        "subsidiary-protection-travel-document",
        "25-subsidiary-protection",
    ),
];

/// Returns the project's folder.
fn project(path: impl AsRef<Path>) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

pub(crate) fn text(path: impl AsRef<Path>) -> Result<String, Failure> {
    let path = project(path);
    fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// Returns the TOML files of a folder of the project, by their names.
fn texts(folder: &str) -> Result<Vec<(String, String)>, Failure> {
    let mut all = Vec::new();
    for entry in fs::read_dir(project(folder))? {
        let path = entry?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        if let Some(name) = stem.filter(|_| path.extension().is_some_and(|end| end == "toml")) {
            all.push((name.to_owned(), fs::read_to_string(&path)?));
        }
    }
    all.sort_unstable();
    Ok(all)
}

impl Recipe {
    /// Returns the alien's card on blanks that their maker numbered.
    pub(crate) fn numbered(self) -> Self {
        Self {
            otherwise: &[NUMBERED],
            is_numbered: true,
            ..self
        }
    }

    /// Returns the application.
    pub(crate) fn application(&self) -> Result<String, Failure> {
        text(format!("tests/samples/applications/{}.json", self.sample))
    }

    /// Returns the names of its chips.
    #[must_use]
    pub fn chip(&self) -> String {
        let names: Vec<_> = self.chips.iter().map(|chip| chip.product).collect();
        names.join("+")
    }

    /// Returns the chip profiles: those of its chips, and what they extend.
    pub(crate) fn chip_shelf(&self) -> Result<Shelf, Failure> {
        let mut shelf = Shelf::default();
        for chip in self.chips {
            let shipped = format!("firmware-profiles/chips/{}.toml", chip.product);
            shelf.put(chip.product, text(shipped)?);
            if chip.profile != chip.product {
                let own = text(format!("tests/travel/chips/{}.toml", chip.profile))?;
                shelf.put(chip.profile, own);
            }
        }
        Ok(shelf)
    }

    /// Returns the one document profile of the installation.
    pub(crate) fn document_shelf(&self) -> Result<Shelf, Failure> {
        let mut profile = text(self.document)?;
        for (from, to) in self.otherwise {
            if !profile.contains(from) {
                return Err(format!("{} does not say {from}", self.document).into());
            }
            profile = profile.replacen(from, to, 1);
        }
        let name = Path::new(self.document).file_stem();
        let name = name.and_then(|name| name.to_str()).unwrap_or_default();
        let mut shelf = Shelf::default();
        shelf.put(name, profile);
        if let Some(layout) = self.printed {
            let svg = text(format!("firmware-profiles/faces/{layout}.svg"))?;
            shelf.put_layout(layout, svg);
        }
        Ok(shelf)
    }

    /// Returns the certificate profiles, one of which names the authority outside.
    pub(crate) fn certificate_shelf(&self) -> Result<CertificateShelf, Failure> {
        let mut shelf = CertificateShelf::default();
        for (name, text) in texts("certs")? {
            let text = match self.outside == Some(name.as_str()) {
                true => text.replace(
                    "kind = \"leaf\"",
                    "kind = \"leaf\"\nauthority = \"outside\"",
                ),
                false => text,
            };
            shelf.put(name, text);
        }
        Ok(shelf)
    }
}
