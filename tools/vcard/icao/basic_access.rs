//! Basic Access Control (ICAO Doc 9303-11 §4.3).

use card::Status;
use zeroize::Zeroizing;

use super::cipher::{Cipher, Keys, MAC};
use super::document::{Document, Outcome, Request, Session, Way};
use super::messaging::Messaging;
use super::terminal_authentication::Inspection;
use crate::applet::{Entropy, Work, broken};
use crate::secret::same;

/// Bytes of the cryptogram: RND ‖ RND ‖ K.
const CRYPTOGRAM: usize = 32;
const IV: [u8; 8] = [0; 8];

impl Document {
    /// `82 00 00 28 <E.IFD, 32> <M.IFD, 8>`: E.IC ‖ M.IC, and the session.
    pub(super) fn basic_access(
        &mut self,
        request: &Request<'_>,
        entropy: &mut Entropy,
        work: &mut Work,
    ) -> Outcome {
        request.no_parameters()?;
        // One challenge, one attempt.
        let challenge = self.challenge.take();
        let zone = self
            .memory
            .zone
            .as_ref()
            .filter(|_| self.memory.basic_access);
        let (Some(zone), Some(challenge), Way::Plain) = (zone, challenge, request.way) else {
            return Err(Status::CONDITIONS_NOT_SATISFIED);
        };
        let (sealed, mac) = request
            .data
            .split_at_checked(CRYPTOGRAM)
            .unwrap_or_default();
        if mac.len() != MAC {
            return Err(Status::WRONG_LENGTH);
        }
        let keys = zone.keys();
        let identifier = zone.number().to_vec();
        work.pause_ms = self.memory.pause();
        work.written += 1;
        self.memory.attempt();
        if !keys.verifies(sealed, mac).map_err(broken)? {
            return Err(Status::AUTHENTICATION_FAILED);
        }
        let cipher = Cipher::TripleDes;
        let opened = cipher.decrypt(&keys.enc, &IV, sealed).map_err(broken)?;
        let (random, key) = opened.split_at(16);
        let (reader, own) = random.split_at(8);
        if !same(own, &challenge) {
            return Err(Status::AUTHENTICATION_FAILED);
        }
        self.memory.succeed();
        let mut chip = Zeroizing::new([0; 16]);
        entropy.draw(&mut chip[..])?;
        let answer = Zeroizing::new([own, reader, &chip[..]].concat());
        let mut answer = cipher.encrypt(&keys.enc, &IV, &answer).map_err(broken)?;
        answer.extend(keys.mac(&answer).map_err(broken)?);

        let seed = key
            .iter()
            .zip(chip.iter())
            .map(|(reader, chip)| reader ^ chip);
        let seed = Zeroizing::new(seed.collect::<Vec<u8>>());
        let halves = own.iter().skip(4).chain(reader.iter().skip(4));
        let counter = halves.fold(0, |counter, byte| counter << 8 | u128::from(*byte));
        let session = Messaging::new(Keys::derive(cipher, &seed), counter);
        self.end();
        self.session = Some(Session {
            messaging: session,
            identifier,
            by_pace: false,
            inspection: Inspection::restricted(None),
        });
        Ok(answer)
    }
}
