//! Data objects: what a blank says, what is written, three certificates under one tag.

use super::bench::{Bench, PW3};
use crate::objects::Objects;
use crate::vectors::unhex;

#[test]
fn a_blank_says_what_it_is() {
    let mut bench = Bench::new();
    let name = bench.ok("00CA004F00");
    assert_eq!(name.len(), 16);
    assert_eq!(hex::encode(&name[..10]), "d276000124010304fffe");
    assert_eq!(name[14..], [0, 0]);
    for length in [5, 6, 10, 16] {
        assert!(bench.applet.is_named(&name[..length]), "{length}");
    }
    assert!(!bench.applet.is_named(&name[..4]));
    assert!(!bench.applet.is_named(&[&name[..], &[0]].concat()));
    assert_eq!(bench.ok("00CA5F5200"), unhex("0031D573C001E0059000"));
    assert_eq!(bench.status(), [0, 127, 127, 127, 3, 0, 3]);
    assert_eq!(bench.ok("00CA00C100"), unhex("010800001100"));
    assert_eq!(bench.ok("00CA007A00"), unhex("7A059303000000"));
    assert_eq!(
        bench.ok("00CA006500"),
        unhex("650B 5B00 5F2D02656E 5F350139")
    );
    assert_eq!(bench.ok("00CA7F6600"), unhex("7F66080202090002020900"));
    assert!(bench.ok("00CA005E00").is_empty() && bench.ok("00CA7F2100").is_empty());
    let whole = bench.ok("00CA006E00");
    let application = Objects::single(&whole, 0x6E).unwrap();
    let application = Objects::parse(application, &[0x4F, 0x5F52, 0x7F66, 0x73]).unwrap();
    assert_eq!(application.need(0x4F).unwrap(), name);
    let tags = [0xC0, 0xC1, 0xC2, 0xC3, 0xC4, 0xC5, 0xC6, 0xCD, 0xDE];
    let discretionary = Objects::parse(application.need(0x73).unwrap(), &tags).unwrap();
    assert_eq!(
        discretionary.need(0xC0).unwrap(),
        unhex("740000FF080000FF0000")
    );
    assert_eq!(discretionary.need(0xC5).unwrap(), [0; 60]);
    assert_eq!(discretionary.need(0xCD).unwrap(), [0; 12]);
    assert_eq!(discretionary.need(0xDE).unwrap(), [1, 0, 2, 0, 3, 0]);
    let algorithms = bench.ok("00CA00FA00");
    let listed = card::tlv::parse_all(Objects::single(&algorithms, 0xFA).unwrap()).unwrap();
    assert_eq!(listed.len(), 12);
    assert_eq!(bench.ok("0084000010").len(), 16);
}

#[test]
fn objects_are_written_within_their_limits_and_outlast_the_power() {
    let mut bench = Bench::admin();
    for (tag, value) in [
        ("005B", "4C696570613C3C416E6E61"),
        ("5F2D", "6C766465"),
        ("5F35", "32"),
        ("005E", "616E6E61"),
        ("5F50", "68747470733A2F2F"),
        ("00C4", "01"),
        ("00C8", "1111111111111111111111111111111111111111"),
        ("00CC", "2222222222222222222222222222222222222222"),
        ("00CE", "65000000"),
    ] {
        let length = value.len() / 2;
        bench.ok(&format!("00DA{tag}{length:02X}{value}"));
    }
    for (header, length, status) in [
        ("00DA005B", 40, 0x6700),
        ("00DA005E", 256, 0x6700),
        ("00DA5F50", 256, 0x6700),
        ("00DA5F2D", 3, 0x6700),
        ("00DA5F2D", 2, 0x6A80),
        ("00DA5F35", 1, 0x6A80),
        ("00DA00C4", 1, 0x6A80),
        ("00DA00C4", 4, 0x6700),
        ("00DA00C7", 19, 0x6700),
        ("00DA00D0", 5, 0x6700),
        ("00DA7F21", 2049, 0x6700),
        ("00DA00C1", 6, 0x6A80),
    ] {
        let before = bench.applet.memory().unwrap();
        assert_eq!(
            bench.whole(header, &vec![0x7F; length]).1,
            status,
            "{header}"
        );
        assert_eq!(bench.applet.memory().unwrap(), before);
    }
    let mut woken = bench.woken();
    let cardholder = woken.ok("00CA006500");
    assert!(hex::encode(cardholder).ends_with("5f2d046c7664655f350132"));
    assert_eq!(woken.ok("00CA005E00"), b"anna");
    assert_eq!(woken.ok("00CA5F5000"), b"https://");
    assert_eq!(woken.status()[0], 1);
    let whole = hex::encode(woken.ok("00CA006E00"));
    let [none, decipher, authority] = ["00", "11", "22"].map(|byte| byte.repeat(20));
    assert!(whole.contains(&format!("c53c{none}{decipher}{none}")));
    assert!(whole.contains(&format!("c63c{none}{none}{authority}")));
    assert!(whole.contains("cd0c650000000000000000000000"));
    woken.refused("00DA005E01 41", 0x6982);
}

#[test]
fn three_certificates_are_told_apart() {
    let mut bench = Bench::admin();
    for occurrence in 0..3_u8 {
        bench.ok(&format!("00A50{occurrence}0406 60045C027F21"));
        let (_, status) = bench.whole("00DA7F21", &[0xA0 + occurrence; 2048]);
        assert_eq!(status, 0x9000);
        assert_eq!(bench.ok("00CA7F2100"), [0xA0 + occurrence; 2048]);
    }
    let mut woken = bench.woken();
    assert_eq!(woken.ok("00CA7F2100")[0], 0xA0);
    assert_eq!(woken.ok("00CC7F2100")[0], 0xA1);
    assert_eq!(woken.ok("00CC7F2100")[0], 0xA2);
    woken.refused("00CC7F2100", 0x6A88);
    assert_eq!(woken.ok("00CA7F2100")[0], 0xA2);
    // Another object, and the first certificate is meant again.
    woken.ok("00CA005E00");
    assert_eq!(woken.ok("00CA7F2100")[0], 0xA0);
    woken.ok(PW3);
    woken.ok("00DA7F21");
    assert!(woken.ok("00CA7F2100").is_empty());
    assert_eq!(woken.ok("00CC7F2100")[0], 0xA1);
}
