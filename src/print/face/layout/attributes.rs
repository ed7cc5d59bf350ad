//! Attributes of a layout's elements, read with their places.

use roxmltree::{Attribute, Node};

use super::NAMESPACE;
use crate::face::element::{Frame, Ink};
use crate::face::error::LayoutError;

/// The file that is read, for the places of faults.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) name: &'a str,
    pub(crate) text: &'a str,
}

impl Source<'_> {
    /// Makes the error for a fault at an offset.
    pub(crate) fn error(self, at: usize, fault: impl Into<String>, hint: &str) -> LayoutError {
        let before = self.text.get(..at).unwrap_or(self.text);
        let start = before.rfind('\n').map_or(0, |line| line + 1);
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        LayoutError {
            file: format!("{}.svg", self.name),
            line: count(before.matches('\n').count() + 1),
            column: count(before.get(start..).unwrap_or_default().chars().count() + 1),
            fault: fault.into(),
            hint: hint.to_owned(),
        }
    }

    /// Makes the error for a fault of an element.
    pub(crate) fn at(
        self,
        node: Node<'_, '_>,
        fault: impl Into<String>,
        hint: &str,
    ) -> LayoutError {
        self.error(node.range().start, fault, hint)
    }

    /// Makes the error for a fault of an attribute's value.
    pub(crate) fn of(
        self,
        attribute: &Attribute<'_, '_>,
        fault: impl Into<String>,
        hint: &str,
    ) -> LayoutError {
        self.error(attribute.range_value().start, fault, hint)
    }

    /// Reads a number of mm.
    pub(crate) fn number(self, attribute: &Attribute<'_, '_>) -> Result<f32, LayoutError> {
        let number = attribute.value().trim().parse::<f32>().ok();
        number
            .filter(|number| number.is_finite() && number.abs() <= 1000.0)
            .ok_or_else(|| {
                self.of(
                    attribute,
                    format!("\"{}\" is no number of millimetres", attribute.value()),
                    "write digits with a full stop, without a unit",
                )
            })
    }

    /// Reads a number of mm that must be there.
    pub(crate) fn needed(self, node: Node<'_, '_>, name: &str) -> Result<f32, LayoutError> {
        let attribute = plain(node, name).ok_or_else(|| {
            let fault = format!("<{}> has no {name}", node.tag_name().name());
            self.at(node, fault, "write it, in millimetres")
        })?;
        self.number(&attribute)
    }

    /// Reads one of our own attributes as a number of mm, if it is there.
    pub(crate) fn own_number(
        self,
        node: Node<'_, '_>,
        name: &str,
    ) -> Result<Option<f32>, LayoutError> {
        own(node, name)
            .map(|attribute| self.number(&attribute))
            .transpose()
    }

    /// Reads a rectangle within the document.
    pub(crate) fn rectangle(self, node: Node<'_, '_>) -> Result<Frame, LayoutError> {
        if node.tag_name().name() != "rect" {
            return Err(self.at(
                node,
                format!("<{}> cannot hold this field", node.tag_name().name()),
                "the place of a picture, a bar code or the zone is a <rect>",
            ));
        }
        let place = Frame {
            left: self.needed(node, "x")?,
            top: self.needed(node, "y")?,
            width: self.needed(node, "width")?,
            height: self.needed(node, "height")?,
        };
        if place.width <= 0.0 || place.height <= 0.0 {
            let fault = "the rectangle has no room";
            return Err(self.at(node, fault, "width and height are more than 0"));
        }
        Ok(place)
    }

    /// Reads the colour that an element is filled with: `#rrggbb`, by default black.
    pub(crate) fn ink(self, node: Node<'_, '_>) -> Result<Ink, LayoutError> {
        let Some(attribute) = inherited(node, "fill") else {
            return Ok(Ink {
                red: 0,
                green: 0,
                blue: 0,
            });
        };
        let digits = attribute.value().strip_prefix('#');
        let number = digits
            .filter(|digits| digits.len() == 6)
            .and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let Some(number) = number else {
            let fault = format!(
                "\"{}\" is no colour of a text or a field",
                attribute.value()
            );
            return Err(self.of(&attribute, fault, "write it as #rrggbb"));
        };
        let [_, red, green, blue] = number.to_be_bytes();
        Ok(Ink { red, green, blue })
    }

    /// Reads a yes or no of our own.
    pub(crate) fn yes(self, node: Node<'_, '_>, name: &str) -> Result<bool, LayoutError> {
        let Some(attribute) = own(node, name) else {
            return Ok(false);
        };
        match attribute.value() {
            "yes" => Ok(true),
            "no" => Ok(false),
            other => Err(self.of(
                &attribute,
                format!("z:{name} is \"{other}\""),
                "it is \"yes\" or \"no\"",
            )),
        }
    }

    /// Refuses attributes of ours that an element of its kind does not have.
    pub(crate) fn only(self, node: Node<'_, '_>, known: &[&str]) -> Result<(), LayoutError> {
        let mut ours = node.attributes().filter(|attribute| is_ours(attribute));
        match ours.find(|attribute| !known.contains(&attribute.name())) {
            None => Ok(()),
            Some(attribute) => Err(self.error(
                attribute.range().start,
                format!("z:{} is not known here", attribute.name()),
                &match known {
                    [] => "nothing of ours belongs here".to_owned(),
                    _ => format!("known here are z:{}", known.join(", z:")),
                },
            )),
        }
    }
}

fn is_ours(attribute: &Attribute<'_, '_>) -> bool {
    attribute.namespace() == Some(NAMESPACE)
}

/// Returns one of our own attributes.
pub(crate) fn own<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Attribute<'a, 'i>> {
    node.attributes()
        .find(|attribute| is_ours(attribute) && attribute.name() == name)
}

/// Returns an attribute of SVG.
pub(crate) fn plain<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Attribute<'a, 'i>> {
    node.attributes()
        .find(|attribute| attribute.namespace().is_none() && attribute.name() == name)
}

/// Returns an attribute of SVG that an element has from itself or from what it stands in.
pub(crate) fn inherited<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Attribute<'a, 'i>> {
    node.ancestors().find_map(|ancestor| plain(ancestor, name))
}
