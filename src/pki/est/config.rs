//! How an EST server is reached: a file of the operator's, without any secret.

use serde::Deserialize;

use crate::vocabulary::HttpUrl;

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
#[error("the EST configuration does not parse")]
pub struct EstConfigError(#[source] Box<toml::de::Error>);

/// An EST server and how it is asked (TOML).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EstConfig {
    pub(super) url: Server,
    pub(super) label: Option<Label>,
    #[serde(default)]
    pub(super) timeout_seconds: Seconds,
    pub(super) user: Option<User>,
    #[serde(default)]
    pub(super) answers_repeats: bool,
}

impl EstConfig {
    /// Reads a configuration.
    ///
    /// - `url`: the server, `https://NAME[:PORT]`; the rest of the address is the standard's.
    /// - `label`: which of the server's authorities is meant (*RFC 7030 §3.2.2*).
    /// - `timeout_seconds`: how long an answer may take, 30 where it is not said.
    /// - `user`: whom HTTP basic authentication names; the password is given by the program.
    /// - `answers_repeats`: that the authority answers a repeated request for a key with the
    ///   certificate that it gave before. The standard does not promise it: say so only where the
    ///   authority's operator does.
    ///
    /// # Errors
    /// [`EstConfigError`], with line and column in its source.
    pub fn parse(text: &str) -> Result<Self, EstConfigError> {
        toml::from_str(text).map_err(|error| EstConfigError(Box::new(error)))
    }

    /// Returns the address of an operation (*RFC 7030 §3.2.2*).
    pub(super) fn address(&self, operation: &str) -> String {
        let label = self.label.as_ref();
        let label = label.map_or(String::new(), |label| format!("{}/", label.0));
        format!("{}/.well-known/est/{label}{operation}", self.url.0)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Server(String);

impl TryFrom<String> for Server {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let HttpUrl(text) = HttpUrl::try_from(text)?;
        match text.strip_prefix("https://") {
            // RFC 7030 §3.3: over TLS, always. Whom it names stands in `user`.
            Some(rest) if !rest.contains(['/', '?', '#', '@']) => Ok(Self(text)),
            _ => Err(format!("{text:?} is no https://NAME[:PORT]")),
        }
    }
}

/// The operations, which no label may be called like (*RFC 7030 §3.2.2*).
const OPERATIONS: [&str; 6] = [
    "cacerts",
    "simpleenroll",
    "simplereenroll",
    "fullcmc",
    "serverkeygen",
    "csrattrs",
];

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Label(String);

impl TryFrom<String> for Label {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let sound = (1..=64).contains(&text.len())
            && text.bytes().all(plain)
            && !OPERATIONS.contains(&text.as_str());
        match sound {
            true => Ok(Self(text)),
            false => Err(format!("{text:?} is no label: letters, digits, - and _")),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u64")]
pub(super) struct Seconds(pub(super) u64);

impl Default for Seconds {
    fn default() -> Self {
        Self(30)
    }
}

impl TryFrom<u64> for Seconds {
    type Error = String;

    fn try_from(seconds: u64) -> Result<Self, String> {
        match (1..=300).contains(&seconds) {
            true => Ok(Self(seconds)),
            false => Err(format!("{seconds} is not within 1 to 300")),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct User(pub(super) String);

impl TryFrom<String> for User {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        // RFC 7617 §2: a colon would end the name.
        let sound = (1..=255).contains(&text.len())
            && !text.contains(':')
            && !text.chars().any(char::is_control);
        match sound {
            true => Ok(Self(text)),
            false => Err("a user is 1 to 255 bytes, without a colon".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::EstConfig;

    #[test]
    fn addresses_are_those_of_the_standard() {
        let config = EstConfig::parse("url = \"https://est.example.org:8443\"").unwrap();
        assert_eq!(
            config.address("cacerts"),
            "https://est.example.org:8443/.well-known/est/cacerts"
        );
        assert!(!config.answers_repeats);
        let labelled = "url = \"https://est.example.org\"\nlabel = \"eid-2\"\nuser = \"ra\"\n\
            timeout_seconds = 5\nanswers_repeats = true\n";
        let config = EstConfig::parse(labelled).unwrap();
        assert_eq!(
            config.address("simpleenroll"),
            "https://est.example.org/.well-known/est/eid-2/simpleenroll"
        );
    }

    #[test]
    fn faults_are_named_with_their_place() {
        let url = "url = \"https://a.example\"\n";
        for (text, expected) in [
            ("label = \"a\"", "missing field `url`"),
            ("url = \"http://a.example\"", "no https://NAME"),
            ("url = \"https://a.example/\"", "no https://NAME"),
            ("url = \"https://u:p@a.example\"", "no https://NAME"),
            ("url = \"https://\"", "no http or https address"),
            (&format!("{url}label = \"cacerts\""), "no label"),
            (&format!("{url}label = \"a/b\""), "no label"),
            (&format!("{url}label = \"\""), "no label"),
            (&format!("{url}timeout_seconds = 0"), "not within 1 to 300"),
            (&format!("{url}user = \"a:b\""), "without a colon"),
            (
                &format!("{url}password = \"x\""),
                "unknown field `password`",
            ),
        ] {
            let error = EstConfig::parse(text).unwrap_err();
            let cause = std::error::Error::source(&error).unwrap().to_string();
            assert!(
                cause.contains(expected) && cause.contains("line"),
                "{cause}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(url|label|user) = \"[ -~]{0,40}\"") {
            let _ = EstConfig::parse(&text);
        }
    }
}
