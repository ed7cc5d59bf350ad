//! Pages put into a PDF (*ISO 32000-1 §7.5*), in one buffer of its full size.

use pdf_writer::{Finish, Name, Pdf, Rect, Ref};
use zeroize::Zeroizing;

use super::typeface::{self, TypefaceRefs, resource};
use crate::face::lettering::{Lettering, Style};

/// What a page and its stream take beside the content itself, at most.
const PAGE: usize = 1024;

/// Puts pages of a size in points into a file, in their order, with the typefaces that they are
/// written in.
pub(super) fn pdf(
    contents: &[Zeroizing<Vec<u8>>],
    paper: (f32, f32),
    styles: &[Style],
    lettering: &Lettering,
) -> Zeroizing<Vec<u8>> {
    // Without pages first, which holds no secret: the typefaces are most of it.
    let fixed = put(&[], paper, styles, lettering, 0).len();
    let pages: usize = contents.iter().map(|content| PAGE + content.len()).sum();
    put(contents, paper, styles, lettering, fixed + pages)
}

fn put(
    contents: &[Zeroizing<Vec<u8>>],
    (width, height): (f32, f32),
    styles: &[Style],
    lettering: &Lettering,
    capacity: usize,
) -> Zeroizing<Vec<u8>> {
    let mut next = Ref::new(1);
    let mut bump = || next.bump();
    let faces: Vec<_> = styles
        .iter()
        .map(|style| (*style, TypefaceRefs::new(&mut bump)))
        .collect();
    let (catalog, pages) = (bump(), bump());
    let sheets: Vec<_> = contents
        .iter()
        .map(|content| (bump(), bump(), content))
        .collect();
    let mut pdf = Pdf::with_capacity(capacity);
    pdf.catalog(catalog).pages(pages);
    let count = i32::try_from(sheets.len()).unwrap_or(i32::MAX);
    pdf.pages(pages)
        .kids(sheets.iter().map(|(page, _, _)| *page))
        .count(count);
    for (page, stream, content) in sheets {
        let mut sheet = pdf.page(page);
        sheet
            .media_box(Rect::new(0.0, 0.0, width, height))
            .parent(pages)
            .contents(stream);
        let mut resources = sheet.resources();
        let mut fonts = resources.fonts();
        for (style, refs) in &faces {
            fonts.pair(Name(resource(*style).as_bytes()), refs.font);
        }
        fonts.finish();
        resources.finish();
        sheet.finish();
        pdf.stream(stream, content);
    }
    for (style, refs) in &faces {
        typeface::embed(lettering, *style, &mut pdf, refs);
    }
    let bytes = Zeroizing::new(pdf.finish());
    // Had it grown, a part of it were left somewhere.
    debug_assert!(capacity == 0 || bytes.len() <= capacity, "{capacity}");
    bytes
}
