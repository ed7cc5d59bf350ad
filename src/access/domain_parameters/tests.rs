use super::*;
use crate::testing::{bytes, vectors};

#[test]
fn numbers_are_the_standardized_ones() {
    let ids: Vec<_> = DomainParameters::ALL.map(DomainParameters::id).into();
    assert_eq!(ids, [0, 1, 2, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]);
    for each in DomainParameters::ALL {
        assert_eq!(DomainParameters::from_id(each.id().into()), Some(each));
        let der = each.to_algorithm_der().unwrap();
        assert_eq!(DomainParameters::from_algorithm_der(&der).unwrap(), each);
    }
    for none in [3, 7, 19, 256, u64::MAX] {
        assert_eq!(DomainParameters::from_id(none), None);
    }
    // TR-03110-3 §A.2.1.1: standardized domain parameters 13.
    let der = hex::decode("300C060704007F0007010202010D").unwrap();
    assert_eq!(
        DomainParameters::from_algorithm_der(&der).unwrap(),
        DomainParameters::BrainpoolP256r1
    );
}

#[test]
fn curves_are_known_by_name_and_by_their_numbers() {
    use openssl::ec::{Asn1Flag, EcKey};
    for each in DomainParameters::ALL
        .into_iter()
        .filter(|each| each.is_curve())
    {
        for flag in [Asn1Flag::NAMED_CURVE, Asn1Flag::EXPLICIT_CURVE] {
            let mut group = each.curve().unwrap();
            group.set_asn1_flag(flag);
            let key = EcKey::generate(&group).unwrap();
            let spki = key.public_key_to_der().unwrap();
            let read = AgreementKey::from_spki_der(&spki).unwrap();
            assert_eq!(read.parameters(), each, "{each}");
            let again = AgreementKey::from_spki_der(&read.to_spki_der().unwrap()).unwrap();
            assert_eq!(again, read);
        }
    }
}

#[test]
fn numbers_are_known_by_their_groups() {
    for each in [
        DomainParameters::Dh1024,
        DomainParameters::Dh2048Order224,
        DomainParameters::Dh2048Order256,
    ] {
        let dh = each.dh().unwrap();
        let number = |number: &openssl::bn::BigNumRef| {
            let bytes = number.to_vec();
            UintRef::new(&bytes).unwrap().to_der().unwrap()
        };
        let body = [number(dh.prime_p()), number(dh.generator())].concat();
        for (oid, tail) in [
            (DH_PUBLIC_NUMBER, number(dh.prime_q().unwrap())),
            (PKCS3_DH, vec![]),
        ] {
            let parameters = [&body[..], &tail].concat();
            let der = AlgorithmIdentifier {
                algorithm: oid,
                parameters: Some(AnyRef::new(der::Tag::Sequence, &parameters).unwrap()),
            };
            let der = der.to_der().unwrap();
            assert_eq!(DomainParameters::from_algorithm_der(&der).unwrap(), each);
        }
    }
    let file = vectors("access/eac_worked_examples.json");
    let public = bytes(&file["dh"]["chip_authentication_v2"]["ca_picc_pub_key"]);
    let key = AgreementKey::new(DomainParameters::Dh1024, &public).unwrap();
    assert_eq!(
        AgreementKey::from_spki_der(&key.to_spki_der().unwrap()).unwrap(),
        key
    );
}

#[test]
fn a_curve_that_somebody_made_is_refused() {
    // brainpoolP224r1 of a DG14, with one number changed at a time.
    let spki = explicit_spki();
    assert_eq!(
        AgreementKey::from_spki_der(&spki).unwrap().parameters(),
        DomainParameters::BrainpoolP224r1
    );
    let (parts, base) = DomainParameters::BrainpoolP224r1.curve_parts().unwrap();
    for part in parts.iter().chain(&base[..1]) {
        let at = spki
            .windows(part.len())
            .position(|window| window == part)
            .unwrap();
        let mut forged = spki.clone();
        forged[at + part.len() - 1] ^= 2;
        let error = AgreementKey::from_spki_der(&forged).unwrap_err();
        assert!(
            matches!(error, DomainParametersError::Unknown),
            "{at}: {error}"
        );
    }
    let mut off = spki.clone();
    *off.last_mut().unwrap() ^= 1;
    let error = AgreementKey::from_spki_der(&off).unwrap_err();
    assert!(matches!(error, DomainParametersError::PublicKey));
    let error = AgreementKey::from_spki_der(&spki[..100]).unwrap_err();
    assert!(matches!(error, DomainParametersError::Syntax));
}

fn explicit_spki() -> Vec<u8> {
    use openssl::ec::{Asn1Flag, EcKey};
    let file = vectors("access/chip_authentication.json");
    let mut group = DomainParameters::BrainpoolP224r1.curve().unwrap();
    group.set_asn1_flag(Asn1Flag::EXPLICIT_CURVE);
    let point = point(&group, &bytes(&file["static_public"])).unwrap();
    EcKey::from_public_key(&group, &point)
        .unwrap()
        .public_key_to_der()
        .unwrap()
}
