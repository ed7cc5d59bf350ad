//! A typeface that is embedded whole: which letters it has, how wide they are, how a PDF carries it.

use pdf_writer::types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap};
use pdf_writer::{Finish, Name, Pdf, Rect, Ref, Str};
use ttf_parser::{Face, GlyphId};

/// Identity encoding: a text is the numbers of its glyphs, two bytes each (*ISO 32000-1 §9.7.5.2*).
const IDENTITY: Name<'static> = Name(b"Identity-H");
const SYSTEM: SystemInfo<'static> = SystemInfo {
    registry: Str(b"Adobe"),
    ordering: Str(b"Identity"),
    supplement: 0,
};
/// Units of an em in a PDF (*ISO 32000-1 §9.2.4*).
const EM: f32 = 1000.0;

/// DejaVu Sans Condensed, book.
const BOOK: &[u8] = include_bytes!("fonts/DejaVuSansCondensed.ttf");
/// The same, bold.
const BOLD: &[u8] = include_bytes!("fonts/DejaVuSansCondensed-Bold.ttf");

/// A typeface.
pub(crate) struct Typeface {
    face: Face<'static>,
    bytes: &'static [u8],
    name: &'static str,
    /// Its name on the page.
    pub(crate) resource: &'static str,
}

/// The numbers of the objects that carry a typeface.
pub(crate) struct TypefaceRefs {
    pub(crate) font: Ref,
    pub(crate) descendant: Ref,
    pub(crate) descriptor: Ref,
    pub(crate) file: Ref,
    pub(crate) cmap: Ref,
}

impl Typeface {
    /// Returns the book typeface; nothing where what was compiled in is damaged.
    pub(crate) fn book() -> Option<Self> {
        Self::of(BOOK, "DejaVuSansCondensed", "Book")
    }

    /// Returns the bold typeface.
    pub(crate) fn bold() -> Option<Self> {
        Self::of(BOLD, "DejaVuSansCondensed-Bold", "Bold")
    }

    fn of(bytes: &'static [u8], name: &'static str, resource: &'static str) -> Option<Self> {
        Some(Self {
            face: Face::parse(bytes, 0).ok()?,
            bytes,
            name,
            resource,
        })
    }

    /// Returns the glyph of a character, where the typeface has it.
    pub(crate) fn glyph(&self, character: char) -> Option<u16> {
        self.face.glyph_index(character).map(|glyph| glyph.0)
    }

    /// Returns how wide a text is in points; what has no glyph has no width.
    pub(crate) fn width(&self, text: &str, size: f32) -> f32 {
        let glyphs = text.chars().filter_map(|character| self.glyph(character));
        glyphs.map(|glyph| self.advance(glyph)).sum::<f32>() * size / EM
    }

    fn advance(&self, glyph: u16) -> f32 {
        let advance = self.face.glyph_hor_advance(GlyphId(glyph)).unwrap_or(0);
        self.scaled(f32::from(advance))
    }

    fn scaled(&self, units: f32) -> f32 {
        units * EM / f32::from(self.face.units_per_em())
    }

    /// Writes the objects that carry it (*ISO 32000-1 §9.7.4*).
    pub(crate) fn embed(&self, pdf: &mut Pdf, refs: &TypefaceRefs) {
        let name = Name(self.name.as_bytes());
        pdf.type0_font(refs.font)
            .base_font(name)
            .encoding_predefined(IDENTITY)
            .descendant_font(refs.descendant)
            .to_unicode(refs.cmap);
        let count = self.face.number_of_glyphs();
        let mut descendant = pdf.cid_font(refs.descendant);
        descendant
            .subtype(CidFontType::Type2)
            .base_font(name)
            .system_info(SYSTEM)
            .font_descriptor(refs.descriptor)
            .cid_to_gid_map_predefined(Name(b"Identity"));
        descendant
            .widths()
            .consecutive(0, (0..count).map(|glyph| self.advance(glyph)));
        descendant.finish();
        let bounds = self.face.global_bounding_box();
        let corner = |value: i16| self.scaled(f32::from(value));
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
            .ascent(corner(self.face.ascender()))
            .descent(corner(self.face.descender()))
            .cap_height(corner(self.face.capital_height().unwrap_or_default()))
            .stem_v(80.0)
            .font_file2(refs.file);
        let length = i32::try_from(self.bytes.len()).unwrap_or(i32::MAX);
        pdf.stream(refs.file, self.bytes)
            .pair(Name(b"Length1"), length);
        // Which character each glyph is, so that a reader for the blind reads the letter.
        let mut cmap = UnicodeCmap::new(Name(b"Letter"), SYSTEM);
        let mut named = vec![None; usize::from(count)];
        for character in (0x20..0x2100).filter_map(char::from_u32) {
            if let Some(glyph) = self.glyph(character)
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
}
