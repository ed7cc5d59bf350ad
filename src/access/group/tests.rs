use super::*;
use crate::random::SystemRandom;
use crate::testing::Scripted;

#[test]
fn two_sides_agree_as_openssl_does() {
    use openssl::derive::Deriver;
    use openssl::ec::EcKey;
    use openssl::pkey::PKey;
    for parameters in DomainParameters::ALL
        .into_iter()
        .filter(|each| each.is_curve())
    {
        let group = Group::new(parameters).unwrap();
        let private = group.draw(&mut SystemRandom).unwrap();
        let public = group.power(&group.generator().unwrap(), &private).unwrap();
        let curve = parameters.curve().unwrap();
        let other = EcKey::generate(&curve).unwrap();
        let mut context = BigNumContext::new().unwrap();
        let theirs = other
            .public_key()
            .to_bytes(&curve, PointConversionForm::UNCOMPRESSED, &mut context)
            .unwrap();
        let shared = group
            .power(&group.decode(&theirs).unwrap(), &private)
            .unwrap();
        let ours = point(&curve, &group.encode(&public).unwrap()).unwrap();
        let ours = PKey::from_ec_key(EcKey::from_public_key(&curve, &ours).unwrap()).unwrap();
        let other = PKey::from_ec_key(other).unwrap();
        let mut deriver = Deriver::new(&other).unwrap();
        deriver.set_peer(&ours).unwrap();
        assert_eq!(
            *group.secret(&shared).unwrap(),
            deriver.derive_to_vec().unwrap()
        );
    }
}

#[test]
fn what_is_no_public_key_is_refused() {
    let group = Group::new(DomainParameters::P256).unwrap();
    let good = group.encode(&group.generator().unwrap()).unwrap();
    let mut off = good.clone();
    off[64] ^= 1;
    let compressed = [&[3], &good[1..33]].concat();
    let mut hybrid = good.clone();
    hybrid[0] = 7;
    // Coordinates above the prime would be the same point a second time.
    let mut above = vec![0xFF; 65];
    above[0] = 4;
    for bad in [
        &off[..],
        &compressed,
        &hybrid,
        &above,
        &good[1..],
        &[0],
        &[],
        &[4; 64],
    ] {
        assert!(matches!(
            group.decode(bad),
            Err(DomainParametersError::PublicKey)
        ));
    }
    assert!(group.decode(&good).is_ok());

    let group = Group::new(DomainParameters::Dh1024).unwrap();
    let Group::Numbers { p, q, .. } = &group else {
        panic!("a curve");
    };
    let mut less = BigNumRef::to_owned(p).unwrap();
    less.sub_word(1).unwrap();
    let two = BigNum::from_u32(2).unwrap();
    let (p, less, two) = (p.to_vec(), less.to_vec(), two.to_vec());
    // q itself is below p and no member of the subgroup.
    for bad in [
        &[][..],
        &[0],
        &[1],
        &p,
        &less,
        &two,
        &q.to_vec(),
        &[0xFF; 128],
        &[1; 129],
    ] {
        assert!(matches!(
            group.decode(bad),
            Err(DomainParametersError::PublicKey)
        ));
    }
    assert!(
        group
            .decode(&group.encode(&group.generator().unwrap()).unwrap())
            .is_ok()
    );
}

#[test]
fn private_numbers_are_drawn_again_until_they_are_in_range() {
    let group = Group::new(DomainParameters::P256).unwrap();
    let order = group.order().unwrap().to_vec();
    let mut random = Scripted::new([vec![0; 32], order, vec![0xFF; 32], vec![7; 32]]);
    assert_eq!(group.draw(&mut random).unwrap().0.to_vec(), [7; 32]);
    // The order of P-521 has 521 bits: the seven above are not asked for.
    let group = Group::new(DomainParameters::P521).unwrap();
    let mut random = Scripted::new([[vec![0xFE], vec![9; 65]].concat()]);
    assert_eq!(group.draw(&mut random).unwrap().0.to_vec(), [9; 65]);
    let mut random = Scripted::new(vec![vec![0; 66]; MAX_DRAWS]);
    assert!(group.draw(&mut random).is_err());
}
