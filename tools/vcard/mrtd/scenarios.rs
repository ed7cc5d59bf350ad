//! Whole lives of a chip: personalization, lock, inspection, refusals.

use card::tlv::{self, Tag};
use card::{Command, Response, Status};

use super::passport::Passport;
use super::{blank, wake};
use crate::applet::{Applet, Entropy, KeyWork, Work};
use crate::des::{pad, unpad};
use crate::inspection::cipher::{Cipher, Keys};
use crate::secret::Secret;
use crate::vectors::{load, unhex};

/// PUT DATA with the BAC keys of L898902C<, 690806, 940623 (ICAO Doc 9303-11 App. D.2).
const ACCESS: &str = "00DA00621D 621B 04094C3839383930324 33C 0406363930383036 0406393430363233";

/// EF.COM of the same appendix.
const COM: &str = "60145F0104303130365F36063034303030305C026175";

/// A chip, and a reader that may have a session with it.
struct Desk {
    chip: Box<dyn Applet + Send>,
    session: Option<(Keys, u64)>,
    work: Work,
}

impl Desk {
    fn blank() -> Self {
        Self::of(blank())
    }

    fn of(chip: Box<dyn Applet + Send>) -> Self {
        Self {
            chip,
            session: None,
            work: Work::default(),
        }
    }

    fn transmit(&mut self, command: &Command) -> (Vec<u8>, u16) {
        self.work = Work::default();
        let mut entropy = Entropy::default();
        match self.chip.process(command, &mut entropy, &mut self.work) {
            Ok(answer) => (answer.data, answer.status.value()),
            Err(status) => (Vec::new(), status.value()),
        }
    }

    fn send(&mut self, command: &str) -> (Vec<u8>, u16) {
        self.transmit(&Command::parse(&unhex(command)).unwrap())
    }

    fn expect(&mut self, command: &str, status: u16) {
        assert_eq!(self.send(command).1, status, "{command}");
    }

    /// Wraps a command into the session, Le as it stands, in its short form.
    fn wrap(&mut self, ins: u8, p1p2: [u8; 2], data: &[u8], le: Option<u8>) -> Command {
        let (keys, counter) = self.session.as_mut().unwrap();
        *counter += 1;
        let header = [0x0C, ins, p1p2[0], p1p2[1]];
        let mut objects = Vec::new();
        if !data.is_empty() {
            let sealed = encrypt(keys, &pad(data));
            objects = match ins & 1 {
                1 => tlv::encode(Tag::known::<0x85>(), &sealed),
                _ => tlv::encode(Tag::known::<0x87>(), &[&[1], &sealed[..]].concat()),
            };
        }
        if let Some(le) = le {
            objects.extend([0x97, 1, le]);
        }
        let message = [&counter.to_be_bytes()[..], &pad(&header), &objects].concat();
        objects.extend(tlv::encode(
            Tag::known::<0x8E>(),
            &keys.mac(&message).unwrap(),
        ));
        Command::from_header(header).with_data(objects).with_le(256)
    }

    /// Sends a command through the session and opens the answer.
    fn secure(&mut self, ins: u8, p1p2: u16, data: &str, le: Option<u8>) -> (Vec<u8>, u16) {
        let command = self.wrap(ins, p1p2.to_be_bytes(), &unhex(data), le);
        let (answer, status) = self.transmit(&command);
        let (keys, counter) = self.session.as_mut().unwrap();
        *counter += 1;
        let objects = tlv::parse_all(&answer).unwrap();
        let covered = &answer[..answer.len() - 10];
        let message = [&counter.to_be_bytes()[..], covered].concat();
        assert!(
            keys.verifies(&message, objects.last().unwrap().value)
                .unwrap()
        );
        let inside = objects.iter().find(|object| object.tag.value() == 0x99);
        assert_eq!(inside.unwrap().value, status.to_be_bytes());
        let sealed = match (objects[0].tag.value(), objects[0].value) {
            (0x87, [1, sealed @ ..]) => sealed,
            (0x85, sealed) => sealed,
            _ => return (Vec::new(), status),
        };
        let padded = decrypt(keys, sealed);
        (unpad(&padded).unwrap().to_vec(), status)
    }

    fn secure_expect(&mut self, ins: u8, p1p2: u16, data: &str, status: u16) {
        let answer = self.secure(ins, p1p2, data, Some(4));
        assert_eq!(answer.1, status, "{ins:02X}{p1p2:04X} {data}");
    }

    /// Sends EXTERNAL AUTHENTICATE for a fresh challenge, with these keys.
    fn authenticate(&mut self, keys: &Keys) -> u16 {
        let (challenge, status) = self.send("0084000008");
        assert_eq!((challenge.len(), status), (8, 0x9000));
        let reader = [0x11; 8];
        let seed = [0x22; 16];
        let cryptogram = encrypt(keys, &[&reader, &challenge[..], &seed].concat());
        let mac = keys.mac(&cryptogram).unwrap();
        let command = Command::new(0, 0x82, 0, 0).with_le(40);
        let command = command.with_data([&cryptogram[..], &mac].concat());
        let (answer, status) = self.transmit(&command);
        if status != 0x9000 {
            return status;
        }
        let opened = decrypt(keys, &answer[..32]);
        assert_eq!(opened[..16], [&challenge[..], &reader].concat());
        let chip: [u8; 16] = opened[16..].try_into().unwrap();
        let seed: [u8; 16] = std::array::from_fn(|i| seed[i] ^ chip[i]);
        let counter = [&challenge[4..], &reader[4..]].concat().try_into().unwrap();
        self.session = Some((
            Keys::derive(Cipher::TripleDes, &seed),
            u64::from_be_bytes(counter),
        ));
        status
    }

    fn inspect(&mut self) {
        assert_eq!(self.authenticate(&document_keys()), 0x9000);
    }

    /// Writes a file, in pieces.
    fn write(&mut self, id: u16, bytes: &[u8]) {
        self.expect(
            &format!("00E00000066304{:04X}{id:04X}", bytes.len()),
            0x9000,
        );
        self.expect(&format!("00A4000C02{id:04X}"), 0x9000);
        for (number, piece) in bytes.chunks(0xF0).enumerate() {
            let offset = number * 0xF0;
            let command = match u16::try_from(offset) {
                Ok(offset @ ..0x8000) => {
                    let [p1, p2] = offset.to_be_bytes();
                    Command::new(0, 0xD6, p1, p2).with_data(piece)
                }
                _ => {
                    let offset = &offset.to_be_bytes()[5..];
                    let mut data = tlv::encode(Tag::known::<0x54>(), offset);
                    data.extend(tlv::encode(Tag::known::<0x53>(), piece));
                    Command::new(0, 0xD7, 0, 0).with_data(data)
                }
            };
            assert_eq!(self.transmit(&command).1, 0x9000, "{offset}");
        }
    }
}

fn document_keys() -> Keys {
    let vector = load("icao9303-11/bac.json");
    let (enc, mac) = (vector.bytes("K_enc"), vector.bytes("K_mac"));
    Keys {
        cipher: Cipher::TripleDes,
        enc: Secret::new(enc),
        mac: Secret::new(mac),
    }
}

fn encrypt(keys: &Keys, blocks: &[u8]) -> Vec<u8> {
    Cipher::TripleDes
        .encrypt(&keys.enc, &[0; 8], blocks)
        .unwrap()
}

fn decrypt(keys: &Keys, blocks: &[u8]) -> Vec<u8> {
    Cipher::TripleDes
        .decrypt(&keys.enc, &[0; 8], blocks)
        .unwrap()
        .to_vec()
}

/// A chip with keys and EF.COM, locked, taken out of the reader.
fn issued() -> Desk {
    let mut desk = Desk::blank();
    desk.expect(ACCESS, 0x9000);
    assert_eq!(desk.work.written, 32);
    desk.write(0x011E, &unhex(COM));
    assert_eq!(desk.work.written, 22);
    desk.expect("00DADEAD", 0x9000);
    desk.chip.reset();
    desk
}

#[test]
fn it_answers_to_its_name_only() {
    let desk = Desk::blank();
    assert!(desk.chip.is_named(&unhex("A0000002471001")));
    assert!(desk.chip.is_named(&unhex("A00000024710")));
    assert!(!desk.chip.is_named(&unhex("A0000002471002")));
    assert!(!desk.chip.is_named(&unhex("A000000247100100")));
    assert!(!desk.chip.is_named(&[]));
}

#[test]
fn nothing_is_read_from_a_blank_and_nothing_is_there() {
    let mut desk = Desk::blank();
    desk.expect("0084000008", 0x6982);
    desk.expect("00A4000C02011E", 0x6A82);
    desk.expect("00D600000101", 0x6985);
    desk.expect("00B0000004", 0x6982);
    desk.expect("0088000008010203040506070800", 0x6982);
    desk.expect("0CB000000D9701048E08000000000000000000", 0x6882);
    desk.expect("80DADEAD", 0x6E00);
    desk.expect("00CA0101", 0x6D00);
    desk.expect("00A4040007A0000002471002", 0x6700);
    desk.expect("00A4000C", 0x6700);
    desk.expect("00A4080C02011E", 0x6A86);
}

#[test]
fn what_personalization_must_not_send_is_refused() {
    let mut desk = Desk::blank();
    for (command, status) in [
        ("00E000000663040010 0110", 0x6F00), // DG16 has no place here
        ("00E000000663040010 0200", 0x6F00),
        ("00E000000663040010 0103", 0x6982),
        ("00E000000663040010 0104", 0x6982),
        ("00E000000664040010 0101", 0x6984),
        ("00E000000663030010 0101", 0x6700),
        ("00E0000005630400 1001", 0x6700),
        ("00E001000663040010 0101", 0x6A86),
        ("00DA0063028100", 0x6A81),
        ("00DA0164027F21", 0x6A81),
        ("00DA0065020000", 0x6A86),
        ("00DA00620462020400", 0x6A80),
        ("00DA00600460000400", 0x6A80),
        ("00A4000C020103", 0x6982),
    ] {
        desk.expect(command, status);
        assert_eq!(desk.work, Work::default(), "{command}");
    }
    desk.write(0x0101, &[0x61; 16]);
    desk.expect("00D6000E03010203", 0x6A84);
    desk.expect("00D68100 0101", 0x6B00);
    desk.expect("00D700000654020010530101", 0x6A80);
    desk.expect("00D70000075402001053 0101", 0x6A84);
    // A selection that fails leaves nothing selected.
    desk.expect("00A4000C020102", 0x6A82);
    desk.expect("00D600000101", 0x6985);
}

#[test]
fn the_lock_is_for_good() {
    let mut desk = issued();
    for round in 0..2 {
        for command in [
            ACCESS,
            "00DADEAD",
            "00DADEAD00",
            "00DA00600460000400",
            "00DA0063028100",
            "00E000000663040010 0101",
            "00D600000101",
            "00D70000065401005301 01",
        ] {
            desk.expect(command, 0x6985);
        }
        desk.expect("00A4000C02011E", 0x6982);
        desk.expect("00A4040007A0000002471002", 0x6982);
        desk.expect("00B0000004", 0x6982);
        desk.expect("00B09E0004", 0x6982);
        if round == 0 {
            desk.chip.reset();
            desk = Desk::of(wake(desk.chip.memory().unwrap()).unwrap());
        }
    }
    // Nor does a session open it.
    desk.inspect();
    desk.secure_expect(0xDA, 0xDEAD, "", 0x6985);
    desk.secure_expect(0xE0, 0x0000, "630400100101", 0x6985);
    desk.secure_expect(0xA4, 0x020C, "011E", 0x9000);
    desk.secure_expect(0xD6, 0x0000, "01", 0x6985);
}

#[test]
fn the_lds_is_read_over_basic_access() {
    let mut desk = issued();
    desk.inspect();
    desk.secure_expect(0xB0, 0x0000, "", 0x6985);
    desk.secure_expect(0xA4, 0x020C, "0101", 0x6A82);
    desk.secure_expect(0xA4, 0x020C, "0103", 0x6982);
    desk.secure_expect(0xA4, 0x020C, "011E", 0x9000);
    let com = unhex(COM);
    let (read, status) = desk.secure(0xB0, 0x0000, "", Some(4));
    assert_eq!((&read[..], status), (&com[..4], 0x9000));
    let (read, _) = desk.secure(0xB0, 0x0004, "", Some(0xFF));
    assert_eq!(read, com[4..]);
    // 00 asks for nothing, and so does no length at all.
    assert_eq!(desk.secure(0xB0, 0x0000, "", Some(0)), (vec![], 0x9000));
    assert_eq!(desk.secure(0xB0, 0x0000, "", None), (vec![], 0x9000));
    assert_eq!(desk.secure(0xB0, 0x0016, "", Some(1)), (vec![], 0x9000));
    desk.secure_expect(0xB0, 0x0017, "", 0x6B00);
    desk.secure_expect(0xB0, 0xA000, "", 0x6A86);
    desk.secure_expect(0xB0, 0x8100, "", 0x6A82);
    desk.secure_expect(0xB0, 0x8300, "", 0x6982);
    // By short identifier, and then as the current file; and by the odd instruction.
    assert_eq!(desk.secure(0xB0, 0x9E02, "", Some(2)).0, com[2..4]);
    assert_eq!(desk.secure(0xB0, 0x0002, "", Some(2)).0, com[2..4]);
    let by_vector = load("icao9303-11/secure_messaging_3des.json");
    let row = &by_vector.rows("exchanges")[4];
    assert_eq!(row.text("plain_command"), "00B1011E045402000004");
    let (read, _) = desk.secure(0xB1, 0x011E, "54020000", Some(4));
    assert_eq!(read, unhex("53026014"));
    assert_eq!(
        desk.secure(0xB1, 0x001E, "540116", Some(4)).0,
        unhex("5300")
    );
    assert_eq!(
        desk.secure(0xB1, 0x0000, "540102", Some(3)).0,
        [0x53, 1, com[2]]
    );
    desk.secure_expect(0xB1, 0x0000, "530102", 0x6A80);
    desk.secure_expect(0xB1, 0x0000, "5404000000 00", 0x6A80);
    desk.secure_expect(0xB1, 0x0000, "540117", 0x6B00);
    assert_eq!(desk.secure(0xB1, 0x0000, "540100", Some(1)).1, 0x6700);
    // What is not there: terminal and chip authentication.
    desk.secure_expect(0x22, 0x41A6, "9100", 0x6D00);
    desk.secure_expect(0x2A, 0x00BE, "7F4E00", 0x6982);
    desk.secure_expect(0x84, 0x0000, "", 0x6982);
    desk.secure_expect(0x88, 0x0000, "0102030405060708", 0x6982);
}

#[test]
fn wrong_keys_open_nothing() {
    let mut desk = issued();
    let wrong = Keys::derive(Cipher::TripleDes, &[0x77; 16]);
    assert_eq!(desk.authenticate(&wrong), 0x6982);
    // A challenge serves one attempt, and must have been asked for.
    desk.expect(&format!("0082000028{}28", "00".repeat(40)), 0x6982);
    desk.expect("0084000008", 0x9000);
    desk.expect(&format!("0082000020{}28", "00".repeat(32)), 0x6700);
    desk.expect(&format!("0082000028{}28", "00".repeat(40)), 0x6982);
    desk.expect("0084000004", 0x6700);
    desk.expect("00840000", 0x6700);
    desk.expect("0084010008", 0x6A86);
    // There is no counter: the right keys still open it.
    desk.inspect();
    // An answer to a former challenge is refused, though its MAC is right.
    desk.chip.reset();
    let keys = document_keys();
    let stale = encrypt(&keys, &[0x33; 32]);
    let mac = keys.mac(&stale).unwrap();
    desk.expect("0084000008", 0x9000);
    let data = hex::encode([&stale[..], &mac].concat());
    desk.expect(&format!("0082000028{data}28"), 0x6982);
}

#[test]
fn a_selection_by_name_leaves_the_session() {
    let mut desk = issued();
    desk.inspect();
    let select = Command::parse(&unhex("00A4040C07A0000002471001")).unwrap();
    assert!(desk.chip.select(&select).is_ok());
    // Another applet's name, too, where no applet has it.
    desk.expect("00A4040C07A0000002471002", 0x6982);
    desk.secure_expect(0xA4, 0x020C, "011E", 0x9000);
    desk.chip.reset();
    let command = desk.wrap(0xB0, [0, 0], &[], Some(4));
    assert_eq!(desk.transmit(&command).1, 0x6882);
    desk.inspect();
}

#[test]
fn a_command_in_plain_ends_the_session() {
    for (plain, status) in [
        ("0084000008", 0x6982),
        ("0082000028", 0x6982),
        ("00A4020C02011E", 0x6982),
        ("00B0000004", 0x6982),
        ("0088000008010203040506070800", 0x6982),
        ("00DADEAD", 0x6985),
        ("00CA0101", 0x6D00),
    ] {
        let mut desk = issued();
        desk.inspect();
        desk.secure_expect(0xA4, 0x020C, "011E", 0x9000);
        desk.expect(plain, status);
        let command = desk.wrap(0xB0, [0, 0], &[], Some(4));
        assert_eq!(desk.transmit(&command).1, 0x6882, "{plain}");
        // The selection is gone with it, and the next reader begins anew.
        desk.inspect();
        desk.secure_expect(0xB0, 0x0000, "", 0x6985);
    }
    // Before the lock the command itself is done.
    let mut desk = Desk::blank();
    desk.expect(ACCESS, 0x9000);
    desk.write(0x011E, &unhex(COM));
    desk.inspect();
    desk.expect("00D600000101", 0x6985);
    desk.inspect();
    desk.write(0x0101, &[0x61; 16]);
    desk.inspect();
    desk.expect("00DADEAD", 0x9000);
    assert!(desk.chip.memory().unwrap()["locked"].as_bool().unwrap());
}

#[test]
fn a_name_of_two_bytes_is_no_file() {
    let mut desk = Desk::blank();
    desk.write(0x0101, &[0x61; 16]);
    for name in ["0101", "0103", "0110"] {
        desk.expect(&format!("00A4040002{name}"), 0x6A82);
    }
    desk.expect("00D600000101", 0x6985);
}

#[test]
fn a_broken_message_ends_the_session() {
    type Fault = fn(&mut Desk) -> Command;
    let faults: [(Fault, u16); 4] = [
        (
            |desk| {
                Command::new(0x0C, 0xB0, 0, 0).with_data(desk.wrap(0xA4, [2, 12], &[], None).data())
            },
            0x6988,
        ),
        (
            |_| Command::new(0x0C, 0xB0, 0, 0).with_data([0x97, 1, 4]),
            0x6987,
        ),
        (|_| Command::new(0x0C, 0xB0, 0, 0).with_le(4), 0x6987),
        (
            |desk| {
                // A command is lost: the next one's counter is one too far.
                let _lost = desk.wrap(0xB0, [0, 0], &[], Some(4));
                desk.wrap(0xB0, [0, 0], &[], Some(4))
            },
            0x6988,
        ),
    ];
    for (fault, status) in faults {
        let mut desk = issued();
        desk.inspect();
        desk.secure_expect(0xA4, 0x020C, "011E", 0x9000);
        let command = fault(&mut desk);
        assert_eq!(desk.transmit(&command), (vec![], status));
        let next = desk.wrap(0xB0, [0, 0], &[], Some(4));
        assert_eq!(desk.transmit(&next).1, 0x6882);
        desk.inspect();
        // The selected file went with the session.
        desk.secure_expect(0xB0, 0x0000, "", 0x6985);
    }
}

#[test]
fn files_past_32_kib_are_written_and_read() {
    let bytes: Vec<u8> = (0..40_000u32).map(|i| (i % 251) as u8).collect();
    let mut desk = Desk::blank();
    desk.expect(ACCESS, 0x9000);
    desk.write(0x0102, &bytes);
    desk.expect("00DADEAD00", 0x9000);
    desk.inspect();
    desk.secure_expect(0xA4, 0x020C, "0102", 0x9000);
    let mut read = Vec::new();
    while read.len() < bytes.len() {
        let offset = read.len();
        let (piece, status) = match u16::try_from(offset) {
            Ok(offset @ ..0x8000) => desk.secure(0xB0, offset, "", Some(0xFF)),
            _ => {
                let offset = format!("5402{offset:04X}");
                let (data, status) = desk.secure(0xB1, 0x0000, &offset, Some(0xFF));
                assert!(data.len() <= 223);
                (tlv::parse(&data).unwrap().0.value.to_vec(), status)
            }
        };
        assert_eq!(status, 0x9000);
        assert!(!piece.is_empty() && piece.len() <= 223, "{offset}");
        read.extend(piece);
    }
    assert!(read == bytes);
}

#[test]
fn active_authentication_needs_both_halves_and_a_session() {
    let modulus = format!("FF{}01", "00".repeat(126));
    let mut desk = Desk::blank();
    desk.expect(ACCESS, 0x9000);
    desk.expect(&format!("00DA006085 6000 048180{modulus}"), 0x9000);
    assert_eq!(desk.work.written, 128);
    let challenge = "0102030405060708";
    desk.inspect();
    desk.secure_expect(0x88, 0x0000, challenge, 0x6982);
    desk.expect("00DA006105 6100 040103", 0x9000);
    desk.inspect();
    let (signature, status) = desk.secure(0x88, 0x0000, challenge, Some(0));
    assert_eq!((signature.len(), status), (128, 0x9000));
    assert_eq!(desk.work.signed, Some(KeyWork::Rsa(1024)));
    desk.secure_expect(0x88, 0x0000, "01020304050607", 0x6700);
    desk.secure_expect(0x88, 0x0100, challenge, 0x6A86);
    desk.expect(&format!("0088000008{challenge}00"), 0x6982);
}

#[test]
fn memory_survives_at_every_step_of_personalization() {
    let steps = [
        ACCESS,
        "00DA006105 6100 040103",
        "00E0000006630400160 11E",
        "00DADEAD00",
    ];
    let mut desk = Desk::blank();
    for step in steps {
        desk.expect(step, 0x9000);
        let memory = desk.chip.memory().unwrap();
        let chip = wake(memory.clone()).unwrap();
        assert_eq!(chip.memory().unwrap(), memory, "{step}");
        desk = Desk::of(chip);
    }
    desk.inspect();
    desk.secure_expect(0xA4, 0x020C, "011E", 0x9000);
    assert_eq!(desk.secure(0xB0, 0x0000, "", Some(4)).0, [0; 4]);
}

#[test]
fn a_memory_that_is_not_whole_does_not_wake() {
    let memory = issued().chip.memory().unwrap();
    for (field, value) in [
        ("/access/enc", serde_json::json!("0011")),
        ("/files/0/id", serde_json::json!(0x0103_0000)),
        ("/files/0/id", serde_json::json!(0x3F00)),
        ("/locked", serde_json::Value::Null),
    ] {
        let mut damaged = memory.clone();
        *damaged.pointer_mut(field).unwrap() = value;
        assert!(wake(damaged).is_err(), "{field}");
    }
    assert!(Passport::wake(memory).is_ok());
}

#[test]
fn unknown_parameters_of_select_are_refused() {
    let mut chip = blank();
    let command = Command::new(0, 0xA4, 0x04, 0x02).with_data(unhex("A0000002471001"));
    assert_eq!(chip.select(&command), Err(Status::WRONG_P1_P2));
}

#[test]
fn what_the_chip_drew_is_not_foreseen_with_other_keys() {
    let mut applet = Passport::default();
    let command = Command::new(0, 0x82, 0, 0)
        .with_data([0x55; 40])
        .with_le(40);
    let recorded = Response::new([0x66; 40], Status::OK);
    let mut entropy = Entropy::default();
    applet.foresee(&command, &recorded, &mut entropy);
    let mut drawn = [0x66; 16];
    entropy.draw(&mut drawn).unwrap();
    assert_ne!(drawn, [0x66; 16]);
}
