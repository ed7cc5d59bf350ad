//! Printer profiles: which protocol a printer speaks, and what it has otherwise than others.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use thiserror::Error;

use crate::card_printer::Capabilities;
use crate::esc::{EscProfile, EscProfileError};
use crate::ipp::IppPatience;
use crate::zpl::ZplPatience;

/// A printer profile.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PrinterProfile {
    /// A card printer of the escape command language.
    Esc(Box<EscProfile>),
    /// A printer of the Internet Printing Protocol.
    Ipp(IppProfile),
    /// A label printer of the Zebra programming language.
    Zpl(ZplProfile),
    /// A folder.
    Folder(FolderProfile),
}

/// A printer of the Internet Printing Protocol.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IppProfile {
    #[allow(dead_code, reason = "who reads the profile has looked at it")]
    #[schemars(extend("const" = "ipp"))]
    protocol: String,
    /// What people call it.
    pub title: String,
    /// Keyword of the paper, as `iso_a4_210x297mm` (*PWG 5101.1*).
    #[schemars(regex(pattern = "^[a-z0-9_.-]+$"))]
    pub media: String,
    /// How long is waited.
    seconds: Seconds,
}

/// A label printer.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ZplProfile {
    #[allow(dead_code, reason = "who reads the profile has looked at it")]
    #[schemars(extend("const" = "zpl"))]
    protocol: String,
    /// What people call it.
    pub title: String,
    /// Dots an inch.
    #[schemars(range(min = 150, max = 600))]
    pub resolution: u16,
    /// Width and height of a label in millimetres.
    pub label: (u16, u16),
    /// How long is waited.
    seconds: Seconds,
}

/// A folder.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FolderProfile {
    #[allow(dead_code, reason = "who reads the profile has looked at it")]
    #[schemars(extend("const" = "folder"))]
    protocol: String,
    /// What people call it.
    pub title: String,
}

/// How long is waited, in seconds.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PageSeconds")]
struct Seconds {
    /// For an answer.
    answer: u16,
    /// For a job to be done.
    paper: u16,
}

/// What every profile begins with.
#[derive(Deserialize)]
struct Head {
    protocol: String,
}

/// Why a text is no printer profile.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PrinterProfileError {
    /// It is not written as a profile is; line and column are in the reason.
    #[error("it is no printer profile")]
    Malformed(#[from] toml::de::Error),
    /// It is one of a protocol that this program does not speak.
    #[error("the protocol \"{0}\" is not known: there are esc, ipp, zpl and folder")]
    Protocol(String),
    /// What it says of a card printer cannot be.
    #[error(transparent)]
    Esc(#[from] EscProfileError),
    /// What it says cannot be.
    #[error("{0}")]
    Wrong(&'static str),
}

impl PrinterProfileError {
    /// Returns where in the text it is wrong, in bytes, and what is wrong there.
    #[must_use]
    pub fn fault(&self) -> (usize, String) {
        match self {
            Self::Malformed(error) | Self::Esc(EscProfileError::Malformed(error)) => {
                let start = error.span().map_or(0, |span| span.start);
                (start, error.message().to_owned())
            }
            other => (0, other.to_string()),
        }
    }
}

impl PrinterProfile {
    /// Reads a profile, and proves what it says.
    ///
    /// # Errors
    /// [`PrinterProfileError`].
    pub fn parse(text: &str) -> Result<Self, PrinterProfileError> {
        let head: Head = toml::from_str(text)?;
        Ok(match head.protocol.as_str() {
            "esc" => Self::Esc(Box::new(EscProfile::parse(text)?)),
            "ipp" => {
                let profile: IppProfile = toml::from_str(text)?;
                profile.seconds.check()?;
                let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
                let is_keyword = |text: &str| text.bytes().all(|b| fits(b) || b"-_.".contains(&b));
                if profile.media.is_empty() || !is_keyword(&profile.media) {
                    return Err(PrinterProfileError::Wrong(
                        "\"media\" is a keyword, as iso_a4_210x297mm",
                    ));
                }
                Self::Ipp(profile)
            }
            "zpl" => {
                let profile: ZplProfile = toml::from_str(text)?;
                profile.seconds.check()?;
                if !matches!(profile.resolution, 150..=600) {
                    return Err(PrinterProfileError::Wrong(
                        "\"resolution\" is 150 to 600 dots an inch",
                    ));
                }
                let (width, height) = profile.label;
                if !(15..=200).contains(&width) || !(15..=300).contains(&height) {
                    return Err(PrinterProfileError::Wrong(
                        "\"label\" is 15 to 200 mm wide and 15 to 300 mm high",
                    ));
                }
                Self::Zpl(profile)
            }
            "folder" => Self::Folder(toml::from_str(text)?),
            other => return Err(PrinterProfileError::Protocol(other.to_owned())),
        })
    }

    /// Returns the name of the protocol.
    #[must_use]
    pub const fn protocol(&self) -> &'static str {
        match self {
            Self::Esc(_) => "esc",
            Self::Ipp(_) => "ipp",
            Self::Zpl(_) => "zpl",
            Self::Folder(_) => "folder",
        }
    }

    /// Returns what a printer of cards can do; nothing of any other.
    #[must_use]
    pub fn capabilities(&self) -> Option<Capabilities> {
        match self {
            Self::Esc(profile) => Some(profile.capabilities()),
            Self::Ipp(_) | Self::Zpl(_) | Self::Folder(_) => None,
        }
    }

    /// Returns what people call it.
    #[must_use]
    pub fn title(&self) -> &str {
        match self {
            Self::Esc(profile) => &profile.title,
            Self::Ipp(profile) => &profile.title,
            Self::Zpl(profile) => &profile.title,
            Self::Folder(profile) => &profile.title,
        }
    }
}

impl Seconds {
    fn check(self) -> Result<(), PrinterProfileError> {
        match (1..=600).contains(&self.answer) && (1..=3600).contains(&self.paper) {
            true => Ok(()),
            false => Err(PrinterProfileError::Wrong(
                "an answer takes 1 to 600 seconds, paper 1 to 3600",
            )),
        }
    }

    fn pair(self) -> (Duration, Duration) {
        let seconds = |count: u16| Duration::from_secs(count.into());
        (seconds(self.answer), seconds(self.paper))
    }
}

impl IppProfile {
    /// Returns how long is waited.
    #[must_use]
    pub fn patience(&self) -> IppPatience {
        let (answer, paper) = self.seconds.pair();
        IppPatience { answer, paper }
    }
}

impl ZplProfile {
    /// Returns how long is waited.
    #[must_use]
    pub fn patience(&self) -> ZplPatience {
        let (answer, paper) = self.seconds.pair();
        ZplPatience { answer, paper }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped(name: &str) -> String {
        let folder = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../firmware-profiles/printers"
        );
        std::fs::read_to_string(format!("{folder}/{name}.toml")).unwrap()
    }

    #[test]
    fn every_shipped_profile_is_sound() {
        for (name, protocol) in [
            ("esc-ymcko", "esc"),
            ("esc-ymckok", "esc"),
            ("ipp-a4", "ipp"),
            ("zpl-300", "zpl"),
            ("folder", "folder"),
        ] {
            let profile = PrinterProfile::parse(&shipped(name)).unwrap();
            assert_eq!(profile.protocol(), protocol);
            assert!(!profile.title().is_empty());
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (name, from, to, reason) in [
            ("ipp-a4", "\"ipp\"", "\"lpd\"", "\"lpd\" is not known"),
            ("ipp-a4", "iso_a4_210x297mm", "A4!", "a keyword"),
            ("ipp-a4", "answer = 20", "answer = 0", "1 to 600"),
            (
                "zpl-300",
                "resolution = 300",
                "resolution = 0",
                "150 to 600",
            ),
            ("zpl-300", "label = [", "label = [1", "15 to 200"),
            ("folder", "title", "size = 1\ntitle", "size"),
        ] {
            let text = shipped(name);
            assert!(text.contains(from), "{from}");
            let error = PrinterProfile::parse(&text.replace(from, to)).unwrap_err();
            let source = std::error::Error::source(&error).map(ToString::to_string);
            let said = format!("{error}: {}", source.unwrap_or_default());
            assert!(said.contains(reason), "{to}: {said}");
        }
    }
}
