//! Files and data objects, before the activation and after.

use super::bench::{ACTIVATE, ADMIN, APPLICATION, ASK, Bench, VERIFY};
use crate::vectors::unhex;

#[test]
fn before_the_activation_everything_goes_but_the_administrator() {
    let mut bench = Bench::blank();
    bench.ok(ASK);
    bench.refused("0087000004 7C02 8100 00", 0x6986);
    bench.refused("002C028004 35353535", 0x6986);
    bench.refused("0024018003 313233", 0x6700);
    bench.ok("0024018004 31313131");
    bench.ok("0024018006 313233343536");
    bench.ok("00E000000E 620C 820139 8302A012 8C03032000");
    bench.refused("00DBA01204 DF20 01 07", 0x6985);
    bench.refused("00CBA01204 5C02DF20 00", 0x6985);
    bench.ok(ACTIVATE);
    bench.ok("00DBA01204 DF20 01 07");
    bench.ok(APPLICATION);
    bench.ok(ACTIVATE);
    bench.refused(ASK, 0x63C3);
    bench.refused("00DBA01204 DF20 01 08", 0x6982);
    bench.ok("0020008006 313233343536");
    bench.refused("00DBA01204 DF20 01 08", 0x6982);
    assert_eq!(bench.ok("00CBA01204 5C02DF20 00"), unhex("DF200107"));
}

#[test]
fn files_are_found_by_their_identifier() {
    let mut bench = Bench::new();
    assert_eq!(bench.ok("00A4000400"), unhex("62088201388C03033030"));
    assert_eq!(
        bench.ok("00A4000402 A010 00"),
        unhex("620C8201398302A0108C03033000")
    );
    for (command, status) in [
        ("00A4000C02 A0FF", 0x6A82),
        ("00A4000002 A010 00", 0x6A86),
        ("00A4010C02 A010", 0x6A86),
        ("00A4000102 A010", 0x6A86),
        ("00A4000C01 A0", 0x6700),
        ("00A4040C05 A000000308", 0x6A82),
        ("00E4000002 A010", 0x6700),
        ("00B0000000", 0x6D00),
        ("00E60000", 0x6D00),
        ("00C0000000", 0x6985),
    ] {
        bench.refused(command, status);
    }
    bench.ok(VERIFY);
    // Whatever was refused, A010 is current still.
    bench.ok("00DB000004 DF22 01 01");
    assert_eq!(bench.ok("00CBA01004 5C02DF22 00"), unhex("DF220101"));
    bench.ok("00E40000");
    bench.refused("00E40000", 0x6986);
    bench.refused("00CBA01004 5C02DF22 00", 0x6A82);
    bench.refused("00CB000004 5C02DF22 00", 0x6981);
}

#[test]
fn files_are_made_by_the_user_or_the_administrator() {
    const FILE: &str = "00E000000E 620C 820139 8302A020 8C03033000";
    let mut bench = Bench::new();
    bench.refused(FILE, 0x6982);
    bench.ok("00A4000C02 A010");
    bench.refused("00E40000", 0x6982);
    assert_eq!(bench.authenticate(ADMIN), 0x9000);
    bench.ok(FILE);
    assert_eq!(bench.work.written, 14);
    for (command, status) in [
        (FILE, 0x6984),
        ("00E000000E 620C 820139 83023FFF 8C03033000", 0x6984),
        ("00E000000E 620C 820101 8302A021 8C03033000", 0x6984),
        ("00E000000E 620C 820139 8302A021 8C03013000", 0x6984),
        ("00E001000E 620C 820139 8302A021 8C03033000", 0x6A86),
    ] {
        bench.refused(command, status);
    }
    for file in 0x30..0x46 {
        bench.ok(&format!("00E0000009 6207 820139 8302A0{file:02X}"));
    }
    bench.refused("00E0000009 6207 820139 8302A0FF", 0x6A84);
}

#[test]
fn objects_are_put_replaced_emptied_and_taken_away() {
    let mut bench = Bench::new();
    bench.refused("00DBA01004 DF22 01 01", 0x6982);
    bench.ok(VERIFY);
    let content: Vec<u8> = (0..1200_u32).map(|byte| byte.to_le_bytes()[0]).collect();
    let object = [&unhex("DF24 8204B0")[..], &content].concat();
    assert_eq!(
        bench.whole([0, 0xDB, 0xA0, 0x10], &object),
        (vec![], 0x9000)
    );
    assert_eq!(bench.work.written, 1204);
    bench.ok("00DBA01004 DF22 01 01");
    let mut bench = bench.woken();
    assert_eq!(bench.ok("00CBA01004 5C02DF24 00"), object);
    let all = [object, unhex("DF220101")].concat();
    assert_eq!(bench.ok("00CBA01002 5C00 00"), all);
    assert_eq!(bench.ok("00CBA01003 5C015C 00"), all);
    assert_eq!(bench.ok("00CBA01004 5C02DF24"), unhex(""), "no Le, no data");
    for (command, status) in [
        ("00CBA01004 5C02DF25 00", 0x6A88),
        ("00CBA01006 5C04DF22DF24 00", 0x6984),
        ("00CBA01003 5D01DF 00", 0x6984),
        ("00CBFFFF02 5C00 00", 0x6A86),
        ("00CBB08002 5C00 00", 0x6981),
        ("00CBA01102 5C00 00", 0x6982),
        ("00CBA01302 5C00 00", 0x6982),
    ] {
        bench.refused(command, status);
    }
    bench.ok(VERIFY);
    bench.ok("00CBA01302 5C00 00");
    bench.refused("00CBA01102 5C00 00", 0x6982);
    bench.refused("00DBA01005 DF22 01 01 00", 0x6984);
    bench.refused("00DBA01004 DF22 02 01", 0x6984);
    bench.ok("00DBA01003 DF24 00");
    assert_eq!(bench.ok("00CBA01004 5C02DF24 00"), unhex("DF2400"));
    bench.ok("00DBA01003 DF24 00");
    bench.refused("00CBA01004 5C02DF24 00", 0x6A88);
    for tag in 0x30..0x4D {
        bench.ok(&format!("00DBA01004 DF{tag:02X} 0101"));
    }
    bench.refused("00DBA01004 DF7F 0101", 0x6A84);
}
