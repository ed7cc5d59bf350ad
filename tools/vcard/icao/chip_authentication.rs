//! Chip Authentication, versions 1 and 2 (ICAO Doc 9303-11 §6.2; BSI TR-03110-2 §3.4, -3
//! §3.4): secure messaging begins anew with what the chip's own key agrees on.

use card::Status;

use super::curve::Curve;
use super::document::{Document, Outcome, Request, Way};
use super::key_objects::{KeyObject, Private};
use crate::applet::{Entropy, Work, broken};
use crate::inspection::cipher::{Cipher, Keys};
use crate::inspection::messaging::Messaging;
use crate::objects::{Objects, object};
use crate::secret::Secret;

/// id-CA-ECDH: 0.4.0.127.0.7.2.2.3.2.
const CHIP_AUTHENTICATION: [u8; 9] = [0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x03, 0x02];
/// Bytes of version 2's nonce.
const NONCE: usize = 8;

/// What MSE:Set AT prepared.
#[derive(Clone, Copy)]
pub(super) struct Prepared {
    cipher: Cipher,
    reference: u8,
}

impl Prepared {
    fn identifier(self) -> Vec<u8> {
        let arc = match self.cipher {
            Cipher::TripleDes => 1,
            Cipher::Aes128 => 2,
            Cipher::Aes192 => 3,
            Cipher::Aes256 => 4,
        };
        [&CHIP_AUTHENTICATION[..], &[arc]].concat()
    }
}

impl Document {
    /// Finds the key of chip authentication: the one with this reference, or the only one.
    fn key_of_chip(&self, reference: Option<&[u8]>, cipher: Cipher) -> Result<&KeyObject, Status> {
        let mut keys = self.memory.keys.of_chip();
        let key = match reference {
            Some(&[reference]) => keys.find(|key| key.reference == reference),
            Some(_) => return Err(Status::WRONG_DATA),
            None => keys.next().filter(|_| keys.next().is_none()),
        };
        let key = key.ok_or(Status::REFERENCE_NOT_FOUND)?;
        if !key.serves(cipher) {
            return Err(Status::WRONG_DATA);
        }
        Ok(key)
    }

    /// `22 41 A6  91 <key> [84 <reference>]`: the whole protocol in one command, with triple
    /// DES.
    pub(super) fn agree_with_triple_des(&mut self, request: &Request<'_>) -> Outcome {
        let objects = Objects::parse(request.data, &[0x91, 0x84])?;
        let cipher = Cipher::TripleDes;
        let key = self.key_of_chip(objects.get(0x84), cipher)?;
        let terminal = objects.need(0x91)?;
        let (curve, shared) = agree(key, terminal)?;
        self.succeed(curve, terminal, Keys::derive(cipher, shared.bytes()))?;
        Ok(Vec::new())
    }

    /// `22 41 A4  80 <protocol> [84 <reference>]`.
    pub(super) fn prepare_chip_authentication(&mut self, request: &Request<'_>) -> Outcome {
        let objects = Objects::parse(request.data, &[0x80, 0x84])?;
        let wrong = Status::WRONG_DATA;
        let &[arc] = objects
            .need(0x80)?
            .strip_prefix(&CHIP_AUTHENTICATION)
            .ok_or(wrong)?
        else {
            return Err(wrong);
        };
        let cipher = Cipher::from_arc(arc).ok_or(wrong)?;
        let reference = self.key_of_chip(objects.get(0x84), cipher)?.reference;
        let session = self.session.as_mut().ok_or(Status::UNKNOWN)?;
        session.inspection.prepared = Some(Prepared { cipher, reference });
        Ok(Vec::new())
    }

    /// `86 00 00  7C { 80 <key> }`: 7C{}, or 7C { 81 nonce 82 token } where terminal
    /// authentication of version 2 went before.
    pub(super) fn authenticate_chip(
        &mut self,
        request: &Request<'_>,
        entropy: &mut Entropy,
        work: &mut Work,
    ) -> Outcome {
        request.no_parameters()?;
        let session = self
            .session
            .as_mut()
            .filter(|_| request.way == Way::Session);
        let session = session.ok_or(Status::CONDITIONS_NOT_SATISFIED)?;
        let announced = session.inspection.announced().map(<[u8]>::to_vec);
        let prepared = session.inspection.prepared.take();
        let prepared = prepared.ok_or(Status::CONDITIONS_NOT_SATISFIED)?;
        if request.is_chained() {
            return Err(Status::CHAINING_NOT_SUPPORTED);
        }
        let template = Objects::single(request.data, 0x7C)?;
        let terminal = Objects::single(template, 0x80)?;
        let key = self.key_of_chip(Some(&[prepared.reference]), prepared.cipher)?;
        let (curve, shared) = agree(key, terminal)?;
        work.signed = Some(curve.work());
        let Some(announced) = announced else {
            let keys = Keys::derive(prepared.cipher, shared.bytes());
            self.succeed(curve, terminal, keys)?;
            return Ok(object::<0x7C>(&[]));
        };
        // The key must be the one that the terminal announced when it proved itself.
        if curve.abscissa(terminal) != announced {
            return Err(Status::AUTHENTICATION_FAILED);
        }
        let mut nonce = [0; NONCE];
        entropy.draw(&mut nonce)?;
        let secret = Secret::new([shared.bytes(), &nonce].concat());
        let keys = Keys::derive(prepared.cipher, secret.bytes());
        let content = [
            object::<0x06>(&prepared.identifier()),
            object::<0x86>(terminal),
        ];
        let token = keys.mac(&object::<0x7F49>(&content.concat()));
        let token = token.map_err(broken)?;
        let answer = [object::<0x81>(&nonce), object::<0x82>(&token)].concat();
        self.succeed(curve, terminal, keys)?;
        Ok(object::<0x7C>(&answer))
    }

    /// The new keys take over behind this answer, which the old ones seal.
    fn succeed(&mut self, curve: Curve, terminal: &[u8], keys: Keys) -> Result<(), Status> {
        let session = self.session.as_mut().ok_or(Status::UNKNOWN)?;
        session.inspection.chip_is_genuine(curve.abscissa(terminal));
        self.challenge = None;
        self.successor = Some(Messaging::new(keys, 0));
        Ok(())
    }
}

/// Agrees on a secret with a terminal's ephemeral key.
fn agree(key: &KeyObject, terminal: &[u8]) -> Result<(Curve, Secret), Status> {
    let Private::Curve { curve, scalar } = &key.private else {
        return Err(Status::REFERENCE_DATA_NOT_USABLE);
    };
    let shared = curve.agree(scalar, terminal).map_err(broken)?;
    Ok((*curve, shared.ok_or(Status::WRONG_DATA)?))
}
