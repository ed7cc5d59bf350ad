//! What an installation is told when it starts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use audit::ClockQuality;
use document::{Calendar, Environment, OfficeCode};
use hsm::{Curve, EnvelopeKey, HsmError, MasterKeySize, Token};
use jiff::Timestamp;
use pki::CertificateAuthority;
use profile::{ReleaseShelf, Shelf};

use crate::certificate_profiles::CertificateShelf;
use crate::database::DatabaseSource;
use crate::error::{CentralError, Result};
use crate::travel::TravelConfig;

/// What an installation is told when it starts.
pub struct Config {
    /// Where the books are.
    pub database: DatabaseSource,
    /// What the installation is for. Bound at the first start.
    pub environment: Environment,
    /// The token that holds all its keys.
    pub token: Arc<Token>,
    /// Under which labels.
    pub keys: KeyLabels,
    /// The chip profiles; all of them are proved when the store opens.
    pub chips: Shelf,
    /// The document profiles, proved too.
    pub documents: Shelf,
    /// The releases of all profiles, and the people who may release. Production runs nothing else; a test
    /// installation needs none, and refuses one that was altered.
    pub releases: ReleaseShelf,
    /// The certificate profiles, proved too.
    pub certificates: CertificateShelf,
    /// The embedded certificate authority's own profile on that shelf. Its certificate is made
    /// at the first start.
    pub authority: String,
    /// Other certification authorities, by the names that certificate profiles have for them.
    pub authorities: BTreeMap<String, Arc<dyn CertificateAuthority>>,
    /// What travel documents need, where any are made.
    pub travel: TravelConfig,
    /// The key of the envelope printer, where it has one of its own: then nobody here opens an
    /// envelope. None: the key in the token.
    pub envelope_printer: Option<EnvelopeKey>,
    /// The most channels within a minute for which one station gets keys, or has stages sealed.
    pub channels_a_minute: usize,
    /// The two letters of the number series, opened whole at the first start.
    pub series: String,
    /// Which days the office works, and when its day begins.
    pub calendar: Calendar,
    /// The offices that have stations of their own: those make their documents, and no others.
    pub own_stations: BTreeSet<OfficeCode>,
    /// The name of the audit log: the name of its key, and the origin of its checkpoints.
    pub origin: String,
    /// The store's own name, for what it does by itself.
    pub station: String,
    /// What tells the time.
    pub clock: Arc<dyn Clock>,
}

/// The labels of the keys in the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyLabels {
    /// The master keys of chips, by the key set's name in the chip profiles; `CHIP/SET` names that
    /// of one chip profile alone, which counts before the other.
    pub masters: BTreeMap<String, String>,
    /// The certificate authority's key, P-384.
    pub authority: String,
    /// The key of its responder (OCSP), P-384.
    pub ocsp: String,
    /// The key that signs its answers over CMP, P-384.
    pub cmp: String,
    /// The key that signs the audit log's checkpoints, Ed25519.
    pub audit: String,
    /// The key to which PIN envelopes are sealed, P-384.
    pub envelope: String,
    /// The key that signs what registers are told, P-384.
    pub registers: String,
    /// The key to which the secrets of second factors are sealed, P-384.
    pub people: String,
    /// The key that certifies stations, P-384.
    pub stations: String,
    /// The key of the index by which people are found among what is encrypted, AES-256. The keys
    /// under which personal data is encrypted are made and destroyed by the store itself.
    pub index: String,
}

impl Default for KeyLabels {
    fn default() -> Self {
        let masters = [
            ("transport", "transport-master"),
            ("issuer", "issuer-master"),
        ];
        Self {
            masters: masters
                .map(|(set, label)| (set.to_owned(), label.to_owned()))
                .into(),
            authority: "authority".to_owned(),
            ocsp: "ocsp".to_owned(),
            cmp: "cmp".to_owned(),
            audit: "audit".to_owned(),
            envelope: "envelope".to_owned(),
            registers: "registers".to_owned(),
            people: "people".to_owned(),
            stations: "station-authority".to_owned(),
            index: "personal-index".to_owned(),
        }
    }
}

impl KeyLabels {
    /// Returns every label.
    pub fn all(&self) -> impl Iterator<Item = &String> {
        let own = [
            &self.authority,
            &self.ocsp,
            &self.cmp,
            &self.audit,
            &self.envelope,
            &self.registers,
            &self.people,
            &self.stations,
            &self.index,
        ];
        self.masters.values().chain(own)
    }

    /// Returns every key that the token does not hold yet, by label and what it is for.
    ///
    /// # Errors
    /// [`HsmError`] where the token does not list its keys.
    pub fn missing(&self, token: &Token) -> std::result::Result<Vec<(String, StoreKey)>, HsmError> {
        let there: BTreeSet<String> = token.keys()?.into_iter().map(|key| key.label).collect();
        let masters = self.masters.iter().map(|(set, label)| {
            let (_, set) = set.rsplit_once('/').unwrap_or(("", set));
            match set {
                "transport" => (label, StoreKey::Transport),
                _ => (label, StoreKey::Master),
            }
        });
        let own = [
            (&self.authority, StoreKey::Signing),
            (&self.ocsp, StoreKey::Signing),
            (&self.cmp, StoreKey::Signing),
            (&self.stations, StoreKey::Signing),
            (&self.registers, StoreKey::Signing),
            (&self.audit, StoreKey::Log),
            (&self.envelope, StoreKey::Agreement),
            (&self.people, StoreKey::Agreement),
            (&self.index, StoreKey::Index),
        ];
        let mut missing: Vec<(String, StoreKey)> = Vec::new();
        for (label, key) in masters.chain(own) {
            // Several key sets may have one master key.
            if !there.contains(label) && !missing.iter().any(|(named, _)| named == label) {
                missing.push((label.clone(), key));
            }
        }
        Ok(missing)
    }

    /// Makes every key that the token does not hold yet, and returns their labels.
    ///
    /// The master key of a key set `transport` is not made: it is the chip maker's, and is
    /// imported ([`Token::import_master_key`]).
    ///
    /// # Errors
    /// [`HsmError`] where the token does not make a key.
    pub fn generate_missing(&self, token: &Token) -> std::result::Result<Vec<String>, HsmError> {
        let mut made = Vec::new();
        for (label, key) in self.missing(token)? {
            if key.make(token, &label)? {
                made.push(label);
            }
        }
        Ok(made)
    }

    /// Returns the label of the master key of a chip's key set.
    pub fn master_of(&self, chip: &str, key_set: &str) -> Result<&str> {
        match self.masters.get(&format!("{chip}/{key_set}")) {
            Some(label) => Ok(label),
            None => self.master(key_set),
        }
    }

    /// Returns the label of the master key of a key set, or of an issuer's PIN.
    pub(crate) fn master(&self, key_set: &str) -> Result<&str> {
        self.masters
            .get(key_set)
            .map(String::as_str)
            .ok_or_else(|| CentralError::Unfit {
                reason: format!(
                    "no master key is named for \"{key_set}\"; name one under [masters]"
                ),
            })
    }
}

/// What a key of the store is for, and so of which kind it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKey {
    /// A chip maker's master key, AES-128: it is imported, and not made.
    Transport,
    /// A master key from which chips' keys are derived, AES-128.
    Master,
    /// A key that signs, P-384.
    Signing,
    /// The key that signs the log's checkpoints, Ed25519.
    Log,
    /// A key to which something is sealed, P-384.
    Agreement,
    /// The key of an index, AES-256.
    Index,
}

impl StoreKey {
    /// Makes the key in a token; returns whether it is one that is made.
    ///
    /// # Errors
    /// [`HsmError`] where the token does not make it, or has one of this label.
    pub fn make(self, token: &Token, label: &str) -> std::result::Result<bool, HsmError> {
        match self {
            Self::Transport => return Ok(false),
            Self::Master => token.generate_master_key(label, MasterKeySize::Aes128)?,
            Self::Signing => token.generate_signing_key(label, Curve::P384).map(drop)?,
            Self::Log => token.generate_ed25519(label).map(drop)?,
            Self::Agreement => token.generate_envelope_key(label).map(drop)?,
            Self::Index => token.generate_master_key(label, MasterKeySize::Aes256)?,
        }
        Ok(true)
    }
}

/// Tells the time. A test has a clock of its own.
pub trait Clock: Send + Sync {
    /// Returns the present moment.
    fn now(&self) -> Timestamp;

    /// Returns how far it can be relied on: what each audit entry says of its time.
    fn quality(&self) -> ClockQuality {
        ClockQuality::Unknown
    }
}

/// The machine's clock. Whether it follows UTC is not known here.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}
