//! PUT DATA: a private key made elsewhere, where the applet was built to take one.

use card::tlv::{self, Tlv};
use card::{Command, Status};
use openssl::bn::{BigNum, BigNumContext, BigNumRef};
use openssl::error::ErrorStack;
use openssl::pkey::Private;
use openssl::rsa::{Rsa, RsaPrivateKeyBuilder};

use super::applet::{DATA_INVALID, IsoApplet, Outcome};
use super::keys::{BUFFER, EC_KEY, RSA_KEY, domain, get};
use super::memory::Key;
use crate::applet::Work;
use crate::secret::Secret;

/// Bytes of each of the five numbers of an RSA key.
const HALF: usize = 128;

impl IsoApplet {
    /// `00 DB 3F FF`, where MSE SET prepared a key pair: RSA `7F48 { 92 p, 93 q, 94 1/q,
    /// 95 d mod p-1, 96 d mod q-1 }`, EC `E0 { 81 to 85, 87 the domain, 88 the key }`.
    pub(super) fn put_data(&mut self, command: &Command, work: &mut Work) -> Outcome {
        self.verified()?;
        if (command.p1(), command.p2()) != (0x3F, 0xFF) {
            return Err(Status::WRONG_P1_P2);
        }
        if !self.build.import {
            return Err(Status::new(0x6900));
        }
        let environment = self.session.environment;
        let environment = environment.ok_or(Status::CONDITIONS_NOT_SATISFIED)?;
        let outer = match environment.algorithm {
            RSA_KEY => 0x7F48,
            EC_KEY => 0xE0,
            _ => return Err(Status::CONDITIONS_NOT_SATISFIED),
        };
        if command.data().len() > BUFFER {
            return Err(self.overflow());
        }
        let (whole, rest) = tlv::parse(command.data()).map_err(|_| DATA_INVALID)?;
        if whole.tag.value() != outer {
            return Err(Status::WRONG_DATA);
        }
        let objects = tlv::parse_all(whole.value).map_err(|_| DATA_INVALID)?;
        if !rest.is_empty() {
            return Err(DATA_INVALID);
        }
        let key = if environment.algorithm == RSA_KEY {
            rsa(&objects)?
        } else {
            let curve = domain(&objects)?;
            let private = get(&objects, 0x88).ok_or(DATA_INVALID)?;
            if private.len() != curve.width() {
                return Err(DATA_INVALID);
            }
            let [.., order] = curve.domain().map_err(|_| Status::UNKNOWN)?;
            // From 1 to n - 1; both are as long as the field.
            if private.iter().all(|byte| *byte == 0) || private >= order.as_slice() {
                return Err(DATA_INVALID);
            }
            let private = Secret::new(private);
            let public = curve.public(&private).map_err(|_| Status::UNKNOWN)?;
            Key::Ec {
                curve,
                private,
                public,
            }
        };
        self.keep(environment.key, key, work)
    }
}

fn rsa(objects: &[Tlv<'_>]) -> Result<Key, Status> {
    let need = |tag| get(objects, tag).ok_or(DATA_INVALID);
    let parts = [
        need(0x92)?,
        need(0x93)?,
        need(0x94)?,
        need(0x95)?,
        need(0x96)?,
    ];
    if parts.iter().any(|part| part.len() != HALF) {
        return Err(DATA_INVALID);
    }
    let key = joined(parts).map_err(|_| DATA_INVALID)?;
    if !matches!(key.check_key(), Ok(true)) {
        return Err(DATA_INVALID);
    }
    let private = Secret::new(key.private_key_to_der().map_err(|_| Status::UNKNOWN)?);
    Ok(Key::Rsa { private })
}

/// Computes what the five numbers leave out: the modulus and both exponents.
fn joined([p, q, inverse, dp, dq]: [&[u8]; 5]) -> Result<Rsa<Private>, ErrorStack> {
    let number = |bytes| {
        let mut number = BigNum::new_secure()?;
        number.copy_from_slice(bytes)?;
        Ok::<_, ErrorStack>(number)
    };
    let (p, q, inverse, dp, dq) = (
        number(p)?,
        number(q)?,
        number(inverse)?,
        number(dp)?,
        number(dq)?,
    );
    let mut context = BigNumContext::new_secure()?;
    let less_one = |number: &BigNumRef| {
        let mut less = number.to_owned()?;
        less.sub_word(1)?;
        Ok::<_, ErrorStack>(less)
    };
    let (p1, q1) = (less_one(&p)?, less_one(&q)?);
    let (mut n, mut phi) = (BigNum::new()?, BigNum::new_secure()?);
    n.checked_mul(&p, &q, &mut context)?;
    phi.checked_mul(&p1, &q1, &mut context)?;
    let (mut e, mut d) = (BigNum::new()?, BigNum::new_secure()?);
    e.mod_inverse(&dp, &p1, &mut context)?;
    d.mod_inverse(&e, &phi, &mut context)?;
    let key = RsaPrivateKeyBuilder::new(n, e, d)?;
    Ok(key
        .set_factors(p, q)?
        .set_crt_params(dp, dq, inverse)?
        .build())
}
