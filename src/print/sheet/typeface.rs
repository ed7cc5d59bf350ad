//! How a PDF carries a typeface: embedded whole, with its widths and its characters.

use pdf_writer::types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap};
use pdf_writer::{Finish, Name, Pdf, Rect, Ref, Str};
use ttf_parser::{Face, GlyphId};

use crate::face::lettering::{Lettering, Style};

/// Identity encoding: a text is the numbers of its glyphs, two bytes each (*ISO 32000-1 §9.7.5.2*).
const IDENTITY: Name<'static> = Name(b"Identity-H");
const SYSTEM: SystemInfo<'static> = SystemInfo {
    registry: Str(b"Adobe"),
    ordering: Str(b"Identity"),
    supplement: 0,
};
/// Units of an em in a PDF (*ISO 32000-1 §9.2.4*).
const EM: f32 = 1000.0;

/// Returns a typeface's name on the page.
pub(super) const fn resource(style: Style) -> &'static str {
    match style {
        Style::Light => "Light",
        Style::Regular => "Regular",
        Style::Bold => "Bold",
        Style::OcrB => "OcrB",
    }
}

/// Returns a typeface's own name.
const fn name(style: Style) -> &'static str {
    match style {
        Style::Light => "RobotoCondensed-Light",
        Style::Regular => "RobotoCondensed-Regular",
        Style::Bold => "RobotoCondensed-Bold",
        Style::OcrB => "OCRB",
    }
}

/// The numbers of the objects that carry a typeface.
pub(super) struct TypefaceRefs {
    pub(super) font: Ref,
    pub(super) descendant: Ref,
    pub(super) descriptor: Ref,
    pub(super) file: Ref,
    pub(super) cmap: Ref,
}

impl TypefaceRefs {
    /// Takes the next numbers.
    pub(super) fn new(next: &mut impl FnMut() -> Ref) -> Self {
        Self {
            font: next(),
            descendant: next(),
            descriptor: next(),
            file: next(),
            cmap: next(),
        }
    }
}

fn scaled(face: &Face<'_>, units: f32) -> f32 {
    units * EM / f32::from(face.units_per_em())
}

/// Writes the objects that carry a typeface (*ISO 32000-1 §9.7.4*).
pub(super) fn embed(lettering: &Lettering, style: Style, pdf: &mut Pdf, refs: &TypefaceRefs) {
    let (face, bytes) = (lettering.face(style), style.bytes());
    let name = Name(name(style).as_bytes());
    let advance = |glyph| {
        let advance = face.glyph_hor_advance(GlyphId(glyph)).unwrap_or(0);
        scaled(face, f32::from(advance))
    };
    pdf.type0_font(refs.font)
        .base_font(name)
        .encoding_predefined(IDENTITY)
        .descendant_font(refs.descendant)
        .to_unicode(refs.cmap);
    let count = face.number_of_glyphs();
    let mut descendant = pdf.cid_font(refs.descendant);
    descendant
        .subtype(CidFontType::Type2)
        .base_font(name)
        .system_info(SYSTEM)
        .font_descriptor(refs.descriptor)
        .cid_to_gid_map_predefined(Name(b"Identity"));
    descendant.widths().consecutive(0, (0..count).map(advance));
    descendant.finish();
    let bounds = face.global_bounding_box();
    let corner = |value: i16| scaled(face, f32::from(value));
    pdf.font_descriptor(refs.descriptor)
        .name(name)
        .flags(FontFlags::NON_SYMBOLIC)
        .bbox(Rect::new(
            corner(bounds.x_min),
            corner(bounds.y_min),
            corner(bounds.x_max),
            corner(bounds.y_max),
        ))
        .italic_angle(0.0)
        .ascent(corner(face.ascender()))
        .descent(corner(face.descender()))
        .cap_height(corner(face.capital_height().unwrap_or_default()))
        .stem_v(80.0)
        .font_file2(refs.file);
    let length = i32::try_from(bytes.len()).unwrap_or(i32::MAX);
    pdf.stream(refs.file, bytes).pair(Name(b"Length1"), length);
    // Which character each glyph is, so that a reader for the blind reads the letter.
    let mut cmap = UnicodeCmap::new(Name(b"Letter"), SYSTEM);
    let mut named = vec![None; usize::from(count)];
    for character in (0x20..0x2100).filter_map(char::from_u32) {
        if let Some(glyph) = lettering.glyph(style, character).ok()
            && let Some(name) = named.get_mut(usize::from(glyph))
        {
            name.get_or_insert(character);
        }
    }
    for (glyph, character) in (0_u16..).zip(named) {
        if let Some(character) = character {
            cmap.pair(glyph, character);
        }
    }
    pdf.cmap(refs.cmap, &cmap.finish());
}
