//! Whether a certificate is the one that was ordered: the registration authority's own look at
//! what any authority gives it, before a card gets it.

use cert::{Certificate, DistinguishedName, PathError, PathVerifier};
use jiff::{SignedDuration, Timestamp};
use spki::ObjectIdentifier;

use crate::authority::CertificateOrder;
use crate::qualified;
use crate::vocabulary::Policy;

/// How far an authority's clock may be ahead of ours: a certificate that holds from a little later
/// is not refused.
const CLOCKS: SignedDuration = SignedDuration::from_mins(5);

/// How long before it is looked at a certificate may begin to hold. An answer may be lost, found
/// again and looked at days later; a beginning that lies longer ago was never ordered, and
/// signatures could be made as if in a time before the document.
const BACKDATED: SignedDuration = SignedDuration::from_hours(31 * 24);

/// `subjectAltName`: more names of the holder's, by which systems tell who logs in.
const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");

/// Extensions that no profile orders, and that say nothing of the holder or the key:
/// `issuerAltName` and `freshestCRL` (*RFC 5280 §4.2.1.7, §4.2.1.15*).
const OF_THE_ISSUER: [ObjectIdentifier; 2] = [
    ObjectIdentifier::new_unwrap("2.5.29.18"),
    ObjectIdentifier::new_unwrap("2.5.29.46"),
];

/// Why a certificate is not the one that was ordered. No name is shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misissued {
    /// It certifies another key.
    #[error("certificate {serial} is for another key")]
    Key {
        /// Its serial number.
        serial: String,
    },
    /// It names somebody else.
    #[error("certificate {serial} names another subject than was ordered")]
    Subject {
        /// Its serial number.
        serial: String,
    },
    /// It is not of this authority, has expired, or does not hold yet.
    #[error("the certificate is not the authority's own, or does not hold now")]
    Path(#[source] PathError),
    /// It holds since long before it was ordered.
    #[error("certificate {serial} holds since {from} already, long before it was ordered")]
    Backdated {
        /// Its serial number.
        serial: String,
        /// Its first second.
        from: Timestamp,
    },
    /// It would hold longer than the document, or than its profile allows.
    #[error("certificate {serial} holds until {until}, longer than was ordered ({ordered})")]
    Outlasts {
        /// Its serial number.
        serial: String,
        /// Its last second.
        until: Timestamp,
        /// The last second that was ordered.
        ordered: Timestamp,
    },
    /// Another profile's: an extension is not as ordered.
    #[error("certificate {serial} is not of profile {profile:?}: {field} is not the profile's")]
    Profile {
        /// Its serial number.
        serial: String,
        /// The profile's name.
        profile: String,
        /// What differs.
        field: &'static str,
    },
}

/// Checks a certificate against its order and its authority's chain (the anchor first), at `at`.
///
/// # Errors
/// [`Misissued`]: such a certificate goes on no card, and is revoked.
pub fn judge(
    order: &CertificateOrder,
    certificate: &Certificate,
    chain: &[Certificate],
    at: Timestamp,
) -> Result<(), Misissued> {
    let serial = certificate.serial_hex();
    if !certificate.matches(&order.public_key) {
        return Err(Misissued::Key { serial });
    }
    if !names_the_same(certificate.subject(), &order.subject) {
        return Err(Misissued::Subject { serial });
    }
    let from = certificate.validity().not_before;
    let ahead = from > at && from.duration_since(at) <= CLOCKS;
    let (anchors, intermediates) = chain.split_at(1.min(chain.len()));
    let verifier = PathVerifier {
        anchors,
        intermediates,
    };
    let as_of = if ahead { from } else { at };
    verifier
        .verify(certificate, as_of)
        .map_err(Misissued::Path)?;
    if at.duration_since(from) > BACKDATED {
        return Err(Misissued::Backdated { serial, from });
    }
    let (until, ordered) = (certificate.validity().not_after, last_second(order, from));
    if until > ordered {
        return Err(Misissued::Outlasts {
            serial,
            until,
            ordered,
        });
    }
    match foreign_field(order, certificate) {
        None => Ok(()),
        Some(field) => Err(Misissued::Profile {
            serial,
            profile: order.profile.name().to_owned(),
            field,
        }),
    }
}

/// Returns the last second that an order allows to a certificate that begins at `from`. An authority
/// may count its years to the same second of the clock.
fn last_second(order: &CertificateOrder, from: Timestamp) -> Timestamp {
    let years = jiff::Span::new().years(order.profile.years());
    let until = from
        .to_zoned(jiff::tz::TimeZone::UTC)
        .checked_add(years)
        .map_or(Timestamp::MAX, |end| end.timestamp());
    until.min(order.not_after)
}

/// Authorities choose their own string types: names are compared by what they say.
fn names_the_same(one: &DistinguishedName, other: &DistinguishedName) -> bool {
    one.attributes() == other.attributes()
}

/// Returns the first extension that is not as the profile has it.
fn foreign_field(order: &CertificateOrder, certificate: &Certificate) -> Option<&'static str> {
    let (said, profile) = (certificate.extensions(), &*order.profile);
    let usage = profile.key_usage();
    let is_same = |mut one: Vec<ObjectIdentifier>, mut other: Vec<ObjectIdentifier>| {
        one.sort_unstable();
        other.sort_unstable();
        one == other
    };
    let policies = profile.policy_identifiers();
    // An authority may assert more policies than were asked for; never fewer, and none that claims
    // more of the holder's key.
    let has_policies = policies.iter().all(|policy| said.policies.contains(policy));
    let mut claims = said.policies.iter();
    let claims_more =
        claims.any(|policy| Policy(*policy).claims_qualified() && !policies.contains(policy));
    let mut qualifiers = profile.policy_qualifiers().into_iter();
    let has_qualifiers = qualifiers.all(|wanted| said.policy_qualifiers.contains(&wanted));
    let stated = said.qc_statements.clone().unwrap_or_default();
    let ordered = profile.qc_statements().unwrap_or_default();
    // EN 319 412-2 §4.3.11, §4.4.1: whoever relies on it must find its status and its issuer.
    let has_status = !(said.crl_urls.is_empty() && said.ocsp_urls.is_empty());
    let is_findable = has_status && !said.issuer_urls.is_empty();
    // Some systems read names and purposes where the standard has none: an operating system's
    // account, its own list of purposes.
    let is_unordered = |other: &ObjectIdentifier| !OF_THE_ISSUER.contains(other);
    let has_more = said.ocsp_no_check || said.others.iter().any(is_unordered);
    [
        (said.ca, "basicConstraints"),
        (said.key_usage != Some(usage), "keyUsage"),
        (
            !is_same(said.extended_key_usage.clone(), profile.purposes()),
            "extendedKeyUsage",
        ),
        (!has_policies || claims_more, "certificatePolicies"),
        (!has_qualifiers, "certificatePolicies: a qualifier"),
        (
            profile.is_qualified() && !is_findable,
            "authorityInfoAccess or cRLDistributionPoints",
        ),
        (said.others.contains(&SUBJECT_ALT_NAME), "subjectAltName"),
        (has_more, "an extension beside those"),
    ]
    .into_iter()
    .find_map(|(differs, field)| differs.then_some(field))
    .or_else(|| qualified::difference(&stated, &ordered))
}

#[cfg(test)]
mod tests;
