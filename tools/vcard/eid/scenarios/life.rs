//! Life cycles of the card and the application.

use super::host::{Host, ISSUER};
use super::personalized::VERSION;

const PERSONALIZED: &str = "80F0400F10A000000077010800070000FE00000100";

#[test]
fn set_status_goes_forward_only() {
    let mut host = Host::blank();
    host.isd().expect("80F0800F", 0x6982);
    host.isd().open_transport(0x01);
    host.secure("80F0807F", 0x6985);
    host.secure("80F08055", 0x6A80);
    host.secure("80F0800F01FF", 0x6A88);
    host.secure("80F0200F", 0x6A86);
    host.secure("80F0800F", 0x9000);
    host.secure("80F0800F", 0x6985);
    host.secure("80F08007", 0x6985);
    host.secure("80F0400F08A000000151000000", 0x6A88);
    host.secure(&PERSONALIZED.replace("400F", "4083"), 0x6A80);
    host.secure(PERSONALIZED, 0x9000);
    host.secure(PERSONALIZED, 0x6985);
    host.secure(&PERSONALIZED.replace("400F", "4007"), 0x6985);
    let status = host.secure("80F24002024F0000", 0x9000);
    assert!(
        status
            .windows(4)
            .any(|window| window == [0x9F, 0x70, 0x01, 0x0F])
    );
}

#[test]
fn set_status_belongs_to_the_security_domain() {
    let mut host = Host::blank();
    host.eid().open_transport(0x01);
    host.secure("80F0800F", 0x6D00);
}

#[test]
fn a_locked_card_serves_its_issuer_only() {
    let mut host = Host::personalized();
    host.isd().open(VERSION, &ISSUER, 0x01);
    host.secure("80F0807F", 0x9000);
    host.expect("00A4040005A00000015100", 0x6283);
    host.expect("00A4040C05A00000007700", 0x6A82);
    host.open(VERSION, &ISSUER, 0x01);
    host.secure("80F0800F", 0x9000);
    host.expect("00A4040C05A00000007700", 0x9000);
}

#[test]
fn a_locked_card_keeps_its_keys() {
    let next = [
        *b"another ENC key.",
        *b"another MAC key.",
        *b"another DEK key.",
    ];
    let add = Host::put_key(&ISSUER[2], 0, VERSION + 1, &next);
    let delete = format!("80E4000003D201{:02X}00", VERSION + 1);
    let mut host = Host::personalized();
    host.isd().open(VERSION, &ISSUER, 0x33);
    host.secure(&add, 0x9000);
    host.secure("80F0807F", 0x9000);
    let before = host.chip.snapshot().unwrap();
    host.secure(&Host::put_key(&ISSUER[2], 0, VERSION + 2, &next), 0x6985);
    let replacing = Host::put_key(&ISSUER[2], VERSION + 1, VERSION + 1, &ISSUER);
    host.secure(&replacing, 0x6985);
    host.secure(&delete, 0x6985);
    assert_eq!(host.chip.snapshot().unwrap(), before);
    // What finds out and unlocks is heard.
    host.secure("80F28002024F0000", 0x9000);
    host.secure("80CA00E000", 0x9000);
    host.secure("80F0800F", 0x9000);
    host.secure(&delete, 0x9000);
}

#[test]
fn a_terminated_card_tells_its_name_only() {
    let mut host = Host::blank();
    host.isd().open_transport(0x01);
    host.secure("80F080FF", 0x9000);
    host.chip.reset();
    host.expect("80CA9F7F00", 0x9000);
    host.expect("00A4040C00", 0x6985);
    host.expect("8050000008112233445566778800", 0x6985);
}

#[test]
fn classes_and_instructions_are_told_apart() {
    let mut host = Host::blank();
    host.expect("80A4040C00", 0x6E00);
    host.expect("00D8000000", 0x6E00);
    host.expect("00FF000000", 0x6D00);
    host.expect("00B0000000", 0x6D00);
    host.expect("01A4040C00", 0x6881);
    host.expect("0CA4040C00", 0x6882);
    host.expect("B0A4040C00", 0x6E00);
    host.expect("04A4040C00", 0x6982);
    host.expect("00A404", 0x6700);
    host.expect("00A4040C05A0", 0x6700);
    host.expect("00C0000000", 0x6985);
    host.eid();
    host.expect("80B0000000", 0x6E00);
    host.expect("00D8000000", 0x6D00);
}
