//! Whom the chip trusts, and what day it is as far as it knows (BSI TR-03110-3 §2.5; ICAO
//! Doc 9303-11 §7.1.4).

use card::Status;
use serde::{Deserialize, Serialize};

use super::certificates::{Certificate, Day, PublicKey};
use crate::objects::object;
use crate::secret::hexadecimal;

/// Bytes of EF.CVCA.
const FILE: usize = 36;
/// Trust points that the chip keeps: the present one and the one before.
const MOST: usize = 2;

/// A trust point: a CVCA's key.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TrustPoint {
    #[serde(with = "hexadecimal")]
    pub(super) reference: Vec<u8>,
    pub(super) key: PublicKey,
    pub(super) rights: u8,
    expires: Day,
}

/// All trust points, the newest first, and the day.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Trust {
    points: Vec<TrustPoint>,
    today: Option<Day>,
}

impl Trust {
    /// Says whether there is a trust point, and a day.
    pub(super) fn is_whole(&self) -> bool {
        !self.points.is_empty() && self.today.is_some()
    }

    /// Says whether there is a trust point.
    pub(super) fn has_points(&self) -> bool {
        !self.points.is_empty()
    }

    /// Finds a trust point by its name.
    pub(super) fn find(&self, reference: &[u8]) -> Option<&TrustPoint> {
        self.points
            .iter()
            .find(|point| point.reference == reference)
    }

    /// Returns the names of all, the newest first.
    pub(super) fn references(&self) -> Vec<Vec<u8>> {
        self.points
            .iter()
            .map(|point| point.reference.clone())
            .collect()
    }

    /// Returns EF.CVCA (ICAO Doc 9303-11 §7.1.3): the names, and 00 behind them.
    pub(super) fn file(&self) -> Option<Vec<u8>> {
        if self.points.is_empty() {
            return None;
        }
        let names = self
            .points
            .iter()
            .map(|point| object::<0x42>(&point.reference));
        let mut file = names.collect::<Vec<_>>().concat();
        file.resize(FILE, 0);
        Some(file)
    }

    /// Says whether a day is past.
    pub(super) fn is_past(&self, day: &Day) -> bool {
        self.today.is_some_and(|today| *day < today)
    }

    /// Says whether a trust point's own time is over.
    pub(super) fn has_expired(&self, point: &TrustPoint) -> bool {
        self.is_past(&point.expires)
    }

    /// Learns that this day has come.
    pub(super) fn advance(&mut self, day: Day) {
        if self.today.is_none_or(|today| today < day) {
            self.today = Some(day);
        }
    }

    /// Sets the day, in personalization.
    pub(super) fn set(&mut self, day: Day) {
        self.today = Some(day);
    }

    /// Takes the first trust point, in personalization: a self-signed certificate.
    pub(super) fn begin(&mut self, certificate: &Certificate<'_>) -> Result<(), Status> {
        let key = certificate.self_signed()?.ok_or(Status::WRONG_DATA)?;
        self.points.clear();
        self.points.push(point(certificate, key));
        self.advance(certificate.effective);
        Ok(())
    }

    /// Takes another trust point, whose link certificate was verified. The oldest makes room;
    /// one that is known already stays what and where it is.
    pub(super) fn link(&mut self, certificate: &Certificate<'_>, key: PublicKey) {
        if self.find(certificate.holder).is_none() {
            self.points.insert(0, point(certificate, key));
            self.points.truncate(MOST);
        }
        self.advance(certificate.effective);
    }
}

fn point(certificate: &Certificate<'_>, key: PublicKey) -> TrustPoint {
    TrustPoint {
        reference: certificate.holder.to_vec(),
        key,
        rights: certificate.rights,
        expires: certificate.expires,
    }
}
