//! Padding method 2 of *ISO/IEC 9797-1 §6.3.3*: one bit 1, then zeros to the whole block.

/// First byte of the padding.
const MARK: u8 = 0x80;

/// Pads to whole blocks, by at least one byte.
pub fn pad(data: &mut Vec<u8>, block: usize) {
    let whole = (data.len() / block + 1) * block;
    data.push(MARK);
    data.resize(whole, 0);
}

/// Returns how many bytes stand before the padding, `None` where there is none within the
/// last block.
pub fn unpadded(data: &[u8], block: usize) -> Option<usize> {
    let last = data.iter().rposition(|&byte| byte != 0)?;
    (data.get(last) == Some(&MARK) && data.len() - last <= block).then_some(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_strict() {
        assert_eq!(unpadded(&[0x80], 16), Some(0));
        assert_eq!(unpadded(&[1, 0x80, 0, 0], 16), Some(1));
        assert_eq!(unpadded(&[0x80, 0x80], 16), Some(1));
        assert_eq!(unpadded(&[1, 2, 3], 16), None);
        assert_eq!(unpadded(&[0; 16], 16), None);
        assert_eq!(unpadded(&[&[0x80][..], &[0; 16]].concat(), 16), None);
        assert_eq!(unpadded(&[], 16), None);
        for length in 0..20 {
            let mut data = vec![7; length];
            pad(&mut data, 8);
            assert!(data.len().is_multiple_of(8) && data.len() > length);
            assert_eq!(unpadded(&data, 8), Some(length));
        }
    }
}
