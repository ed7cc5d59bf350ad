//! What people see of a face: the panels laid over the blank.

use pdf_writer::{Content, Filter, Finish, Name, Pdf, Rect, Ref};
use zeroize::Zeroizing;

use super::panel::{Panel, Raster, RasterForm};

/// Metres in an inch, by which PNG counts.
const INCH: f32 = 0.0254;
/// Points in an inch (*ISO 32000-1 §8.3.2.3*).
const POINTS: f32 = 72.0;

/// Lays panels over the blank: each ink takes light away from what is below it.
pub(super) fn over(preprint: &Raster, panels: &[(Panel, Raster)]) -> Raster {
    let mut seen = preprint.clone();
    for (panel, raster) in panels {
        if *panel == Panel::Overlay || raster.width != seen.width || raster.height != seen.height {
            // Varnish is clear.
            continue;
        }
        let width = raster.width as usize;
        let rows = raster.bytes.chunks_exact(raster.stride().max(1));
        for (below, row) in seen.bytes.chunks_exact_mut(3 * width.max(1)).zip(rows) {
            for (x, dot) in below.chunks_exact_mut(3).enumerate() {
                for (at, value) in dot.iter_mut().enumerate() {
                    let light = match raster.form {
                        RasterForm::Rgb => row.get(3 * x + at).copied().unwrap_or(255),
                        RasterForm::Grey => row.get(x).copied().unwrap_or(255),
                        RasterForm::Bits => {
                            let byte = row.get(x / 8).copied().unwrap_or(0);
                            if byte >> (7 - x % 8) & 1 == 1 {
                                16
                            } else {
                                255
                            }
                        }
                    };
                    let sum = u32::from(*value) * u32::from(light) + 127;
                    *value = (sum / 255) as u8;
                }
            }
        }
    }
    seen
}

/// Writes dots as a PNG (*ISO/IEC 15948*) that knows its resolution, with the corners cut off.
pub(super) fn png(seen: &Raster, dots: u16, radius: f32) -> Zeroizing<Vec<u8>> {
    let (width, height) = (seen.width, seen.height);
    let mut rgba = Zeroizing::new(Vec::with_capacity(seen.bytes.len() / 3 * 4));
    for (dot, at) in seen.bytes.chunks_exact(3).zip(0_u32..) {
        rgba.extend_from_slice(dot);
        rgba.push(cover(at % width, at / width, width, height, radius));
    }
    encoded(
        &rgba,
        (width, height),
        ::png::ColorType::Rgba,
        ::png::BitDepth::Eight,
        dots,
    )
}

/// Writes one panel as a PNG of its own form: what is printed is dark.
pub(super) fn panel_png(raster: &Raster, dots: u16) -> Zeroizing<Vec<u8>> {
    let (color, depth) = match raster.form {
        RasterForm::Rgb => (::png::ColorType::Rgb, ::png::BitDepth::Eight),
        RasterForm::Grey => (::png::ColorType::Grayscale, ::png::BitDepth::Eight),
        RasterForm::Bits => (::png::ColorType::Grayscale, ::png::BitDepth::One),
    };
    let mut bytes = Zeroizing::new(raster.bytes.clone());
    if raster.form == RasterForm::Bits {
        // In PNG a set bit is white.
        bytes.iter_mut().for_each(|byte| *byte = !*byte);
    }
    encoded(&bytes, (raster.width, raster.height), color, depth, dots)
}

/// Writes a PNG that knows its resolution.
fn encoded(
    bytes: &[u8],
    (width, height): (u32, u32),
    color: ::png::ColorType,
    depth: ::png::BitDepth,
    dots: u16,
) -> Zeroizing<Vec<u8>> {
    let mut file = Zeroizing::new(Vec::with_capacity(bytes.len() / 2));
    let mut encoder = ::png::Encoder::new(&mut *file, width, height);
    encoder.set_color(color);
    encoder.set_depth(depth);
    let metre = (f32::from(dots) / INCH).round() as u32;
    encoder.set_pixel_dims(Some(::png::PixelDimensions {
        xppu: metre,
        yppu: metre,
        unit: ::png::Unit::Meter,
    }));
    // Writing into memory fails only where the sizes disagree, and they are the raster's own.
    if let Ok(mut writer) = encoder.write_header() {
        let _ = writer.write_image_data(bytes);
    }
    file
}

/// Returns how much of a dot is on the card, whose corners are round.
fn cover(x: u32, y: u32, width: u32, height: u32, radius: f32) -> u8 {
    let inward = |at: u32, length: u32| {
        let near = at.min(length.saturating_sub(1) - at.min(length.saturating_sub(1)));
        (radius - near as f32 - 0.5).max(0.0)
    };
    let (across, down) = (inward(x, width), inward(y, height));
    if across == 0.0 || down == 0.0 {
        return 255;
    }
    let distance = (across * across + down * down).sqrt();
    ((radius - distance + 0.5).clamp(0.0, 1.0) * 255.0) as u8
}

/// Writes dots as a PDF of one page, as large as the document is.
pub(super) fn pdf(seen: &Raster, dots: u16) -> Zeroizing<Vec<u8>> {
    let length = |count: u32| count as f32 / f32::from(dots) * POINTS;
    let (width, height) = (length(seen.width), length(seen.height));
    let [catalog, pages, page, content, image] = [1, 2, 3, 4, 5].map(Ref::new);
    let mut pdf = Pdf::new();
    pdf.catalog(catalog).pages(pages);
    pdf.pages(pages).kids([page]).count(1);
    let mut sheet = pdf.page(page);
    sheet
        .media_box(Rect::new(0.0, 0.0, width, height))
        .parent(pages)
        .contents(content);
    sheet.resources().x_objects().pair(Name(b"Face"), image);
    sheet.finish();
    let mut drawing = Content::new();
    drawing
        .transform([width, 0.0, 0.0, height, 0.0, 0.0])
        .x_object(Name(b"Face"));
    pdf.stream(content, &drawing.finish());
    let packed = packed(&seen.bytes);
    let count = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    let mut object = pdf.image_xobject(image, &packed);
    object
        .width(count(seen.width))
        .height(count(seen.height))
        .bits_per_component(8)
        .filter(Filter::FlateDecode);
    object.color_space().device_rgb();
    object.finish();
    Zeroizing::new(pdf.finish())
}

/// Compresses bytes as PDF's `FlateDecode` has them (*RFC 1950*).
fn packed(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    use std::io::Write as _;
    let packed = Vec::with_capacity(bytes.len() / 2);
    let mut encoder = flate2::write::ZlibEncoder::new(packed, flate2::Compression::default());
    // Writing into memory does not fail.
    let _ = encoder.write_all(bytes);
    Zeroizing::new(encoder.finish().unwrap_or_default())
}
