//! Files and their access bytes.

use super::{Host, SELECT};

/// CREATE FILE of a DF and of an EF of 16 bytes, with access bytes.
fn df(id: &str, access: &str) -> String {
    format!("00E00000176F15810213888201388302{id}8608{access}")
}

fn ef(id: &str, access: &str) -> String {
    format!("00E00000176F15810200108201018302{id}8608{access}")
}

const FREE: &str = "FF00000000000000";
const GUARDED: &str = "FF90909090909000";

#[test]
fn files_are_found_as_the_applet_finds_them() {
    let mut host = Host::blank("isoapplet-v0");
    assert_eq!(
        hex::encode(host.expect("00A40000023F0000", 0x9000)),
        "6f0782013883023f00"
    );
    host.expect(&df("5015", FREE), 0x9000);
    host.expect(&ef("4401", FREE), 0x9000);
    host.expect(&df("5016", FREE), 0x9000);
    host.expect(&ef("4402", FREE), 0x9000);
    let control = host.expect("00A40000024401 00", 0x9000);
    assert_eq!(
        hex::encode_upper(control),
        ef("4401", FREE)[10..].to_owned()
    );
    // By path from the MF, which may be named; an unknown identifier on the way is passed.
    host.expect("00A4080C0450154401", 0x9000);
    host.expect("00A4080C063F0050154401", 0x9000);
    host.expect("00A4080C06FFFF50154401", 0x9000);
    host.expect("00A4080C025017", 0x6A82);
    host.expect("00A4080C0650154401 4402", 0x6A82);
    host.expect("00A4080C03501544", 0x6A82);
    // From the current DF, below it, above it.
    host.expect("00A4090C0450164402", 0x9000);
    host.expect("00A4030C", 0x9000);
    host.expect("00A4010C025016", 0x9000);
    host.expect("00A4020C024402", 0x9000);
    host.expect("00A4020C024401", 0x6A82);
    host.expect("00A4010C024402", 0x6A82);
    host.expect("00A4000C", 0x9000);
    host.expect("00A4030C", 0x6A82);
    host.expect("00A4040C03112233", 0x6A82);
    host.expect("00A4050C023F00", 0x6A86);
    host.expect("00A4000E023F00", 0x6A86);
    host.expect("00A40008023F0000", 0x6A86);
    host.expect("00A40000033F000000", 0x6F00);
}

#[test]
fn creation_is_checked() {
    let mut host = Host::blank("isoapplet-v1");
    host.expect(&df("5015", FREE), 0x9000);
    host.expect(&df("5015", FREE), 0x6984);
    host.expect(&ef("3F00", FREE), 0x6984);
    host.expect("00E001000D620B810200108201018302 4401", 0x6A86);
    host.expect("00E000000D640B810200108201018302 4401", 0x6984);
    host.expect("00E0000007620582010183 0144", 0x6984);
    host.expect("00E00000096207820100 83024401", 0x6984);
    host.expect("00E000000E620C8201018302440186 03FF0000", 0x6984);
    // No size: 128 bytes. A size that is negative to it: an exception.
    host.expect("00E0000009620782010183024401", 0x9000);
    assert_eq!(host.expect("00B0000000", 0x9000).len(), 128);
    host.expect("00E000000D620B81028000820101 83024402", 0x6F00);
    host.expect("00E000000C620A810180820101 83024402", 0x6F00);
    host.expect("00E000000E620C81037FFF00820101 83024402", 0x6984);
    // A record file can be made, and not read.
    host.expect("00E0000009620782010283024403", 0x9000);
    host.expect("00B0000000", 0x6981);
    // The memory ends, and a directory ends.
    for id in 0x10..0x14 {
        host.expect(
            &format!("00E000000D620B81027FFF82010183025{id:03X}"),
            0x9000,
        );
    }
    host.expect("00E000000D620B81027FFF82010183025014", 0x6F00);
    for id in 0x20..0x38 {
        host.expect(&ef(&format!("60{id:02X}"), FREE), 0x9000);
    }
    host.expect(&ef("6040", FREE), 0x6A84);
}

#[test]
fn access_bytes_rule_once_the_pin_is_set() {
    let mut host = Host::blank("isoapplet-v0");
    host.expect(&df("5015", "FF90909090909090"), 0x9000);
    host.expect(&ef("4401", GUARDED), 0x9000);
    host.expect("002401010434373131", 0x9000);
    // Free to the end of this selection.
    host.expect("00D600000411223344", 0x9000);
    host.expect(SELECT, 0x9000);
    host.expect("00B0000004", 0x6981);
    host.expect("00A40800045015440100", 0x9000);
    assert_eq!(host.expect("00B0000004", 0x9000), [0x11, 0x22, 0x33, 0x44]);
    host.expect("00D600000411223344", 0x6982);
    host.expect(&ef("4402", FREE), 0x6982);
    host.expect(&df("5016", FREE), 0x6982);
    host.expect("00E40000024401", 0x6982);
    host.verify();
    host.expect("00D6000004AABBCCDD", 0x9000);
    host.expect("00A4080C025015", 0x9000);
    // The DF leaves the EF current.
    assert_eq!(host.expect("00B0000004", 0x9000), [0xAA, 0xBB, 0xCC, 0xDD]);
    host.expect(&ef("4402", "FFFF0000000000FF"), 0x9000);
    host.expect("00B0000004", 0x6982);
    host.expect("00E40000024402", 0x6982);
    host.expect("002000010430303030", 0x63C2);
    host.expect("00A4080C0450154401", 0x9000);
    host.expect("00D600000411223344", 0x6982);
    // In the MF, which has no access bytes, everybody creates.
    host.expect("00A4000C023F00", 0x9000);
    host.expect(&ef("2F00", FREE), 0x9000);
}

#[test]
fn binary_commands_stay_inside_the_file() {
    let mut host = Host::activated("isoapplet-v1");
    host.expect(
        "00E000001A6F18810200108201018302440188010A8608FF00000000000000",
        0x9000,
    );
    assert_eq!(host.expect("00B0000000", 0x9000).len(), 16);
    assert_eq!(host.expect("00B0000CFF", 0x9000).len(), 4);
    host.expect("00B0001000", 0x6B00);
    host.expect("00B00000", 0x9000);
    host.expect("00D6000D0411223344", 0x6B00);
    host.expect("00D6000C0411223344", 0x9000);
    // By short identifier, which the file has in its control information.
    assert_eq!(host.expect("00B08A0D02", 0x9000), [0x22, 0x33]);
    host.expect("00B08A8002", 0x6B00);
    host.expect("00B08B0002", 0x6A82);
    host.expect("00B0A00000", 0x6A86);
    host.expect("00D1000000", 0x6D00);
}

#[test]
fn a_deleted_directory_goes_with_its_files() {
    let mut host = Host::activated("isoapplet-v0");
    host.expect(&df("5015", FREE), 0x9000);
    host.expect(&ef("4401", FREE), 0x9000);
    host.expect("00E40000023F00", 0x6986);
    host.expect("00E40000025017", 0x6A82);
    host.expect("00E400000150", 0x6700);
    host.expect("00E40100025015", 0x6A86);
    host.expect("00E40000025015", 0x9000);
    host.expect("00A4000C024401", 0x6A82);
    host.expect(&ef("4401", FREE), 0x9000);
    host.expect("00A4080C024401", 0x9000);
}
