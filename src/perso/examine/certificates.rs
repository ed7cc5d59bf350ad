//! Certificates that were read from a chip: found in files, and judged.

use card::tlv;
use cert::{AttributeType, Certificate, PathVerifier};
use jiff::tz::TimeZone;
use profile::{Detail, Object};

use super::{Examiner, Verdict};

/// How deep in data objects a certificate is looked for.
const DEPTH: usize = 4;

impl Examiner<'_> {
    /// Judges the certificate of each key.
    pub(super) fn certificates(&mut self) {
        let keys = self.keys.clone();
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
            let (verdict, reason) = self.judge_subject(&certificate);
            self.report.note(what("subject"), verdict, reason);

            let point = certificate
                .public_key()
                .point()
                .unwrap_or_default()
                .to_vec();
            let twin = seen.iter().find(|(_, other)| *other == point);
            let curve = self.curve(&key);
            let (verdict, reason) = match (twin, curve) {
                (Some((twin, _)), _) => (Verdict::Failed, format!("it is the key of {twin} too")),
                (None, Some(curve)) if certificate.public_key().curve() != Some(curve) => (
                    Verdict::Failed,
                    format!("it is not on {curve}, the curve of the profile"),
                ),
                (None, Some(curve)) => (Verdict::Passed, format!("{curve}, of its own")),
                (None, None) => (Verdict::Unknown, "the profile names no curve".to_owned()),
            };
            self.report.note(what("key"), verdict, reason);
            seen.push((key, point));
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

    fn judge_subject(&self, certificate: &Certificate) -> (Verdict, String) {
        let Some((record, _)) = self.standard.made_from else {
            let reason = "whose it must be, the record says, which is not at hand";
            return (Verdict::Unknown, reason.to_owned());
        };
        let holder = &record.holder;
        let code = holder.personal_code.to_string();
        let subject = certificate.subject();
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

/// Returns the keys whose certificates a file holds, by its template.
pub(super) fn certified_keys(file: &Object) -> Vec<String> {
    let Detail::File { content } = &file.detail else {
        return Vec::new();
    };
    content
        .variables()
        .into_iter()
        .filter_map(|(name, _)| name.strip_prefix("certificate.").map(str::to_owned))
        .collect()
}

/// Returns the first certificate in a file: the file itself, or in data objects.
pub(super) fn find_certificate(content: &[u8]) -> Option<Certificate> {
    find_within(content, DEPTH)
}

fn find_within(bytes: &[u8], depth: usize) -> Option<Certificate> {
    if let Ok(certificate) = Certificate::parse(bytes) {
        return Some(certificate);
    }
    let depth = depth.checked_sub(1)?;
    tlv::parse_all(bytes)
        .ok()?
        .into_iter()
        .find_map(|object| find_within(object.value, depth))
}
