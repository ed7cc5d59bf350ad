//! A label as its commands.

use std::fmt::Write as _;

use zeroize::Zeroizing;

use crate::face::{Raster, RasterForm};

/// The most bytes of a graphic field (*`^GF`, parameters b and c*).
const MOST: usize = 99_999;

/// Writes a label: strips of its picture from above, since a field takes so much only. Nothing where
/// it is not of one bit a dot, or wider than a strip.
pub(super) fn label(raster: &Raster) -> Option<Zeroizing<String>> {
    let stride = raster.stride();
    let rows = MOST.checked_div(stride)?;
    if raster.form != RasterForm::Bits || rows == 0 {
        return None;
    }
    let mut text = Zeroizing::new(String::with_capacity(2 * raster.bytes.len() + 1024));
    // Width and length of the label, its home, and how many are printed. A text takes everything.
    let (width, height) = (raster.width, raster.height);
    let _ = write!(text, "^XA^PW{width}^LL{height}^LH0,0");
    for (strip, at) in raster.bytes.chunks(rows * stride).zip(0..) {
        let (top, count) = (at * rows, strip.len());
        let _ = write!(text, "^FO0,{top}^GFA,{count},{count},{stride},");
        for byte in strip {
            let _ = write!(text, "{byte:02X}");
        }
        text.push_str("^FS");
    }
    text.push_str("^PQ1^XZ\r\n");
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raster(width: u32, height: u32, bytes: Vec<u8>) -> Raster {
        Raster {
            width,
            height,
            form: RasterForm::Bits,
            bytes,
        }
    }

    #[test]
    fn a_label_is_the_guide_s() {
        let label = label(&raster(10, 2, vec![0xFF, 0x40, 0x80, 0x00])).unwrap();
        assert_eq!(
            *label,
            "^XA^PW10^LL2^LH0,0^FO0,0^GFA,4,4,2,FF408000^FS^PQ1^XZ\r\n"
        );
    }

    #[test]
    fn a_large_label_has_strips_of_what_a_field_takes() {
        let label = label(&raster(800, 1500, vec![0; 150_000])).unwrap();
        assert!(label.contains("^FO0,0^GFA,99900,99900,100,"));
        assert!(label.contains("^FO0,999^GFA,50100,50100,100,"));
        assert_eq!(label.matches("^GFA").count(), 2);
    }
}
