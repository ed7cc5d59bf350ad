//! The writer beside another one, and beside our own reader.

use cert::{DistinguishedName, UnverifiedCrl};
use der::asn1::Uint;
use der::{Decode, Encode};
use hsm::test_support::with_private_tokens;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use spki::AlgorithmIdentifierOwned;
use x509_cert::Version;
use x509_cert::certificate::Rfc5280;
use x509_cert::crl::{RevokedCert, TbsCertList};
use x509_cert::ext::pkix::CrlNumber;
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;

use super::{CrlEntry, RevocationReason, Unsigned};
use crate::extensions::{authority_key_identifier, extension};
use crate::testing::{CA, Folder, ca, profile, time};
use crate::to_be_signed::asn1_time;

const REASONS: [RevocationReason; 6] = [
    RevocationReason::KeyCompromise,
    RevocationReason::AffiliationChanged,
    RevocationReason::Superseded,
    RevocationReason::CessationOfOperation,
    RevocationReason::CertificateHold,
    RevocationReason::PrivilegeWithdrawn,
];

/// What x509-cert writes of the same.
fn theirs(
    issuer: &DistinguishedName,
    entries: &[CrlEntry],
    (this, next): (Timestamp, Timestamp),
    number: u64,
) -> Vec<u8> {
    let mut sorted = entries.to_vec();
    sorted.sort_by_key(|entry| (entry.serial.len(), entry.serial.clone()));
    let listed: Vec<_> = sorted
        .iter()
        .map(|entry| RevokedCert::<Rfc5280> {
            serial_number: SerialNumber::new(&entry.serial).unwrap(),
            revocation_date: asn1_time(entry.since).unwrap(),
            crl_entry_extensions: Some(vec![extension(&entry.reason.code(), false).unwrap()]),
        })
        .collect();
    TbsCertList {
        version: Version::V2,
        signature: AlgorithmIdentifierOwned {
            oid: "1.2.840.10045.4.3.3".parse().unwrap(),
            parameters: None,
        },
        issuer: Name::from_der(issuer.as_der()).unwrap(),
        this_update: asn1_time(this).unwrap(),
        next_update: Some(asn1_time(next).unwrap()),
        revoked_certificates: (!listed.is_empty()).then_some(listed),
        crl_extensions: Some(vec![
            authority_key_identifier(&[7; 20]).unwrap(),
            extension(&CrlNumber(Uint::new(&number.to_be_bytes()).unwrap()), false).unwrap(),
        ]),
    }
    .to_der()
    .unwrap()
}

proptest! {
    #[test]
    fn lists_are_written_as_x509_cert_writes_them(
        entries in prop::collection::hash_map(
            prop::collection::vec(1_u8.., 1..20),
            // Through 2080: from 2050 a time has another form.
            (0_i64..3_471_292_800, 0_usize..6),
            0..600,
        ),
        number in any::<u64>(),
    ) {
        let issuer = profile(CA).subject(None).unwrap();
        let times = (time("2081-01-01T00:00:00Z"), time("2081-01-02T00:00:00Z"));
        let entries: Vec<_> = entries
            .into_iter()
            .map(|(serial, (since, reason))| CrlEntry {
                serial,
                since: Timestamp::from_second(since).unwrap(),
                reason: REASONS[reason],
            })
            .collect();
        let ours = Unsigned::new(&issuer, &[7; 20], &entries, times, number).unwrap();
        let theirs = theirs(&issuer, &entries, times, number);
        prop_assert!(ours.to_be_signed() == theirs);
    }
}

#[test]
fn a_long_list_is_read_by_us_and_by_openssl() {
    with_private_tokens(
        "crl::tests::a_long_list_is_read_by_us_and_by_openssl",
        || {
            let ca = ca("pilot");
            let this = time("2026-06-01T00:00:00Z");
            let entry = |number: u32| CrlEntry {
                serial: [&[0x40][..], &[0; 11], &number.to_be_bytes()].concat(),
                since: this - SignedDuration::from_secs(i64::from(number)),
                reason: REASONS[number as usize % REASONS.len()],
            };
            let entries: Vec<_> = (0..20_000).map(|number| entry(2 * number)).collect();
            let day = SignedDuration::from_hours(24);
            let der = ca.crl(&entries, this, this + day, 9).unwrap();
            let folder = Folder::new();
            folder.write("crl", &der);
            folder.write("ca.der", ca.certificate().as_der());
            folder.openssl(&["x509", "-inform", "DER", "-in", "ca.der", "-out", "ca.pem"]);
            let said = folder.openssl(&[
                "crl", "-inform", "DER", "-in", "crl", "-noout", "-text", "-CAfile", "ca.pem",
            ]);
            assert!(said.contains("verify OK"), "{}", &said[..2000]);
            assert_eq!(said.matches("Serial Number:").count(), entries.len());
            let list = UnverifiedCrl::parse(der).unwrap();
            let list = list.verify(ca.certificate(), this).unwrap();
            assert_eq!((list.len(), list.number()), (entries.len(), Some(&[9][..])));
            for number in [0, 1, 2, 19_999, 20_000, 39_998, 39_999] {
                let entry = entry(number);
                let found = list.find(&entry.serial);
                assert_eq!(found.is_some(), number % 2 == 0, "{number}");
                if let Some(found) = found {
                    assert_eq!(found.since, entry.since);
                    assert_eq!(found.reason, Some(entry.reason.number()));
                }
            }
        },
    );
}
