//! How a certification authority is reached over CMP, as the installation says it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

/// The longest that an installation may wait for one answer.
const LONGEST: u16 = 300;

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CmpConfigError {
    /// The text is not TOML of the right shape; the source names line and column.
    #[error("the CMP configuration does not parse")]
    Syntax(#[source] Box<toml::de::Error>),
    /// A value is none that can be used.
    #[error("the CMP configuration: {field}: {reason}")]
    Value {
        /// The field's dotted name.
        field: &'static str,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// What belongs to the configuration does not fit it.
    #[error("the CMP configuration needs {what}")]
    Missing {
        /// What is not there.
        what: &'static str,
    },
    /// The client for HTTP was not made.
    #[error("the client for HTTP was not made")]
    Http(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// By which message a certificate is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CmpRequest {
    /// `ir`: a template; the registration authority verified possession (*RFC 9483 §4.1.1*).
    Ir,
    /// `cr`: the same from a requester that is known (*§4.1.2*).
    #[default]
    Cr,
    /// `p10cr`: the chip's own PKCS#10 request (*§4.1.4*).
    P10cr,
}

/// How the certificate is confirmed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CmpConfirmation {
    /// By a message: what is not confirmed, the authority withdraws.
    #[default]
    Explicit,
    /// Not at all, where the authority grants it.
    Implicit,
}

/// Where a request names its certificate profile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProfileNaming {
    /// In the message's header: `certProfile` (*RFC 9810 §5.1.1.4*).
    #[default]
    Header,
    /// In the address: `/p/NAME` behind it (*RFC 9483 §6.1*).
    Path,
    /// In both.
    Both,
    /// Nowhere: the authority knows by other means.
    Nowhere,
}

/// By what our messages are protected.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum CmpProtection {
    /// A shared secret.
    Mac {
        /// The reference by which the authority knows it (`senderKID`).
        reference: String,
        /// The file that holds it, and nothing else; a line's end behind it does not count.
        secret_file: PathBuf,
    },
    /// A key in the token, and its certificate.
    Signature {
        /// The key's label.
        key: String,
        /// The file with the certificate, PEM; what may stand between it and an anchor of the
        /// authority's behind it.
        certificate_file: PathBuf,
    },
}

/// How a certification authority is reached over CMP.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CmpConfig {
    /// The endpoint's address, `http` or `https`, usually with `/.well-known/cmp`.
    pub url: String,
    /// By which message a certificate is asked for.
    #[serde(default)]
    pub request: CmpRequest,
    /// How the certificate is confirmed.
    #[serde(default)]
    pub confirmation: CmpConfirmation,
    /// Where the certificate profile is named.
    #[serde(default)]
    pub profile_naming: ProfileNaming,
    /// The authority's names of our certificate profiles, where they are not ours.
    #[serde(default)]
    pub profiles: BTreeMap<String, String>,
    /// Whether the authority issues on hold.
    #[serde(default)]
    pub issues_on_hold: bool,
    /// Whether the authority answers the same request again with the same certificate.
    #[serde(default)]
    pub finds_again: bool,
    /// By what our messages are protected.
    pub protection: CmpProtection,
    /// The file with the authority's certificates, PEM: its anchor first, then what stands between
    /// it and a holder's.
    pub chain_file: PathBuf,
    /// The file with the certificates that may sign answers, PEM. Without it, those that the chain
    /// vouches for as an authority's own (`id-kp-cmcCA`, `id-kp-cmcRA`).
    pub responders_file: Option<PathBuf>,
    /// The file with the anchors for `https`, PEM.
    pub tls_anchors_file: Option<PathBuf>,
    /// How long an answer may take.
    #[serde(default = "timeout")]
    pub timeout_seconds: u16,
    /// How far the authority's clock may be from ours.
    #[serde(default = "clocks")]
    pub clocks_seconds: u16,
}

fn timeout() -> u16 {
    30
}

fn clocks() -> u16 {
    300
}

impl CmpConfig {
    /// Returns the configuration that `text` (TOML) describes.
    ///
    /// # Errors
    /// [`CmpConfigError`].
    pub fn parse(text: &str) -> Result<Self, CmpConfigError> {
        let config: Self =
            toml::from_str(text).map_err(|error| CmpConfigError::Syntax(Box::new(error)))?;
        config.check()?;
        Ok(config)
    }

    /// Checks what the types do not say.
    ///
    /// # Errors
    /// [`CmpConfigError::Value`].
    pub(crate) fn check(&self) -> Result<(), CmpConfigError> {
        let wrong = |field, reason: &str| {
            Err(CmpConfigError::Value {
                field,
                reason: reason.to_owned(),
            })
        };
        self.endpoint(None)?;
        if !(1..=LONGEST).contains(&self.timeout_seconds) {
            return wrong("timeout_seconds", "is not within 1 to 300");
        }
        if !(1..=3600).contains(&self.clocks_seconds) {
            return wrong("clocks_seconds", "is not within 1 to 3600");
        }
        if !self.profiles.values().all(|name| is_plain(name)) {
            return wrong(
                "profiles",
                "a name has letters, digits, '-', '_' and '.', at most 64 of them",
            );
        }
        Ok(())
    }

    /// Returns the address of the endpoint, for a profile where it is named there.
    pub(crate) fn endpoint(&self, profile: Option<&str>) -> Result<reqwest::Url, CmpConfigError> {
        let wrong = |reason: String| CmpConfigError::Value {
            field: "url",
            reason,
        };
        let mut url: reqwest::Url = self
            .url
            .parse()
            .map_err(|error| wrong(format!("is no address: {error}")))?;
        let sound = matches!(url.scheme(), "http" | "https")
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !sound {
            return Err(wrong(
                "is no plain http or https address, without query and password".to_owned(),
            ));
        }
        let is_named = matches!(
            self.profile_naming,
            ProfileNaming::Path | ProfileNaming::Both
        );
        if let Some(profile) = profile.filter(|name| is_named && !name.is_empty()) {
            let mut path = url
                .path_segments_mut()
                .map_err(|()| wrong("has no path".to_owned()))?;
            path.pop_if_empty().extend(["p", profile]);
        }
        Ok(url)
    }

    /// Returns the authority's name of a profile of ours.
    pub(crate) fn profile_name<'a>(&'a self, ours: &'a str) -> &'a str {
        self.profiles.get(ours).map_or(ours, String::as_str)
    }

    pub(crate) fn names_profile_in_header(&self) -> bool {
        matches!(
            self.profile_naming,
            ProfileNaming::Header | ProfileNaming::Both
        )
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds.into())
    }
}

/// Tells whether a profile's name can stand in an address as it is.
fn is_plain(name: &str) -> bool {
    let of_names = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(of_names) && !name.starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::{CmpConfig, CmpConfirmation, CmpProtection, CmpRequest, ProfileNaming};

    const WHOLE: &str = r#"
        url = "https://ca.example/.well-known/cmp"
        request = "p10cr"
        confirmation = "implicit"
        profile_naming = "both"
        issues_on_hold = true
        chain_file = "chain.pem"
        [profiles]
        eid-authentication = "EID_AUTH"
        [protection.mac]
        reference = "ra-1"
        secret_file = "secret"
    "#;

    #[test]
    fn a_configuration_is_read() {
        let config = CmpConfig::parse(WHOLE).unwrap();
        assert_eq!(config.request, CmpRequest::P10cr);
        assert_eq!(config.confirmation, CmpConfirmation::Implicit);
        assert!(matches!(config.protection, CmpProtection::Mac { .. }));
        assert_eq!(config.profile_name("eid-authentication"), "EID_AUTH");
        assert_eq!(config.profile_name("other"), "other");
        let url = config.endpoint(Some("EID_AUTH")).unwrap();
        assert_eq!(
            url.as_str(),
            "https://ca.example/.well-known/cmp/p/EID_AUTH"
        );
        let header = WHOLE.replace("\"both\"", "\"header\"");
        let config = CmpConfig::parse(&header).unwrap();
        assert_eq!(config.profile_naming, ProfileNaming::Header);
        let url = config.endpoint(Some("EID_AUTH")).unwrap();
        assert_eq!(url.as_str(), "https://ca.example/.well-known/cmp");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (from, to, said) in [
            ("https://ca", "ftp://ca", "url"),
            ("https://ca", "https://user:secret@ca", "url"),
            ("cmp\"", "cmp?x\"", "url"),
            ("\"p10cr\"", "\"kur\"", "line 3"),
            ("issues_on_hold", "issues_on_hald", "line 6"),
            ("EID_AUTH", "../x", "profiles"),
            ("chain_file", "timeout_seconds = 0\nchain_file", "timeout"),
            ("secret_file", "secret_fil", "line 12"),
        ] {
            let text = WHOLE.replace(from, to);
            assert_ne!(text, WHOLE);
            let error = CmpConfig::parse(&text).unwrap_err();
            let source = std::error::Error::source(&error).map(ToString::to_string);
            let all = format!("{error} {}", source.unwrap_or_default());
            assert!(all.contains(said), "{all}");
            assert!(!all.contains("user:secret"), "{all}");
        }
    }
}
