//! JPEG 2000: the bare codestream (*ITU-T T.800 Annex A*) and the JP2 file around it
//! (*Annex I*).
//!
//! ```text
//!  JP2 file    jP  | ftyp | jp2h { ihdr, colr, … } | jp2c { codestream } | …
//!  codestream  SOC SIZ [COD QCD …] { SOT … SOD packets } … EOC
//! ```

use super::{ImageError, MOST_PARTS, Shape};

/// A JP2 file begins with this whole box (*T.800 I.5.1*).
pub(super) const FILE_SIGNATURE: &[u8] = b"\x00\x00\x00\x0cjP  \r\n\x87\n";

/// A codestream begins with these two markers, SOC and SIZ (*T.800 A.3*).
pub(super) const STREAM_SIGNATURE: &[u8] = &[0xff, 0x4f, 0xff, 0x51];

const ENDS: ImageError = ImageError::Damaged("the JPEG 2000 file does not end where it should");

/// Walks the boxes of a JP2 file to its end.
pub(super) fn file_shape(bytes: &[u8]) -> Result<Shape, ImageError> {
    let rest = bytes.get(FILE_SIGNATURE.len()..).ok_or(ENDS)?;
    let (kind, content, mut rest) = take_box(rest)?;
    // The brand, a version, then the brands that it is compatible with.
    let brands = content.get(8..).unwrap_or_default();
    if kind != *b"ftyp" || !brands.chunks(4).any(|brand| brand == b"jp2 ") {
        return Err(ImageError::Damaged("the JPEG 2000 file is not of type jp2"));
    }
    let (mut header, mut picture) = (None, None);
    for _ in 0..MOST_PARTS {
        if rest.is_empty() {
            let (Some(header), Some(picture)) = (header, picture) else {
                return Err(ImageError::Damaged(
                    "the JPEG 2000 file lacks its header or its picture",
                ));
            };
            return agreed(header, picture);
        }
        let (kind, content, after) = take_box(rest)?;
        rest = after;
        match (&kind, header, picture) {
            (b"jp2h", None, None) => header = Some(header_shape(content)?),
            (b"jp2c", Some(_), None) => picture = Some(stream_shape(content)?),
            (b"jp2h" | b"jp2c", _, _) => {
                return Err(ImageError::Damaged(
                    "the JPEG 2000 file has header and picture twice or in the wrong order",
                ));
            }
            _ => {}
        }
    }
    Err(ImageError::Damaged("the JPEG 2000 file has too many boxes"))
}

/// Returns the picture's shape, where the header says the same of it.
fn agreed(header: Shape, picture: Shape) -> Result<Shape, ImageError> {
    let stated = Shape {
        lossless: picture.lossless,
        ..header
    };
    if stated == picture {
        Ok(picture)
    } else {
        Err(ImageError::Damaged(
            "header and picture of the JPEG 2000 file differ",
        ))
    }
}

/// A box: its type, its content, and what follows it (*T.800 I.4*).
type Boxed<'a> = ([u8; 4], &'a [u8], &'a [u8]);

fn take_box(bytes: &[u8]) -> Result<Boxed<'_>, ImageError> {
    let (&length, after) = bytes.split_first_chunk::<4>().ok_or(ENDS)?;
    let (&kind, after) = after.split_first_chunk::<4>().ok_or(ENDS)?;
    let (header, length) = match u32::from_be_bytes(length) {
        // The last box may reach to the end of the file.
        0 => (8, bytes.len()),
        // A length of eight bytes follows.
        1 => {
            let (&length, _) = after.split_first_chunk().ok_or(ENDS)?;
            let length = usize::try_from(u64::from_be_bytes(length)).map_err(|_| ENDS)?;
            (16, length)
        }
        length => (8, usize::try_from(length).map_err(|_| ENDS)?),
    };
    let content = bytes.get(header..length).ok_or(ENDS)?;
    let rest = bytes.get(length..).ok_or(ENDS)?;
    Ok((kind, content, rest))
}

/// Reads the JP2 header box (*T.800 I.5.3*).
fn header_shape(content: &[u8]) -> Result<Shape, ImageError> {
    let (kind, image_header, mut rest) = take_box(content)?;
    let shape = match *image_header {
        // Height, width, components, depth, compression type 7, two flags.
        [h1, h2, h3, h4, w1, w2, w3, w4, 0, components, 7, 7, _, _] if kind == *b"ihdr" => Shape {
            width: u32::from_be_bytes([w1, w2, w3, w4]),
            height: u32::from_be_bytes([h1, h2, h3, h4]),
            colour: is_colour(components.into())?,
            lossless: false,
        },
        _ => {
            return Err(ImageError::Damaged(
                "the JPEG 2000 file has no image header of 8 bits a sample",
            ));
        }
    };
    let mut colour_space = false;
    for _ in 0..MOST_PARTS {
        if rest.is_empty() {
            break;
        }
        let (kind, _, after) = take_box(rest)?;
        rest = after;
        match &kind {
            b"colr" => colour_space = true,
            b"pclr" | b"cmap" => {
                return Err(ImageError::Damaged("the JPEG 2000 file has a palette"));
            }
            _ => {}
        }
    }
    if colour_space {
        Ok(shape)
    } else {
        Err(ImageError::Damaged(
            "the JPEG 2000 file does not say its colour space",
        ))
    }
}

fn is_colour(components: u16) -> Result<bool, ImageError> {
    match components {
        1 => Ok(false),
        3 => Ok(true),
        _ => Err(ImageError::Damaged(
            "the JPEG 2000 picture is neither grey nor colour",
        )),
    }
}

/// Walks the markers and tile-parts of a codestream to its end.
pub(super) fn stream_shape(bytes: &[u8]) -> Result<Shape, ImageError> {
    let rest = bytes
        .strip_prefix(STREAM_SIGNATURE)
        .ok_or(ImageError::Damaged(
            "the JPEG 2000 picture does not begin with its size",
        ))?;
    let (size, mut rest) = take_segment(rest)?;
    let Size {
        width,
        height,
        colour,
        tiles,
    } = Size::parse(size)?;
    let (mut reversible, mut quantised) = (None, false);
    for _ in 0..MOST_PARTS {
        let (marker, after) = take_marker(rest)?;
        if marker == SOT {
            let (Some(lossless), true) = (reversible, quantised) else {
                return Err(ImageError::Damaged(
                    "the JPEG 2000 picture does not say how it is coded",
                ));
            };
            walk_tiles(rest, tiles)?;
            return Ok(Shape {
                width,
                height,
                colour,
                lossless,
            });
        }
        let (body, after) = take_segment(after)?;
        match marker {
            COD => reversible = Some(is_reversible(body)?),
            QCD => quantised = true,
            // COC, RGN, QCC, POC, TLM, PLM, PPM, CRG, COM.
            0x53 | 0x5e | 0x5d | 0x5f | 0x55 | 0x57 | 0x60 | 0x63 | 0x64 => {}
            _ => {
                return Err(ImageError::Damaged(
                    "the JPEG 2000 picture has a marker that does not belong there",
                ));
            }
        }
        rest = after;
    }
    Err(ImageError::Damaged(
        "the JPEG 2000 picture has too many segments",
    ))
}

// The second byte of each marker (T.800 table A.2).
const COD: u8 = 0x52;
const QCD: u8 = 0x5c;
const SOT: u8 = 0x90;
const SOD: u8 = 0x93;
const END: &[u8] = &[0xff, 0xd9];

fn take_marker(bytes: &[u8]) -> Result<(u8, &[u8]), ImageError> {
    match *bytes {
        [0xff, marker, ref rest @ ..] => Ok((marker, rest)),
        [_, _, ..] => Err(ImageError::Damaged("no JPEG 2000 marker where one must be")),
        _ => Err(ENDS),
    }
}

/// Takes the body of a segment, whose length counts its own two bytes.
fn take_segment(bytes: &[u8]) -> Result<(&[u8], &[u8]), ImageError> {
    let (&length, _) = bytes.split_first_chunk().ok_or(ENDS)?;
    let length = usize::from(u16::from_be_bytes(length));
    let body = bytes.get(2..length).ok_or(ENDS)?;
    Ok((body, bytes.get(length..).ok_or(ENDS)?))
}

/// What SIZ says (*T.800 A.5.1*).
struct Size {
    width: u32,
    height: u32,
    colour: bool,
    tiles: u64,
}

impl Size {
    fn parse(body: &[u8]) -> Result<Self, ImageError> {
        const WRONG: ImageError =
            ImageError::Damaged("the JPEG 2000 picture has an impossible size");
        let (numbers, components) = body
            .get(2..)
            .and_then(|rest| rest.split_at_checked(32))
            .ok_or(WRONG)?;
        let mut numbers = numbers
            .as_chunks()
            .0
            .iter()
            .map(|&word| u32::from_be_bytes(word));
        let mut pair = || Some((numbers.next()?, numbers.next()?));
        let (Some(end), Some(start), Some(tile), Some(tile_start)) =
            (pair(), pair(), pair(), pair())
        else {
            return Err(WRONG);
        };
        let along = |end: u32, start: u32, tile: u32, tile_start: u32| {
            let length = end.checked_sub(start).filter(|&length| length > 0)?;
            let first_ends = tile_start.checked_add(tile)?;
            (tile_start <= start && start < first_ends).then_some(())?;
            Some((length, u64::from((end - tile_start).div_ceil(tile))))
        };
        let (width, columns) = along(end.0, start.0, tile.0, tile_start.0).ok_or(WRONG)?;
        let (height, rows) = along(end.1, start.1, tile.1, tile_start.1).ok_or(WRONG)?;
        let (&count, components) = components.split_first_chunk().ok_or(WRONG)?;
        let count = u16::from_be_bytes(count);
        let colour = is_colour(count)?;
        if components.len() != 3 * usize::from(count) {
            return Err(WRONG);
        }
        // Eight bits without sign; only chroma may be coarser than the picture.
        for (index, component) in components.chunks(3).enumerate() {
            match *component {
                [7, 1, 1] => {}
                [7, 1 | 2, 1 | 2] if index > 0 => {}
                _ => {
                    return Err(ImageError::Damaged(
                        "the JPEG 2000 picture does not have 8 bits a sample",
                    ));
                }
            }
        }
        Ok(Self {
            width,
            height,
            colour,
            tiles: columns * rows,
        })
    }
}

/// Says whether COD names the reversible wavelet (*T.800 A.6.1*).
fn is_reversible(body: &[u8]) -> Result<bool, ImageError> {
    match body {
        [_, _, _, _, _, _, _, _, _, 0, ..] => Ok(false),
        [_, _, _, _, _, _, _, _, _, 1, ..] => Ok(true),
        _ => Err(ImageError::Damaged(
            "the JPEG 2000 picture names no wavelet",
        )),
    }
}

/// Walks tile-parts (*T.800 A.4.2*) to the end of the codestream.
fn walk_tiles(mut rest: &[u8], tiles: u64) -> Result<(), ImageError> {
    for _ in 0..MOST_PARTS {
        if rest == END {
            return Ok(());
        }
        let (marker, after) = take_marker(rest)?;
        let (body, _) = take_segment(after)?;
        let (SOT, &[t1, t2, l1, l2, l3, l4, _, _]) = (marker, body) else {
            return Err(ImageError::Damaged(
                "the JPEG 2000 picture has something else between its tiles",
            ));
        };
        if u64::from(u16::from_be_bytes([t1, t2])) >= tiles {
            return Err(ImageError::Damaged(
                "the JPEG 2000 picture has a tile that lies outside of it",
            ));
        }
        // The length counts from the marker; 0 means: up to the end.
        let length = match u32::from_be_bytes([l1, l2, l3, l4]) {
            0 => rest.len().checked_sub(END.len()).ok_or(ENDS)?,
            length => usize::try_from(length).map_err(|_| ENDS)?,
        };
        let (part, after) = rest.split_at_checked(length).ok_or(ENDS)?;
        part_has_data(part)?;
        rest = after;
    }
    Err(ImageError::Damaged(
        "the JPEG 2000 picture has too many tiles",
    ))
}

/// Walks the header of a tile-part to the marker where its data begin.
fn part_has_data(part: &[u8]) -> Result<(), ImageError> {
    let mut rest = part;
    for _ in 0..MOST_PARTS {
        let (marker, after) = take_marker(rest)?;
        if marker == SOD {
            return Ok(());
        }
        rest = take_segment(after)?.1;
    }
    Err(ImageError::Damaged(
        "the JPEG 2000 picture has too many segments",
    ))
}
