//! The fields of a layout, each with its place and its rules.

use super::code::CodeKind;
use super::field::{PictureField, TextField, ZONE};
use super::fit::Rules;
use super::zone::ZonePlace;

/// A rectangle on the face, in mm from its upper left corner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Frame {
    pub(crate) left: f32,
    pub(crate) top: f32,
    pub(crate) width: f32,
    pub(crate) height: f32,
}

impl Frame {
    /// Tells whether two rectangles have anything in common.
    pub(crate) fn meets(self, other: Self) -> bool {
        self.left < other.left + other.width
            && other.left < self.left + self.width
            && self.top < other.top + other.height
            && other.top < self.top + self.height
    }
}

/// A colour, each part from 0 to 255.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ink {
    pub(crate) red: u8,
    pub(crate) green: u8,
    pub(crate) blue: u8,
}

/// Where a line of text stands in its width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// A text.
#[derive(Clone, Debug)]
pub(crate) struct TextElement {
    pub(crate) field: TextField,
    /// Where the first line's base line begins, is in the middle or ends, in mm.
    pub(crate) at: (f32, f32),
    pub(crate) anchor: Anchor,
    pub(crate) rules: Rules,
    /// From base line to base line, in sizes of the letters.
    pub(crate) leading: f32,
    pub(crate) ink: Ink,
    pub(crate) optional: bool,
}

/// How a picture is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// In its colours.
    Colour,
    /// In greys that a laser can engrave.
    Grey,
    /// Light and in one ink, its edges fading: a second portrait that is hard to replace.
    Ghost,
    /// What is dark is drawn, the paper is not: a signature.
    Line,
}

/// A picture.
#[derive(Clone, Debug)]
pub(crate) struct PictureElement {
    pub(crate) field: PictureField,
    pub(crate) place: Frame,
    pub(crate) tone: Tone,
    pub(crate) ink: Ink,
    pub(crate) optional: bool,
}

/// A text as a bar code.
#[derive(Clone, Debug)]
pub(crate) struct CodeElement {
    pub(crate) field: TextField,
    pub(crate) place: Frame,
    pub(crate) kind: CodeKind,
    pub(crate) ink: Ink,
    pub(crate) optional: bool,
}

/// A field of a layout.
#[derive(Clone, Debug)]
pub(crate) enum Element {
    Text(TextElement),
    Picture(PictureElement),
    Code(CodeElement),
    Zone(ZonePlace),
}

impl Element {
    /// Returns the name of its field.
    pub(crate) const fn field(&self) -> &'static str {
        match self {
            Self::Text(text) => text.field.name(),
            Self::Picture(picture) => picture.field.name(),
            Self::Code(code) => code.field.name(),
            Self::Zone(_) => ZONE,
        }
    }

    /// Returns the most room that it takes.
    pub(crate) fn place(&self) -> Frame {
        match self {
            Self::Text(text) => text.place(),
            Self::Picture(picture) => picture.place,
            Self::Code(code) => code.place,
            Self::Zone(zone) => zone.ink(),
        }
    }
}

impl TextElement {
    /// Where a line of this width begins.
    pub(crate) fn left(&self, width: f32) -> f32 {
        match self.anchor {
            Anchor::Start => self.at.0,
            Anchor::Middle => self.at.0 - width / 2.0,
            Anchor::End => self.at.0 - width,
        }
    }

    /// From an ascender's top to the last line's descenders: a capital with a mark over it is as
    /// high as nine tenths of its size.
    fn place(&self) -> Frame {
        let rules = &self.rules;
        let lines = u16::try_from(rules.lines).unwrap_or(u16::MAX);
        Frame {
            left: self.left(rules.width),
            top: self.at.1 - 0.9 * rules.size,
            width: rules.width,
            height: rules.size * (1.1 + self.leading * f32::from(lines - 1)),
        }
    }
}
