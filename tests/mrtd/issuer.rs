//! Virtual chips, written by plain commands: a modern one through the issuer's channel, and an older
//! one that has basic access control only.

use access::security_infos::{
    ActiveAuthenticationInfo, ChipAuthenticationInfo, ChipAuthenticationProtocol,
    ChipAuthenticationPublicKeyInfo, KeyAgreement, PaceInfo, PaceProtocol,
    TerminalAuthenticationInfo,
};
use access::{AgreementKey, Cipher, DomainParameters, SecurityInfo, SecurityInfos};
use card::gp::{self, Diversification, Handshake, HostChallenge, InitializeUpdate, SecurityLevel};
use card::tlv::{self, Tag};
use card::{Channel, Command, Limits, Response, exchange};
use cert::cvc::CvCertificate;
use der::asn1::ObjectIdentifier;
use openssl::rsa::Rsa;
use vcard::{Chip, ChipNumber, InProcess, Memory, Product, TransportMasterKey};

use super::super::testing::{State, card_security, dg1, dg2, dg3, seal, zone};
use crate::lds::{Application, File, Group, LDS_APPLICATION, Lds};

const MAKER: [u8; 16] = [0x55; 16];
pub(super) const NUMBER: &str = "XA0000001";
pub(super) const BIRTH: &str = "900302";
pub(super) const EXPIRY: &str = "360301";
pub(super) const CAN: &str = "500540";

/// P-256, brainpoolP256r1 and brainpoolP384r1 (*ICAO 9303-11 §9.5.1*).
const P256: u8 = 12;
const BRAINPOOL_256: u8 = 13;
const BRAINPOOL_384: u8 = 16;

/// What the chip is to be.
#[derive(Clone, Copy, Default)]
pub(super) struct Make<'a> {
    /// Chip authentication mapping, beside generic mapping.
    pub(super) mapping: bool,
    /// No chip authentication beside the mapping.
    pub(super) is_only_mapped: bool,
    /// Fingerprints, guarded: the authority whom the chip trusts.
    pub(super) trusts: Option<&'a CvCertificate>,
    /// EF.CardAccess says more than DG14.
    pub(super) boasts: bool,
    /// DG14 and DG15 name keys that the chip does not have.
    pub(super) is_copy: bool,
    /// DG15 alone does.
    pub(super) is_half_a_copy: bool,
    /// EF.DIR is there.
    pub(super) directory: bool,
    /// Files that the chip holds in place of those that were signed.
    pub(super) instead: &'a [(File, &'a [u8])],
}

/// What was made.
pub(super) struct Made {
    pub(super) channel: InProcess,
    pub(super) limits: Limits,
    /// The files as they were to be.
    pub(super) lds: Lds,
}

struct Issuer {
    channel: InProcess,
    secured: gp::Secured,
    limits: Limits,
}

impl Issuer {
    fn new() -> Self {
        let number = ChipNumber::new([0, 1], [0, 0, 0, 7]);
        let key = TransportMasterKey::new(MAKER);
        let chip = Chip::blank(Product::find("icao-lds").unwrap(), number, &key, Memory);
        let mut channel = InProcess::new(chip.unwrap());
        channel.reset().unwrap();
        let limits = Limits {
            extended: true,
            command: 4000,
            response: 65_536,
            ..Limits::default()
        };
        let host = HostChallenge::from([9; 8]);
        let response = exchange(&mut channel, &gp::initialize_update(0, &host), &limits).unwrap();
        let update = InitializeUpdate::parse(response.data()).unwrap();
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
            0x47 => command.with_le(65_536),
            _ => command,
        };
        let wrapped = self.secured.wrap(&command).unwrap();
        let response = exchange(&mut self.channel, &wrapped, &self.limits).unwrap();
        let response = self.secured.unwrap(response).unwrap();
        assert!(response.status().is_ok(), "{header:08X}: {response:?}");
        response
    }

    fn file(&mut self, file: File, condition: u8, content: &[u8]) {
        let [high, low] = file.identifier().to_be_bytes();
        let [.., s1, s2, s3] = content.len().to_be_bytes();
        let short = file.short_identifier() << 3;
        let control = [
            0x62, 0x13, 0x80, 3, s1, s2, s3, 0x82, 1, 1, 0x83, 2, high, low, 0x88, 1, short, 0x8C,
            2, 1, condition,
        ];
        self.send(0x00E0_0000, &control);
        for (place, piece) in content.chunks(200).enumerate() {
            self.send(0x00D6_0000 | (place * 200) as u32, piece);
        }
    }

    /// Has a key generated and returns its point.
    fn key(&mut self, reference: u8, kind: u8, purpose: u8, more: &[u8]) -> Vec<u8> {
        let data = [&[0x80, 1, kind, 0x84, 1, reference, 0x95, 1, purpose], more].concat();
        let response = self.send(0x0047_8000, &tlv::encode(Tag::known::<0xAC>(), &data));
        let outer = tlv::parse(response.data()).unwrap().0;
        tlv::parse_all(outer.value).unwrap()[0].value.to_vec()
    }
}

fn group(number: u8) -> DomainParameters {
    DomainParameters::from_id(number.into()).unwrap()
}

fn key_info(number: u8, point: &[u8], id: u64) -> SecurityInfo {
    let key = AgreementKey::new(group(number), point).unwrap();
    let info = ChipAuthenticationPublicKeyInfo::of_key(&key, Some(id)).unwrap();
    SecurityInfo::ChipAuthenticationPublicKey(info)
}

fn pace_info(mapping: u8, number: u8) -> SecurityInfo {
    let oid = ObjectIdentifier::new(&format!("0.4.0.127.0.7.2.2.4.{mapping}.2"));
    SecurityInfo::Pace(PaceInfo {
        protocol: PaceProtocol::from_oid(oid.unwrap()).unwrap(),
        version: 2,
        parameter_id: Some(number.into()),
    })
}

fn offer(info: &SecurityInfo) -> Vec<u8> {
    let SecurityInfo::Pace(info) = info else {
        panic!("no PACE");
    };
    let oid = info.protocol.oid().unwrap();
    let number = info.parameter_id.unwrap() as u8;
    let way = [&[0x80, 0x0A], oid.as_bytes(), &[0x84, 1, number]].concat();
    tlv::encode(Tag::known::<0xE0>(), &way)
}

/// Returns a point of that group whose private key nobody has.
fn foreign(number: u8) -> Vec<u8> {
    let parameters = group(number);
    let key = access::EphemeralKey::generate(parameters, &mut access::SystemRandom);
    key.unwrap().public().to_vec()
}

/// Makes a modern document.
pub(super) fn modern(state: &State, make: Make<'_>) -> Made {
    let mut issuer = Issuer::new();
    let text = |value: &str| tlv::encode(Tag::known::<0x04>(), value.as_bytes());
    let printed = [text(NUMBER), text(BIRTH), text(EXPIRY)].concat();
    issuer.send(0x00DA_0101, &tlv::encode(Tag::known::<0x62>(), &printed));
    issuer.send(0x00DA_0102, CAN.as_bytes());
    issuer.send(0x00DA_0110, &[1]);
    let mut offered = vec![pace_info(2, BRAINPOOL_256)];
    if make.mapping {
        offered.push(pace_info(6, BRAINPOOL_256));
    }
    let told = SecurityInfos::new(offered.clone()).to_der().unwrap();
    issuer.send(
        0x00DA_0111,
        &offered.iter().flat_map(offer).collect::<Vec<_>>(),
    );

    let mut lds = Lds::new();
    lds.insert(File::CardAccess, told).unwrap();
    if make.directory {
        // Two objects: the application, and another.
        let entry = |name: &[u8]| {
            let name = tlv::encode(Tag::known::<0x4F>(), name);
            tlv::encode(Tag::known::<0x61>(), &name)
        };
        let entries = [
            entry(&LDS_APPLICATION),
            entry(&[0xA0, 0, 0, 2, 0x47, 0x20, 1]),
        ];
        lds.insert(File::Dir, entries.concat()).unwrap();
    }
    if make.mapping {
        issuer.send(0x00A4_000C, &[0x3F, 0x00]);
        let own = issuer.key(0x10, BRAINPOOL_256, 4, &[]);
        let point = if make.is_copy {
            foreign(BRAINPOOL_256)
        } else {
            own
        };
        let infos = SecurityInfos::new([key_info(BRAINPOOL_256, &point, 13)]);
        let file = card_security(&state.signer, &infos.to_der().unwrap());
        lds.insert(File::CardSecurity, file).unwrap();
    }
    issuer.send(0x00A4_040C, &LDS_APPLICATION);
    let mut infos = vec![SecurityInfo::ActiveAuthentication(
        ActiveAuthenticationInfo {
            version: 1,
            signature_algorithm: ObjectIdentifier::new_unwrap("0.4.0.127.0.7.1.1.4.1.3"),
        },
    )];
    if !make.is_only_mapped {
        let own = issuer.key(2, BRAINPOOL_384, 2, &[0x8B, 1, 0x0F]);
        let chips = if make.is_copy {
            foreign(BRAINPOOL_384)
        } else {
            own
        };
        infos.push(key_info(BRAINPOOL_384, &chips, 2));
        infos.push(SecurityInfo::ChipAuthentication(ChipAuthenticationInfo {
            protocol: ChipAuthenticationProtocol {
                agreement: KeyAgreement::Ecdh,
                cipher: Cipher::Aes128,
            },
            version: 1,
            key_id: Some(2),
        }));
    }
    infos.extend(offered.into_iter().skip(usize::from(make.boasts)));
    if let Some(authority) = make.trusts {
        infos.push(SecurityInfo::TerminalAuthentication(
            TerminalAuthenticationInfo {
                version: 1,
                ef_cvca: None,
            },
        ));
        issuer.send(0x00DA_0120, authority.as_der());
        issuer.send(0x00DA_0121, &[2, 6, 0, 5, 0, 1]);
        lds.insert(Group::Dg3.into(), dg3()).unwrap();
    }
    let own = issuer.key(1, P256, 1, &[]);
    let point = if make.is_copy || make.is_half_a_copy {
        foreign(P256)
    } else {
        own
    };
    let spki = AgreementKey::new(group(P256), &point)
        .unwrap()
        .to_spki_der()
        .unwrap();
    let dg14 = SecurityInfos::new(infos).to_der().unwrap();
    for (group, content) in [
        (Group::Dg1, dg1(zone("LVA", NUMBER, EXPIRY))),
        (Group::Dg2, dg2()),
        (Group::Dg14, tlv::encode(Group::Dg14.tag(), &dg14)),
        (Group::Dg15, tlv::encode(Group::Dg15.tag(), &spki)),
    ] {
        lds.insert(group.into(), content).unwrap();
    }
    seal(&mut lds, &state.signer);
    for (file, content) in lds.files() {
        let other = make.instead.iter().find(|(other, _)| *other == file);
        let content = other.map_or(content, |(_, content)| *content);
        let condition = match file {
            File::Dg(Group::Dg3) => 0xE1,
            File::CardAccess | File::Dir => 0x00,
            File::CardSecurity => 0x42,
            _ => 0x41,
        };
        if file.application() == Application::MasterFile {
            issuer.send(0x00A4_000C, &[0x3F, 0x00]);
        } else {
            issuer.send(0x00A4_040C, &LDS_APPLICATION);
        }
        issuer.file(file, condition, content);
    }
    issuer.send(0x00A4_040C, &LDS_APPLICATION);
    issuer.send(0x80F0_400F, &LDS_APPLICATION);
    let Issuer {
        mut channel,
        limits,
        ..
    } = issuer;
    channel.reset().unwrap();
    Made {
        channel,
        limits,
        lds,
    }
}

/// Makes a document of the first years: basic access control, RSA for active authentication.
pub(super) fn older(state: &State) -> Made {
    let product = Product::find("mrtd-applet").unwrap();
    let number = ChipNumber::new([0, 1], [0, 0, 0, 7]);
    let key = TransportMasterKey::new(MAKER);
    let mut channel = InProcess::new(Chip::blank(product, number, &key, Memory).unwrap());
    let limits = Limits::default();
    let send = |channel: &mut InProcess, command: Command| {
        let answer = exchange(channel, &command, &limits).unwrap();
        assert!(answer.status().is_ok(), "{command:?}: {answer:?}");
    };
    let select = Command::new(0, 0xA4, 4, 0x0C).with_data(LDS_APPLICATION);
    send(&mut channel, select);
    let text = |value: &str| tlv::encode(Tag::known::<0x04>(), value.as_bytes());
    let printed = [text(NUMBER), text(BIRTH), text(EXPIRY)].concat();
    let printed = tlv::encode(Tag::known::<0x62>(), &printed);
    send(
        &mut channel,
        Command::new(0, 0xDA, 0, 0x62).with_data(printed),
    );
    let pair = Rsa::generate(1024).unwrap();
    for (p2, number) in [(0x60, pair.n()), (0x61, pair.d())] {
        let number = tlv::encode(Tag::known::<0x04>(), &number.to_vec());
        let data = [&[p2, 0], &number[..]].concat();
        send(&mut channel, Command::new(0, 0xDA, 0, p2).with_data(data));
    }
    let mut lds = Lds::new();
    let spki = pair.public_key_to_der().unwrap();
    for (group, content) in [
        (Group::Dg1, dg1(zone("LVA", NUMBER, EXPIRY))),
        (Group::Dg2, dg2()),
        (Group::Dg15, tlv::encode(Group::Dg15.tag(), &spki)),
    ] {
        lds.insert(group.into(), content).unwrap();
    }
    seal(&mut lds, &state.signer);
    for (file, content) in lds.files() {
        let id = file.identifier().to_be_bytes();
        let size = (content.len() as u16).to_be_bytes();
        let data = [&[0x63, 4], &size[..], &id].concat();
        send(&mut channel, Command::new(0, 0xE0, 0, 0).with_data(data));
        send(&mut channel, Command::new(0, 0xA4, 2, 0x0C).with_data(id));
        for (place, piece) in content.chunks(200).enumerate() {
            let [.., high, low] = (place * 200).to_be_bytes();
            send(
                &mut channel,
                Command::new(0, 0xD6, high, low).with_data(piece),
            );
        }
    }
    send(&mut channel, Command::new(0, 0xDA, 0xDE, 0xAD));
    channel.reset().unwrap();
    Made {
        channel,
        limits,
        lds,
    }
}
