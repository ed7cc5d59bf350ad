//! Card data `66`: which secure channel protocols a security domain speaks (*GP Card
//! Specification 2.3 §H.2*).

use super::DataError;
use crate::tlv::{self, Tag};

const NAME: &str = "card data";
const CARD_DATA: Tag = Tag::known::<0x66>();
const RECOGNITION: Tag = Tag::known::<0x73>();
const CHANNEL: Tag = Tag::known::<0x64>();
const IDENTIFIER: Tag = Tag::known::<0x06>();
/// The object identifier {globalPlatform 4}, of which the protocol and "i" are the last two
/// numbers.
const PREFIX: [u8; 7] = [0x2A, 0x86, 0x48, 0x86, 0xFC, 0x6B, 0x04];

/// Parses the response to GET DATA `0066`: protocol identifier and parameter "i" of each
/// secure channel protocol, in the card's order. Those that this house does not speak are
/// among them; [`ChannelOptions::new`](super::ChannelOptions::new) judges each.
///
/// # Errors
/// [`DataError`] where the data are malformed.
pub fn parse_card_data(data: &[u8]) -> Result<Vec<(u8, u8)>, DataError> {
    let malformed = |source| DataError::Tlv { what: NAME, source };
    let recognition = tlv::find(data, &[CARD_DATA, RECOGNITION])
        .map_err(malformed)?
        .ok_or(DataError::Missing {
            what: NAME,
            tag: RECOGNITION,
        })?;
    let mut protocols = Vec::new();
    for object in tlv::parse_all(recognition).map_err(malformed)? {
        if object.tag != CHANNEL {
            continue;
        }
        for identifier in tlv::parse_all(object.value).map_err(malformed)? {
            if identifier.tag != IDENTIFIER {
                continue;
            }
            match identifier.value.strip_prefix(&PREFIX) {
                Some(&[protocol, i]) if protocol | i < 0x80 => protocols.push((protocol, i)),
                // A number from 80 on takes two bytes of base 128.
                Some(&[protocol, 0x81, low]) if protocol | low < 0x80 => {
                    protocols.push((protocol, 0x80 | low));
                }
                _ => {}
            }
        }
    }
    Ok(protocols)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(channels: &str) -> Vec<u8> {
        let channels = hex::decode(channels).unwrap();
        let head = hex::decode("06072A864886FC6B01600C060A2A864886FC6B02020101").unwrap();
        let inner = [head, channels].concat();
        let length = inner.len() as u8;
        [&[0x66, length + 2, 0x73, length][..], &inner].concat()
    }

    #[test]
    fn protocols_are_listed_in_order() {
        let both = data("640B06092A864886FC6B040215640B06092A864886FC6B040370");
        assert_eq!(parse_card_data(&both).unwrap(), [(2, 0x15), (3, 0x70)]);

        let wide = data("640C060A2A864886FC6B04038171");
        assert_eq!(parse_card_data(&wide).unwrap(), [(3, 0xF1)]);
        let foreign = data("640B06092A864886FC6B041100");
        assert_eq!(parse_card_data(&foreign).unwrap(), [(0x11, 0)]);
    }

    #[test]
    fn broken_card_data_are_refused() {
        assert!(matches!(
            parse_card_data(&[0x66, 0x00]),
            Err(DataError::Missing { .. })
        ));
        let good = data("640B06092A864886FC6B040215");
        for length in 0..good.len() {
            assert!(parse_card_data(&good[..length]).is_err(), "{length}");
        }
    }
}
