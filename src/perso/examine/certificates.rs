//! Certificates that were read from a chip: found in files, and judged.

use std::collections::BTreeSet;
use std::io::Read as _;

use card::tlv;
use cert::{AttributeType, CARD_AUTHENTICATION, Certificate, DistinguishedName, PathVerifier};
use flate2::read::{GzDecoder, ZlibDecoder};
use jiff::tz::TimeZone;
use profile::{Object, ObjectKind, set_certificate, set_public_key};
use zeroize::Zeroizing;

use super::{Examiner, Verdict};
use crate::inspect::InspectError;

/// What was read of one object.
type Read = Zeroizing<Vec<u8>>;

/// How deep in data objects a certificate is looked for.
const DEPTH: usize = 4;

impl Examiner<'_> {
    /// Finds the certificates in what was read, and what follows from them and their keys. One
    /// that is in no content as a whole is looked for in all that name it, one after another.
    pub(super) fn find_certificates(&mut self, found: &[(Object, Result<Read, InspectError>)]) {
        for key in self.keys.clone() {
            let contents: Vec<&Read> = found
                .iter()
                .filter(|(object, _)| certified_keys(object).contains(&key))
                .filter_map(|(_, content)| content.as_ref().ok())
                .collect();
            let whole = contents
                .iter()
                .find_map(|content| find_certificate(content));
            let split = || find_certificate(&joined(&contents));
            let Some(certificate) = whole.or_else(split) else {
                continue;
            };
            set_certificate(&mut self.variables, &key, &certificate);
            // A key that this program cannot write has no variables: its contents stay open.
            let _ = set_public_key(&mut self.variables, &key, certificate.public_key());
            self.certificates.insert(key, certificate);
        }
    }

    /// Judges the certificate of each key that gets one.
    pub(super) fn certificates(&mut self) {
        let mut keys = self.keys.clone();
        match self.standard.made_from {
            Some((_, plan)) => {
                keys.retain(|key| plan.keys.iter().any(|(certified, _)| certified == key));
            }
            // Without a record the contents tell which keys may have one.
            None => {
                let chip = self.standard.chip;
                let files = chip.objects(ObjectKind::File);
                let objects = files.chain(chip.objects(ObjectKind::Data));
                let named: BTreeSet<String> = objects.flat_map(certified_keys).collect();
                keys.retain(|key| named.contains(key));
            }
        }
        let mut seen: Vec<(String, Vec<u8>)> = Vec::new();
        for key in keys {
            let what = |part: &str| format!("certificate {key}: {part}");
            let Some(certificate) = self.certificates.get(&key).cloned() else {
                let reason = "no readable certificate was found in any file";
                self.report
                    .note(what("present"), Verdict::Failed, format!("{reason} for it"));
                continue;
            };
            let (verdict, reason) = self.judge_chain(&certificate);
            self.report.note(what("chain"), verdict, reason);
            let (verdict, reason) = self.judge_validity(&certificate);
            self.report.note(what("validity"), verdict, reason);
            let (verdict, reason) = self.judge_subject(&key, &certificate);
            self.report.note(what("subject"), verdict, reason);

            let public = certificate.public_key().to_spki_der().unwrap_or_default();
            let twin = seen.iter().find(|(_, other)| *other == public);
            let wanted = self.standard.chip.key_rules(&key);
            let wanted = wanted.map(|rules| rules.algorithm);
            let (verdict, reason) = match (twin, wanted) {
                (Some((twin, _)), _) => (Verdict::Failed, format!("it is the key of {twin} too")),
                (None, Some(wanted)) if certificate.public_key().algorithm() != Some(wanted) => (
                    Verdict::Failed,
                    format!("it is no {wanted} key, as the profile says"),
                ),
                (None, Some(wanted)) => (Verdict::Passed, format!("{wanted}, of its own")),
                (None, None) => (Verdict::Unknown, "the profile names no such key".to_owned()),
            };
            self.report.note(what("key"), verdict, reason);
            seen.push((key, public));
        }
    }

    fn judge_chain(&self, certificate: &Certificate) -> (Verdict, String) {
        if self.standard.anchors.is_empty() {
            return (Verdict::Unknown, "no trust anchor was given".to_owned());
        }
        let verifier = PathVerifier {
            anchors: self.standard.anchors,
            intermediates: &[],
        };
        match verifier.verify(certificate, self.standard.at) {
            Ok(path) => {
                let anchor = path.certificates.last().map(|anchor| anchor.serial_hex());
                let serial = certificate.serial_hex();
                let reason = format!("{serial}, issued by {}", anchor.unwrap_or_default());
                (Verdict::Passed, reason)
            }
            Err(error) => (Verdict::Failed, error.to_string()),
        }
    }

    fn judge_validity(&self, certificate: &Certificate) -> (Verdict, String) {
        let validity = certificate.validity();
        let (from, to) = (validity.not_before, validity.not_after);
        let last = to.to_zoned(TimeZone::UTC).date();
        if !validity.contains(self.standard.at) {
            return (Verdict::Failed, format!("it holds from {from} to {to}"));
        }
        match self.standard.made_from {
            // A day is lenient where the day of expiry ends by local time.
            Some((record, _)) if last > record.expires.tomorrow().unwrap_or(last) => (
                Verdict::Failed,
                format!("it holds to {to} and outlasts the document"),
            ),
            _ => (Verdict::Passed, format!("from {from} to {to}")),
        }
    }

    fn judge_subject(&self, key: &str, certificate: &Certificate) -> (Verdict, String) {
        let Some((record, _)) = self.standard.made_from else {
            let reason = "whose it must be, the record says, which is not at hand";
            return (Verdict::Unknown, reason.to_owned());
        };
        let holder = &record.holder;
        let subject = certificate.subject();
        let purposes = &certificate.extensions().extended_key_usage;
        let is_cards = purposes.contains(&CARD_AUTHENTICATION);
        let rules = self.standard.chip.key_rules(key);
        if rules.is_some_and(|rules| rules.pin.is_none() != is_cards) {
            let reason = match is_cards {
                true => "it is a card's own, and the key wants its holder's PIN",
                false => "it is a person's, and the key signs for whoever has the card",
            };
            return (Verdict::Failed, reason.to_owned());
        }
        if is_cards {
            return judge_card(subject, &record.number.to_string());
        }
        let code = holder.personal_code.to_string();
        // ETSI EN 319 412-1 §5.1.3: PNO, a country, a hyphen, the code.
        let has_code = |found: &str| {
            let rest = found.strip_prefix("PNO").and_then(|rest| rest.get(2..));
            rest.and_then(|rest| rest.strip_prefix('-')) == Some(code.as_str())
        };
        let is = |attribute, name: &str| subject.get(attribute) == Some(name);
        let fits = [
            (
                AttributeType::SerialNumber,
                subject
                    .get(AttributeType::SerialNumber)
                    .is_some_and(has_code),
            ),
            (
                AttributeType::Surname,
                is(AttributeType::Surname, &holder.surname.upper()),
            ),
            (
                AttributeType::GivenName,
                is(AttributeType::GivenName, &holder.given_names.upper()),
            ),
        ];
        if let Some((attribute, _)) = fits.iter().find(|(_, fits)| !fits) {
            let reason = format!("{attribute} is not the one of the record");
            return (Verdict::Failed, reason);
        }
        (
            Verdict::Passed,
            "surname, given name and personal code are those of the record".to_owned(),
        )
    }
}

/// Judges the name of a card's own certificate: a country and the document's number, and nobody's.
fn judge_card(subject: &DistinguishedName, number: &str) -> (Verdict, String) {
    let allowed = [
        AttributeType::Country,
        AttributeType::CommonName,
        AttributeType::SerialNumber,
    ];
    let mut attributes = subject.attributes().iter();
    if let Some(other) = attributes.find(|found| !allowed.contains(&found.kind)) {
        let kind = other.kind;
        let reason = format!("{kind} says more than which document it is, and anybody can read it");
        return (Verdict::Failed, reason);
    }
    for kind in [AttributeType::CommonName, AttributeType::SerialNumber] {
        if subject.get(kind) != Some(number) {
            return (
                Verdict::Failed,
                format!("{kind} is not the document's number"),
            );
        }
    }
    (
        Verdict::Passed,
        "it names the document and nobody".to_owned(),
    )
}

/// Returns the keys whose certificates a file holds, by its template.
pub(super) fn certified_keys(file: &Object) -> Vec<String> {
    let Some(content) = file.detail.content() else {
        return Vec::new();
    };
    let names = content.variables().into_iter();
    names
        .filter_map(|(name, _)| name.strip_prefix("certificate."))
        // Its parts alone, `certificate.NAME.issuer`, do not give the certificate.
        .filter(|key| !key.contains('.'))
        .map(str::to_owned)
        .collect()
}

fn joined(contents: &[&Read]) -> Read {
    let parts: Vec<&[u8]> = contents.iter().map(|content| content.as_slice()).collect();
    Zeroizing::new(parts.concat())
}

/// The most bytes that a compressed certificate becomes.
const UNPACKED: u64 = 16_384;

/// The most places at which a certificate is looked for.
const PLACES: usize = 256;

/// Returns the first certificate in a file: the file itself, or behind a header, in data objects,
/// compressed or not.
fn find_certificate(content: &[u8]) -> Option<Certificate> {
    find_within(content, DEPTH).or_else(|| {
        let places = (0..content.len()).filter_map(|place| content.get(place..));
        places
            .filter(|rest| may_begin(rest))
            .take(PLACES)
            .find_map(read)
    })
}

/// Returns whether a certificate may begin here: a SEQUENCE with a long length, gzip (RFC 1952),
/// zlib (RFC 1950).
fn may_begin(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [0x30, 0x82, ..] | [0x1F, 0x8B, 0x08, ..] | [0x78, 0x01 | 0x5E | 0x9C | 0xDA, ..]
    )
}

/// Reads a certificate that begins here; what follows it does not matter.
fn read(bytes: &[u8]) -> Option<Certificate> {
    let unpacked = match bytes {
        [0x1F, 0x8B, ..] => unpack(GzDecoder::new(bytes))?,
        [0x78, ..] => unpack(ZlibDecoder::new(bytes))?,
        _ => bytes.to_vec(),
    };
    let (_, rest) = tlv::parse(&unpacked).ok()?;
    let whole = unpacked.get(..unpacked.len() - rest.len())?;
    Certificate::parse(whole).ok()
}

fn find_within(bytes: &[u8], depth: usize) -> Option<Certificate> {
    if let Some(certificate) = read(bytes) {
        return Some(certificate);
    }
    let depth = depth.checked_sub(1)?;
    tlv::parse_all(bytes)
        .ok()?
        .into_iter()
        .find_map(|object| find_within(object.value, depth))
}

fn unpack(reader: impl std::io::Read) -> Option<Vec<u8>> {
    let mut unpacked = Vec::new();
    reader.take(UNPACKED).read_to_end(&mut unpacked).ok()?;
    Some(unpacked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cards_own_name_says_which_document_and_nothing_else() {
        let number = "XA0000001";
        let named = |kind, value: &str| {
            let name = DistinguishedName::builder()
                .with(AttributeType::Country, "LV")
                .with(AttributeType::CommonName, number)
                .with(AttributeType::SerialNumber, number);
            let replaced = match kind {
                AttributeType::CommonName => DistinguishedName::builder()
                    .with(AttributeType::Country, "LV")
                    .with(AttributeType::CommonName, value)
                    .with(AttributeType::SerialNumber, number),
                AttributeType::Country => name,
                other => name.with(other, value),
            };
            judge_card(&replaced.build().unwrap(), number).0
        };
        assert_eq!(named(AttributeType::Country, "LV"), Verdict::Passed);
        for (kind, value) in [
            (AttributeType::CommonName, "ANDRIS PARAUDZINS"),
            (AttributeType::Surname, "PARAUDZINS"),
            (AttributeType::GivenName, "ANDRIS"),
            (AttributeType::Organization, "Office"),
        ] {
            assert_eq!(named(kind, value), Verdict::Failed, "{kind}");
        }
    }
}
