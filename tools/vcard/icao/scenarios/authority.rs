//! A test border: certification authorities that make CV certificates with openssl, good ones
//! and bad ones.

use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::EcKey;
use openssl::ecdsa::EcdsaSig;
use openssl::nid::Nid;
use openssl::pkey::Private;
use openssl::sha::sha256;

use super::reader::{encode, group, object};
use crate::vectors::unhex;

/// Template bytes of an inspection system's roles, with both rights.
pub(super) const CVCA: u8 = 0xC3;
pub(super) const DOMESTIC: u8 = 0x83;
pub(super) const FOREIGN: u8 = 0x43;
pub(super) const TERMINAL: u8 = 0x03;

/// Who signs certificates, or opens documents: ECDSA on P-256 with SHA-256.
pub(super) struct Party {
    key: EcKey<Private>,
    pub(super) reference: String,
}

/// What a certificate says.
#[derive(Clone)]
pub(super) struct Say<'a> {
    pub(super) role: u8,
    /// Days, `YYMMDD`.
    pub(super) from: &'a str,
    pub(super) to: &'a str,
    /// Whether the curve's parameters are in it.
    pub(super) parameters: bool,
    /// Last arc of the terminal's type: 1 inspection system.
    pub(super) kind: u8,
}

/// Says what is usual for a role.
pub(super) fn say<'a>(role: u8, from: &'a str, to: &'a str) -> Say<'a> {
    Say {
        role,
        from,
        to,
        parameters: role >> 6 == 3,
        kind: 1,
    }
}

fn digits(day: &str) -> Vec<u8> {
    day.bytes().map(|digit| digit - b'0').collect()
}

impl Party {
    pub(super) fn new(reference: &str) -> Self {
        let key = EcKey::generate(&group(Nid::X9_62_PRIME256V1)).unwrap();
        let reference = reference.to_owned();
        Self { key, reference }
    }

    fn public(&self, parameters: bool) -> Vec<u8> {
        let group = group(Nid::X9_62_PRIME256V1);
        let mut context = BigNumContext::new().unwrap();
        let point = self.key.public_key().to_owned(&group).unwrap();
        let mut content = object("06", &unhex("04007F00070202020203"));
        if parameters {
            let [mut p, mut a, mut b, mut n] = [(); 4].map(|()| BigNum::new().unwrap());
            group
                .components_gfp(&mut p, &mut a, &mut b, &mut context)
                .unwrap();
            group.order(&mut n, &mut context).unwrap();
            let generator = group.generator_opt().unwrap().to_owned(&group).unwrap();
            for (tag, number) in [("81", p), ("82", a), ("83", b)] {
                content.extend(object(tag, &number.to_vec_padded(32).unwrap()));
            }
            content.extend(object("84", &encode(&group, &generator)));
            content.extend(object("85", &n.to_vec()));
        }
        content.extend(object("86", &encode(&group, &point)));
        if parameters {
            content.extend(object("87", &[1]));
        }
        object("7F49", &content)
    }

    /// Certifies somebody: `7F4E ‖ 5F37`.
    pub(super) fn certify(&self, whom: &Self, say: &Say<'_>) -> Vec<u8> {
        let kind = [&unhex("04007F0007030102")[..], &[say.kind]].concat();
        let template = [object("06", &kind), object("53", &[say.role])].concat();
        let body = [
            object("5F29", &[0]),
            object("42", self.reference.as_bytes()),
            whom.public(say.parameters),
            object("5F20", whom.reference.as_bytes()),
            object("7F4C", &template),
            object("5F25", &digits(say.from)),
            object("5F24", &digits(say.to)),
        ];
        let body = object("7F4E", &body.concat());
        let signature = self.sign(&body);
        [body, object("5F37", &signature)].concat()
    }

    /// Signs: r ‖ s.
    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature = EcdsaSig::sign(&sha256(message), &self.key).unwrap();
        let [r, s] = [signature.r(), signature.s()].map(|n| n.to_vec_padded(32).unwrap());
        [r, s].concat()
    }
}
