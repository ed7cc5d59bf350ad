//! PIN and PUK: tries, blocking, unblocking, and the end of a card with neither.

use super::bench::{Bench, DEFAULT_KEY, VERIFY};

const WRONG: &str = "0020008008 393939393939FFFF";
const ASK: &str = "00200080";

#[test]
fn a_pin_is_verified_asked_for_and_forgotten() {
    let mut bench = Bench::new();
    bench.refused(ASK, 0x63C5);
    bench.ok(VERIFY);
    bench.ok(ASK);
    bench.ok("0020FF80");
    bench.refused(ASK, 0x63C5);
    bench.ok(VERIFY);
    assert_eq!(bench.send(WRONG).1, 0x63C4);
    bench.refused(ASK, 0x63C4);
    bench.ok(VERIFY);
    bench.select();
    bench.refused(ASK, 0x63C5);
}

#[test]
fn tries_are_counted_over_resets_until_nothing_helps_but_the_puk() {
    let mut bench = Bench::new();
    for left in [4, 3, 2, 1, 0] {
        assert_eq!(bench.send(WRONG).1, 0x63C0 + left);
        bench = bench.woken();
    }
    bench.refused(VERIFY, 0x6983);
    bench.refused(ASK, 0x6983);
    bench.refused("0024008010 313233343536FFFF 313131313131FFFF", 0x6983);
    bench.ok("002C008010 3132333435363738 373737373737FFFF");
    bench.refused(ASK, 0x63C5);
    bench.refused("0020008007 31323334353637", 0x6A80);
    bench.ok("0020008008 373737373737FFFF");
    assert!(bench.work.written > 0);
}

#[test]
fn changing_wants_the_old_value_and_a_good_new_one() {
    let mut bench = Bench::new();
    bench.ok(VERIFY);
    bench.ok("0024008010 313233343536FFFF 36353433323130FF");
    bench.refused(ASK, 0x63C5);
    assert_eq!(bench.send(VERIFY).1, 0x63C4);
    bench.ok("0020008008 36353433323130FF");
    bench.ok("0024008110 3132333435363738 3837363534333231");
    assert_eq!(
        bench.send("0024008110 3132333435363738 3131313131313131").1,
        0x63C2
    );
    assert_eq!(
        bench.send("002C008010 3132333435363738 313131313131FFFF").1,
        0x63C1
    );
    let mut woken = bench.woken();
    assert_eq!(
        woken.send("002C008010 3132333435363738 313131313131FFFF").1,
        0x63C0
    );
    woken.refused("002C008010 3837363534333231 313131313131FFFF", 0x6983);
    woken.refused("0024008110 3837363534333231 3131313131313131", 0x6983);
    woken.ok("0020008008 36353433323130FF");
}

#[test]
fn wrong_pin_commands_are_refused_and_not_counted() {
    let mut bench = Bench::new();
    for (text, status) in [
        ("0020018008 313233343536FFFF", 0x6A86),
        ("0020008108 3132333435363738", 0x6A88),
        ("0020000008 313233343536FFFF", 0x6A88),
        ("0020008006 313233343536", 0x6A80),
        ("0020FF8008 313233343536FFFF", 0x6A80),
        ("0024018010 313233343536FFFF 313131313131FFFF", 0x6A86),
        ("0024008210 313233343536FFFF 313131313131FFFF", 0x6A88),
        ("0024008008 313233343536FFFF", 0x6A80),
        ("0024008010 313233343536FFFF 3131313131FFFFFF", 0x6A80),
        ("0024008010 313233343536FFFF 313131313131FF31", 0x6A80),
        ("0024008010 313233343536FFFF 3131313131310000", 0x6A80),
        ("0024008110 3132333435363738 4142434445464748", 0x6A80),
        ("002C018010 3132333435363738 313131313131FFFF", 0x6A86),
        ("002C008110 3132333435363738 313131313131FFFF", 0x6A88),
        ("002C00800F 3132333435363738 313131313131FF", 0x6A80),
        ("002C008010 3132333435363738 3131FFFFFFFFFFFF", 0x6A80),
        ("00FB0000", 0x6982),
        ("00FB0100", 0x6A86),
        ("00FA0505", 0x6982),
    ] {
        bench.refused(text, status);
    }
    bench.refused(ASK, 0x63C5);
}

#[test]
fn new_tries_come_with_the_default_values() {
    let mut bench = Bench::new();
    bench.ok("0024008010 313233343536FFFF 363636363636FFFF");
    bench.manage();
    bench.refused("00FA0A04", 0x6982);
    bench.ok("0020008008 363636363636FFFF");
    bench.refused("00FA0004", 0x6A86);
    bench.refused("00FA1004", 0x6A86);
    bench.ok("00FA0A04");
    bench.refused(ASK, 0x63CA);
    assert_eq!(bench.send(WRONG).1, 0x63C9);
    bench.ok(VERIFY);
    assert_eq!(bench.ok("00F7008100"), [5, 1, 1, 6, 2, 4, 4]);
}

#[test]
fn a_card_with_neither_loses_its_keys_and_can_be_reset() {
    let mut bench = Bench::new();
    bench.manage();
    bench.ok("0047009E05 AC03800111 00");
    bench.ok("00FFFFFF13 08 9B 10 000102030405060708090A0B0C0D0E0F");
    let sign = "0087119E26 7C24 8200 8120 \
                0000000000000000000000000000000000000000000000000000000000000001 00";
    bench.ok(sign);
    let serial = bench.ok("00F8000004");
    let identifiers = bench.ok("00CB3FFF05 5C035FC102 00");
    for _ in 0..5 {
        bench.send(WRONG);
    }
    bench.refused("00FB0000", 0x6982);
    bench.ok(sign);
    for _ in 0..3 {
        bench.send("002C008010 3939393939393939 313131313131FFFF");
    }
    bench.refused(sign, 0x6A86);
    bench = bench.woken();
    bench.refused(sign, 0x6A86);
    bench.ok("00FB0000");
    bench.refused(ASK, 0x63C5);
    assert_eq!(bench.authenticate(0x03, DEFAULT_KEY), 0x9000);
    assert_eq!(bench.ok("00F8000004"), serial);
    assert_ne!(bench.ok("00CB3FFF05 5C035FC102 00"), identifiers);
}
