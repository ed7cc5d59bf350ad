//! A personalized card, in the layout that middleware knows; the certificates are invented.

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::x509::{X509, X509NameBuilder};

use super::host::{Host, ISSUER, command, field, tlv};
use crate::vectors::unhex;

/// Values that the tests know. Twelve digits: a file that shows them shows a leak.
pub(super) const PIN1: &str = "483920175561";
pub(super) const PIN2: &str = "917364520883";
pub(super) const PUK: &str = "650284719936";
/// Version of the issuer's key set.
pub(super) const VERSION: u8 = 0x30;

/// One of the card's two key slots: key references, certificate files and their sizes.
pub(super) struct Slot {
    pub(super) auth: (u8, &'static str, usize),
    pub(super) sign: (u8, &'static str, usize),
    pub(super) curve: &'static str,
}

/// The slot that Debian's OpenSC and the recorded transcript use.
pub(super) const FIRST: Slot = Slot {
    auth: (0x81, "3401", 0x06C5),
    sign: (0x9F, "341F", 0x084C),
    curve: "0F",
};

/// CREATE FILE of an EF with a compact rule.
pub(super) fn ef(id: &str, size: usize, rule: &str) -> String {
    let rule = if rule.is_empty() {
        String::new()
    } else {
        tlv("8C", rule)
    };
    let objects = format!("8002{size:04X}8201018302{id}{rule}");
    command("00E00000", &tlv("62", &objects))
}

/// PUT DATA of a PIN object.
pub(super) fn pin_object(number: &str, tries: u8, minimum: u8, rule: &str) -> String {
    let rules = tlv("8C", rule) + &tlv("9C", rule);
    let about = format!(
        "9A01{tries:02X}8001{minimum:02X}81010C{}",
        tlv("A1", &rules)
    );
    let object = tlv(&format!("BF81{number}"), &tlv("A0", &about));
    command("00DB3FFF", &tlv("70", &object))
}

/// GENERATE of a key.
pub(super) fn generation(curve: &str, reference: u8, usage: &str, rule: &str) -> String {
    let template = format!(
        "8001{curve}8401{reference:02X}9501{usage}{}",
        tlv("8C", rule)
    );
    command("00478000", &tlv("AC", &template)) + "00"
}

impl Host {
    /// Writes a file of the current DF through the session.
    pub(super) fn write(&mut self, id: &str, content: &[u8], rule: &str) {
        self.secure(&ef(id, content.len(), rule), 0x9000);
        for (index, piece) in content.chunks(200).enumerate() {
            let offset = index * 200;
            let update = command(&format!("00D6{offset:04X}"), &hex::encode(piece));
            self.secure(&update, 0x9000);
        }
    }

    /// Replaces the transport keys by the issuer's.
    pub(super) fn take_over(&mut self) {
        self.isd().open_transport(0x33);
        let dek = self.transport()[2];
        let put_key = Host::put_key(&dek, 0x00, VERSION, &ISSUER);
        self.secure(&put_key, 0x9000);
    }

    /// Personalizes a blank from transport keys to its last state.
    pub(super) fn personalize(&mut self, slot: &Slot) {
        self.take_over();
        self.eid().open(VERSION, &ISSUER, 0x33);
        self.write_layout(slot);
        self.set_pins();
        self.isd().open(VERSION, &ISSUER, 0x33);
        self.secure("80F0800F", 0x9000);
        self.secure("80F0400F10A000000077010800070000FE00000100", 0x9000);
        self.chip.reset();
    }

    /// Creates files, PIN objects and keys, in the eID application's open session.
    pub(super) fn write_layout(&mut self, slot: &Slot) {
        self.secure("00A4000C", 0x9000);
        self.write("D003", b"\x04\x09PA9992921\x00\x00\x00\x00\x00", "");
        self.secure(&pin_object("01", 3, 4, "F30000734300"), 0x9000);
        self.secure(&pin_object("02", 3, 8, "F30000434300"), 0x9000);
        let parts = [
            (
                "ADF1",
                "E828BD080FF2504F5420415750",
                &slot.auth,
                "40",
                "07914300",
            ),
            (
                "ADF2",
                "51534344204170706C69636174696F6E",
                &slot.sign,
                "80",
                "07954300",
            ),
        ];
        for (id, name, (reference, certificate, size), usage, rule) in parts {
            self.secure("00A4000C", 0x9000);
            let objects = format!("8201388302{id}{}", tlv("84", name));
            self.secure(&command("00E00000", &tlv("62", &objects)), 0x9000);
            if usage == "80" {
                self.secure(&pin_object("05", 3, 6, "F3000073FF00"), 0x9000);
            }
            let answer = self.secure(&generation(slot.curve, *reference, usage, rule), 0x9000);
            let point = &answer[answer.iter().position(|byte| *byte == 4).unwrap()..];
            self.write("5031", &unhex("A406300404027005A006300404027001"), "");
            let directory = format!("300AA108300630040402{certificate}");
            self.write("7005", &unhex(&directory), "034300");
            let key = format!("300830003004020200{reference:02X}");
            self.write("7001", &unhex(&key), "034300");
            let mut content = certify(point, reference % 2);
            content.resize(*size, 0);
            self.write(certificate, &content, "034300");
        }
    }

    /// Sets the values of all three PINs, in the eID application's open session.
    pub(super) fn set_pins(&mut self) {
        self.secure("00A4000C", 0x9000);
        self.secure(&command("00240101", &field(PIN1)), 0x9000);
        self.secure(&command("00240102", &field(PUK)), 0x9000);
        self.secure("00A4010C02ADF2", 0x9000);
        self.secure(&command("00240185", &field(PIN2)), 0x9000);
    }

    /// Takes a personalized card.
    pub(super) fn personalized() -> Self {
        let mut host = Self::blank();
        host.personalize(&FIRST);
        host
    }
}

/// Issues a certificate of an invented holder for a public point.
fn certify(point: &[u8], serial: u8) -> Vec<u8> {
    let curve = match point.len() {
        65 => Nid::X9_62_PRIME256V1,
        _ => Nid::SECP384R1,
    };
    let group = EcGroup::from_curve_name(curve).unwrap();
    let mut context = openssl::bn::BigNumContext::new().unwrap();
    let point = EcPoint::from_bytes(&group, point, &mut context).unwrap();
    let holder = PKey::from_ec_key(EcKey::from_public_key(&group, &point).unwrap()).unwrap();
    let issuer = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("C", "LV").unwrap();
    name.append_entry_by_text("CN", "PARAUDZINS,ANDRIS")
        .unwrap();
    let name = name.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let serial = BigNum::from_u32(u32::from(serial) + 1).unwrap();
    builder
        .set_serial_number(&serial.to_asn1_integer().unwrap())
        .unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_pubkey(&holder).unwrap();
    builder
        .set_not_before(&Asn1Time::days_from_now(0).unwrap())
        .unwrap();
    builder
        .set_not_after(&Asn1Time::days_from_now(30).unwrap())
        .unwrap();
    builder.sign(&issuer, MessageDigest::sha384()).unwrap();
    builder.build().to_der().unwrap()
}
