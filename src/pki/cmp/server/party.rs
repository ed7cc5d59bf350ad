//! Who asks.

use std::fmt;

use cert::Certificate;
use jiff::{SignedDuration, Timestamp};

use super::{CmpServer, Refusal, protection_refusal};
use crate::authority::Status;
use crate::cmp::header::{VERSION_2, VERSION_3};
use crate::cmp::message::CmpMessage;
use crate::cmp::protection::{ProtectionError, SharedSecret};
use crate::cmp::status::Failure;
use crate::register::Entry;

/// The length of a transaction's name and of a nonce (*RFC 9483 §3.1*).
const NAME: usize = 16;

/// By what a client is known.
#[derive(Clone, Debug)]
pub enum CmpClientCredential {
    /// A secret.
    Secret(SharedSecret),
    /// A certificate, this very one.
    Certificate(Box<Certificate>),
}

/// A client that is registered with an endpoint.
#[derive(Clone)]
pub struct CmpClient {
    /// Its name, by which its transactions are told from others'.
    pub name: String,
    /// By what it is known.
    pub credential: CmpClientCredential,
    /// Whether it is a registration authority: proves possession for others (`raVerified`), renews
    /// and revokes any certificate.
    pub is_registration_authority: bool,
    /// The profiles that it may ask for; all of them where nothing stands here.
    pub profiles: Option<Vec<String>>,
}

impl CmpClient {
    pub(super) fn is_confused_with(&self, other: &Self) -> bool {
        use CmpClientCredential::{Certificate, Secret};
        let same = match (&self.credential, &other.credential) {
            (Secret(one), Secret(another)) => one.reference() == another.reference(),
            (Certificate(one), Certificate(another)) => one == another,
            _ => false,
        };
        same || self.name == other.name
    }
}

impl fmt::Debug for CmpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CmpClient({:?})", self.name)
    }
}

/// Who sent a message, once that is proved.
pub(super) enum Party {
    /// A registered client.
    Client(CmpClient),
    /// The holder of a certificate of this authority's.
    Holder(Box<Entry>),
}

impl Party {
    /// Returns the name under which the party's transactions stand.
    pub(super) fn owner(&self) -> Vec<u8> {
        match self {
            Self::Client(client) => format!("client {}", client.name).into_bytes(),
            Self::Holder(entry) => [b"holder ", entry.certificate.serial()].concat(),
        }
    }

    pub(super) fn secret(&self) -> Option<&SharedSecret> {
        match self {
            Self::Client(CmpClient {
                credential: CmpClientCredential::Secret(secret),
                ..
            }) => Some(secret),
            _ => None,
        }
    }

    /// Returns the certificate by which the party is known.
    fn certificate(&self) -> Option<&Certificate> {
        match self {
            Self::Client(CmpClient {
                credential: CmpClientCredential::Certificate(own),
                ..
            }) => Some(own),
            Self::Client(_) => None,
            Self::Holder(entry) => Some(&entry.certificate),
        }
    }

    pub(super) fn is_registration_authority(&self) -> bool {
        matches!(self, Self::Client(client) if client.is_registration_authority)
    }
}

impl CmpServer {
    /// Returns who sent a message, once header and protection are right.
    pub(super) async fn party(
        &self,
        message: &CmpMessage,
        at: Timestamp,
    ) -> Result<Party, Refusal> {
        let header = &message.header;
        if !(VERSION_2..=VERSION_3).contains(&header.pvno) {
            let words = format!("version {} is not spoken here", header.pvno);
            return Err(Refusal::new(Failure::UnsupportedVersion, words));
        }
        if header.transaction().len() != NAME {
            let words = format!("a transactionID has {NAME} bytes");
            return Err(Refusal::new(Failure::BadDataFormat, words));
        }
        if header.nonce().len() < NAME {
            let words = format!("a senderNonce has at least {NAME} bytes");
            return Err(Refusal::new(Failure::BadSenderNonce, words));
        }
        if message.protection.is_none() || header.protection_alg.is_none() {
            return Err(protection_refusal(&ProtectionError::Missing));
        }
        if message.is_mac_protected() {
            self.client_by_secret(message).await.map(Party::Client)
        } else {
            self.signer(message, at).await
        }
    }

    /// Checks a message's time, where it says one.
    pub(super) fn check_time(&self, time: Option<Timestamp>, at: Timestamp) -> Result<(), Refusal> {
        let Some(time) = time else {
            return Ok(());
        };
        let most = SignedDuration::try_from(self.policy.clocks).unwrap_or(SignedDuration::MAX);
        if at.duration_since(time).abs() > most {
            let words = format!("it is {at} here; compare the clocks");
            return Err(Refusal::new(Failure::BadTime, words));
        }
        Ok(())
    }

    async fn client_by_secret(&self, message: &CmpMessage) -> Result<CmpClient, Refusal> {
        let reference = message.header.key_identifier();
        let known = self
            .clients
            .iter()
            .find_map(|client| match &client.credential {
                CmpClientCredential::Secret(secret) if secret.reference() == reference => {
                    Some((client, secret.clone()))
                }
                _ => None,
            });
        let Some((client, secret)) = known else {
            return Err(protection_refusal(&ProtectionError::Mac));
        };
        // The sender says how often the secret is hashed: not on an async thread.
        let ending = || Refusal::new(Failure::SystemUnavail, "the endpoint is ending");
        let many = || Refusal::new(Failure::SystemUnavail, "too many ask at a time");
        let _place = self.strangers.waiting.try_acquire().map_err(|_| many())?;
        let _turn = self
            .strangers
            .hashed
            .acquire()
            .await
            .map_err(|_| ending())?;
        let message = message.clone();
        let verified = tokio::task::spawn_blocking(move || message.verify_mac(&secret)).await;
        match verified {
            Ok(Ok(())) => Ok(client.clone()),
            Ok(Err(error)) => Err(protection_refusal(&error)),
            Err(_) => Err(ending()),
        }
    }

    fn registered_client(&self, is_wanted: impl Fn(&Certificate) -> bool) -> Option<&CmpClient> {
        let mut clients = self.clients.iter();
        clients.find(|client| {
            matches!(&client.credential, CmpClientCredential::Certificate(own) if is_wanted(own))
        })
    }

    async fn signer(&self, message: &CmpMessage, at: Timestamp) -> Result<Party, Refusal> {
        let untrusted = || {
            let words = "the signer is no registered client and no holder of a certificate";
            Refusal::new(Failure::SignerNotTrusted, words)
        };
        // The sender's own certificate comes first (RFC 9810 §5.1); one that is signed by itself may
        // be left out.
        let party = match message.certificates().into_iter().next() {
            Some(certificate) => match self.registered_client(|own| *own == certificate) {
                Some(client) => Party::Client(client.clone()),
                None => {
                    let entry = self.ca.register().find(certificate.serial()).await?;
                    let entry = entry.filter(|entry| entry.certificate == certificate);
                    Party::Holder(Box::new(entry.ok_or_else(untrusted)?))
                }
            },
            None => {
                let header = &message.header;
                let (name, identifier) = (header.sender_name(), header.key_identifier());
                let client = self.registered_client(|own| {
                    let own_identifier = own.extensions().subject_key_identifier.as_deref();
                    name.as_ref() == Some(own.subject())
                        && (identifier.is_empty() || own_identifier == Some(identifier))
                });
                Party::Client(client.ok_or_else(untrusted)?.clone())
            }
        };
        let certificate = party.certificate().ok_or_else(untrusted)?;
        message
            .verify_signature(certificate)
            .map_err(|error| protection_refusal(&error))?;
        if !certificate.validity().contains(at) {
            let words = "the signer's certificate does not hold now";
            return Err(Refusal::new(Failure::SignerNotTrusted, words));
        }
        let revoked = || {
            let words = "the signer's certificate is revoked or on hold";
            Err(Refusal::new(Failure::CertRevoked, words))
        };
        match &party {
            Party::Holder(entry) if matches!(entry.status, Status::Revoked(_)) => return revoked(),
            Party::Holder(_) => {}
            // A client may be known by a certificate of this authority's.
            Party::Client(_) => {
                let entry = self.ca.register().find(certificate.serial()).await?;
                let own = entry.filter(|entry| entry.certificate == *certificate);
                if own.is_some_and(|own| own.status != Status::Good) {
                    return revoked();
                }
            }
        }
        Ok(party)
    }
}
