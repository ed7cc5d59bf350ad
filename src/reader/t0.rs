//! Commands as T=0 carries them (*ISO/IEC 7816-3 §12.2*): the transmission protocol has no place
//! for data and an expected length in one command.

use card::{Command, get_response};

/// CLA bit of a chain that goes on (*ISO/IEC 7816-4 §5.4.1*).
const CHAINED: u8 = 0x10;

/// Returns a short C-APDU as the TPDU of T=0: a command without data and length gets a null
/// byte (case 1), one with both loses its Le (case 4); the card then announces its answer by
/// 61xx. Anything else, and extended length, which T=0 knows in envelopes only, stays as it is.
pub(crate) fn tpdu(command: &[u8]) -> Vec<u8> {
    let mut tpdu = command.to_vec();
    match command {
        [_, _, _, _] => tpdu.push(0),
        [_, _, _, _, lc, rest @ ..] if *lc > 0 && rest.len() == usize::from(*lc) + 1 => {
            tpdu.pop();
        }
        _ => {}
    }
    tpdu
}

/// Returns the GET RESPONSE that asks for the answer of a command that lost its Le, where the
/// card answered `9000` and announced none (*ISO/IEC 7816-3 §12.2.5*). Nothing where there was
/// no Le, and where it would come between: inside a chain, and after a command of a secure
/// channel, which one without protection may end.
pub(crate) fn fetch(command: &[u8]) -> Option<[u8; 5]> {
    let command = Command::parse(command).ok()?;
    let comes_between = command.is_secured() || command.cla() & CHAINED != 0;
    if command.data().is_empty() || command.needs_extended() || comes_between {
        return None;
    }
    let fetch = get_response(command.cla(), command.le()?);
    fetch.encode().ok()?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_case_has_its_form() {
        for (apdu, expected) in [
            ("00A40000", "00A4000000"),
            ("00B0000010", "00B0000010"),
            ("00D600000211AA", "00D600000211AA"),
            ("00A40400023F0000", "00A40400023F00"),
            ("00A4040002000000", "00A40400020000"),
            // Extended length passes as it is, and is refused by whoever cannot carry it.
            ("00A404000000023F000000", "00A404000000023F000000"),
        ] {
            assert_eq!(
                hex::encode_upper(tpdu(&hex::decode(apdu).unwrap())),
                expected
            );
        }
    }
}
