//! What is for a test in a certificate profile, and what is meant.

use cert::cvc::HolderReference;
use cert::{AttributeType, DistinguishedName};

use crate::profile::{CertificateProfile, ProfileKind};

/// The arc for examples (*RFC 5612*).
const EXAMPLE_ARC: &str = "1.3.6.1.4.1.32473";

/// Hosts for examples (*RFC 2606*, *RFC 6761*), and those that nobody else reaches.
const EXAMPLE_HOSTS: [&str; 5] = ["example", "test", "invalid", "localhost", "local"];

/// Words by which the name of a test authority says what it is.
const TEST_WORDS: [&str; 4] = ["TEST", "PILOT", "DEMO", "SPECIMEN"];

impl CertificateProfile {
    /// Returns the first value that is an example and was never replaced: a policy of the arc for
    /// examples, an address that nobody reaches, an organization whose number is nothing but zeros.
    pub fn example(&self) -> Option<String> {
        let policies = self.policy_identifiers().into_iter();
        let mut policies = policies.map(|policy| policy.to_string());
        if let Some(policy) = policies.find(|policy| is_below(policy, EXAMPLE_ARC)) {
            return Some(format!("the policy {policy} is of the arc for examples"));
        }
        let addresses = self.publication().into_iter().flat_map(|publication| {
            publication
                .crl()
                .chain(publication.ocsp())
                .chain(publication.issuer())
        });
        if let Some(address) = addresses.into_iter().find(|address| is_example(address)) {
            return Some(format!("the address {address} is an example"));
        }
        if self.kind() == ProfileKind::Ca
            && let Ok(name) = self.subject(None)
        {
            let number = name.get(AttributeType::OrganizationIdentifier);
            let digits = number.and_then(|number| number.split_once('-'));
            if digits.is_some_and(|(_, digits)| digits.bytes().all(|byte| byte == b'0')) {
                return Some("the organization's number is an example".into());
            }
        }
        None
    }

    /// Returns whether a CA's name says that it is for a test, see [`is_named_for_test`].
    pub fn is_named_for_test(&self) -> bool {
        self.subject(None)
            .is_ok_and(|name| is_named_for_test(&name))
    }
}

/// Returns whether an authority's name says that it is for a test: `TEST`, `PILOT`, `DEMO` or
/// `SPECIMEN` as a word of its common name.
pub fn is_named_for_test(name: &DistinguishedName) -> bool {
    name.get(AttributeType::CommonName).is_some_and(|name| {
        let mut words = name.split(|c: char| !c.is_alphanumeric());
        words.any(|word| TEST_WORDS.contains(&word.to_uppercase().as_str()))
    })
}

/// Returns whether the name of a CVCA says that it is for a test: one of those words within its
/// mnemonic, which has nine characters and no room between (*TR-03110-3 §D.2*).
pub fn is_reference_for_test(name: &HolderReference) -> bool {
    let name = name.holder().to_ascii_uppercase();
    let name = String::from_utf8_lossy(&name);
    TEST_WORDS.into_iter().any(|word| name.contains(word))
}

fn is_below(policy: &str, arc: &str) -> bool {
    policy
        .strip_prefix(arc)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn is_example(address: &str) -> bool {
    let host = address.split("//").nth(1).unwrap_or_default();
    let host = host.split(['/', ':']).next().unwrap_or_default();
    let mut labels = host.rsplit('.');
    match (labels.next(), labels.next()) {
        (Some("com" | "net" | "org"), Some("example")) => true,
        (Some(top), _) => EXAMPLE_HOSTS.contains(&top),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use cert::cvc::HolderReference;

    use crate::testing::{AUTHENTICATION, CA, profile};

    #[test]
    fn examples_are_found_until_they_are_replaced() {
        let told = profile(AUTHENTICATION).example().unwrap();
        assert!(told.contains("1.3.6.1.4.1.32473.1.1.1"), "{told}");
        let meant = AUTHENTICATION.replace("1.3.6.1.4.1.32473.1", "1.3.6.1.4.1.324730.1");
        assert_eq!(profile(&meant).example(), None);
        let told = profile(CA).example().unwrap();
        assert!(told.contains("pki.example.org"), "{told}");
        let reached = CA.replace("example.org", "example.lv");
        let told = profile(&reached).example().unwrap();
        assert!(told.contains("organization"), "{told}");
        let meant = reached.replace("NTRLV-00000000000", "NTRLV-40003011203");
        assert_eq!(profile(&meant).example(), None);
        assert!(profile(CA).is_named_for_test());
        assert!(!profile(&CA.replace("PILOT eID", "Latvian eID")).is_named_for_test());
        assert!(!profile(&CA.replace("PILOT eID", "Pilots")).is_named_for_test());
    }

    #[test]
    fn a_cvca_says_within_its_mnemonic_what_it_is_for() {
        for (name, is) in [
            ("LVPILOT", true),
            ("DETESTeID", true),
            ("LVtestCV", true),
            ("LVCVCA", false),
        ] {
            let name = HolderReference::first(name).unwrap();
            assert_eq!(super::is_reference_for_test(&name), is, "{name}");
        }
    }
}
