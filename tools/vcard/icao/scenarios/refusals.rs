//! What a reader is refused.

use card::Command;
use openssl::nid::Nid;

use super::authority::{DOMESTIC, TERMINAL};
use super::border::{Border, guarded};
use super::desk::{Desk, GENERIC, INTEGRATED};
use super::reader::{Reader, at, encode, group, object, pair, step};
use crate::vectors::unhex;

const NID: Nid = Nid::BRAINPOOL_P256R1;
/// MSE:Set AT for generic mapping with the CAN.
const PREPARE: &str = "0022C1A40F 800A04007F00070202040202 830102";

fn locked() -> Desk {
    let mut desk = Desk::personalized(&[GENERIC]);
    desk.lock();
    desk
}

fn pace(desk: Desk) -> Reader {
    Reader::pace(desk, GENERIC.0, 0x0D, NID, true)
}

/// Sends one step and returns the status word.
fn tried(desk: &mut Desk, cla: u8, data: &[u8]) -> u16 {
    let command = Command::new(cla, 0x86, 0, 0).with_data(data).with_le(256);
    desk.transmit(&command).1
}

#[test]
fn what_is_public_is_read_first_and_nothing_else() {
    let mut desk = locked();
    desk.expect("00A4020C02011C", 0x9000);
    assert_eq!(desk.expect("00B0000002", 0x9000), unhex("3114"));
    // By its short identifier, and past its end.
    assert_eq!(desk.expect("00B09C0001", 0x9000), unhex("31"));
    assert_eq!(desk.expect("00B0000000", 0x9000).len(), 22);
    desk.expect("00B0001601", 0x6B00);
    desk.expect("00B0000001", 0x9000);
    desk.expect("00B00000", 0x6700);
    desk.expect("00B0000001FF01", 0x6700);
    desk.expect("00B0E00001", 0x6A86);
    desk.expect("00B0810001", 0x6A82);
    desk.expect("00A4000C02011E", 0x6A82);
    desk.expect("00A4040C07A0000002471001", 0x9000);
    desk.expect("00B0000001", 0x6986);
    desk.expect("00A4020C020101", 0x6982);
    desk.expect("00A4020C020103", 0x6A82);
    desk.expect("00A4020C0101", 0x6700);
    desk.expect("00A4030C00", 0x6A86);
    desk.expect("00A402FF020101", 0x6A86);
    desk.expect("00A4040C07A0000002471009", 0x6A82);
    desk.expect("00B0810001", 0x6982);
    desk.expect("00B1000003 540100 01", 0x6986);
    desk.expect("0088000008010203040506070800", 0x6982);
    desk.expect("002A00BE00", 0x6982);
    for prepares in ["002241A600", "002241A400", "002281B600", "002281A400"] {
        desk.expect(prepares, 0x6982);
    }
    desk.expect("0022010100", 0x6A86);
    desk.expect("00C3000000", 0x6D00);
    desk.expect("80CA9F7F00", 0x6E00);
    desk.expect("0CB0000000", 0x6882);
    // What FCI and FCP say.
    desk.expect("00A4000C023F00", 0x9000);
    let told = desk.expect("00A4020402011C", 0x9000);
    assert_eq!(told, unhex("620E 80020016 820101 8302011C 8801E0"));
    let told = desk.expect("00A4040007A0000002471001", 0x9000);
    assert_eq!(told, unhex("6F09 8407A0000002471001"));
}

#[test]
fn pace_wants_what_it_knows() {
    let mut desk = locked();
    for (data, status) in [
        // Another cipher, mapping, curve; no such password, no such object.
        ("800A04007F00070202040204 830102", 0x6A80),
        ("800A04007F00070202040402 830102", 0x6A80),
        ("800A04007F00070202040202 830102 84010C", 0x6A88),
        ("800A04007F00070202040202 830103", 0x6A88),
        ("800A04007F00070202040202 830104", 0x6A88),
        ("800A04007F00070202040202", 0x6A80),
        ("830102", 0x6A80),
        ("800A04007F00070202040202 830102 850100", 0x6A80),
        ("800A04007F00070202040202 830102 84020D0D", 0x6A80),
        // A verifier is no terminal; an authentication terminal inspects nothing.
        (
            "800A04007F00070202040202 830102 7F4C0E 060904007F000703010201 530183",
            0x6A80,
        ),
        (
            "800A04007F00070202040202 830102 7F4C0E 060904007F000703010202 530103",
            0x6A80,
        ),
    ] {
        let data = unhex(data);
        let command = Command::new(0, 0x22, 0xC1, 0xA4).with_data(data);
        let (_, got) = desk.transmit(&command);
        assert_eq!(format!("{got:04X}"), format!("{status:04X}"));
        assert_eq!(tried(&mut desk, 0x10, &unhex("7C00")), 0x6985);
    }
    // Two curves want a number.
    let other = (GENERIC.0, "10");
    let mut desk = Desk::personalized(&[GENERIC, other]);
    desk.lock();
    desk.expect(PREPARE, 0x6A88);
    desk.expect("0022C1A412 800A04007F00070202040202 830102 840110", 0x9000);
    // Without a card access number its password is unknown.
    let mut desk = Desk::blank();
    desk.issued("00DA0101", super::desk::ZONE, 0x9000);
    desk.offer(&[GENERIC]);
    desk.expect(PREPARE, 0x6A88);
}

#[test]
fn a_step_out_of_order_ends_the_dialogue() {
    let group = group(NID);
    let point = encode(&group, &pair(&group).1);
    let mut off = point.clone();
    off[64] ^= 1;
    let mapping = object("7C", &object("81", &point));
    let key = object("7C", &object("83", &point));
    for (cla, data, status) in [
        (0x00, mapping.clone(), 0x6985),
        (0x10, object("7C", &object("81", &off)), 0x6A80),
        (0x10, object("7C", &object("81", &[0])), 0x6A80),
        (0x10, object("7C", &[]), 0x6A80),
        (0x10, object("81", &point), 0x6A80),
        (0x10, key.clone(), 0x6A80),
        (0x10, vec![], 0x6A80),
    ] {
        let mut desk = locked();
        desk.expect(PREPARE, 0x9000);
        step(&mut desk, false, &[]);
        assert_eq!(tried(&mut desk, cla, &data), status);
        assert_eq!(tried(&mut desk, 0x10, &mapping), 0x6985);
    }
    // Another command between, also one that is refused before the chip sees it.
    let mut desk = locked();
    desk.expect(PREPARE, 0x9000);
    step(&mut desk, false, &[]);
    desk.expect("00A4020C02011C", 0x9000);
    assert_eq!(tried(&mut desk, 0x10, &mapping), 0x6985);
    desk.expect(PREPARE, 0x9000);
    crate::applet::Applet::interrupt(&mut desk.chip);
    assert_eq!(tried(&mut desk, 0x10, &unhex("7C00")), 0x6985);
    // The chip's own key comes back as the terminal's.
    desk.expect(PREPARE, 0x9000);
    step(&mut desk, false, &[]);
    step(&mut desk, false, &object("81", &point));
    let private = [7; 32];
    desk.entropy.foresee(&private);
    let chip = at(&step(&mut desk, false, &object("83", &point)), &[0x84]);
    desk.expect(PREPARE, 0x9000);
    step(&mut desk, false, &[]);
    desk.entropy.foresee(&[&[9; 32][..], &private].concat());
    step(&mut desk, false, &object("81", &point));
    assert_eq!(
        tried(&mut desk, 0x10, &object("7C", &object("83", &chip))),
        0x9000
    );
    // Integrated mapping wants a nonce as long as the key.
    let mut desk = Desk::personalized(&[INTEGRATED]);
    desk.lock();
    desk.expect("0022C1A40F 800A04007F00070202040402 830102", 0x9000);
    step(&mut desk, false, &[]);
    let nonce = object("7C", &object("81", &[5; 15]));
    assert_eq!(tried(&mut desk, 0x10, &nonce), 0x6A80);
}

#[test]
fn a_terminal_may_not_mirror_the_chips_key() {
    // With integrated mapping everything but the chip's key is known beforehand: a second
    // chip with the same random bytes tells it.
    let mut chips = [(); 2].map(|()| {
        let mut desk = Desk::personalized(&[INTEGRATED]);
        desk.lock();
        desk.expect("0022C1A40F 800A04007F00070202040402 830102", 0x9000);
        desk.entropy.foresee(&[3; 16]);
        step(&mut desk, false, &[]);
        step(&mut desk, false, &object("81", &[5; 16]));
        desk.entropy.foresee(&[7; 32]);
        desk
    });
    let group = group(NID);
    let any = encode(&group, &pair(&group).1);
    let [told, mirrored] = &mut chips;
    let chip = at(&step(told, false, &object("83", &any)), &[0x84]);
    let sent = object("7C", &object("83", &chip));
    assert_eq!(tried(mirrored, 0x10, &sent), 0x6A80);
}

#[test]
fn wrong_passwords_are_slow_and_never_blocked() {
    let mut desk = locked();
    let group = group(NID);
    for attempt in 0..5 {
        desk.expect(PREPARE, 0x9000);
        let data = object("7C", &[]);
        assert_eq!(tried(&mut desk, 0x10, &data), 0x9000);
        assert_eq!(desk.work.pause_ms, if attempt < 3 { 0 } else { 1000 });
        for tag in ["81", "83"] {
            let point = encode(&group, &pair(&group).1);
            step(&mut desk, false, &object(tag, &point));
            assert!(desk.work.signed.is_some() && desk.work.more > 0);
        }
        let token = object("7C", &object("85", &[0; 8]));
        assert_eq!(tried(&mut desk, 0x00, &token), 0x6300);
        // The failures outlast the power.
        desk = desk.woken();
    }
    // BAC counts with them.
    desk.expect("0084000008", 0x9000);
    desk.expect(&format!("0082000028{}28", "00".repeat(40)), 0x6300);
    assert_eq!(desk.work.pause_ms, 1000);
    let reader = pace(desk);
    let mut desk = reader.desk.woken();
    desk.expect(PREPARE, 0x9000);
    step(&mut desk, false, &[]);
    assert_eq!(desk.work.pause_ms, 0);
}

#[test]
fn basic_access_control_gives_one_try_for_a_challenge() {
    let mut desk = locked();
    let wrong = format!("0082000028{}28", "00".repeat(40));
    desk.expect(&wrong, 0x6985);
    desk.expect("0084000007", 0x6700);
    desk.expect("0084000108", 0x6A86);
    desk.expect("0084000008", 0x9000);
    desk.expect(&wrong, 0x6300);
    desk.expect(&wrong, 0x6985);
    desk.expect("0084000008", 0x9000);
    desk.expect(&format!("0082000027{}28", "00".repeat(39)), 0x6700);
    // Not offered, or switched off.
    let mut desk = Desk::personalized(&[GENERIC]);
    desk.issued("00DA0110", "00", 0x9000);
    desk.lock();
    desk.expect("0084000008", 0x6985);
    desk.expect(&wrong, 0x6985);
    // What PACE alone opens, BAC does not.
    let mut desk = Desk::personalized(&[GENERIC]);
    desk.write(0x010B, 0x42, &[0x6B; 9]);
    desk.lock();
    let mut reader = Reader::bac(desk);
    reader.expect("00A4020C", "010B", 0x9000);
    assert_eq!(reader.send("00B00000", &[], Some(9)).1, 0x6982);
    let mut reader = pace(reader.desk.woken());
    reader.enter();
    assert_eq!(reader.read("010B", 9), [0x6B; 9]);
}

#[test]
fn a_command_in_plain_ends_the_session() {
    for plain in [
        "00B0000004",
        "00A4040C07A0000002471001",
        "00A4020C020101",
        "0084000008",
    ] {
        let mut reader = pace(locked());
        reader.enter();
        reader.expect("00A4020C", "0101", 0x9000);
        reader
            .desk
            .transmit(&Command::parse(&unhex(plain)).unwrap());
        let next = reader.tunnel.wrap([0, 0xB0, 0, 0], &[], Some(4));
        assert_eq!(reader.desk.transmit(&next), (vec![], 0x6882), "{plain}");
    }
}

#[test]
fn a_broken_message_ends_the_session() {
    type Fault = fn(&mut Reader) -> Command;
    let faults: [(Fault, u16); 4] = [
        (
            |reader| {
                let whole = reader.tunnel.wrap([0, 0xA4, 2, 0x0C], &[1, 1], None);
                Command::new(0x0C, 0xB0, 0, 0).with_data(whole.data())
            },
            0x6988,
        ),
        (
            |_| Command::new(0x0C, 0xB0, 0, 0).with_data([0x97, 1, 4]),
            0x6987,
        ),
        (|_| Command::new(0x0C, 0xB0, 0, 0).with_le(4), 0x6987),
        (
            |reader| {
                // A command is lost: the next one's counter is one too far.
                let _lost = reader.tunnel.wrap([0, 0xB0, 0, 0], &[], Some(4));
                reader.tunnel.wrap([0, 0xB0, 0, 0], &[], Some(4))
            },
            0x6988,
        ),
    ];
    for (fault, status) in faults {
        let mut reader = pace(locked());
        let command = fault(&mut reader);
        assert_eq!(reader.desk.transmit(&command), (vec![], status));
        let next = reader.tunnel.wrap([0, 0xB0, 0, 0], &[], Some(4));
        assert_eq!(reader.desk.transmit(&next).1, 0x6882);
    }
}

#[test]
fn errors_in_a_session_are_sealed_and_it_goes_on() {
    let mut reader = pace(locked());
    reader.enter();
    reader.expect("00A4020C", "0109", 0x6A82);
    reader.expect("00A4020C", "0101", 0x9000);
    assert_eq!(reader.send("00B000FF", &[], Some(4)).1, 0x6B00);
    reader.expect("00B00000", "", 0x6700);
    assert_eq!(reader.send("00B10000", &unhex("550100"), Some(9)).1, 0x6A80);
    assert_eq!(reader.send("00B10000", &unhex("540100"), Some(1)).1, 0x6700);
    assert_eq!(
        reader.send("00B10001", &unhex("540100"), Some(6)),
        (unhex("53046161 6161"), 0x9000)
    );
    assert_eq!(
        reader.send("00B10101", &unhex("540100"), Some(3)),
        (unhex("530161"), 0x9000)
    );
    assert_eq!(reader.send("00880000", &[0; 8], Some(0)).1, 0x6985);
    assert_eq!(reader.send("00840000", &[], Some(8)).1, 0x6985);
    reader.expect("00820000", "00", 0x6985);
    reader.expect("002281B6", "8303414243", 0x6A88);
    reader.expect("002281A4", "8303414243", 0x6A88);
    reader.expect("002241A4", "800A04007F00070202030202", 0x6A88);
    reader.expect("002241A4", "800A04007F00070202030209", 0x6A80);
    reader.expect("00860000", "7C00", 0x6985);
    // PACE does not begin inside.
    reader.expect("0022C1A4", "800A04007F00070202040202830102", 0x6982);
    assert_eq!(reader.read("0101", 93), [0x61; 93]);
}

#[test]
fn chip_authentication_wants_its_key_and_a_point() {
    let border = Border::new(DOMESTIC, TERMINAL);
    let mut desk = Desk::personalized(&[GENERIC]);
    desk.write(0x010E, 0x41, &[0x6E; 40]);
    // Two keys: no one is the only one; neither serves triple DES.
    for reference in ["02", "03"] {
        let key = format!("AC09 80010D 8401{reference} 950102");
        desk.issued("00478000", &key, 0x9000);
    }
    desk.lock();
    let mut reader = pace(desk);
    let protocol = "800A04007F000702020302";
    reader.expect("002241A4", &format!("{protocol}02"), 0x6A88);
    reader.expect("002241A4", &format!("{protocol}02840109"), 0x6A88);
    reader.expect("002241A4", &format!("{protocol}01840102"), 0x6A80);
    reader.expect("002241A4", "800A04007F00070202030102840102", 0x6A80);
    let group = group(NID);
    let mut point = encode(&group, &pair(&group).1);
    let keys = [object("91", &point), object("84", &[2])].concat();
    reader.expect("002241A6", &hex::encode(keys), 0x6A80);
    reader.expect("002241A4", &format!("{protocol}02840102"), 0x9000);
    point[64] ^= 1;
    let off = object("7C", &object("80", &point));
    reader.expect("00860000", &hex::encode(&off), 0x6A80);
    // One preparation, one attempt; the old keys hold.
    reader.expect("00860000", &hex::encode(&off), 0x6985);
    assert_eq!(reader.read("011C", 22).len(), 22);
    drop(guarded(&border.trusted));
}
