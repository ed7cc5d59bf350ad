//! The embedded authority: certificates beside bare signatures, and a list of a million entries
//! beside the work that its bytes are.

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use cert::{Certificate, Curve, PublicKey, UnverifiedCrl};
use hsm::Signer;
use jiff::{SignedDuration, Timestamp};
use openssl::hash::{MessageDigest, hash};
use pki::{CertificateOrder, CertificateProfile, CrlEntry, EmbeddedCa, Holder, RevocationReason};

use crate::soft_key::SoftKey;
use crate::{Measured, Row, Wanted, in_turns, memory};

/// Certificates in one turn.
const CERTIFICATES: u32 = if cfg!(test) { 3 } else { 200 };

/// Entries of the list.
const ENTRIES: u32 = if cfg!(test) { 1_000 } else { 1_000_000 };

const RATE: &str = "ca certificates a second";
const WORK: &str = "ca time a certificate";
const WRITTEN: &str = "crl of a million entries, written";
const READ: &str = "crl of a million entries, read and verified";
const MEMORY: &str = "crl of a million entries, memory to write it";

/// Returns the names of the rows.
pub(crate) fn names() -> Vec<String> {
    [RATE, WORK, WRITTEN, READ, MEMORY]
        .map(str::to_owned)
        .into()
}

/// Measures.
pub(crate) fn rows(wanted: Wanted<'_>) -> Measured {
    let mut rows = Vec::new();
    let has = |names: &[&str]| names.iter().any(|name| wanted.has(name));
    if has(&[RATE, WORK]) {
        rows.extend(certificates()?);
    }
    if has(&[WRITTEN, READ]) {
        rows.extend(lists()?);
    }
    if has(&[MEMORY]) {
        rows.push(memory::row(MEMORY, "--crl-memory")?);
    }
    Ok(rows)
}

struct Measuree {
    ca: EmbeddedCa,
    key: Arc<SoftKey>,
    public: PublicKey,
    at: Timestamp,
}

fn measuree() -> Result<Measuree, Box<dyn Error>> {
    let key = Arc::new(SoftKey::p384()?);
    let at = "2026-03-02T08:00:00Z".parse()?;
    let profile = CertificateProfile::parse(include_str!("../../certs/pilot-ca.toml"))?;
    Ok(Measuree {
        ca: EmbeddedCa::create(&profile, key.clone(), key.clone(), at)?,
        public: PublicKey::from_spki_der(key.public_key_spki_der())?,
        key,
        at,
    })
}

/// An order for an invented person.
fn order(measuree: &Measuree) -> Result<CertificateOrder, Box<dyn Error>> {
    let text = include_str!("../../certs/eid-authentication.toml");
    let profile = CertificateProfile::parse(text)?;
    let holder = Holder::new("LV", "PARAUDZIŅŠ", "ANDRIS", "121282-88882", "XA0000001");
    Ok(CertificateOrder {
        subject: profile.subject(Some(&holder))?,
        profile: Arc::new(profile),
        public_key: measuree.public.clone(),
        request: None,
        not_after: measuree.at + SignedDuration::from_hours(24 * 365),
    })
}

fn certificates() -> Measured {
    let measuree = measuree()?;
    let order = order(&measuree)?;
    let issued: Certificate = measuree.ca.issue(&order, measuree.at)?;
    let signature = measuree.key.sign(issued.as_der())?;
    let read = cert::EcdsaSignature::from_der(Curve::P384, &signature)?;
    let each = |act: &mut dyn FnMut() -> Result<(), Box<dyn Error>>| {
        let started = Instant::now();
        for _ in 0..CERTIFICATES {
            act()?;
        }
        Ok(started.elapsed().as_secs_f64() / f64::from(CERTIFICATES))
    };
    let [ours, signed, proved] = in_turns([
        &mut || {
            each(&mut || {
                black_box(measuree.ca.issue(&order, measuree.at)?);
                Ok(())
            })
        },
        &mut || {
            each(&mut || {
                black_box(measuree.key.sign(issued.as_der())?);
                Ok(())
            })
        },
        &mut || {
            each(&mut || {
                let hash = Curve::P384.hash();
                let verified = measuree.public.verify_message(hash, issued.as_der(), &read);
                Ok(verified?)
            })
        },
    ])?;
    Ok(vec![
        Row::new(RATE, 1.0 / ours, "certificates", 1.0 / signed),
        // A certificate is read back and its signature proved before anybody sees it.
        Row::new(WORK, ours * 1e6, "µs", (signed + proved) * 1e6),
    ])
}

/// Entries with serial numbers as they are drawn: in no order.
fn entries(at: Timestamp) -> Result<Vec<CrlEntry>, Box<dyn Error>> {
    let mut entries = Vec::with_capacity(ENTRIES as usize);
    for number in 0..ENTRIES {
        let mut serial = vec![0; 16];
        openssl::rand::rand_bytes(&mut serial)?;
        if let Some(first) = serial.first_mut() {
            *first = (*first & 0x7F) | 0x40;
        }
        entries.push(CrlEntry {
            serial,
            since: at - SignedDuration::from_secs(number.into()),
            reason: RevocationReason::CertificateHold,
        });
    }
    Ok(entries)
}

fn lists() -> Measured {
    let measuree = measuree()?;
    let (ca, at) = (&measuree.ca, measuree.at);
    let entries = entries(at)?;
    let next = at + SignedDuration::from_hours(24);
    let der = ca.crl(&entries, at, next, 1)?;
    let signature = measuree.key.sign(b"")?;
    let signature = cert::EcdsaSignature::from_der(Curve::P384, &signature)?;
    let seconds = |started: Instant| Ok(started.elapsed().as_secs_f64());
    let mut taken = der.clone();
    let [written, read, least, least_read] = in_turns([
        &mut || {
            let started = Instant::now();
            black_box(ca.crl(&entries, at, next, 1)?);
            seconds(started)
        },
        &mut || {
            taken.clone_from(&der);
            let own = std::mem::take(&mut taken);
            let started = Instant::now();
            let list = UnverifiedCrl::parse(own)?.verify(ca.certificate(), at)?;
            black_box(list.find(&[0x40; 16]));
            seconds(started)
        },
        // What is signed has to be hashed, and what is given out proved.
        &mut || {
            let started = Instant::now();
            black_box(hash(MessageDigest::sha384(), &der)?);
            black_box(measuree.key.sign(b"")?);
            seconds(started)
        },
        &mut || {
            let started = Instant::now();
            black_box(hash(MessageDigest::sha384(), &der)?);
            let hash = Curve::P384.hash();
            measuree.public.verify_message(hash, b"", &signature)?;
            seconds(started)
        },
    ])?;
    Ok(vec![
        Row::new(WRITTEN, written, "s", least),
        Row::new(READ, read, "s", least_read),
    ])
}

/// Returns how much memory the writing of a list took over what the entries hold, and how long the
/// list is; both in MB.
pub(crate) fn list_memory() -> Result<(f64, f64), Box<dyn Error>> {
    let measuree = measuree()?;
    let entries = entries(measuree.at)?;
    let next = measuree.at + SignedDuration::from_hours(24);
    let (der, taken) = memory::taken(|| Ok(measuree.ca.crl(&entries, measuree.at, next, 1)?))?;
    Ok((taken, der.len() as f64 / 1e6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_their_names() {
        let rows = rows(Wanted(Some("crl of a million entries, w"))).unwrap();
        assert!(rows.iter().any(|row| row.name == WRITTEN));
        let rows = certificates().unwrap();
        assert_eq!(rows[0].name, RATE);
        assert!(rows.iter().all(|row| row.value > 0.0));
    }

    #[test]
    fn the_length_of_a_list_is_told() {
        // Of a thousand entries with 16 bytes of serial number, a time and a reason.
        let (_, length) = list_memory().unwrap();
        assert!((0.04..0.06).contains(&length), "{length}");
    }
}
