//! The other secure channels, met from outside: SCP02, S16, a random challenge. The host is the
//! product's own, which stands on other code than the chip; published sessions judge both.

use card::gp::{
    self, ChannelOptions, Dek, Diversification, Handshake, HostChallenge, InitializeUpdate, Key,
    NewKeyType, Secured, SecurityLevel, StaticKeys,
};
use card::{Command, Response};

use super::host::MASTER;
use crate::chip::Chip;
use crate::identity::ChipNumber;
use crate::product::Product;
use crate::scp::Scp;
use crate::store::Memory;
use crate::transport::TransportMasterKey;
use crate::vectors::unhex;

const ISD: &str = "00A4040C08A0000001510000 00";
const EID: &str = "00A4040C10A000000077010800070000FE00000100";
const GET_STATUS: &str = "80F28002024F0000";

/// A chip of another batch, and the product's side of its channel.
struct Line {
    chip: Chip,
    scp: Scp,
    session: Option<Secured>,
}

/// Why no session opened: the status word of the command that was refused.
type Refused = u16;

impl Line {
    fn of(scp: &str) -> Self {
        Self::blank("lateid-v2", Some(scp))
    }

    /// Takes a blank of a product, of a batch that speaks something else than usual.
    fn blank(product: &str, scp: Option<&str>) -> Self {
        let product = Product::find(product).unwrap();
        let scp = scp.map_or(product.scp, |scp| scp.parse().unwrap());
        let number = ChipNumber::new([0x12, 0x34], [1, 2, 3, 4]);
        let keys = TransportMasterKey::new(MASTER);
        let chip = Chip::blank_speaking(scp, product, number, &keys, Memory).unwrap();
        Self {
            chip,
            scp,
            session: None,
        }
    }

    /// Sends a command, gathering 61xx.
    fn send(&mut self, command: &[u8]) -> Response {
        let mut gathered = Vec::new();
        let mut next = command.to_vec();
        loop {
            let response = Response::parse(&self.chip.process(&next)).unwrap();
            gathered.extend(response.data());
            match response.status().value().to_be_bytes() {
                [0x61, more] => next = vec![0x00, 0xC0, 0x00, 0x00, more],
                _ => return Response::new(gathered, response.status()),
            }
        }
    }

    #[track_caller]
    fn expect(&mut self, hex: &str, status: u16) -> Vec<u8> {
        let response = self.send(&unhex(hex));
        assert_eq!(
            format!("{:04X}", response.status().value()),
            format!("{status:04X}"),
            "{hex}"
        );
        response.data().to_vec()
    }

    fn transport(&self) -> StaticKeys {
        let how = match self.scp.is_scp02() {
            true => Diversification::EmvCps11,
            false => Diversification::Kdf3,
        };
        let master = Key::new(&MASTER).unwrap();
        how.keys(&master, self.chip.serial().as_bytes()).unwrap()
    }

    fn host(&self) -> HostChallenge {
        HostChallenge::try_from(&[0x5C; 16][..self.scp.length()]).unwrap()
    }

    /// INITIALIZE UPDATE with the default key set.
    fn update(&mut self) -> Result<InitializeUpdate, Refused> {
        self.session = None;
        let command = gp::initialize_update(0, &self.host());
        let response = self.send(&command.encode().unwrap());
        if !response.status().is_ok() {
            return Err(response.status().value());
        }
        let [protocol, i] = self.scp.bytes();
        let update = InitializeUpdate::parse(response.data())
            .unwrap()
            .with_i(i)
            .unwrap();
        assert_eq!(update.options(), ChannelOptions::new(protocol, i).unwrap());
        Ok(update)
    }

    /// Opens a session; its host may be a wrong one.
    fn try_open(&mut self, keys: &StaticKeys, level: u8, genuine: bool) -> Result<(), Refused> {
        let update = self.update()?;
        let session = update.session_keys(keys, &self.host()).unwrap();
        let handshake =
            Handshake::new(session, self.host(), &update).expect("the chip proves itself");
        let level = SecurityLevel::new(level).unwrap();
        let (command, opening) = handshake.external_authenticate(level).unwrap();
        let mut bytes = command.encode().unwrap().to_vec();
        if !genuine {
            bytes[7] ^= 1;
        }
        let response = self.send(&bytes);
        if !response.status().is_ok() {
            return Err(response.status().value());
        }
        self.session = Some(opening.complete(&response).unwrap());
        Ok(())
    }

    /// PUT KEY for the session that opens next with the transport keys.
    fn put_key(&mut self, new: &StaticKeys) -> gp::PutKey {
        let old = self.transport();
        if self.scp.is_scp02() {
            let update = self.update().unwrap();
            let session = update.session_keys(&old, &self.host()).unwrap();
            let dek = session.dek.unwrap();
            gp::put_key_set(Dek::Scp02Session(&dek), 0, 0x01, NewKeyType::Des, new).unwrap()
        } else {
            gp::put_key_set(Dek::Scp03Static(&old.dek), 0, 0x01, NewKeyType::Aes, new).unwrap()
        }
    }

    fn open(&mut self, level: u8) {
        let keys = self.transport();
        self.try_open(&keys, level, true).unwrap();
    }

    /// Sends a command through the session; a false R-MAC would end the test.
    #[track_caller]
    fn secure(&mut self, hex: &str, status: u16) -> Vec<u8> {
        let plain = Command::parse(&unhex(hex)).unwrap();
        self.secure_command(&plain, status)
    }

    #[track_caller]
    fn secure_command(&mut self, plain: &Command, status: u16) -> Vec<u8> {
        let session = self.session.as_mut().expect("a session");
        let wrapped = session.wrap(plain).unwrap().encode().unwrap();
        let response = self.send(&wrapped);
        let session = self.session.as_mut().expect("a session");
        let opened = session.unwrap(response).expect("the answer is the chip's");
        assert_eq!(
            format!("{:04X}", opened.status().value()),
            format!("{status:04X}"),
            "{plain:?}"
        );
        opened.data().to_vec()
    }
}

#[test]
fn every_level_of_every_protocol_opens_and_carries() {
    for (scp, levels) in [
        ("02:05", &[0x01, 0x03][..]),
        ("02:15", &[0x01, 0x03]),
        ("02:55", &[0x01, 0x03]),
        ("02:35", &[0x01, 0x03, 0x11, 0x13]),
        ("02:75", &[0x01, 0x03, 0x11, 0x13]),
        ("03:00", &[0x01, 0x03]),
        ("03:60", &[0x01, 0x03, 0x11, 0x13, 0x33]),
        ("03:71", &[0x01, 0x03, 0x11, 0x13, 0x33]),
        ("03:61", &[0x01, 0x03, 0x11, 0x13, 0x33]),
        ("03:31", &[0x01, 0x03, 0x11, 0x13]),
    ] {
        for level in levels {
            let mut line = Line::of(scp);
            line.expect(EID, 0x9000);
            line.open(*level);
            // A file is made, written and read; an error on the way, which comes bare.
            line.secure("00E000000D620B800200C88201018302D003", 0x9000);
            line.secure("00A4020C02D00F", 0x6A82);
            line.secure("00D60000045A5A5A5A", 0x9000);
            // Under R-MAC the host asks for more, so that the MAC has room.
            let read = line.secure("00B0000004", 0x9000);
            assert_eq!(read[..4], [0x5A; 4], "{scp} {level:02X}");
            // A warning is protected like 9000.
            assert_eq!(
                line.secure("00B000C020", 0x6282).len(),
                8,
                "{scp} {level:02X}"
            );
            assert_eq!(
                line.secure("00B0000200", 0x9000)[..2],
                [0x5A; 2],
                "{scp} {level:02X}"
            );
            line.expect("00B0000000", 0x6982);
        }
    }
}

#[test]
fn the_older_java_cards_speak_scp02_and_the_younger_scp03() {
    for (product, scp) in [
        ("isoapplet-v0", Scp::SCP02_I15),
        ("isoapplet-v1", Scp::SCP03_I70),
        ("piv", Scp::SCP03_I70),
    ] {
        let mut line = Line::blank(product, None);
        assert_eq!(line.scp, scp, "{product}");
        line.expect(ISD, 0x9000);
        line.open(0x03);
        line.secure(GET_STATUS, 0x9000);
        // What a state file keeps is spoken after it is opened again.
        let image = line.chip.snapshot().unwrap();
        line.chip = Chip::restore(&image).unwrap();
        line.expect(ISD, 0x9000);
        line.open(0x03);
        line.secure(GET_STATUS, 0x9000);
    }
}

#[test]
fn a_level_that_the_parameter_lacks_is_refused() {
    for (scp, levels) in [
        ("02:15", &[0x00, 0x11, 0x13, 0x33][..]),
        ("02:35", &[0x33]),
        ("03:10", &[0x11, 0x33]),
        ("03:30", &[0x33]),
    ] {
        for level in levels {
            let mut line = Line::of(scp);
            line.expect(ISD, 0x9000);
            line.update().unwrap();
            line.expect(&format!("8482{level:02X}0010{}", "00".repeat(16)), 0x6A86);
        }
    }
}

#[test]
fn a_chip_tells_what_it_speaks() {
    for (scp, kind) in [
        ("02:15", "80"),
        ("02:55", "80"),
        ("03:71", "88"),
        ("03:60", "88"),
    ] {
        let mut line = Line::of(scp);
        line.expect(ISD, 0x9000);
        let [protocol, i] = line.scp.bytes();
        let recognition = line.expect("80CA006600", 0x9000);
        let told = unhex(&format!("640B06092A864886FC6B04{protocol:02X}{i:02X}"));
        assert!(
            recognition.windows(told.len()).any(|window| window == told),
            "{scp}"
        );
        let keys = line.expect("00CA00E000", 0x9000);
        assert_eq!(keys[2..8], unhex(&format!("C00401FF{kind}10")), "{scp}");
    }
}

#[test]
fn scp02s_counter_rises_with_a_session_and_not_before() {
    for (scp, repeats) in [("02:15", false), ("02:55", true)] {
        let mut line = Line::of(scp);
        line.expect(ISD, 0x9000);
        let first = line.update().unwrap();
        let again = line.update().unwrap();
        assert_eq!(first.sequence_counter(), Some(&[0, 0][..]));
        assert_eq!(first.sequence_counter(), again.sequence_counter());
        // A pseudo-random challenge follows from the counter and stays with it.
        assert_eq!(
            first.card_challenge() == again.card_challenge(),
            repeats,
            "{scp}"
        );
        let keys = line.transport();
        let aid = unhex("A000000151000000");
        assert_eq!(again.verify_pseudo_random(&keys, &aid), Ok(()), "{scp}");
        assert_eq!(line.try_open(&keys, 0x01, false), Err(0x6300));
        assert_eq!(line.expect("80CA00C100", 0x9000), unhex("C1020000"));
        line.open(0x01);
        line.chip.reset();
        assert_eq!(line.expect("80CA00C100", 0x9000), unhex("C1020001"));
        let next = line.update().unwrap();
        assert_eq!(next.sequence_counter(), Some(&[0, 1][..]));
    }
}

#[test]
fn a_random_challenge_has_no_counter() {
    let mut line = Line::of("03:60");
    line.expect(ISD, 0x9000);
    let answer = line.expect("80500000085C5C5C5C5C5C5C5C00", 0x9000);
    assert_eq!(
        (answer.len(), &answer[10..13]),
        (29, &[0xFF, 0x03, 0x60][..])
    );
    let first = line.update().unwrap();
    assert_ne!(
        first.card_challenge(),
        line.update().unwrap().card_challenge()
    );
}

#[test]
fn challenges_have_the_length_of_their_mode() {
    let eight = "80500000085C5C5C5C5C5C5C5C00";
    let sixteen = "80500000105C5C5C5C5C5C5C5C5C5C5C5C5C5C5C5C00";
    for (scp, taken, refused, length) in [
        ("02:15", eight, sixteen, 28),
        ("03:70", eight, sixteen, 32),
        ("03:71", sixteen, eight, 48),
        ("03:61", sixteen, eight, 45),
    ] {
        let mut line = Line::of(scp);
        line.expect(ISD, 0x9000);
        assert_eq!(line.expect(taken, 0x9000).len(), length, "{scp}");
        line.expect(refused, 0x6700);
    }
}

#[test]
fn keys_are_replaced_under_every_protocol() {
    let key = |byte| Key::new(&[byte; 16]).unwrap();
    let new = StaticKeys {
        enc: key(0xE1),
        mac: key(0xA2),
        dek: key(0xD3),
    };
    for scp in ["02:15", "02:55", "02:75", "03:71", "03:60"] {
        let mut line = Line::of(scp);
        line.expect(ISD, 0x9000);
        // SCP03's key encryption key is static: PUT KEY wants an encrypted session besides.
        let put = line.put_key(&new);
        line.open(0x01);
        if line.scp.is_scp02() {
            line.secure_command(&flipped(&put.command, 4), 0x6A80);
            line.secure_command(&flipped(&put.command, 20), 0x6A80);
            line.chip.reset();
            line.expect(ISD, 0x9000);
            line.open(0x03);
            // The session's key is another one in each session.
            line.secure_command(&put.command, 0x6A80);
        } else {
            line.secure_command(&put.command, 0x6982);
        }
        line.chip.reset();
        line.expect(ISD, 0x9000);
        let put = line.put_key(&new);
        line.open(if line.scp.is_scp02() { 0x01 } else { 0x03 });
        let answer = line.secure_command(&put.command, 0x9000);
        put.verify_response(&answer).unwrap();
        // The session goes on; the maker's set is gone, and the new one counts from the start.
        line.secure(GET_STATUS, 0x9000);
        line.expect(ISD, 0x9000);
        let challenge = "5C".repeat(line.scp.length());
        let length = line.scp.length();
        line.expect(&format!("8050FF00{length:02X}{challenge}00"), 0x6A88);
        if let Some(counter) = line.update().unwrap().sequence_counter() {
            let first = u8::from(!line.scp.is_scp02());
            assert_eq!(counter.last(), Some(&first), "{scp}");
        }
        line.try_open(&new, 0x03, true).unwrap();
        line.secure(GET_STATUS, 0x9000);
    }
}

/// Returns a command with another bit in its data.
fn flipped(command: &Command, at: usize) -> Command {
    let mut data = command.data().to_vec();
    data[at] ^= 0x10;
    Command::from_header(command.header()).with_data(data)
}

#[test]
fn a_key_of_the_other_cipher_is_refused() {
    for scp in ["02:15", "03:71"] {
        let mut line = Line::of(scp);
        line.expect(ISD, 0x9000);
        line.open(0x03);
        let other = match line.scp.is_scp02() {
            true => format!(
                "80D800814601{}00",
                format!("881110{}03{}", "00".repeat(16), "000000").repeat(3)
            ),
            false => format!(
                "80D800814301{}00",
                format!("8010{}03{}", "00".repeat(16), "000000").repeat(3)
            ),
        };
        line.secure(&other, 0x6A80);
        line.secure(GET_STATUS, 0x9000);
    }
}

#[test]
fn ten_wrong_hosts_lock_scp02_for_good() {
    let mut line = Line::of("02:15");
    line.expect(ISD, 0x9000);
    let keys = line.transport();
    for _ in 0..9 {
        assert_eq!(line.try_open(&keys, 0x01, false), Err(0x6300));
    }
    line.open(0x01);
    line.chip.reset();
    for _ in 0..10 {
        assert_eq!(line.try_open(&keys, 0x01, false), Err(0x6300));
    }
    line.chip.reset();
    assert_eq!(line.try_open(&keys, 0x01, true), Err(0x6983));
}

#[test]
fn whatever_breaks_an_scp02_session_ends_it() {
    for breaker in [
        "80F28002024F0000",
        "84F280020A4F00112233445566778800",
        "84F2800200",
    ] {
        let mut line = Line::of("02:15");
        line.expect(ISD, 0x9000);
        line.open(0x03);
        line.secure(GET_STATUS, 0x9000);
        let clear = breaker.starts_with("80");
        line.expect(breaker, if clear { 0x6982 } else { 0x6988 });
        line.secure(GET_STATUS, 0x6982);
    }
    // A command once sent is not taken again.
    let mut line = Line::of("02:15");
    line.expect(ISD, 0x9000);
    line.open(0x01);
    let plain = Command::parse(&unhex(GET_STATUS)).unwrap();
    let wrapped = line
        .session
        .as_mut()
        .unwrap()
        .wrap(&plain)
        .unwrap()
        .encode()
        .unwrap();
    assert_eq!(line.send(&wrapped).status().value(), 0x9000);
    assert_eq!(line.send(&wrapped).status().value(), 0x6988);
}
