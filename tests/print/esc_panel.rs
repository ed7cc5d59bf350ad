//! Panels against the guide's rules; the values are worked out by hand from them.

use super::*;
use crate::face::{Raster, RasterForm};

fn encoding(width: u32, height: u32, levels: u32) -> Encoding {
    Encoding {
        width,
        height,
        turn: Turn::Counterclockwise,
        levels: Levels::try_from(levels).unwrap(),
        compresses: true,
    }
}

/// A panel that stands as one line of these colour levels: lying, it is a column.
fn column(levels: u32, dots: &[u32]) -> Raster {
    // Yellow takes blue from white.
    let blue = |level: u32| 255 - ((level * 255 + (levels - 1) / 2) / (levels - 1)) as u8;
    Raster {
        width: 1,
        height: dots.len() as u32,
        form: RasterForm::Rgb,
        bytes: dots.iter().flat_map(|dot| [255, 255, blue(*dot)]).collect(),
    }
}

fn bits(width: u32, rows: &[&str]) -> Raster {
    let bytes = rows.iter().flat_map(|row| {
        let bits: Vec<u8> = row.bytes().map(|dot| u8::from(dot == b'#')).collect();
        bits.chunks(8)
            .map(|bits| {
                let bits = bits.iter().enumerate();
                bits.fold(0, |byte, (at, bit)| byte | bit << (7 - at))
            })
            .collect::<Vec<_>>()
    });
    Raster {
        width,
        height: rows.len() as u32,
        form: RasterForm::Bits,
        bytes: bytes.collect(),
    }
}

fn data(command: &Command) -> Vec<u8> {
    let frame = command.frame();
    let head = command.to_string().len() + 2;
    frame[head..frame.len() - 1].to_vec()
}

/// MSB first, without gaps between dots.
#[test]
fn tones_are_packed_as_the_guide_has_them() {
    for (levels, dots, packed) in [
        (128, &[0, 1, 64, 127, 127, 64, 1, 0][..], "000607FFF00080"),
        (64, &[0, 1, 32, 63], "00183F"),
        (32, &[0, 1, 16, 31, 31, 16, 1, 0], "0061FFC020"),
    ] {
        let encoding = encoding(dots.len() as u32, 1, levels);
        let command = encoding.download(Bitmap::Yellow, &column(levels, dots));
        assert_eq!(command.to_string(), format!("Db;y;{levels}"));
        let hex: String = data(&command)
            .iter()
            .map(|byte| format!("{byte:02X}"))
            .collect();
        assert_eq!(hex, packed, "{levels} levels");
    }
}

#[test]
fn each_ink_is_what_it_takes_from_white() {
    let red = Raster {
        width: 1,
        height: 8,
        form: RasterForm::Rgb,
        bytes: [255, 0, 0].repeat(8),
    };
    let encoding = encoding(8, 1, 32);
    for (bitmap, byte) in [
        (Bitmap::Cyan, 0x00),
        (Bitmap::Magenta, 0xFF),
        (Bitmap::Yellow, 0xFF),
    ] {
        assert_eq!(data(&encoding.download(bitmap, &red)), [byte; 5]);
    }
}

#[test]
fn lines_are_compressed_as_the_guide_has_them() {
    // Lying, 5 columns of 16 dots: standing, 5 lines of 16 dots; the last column is the first line.
    let mut rows = vec![String::new(); 16];
    for (at, row) in rows.iter_mut().enumerate() {
        // From the left: white, black, first byte's first dot, last dot, first byte whole.
        for dark in [false, true, at == 0, at == 15, at < 8] {
            row.push(if dark { '#' } else { '.' });
        }
    }
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let encoding = encoding(16, 5, 32);
    let command = encoding.download(Bitmap::Black, &bits(5, &rows));
    let lines = [
        &[1, 0xFF][..],
        &[2, 0x00, 0x01],
        &[1, 0x80],
        &[0xFF],
        &[0x00],
    ];
    assert_eq!(command.to_string(), "Dbc;k;2;9");
    assert_eq!(data(&command), lines.concat());
}

/// Where the corners of a lying card come to.
#[test]
fn a_lying_card_is_turned_to_stand() {
    // ab
    // cd, dark is a alone.
    let raster = bits(2, &["#.", ".."]);
    for (turn, lines) in [
        // ca
        // db
        (Turn::Clockwise, [0b0100_0000, 0b0000_0000]),
        // bd
        // ac
        (Turn::Counterclockwise, [0b0000_0000, 0b1000_0000]),
    ] {
        let encoding = Encoding {
            width: 2,
            height: 2,
            turn,
            levels: Levels::try_from(32).unwrap(),
            compresses: false,
        };
        let packed = data(&encoding.download(Bitmap::Black, &raster));
        let [first, second] = lines;
        assert_eq!(packed, [first | second >> 2], "{turn:?}");
    }
}

#[test]
fn a_smaller_face_lies_in_the_middle() {
    let encoding = encoding(8, 3, 32);
    // Two dots high and one wide, all dark.
    let command = encoding.download(Bitmap::Black, &bits(1, &["#", "#"]));
    assert_eq!(data(&command), [0, 1, 0b0001_1000, 0]);
}
