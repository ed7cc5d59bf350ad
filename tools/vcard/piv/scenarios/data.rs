//! Data objects, and what the card says of itself.

use super::bench::{Bench, VERIFY};

#[test]
fn objects_are_put_whole_read_and_deleted() {
    let mut bench = Bench::new();
    bench.refused("00CB3FFF05 5C035FC105 00", 0x6A82);
    bench.manage();
    let certificate: Vec<u8> = (0..1200_u32).map(|byte| byte.to_le_bytes()[0]).collect();
    let object = [&[0x53, 0x82, 0x04, 0xB0][..], &certificate].concat();
    let put = [&[0x5C, 0x03, 0x5F, 0xC1, 0x05][..], &object].concat();
    assert_eq!(
        bench.whole([0x00, 0xDB, 0x3F, 0xFF], &put),
        (vec![], 0x9000)
    );
    assert_eq!(bench.work.written, 1200);
    let mut woken = bench.woken();
    assert_eq!(woken.ok("00CB3FFF05 5C035FC105 00"), object);
    woken.manage();
    woken.ok("00DB3FFF08 5C035FC105 530107");
    assert_eq!(woken.ok("00CB3FFF05 5C035FC105 00"), [0x53, 1, 7]);
    woken.ok("00DB3FFF07 5C035FC105 5300");
    woken.refused("00CB3FFF05 5C035FC105 00", 0x6A82);
}

#[test]
fn the_holders_data_want_the_pin() {
    let mut bench = Bench::new();
    bench.manage();
    for tag in ["5FC103", "5FC108", "5FC109"] {
        bench.ok(&format!("00DB3FFF08 5C03{tag} 530142"));
        bench.refused(&format!("00CB3FFF05 5C03{tag} 00"), 0x6982);
    }
    bench.ok(VERIFY);
    assert_eq!(bench.ok("00CB3FFF05 5C035FC109 00"), [0x53, 1, 0x42]);
    bench.ok("0020FF80");
    bench.refused("00CB3FFF05 5C035FC109 00", 0x6982);
}

#[test]
fn memory_is_finite() {
    let mut bench = Bench::new();
    bench.manage();
    let put = |tag: u8, length: u16| {
        let [high, low] = length.to_be_bytes();
        let head = [0x5C, 0x03, 0x5F, 0xC1, tag, 0x53, 0x82, high, low];
        [&head[..], &vec![0xAB; usize::from(length)]].concat()
    };
    let header = [0x00, 0xDB, 0x3F, 0xFF];
    assert_eq!(bench.whole(header, &put(0x08, 30_000)).1, 0x9000);
    assert_eq!(bench.whole(header, &put(0x03, 4_000)).1, 0x6A84);
    // Replacing an object needs only what it grows by.
    assert_eq!(bench.whole(header, &put(0x08, 30_500)).1, 0x9000);
}

#[test]
fn wrong_data_commands_are_refused() {
    let mut bench = Bench::new();
    bench.refused("00DB3FFF07 5C035FC105 5300", 0x6982);
    bench.refused("00DB3FFF07 7E035FC105 5300", 0x6A80);
    bench.manage();
    for (text, status) in [
        ("00CB3FFE05 5C035FC102 00", 0x6A86),
        ("00CB3FFF", 0x6A80),
        ("00CB3FFF05 5D035FC102 00", 0x6A80),
        ("00CB3FFF06 5C035FC102 00 00", 0x6A80),
        ("00CB3FFF04 5C035FC1 00", 0x6A80),
        ("00CB3FFF05 5C035FC122 00", 0x6A82),
        ("00CB3FFF04 5C027F61 00", 0x6A82),
        ("00CB3FFF02 5C00 00", 0x6A82),
        ("00DB3F0007 5C035FC105 5300", 0x6A86),
        ("00DB3FFF07 5C035FC122 5300", 0x6A81),
        ("00DB3FFF05 5C017E 5300", 0x6A81),
        ("00DB3FFF07 5C035FC105 5400", 0x6A80),
        ("00DB3FFF05 5C035FC105", 0x6A80),
        ("00DB3FFF08 5C035FC105 530201", 0x6A80),
        ("00DB3FFF09 5C035FC105 5300 5300", 0x6A80),
        ("00CADF3005", 0x6D00),
        ("00C0000000", 0x6985),
        ("00F9 9A00 00", 0x6D00),
        ("00A4040006 A00000000101", 0x6D00),
        ("80CB3FFF05 5C035FC102 00", 0x6E00),
        ("0CCB3FFF05 5C035FC102 00", 0x6882),
        ("01CB3FFF05 5C035FC102 00", 0x6881),
    ] {
        bench.refused(text, status);
    }
}

#[test]
fn a_blank_says_what_it_is() {
    let mut bench = Bench::new();
    assert_eq!(
        hex::encode(bench.ok("00CB3FFF03 5C017E 00")),
        "7e124f0ba0000003080000100001005f2f024000"
    );
    assert_eq!(bench.ok("00FD000003"), [5, 4, 0]);
    bench.refused("00FD010003", 0x6A86);
    bench.refused("00F800000101", 0x6700);
    assert_eq!(bench.ok("00F8000004").len(), 4);
    assert_eq!(bench.ok("00F7008000"), [5, 1, 1, 6, 2, 5, 5]);
    let management = [1, 1, 3, 5, 1, 1, 2, 2, 1, 1, 3, 1, 0];
    assert_eq!(bench.ok("00F7009B00"), management);
    assert_eq!(bench.ok("00F7009C00"), [2, 2, 3, 1, 3, 1, 0]);
    bench.refused("00F7009F00", 0x6A86);
    bench.refused("00F7019C00", 0x6A86);
    bench.refused("00F7009C01 00", 0x6700);
    assert_ne!(
        Bench::new().ok("00CB3FFF05 5C035FC107 00"),
        Bench::new().ok("00CB3FFF05 5C035FC107 00")
    );
}

#[test]
fn a_name_is_heard_from_its_rid_on() {
    let mut bench = Bench::new();
    for name in ["05 A000000308", "09 A00000030800001000"] {
        let answer = bench.ok(&format!("00A40400{name} 00"));
        assert_eq!(&answer[..2], [0x61, 0x81]);
    }
    bench.refused("00A4040C05 A000000308", 0x6A86);
    bench.refused("00A4040004 A0000003", 0x6D00);
    bench.refused("00A404000C A00000030800001000010000", 0x6D00);
    bench.refused("00A4000C023F00", 0x6D00);
}
