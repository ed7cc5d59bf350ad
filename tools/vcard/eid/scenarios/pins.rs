//! PINs: made, set, tried, blocked, unblocked.

use super::host::{Host, ISSUER, command, field};
use super::personalized::{PIN1, PIN2, PUK, VERSION, pin_object};
use crate::vectors::unhex;

const RULE: &str = "F30000734300";

fn verify(reference: &str, digits: &str) -> String {
    command(&format!("002000{reference}"), &field(digits))
}

fn tries(host: &mut Host, number: &str) -> u8 {
    let query = format!("00CB3FFF0A4D087006BF81{number}02A08000");
    let answer = host.expect(&query, 0x9000);
    assert_eq!(answer.len(), 32);
    answer[13]
}

#[test]
fn an_object_without_a_value_is_unusable() {
    let mut host = Host::blank();
    host.eid().expect(&pin_object("01", 3, 4, RULE), 0x6982);
    host.open_transport(0x33);
    host.secure(&pin_object("01", 3, 4, RULE), 0x9000);
    host.secure(&pin_object("01", 3, 4, RULE), 0x6A8A);
    host.secure(&pin_object("11", 3, 4, RULE), 0x6A80);
    host.secure(&pin_object("00", 3, 4, RULE), 0x6A80);
    host.secure(&pin_object("03", 0, 4, RULE), 0x6A80);
    host.secure(&pin_object("03", 16, 4, RULE), 0x6A80);
    host.secure(&pin_object("03", 3, 3, RULE), 0x6A80);
    host.secure(&pin_object("03", 3, 13, RULE), 0x6A80);
    host.secure(&pin_object("03", 3, 4, "730000734300"), 0x6A80);
    host.secure(&pin_object("03", 3, 4, "F300"), 0x6A80);
    host.secure("00DB3FFE00", 0x6A86);
    host.eid();
    host.expect(&verify("01", "1234"), 0x6984);
    host.expect("00200001", 0x6984);
    host.expect(
        &command("00240001", &(field("1234") + &field("1235"))),
        0x6984,
    );
    host.expect(&verify("02", "1234"), 0x6A88);
    host.expect(&verify("85", "1234"), 0x6A88);
    host.expect(&verify("41", "1234"), 0x6A86);
    host.expect("00CB3FFF0A4D087006BF810202A08000", 0x6A88);
    host.expect("00CB3FFF0A4D087006BF810202A08100", 0x6A80);
    host.expect("00CB3FFE0A4D087006BF810202A08000", 0x6A86);
    assert_eq!(tries(&mut host, "01"), 3);
}

#[test]
fn setting_a_value_wants_encryption_and_digits() {
    let mut host = Host::blank();
    host.eid().open_transport(0x33);
    host.secure(&pin_object("01", 3, 4, RULE), 0x9000);
    let set = command("00240101", &field(PIN1));
    host.eid().expect(&set, 0x6982);
    host.open_transport(0x11);
    host.secure(&set, 0x6982);
    host.open_transport(0x13);
    host.secure(&command("00240101", &field("123")), 0x6A80);
    host.secure(&command("00240101", "3132333435363738FF393031"), 0x6A80);
    host.secure(&command("00240101", "31323334410000000000FFFF"), 0x6A80);
    host.secure(&command("00240101", "31323334"), 0x6700);
    host.secure(&command("00240102", &field("1234")), 0x6A88);
    host.secure(&set, 0x9000);
    host.secure(&set, 0x9000);
    let mut issued = Host::personalized();
    issued.eid().open(VERSION, &ISSUER, 0x33);
    issued.secure(&set, 0x6985);
}

#[test]
fn the_recorded_form_of_pin_information() {
    let mut host = Host::personalized();
    host.eid();
    let answer = host.expect("00CB3FFF0A4D087006BF810102A08000", 0x9000);
    let recorded = "701EBF81011AA0189A01039B0103A1108C06F300007343009C06F30000734300";
    assert_eq!(answer, unhex(recorded));
    host.expect("00CB3FFF0A4D087006BF810502A08000", 0x6A88);
    host.expect("00A4010C02ADF2", 0x9000);
    host.expect("00CB3FFF0A4D087006BF810502A08000", 0x9000);
}

#[test]
fn three_wrong_tries_block_and_the_puk_unblocks() {
    let mut host = Host::personalized();
    host.eid().expect("00200001", 0x63C3);
    host.expect(&verify("01", PIN1), 0x9000);
    host.expect("00200001", 0x9000);
    host.expect(&verify("01", "0000"), 0x63C2);
    host.expect("00200001", 0x63C2);
    assert_eq!(tries(&mut host, "01"), 2);
    host.expect(&verify("01", PIN1), 0x9000);
    assert_eq!(tries(&mut host, "01"), 3);
    for left in [0x63C2, 0x63C1, 0x63C0, 0x6983] {
        host.expect(&verify("01", "0000"), left);
    }
    host.expect("00200001", 0x6983);
    host.expect(&verify("01", PIN1), 0x6983);
    // As OpenSC does it: VERIFY the PUK, then the new value alone.
    let new = command("002C0201", &field("5678"));
    host.expect(&new, 0x6982);
    host.expect(&verify("02", PUK), 0x9000);
    host.expect(&command("002C0201", &field("567")), 0x6A80);
    host.expect(&new, 0x9000);
    host.expect("00200001", 0x63C3);
    host.expect(&verify("01", PIN1), 0x63C2);
    host.expect(&verify("01", "5678"), 0x9000);
}

#[test]
fn every_form_of_reset_retry_counter() {
    let mut host = Host::personalized();
    host.eid();
    for left in [0x63C2, 0x63C1, 0x63C0] {
        host.expect(&verify("01", "0000"), left);
    }
    host.expect("002C0301", 0x6982);
    host.expect(&command("002C0101", &field("00000000")), 0x63C2);
    host.expect(&command("002C0101", &field(PUK)), 0x9000);
    assert_eq!((tries(&mut host, "01"), tries(&mut host, "02")), (3, 3));
    let both = |puk: &str, new: &str| command("002C0001", &(field(puk) + &field(new)));
    host.expect(&both(PUK, "123"), 0x6A80);
    host.expect(&both("00000000", "1234"), 0x63C2);
    host.expect(&both(PUK, "1234"), 0x9000);
    host.expect(&verify("01", "1234"), 0x9000);
    host.expect(&verify("02", PUK), 0x9000);
    host.expect("002C0301", 0x9000);
    host.expect("002C0401", 0x6A86);
    host.expect("002C000155", 0x6700);
    host.expect(
        &command("002C0002", &(field(PUK) + &field("12345678"))),
        0x6985,
    );
    for left in [0x63C2, 0x63C1, 0x63C0, 0x6983] {
        host.expect(&verify("02", "00000000"), left);
    }
    host.expect(&both(PUK, "1234"), 0x6983);
    host.expect("002C0301", 0x6982);
}

#[test]
fn the_issuer_unblocks_in_person() {
    let mut host = Host::personalized();
    host.eid();
    for left in [0x63C2, 0x63C1, 0x63C0] {
        host.expect(&verify("02", "00000000"), left);
    }
    host.open(VERSION, &ISSUER, 0x11);
    host.secure(&command("002C0202", &field("12345678")), 0x6982);
    host.open(VERSION, &ISSUER, 0x33);
    host.secure(&command("002C0202", &field("12345678")), 0x9000);
    host.secure("00A4010C02ADF2", 0x9000);
    host.secure(&command("002C0285", &field("654321")), 0x9000);
    host.eid();
    host.expect(&verify("02", "12345678"), 0x9000);
    host.expect("00A4010C02ADF2", 0x9000);
    host.expect(&verify("85", "654321"), 0x9000);
}

#[test]
fn a_session_carries_no_puk_in_clear() {
    let mut host = Host::personalized();
    host.eid().open(VERSION, &ISSUER, 0x11);
    let both = command("002C0001", &(field(PUK) + &field("1234")));
    let tries_only = command("002C0101", &field(PUK));
    host.secure(&both, 0x6982);
    host.secure(&tries_only, 0x6982);
    host.open(VERSION, &ISSUER, 0x13);
    host.secure(&both, 0x9000);
    host.secure(&tries_only, 0x9000);
}

#[test]
fn a_pin_without_a_value_costs_the_puk_no_try() {
    let mut host = Host::blank();
    host.eid().open_transport(0x33);
    host.secure(&pin_object("01", 3, 4, RULE), 0x9000);
    host.secure(&pin_object("02", 3, 8, RULE), 0x9000);
    host.secure(&command("00240102", &field(PUK)), 0x9000);
    host.eid();
    host.expect(&command("002C0101", &field(PUK)), 0x6984);
    host.expect(&command("002C0101", &field("00000000")), 0x6984);
    assert_eq!(tries(&mut host, "02"), 3);
}

#[test]
fn the_holder_changes_a_pin_knowing_it() {
    let mut host = Host::personalized();
    host.eid();
    let change = |old: &str, new: &str| command("00240001", &(field(old) + &field(new)));
    host.expect(&change("0000", "2468"), 0x63C2);
    host.expect(&change(PIN1, "246"), 0x6A80);
    assert_eq!(tries(&mut host, "01"), 2);
    host.expect(&change(PIN1, "2468"), 0x9000);
    assert_eq!(tries(&mut host, "01"), 3);
    host.expect("00200001", 0x63C3);
    host.expect(&verify("01", "2468"), 0x9000);
    host.expect("0024000104313233 34", 0x6700);
    host.expect("00240201", 0x6A86);
    host.expect(&command("00240101", &field("1357")), 0x6982);
}

#[test]
fn a_local_pin_counts_in_its_directory_only() {
    let mut host = Host::personalized();
    host.eid().expect(&verify("85", PIN2), 0x6A88);
    host.expect("00A4010C02ADF1", 0x9000);
    host.expect(&verify("85", PIN2), 0x6A88);
    host.expect(&verify("01", PIN1), 0x9000);
    host.expect("00A4000C02ADF2", 0x9000);
    host.expect(&verify("85", PIN2), 0x9000);
    host.expect("00A4000C", 0x9000);
    host.expect("00200001", 0x9000);
    host.expect("00A4010C02ADF2", 0x9000);
    host.expect("00200085", 0x9000);
    host.expect("0020FF85", 0x9000);
    host.expect("00200085", 0x63C3);
    host.expect("00200001", 0x9000);
    host.eid().expect("00200001", 0x63C3);
}

#[test]
fn verify_wants_the_whole_field() {
    let mut host = Host::personalized();
    host.eid();
    host.expect("0020000104 31323334", 0x6700);
    host.expect("0020010104 31323334", 0x6A86);
    assert_eq!(tries(&mut host, "01"), 3);
}
