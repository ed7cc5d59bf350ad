//! Reads the layout of a sheet.

use roxmltree::Node;

use super::ink;
use super::kind::SheetKind;
use super::layout::{Block, Pages, Piece, SheetLayout};
use super::proof::{self, Stand};
use super::rows::Rows;
use crate::face::element::Element;
use crate::face::error::LayoutError;
use crate::face::field::TextField;
use crate::face::layout::art;
use crate::face::layout::attributes::{Source, inherited, own};
use crate::face::layout::fields::{Fonts, element};
use crate::face::layout::read::{lettering, no_fields, size, unmoved, xml};
use crate::face::lettering::Style;
use crate::face::panel::Panel;

/// Reads the layout.
pub(super) fn sheet(kind: SheetKind, text: &str) -> Result<SheetLayout, LayoutError> {
    let source = Source {
        name: kind.name(),
        text,
    };
    let document = xml(source)?;
    let root = document.root_element();
    source.only(root, &[])?;
    let (width, height) = size(source, root)?;
    let lettering = lettering(source, root)?;
    let mut reader = Reader {
        kind,
        source,
        fonts: Fonts {
            lettering: &lettering,
        },
        root,
        height,
        styles: Vec::new(),
        stands: Vec::new(),
    };
    let mut blocks: Vec<Block> = Vec::new();
    for node in root.children().filter(Node::is_element) {
        match node.tag_name().name() {
            "defs" | "title" | "desc" => no_fields(source, node)?,
            "g" => {
                let block = reader.block(node)?;
                let other = blocks.iter().any(|block| block.rows.is_some());
                if block.rows.is_some() && other {
                    let fault = "a sheet has rows once";
                    return Err(source.at(node, fault, "take one of the groups out"));
                }
                blocks.push(block);
            }
            other => {
                let fault = format!("<{other}> stands in no group");
                return Err(source.at(node, fault, "put it into a <g>"));
            }
        }
    }
    let Reader {
        mut styles, stands, ..
    } = reader;
    let paper = (width, height);
    proof::prove(kind, source, (root, paper), &lettering, &stands)?;
    styles.sort_unstable_by_key(|style| *style as u8);
    styles.dedup();
    Ok(SheetLayout {
        kind,
        width,
        height,
        blocks,
        styles,
        lettering,
    })
}

struct Reader<'a, 'n, 'i> {
    kind: SheetKind,
    source: Source<'a>,
    fonts: Fonts<'a>,
    root: Node<'n, 'i>,
    height: f32,
    styles: Vec<Style>,
    stands: Vec<Stand<'n, 'i>>,
}

/// The edges of rows.
const EDGES: [&str; 5] = ["top", "step", "bottom", "next", "last"];

impl<'n, 'i> Reader<'_, 'n, 'i> {
    /// Reads a group with what stands in it under conditions.
    fn block(&mut self, node: Node<'n, 'i>) -> Result<Block, LayoutError> {
        let source = self.source;
        let known = [
            "on", "when", "rows", "top", "step", "bottom", "next", "last",
        ];
        source.only(node, &known)?;
        let pages = match own(node, "on") {
            None => Pages::Every,
            Some(attribute) => Pages::named(attribute.value()).ok_or_else(|| {
                let fault = format!("no page is \"{}\"", attribute.value());
                source.of(&attribute, fault, "pages are every, first, later and last")
            })?,
        };
        let rows = self.rows(node)?;
        if let Some(attribute) = own(node, "on").filter(|_| rows.is_some()) {
            let fault = "rows choose their pages themselves";
            return Err(source.of(&attribute, fault, "take z:on out"));
        }
        let mut pieces = vec![self.piece(node, rows)?];
        let inner = node.descendants().skip(1);
        for group in inner.filter(|node| own(*node, "when").is_some()) {
            source.only(group, &["when"])?;
            let between = group.ancestors().skip(1).take_while(|outer| *outer != node);
            let nested = between
                .filter(|outer| own(*outer, "when").is_some())
                .count()
                > 0;
            if group.tag_name().name() != "g" || nested {
                let fault = "a condition stands where it cannot";
                return Err(source.at(group, fault, "it is a <g>'s, and no other is in it"));
            }
            pieces.push(self.piece(group, rows)?);
        }
        Ok(Block {
            pages,
            rows,
            pieces,
        })
    }

    fn rows(&self, node: Node<'n, 'i>) -> Result<Option<Rows>, LayoutError> {
        let source = self.source;
        let Some(attribute) = own(node, "rows") else {
            let mut edges = EDGES.into_iter().filter_map(|name| own(node, name));
            return match edges.next() {
                None => Ok(None),
                Some(edge) => {
                    let fault = format!("z:{} is an edge of rows", edge.name());
                    Err(source.of(&edge, fault, "write z:rows too, or take it out"))
                }
            };
        };
        let named = self.kind.rows();
        if attribute.value() != named {
            let fault = format!("no rows are named \"{}\"", attribute.value());
            return Err(source.of(&attribute, fault, &format!("a {} has {named}", self.kind)));
        }
        let edge = |name: &str| source.own_number(node, name);
        let needed = |name: &str| {
            edge(name)?.ok_or_else(|| {
                let fault = format!("the rows have no z:{name}");
                source.at(
                    node,
                    fault,
                    "write z:top, z:step and z:bottom, in millimetres",
                )
            })
        };
        let (top, step, bottom) = (needed("top")?, needed("step")?, needed("bottom")?);
        let rows = Rows {
            top,
            step,
            bottom,
            next: edge("next")?.unwrap_or(top),
            last: edge("last")?.unwrap_or(bottom),
        };
        // A page without a row would be followed by another one without end.
        let fits = step >= 1.0
            && rows.room(rows.top, rows.last.min(bottom)) > 0
            && rows.room(rows.next, rows.last.min(bottom)) > 0;
        match fits && rows.next >= 0.0 && top >= 0.0 && bottom.max(rows.last) <= self.height {
            true => Ok(Some(rows)),
            false => Err(source.at(
                node,
                "the rows have no room on every page",
                "between z:top or z:next and z:bottom or z:last fits a row at least, which z:step (1 mm or more) is high",
            )),
        }
    }

    /// Reads what is drawn together: a group without the conditional ones in it.
    fn piece(&mut self, group: Node<'n, 'i>, rows: Option<Rows>) -> Result<Piece, LayoutError> {
        let source = self.source;
        let kind = self.kind;
        let belongs = |field: &TextField| match rows {
            Some(_) => kind.row_fields().contains(field),
            None => kind.fields().contains(field),
        };
        let when = match own(group, "when") {
            None => None,
            Some(attribute) => {
                let field = TextField::named(attribute.value()).filter(&belongs);
                Some(field.ok_or_else(|| {
                    let fault = format!("no text is named \"{}\" here", attribute.value());
                    source.of(
                        &attribute,
                        fault,
                        "a condition is the name of a text that is there",
                    )
                })?)
            }
        };
        let tree = art::tree(source, None, (self.root, group), &["when"], &["cover"])?;
        let mut art = Vec::new();
        if let Some(tree) = tree {
            let drawn = ink::shapes(&tree, self.height);
            art.extend(drawn.map_err(|fault| {
                source.at(
                    group,
                    fault,
                    "a sheet is drawn in solid colours, without clips and masks",
                )
            })?);
        }
        let mut elements = Vec::new();
        let inside = group.descendants().filter(|node| {
            let mut outer = node.ancestors().take_while(|outer| *outer != group);
            node.is_element() && !outer.any(|outer| own(outer, "when").is_some())
        });
        for node in inside {
            if own(node, "field").is_some() {
                unmoved(source, self.root, node)?;
                let element = element(source, &self.fonts, Panel::Black, node, &belongs)?;
                if let Element::Picture(_) | Element::Zone(_) = element {
                    let fault = format!("the field {} stands on a sheet", element.field());
                    return Err(source.at(node, fault, "a sheet has texts and bar codes"));
                }
                if let Element::Text(text) = &element {
                    self.style(node, text.rules.style)?;
                }
                self.stands.push(Stand {
                    node,
                    element: element.clone(),
                    rows,
                    when: when.is_some(),
                });
                elements.push(element);
            } else if node.tag_name().name() == "text" {
                art.extend(self.fixed(node)?);
            }
        }
        Ok(Piece {
            when,
            art,
            elements,
        })
    }

    /// Reads a text that is the same on every sheet.
    fn fixed(&mut self, node: Node<'n, 'i>) -> Result<Vec<u8>, LayoutError> {
        let source = self.source;
        unmoved(source, self.root, node)?;
        for name in ["opacity", "fill-opacity", "stroke"] {
            if let Some(attribute) = inherited(node, name) {
                let fault = format!("a text has {name}");
                return Err(source.of(
                    &attribute,
                    fault,
                    "a text of a sheet is filled, and no more",
                ));
            }
        }
        let placed = art::placed(source, &self.fonts, node)?;
        self.style(node, placed.letters.style)?;
        let line = ink::Line {
            style: placed.letters.style,
            size: placed.letters.size,
            spacing: placed.letters.spacing,
            at: placed.at,
            ink: source.ink(node)?,
        };
        let written = ink::text(self.fonts.lettering, &line, &placed.text, self.height);
        // It was measured with the same typeface just now.
        Ok(written.map(|bytes| bytes.to_vec()).unwrap_or_default())
    }

    fn style(&mut self, node: Node<'n, 'i>, style: Style) -> Result<(), LayoutError> {
        if style == Style::OcrB {
            let fault = "a sheet is not written in OCR-B";
            return Err(self.source.at(node, fault, "write Roboto Condensed"));
        }
        self.styles.push(style);
        Ok(())
    }
}
