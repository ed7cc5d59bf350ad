//! PUT DATA: a private key made elsewhere, where the applet was built to take one.

use card::tlv::{self, Tlv};
use card::{Command, Status};

use super::applet::{DATA_INVALID, IsoApplet, Outcome};
use super::keys::{BUFFER, EC_KEY, RSA_KEY, domain, get};
use super::memory::Key;
use crate::applet::Work;
use crate::rsa::{HALF, RsaKey};
use crate::secret::Secret;

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
            if !curve.takes(private).map_err(|_| Status::UNKNOWN)? {
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
    let [p, q, of_q, dp, dq] = [
        need(0x92)?,
        need(0x93)?,
        need(0x94)?,
        need(0x95)?,
        need(0x96)?,
    ];
    let factors = [p, q, dp, dq, of_q];
    if factors.iter().any(|part| part.len() != HALF) {
        return Err(DATA_INVALID);
    }
    let key = RsaKey::from_factors(factors).ok_or(DATA_INVALID)?;
    let private = key.to_der().map_err(|_| Status::UNKNOWN)?;
    Ok(Key::Rsa { private })
}
