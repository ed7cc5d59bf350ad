//! A token kind's configuration: where its module is, and which mechanism serves what.

use std::path::PathBuf;

use serde::Deserialize;

use crate::error::ConfigError;

/// One kind of PKCS#11 token, as `hsm-config/*.toml` describes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenConfig {
    name: String,
    modules: Vec<PathBuf>,
    #[serde(default)]
    sessions: SessionLimits,
    mechanisms: Mechanisms,
}

/// How many sessions are held open to one token.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionLimits {
    /// The largest number of sessions at once; a further caller waits. 1 to 256.
    pub max: usize,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self { max: 8 }
    }
}

/// Which mechanism a token kind uses for what; `none` where it is not used for that at all.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mechanisms {
    /// ECDSA signatures on P-256 and P-384.
    pub ecdsa: Ecdsa,
    /// ECDSA on brainpoolP256r1 and brainpoolP384r1, for signers of travel documents.
    #[serde(default)]
    pub brainpool: Brainpool,
    /// RSA-PSS signatures, for signers of travel documents.
    #[serde(default)]
    pub rsa_pss: RsaPss,
    /// Ed25519 signatures.
    pub ed25519: Ed25519,
    /// How the curve is named when an Ed25519 key is made.
    #[serde(default)]
    pub ed25519_parameters: Ed25519Parameters,
    /// Card keys from an AES master key.
    pub diversification: Diversification,
    /// Card keys from a triple DES master key, for stock that still has SCP02.
    #[serde(default)]
    pub diversification_des: DesDiversification,
    /// Key check values of master keys.
    pub key_check_value: KeyCheckValue,
    /// Opening of PIN envelopes.
    pub envelope: Envelope,
    /// Keys that suppliers send under a zone key.
    #[serde(default)]
    pub key_wrap: KeyWrap,
    /// Keys that encrypt personal data in the host.
    #[serde(default)]
    pub data_keys: DataKeys,
}

/// How a token makes an ECDSA signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ecdsa {
    /// `CKM_ECDSA` over a digest that the host makes.
    Raw,
    /// Not used.
    None,
}

/// How a brainpool curve is named when a key is made. No mechanism list tells which curves a token
/// has: a key is made to find out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Brainpool {
    /// By its object identifier (*RFC 5639 §4.1*).
    ObjectIdentifier,
    /// Not used.
    #[default]
    None,
}

/// How a token makes an RSA-PSS signature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RsaPss {
    /// `CKM_RSA_PKCS_PSS` over a digest that the host makes, with SHA-256 and 32 bytes of salt.
    Raw,
    /// Not used.
    #[default]
    None,
}

/// How a token makes an Ed25519 signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ed25519 {
    /// `CKM_EDDSA` without parameters.
    Eddsa,
    /// Not used.
    None,
}

/// The form of `CKA_EC_PARAMS` for an Ed25519 key; modules disagree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ed25519Parameters {
    /// The object identifier 1.3.101.112 (*RFC 8410 §3*).
    #[default]
    ObjectIdentifier,
    /// The PrintableString `edwards25519` (*PKCS#11 3.0*, Edwards curve keys).
    CurveName,
}

/// How card keys are derived from a master key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Diversification {
    /// Every block by `CKM_AES_CMAC` in the token: the master key never leaves, the card's keys
    /// pass host memory.
    AesCmac,
    /// Not used.
    None,
}

/// How card keys are derived from a triple DES master key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DesDiversification {
    /// Both halves of a key by `CKM_DES3_ECB` in the token (EMV CPS 1.1, VISA2), check values as
    /// well: the master key never leaves, the card's keys pass host memory.
    Des3Ecb,
    /// Not used.
    #[default]
    None,
}

/// How a master key's check value is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyCheckValue {
    /// `CKM_AES_ECB` over sixteen bytes 01 (*GP Amendment D*, PUT KEY); of a triple DES key
    /// `CKM_DES3_ECB` over eight bytes 00.
    AesEcb,
    /// Not used.
    None,
}

/// How a key comes in under a zone key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyWrap {
    /// `CKM_AES_KEY_WRAP` (*RFC 3394*) in the token.
    AesKeyWrap,
    /// Not used.
    #[default]
    None,
}

/// How a data key is wrapped under a key of the token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DataKeys {
    /// `CKM_AES_GCM` in the token, with an initialization vector that the host draws from the
    /// token's random source; the data key passes host memory, which is where it is used.
    AesGcm,
    /// Not used: the store keeps no personal data under such a token.
    #[default]
    None,
}

/// How a sealed PIN envelope is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Envelope {
    /// `CKM_ECDH1_DERIVE` on P-384 without a KDF; the shared secret of one envelope passes host
    /// memory, the private key does not.
    Ecdh1Derive,
    /// Not used.
    None,
}

impl TokenConfig {
    /// Returns the token kind that `text` describes.
    ///
    /// # Errors
    /// [`ConfigError`] for unknown fields, unknown mechanisms, or no module.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let config: Self =
            toml::from_str(text).map_err(|error| ConfigError::Syntax(Box::new(error)))?;
        let refuse = |field, reason| Err(ConfigError::Value { field, reason });
        if config.name.trim().is_empty() {
            return refuse("name", "is empty");
        }
        if config.modules.is_empty() {
            return refuse("modules", "names no PKCS#11 module");
        }
        if config.modules.iter().any(|path| !path.is_absolute()) {
            // A relative path would load whatever lies in the working folder.
            return refuse("modules", "has a path that is not absolute");
        }
        if !(1..=256).contains(&config.sessions.max) {
            return refuse("sessions.max", "is not within 1 to 256");
        }
        Ok(config)
    }

    /// Returns the token kind's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the paths at which the PKCS#11 module may be, the preferred first.
    pub fn modules(&self) -> &[PathBuf] {
        &self.modules
    }

    /// Returns the limit on sessions.
    pub fn sessions(&self) -> SessionLimits {
        self.sessions
    }

    /// Returns which mechanism serves what.
    pub fn mechanisms(&self) -> Mechanisms {
        self.mechanisms
    }
}

#[cfg(test)]
mod tests {
    use super::{DesDiversification, Diversification, Ecdsa, TokenConfig};
    use crate::error::ConfigError;

    const SOFTHSM2: &str = include_str!("../../hsm-config/softhsm2.toml");

    #[test]
    fn shipped_file_loads() {
        let config = TokenConfig::parse(SOFTHSM2).unwrap();
        assert_eq!(config.name(), "SoftHSM2");
        assert_eq!(config.mechanisms().ecdsa, Ecdsa::Raw);
        assert_eq!(
            config.mechanisms().diversification,
            Diversification::AesCmac
        );
        assert_eq!(
            config.mechanisms().diversification_des,
            DesDiversification::Des3Ecb
        );
        // A file that does not speak of triple DES does not use it.
        let silent = SOFTHSM2.replace("diversification_des = \"des3-ecb\"", "");
        assert_eq!(
            TokenConfig::parse(&silent)
                .unwrap()
                .mechanisms()
                .diversification_des,
            DesDiversification::None
        );
    }

    #[test]
    fn every_template_loads() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../hsm-config");
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let config = TokenConfig::parse(&text);
            let config = config.unwrap_or_else(|error| panic!("{}: {error:?}", path.display()));
            names.push(config.name().to_owned());
            // A template says that it is one.
            assert!(config.name() == "SoftHSM2" || text.contains("Not tried on the"));
        }
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 5, "{names:?}");
    }

    #[test]
    fn faults_are_named() {
        let unknown = SOFTHSM2.replace("[mechanisms]", "[mechanisms]\necdsaa = \"raw\"");
        let error = TokenConfig::parse(&unknown).unwrap_err();
        assert!(
            matches!(&error, ConfigError::Syntax(cause) if cause.to_string().contains("ecdsaa"))
        );
        let relative =
            SOFTHSM2.replace("\"/usr/lib/softhsm/libsofthsm2.so\"", "\"libsofthsm2.so\"");
        assert!(matches!(
            TokenConfig::parse(&relative),
            Err(ConfigError::Value {
                field: "modules",
                ..
            })
        ));
        let crowd = SOFTHSM2.replace("max = 8", "max = 0");
        assert!(matches!(
            TokenConfig::parse(&crowd),
            Err(ConfigError::Value {
                field: "sessions.max",
                ..
            })
        ));
    }
}
