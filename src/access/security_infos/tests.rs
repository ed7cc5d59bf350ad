use super::*;
use crate::domain_parameters::DomainParameters;
use crate::session_keys::Cipher;
use crate::testing::{bytes, vectors};

fn card_access(kind: &str) -> Vec<u8> {
    bytes(&vectors("access/eac_worked_examples.json")[kind]["ef_card_access"])
}

#[test]
fn the_worked_examples_read_and_write_the_same() {
    for kind in ["ecdh", "dh"] {
        let der = card_access(kind);
        let infos = SecurityInfos::parse(&der).unwrap();
        assert_eq!(infos.to_der().unwrap(), der, "{kind}");
    }
    let ecdh = SecurityInfos::parse(&card_access("ecdh")).unwrap();
    let pace: Vec<_> = ecdh.pace().copied().collect();
    let protocol = PaceProtocol {
        agreement: KeyAgreement::Ecdh,
        mapping: Mapping::Generic,
        cipher: Cipher::Aes128,
    };
    let (version, parameter_id) = (2, Some(13));
    assert_eq!(
        pace,
        [PaceInfo {
            protocol,
            version,
            parameter_id
        }]
    );
    let ca: Vec<_> = ecdh.chip_authentication().collect();
    assert_eq!(ca.len(), 1);
    assert!(ca.iter().all(|info| info.version == 2));
    assert_eq!(ecdh.terminal_authentication().next().unwrap().version, 2);
    let groups: Vec<_> = ecdh
        .iter()
        .filter_map(|info| match info {
            SecurityInfo::ChipAuthenticationDomainParameters(info) => {
                Some(DomainParameters::from_algorithm_der(&info.algorithm).unwrap())
            }
            _ => None,
        })
        .collect();
    assert_eq!(groups, [DomainParameters::BrainpoolP256r1]);
    assert!(ecdh.iter().any(|info| matches!(
        info,
        SecurityInfo::Card(CardInfo { url, .. }) if url.starts_with("http")
    )));
    assert!(
        ecdh.iter()
            .any(|info| matches!(info, SecurityInfo::Other { .. }))
    );
    assert!(ecdh.contains_all(&SecurityInfos::new(ecdh.iter().take(3).cloned())));
    assert!(!SecurityInfos::new(ecdh.iter().take(3).cloned()).contains_all(&ecdh));
}

#[test]
fn the_card_access_of_appendix_g_reads() {
    let file = vectors("access/pace.json");
    let der = bytes(&file["vectors"][0]["card_access"]);
    let infos = SecurityInfos::parse(&der).unwrap();
    let info = infos.pace().next().unwrap();
    assert_eq!(
        info.protocol.oid().unwrap().to_string(),
        "0.4.0.127.0.7.2.2.4.2.2"
    );
    assert_eq!(info.parameter_id, Some(13));
}

#[test]
fn every_protocol_has_its_identifier() {
    let mut seen = Vec::new();
    for family in [1, 2, 3, 4, 6] {
        for cipher in 1..=4 {
            let oid = protocols::oid([4, family, cipher]).unwrap();
            let protocol = PaceProtocol::from_oid(oid);
            assert_eq!(protocol.is_some(), (family, cipher) != (6, 1), "{oid}");
            assert_eq!(protocol.and_then(PaceProtocol::oid), protocol.map(|_| oid));
            seen.extend(protocol);
        }
    }
    assert_eq!(seen.len(), 19);
    assert_eq!(
        PaceProtocol::from_oid(protocols::oid([4, 5, 2]).unwrap()),
        None
    );
}

#[test]
fn what_an_issuer_writes_is_read_again() {
    use der::asn1::ObjectIdentifier;
    let agreement = KeyAgreement::Ecdh;
    let file = vectors("access/chip_authentication.json");
    let key = crate::AgreementKey::new(
        DomainParameters::BrainpoolP224r1,
        &bytes(&file["static_public"]),
    );
    let infos = SecurityInfos::new([
        SecurityInfo::ChipAuthenticationPublicKey(
            ChipAuthenticationPublicKeyInfo::of_key(&key.unwrap(), Some(300)).unwrap(),
        ),
        SecurityInfo::ChipAuthentication(ChipAuthenticationInfo {
            protocol: ChipAuthenticationProtocol {
                agreement,
                cipher: Cipher::Aes256,
            },
            version: 1,
            key_id: Some(300),
        }),
        SecurityInfo::TerminalAuthentication(TerminalAuthenticationInfo {
            version: 1,
            ef_cvca: Some(FileId {
                file: 0x011C,
                short: Some(0x1C),
            }),
        }),
        SecurityInfo::ActiveAuthentication(ActiveAuthenticationInfo {
            version: 1,
            signature_algorithm: ObjectIdentifier::new_unwrap("0.4.0.127.0.7.1.1.4.1.3"),
        }),
        SecurityInfo::PaceDomainParameters(PaceDomainParameterInfo {
            agreement,
            mapping: Mapping::Integrated,
            algorithm: DomainParameters::P384.to_algorithm_der().unwrap(),
            parameter_id: Some(77),
        }),
        SecurityInfo::EfDir(vec![0x61, 0x00]),
        SecurityInfo::Card(CardInfo {
            url: "https://example.org".into(),
            ef_card_info: None,
        }),
    ]);
    let der = infos.to_der().unwrap();
    let read = SecurityInfos::parse(&der).unwrap();
    assert_eq!(read.iter().count(), 7);
    assert!(read.contains_all(&infos) && infos.contains_all(&read));
    assert_eq!(read.to_der().unwrap(), der);
    let key = read
        .chip_authentication_keys()
        .next()
        .unwrap()
        .key()
        .unwrap();
    assert_eq!(key.as_bytes(), bytes(&file["static_public"]));
}

#[test]
fn faults_are_named_by_their_place() {
    use SecurityInfosError::{Info, Set, TooLong, TooMany};
    let parse = |text: &str| SecurityInfos::parse(&hex::decode(text).unwrap());
    assert_eq!(parse("3100").unwrap(), SecurityInfos::default());
    for (text, fault) in [
        ("", Set),
        ("3000", Set),
        ("310100", Info(1)),
        ("310000", Set),
        ("3102", Set),
        // PACEInfo: no version; version negative; not minimal; parameter no number; a fourth.
        ("310E300C060A04007F00070202040202", Info(1)),
        ("3111300F060A04007F000702020402020201FF", Info(1)),
        ("31123010060A04007F00070202040202020200 02", Info(1)),
        ("31143012060A04007F0007020204020202010204010D", Info(1)),
        (
            "31173015060A04007F0007020204020202010202010D02010D",
            Info(1),
        ),
        // TerminalAuthenticationInfo with a file identifier of one byte.
        ("31143012060804007F000702020202010130030401 1C", Info(1)),
        // ActiveAuthenticationInfo without its algorithm; EFDIRInfo with a number.
        ("310D300B06066781080101050201 01", Info(1)),
        ("310D300B060667810801010D020101", Info(1)),
        // The second of two: a public key that is no sequence.
        (
            "311F300D060804007F0007020202020101300E060904007F000702020102020105",
            Info(2),
        ),
    ] {
        let text: String = text.split_whitespace().collect();
        assert_eq!(parse(&text), Err(fault), "{text}");
    }
    let many = [
        &[0x31, 0x82, 0x03, 0x87][..],
        &[0x30, 0x05, 0x06, 0x01, 0x29, 0x05, 0x00].repeat(129),
    ]
    .concat();
    assert_eq!(SecurityInfos::parse(&many), Err(TooMany));
    assert_eq!(
        SecurityInfos::parse(&vec![0x31; 70_000]),
        Err(TooLong(70_000))
    );
}
