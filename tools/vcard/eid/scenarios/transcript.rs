//! The recorded conversation of middleware with a Latvian eID card, on our own card.

use super::host::{Host, command, field};
use super::personalized::{FIRST, PUK};
use crate::vectors::load;

#[test]
fn the_recorded_structure_comes_back_byte_for_byte() {
    let vector = load("eid/lateid_v2_transcript.json");
    let mut host = Host::blank();
    host.personalize(&FIRST);
    assert_eq!(host.chip.atr(), vector.bytes("atr"));
    // The recording's PINs are four and six digits.
    host.eid();
    host.expect(&command("00200002", &field(PUK)), 0x9000);
    host.expect(&command("002C0201", &field("1234")), 0x9000);
    host.expect("00A4010C02ADF2", 0x9000);
    host.expect(&command("002C0285", &field("123456")), 0x9000);
    let mut checked = 0;
    for exchange in vector.rows("exchanges") {
        let (data, status) = host.send(&exchange.bytes("command"));
        assert_eq!(status, 0x9000, "{}", exchange.text("command"));
        if exchange.has("response") {
            let expected = exchange.bytes("response");
            assert_eq!(
                data,
                expected[..expected.len() - 2],
                "{}",
                exchange.text("command")
            );
            checked += 1;
        } else {
            assert_eq!(data.len(), 96, "a P-384 signature");
        }
    }
    assert_eq!(checked, 23);
}
