//! What people sign: which profile, in which state. The form stands in the release module.

use std::fmt;
use std::str::FromStr;

use crate::chip::ChipProfile;
use crate::document::DocumentProfile;
use crate::error::nearest;
use crate::release_error::ReleaseError;
use crate::source::{MAX_ANCESTORS, digest_of};

/// The first line: no other note that a key of this kind signs begins so.
const FORMAT: &str = "zimogs-profile-release/v1";
/// The most characters of a profile's name.
pub(crate) const MAX_NAME: usize = 64;

/// What a profile describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProfileKind {
    /// A chip.
    Chip,
    /// A kind of document.
    Document,
    /// A kind of certificate: what the embedded authority issues by.
    Certificate,
    /// A printer's dialect.
    Printer,
    /// The layout of a letter, a list or a label.
    Sheet,
}

impl ProfileKind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Chip,
        Self::Document,
        Self::Certificate,
        Self::Printer,
        Self::Sheet,
    ];

    /// Returns its name in releases and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chip => "chip",
            Self::Document => "document",
            Self::Certificate => "certificate",
            Self::Printer => "printer",
            Self::Sheet => "sheet",
        }
    }

    /// Returns the name of the folder that such profiles stand in.
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Chip => "chips",
            Self::Document => "documents",
            Self::Certificate => "certificates",
            Self::Printer => "printers",
            Self::Sheet => "sheets",
        }
    }

    /// Returns how the files of such profiles end, without the dot.
    pub const fn ending(self) -> &'static str {
        match self {
            Self::Sheet => "svg",
            _ => "toml",
        }
    }
}

impl fmt::Display for ProfileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ProfileKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || Self::ALL.into_iter();
        known()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| nearest(text, known().map(Self::name)))
    }
}

/// What a release is about: one state of one profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Released {
    kind: ProfileKind,
    name: String,
    digest: [u8; 32],
    ancestors: Vec<String>,
}

/// Returns the digest of a profile that is this one text and extends none.
pub fn text_digest(text: &str) -> [u8; 32] {
    digest_of([text])
}

impl Released {
    /// Returns what a release of this chip profile is about.
    ///
    /// # Errors
    /// [`ReleaseError::Name`].
    pub fn chip(profile: &ChipProfile) -> Result<Self, ReleaseError> {
        let ChipProfile {
            name,
            digest,
            ancestors,
            ..
        } = profile;
        Self::new(ProfileKind::Chip, name, digest, ancestors)
    }

    /// Returns what a release of this document profile is about.
    ///
    /// # Errors
    /// [`ReleaseError::Name`].
    pub fn document(profile: &DocumentProfile) -> Result<Self, ReleaseError> {
        let DocumentProfile {
            name,
            digest,
            ancestors,
            ..
        } = profile;
        Self::new(ProfileKind::Document, name, digest, ancestors)
    }

    /// Returns what a release of the certificate profile with this text is about. Such a profile
    /// extends none.
    ///
    /// # Errors
    /// [`ReleaseError::Name`].
    pub fn certificate(name: &str, text: &str) -> Result<Self, ReleaseError> {
        Self::new(ProfileKind::Certificate, name, &digest_of([text]), &[])
    }

    /// Returns what a release of the printer profile with this digest ([`text_digest`]) is about.
    /// Such a profile extends none.
    ///
    /// # Errors
    /// [`ReleaseError::Name`].
    pub fn printer(name: &str, digest: &[u8; 32]) -> Result<Self, ReleaseError> {
        Self::new(ProfileKind::Printer, name, digest, &[])
    }

    /// Returns what a release of the layout with this text is about: of a letter, a list or a label. A
    /// face's is covered by the release of its document. It extends none.
    ///
    /// # Errors
    /// [`ReleaseError::Name`].
    pub fn sheet(name: &str, text: &str) -> Result<Self, ReleaseError> {
        Self::new(ProfileKind::Sheet, name, &digest_of([text]), &[])
    }

    pub(crate) fn new(
        kind: ProfileKind,
        name: &str,
        digest: &[u8; 32],
        ancestors: &[String],
    ) -> Result<Self, ReleaseError> {
        let unfit = |name: &&str| !is_name(name);
        let mut names = std::iter::once(name).chain(ancestors.iter().map(String::as_str));
        if let Some(name) = names.find(unfit) {
            return Err(ReleaseError::Name {
                name: name.to_owned(),
            });
        }
        Ok(Self {
            kind,
            name: name.to_owned(),
            digest: *digest,
            ancestors: ancestors.to_vec(),
        })
    }

    /// Returns what the profile describes.
    pub const fn kind(&self) -> ProfileKind {
        self.kind
    }

    /// Returns the profile's name: ASCII letters, digits, dots, hyphens and underscores.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the SHA-256 over the texts of the profile and its ancestors.
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Returns the profiles that it extends, the nearest first.
    pub fn ancestors(&self) -> &[String] {
        &self.ancestors
    }

    /// Returns the name of the file of its release.
    pub fn file_name(&self) -> String {
        format!("{}.release", self.name)
    }

    pub(crate) fn parse(text: &str) -> Result<Self, ReleaseError> {
        let mut lines = text.lines().enumerate();
        let mut expect = |start: &str, expected: &'static str| match lines.next() {
            Some((at, line)) => line.strip_prefix(start).ok_or(ReleaseError::Line {
                line: at + 1,
                expected,
            }),
            None => Err(ReleaseError::Line {
                line: text.lines().count() + 1,
                expected,
            }),
        };
        let fault = |line, expected| ReleaseError::Line { line, expected };
        if !expect(FORMAT, FORMAT)?.is_empty() {
            return Err(fault(1, FORMAT));
        }
        let kind = "\"kind \" and chip, document, certificate, printer or sheet";
        let kind = expect("kind ", kind)?.parse().map_err(|_| fault(2, kind))?;
        let name = expect("name ", NAME)?;
        if !is_name(name) {
            return Err(fault(3, NAME));
        }
        let mut digest = [0; 32];
        let written = expect("digest sha256:", DIGEST)?;
        if hex::decode_to_slice(written, &mut digest).is_err() || hex::encode(digest) != written {
            return Err(fault(4, DIGEST));
        }
        let mut ancestors = Vec::new();
        for (at, line) in lines {
            match line.strip_prefix("extends ") {
                Some(name) if is_name(name) && ancestors.len() < MAX_ANCESTORS => {
                    ancestors.push(name.to_owned());
                }
                _ => return Err(fault(at + 1, EXTENDS)),
            }
        }
        Ok(Self {
            kind,
            name: name.to_owned(),
            digest,
            ancestors,
        })
    }

    /// Demands that a release is about this.
    pub(crate) fn check(&self, release: &Self) -> Result<(), ReleaseError> {
        let list = |names: &[String]| match names {
            [] => "none".to_owned(),
            names => names.join(", "),
        };
        let fields = [
            ("kind", release.kind.to_string(), self.kind.to_string()),
            ("name", release.name.clone(), self.name.clone()),
            (
                "digest",
                hex::encode(release.digest),
                hex::encode(self.digest),
            ),
            (
                "list of ancestors",
                list(&release.ancestors),
                list(&self.ancestors),
            ),
        ];
        for (field, released, found) in fields {
            if released != found {
                return Err(ReleaseError::Differs {
                    kind: self.kind,
                    name: self.name.clone(),
                    field,
                    released,
                    found,
                });
            }
        }
        Ok(())
    }
}

const NAME: &str = "\"name NAME\"";
const DIGEST: &str = "\"digest sha256:\" and 64 small hexadecimal digits";
const EXTENDS: &str = "\"extends NAME\", at most eight times";

impl fmt::Display for Released {
    /// Writes the text that people sign.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FORMAT}\nkind {}\nname {}", self.kind, self.name)?;
        writeln!(f, "digest sha256:{}", hex::encode(self.digest))?;
        for name in &self.ancestors {
            writeln!(f, "extends {name}")?;
        }
        Ok(())
    }
}

fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    name.len() <= MAX_NAME
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(allowed)
}
