use openssl::ec::EcKey;
use openssl::ecdsa::EcdsaSig;
use openssl::hash::hash;
use openssl::rsa::{Padding, Rsa};

use super::*;
use crate::domain_parameters::DomainParameters;
use crate::testing::{Scripted, bytes, vectors};

fn signed(challenge: &[u8], signature: &[u8]) -> SignedChallenge {
    SignedChallenge {
        challenge: challenge.try_into().unwrap(),
        signature: signature.to_vec(),
    }
}

#[test]
fn signatures_of_every_trailer_verify() {
    let file = vectors("access/active_authentication_rsa.json");
    let key = ActiveAuthenticationKey::from_spki_der(&bytes(&file["spki"])).unwrap();
    let rows = &file["vectors"].as_array().unwrap()[1..];
    assert_eq!(rows.len(), 5);
    for row in rows {
        let mut random = Scripted::new([bytes(&row["RND_IFD"])]);
        let (command, stage) = ActiveAuthentication::start(&key, None, &mut random).unwrap();
        assert_eq!(
            *command.encode().unwrap(),
            bytes(&row["internal_authenticate"])
        );
        let signature = bytes(&row["signature"]);
        let Turn::Done(given) = stage
            .answer(&Response::new(signature.clone(), Status::OK))
            .unwrap()
        else {
            panic!("a second command");
        };
        assert_eq!(given.signature, signature);
        verify_signed_challenge(&key, None, &given).unwrap();
        for bit in [0, 7, 500, 1023] {
            let mut forged = signature.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            let error = verify_signed_challenge(&key, None, &signed(&given.challenge, &forged));
            assert!(matches!(error, Err(ActiveAuthenticationError::NotProved)));
        }
        let error = verify_signed_challenge(&key, None, &signed(b"another1", &signature));
        assert!(matches!(error, Err(ActiveAuthenticationError::NotProved)));
        let error = verify_signed_challenge(&key, None, &signed(&given.challenge, &signature[1..]));
        assert!(matches!(error, Err(ActiveAuthenticationError::Form(_))));
    }
}

#[test]
fn representatives_other_than_the_scheme_s_are_refused() {
    let pair = Rsa::generate(1024).unwrap();
    let key = ActiveAuthenticationKey::from_spki_der(&pair.public_key_to_der().unwrap()).unwrap();
    let challenge = *b"RND.IFD!";
    let power = |representative: &[u8]| {
        let mut signature = vec![0; 128];
        pair.private_encrypt(representative, &mut signature, Padding::NONE)
            .unwrap();
        signature
    };
    let build = |head: &[u8], first: usize, tail: &[u8]| {
        let first = vec![0x5A; first];
        let message = [&first[..], &challenge].concat();
        let digest = hash(MessageDigest::sha1(), &message).unwrap();
        [head, &first, &digest, tail].concat()
    };
    let verdict =
        |signature: &[u8]| verify_signed_challenge(&key, None, &signed(&challenge, signature));
    let whole = build(&[0x6A], 106, &[0xBC]);
    assert!(verdict(&power(&whole)).is_ok());
    // Of s and n − s either may be given.
    let modulus = pair.n();
    let other = modulus - &openssl::bn::BigNum::from_slice(&power(&whole)).unwrap();
    assert!(verdict(&other.to_vec_padded(128).unwrap()).is_ok());
    // A shorter M1 behind a longer header.
    assert!(verdict(&power(&build(&[0x6B, 0xBB, 0xBA], 104, &[0xBC]))).is_ok());
    assert!(verdict(&power(&build(&[0x6B, 0xBA], 104, &[0x33, 0xCC]))).is_ok());
    for bad in [
        build(&[0x4A], 106, &[0xBC]),
        build(&[0x4B, 0xBA], 105, &[0xBC]),
        build(&[0x6B, 0xBB], 105, &[0xBC]),
        build(&[0x00, 0x6A], 105, &[0xBC]),
        build(&[0x6A], 105, &[0x32, 0xCC]),
        build(&[0x6A], 105, &[0x34, 0xCC]),
        build(&[0x6A], 106, &[0xAC]),
        [&[0x6A][..], &[0xBB; 125], &[0xBA, 0xBC]].concat(),
        [&[0x6B][..], &[0xBB; 126], &[0xBC]].concat(),
        vec![0; 128],
    ] {
        let error = verdict(&power(&bad)).unwrap_err();
        assert!(
            matches!(error, ActiveAuthenticationError::NotProved),
            "{bad:02X?}"
        );
    }
    let above = vec![0xFF; 128];
    assert!(matches!(
        verdict(&above),
        Err(ActiveAuthenticationError::NotProved)
    ));
}

#[test]
fn openssl_s_ecdsa_verifies_on_every_curve() {
    let hashes = [
        ("1", MessageDigest::sha1()),
        ("2", MessageDigest::sha224()),
        ("3", MessageDigest::sha256()),
        ("4", MessageDigest::sha384()),
        ("5", MessageDigest::sha512()),
        ("6", MessageDigest::ripemd160()),
    ];
    for parameters in DomainParameters::ALL
        .into_iter()
        .filter(|each| each.is_curve())
    {
        let group = parameters.curve().unwrap();
        let pair = EcKey::generate(&group).unwrap();
        let spki = pair.public_key_to_der().unwrap();
        let key = ActiveAuthenticationKey::from_spki_der(&spki).unwrap();
        for (arc, digest) in hashes {
            let info = info(arc);
            let challenge = *b"RND.IFD!";
            let hashed = hash(digest, &challenge).unwrap();
            let signature = EcdsaSig::sign(&hashed, &pair).unwrap();
            let length = group.order_bits().div_ceil(8) as i32;
            let plain = [signature.r(), signature.s()]
                .map(|number| number.to_vec_padded(length).unwrap())
                .concat();
            let verdict = |challenge: &[u8], signature: &[u8]| {
                verify_signed_challenge(&key, Some(&info), &signed(challenge, signature))
            };
            verdict(&challenge, &plain).unwrap();
            verdict(&challenge, &signature.to_der().unwrap()).unwrap();
            let error = verdict(b"another1", &plain).unwrap_err();
            assert!(matches!(error, ActiveAuthenticationError::NotProved));
            let zero = vec![0; plain.len()];
            let error = verdict(&challenge, &zero).unwrap_err();
            assert!(matches!(error, ActiveAuthenticationError::NotProved));
            let error = verdict(&challenge, &plain[1..]).unwrap_err();
            assert!(matches!(error, ActiveAuthenticationError::Form(_)));
        }
        for unsaid in [None, Some(info("9"))] {
            let error =
                ActiveAuthentication::start(&key, unsaid.as_ref(), &mut Scripted::default());
            assert!(matches!(error, Err(ActiveAuthenticationError::NoAlgorithm)));
        }
    }
}

fn info(arc: &str) -> ActiveAuthenticationInfo {
    let oid = format!("{ECDSA_PLAIN}{arc}");
    ActiveAuthenticationInfo {
        version: 1,
        signature_algorithm: der::asn1::ObjectIdentifier::new(&oid).unwrap(),
    }
}

#[test]
fn keys_that_cost_or_mean_nothing_are_refused() {
    use ActiveAuthenticationKeyError::{Curve, Rsa as Refused, Syntax};
    use der::Encode;
    use der::asn1::{BitString, UintRef};
    let key = |modulus: &[u8], exponent: &[u8]| {
        let numbers =
            [modulus, exponent].map(|bytes| UintRef::new(bytes).unwrap().to_der().unwrap());
        let body = numbers.concat();
        let body = [&tlv_header(0x30, body.len())[..], &body].concat();
        let bits = BitString::from_bytes(&body).unwrap().to_der().unwrap();
        let head = hex::decode("300D06092A864886F70D0101010500").unwrap();
        let whole = [head, bits].concat();
        ActiveAuthenticationKey::from_spki_der(
            &[&tlv_header(0x30, whole.len())[..], &whole].concat(),
        )
    };
    let odd = |length: usize| [vec![0xC1; length - 1], vec![0xC1]].concat();
    assert!(key(&odd(128), &[1, 0, 1]).is_ok());
    assert!(key(&odd(512), &[3]).is_ok());
    let mut even = odd(128);
    even[127] = 2;
    for (modulus, exponent) in [
        (odd(127), vec![1, 0, 1]),
        (odd(513), vec![1, 0, 1]),
        (even, vec![1, 0, 1]),
        (odd(128), vec![1]),
        (odd(128), vec![1, 0, 2]),
        (odd(128), vec![1, 0, 0, 0, 0, 0, 0, 0, 1]),
        ([vec![0x41], vec![0xC1; 127]].concat(), vec![1, 0, 1]),
    ] {
        assert!(
            matches!(key(&modulus, &exponent), Err(Refused(_))),
            "{modulus:02X?}"
        );
    }
    let bad = ActiveAuthenticationKey::from_spki_der(&[0x30, 0]);
    assert!(matches!(bad, Err(Syntax)));
    let off = EcKey::generate(&DomainParameters::P256.curve().unwrap()).unwrap();
    let mut off = off.public_key_to_der().unwrap();
    *off.last_mut().unwrap() ^= 1;
    assert!(matches!(
        ActiveAuthenticationKey::from_spki_der(&off),
        Err(Curve(_))
    ));
}

fn tlv_header(tag: u8, length: usize) -> Vec<u8> {
    [&[tag], &card::tlv::encode_length(length)[..]].concat()
}
