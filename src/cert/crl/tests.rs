//! Lists that openssl makes.

use jiff::SignedDuration;
use proptest::prelude::*;

use super::{CrlError, CrlVerifyError, OutOfScope, Revoked, UnverifiedCrl};
use crate::certificate::Certificate;
use crate::testing::{Folder, issue, openssl};

const CA: &str = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n\
    subjectKeyIdentifier=hash\n";

/// 0x80FF must come after 0x01: shorter numbers are smaller.
const INDEX: &str = "R\t360101000000Z\t260102030405Z,keyCompromise\t80FF\tunknown\t/CN=a\n\
    R\t360101000000Z\t260102030406Z,CAHold\t01\tunknown\t/CN=b\n\
    R\t360101000000Z\t260102030407Z\t7FFF\tunknown\t/CN=c\n\
    V\t360101000000Z\t\t02\tunknown\t/CN=d\n";

const CONFIG: &str = "[ca]\ndefault_ca=own\n[own]\ndatabase=index\ncrlnumber=number\n\
    default_md=sha384\ncrl_extensions=ext\n[ext]\nauthorityKeyIdentifier=keyid\n";

/// Makes an authority and its list.
fn list(config: &str, index: &str) -> (Certificate, Vec<u8>) {
    let folder = Folder::new();
    let root = issue(&folder, "Root", None, "P-256", CA);
    let index = index.replace("CAHold", "certificateHold");
    for (name, text) in [("index", &*index), ("number", "0100\n"), ("config", config)] {
        folder.write(name, text.as_bytes());
    }
    openssl(
        &folder,
        &[
            "ca", "-gencrl", "-config", "config", "-cert", "Root.pem", "-keyfile", "Root.key",
            "-crldays", "2", "-out", "crl.pem",
        ],
    );
    openssl(
        &folder,
        &["crl", "-in", "crl.pem", "-outform", "DER", "-out", "crl"],
    );
    (root, folder.read("crl"))
}

#[test]
fn openssl_s_list_is_read_and_looked_up() {
    let (root, der) = list(CONFIG, INDEX);
    let unverified = UnverifiedCrl::parse(der).unwrap();
    let at = root.validity().not_before + SignedDuration::from_mins(1);
    let list = unverified.clone().verify(&root, at).unwrap();
    assert_eq!(list.len(), 3);
    assert_eq!(list.number(), Some(&[1, 0][..]));
    let days = list.next_update().duration_since(list.this_update());
    assert_eq!(days, SignedDuration::from_hours(48));
    let revoked = |since: &str, reason| {
        Some(Revoked {
            since: since.parse().unwrap(),
            reason,
        })
    };
    assert_eq!(
        list.find(&[0x80, 0xFF]),
        revoked("2026-01-02T03:04:05Z", Some(1))
    );
    assert_eq!(list.find(&[1]), revoked("2026-01-02T03:04:06Z", Some(6)));
    assert_eq!(
        list.find(&[0x7F, 0xFF]),
        revoked("2026-01-02T03:04:07Z", None)
    );
    for free in [&[2][..], &[0xFF], &[0x81, 0], &[], &[1; 20]] {
        assert_eq!(list.find(free), None);
    }

    let (other, _) = list_of_another();
    let told = unverified.clone().verify(&other, at);
    assert_eq!(told, Err(CrlVerifyError::Issuer));
    let hour = SignedDuration::from_hours(1);
    let late = unverified.clone().verify(&root, list.next_update() + hour);
    assert!(matches!(late, Err(CrlVerifyError::Outdated { .. })));
    let early = unverified.verify(&root, list.this_update() - hour);
    assert!(matches!(early, Err(CrlVerifyError::NotYet { .. })));
}

fn list_of_another() -> (Certificate, Vec<u8>) {
    list(CONFIG, "")
}

#[test]
fn an_empty_list_lists_nobody() {
    let (root, der) = list_of_another();
    let at = root.validity().not_before;
    let list = UnverifiedCrl::parse(der)
        .unwrap()
        .verify(&root, at)
        .unwrap();
    assert!(list.is_empty());
    assert_eq!(list.find(&[1]), None);
}

#[test]
fn a_list_speaks_of_its_own_part_only() {
    let scope = "issuingDistributionPoint=critical,@scope\n[scope]\n\
        fullname=URI:http://a.example/11.crl\nonlyuser=TRUE\n";
    let folder = Folder::new();
    let root = issue(&folder, "Root", None, "P-256", CA);
    let leaf =
        |name: &str, extensions: &str| issue(&folder, name, Some("Root"), "P-256", extensions);
    let end = "basicConstraints=critical,CA:FALSE\n";
    let of = |part: u8| format!("{end}crlDistributionPoints=URI:http://a.example/{part}.crl\n");
    let (own, other, unsaid) = (leaf("A", &of(11)), leaf("B", &of(12)), leaf("C", end));
    let authority = leaf("D", &of(11).replace("FALSE", "TRUE"));
    let index = format!(
        "R\t360101000000Z\t260102030405Z\t{}\tunknown\t/CN=A\n",
        own.serial_hex()
    );
    let index = index.to_uppercase().replace("UNKNOWN", "unknown");
    let list = |scope: &str, index: &str| {
        for (name, text) in [("index", index), ("number", "0100\n")] {
            folder.write(name, text.as_bytes());
        }
        folder.write("config", [CONFIG, scope].concat().as_bytes());
        openssl(
            &folder,
            &[
                "ca", "-gencrl", "-config", "config", "-cert", "Root.pem", "-keyfile", "Root.key",
                "-crldays", "2", "-out", "crl.pem",
            ],
        );
        openssl(
            &folder,
            &["crl", "-in", "crl.pem", "-outform", "DER", "-out", "crl"],
        );
        UnverifiedCrl::parse(folder.read("crl"))
    };
    let at = authority.validity().not_before + SignedDuration::from_secs(1);
    let part = list(scope, &index).unwrap().verify(&root, at).unwrap();
    assert!(part.status(&own).unwrap().is_some());
    for outside in [&other, &unsaid, &authority] {
        let serial = outside.serial_hex();
        assert_eq!(part.status(outside), Err(OutOfScope { serial }));
    }
    let all = list("", &index).unwrap().verify(&root, at).unwrap();
    for (certificate, is_listed) in [(&own, true), (&other, false), (&authority, false)] {
        let said = all.status(certificate).unwrap();
        assert_eq!(said.is_some(), is_listed);
    }
    let (stranger, _) = list_of_another();
    let foreign = all.status(&stranger);
    // Of the same name: told apart by the signature, which a path verifies.
    assert_eq!(foreign, Ok(None));

    for refused in [
        "indirectCRL=TRUE\n",
        "onlysomereasons=keyCompromise\n",
        "onlyAA=TRUE\n",
    ] {
        let scope = format!("{scope}{refused}").replace("onlyuser=TRUE\n", "");
        assert!(matches!(
            list(&scope, ""),
            Err(CrlError::UnknownCritical { oid }) if oid.to_string() == "2.5.29.28"
        ));
    }
}

#[test]
fn changes_only_and_another_s_certificates_are_refused_also_where_not_critical() {
    let delta = "[ext]\n2.5.29.27=ASN1:INTEGER:1\n";
    let (_, der) = list(&CONFIG.replace("[ext]\n", delta), INDEX);
    assert!(matches!(
        UnverifiedCrl::parse(der),
        Err(CrlError::UnknownCritical { oid }) if oid.to_string() == "2.5.29.27"
    ));
    // openssl writes no such entry: a reason becomes another's name.
    let (_, mut der) = list(CONFIG, INDEX);
    let reason = [0x06, 0x03, 0x55, 0x1D, 0x15];
    let place = der.windows(5).position(|bytes| bytes == reason).unwrap();
    der[place + 4] = 0x1D;
    assert!(matches!(
        UnverifiedCrl::parse(der),
        Err(CrlError::UnknownCritical { oid }) if oid.to_string() == "2.5.29.29"
    ));
}

#[test]
fn a_list_of_version_1_is_refused() {
    // It says neither number nor authority.
    let bare = CONFIG.replace("crl_extensions=ext\n", "");
    let bare = bare.replace("crlnumber=number\n", "");
    let (_, der) = list(&bare, "");
    assert!(UnverifiedCrl::parse(der).is_err());
}

#[test]
fn an_authority_that_may_not_sign_lists_is_refused() {
    let folder = Folder::new();
    let (root, der) = list(CONFIG, INDEX);
    let mute = CA.replace(",cRLSign", "");
    let other = issue(&folder, "Root", None, "P-256", &mute);
    let at = root.validity().not_before;
    let told = |issuer: &Certificate| {
        UnverifiedCrl::parse(der.clone())
            .unwrap()
            .verify(issuer, at)
    };
    assert!(told(&root).is_ok());
    // Named alike; told apart by its key identifier.
    assert_eq!(told(&other), Err(CrlVerifyError::Issuer));
}

#[test]
fn every_cut_and_every_flipped_byte_is_noticed() {
    let (root, der) = list(CONFIG, INDEX);
    let at = root.validity().not_before;
    for length in 0..der.len() {
        assert!(UnverifiedCrl::parse(der[..length].to_vec()).is_err());
    }
    for place in 0..der.len() {
        let mut altered = der.clone();
        altered[place] ^= 0x55;
        let read = UnverifiedCrl::parse(altered);
        assert!(
            read.is_err() || read.is_ok_and(|read| read.verify(&root, at).is_err()),
            "byte {place}"
        );
    }
}

#[test]
fn a_number_stands_once() {
    // openssl makes none such: of two numbers one is written over.
    let near = format!("{INDEX}R\t360101000000Z\t260102030405Z\t7FFE\tunknown\t/CN=e\n");
    let (_, mut der) = list(CONFIG, &near);
    let number = [0x02, 0x02, 0x7F, 0xFE];
    let place = der.windows(4).position(|bytes| bytes == number).unwrap();
    der[place + 3] = 0xFF;
    assert_eq!(UnverifiedCrl::parse(der), Err(CrlError::Repeated));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(UnverifiedCrl::parse(bytes).is_err());
    }
}
