//! Domain parameters of elliptic curves, as chips are given them in commands.

use crate::algorithm::Curve;

/// What makes a curve y² = x³ + ax + b over the field of p elements, with a base point
/// (*BSI TR-03111 §4.1*). Numbers are big-endian and as long as the curve's field
/// ([`Curve::field_length`]), leading zeros included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DomainParameters {
    /// The prime p.
    pub p: &'static [u8],
    /// The coefficient a.
    pub a: &'static [u8],
    /// The coefficient b.
    pub b: &'static [u8],
    /// The base point G, uncompressed: 04 ‖ x ‖ y.
    pub g: &'static [u8],
    /// The order n of G.
    pub n: &'static [u8],
    /// The cofactor h, one byte: 1.
    pub h: &'static [u8],
}

impl DomainParameters {
    pub(crate) fn of(curve: Curve) -> Self {
        match curve {
            Curve::P256 => P256,
            Curve::P384 => P384,
            Curve::P521 => P521,
            Curve::BrainpoolP256r1 => BRAINPOOL_P256R1,
            Curve::BrainpoolP384r1 => BRAINPOOL_P384R1,
            Curve::BrainpoolP512r1 => BRAINPOOL_P512R1,
        }
    }
}

/// Reads hexadecimal of exactly `N` bytes while the program is compiled; what does not fit is a
/// compiler error.
const fn hex<const N: usize>(text: &str) -> [u8; N] {
    const fn digit(letter: u8) -> u8 {
        match letter {
            b'0'..=b'9' => letter - b'0',
            b'A'..=b'F' => letter - b'A' + 10,
            _ => unreachable!(),
        }
    }
    let text = text.as_bytes();
    assert!(text.len() == 2 * N);
    let mut bytes = [0; N];
    let mut place = 0;
    while place < N {
        bytes[place] = digit(text[2 * place]) << 4 | digit(text[2 * place + 1]);
        place += 1;
    }
    bytes
}

// SP 800-186 §3.2.1.3 to §3.2.1.5.

const P256: DomainParameters = DomainParameters {
    p: &hex::<32>("FFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF"),
    a: &hex::<32>("FFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFC"),
    b: &hex::<32>("5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B"),
    g: &hex::<65>(
        "\
         046B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C2\
         964FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51\
         F5",
    ),
    n: &hex::<32>("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551"),
    h: &[1],
};

const P384: DomainParameters = DomainParameters {
    p: &hex::<48>(
        "\
         FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFE\
         FFFFFFFF0000000000000000FFFFFFFF",
    ),
    a: &hex::<48>(
        "\
         FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFE\
         FFFFFFFF0000000000000000FFFFFFFC",
    ),
    b: &hex::<48>(
        "\
         B3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875A\
         C656398D8A2ED19D2A85C8EDD3EC2AEF",
    ),
    g: &hex::<97>(
        "\
         04AA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B9859F741E082542A\
         385502F25DBF55296C3A545E3872760AB73617DE4A96262C6F5D9E98BF9292DC\
         29F8F41DBD289A147CE9DA3113B5F0B8C00A60B1CE1D7E819D7A431D7C90EA0E\
         5F",
    ),
    n: &hex::<48>(
        "\
         FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF\
         581A0DB248B0A77AECEC196ACCC52973",
    ),
    h: &[1],
};

const P521: DomainParameters = DomainParameters {
    p: &hex::<66>(
        "\
         01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF\
         FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF\
         FFFF",
    ),
    a: &hex::<66>(
        "\
         01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF\
         FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF\
         FFFC",
    ),
    b: &hex::<66>(
        "\
         0051953EB9618E1C9A1F929A21A0B68540EEA2DA725B99B315F3B8B489918EF1\
         09E156193951EC7E937B1652C0BD3BB1BF073573DF883D2C34F1EF451FD46B50\
         3F00",
    ),
    g: &hex::<133>(
        "\
         0400C6858E06B70404E9CD9E3ECB662395B4429C648139053FB521F828AF606B\
         4D3DBAA14B5E77EFE75928FE1DC127A2FFA8DE3348B3C1856A429BF97E7E31C2\
         E5BD66011839296A789A3BC0045C8A5FB42C7D1BD998F54449579B446817AFBD\
         17273E662C97EE72995EF42640C550B9013FAD0761353C7086A272C24088BE94\
         769FD16650",
    ),
    n: &hex::<66>(
        "\
         01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF\
         FFFA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E9138\
         6409",
    ),
    h: &[1],
};

// RFC 5639 §3.4, §3.6, §3.7.

const BRAINPOOL_P256R1: DomainParameters = DomainParameters {
    p: &hex::<32>("A9FB57DBA1EEA9BC3E660A909D838D726E3BF623D52620282013481D1F6E5377"),
    a: &hex::<32>("7D5A0975FC2C3057EEF67530417AFFE7FB8055C126DC5C6CE94A4B44F330B5D9"),
    b: &hex::<32>("26DC5C6CE94A4B44F330B5D9BBD77CBF958416295CF7E1CE6BCCDC18FF8C07B6"),
    g: &hex::<65>(
        "\
         048BD2AEB9CB7E57CB2C4B482FFC81B7AFB9DE27E1E3BD23C23A4453BD9ACE32\
         62547EF835C3DAC4FD97F8461A14611DC9C27745132DED8E545C1D54C72F0469\
         97",
    ),
    n: &hex::<32>("A9FB57DBA1EEA9BC3E660A909D838D718C397AA3B561A6F7901E0E82974856A7"),
    h: &[1],
};

const BRAINPOOL_P384R1: DomainParameters = DomainParameters {
    p: &hex::<48>(
        "\
         8CB91E82A3386D280F5D6F7E50E641DF152F7109ED5456B412B1DA197FB71123\
         ACD3A729901D1A71874700133107EC53",
    ),
    a: &hex::<48>(
        "\
         7BC382C63D8C150C3C72080ACE05AFA0C2BEA28E4FB22787139165EFBA91F90F\
         8AA5814A503AD4EB04A8C7DD22CE2826",
    ),
    b: &hex::<48>(
        "\
         04A8C7DD22CE28268B39B55416F0447C2FB77DE107DCD2A62E880EA53EEB62D5\
         7CB4390295DBC9943AB78696FA504C11",
    ),
    g: &hex::<97>(
        "\
         041D1C64F068CF45FFA2A63A81B7C13F6B8847A3E77EF14FE3DB7FCAFE0CBD10\
         E8E826E03436D646AAEF87B2E247D4AF1E8ABE1D7520F9C2A45CB1EB8E95CFD5\
         5262B70B29FEEC5864E19C054FF99129280E4646217791811142820341263C53\
         15",
    ),
    n: &hex::<48>(
        "\
         8CB91E82A3386D280F5D6F7E50E641DF152F7109ED5456B31F166E6CAC0425A7\
         CF3AB6AF6B7FC3103B883202E9046565",
    ),
    h: &[1],
};

const BRAINPOOL_P512R1: DomainParameters = DomainParameters {
    p: &hex::<64>(
        "\
         AADD9DB8DBE9C48B3FD4E6AE33C9FC07CB308DB3B3C9D20ED6639CCA70330871\
         7D4D9B009BC66842AECDA12AE6A380E62881FF2F2D82C68528AA6056583A48F3",
    ),
    a: &hex::<64>(
        "\
         7830A3318B603B89E2327145AC234CC594CBDD8D3DF91610A83441CAEA9863BC\
         2DED5D5AA8253AA10A2EF1C98B9AC8B57F1117A72BF2C7B9E7C1AC4D77FC94CA",
    ),
    b: &hex::<64>(
        "\
         3DF91610A83441CAEA9863BC2DED5D5AA8253AA10A2EF1C98B9AC8B57F1117A7\
         2BF2C7B9E7C1AC4D77FC94CADC083E67984050B75EBAE5DD2809BD638016F723",
    ),
    g: &hex::<129>(
        "\
         0481AEE4BDD82ED9645A21322E9C4C6A9385ED9F70B5D916C1B43B62EEF4D009\
         8EFF3B1F78E2D0D48D50D1687B93B97D5F7C6D5047406A5E688B352209BCB9F8\
         227DDE385D566332ECC0EABFA9CF7822FDF209F70024A57B1AA000C55B881F81\
         11B2DCDE494A5F485E5BCA4BD88A2763AED1CA2B2FA8F0540678CD1E0F3AD808\
         92",
    ),
    n: &hex::<64>(
        "\
         AADD9DB8DBE9C48B3FD4E6AE33C9FC07CB308DB3B3C9D20ED6639CCA70330870\
         553E5C414CA92619418661197FAC10471DB1D381085DDADDB58796829CA90069",
    ),
    h: &[1],
};

#[cfg(test)]
mod tests {
    use openssl::bn::{BigNum, BigNumContext};
    use openssl::ec::{EcGroup, PointConversionForm};

    use crate::testing::EC_CURVES;

    #[test]
    fn parameters_are_openssl_s_and_of_full_length() {
        for (curve, nid) in EC_CURVES {
            let group = EcGroup::from_curve_name(nid).unwrap();
            let mut context = BigNumContext::new().unwrap();
            let number = || BigNum::new().unwrap();
            let (mut p, mut a, mut b, mut n, mut h) =
                (number(), number(), number(), number(), number());
            group
                .components_gfp(&mut p, &mut a, &mut b, &mut context)
                .unwrap();
            group.order(&mut n, &mut context).unwrap();
            group.cofactor(&mut h, &mut context).unwrap();
            let point = group
                .generator_opt()
                .unwrap()
                .to_bytes(&group, PointConversionForm::UNCOMPRESSED, &mut context)
                .unwrap();
            let length = i32::try_from(curve.field_length()).unwrap();
            let ours = curve.domain_parameters();
            for (theirs, ours) in [(p, ours.p), (a, ours.a), (b, ours.b), (n, ours.n)] {
                assert_eq!(theirs.to_vec_padded(length).unwrap(), ours, "{curve}");
            }
            assert_eq!(point, ours.g, "{curve}");
            assert_eq!(h.to_vec(), ours.h, "{curve}");
        }
    }
}
