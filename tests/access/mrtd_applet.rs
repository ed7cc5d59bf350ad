//! A border's way through a chip that somebody else wrote: basic access control, files, active
//! authentication.

use card::tlv::{self, Tag};
use card::{Channel, Command, Limits, Response};
use openssl::rsa::Rsa;
use vcard::{Chip, ChipNumber, InProcess, Memory, Product, TransportMasterKey};

use crate::{
    ActiveAuthentication, ActiveAuthenticationError, ActiveAuthenticationKey, BasicAccess,
    BasicAccessError, FileError, FileName, LDS1, MrzInformation, Secured, SecuredError,
    SystemRandom, converse, read_file, select_application, session_fault,
};

const NUMBER: &str = "XA0000001";
const BIRTH: &str = "900302";
const EXPIRY: &str = "360301";

fn send(channel: &mut dyn Channel, command: &Command) {
    let bytes = command.encode().unwrap();
    let answer = Response::parse(&channel.transmit(&bytes).unwrap()).unwrap();
    assert!(answer.status().is_ok(), "{command:?}: {answer:?}");
}

fn limits(extended: bool) -> Limits {
    Limits {
        extended,
        response: if extended { 65_536 } else { 256 },
        ..Limits::default()
    }
}

/// Returns a chip with a document on it, and its files.
fn issued(pair: &Rsa<openssl::pkey::Private>) -> (InProcess, Vec<(u16, Vec<u8>)>) {
    let product = Product::find("mrtd-applet").unwrap();
    let number = ChipNumber::new([0, 1], [0, 0, 0, 7]);
    let key = TransportMasterKey::new([0x55; 16]);
    let mut channel = InProcess::new(Chip::blank(product, number, &key, Memory).unwrap());
    select_application(&mut channel, &limits(true), &LDS1).unwrap();
    let text = |value: &str| tlv::encode(Tag::known::<0x04>(), value.as_bytes());
    let access = tlv::encode(
        Tag::known::<0x62>(),
        &[text(NUMBER), text(BIRTH), text(EXPIRY)].concat(),
    );
    send(
        &mut channel,
        &Command::new(0, 0xDA, 0, 0x62).with_data(access),
    );
    for (p2, number) in [(0x60, pair.n()), (0x61, pair.d())] {
        let number = tlv::encode(Tag::known::<0x04>(), &number.to_vec());
        let data = [&[p2, 0], &number[..]].concat();
        send(&mut channel, &Command::new(0, 0xDA, 0, p2).with_data(data));
    }
    let spki = pair.public_key_to_der().unwrap();
    let face: Vec<u8> = (0..40_000u32).map(|at| (at % 241) as u8).collect();
    let files = vec![
        (0x0101, tlv::encode(Tag::known::<0x61>(), &[0x5F; 93])),
        (0x0102, tlv::encode(Tag::known::<0x75>(), &face)),
        (0x010F, tlv::encode(Tag::known::<0x6F>(), &spki)),
        (
            0x011E,
            hex::decode("60145F0104303130365F36063034303030305C026175").unwrap(),
        ),
    ];
    for (id, content) in &files {
        let [id, size] = [*id, content.len() as u16].map(u16::to_be_bytes);
        let data = [&[0x63, 4], &size[..], &id].concat();
        send(&mut channel, &Command::new(0, 0xE0, 0, 0).with_data(data));
        send(&mut channel, &Command::new(0, 0xA4, 2, 0x0C).with_data(id));
        for (place, piece) in content.chunks(240).enumerate() {
            let [.., high, low] = (place * 240).to_be_bytes();
            let command = if high < 0x80 {
                Command::new(0, 0xD6, high, low).with_data(piece)
            } else {
                let data = tlv::encode(Tag::known::<0x53>(), piece);
                Command::new(0, 0xD7, 0, 0).with_data([&[0x54, 2, high, low], &data[..]].concat())
            };
            send(&mut channel, &command);
        }
    }
    send(&mut channel, &Command::new(0, 0xDA, 0xDE, 0xAD));
    channel.reset().unwrap();
    (channel, files)
}

fn open(
    mut channel: InProcess,
    number: &str,
    limits: Limits,
) -> Result<Secured<InProcess>, BasicAccessError> {
    select_application(&mut channel, &limits, &LDS1).unwrap();
    let information = MrzInformation::of_fields(number, BIRTH, EXPIRY).unwrap();
    let start = BasicAccess::start(&information, &mut SystemRandom)?;
    let messaging = converse(&mut channel, &limits, start)?;
    Ok(Secured::new(channel, messaging, limits))
}

#[test]
fn a_document_is_read_and_proves_itself() {
    let pair = Rsa::generate(1024).unwrap();
    for extended in [false, true] {
        let (channel, files) = issued(&pair);
        let mut session = open(channel, NUMBER, limits(extended)).unwrap();
        let inside = session.limits();
        for (id, content) in &files {
            let [_, short] = id.to_be_bytes();
            for name in [FileName::Short(short), FileName::Identifier(*id)] {
                let read = read_file(&mut session, &inside, name, 50_000).unwrap();
                assert_eq!(*read, *content, "{name}");
            }
        }
        let missing = read_file(&mut session, &inside, FileName::Short(0x0B), 50_000);
        assert!(matches!(missing, Err(FileError::NotFound(_))));
        let guarded = read_file(&mut session, &inside, FileName::Short(0x03), 50_000);
        assert!(matches!(guarded, Err(FileError::NotAllowed(_))));

        let key = ActiveAuthenticationKey::from_spki_der(&files[2].1[3..]).unwrap();
        let start = ActiveAuthentication::start(&key, None, &mut SystemRandom).unwrap();
        converse(&mut session, &inside, start).unwrap();
        let other = Rsa::generate(1024).unwrap().public_key_to_der().unwrap();
        let other = ActiveAuthenticationKey::from_spki_der(&other).unwrap();
        let start = ActiveAuthentication::start(&other, None, &mut SystemRandom).unwrap();
        let error = converse(&mut session, &inside, start).unwrap_err();
        assert!(matches!(error, ActiveAuthenticationError::NotProved));
    }
}

#[test]
fn another_document_s_machine_readable_zone_opens_nothing() {
    let pair = Rsa::generate(1024).unwrap();
    let error = open(issued(&pair).0, "XA0000002", limits(false)).unwrap_err();
    assert!(matches!(error, BasicAccessError::Refused(_)));
}

/// Changes one answer on its way.
struct Between {
    channel: InProcess,
    left: usize,
}

impl Channel for Between {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, card::ChannelError> {
        let mut answer = self.channel.transmit(command)?;
        self.left = self.left.wrapping_sub(1);
        if self.left == 0 {
            answer[3] ^= 1;
        }
        Ok(answer)
    }

    fn atr(&self) -> &[u8] {
        self.channel.atr()
    }

    fn reset(&mut self) -> Result<Vec<u8>, card::ChannelError> {
        self.channel.reset()
    }
}

#[test]
fn a_change_on_the_way_ends_the_session() {
    let pair = Rsa::generate(1024).unwrap();
    let (channel, _) = issued(&pair);
    let mut channel = Between { channel, left: 5 };
    let limits = limits(false);
    select_application(&mut channel, &limits, &LDS1).unwrap();
    let information = MrzInformation::of_fields(NUMBER, BIRTH, EXPIRY).unwrap();
    let start = BasicAccess::start(&information, &mut SystemRandom).unwrap();
    let messaging = converse(&mut channel, &limits, start).unwrap();
    let mut session = Secured::new(channel, messaging, limits);
    let inside = session.limits();
    let error = read_file(&mut session, &inside, FileName::Short(2), 50_000).unwrap_err();
    let FileError::Exchange(error) = error else {
        panic!("{error}");
    };
    assert!(session_fault(&error).is_some(), "{error}");
    assert!(session.messaging().is_terminated());
    let command = Command::new(0, 0xB0, 0, 0).with_le(4);
    assert!(matches!(
        session.exchange(&command),
        Err(SecuredError::Session(_))
    ));
}
