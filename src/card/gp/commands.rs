//! Card management commands, plain: an open channel wraps them (*GP Card Specification 2.3
//! §11*).

use super::DataError;
use super::lifecycle::{CardState, StatusScope};
use crate::apdu::Command;

/// Returns SELECT by application identifier, first occurrence (*§11.9*).
pub fn select(aid: &[u8]) -> Command {
    Command::new(0x00, 0xA4, 0x04, 0x00)
        .with_data(aid)
        .with_le(256)
}

/// Returns GET DATA for a tag of one or two bytes: `0x9F7F` CPLC, `0x00E0` key information,
/// `0x0066` card data (*§11.3*).
pub fn get_data(tag: u16) -> Command {
    let [p1, p2] = tag.to_be_bytes();
    Command::new(0x80, 0xCA, p1, p2).with_le(256)
}

/// Returns GET STATUS for everything in a scope, answered in data objects `E3`; `next`
/// fetches what `6310` announced (*§11.4*).
pub fn get_status(scope: StatusScope, next: bool) -> Command {
    let p2 = if next { 0x03 } else { 0x02 };
    // An empty AID matches all.
    Command::new(0x80, 0xF2, scope.p1(), p2)
        .with_data([0x4F, 0x00])
        .with_le(256)
}

/// Returns STORE DATA number `block`, counted from 0; `last` marks the end. `format` is
/// P1's bits 7 to 2, for example `0x10` for BER-TLV data (*§11.11*).
pub fn store_data(format: u8, block: u8, last: bool, data: &[u8]) -> Command {
    let p1 = format & 0x7F | if last { 0x80 } else { 0x00 };
    Command::new(0x80, 0xE2, p1, block).with_data(data)
}

/// Returns DELETE for all keys of a version (*§11.2*).
pub fn delete_key(version: u8) -> Command {
    Command::new(0x80, 0xE4, 0x00, 0x00)
        .with_data([0xD2, 0x01, version])
        .with_le(256)
}

/// Parses the answer to DELETE, without status word: the confirmation of delegated
/// management, empty where the card gives none, as `00` or as no data at all (*§11.2.3*).
///
/// # Errors
/// [`DataError::Length`] where the length told is not the length there is.
pub fn parse_delete(data: &[u8]) -> Result<&[u8], DataError> {
    let (length, confirmation) = match *data {
        [] => return Ok(&[]),
        [0x81, length, ref rest @ ..] => (length, rest),
        [length, ref rest @ ..] if length < 0x80 => (length, rest),
        _ => (0, data),
    };
    if confirmation.len() == usize::from(length) {
        Ok(confirmation)
    } else {
        Err(DataError::Length {
            what: "answer to DELETE",
            length: data.len(),
        })
    }
}

/// Returns SET STATUS for the card, that is for its issuer security domain (*§11.10*).
/// CARD_LOCKED ends every application's service, TERMINATED the card.
pub fn set_status_card(state: CardState) -> Command {
    Command::new(0x80, 0xF0, 0x80, state.value())
}

/// Returns SET STATUS for an application or security domain; what `state` means, the
/// application's specification says (*§11.10*).
pub fn set_status_application(aid: &[u8], state: u8) -> Command {
    Command::new(0x80, 0xF0, 0x40, state).with_data(aid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(command: Command) -> String {
        hex::encode_upper(&*command.encode().unwrap())
    }

    #[test]
    fn commands_are_coded_as_the_specification_says() {
        let isd = [0xA0, 0x00, 0x00, 0x01, 0x51, 0x00, 0x00, 0x00];
        assert_eq!(sent(select(&isd)), "00A4040008A00000015100000000");
        assert_eq!(sent(get_data(0x9F7F)), "80CA9F7F00");
        assert_eq!(sent(get_data(0x0066)), "80CA006600");
        // As in the recorded SCP03 sessions.
        assert_eq!(
            sent(get_status(StatusScope::IssuerSecurityDomain, false)),
            "80F28002024F0000"
        );
        assert_eq!(
            sent(get_status(StatusScope::Applications, false)),
            "80F24002024F0000"
        );
        assert_eq!(
            sent(get_status(StatusScope::LoadFiles, true)),
            "80F22003024F0000"
        );
        assert_eq!(
            sent(get_status(StatusScope::LoadFilesAndModules, false)),
            "80F21002024F0000"
        );
        assert_eq!(sent(set_status_card(CardState::Secured)), "80F0800F");
        assert_eq!(
            sent(set_status_application(&isd, 0x0F)),
            "80F0400F08A000000151000000"
        );
        assert_eq!(sent(store_data(0x10, 3, true, &[0xAA])), "80E2900301AA");
    }

    #[test]
    fn keys_are_deleted_by_version() {
        assert_eq!(sent(delete_key(0x30)), "80E4000003D2013000");
        for (answer, confirmation) in [
            (&[][..], &[][..]),
            (&[0x00], &[]),
            (&[0x02, 0xAA, 0xBB], &[0xAA, 0xBB]),
            (&[0x81, 0x01, 0xAA], &[0xAA]),
        ] {
            assert_eq!(parse_delete(answer), Ok(confirmation));
        }
        for lie in [
            &[0x01][..],
            &[0x00, 0x00],
            &[0x80],
            &[0xFF; 300],
            &[0x81],
            &[0x82, 0, 0],
        ] {
            assert!(parse_delete(lie).is_err(), "{lie:02X?}");
        }
    }
}
