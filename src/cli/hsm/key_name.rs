//! Names of keys and of what they are for, as a person writes them.

use card::cipher::KeyAlgorithm;
use hsm::{CheckMethod, Curve, KeyRole, MasterKeySize, RsaSize};

/// Which key is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum NewKey {
    /// An AES-128 master key: card keys are derived from it.
    Aes128,
    /// An AES-192 master key.
    Aes192,
    /// An AES-256 master key.
    Aes256,
    /// A triple DES master key, for stock that has nothing better.
    Des3,
    /// An ECDSA key pair on P-256.
    P256,
    /// An ECDSA key pair on P-384: certificate authorities, document signers.
    P384,
    /// An ECDSA key pair on brainpoolP256r1: document signers.
    Bp256r1,
    /// An ECDSA key pair on brainpoolP384r1: document signers, country signing authorities.
    Bp384r1,
    /// An RSA key pair of 2048 bits that signs by RSA-PSS: document signers.
    Rsa2048,
    /// An RSA key pair of 3072 bits that signs by RSA-PSS.
    Rsa3072,
    /// An RSA key pair of 4096 bits that signs by RSA-PSS: country signing authorities.
    Rsa4096,
    /// An Ed25519 key pair: the audit log's checkpoints, people's signatures.
    Ed25519,
    /// The key pair to which PIN envelopes are sealed.
    Envelope,
}

impl NewKey {
    /// Returns its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Aes128 => "aes128",
            Self::Aes192 => "aes192",
            Self::Aes256 => "aes256",
            Self::Des3 => "des3",
            Self::P256 => "p256",
            Self::P384 => "p384",
            Self::Bp256r1 => "bp256r1",
            Self::Bp384r1 => "bp384r1",
            Self::Rsa2048 => "rsa2048",
            Self::Rsa3072 => "rsa3072",
            Self::Rsa4096 => "rsa4096",
            Self::Ed25519 => "ed25519",
            Self::Envelope => "envelope",
        }
    }

    /// Makes it in a token.
    pub(crate) fn make(self, token: &hsm::Token, label: &str) -> Result<(), hsm::HsmError> {
        let master = |size| token.generate_master_key(label, size);
        let pair = |curve| token.generate_signing_key(label, curve).map(drop);
        let rsa = |size| token.generate_rsa_key(label, size).map(drop);
        match self {
            Self::Aes128 => master(MasterKeySize::Aes128),
            Self::Aes192 => master(MasterKeySize::Aes192),
            Self::Aes256 => master(MasterKeySize::Aes256),
            Self::Des3 => token.generate_des3_master_key(label),
            Self::P256 => pair(Curve::P256),
            Self::P384 => pair(Curve::P384),
            Self::Bp256r1 => pair(Curve::BrainpoolP256r1),
            Self::Bp384r1 => pair(Curve::BrainpoolP384r1),
            Self::Rsa2048 => rsa(RsaSize::Bits2048),
            Self::Rsa3072 => rsa(RsaSize::Bits3072),
            Self::Rsa4096 => rsa(RsaSize::Bits4096),
            Self::Ed25519 => token.generate_ed25519(label).map(drop),
            Self::Envelope => token.generate_envelope_key(label).map(drop),
        }
    }
}

/// Which secret key is split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum SplitKey {
    /// AES-128.
    Aes128,
    /// AES-192.
    Aes192,
    /// AES-256.
    Aes256,
    /// Triple DES of three keys.
    Des3,
}

impl SplitKey {
    /// Returns its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Aes128 => "aes128",
            Self::Aes192 => "aes192",
            Self::Aes256 => "aes256",
            Self::Des3 => "des3",
        }
    }

    /// Returns its length in bytes.
    pub(crate) fn length(self) -> usize {
        match self {
            Self::Aes128 => 16,
            Self::Aes192 | Self::Des3 => 24,
            Self::Aes256 => 32,
        }
    }

    /// Returns its cipher.
    pub(crate) fn algorithm(self) -> KeyAlgorithm {
        match self {
            Self::Des3 => KeyAlgorithm::TripleDes,
            Self::Aes128 | Self::Aes192 | Self::Aes256 => KeyAlgorithm::Aes,
        }
    }
}

/// A key's cipher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Algorithm {
    /// AES.
    Aes,
    /// Triple DES.
    Des3,
}

impl Algorithm {
    /// Returns its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Aes => "aes",
            Self::Des3 => "des3",
        }
    }
}

impl From<Algorithm> for KeyAlgorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Aes => Self::Aes,
            Algorithm::Des3 => Self::TripleDes,
        }
    }
}

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Role {
    /// Card keys are derived from it; it cannot leave the token.
    Master,
    /// Every card of a delivery has it as it is; its value can be read by whoever logs in.
    Transport,
    /// Suppliers send keys under it; it cannot leave the token.
    Zone,
    /// Backups are sealed under it; it cannot leave the token.
    Backup,
}

impl Role {
    /// Returns its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::Transport => "transport",
            Self::Zone => "zone",
            Self::Backup => "backup",
        }
    }
}

impl From<Role> for KeyRole {
    fn from(role: Role) -> Self {
        match role {
            // Backups are sealed under keys derived from it, as a card's keys are.
            Role::Master | Role::Backup => Self::Master,
            Role::Transport => Self::Transport,
            Role::Zone => Self::Zone,
        }
    }
}

/// How a supplier computes the check value of an AES key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum KcvMethod {
    /// Sixteen bytes 01 encrypted, as GlobalPlatform and this program do it.
    Gp,
    /// Sixteen bytes 00 encrypted.
    Zeros,
    /// The AES-CMAC of sixteen bytes 00.
    Cmac,
}

impl KcvMethod {
    /// Returns its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gp => "gp",
            Self::Zeros => "zeros",
            Self::Cmac => "cmac",
        }
    }
}

impl From<KcvMethod> for CheckMethod {
    fn from(method: KcvMethod) -> Self {
        match method {
            KcvMethod::Gp => Self::GlobalPlatform,
            KcvMethod::Zeros => Self::Zeros,
            KcvMethod::Cmac => Self::Cmac,
        }
    }
}

/// Reads a check value: six hexadecimal digits.
pub(crate) fn kcv(text: &str) -> Result<[u8; 3], String> {
    let mut kcv = [0; 3];
    hex::decode_to_slice(text.trim(), &mut kcv)
        .map_err(|_| "a check value is six hexadecimal digits".to_owned())?;
    Ok(kcv)
}
