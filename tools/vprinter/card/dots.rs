//! Panels back to dots.

use super::language::{HEIGHT, Panel, WIDTH};

/// Bytes of a line of one bit a dot.
const LINE: usize = WIDTH / 8;

/// The dots of a panel: 0 is nothing, 255 is all the ink that there is.
pub(super) fn decode(panel: &Panel) -> Result<Vec<u8>, String> {
    match (panel.compressed, panel.levels) {
        (true, 2) => lines(&panel.data),
        (true, _) => Err("compressed colours are not known here".into()),
        (false, levels) => Ok(unpack(&panel.data, levels)),
    }
}

fn unpack(data: &[u8], levels: u32) -> Vec<u8> {
    let width = levels.trailing_zeros() as usize;
    let bit = |at: usize| {
        let byte = data.get(at / 8).copied().unwrap_or_default();
        u32::from(byte >> (7 - at % 8) & 1)
    };
    let dot = |at: usize| {
        let level = (0..width).fold(0, |level, next| level << 1 | bit(at * width + next));
        (level * 255 / (levels - 1)) as u8
    };
    (0..WIDTH * HEIGHT).map(dot).collect()
}

/// Lines of one bit a dot: 00 is white, FF is black, N stands before N bytes of a line that is white
/// behind them.
fn lines(data: &[u8]) -> Result<Vec<u8>, String> {
    let mut dots = Vec::with_capacity(WIDTH * HEIGHT);
    let mut rest = data;
    for number in 0..HEIGHT {
        let Some((kind, behind)) = rest.split_first() else {
            return Err(format!("the panel ends in line {number}"));
        };
        let mut line = [0_u8; LINE];
        rest = behind;
        match usize::from(*kind) {
            0xFF => line = [0xFF; LINE],
            count if count <= LINE => {
                let Some((bytes, behind)) = rest.split_at_checked(count) else {
                    return Err(format!("the panel ends in line {number}"));
                };
                for (to, from) in line.iter_mut().zip(bytes) {
                    *to = *from;
                }
                rest = behind;
            }
            count => return Err(format!("line {number} has {count} bytes")),
        }
        let bits = line
            .iter()
            .flat_map(|byte| (0..8).map(move |at| byte >> (7 - at) & 1));
        dots.extend(bits.map(|bit| bit * 255));
    }
    match rest.len() {
        0 => Ok(dots),
        more => Err(format!("{more} bytes behind the last line")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines as the guide compresses them.
    #[test]
    fn lines_are_read_as_the_guide_writes_them() {
        let mut data = vec![0x00, 0xFF, 0x01, 0x80];
        data.extend(std::iter::repeat_n(0, HEIGHT - 3));
        let dots = lines(&data).unwrap();
        assert_eq!(dots.len(), WIDTH * HEIGHT);
        assert!(dots[..WIDTH].iter().all(|dot| *dot == 0));
        assert!(dots[WIDTH..2 * WIDTH].iter().all(|dot| *dot == 255));
        assert_eq!(dots[2 * WIDTH], 255);
        assert!(dots[2 * WIDTH + 1..].iter().all(|dot| *dot == 0));
        for wrong in [
            &data[..HEIGHT - 1],
            &[82; 83 * HEIGHT][..],
            &[0; HEIGHT + 1],
        ] {
            assert!(lines(wrong).is_err());
        }
    }

    #[test]
    fn levels_are_unpacked() {
        let dots = unpack(&[0x00, 0x61, 0xFF, 0xC0, 0x20], 32);
        assert_eq!(dots[..8], [0, 8, 131, 255, 255, 131, 8, 0]);
    }
}
