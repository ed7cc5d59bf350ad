//! A state for tests: its country signing CA and document signer by openssl, and a document.

use std::process::Command;

use cert::cms::{LDS_SECURITY_OBJECT, Message, SECURITY_OBJECT, SignerNaming, UnsignedMessage};
use cert::{Certificate, Hash, SignatureAlgorithm};
use der::oid::ObjectIdentifier;
use document::mrz::{Format, Mrz, Names, Parts, UnusedCheck, ZoneDate};
use document::{Sex, Transliteration};
use jiff::Timestamp;
use openssl::asn1::{Asn1Object, Asn1OctetString, Asn1Time};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer;
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, KeyUsage, SubjectKeyIdentifier,
};
use openssl::x509::{X509, X509Builder, X509Extension, X509NameBuilder};
use serde_json::Value;

use super::Trust;
use crate::lds::{Dg1, Dg14, File, Group, Lds, LdsVersion};

/// When everything here is judged.
pub(crate) const NOW: &str = "2026-06-01T12:00:00Z";
/// When documents here are signed.
pub(crate) const SIGNED: &str = "2026-03-01T08:00:00Z";

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A holder of a key and of a certificate over it.
#[derive(Clone)]
pub(crate) struct Holder {
    pub(crate) x509: X509,
    pub(crate) key: PKey<Private>,
    pub(crate) certificate: Certificate,
}

/// What a certificate is to say.
#[derive(Clone)]
pub(crate) struct Spec<'a> {
    pub(crate) name: &'a str,
    pub(crate) country: &'a str,
    pub(crate) serial: u32,
    pub(crate) from: &'a str,
    pub(crate) until: &'a str,
    pub(crate) is_ca: bool,
    /// Whether key identifiers are in it.
    pub(crate) identifiers: bool,
    /// Others: identifier and value in hex.
    pub(crate) extensions: &'a [(&'a str, &'a str)],
}

pub(crate) const CSCA: Spec<'static> = Spec {
    name: "CSCA",
    country: "LV",
    serial: 1,
    from: "2025-01-01T00:00:00Z",
    until: "2040-01-01T00:00:00Z",
    is_ca: true,
    identifiers: true,
    extensions: &[],
};

pub(crate) const SIGNER: Spec<'static> = Spec {
    name: "DS",
    country: "LV",
    serial: 0x1234,
    from: "2026-01-01T00:00:00Z",
    until: "2037-01-01T00:00:00Z",
    is_ca: false,
    identifiers: true,
    extensions: &[],
};

pub(crate) fn new_key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

/// Makes a certificate for a new key, signed by the issuer or by itself.
pub(crate) fn issue(spec: &Spec<'_>, issuer: Option<&Holder>) -> Holder {
    certify(spec, new_key(), issuer)
}

/// Makes a certificate for this key.
pub(crate) fn certify(spec: &Spec<'_>, key: PKey<Private>, issuer: Option<&Holder>) -> Holder {
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("C", spec.country).unwrap();
    name.append_entry_by_text("CN", spec.name).unwrap();
    let name = name.build();
    let mut builder = X509Builder::new().unwrap();
    builder.set_version(2).unwrap();
    let serial = BigNum::from_u32(spec.serial).unwrap();
    builder
        .set_serial_number(&serial.to_asn1_integer().unwrap())
        .unwrap();
    builder.set_subject_name(&name).unwrap();
    let issuer_name = issuer.map_or(&*name, |issuer| issuer.x509.subject_name());
    builder.set_issuer_name(issuer_name).unwrap();
    let time = |text: &str| Asn1Time::from_unix(at(text).as_second()).unwrap();
    builder.set_not_before(&time(spec.from)).unwrap();
    builder.set_not_after(&time(spec.until)).unwrap();
    builder.set_pubkey(&key).unwrap();
    let mut usage = KeyUsage::new();
    usage.critical();
    if spec.is_ca {
        usage.key_cert_sign().crl_sign();
        let constraints = BasicConstraints::new().critical().ca().pathlen(0).build();
        builder.append_extension(constraints.unwrap()).unwrap();
    } else {
        usage.digital_signature();
    }
    builder.append_extension(usage.build().unwrap()).unwrap();
    if spec.identifiers {
        let issuer = issuer.map(|issuer| &*issuer.x509);
        let own = SubjectKeyIdentifier::new().build(&builder.x509v3_context(issuer, None));
        builder.append_extension(own.unwrap()).unwrap();
        let authority = AuthorityKeyIdentifier::new()
            .keyid(true)
            .build(&builder.x509v3_context(issuer, None));
        builder.append_extension(authority.unwrap()).unwrap();
    }
    for (oid, value) in spec.extensions {
        let value = Asn1OctetString::new_from_bytes(&hex::decode(value).unwrap()).unwrap();
        let oid = Asn1Object::from_str(oid).unwrap();
        builder
            .append_extension(X509Extension::new_from_der(&oid, false, &value).unwrap())
            .unwrap();
    }
    let signing = issuer.map_or(&key, |issuer| &issuer.key);
    builder.sign(signing, MessageDigest::sha256()).unwrap();
    let x509 = builder.build();
    let certificate = Certificate::parse(&x509.to_der().unwrap()).unwrap();
    Holder {
        x509,
        key,
        certificate,
    }
}

/// Makes the CA's revocation list by the openssl command, with these serial numbers on it.
pub(crate) fn revoke(csca: &Holder, serials: &[&str], from: &str, until: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let rows = serials
        .iter()
        .map(|serial| format!("R\t360101000000Z\t260401000000Z\t{serial}\tunknown\t/CN=x\n"));
    std::fs::write(path("index"), rows.collect::<String>()).unwrap();
    std::fs::write(path("number"), "01\n").unwrap();
    let config = "[ca]\ndefault_ca=own\n[own]\ndatabase=index\ncrlnumber=number\n\
        default_md=sha256\ncrl_extensions=ext\n[ext]\nauthorityKeyIdentifier=keyid\n";
    std::fs::write(path("config"), config).unwrap();
    std::fs::write(path("ca.pem"), csca.x509.to_pem().unwrap()).unwrap();
    std::fs::write(path("ca.key"), csca.key.private_key_to_pem_pkcs8().unwrap()).unwrap();
    let time = |text: &str| at(text).strftime("%y%m%d%H%M%SZ").to_string();
    let run = |arguments: &[&str]| {
        let output = Command::new("openssl")
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    run(&[
        "ca",
        "-gencrl",
        "-config",
        "config",
        "-cert",
        "ca.pem",
        "-keyfile",
        "ca.key",
        "-crl_lastupdate",
        &time(from),
        "-crl_nextupdate",
        &time(until),
        "-out",
        "crl.pem",
    ]);
    run(&["crl", "-in", "crl.pem", "-outform", "DER", "-out", "crl"]);
    std::fs::read(path("crl")).unwrap()
}

/// A state's trust and signer.
pub(crate) struct State {
    pub(crate) csca: Holder,
    pub(crate) signer: Holder,
}

impl State {
    pub(crate) fn new() -> Self {
        let csca = issue(&CSCA, None);
        let signer = issue(&SIGNER, Some(&csca));
        Self { csca, signer }
    }

    /// Returns its CSCA and a revocation list without entries.
    pub(crate) fn trust(&self) -> Trust {
        let mut trust = Trust::default();
        trust.add(self.csca.certificate.as_der()).unwrap();
        let crl = revoke(
            &self.csca,
            &[],
            "2026-05-20T00:00:00Z",
            "2026-08-20T00:00:00Z",
        );
        trust.add(&crl).unwrap();
        trust
    }
}

/// Signs EF.SOD over the data groups that are there, and EF.COM beside it.
pub(crate) fn seal(lds: &mut Lds, signer: &Holder) {
    let version = LdsVersion::V1_8;
    let com = lds.com(version).encode();
    let object = lds.security_object(version, Hash::Sha256).unwrap();
    let sod = signed(signer, &object.encode().unwrap(), Some(SIGNED));
    lds.insert(File::Com, com).unwrap();
    lds.insert(File::Sod, sod).unwrap();
}

/// Returns EF.SOD with this content.
pub(crate) fn signed(signer: &Holder, content: &[u8], when: Option<&str>) -> Vec<u8> {
    let (unsigned, signature) = message(signer, LDS_SECURITY_OBJECT, content, when);
    unsigned.assemble_ef_sod(&signature).unwrap()
}

/// Returns EF.CardSecurity with these SecurityInfos.
pub(crate) fn card_security(signer: &Holder, infos: &[u8]) -> Vec<u8> {
    let (unsigned, signature) = message(signer, SECURITY_OBJECT, infos, Some(SIGNED));
    unsigned.assemble(&signature).unwrap()
}

fn message(
    signer: &Holder,
    content_type: ObjectIdentifier,
    content: &[u8],
    when: Option<&str>,
) -> (UnsignedMessage, Vec<u8>) {
    let message = Message {
        content_type,
        content,
        signer: &signer.certificate,
        others: &[],
        naming: SignerNaming::IssuerAndSerial,
        algorithm: SignatureAlgorithm::Ecdsa(Hash::Sha256),
        signing_time: when.map(at),
    };
    let unsigned = message.prepare().unwrap();
    let signature = sign(&signer.key, unsigned.to_be_signed());
    (unsigned, signature)
}

pub(crate) fn sign(key: &PKey<Private>, message: &[u8]) -> Vec<u8> {
    let mut signer = Signer::new(MessageDigest::sha256(), key).unwrap();
    signer.sign_oneshot_to_vec(message).unwrap()
}

/// Returns the zone of an invented person's passport.
pub(crate) fn zone(issuer: &str, number: &str, expiry: &str) -> Mrz {
    let latvian = Transliteration::LATVIAN;
    let names = Names::primary_only("PARAUDZINA", latvian).unwrap();
    let names = names.with_secondary("ANNA", latvian).unwrap();
    Mrz::build(&Parts {
        format: Format::Td3,
        code: "P",
        issuer,
        names: &names,
        number,
        nationality: issuer,
        birth_date: ZoneDate::parse("900302").unwrap(),
        sex: Sex::Female,
        expiry_date: ZoneDate::parse(expiry).unwrap(),
        optional_data: "",
        second_optional_data: "",
        unused_check: UnusedCheck::Filler,
    })
    .unwrap()
}

/// Returns DG1 of this zone.
pub(crate) fn dg1(zone: Mrz) -> Vec<u8> {
    let dg1 = Dg1 { mrz: zone }.encode().unwrap();
    dg1.bytes().to_vec()
}

/// Returns DG2 with a small portrait, as others' decoders read it.
pub(crate) fn dg2() -> Vec<u8> {
    biometric("dg2_39794_min_jpeg")
}

/// Returns DG3 with a fingerprint.
pub(crate) fn dg3() -> Vec<u8> {
    biometric("dg3_39794_one_min_png")
}

fn biometric(name: &str) -> Vec<u8> {
    let text = include_str!("../../../tests/vectors/biometrics/iso39794.json");
    let rows: Value = serde_json::from_str(text).unwrap();
    let rows = rows.as_array().unwrap();
    let row = rows.iter().find(|row| row["name"] == name);
    hex::decode(row.unwrap()["hex"].as_str().unwrap()).unwrap()
}

/// Returns the data groups of a document: zone, portrait, keys for chip and active authentication.
pub(crate) fn groups() -> Lds {
    let mut lds = Lds::new();
    let insert = |lds: &mut Lds, group: Group, bytes: Vec<u8>| {
        lds.insert(File::Dg(group), bytes).unwrap();
    };
    insert(
        &mut lds,
        Group::Dg1,
        dg1(zone("LVA", "XA0000001", "360301")),
    );
    insert(&mut lds, Group::Dg2, dg2());
    let key = new_key().public_key_to_der().unwrap();
    let info = |oid: &str, rest: &[&[u8]]| {
        let oid = hex::decode(oid).unwrap();
        let head = [6, oid.len() as u8];
        der_sequence(&[&head[..], &oid, &rest.concat()].concat())
    };
    // id-PK-ECDH with the key; id-CA-ECDH-AES-CBC-CMAC-128, version 1.
    let mut infos = [
        info("04007F000702020102", &[&key]),
        info("04007f00070202030202", &[&[2, 1, 1]]),
    ];
    infos.sort();
    let set = infos.concat();
    let set = card::tlv::encode(card::tlv::Tag::known::<0x31>(), &set);
    let dg14 = Dg14::new(set).unwrap().encode().unwrap();
    lds.insert_group(&dg14).unwrap();
    let aa = openssl::rsa::Rsa::generate(2048).unwrap();
    let spki = aa.public_key_to_der().unwrap();
    let tag = card::tlv::Tag::known::<0x6F>();
    insert(&mut lds, Group::Dg15, card::tlv::encode(tag, &spki));
    lds
}

fn der_sequence(content: &[u8]) -> Vec<u8> {
    card::tlv::encode(card::tlv::Tag::known::<0x30>(), content)
}

/// Returns a document of this state with all that belongs to it.
pub(crate) fn document(state: &State) -> Lds {
    let mut lds = groups();
    seal(&mut lds, &state.signer);
    lds
}

/// Returns the files with some of them replaced, added or, with nothing, left out.
pub(crate) fn with(lds: &Lds, changes: &[(File, Option<Vec<u8>>)]) -> Lds {
    let mut changed = Lds::new();
    for (file, bytes) in lds.files() {
        if changes.iter().all(|(other, _)| *other != file) {
            changed.insert(file, bytes.to_vec()).unwrap();
        }
    }
    for (file, bytes) in changes {
        if let Some(bytes) = bytes {
            changed.insert(*file, bytes.clone()).unwrap();
        }
    }
    changed
}
