//! An issuer, and the documents that it writes onto a modern chip that somebody else wrote with
//! openssl.

use card::gp::{self, Diversification, Handshake, HostChallenge, InitializeUpdate, SecurityLevel};
use card::tlv::{self, Tag};
use card::{Channel, Command, Limits, Response, exchange};
use cert::cvc::CvCertificate;
use der::asn1::ObjectIdentifier;
use vcard::{Chip, ChipNumber, InProcess, Memory, Product, TransportMasterKey};

use crate::security_infos::{
    ActiveAuthenticationInfo, ChipAuthenticationInfo, ChipAuthenticationProtocol,
    ChipAuthenticationPublicKeyInfo, KeyAgreement, PaceInfo, PaceProtocol,
    TerminalAuthenticationInfo,
};
use crate::{
    AgreementKey, Cipher, DomainParameters, FileName, LDS1, MrzInformation, Pace, PaceChoice,
    PaceError, PaceOutcome, Password, SecurityInfo, SecurityInfos, SystemRandom, converse,
    read_file, select_master_file,
};

const MAKER: [u8; 16] = [0x55; 16];
pub(crate) const NUMBER: &str = "XA0000001";
const BIRTH: &str = "900302";
const EXPIRY: &str = "360301";
pub(crate) const CAN: &str = "500540";

/// How one PACE is offered: last arcs of the protocol and number of the group.
pub(crate) type Offer = (u8, u8, u8);

pub(crate) fn mrz(number: &str) -> MrzInformation {
    MrzInformation::of_fields(number, BIRTH, EXPIRY).unwrap()
}

fn limits(product: &str) -> Limits {
    match product {
        "icao-lds-short" => Limits::default(),
        _ => Limits {
            command: 4096,
            extended: true,
            response: 65_536,
            ..Limits::default()
        },
    }
}

/// The issuer, in front of a blank.
struct Issuer {
    channel: InProcess,
    secured: gp::Secured,
    limits: Limits,
}

impl Issuer {
    fn new(product: &str) -> Self {
        let number = ChipNumber::new([0, 1], [0, 0, 0, 7]);
        let key = TransportMasterKey::new(MAKER);
        let chip = Chip::blank(Product::find(product).unwrap(), number, &key, Memory);
        let mut channel = InProcess::new(chip.unwrap());
        channel.reset().unwrap();
        let limits = limits(product);
        let host = HostChallenge::from([9; 8]);
        let response = exchange(&mut channel, &gp::initialize_update(0, &host), &limits).unwrap();
        let update = InitializeUpdate::parse(response.data()).unwrap();
        let host = match update.options().mode() {
            gp::ChannelMode::Scp03S16 => panic!("another mode"),
            _ => host,
        };
        let master = gp::Key::new(&MAKER).unwrap();
        let keys = Diversification::Kdf3
            .keys(&master, update.diversification())
            .unwrap();
        let session = update.session_keys(&keys, &host).unwrap();
        let handshake = Handshake::new(session, host, &update).unwrap();
        let (command, opening) = handshake
            .external_authenticate(SecurityLevel::ENC_MAC)
            .unwrap();
        let response = exchange(&mut channel, &command, &limits).unwrap();
        let secured = opening.complete(&response).unwrap();
        Self {
            channel,
            secured,
            limits,
        }
    }

    #[track_caller]
    fn send(&mut self, header: u32, data: &[u8]) -> Response {
        let command = Command::from_header(header.to_be_bytes()).with_data(data);
        let command = match header >> 16 {
            0x47 => command.with_le(if self.limits.extended { 65_536 } else { 256 }),
            _ => command,
        };
        let wrapped = self.secured.wrap(&command).unwrap();
        let response = exchange(&mut self.channel, &wrapped, &self.limits).unwrap();
        let response = self.secured.unwrap(response).unwrap();
        assert!(response.status().is_ok(), "{header:08X}: {response:?}");
        response
    }

    fn file(&mut self, id: u16, condition: u8, content: &[u8]) {
        let [high, low] = id.to_be_bytes();
        let [.., s1, s2, s3] = content.len().to_be_bytes();
        let control = [
            0x62, 0x10, 0x80, 3, s1, s2, s3, 0x82, 1, 1, 0x83, 2, high, low, 0x8C, 2, 1, condition,
        ];
        self.send(0x00E0_0000, &control);
        for (place, piece) in content.chunks(200).enumerate() {
            let offset = place * 200;
            if offset < 0x8000 {
                self.send(0x00D6_0000 | offset as u32, piece);
            } else {
                let [.., high, low] = offset.to_be_bytes();
                let data = tlv::encode(Tag::known::<0x53>(), piece);
                self.send(0x00D7_0000, &[&[0x54, 2, high, low], &data[..]].concat());
            }
        }
    }

    /// Has a key generated: its point, or modulus and exponent.
    fn key(&mut self, reference: u8, kind: u8, purpose: u8, more: &[u8]) -> Vec<Vec<u8>> {
        let data = [&[0x80, 1, kind, 0x84, 1, reference, 0x95, 1, purpose], more].concat();
        let response = self.send(0x0047_8000, &tlv::encode(Tag::known::<0xAC>(), &data));
        let outer = tlv::parse(response.data()).unwrap().0;
        let parts = tlv::parse_all(outer.value).unwrap();
        parts.iter().map(|part| part.value.to_vec()).collect()
    }
}

/// What was issued.
pub(crate) struct Issued {
    pub(crate) channel: InProcess,
    pub(crate) limits: Limits,
    pub(crate) face: Vec<u8>,
}

fn pace_infos(offers: &[Offer]) -> SecurityInfos {
    SecurityInfos::new(offers.iter().map(|&(mapping, cipher, parameter)| {
        let oid = ObjectIdentifier::new(&format!("0.4.0.127.0.7.2.2.4.{mapping}.{cipher}"));
        SecurityInfo::Pace(PaceInfo {
            protocol: PaceProtocol::from_oid(oid.unwrap()).unwrap(),
            version: 2,
            parameter_id: Some(parameter.into()),
        })
    }))
}

pub(crate) fn key_info(group: u8, point: &[u8], id: u64) -> SecurityInfo {
    let group = DomainParameters::from_id(group.into()).unwrap();
    let key = AgreementKey::new(group, point).unwrap();
    let info = ChipAuthenticationPublicKeyInfo::of_key(&key, Some(id)).unwrap();
    SecurityInfo::ChipAuthenticationPublicKey(info)
}

fn chip_authentication(cipher: Cipher, version: u64) -> SecurityInfo {
    SecurityInfo::ChipAuthentication(ChipAuthenticationInfo {
        protocol: ChipAuthenticationProtocol {
            agreement: KeyAgreement::Ecdh,
            cipher,
        },
        version,
        key_id: Some(2),
    })
}

fn terminal_authentication(version: u64) -> SecurityInfo {
    SecurityInfo::TerminalAuthentication(TerminalAuthenticationInfo {
        version,
        ef_cvca: None,
    })
}

/// DG3 of a chip with fingerprints.
pub(crate) fn fingerprints() -> Vec<u8> {
    let image: Vec<u8> = (0..3_000u32).map(|at| (at % 239) as u8).collect();
    tlv::encode(Tag::known::<0x63>(), &image)
}

/// Issues a chip: PACE as offered, chip authentication on brainpoolP384r1 with every cipher, active
/// authentication with P-256, or RSA-2048 where there is room.
pub(crate) fn issue(product: &str, offers: &[Offer]) -> Issued {
    write(product, offers, None)
}

/// Issues a chip with fingerprints besides, for those whom this CVCA lets read them. Both versions
/// of chip and terminal authentication are offered, the second in EF.CardSecurity.
pub(crate) fn issue_guarded(offers: &[Offer], trusted: &CvCertificate) -> Issued {
    write("icao-lds", offers, Some(trusted))
}

fn write(product: &str, offers: &[Offer], trusted: Option<&CvCertificate>) -> Issued {
    let mut issuer = Issuer::new(product);
    let text = |value: &str| tlv::encode(Tag::known::<0x04>(), value.as_bytes());
    let zone = [text(NUMBER), text(BIRTH), text(EXPIRY)].concat();
    issuer.send(0x00DA_0101, &tlv::encode(Tag::known::<0x62>(), &zone));
    issuer.send(0x00DA_0102, CAN.as_bytes());
    issuer.send(0x00DA_0110, &[1]);
    let infos = pace_infos(offers);
    let mut ways = Vec::new();
    for (info, offer) in infos.pace().zip(offers) {
        let oid = info.protocol.oid().unwrap();
        let way = [&[0x80, 0x0A], oid.as_bytes(), &[0x84, 1, offer.2]].concat();
        ways.extend(tlv::encode(Tag::known::<0xE0>(), &way));
    }
    issuer.send(0x00DA_0111, &ways);

    issuer.send(0x00A4_000C, &[0x3F, 0x00]);
    issuer.file(0x011C, 0x00, &infos.to_der().unwrap());
    let mapped: Vec<_> = offers.iter().filter(|offer| offer.0 == 6).collect();
    let mapped: Vec<_> = mapped
        .iter()
        .zip(0x10..)
        .map(|(offer, id)| {
            let point = issuer.key(id, offer.2, 4, &[]).remove(0);
            key_info(offer.2, &point, offer.2.into())
        })
        .collect();
    let point = issuer.key(2, 16, 2, &[0x8B, 1, 0x0F]).remove(0);
    let mut security = mapped;
    if trusted.is_some() {
        security.push(key_info(16, &point, 2));
        security.push(chip_authentication(Cipher::Aes256, 2));
        security.push(terminal_authentication(2));
    }
    if !security.is_empty() {
        let security = SecurityInfos::new(security);
        issuer.file(0x011D, 0x42, &security.to_der().unwrap());
    }

    issuer.send(0x00A4_040C, &LDS1);
    let mut dg14 = vec![
        key_info(16, &point, 2),
        SecurityInfo::ActiveAuthentication(ActiveAuthenticationInfo {
            version: 1,
            signature_algorithm: ObjectIdentifier::new_unwrap("0.4.0.127.0.7.1.1.4.1.3"),
        }),
    ];
    let ciphers = [
        Cipher::TripleDes,
        Cipher::Aes128,
        Cipher::Aes192,
        Cipher::Aes256,
    ];
    dg14.extend(ciphers.map(|cipher| chip_authentication(cipher, 1)));
    dg14.extend(infos.iter().cloned());
    if let Some(trusted) = trusted {
        dg14.push(terminal_authentication(1));
        issuer.send(0x00DA_0120, trusted.as_der());
        issuer.file(0x0103, 0xE1, &fingerprints());
    }
    let spki = if issuer.limits.extended && trusted.is_none() {
        let numbers = issuer.key(1, 0x40, 1, &[]);
        let [n, e] = [0, 1].map(|at| openssl::bn::BigNum::from_slice(&numbers[at]).unwrap());
        openssl::rsa::Rsa::from_public_components(n, e)
            .unwrap()
            .public_key_to_der()
            .unwrap()
    } else {
        let point = issuer.key(1, 12, 1, &[]).remove(0);
        AgreementKey::new(DomainParameters::P256, &point)
            .unwrap()
            .to_spki_der()
            .unwrap()
    };
    let face: Vec<u8> = (0..34_000u32).map(|at| (at % 241) as u8).collect();
    let face = tlv::encode(Tag::known::<0x75>(), &face);
    let dg14 = SecurityInfos::new(dg14).to_der().unwrap();
    issuer.file(
        0x0101,
        0x41,
        &tlv::encode(Tag::known::<0x61>(), &[0x5F; 93]),
    );
    issuer.file(0x0102, 0x41, &face);
    issuer.file(0x010E, 0x41, &tlv::encode(Tag::known::<0x6E>(), &dg14));
    issuer.file(0x010F, 0x41, &tlv::encode(Tag::known::<0x6F>(), &spki));
    issuer.file(0x011D, 0x41, &[0x77, 0x02, 0x30, 0x00]);
    issuer.file(0x011E, 0x41, &[0x60, 0x00]);
    issuer.send(0x80F0_400F, &LDS1);
    let Issuer {
        mut channel,
        limits,
        ..
    } = issuer;
    channel.reset().unwrap();
    Issued {
        channel,
        limits,
        face,
    }
}

pub(crate) fn content(file: &[u8]) -> &[u8] {
    tlv::parse(file).unwrap().0.value
}

impl Issued {
    pub(crate) fn card_access(&mut self) -> SecurityInfos {
        self.channel.reset().unwrap();
        select_master_file(&mut self.channel, &self.limits).unwrap();
        let file = read_file(&mut self.channel, &self.limits, FileName::Short(0x1C), 4096);
        SecurityInfos::parse(&file.unwrap()).unwrap()
    }

    /// Opens the chip; `chat` is what a terminal says beforehand that it will prove.
    pub(crate) fn pace_as(
        &mut self,
        choice: &PaceChoice,
        password: &Password,
        chat: Option<&[u8]>,
    ) -> Result<PaceOutcome, PaceError> {
        let start = Pace::start(choice, password, chat, &mut SystemRandom)?;
        converse(&mut self.channel, &self.limits, start)
    }

    pub(crate) fn pace(
        &mut self,
        choice: &PaceChoice,
        password: &Password,
    ) -> Result<PaceOutcome, PaceError> {
        self.pace_as(choice, password, None)
    }
}
