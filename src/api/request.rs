//! What a station asks while it writes a chip.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_with::hex::Hex;
use serde_with::serde_as;

use crate::{LeaseId, Secret};

/// What passed before the issuer's channel to a chip opens.
#[serde_as]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelOpening {
    /// The key set's name in the chip profile.
    pub key_set: String,
    /// The host challenge that the chip was given.
    #[serde_as(as = "Hex")]
    pub host_challenge: Vec<u8>,
    /// What the chip said, by name: under GlobalPlatform `initialize_update`, else what the chip
    /// profile's `open_channel` takes.
    #[serde_as(as = "BTreeMap<_, Hex>")]
    pub answers: BTreeMap<String, Vec<u8>>,
}

/// Says which chips lie at the slot, and on which of them the document is about to be put.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimRequest {
    /// The lease.
    pub lease: LeaseId,
    /// The chip's serial number; the first claim binds the blank that carries it to the lease, and
    /// every later chip must be of that blank.
    pub chip: String,
    /// The serial numbers of the other chips of the blank, as they were read at the same slot: all
    /// of them, so that nothing is done to any before it is known that they are of one blank.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<String>,
    /// The serial number that is printed on the blank, where the slot has a scanner that read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub printed: Option<String>,
}

/// Asks for the session keys of a secure channel, or for the issuer's proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelRequest {
    /// The lease.
    pub lease: LeaseId,
    /// The chip's serial number.
    pub chip: String,
    /// What passed so far.
    #[serde(flatten)]
    pub opening: ChannelOpening,
}

/// What opens a channel to a chip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ChannelGrant {
    /// Session keys. No static key ever leaves the centre.
    SessionKeys {
        /// S-ENC.
        enc: Secret,
        /// S-MAC.
        mac: Secret,
        /// S-RMAC.
        rmac: Secret,
    },
    /// The issuer's proof for this chip and this challenge.
    Proof {
        /// What the chip is shown.
        proof: Secret,
        /// What it must answer, if it proves anything.
        answer: Option<Secret>,
    },
}

/// Asks for commands that put another key set on the chip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutKeyRequest {
    /// The lease.
    pub lease: LeaseId,
    /// The chip's serial number.
    pub chip: String,
    /// How the open channel was opened; its key set is the one that is on the chip.
    #[serde(flatten)]
    pub opening: ChannelOpening,
    /// The key set that shall be.
    pub new: String,
    /// Whether the present one stays beside it.
    pub adds: bool,
}

/// Commands that put another key set on the chip. Under GlobalPlatform the keys in them are
/// encrypted.
#[serde_as]
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutKeyGrant {
    /// The C-APDUs, not yet protected.
    pub commands: Vec<Secret>,
    /// What the chip must answer to the last, if it answers anything.
    #[serde_as(as = "Option<Hex>")]
    pub answer: Option<Vec<u8>>,
    /// The key check values of the new keys, one after another.
    #[serde_as(as = "Hex")]
    pub kcv: Vec<u8>,
}

/// Asks for a certificate.
#[serde_as]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertifyRequest {
    /// The lease.
    pub lease: LeaseId,
    /// The chip's serial number.
    pub chip: String,
    /// The key's name in the chip profile.
    pub key: String,
    /// The certificate profile.
    pub profile: String,
    /// The certification request, DER, signed by the chip.
    #[serde_as(as = "Hex")]
    pub request: Vec<u8>,
}

/// What becomes of the request for a certificate.
#[serde_as]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum CertifyGrant {
    /// It was issued, and is on hold.
    Issued {
        /// The certificate, DER.
        #[serde_as(as = "Hex")]
        certificate: Vec<u8>,
        /// What the chip is to sign under it once it has it.
        #[serde_as(as = "Hex")]
        challenge: Vec<u8>,
    },
    /// The authority takes its time: ask the same again.
    Pending {
        /// Not before this many milliseconds from now.
        after: u64,
    },
}

/// Shows that a certificate is on its chip: the chip signed the challenge that came with it.
#[serde_as]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProveRequest {
    /// The lease.
    pub lease: LeaseId,
    /// The chip's serial number.
    pub chip: String,
    /// The key's name in the chip profile.
    pub key: String,
    /// The signature, in the chip's own form.
    #[serde_as(as = "Hex")]
    pub signature: Vec<u8>,
}

/// Asks for the files of a travel chip that hold its keys, and for the security object.
#[serde_as]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignLdsRequest {
    /// The lease.
    pub lease: LeaseId,
    /// The chip's serial number.
    pub chip: String,
    /// The public keys of the chip, `SubjectPublicKeyInfo` in DER, by the chip profile's names.
    #[serde_as(as = "BTreeMap<_, Hex>")]
    pub keys: BTreeMap<String, Vec<u8>>,
}

/// The files of a travel chip that hold its keys, and the security object.
#[serde_as]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignLdsGrant {
    /// The files, by the names that the chip profile writes after `prepared.`.
    #[serde_as(as = "BTreeMap<_, Hex>")]
    pub files: BTreeMap<String, Vec<u8>>,
}

/// What a chip and its reader take in one command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carries {
    /// Most data bytes of a command.
    pub command: u32,
    /// Most bytes of an answer.
    pub response: u32,
    /// Whether both take extended length.
    pub extended: bool,
}

impl Default for Carries {
    /// What every chip and reader take: short commands and answers.
    fn default() -> Self {
        Self {
            command: 255,
            response: 256,
            extended: false,
        }
    }
}

/// Asks for the commands of a sealed stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealRequest {
    /// The lease.
    pub lease: LeaseId,
    /// The chip's serial number.
    pub chip: String,
    /// The stage's name in the plan.
    pub stage: String,
    /// What passed before its channel opens, if it has one.
    pub opening: Option<ChannelOpening>,
    /// What chip and reader take together.
    pub carries: Carries,
    /// The digits of the PINs that only this personalization knows and the stage needs.
    pub pins: BTreeMap<String, Secret>,
}

/// The commands of a sealed stage, protected where there is a secure channel.
#[serde_as]
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealGrant {
    /// The commands, in order.
    pub commands: Vec<SealedCommand>,
    /// The public keys of the key pairs that they import: `SubjectPublicKeyInfo` in DER.
    #[serde_as(as = "BTreeMap<_, Hex>")]
    pub publics: BTreeMap<String, Vec<u8>>,
}

/// One command of a sealed stage.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedCommand {
    /// The C-APDU. Without a secure channel it may carry a PIN.
    pub command: Secret,
    /// The status words that mean success, X for any digit.
    pub expect: Vec<String>,
}

/// Gives the answers to a sealed stage.
#[serde_as]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfirmRequest {
    /// The lease.
    pub lease: LeaseId,
    /// The chip's serial number.
    pub chip: String,
    /// The stage's name in the plan.
    pub stage: String,
    /// R-APDUs, in the order of the commands.
    #[serde_as(as = "Vec<Hex>")]
    pub answers: Vec<Vec<u8>>,
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::*;

    fn opening() -> ChannelOpening {
        ChannelOpening {
            key_set: "issuer".into(),
            host_challenge: vec![0xAB; 2],
            answers: [("channel.challenge".into(), vec![1, 2])].into(),
        }
    }

    /// Says that a value has this form on the wire, and comes back from it.
    fn travels<T: Serialize + DeserializeOwned + PartialEq>(value: &T, form: Value) {
        assert_eq!(serde_json::to_value(value).unwrap(), form);
        assert!(serde_json::from_value::<T>(form).unwrap() == *value);
    }

    #[test]
    fn requests_and_grants_travel_in_their_documented_forms() {
        let lease = LeaseId(uuid::Uuid::nil());
        let nil = "00000000-0000-0000-0000-000000000000";
        travels(
            &ChannelRequest {
                lease,
                chip: "00".into(),
                opening: opening(),
            },
            json!({"lease": nil, "chip": "00", "key_set": "issuer", "host_challenge": "abab", "answers": {"channel.challenge": "0102"}}),
        );
        travels(
            &ClaimRequest {
                lease,
                chip: "00".into(),
                beside: Vec::new(),
                printed: None,
            },
            json!({"lease": nil, "chip": "00"}),
        );
        travels(
            &ClaimRequest {
                lease,
                chip: "00".into(),
                beside: vec!["01".into()],
                printed: None,
            },
            json!({"lease": nil, "chip": "00", "beside": ["01"]}),
        );
        travels(
            &PutKeyRequest {
                lease,
                chip: "00".into(),
                opening: opening(),
                new: "next".into(),
                adds: true,
            },
            json!({"lease": nil, "chip": "00", "key_set": "issuer", "host_challenge": "abab", "answers": {"channel.challenge": "0102"}, "new": "next", "adds": true}),
        );
        travels(
            &SealRequest {
                lease,
                chip: "00".into(),
                stage: "close".into(),
                opening: None,
                carries: Carries::default(),
                pins: [("pin1".into(), Secret::new(*b"1234"))].into(),
            },
            json!({"lease": nil, "chip": "00", "stage": "close", "opening": null, "carries": {"command": 255, "response": 256, "extended": false}, "pins": {"pin1": "MTIzNA=="}}),
        );
        travels(
            &SealGrant {
                commands: vec![SealedCommand {
                    command: Secret::new([0, 0x24, 1, 1]),
                    expect: vec!["9000".into(), "63CX".into()],
                }],
                publics: [("key".into(), vec![0x30, 0x00])].into(),
            },
            json!({"commands": [{"command": "ACQBAQ==", "expect": ["9000", "63CX"]}], "publics": {"key": "3000"}}),
        );
        travels(
            &PutKeyGrant {
                commands: vec![Secret::new([0x80, 0xD8, 0, 0x81])],
                answer: None,
                kcv: vec![1, 2, 3],
            },
            json!({"commands": ["gNgAgQ=="], "answer": null, "kcv": "010203"}),
        );
        travels(
            &CertifyGrant::Issued {
                certificate: vec![0x30, 0x00],
                challenge: vec![1, 2],
            },
            json!({"state": "issued", "certificate": "3000", "challenge": "0102"}),
        );
        travels(
            &CertifyGrant::Pending { after: 1500 },
            json!({"state": "pending", "after": 1500}),
        );
        travels(
            &ProveRequest {
                lease,
                chip: "00".into(),
                key: "signature".into(),
                signature: vec![0x30],
            },
            json!({"lease": nil, "chip": "00", "key": "signature", "signature": "30"}),
        );
        let key = |byte| Secret::new([byte; 3]);
        travels(
            &ChannelGrant::SessionKeys {
                enc: key(0),
                mac: key(1),
                rmac: key(2),
            },
            json!({"kind": "session-keys", "enc": "AAAA", "mac": "AQEB", "rmac": "AgIC"}),
        );
        travels(
            &ChannelGrant::Proof {
                proof: key(0),
                answer: Some(key(1)),
            },
            json!({"kind": "proof", "proof": "AAAA", "answer": "AQEB"}),
        );
    }

    #[test]
    fn what_is_shown_holds_no_secret() {
        let request = SealRequest {
            lease: LeaseId(uuid::Uuid::nil()),
            chip: "00".into(),
            stage: "s".into(),
            opening: Some(opening()),
            carries: Carries::default(),
            pins: [("pin1".into(), Secret::new(*b"739184"))].into(),
        };
        let proof = ChannelGrant::Proof {
            proof: Secret::new(*b"739184"),
            answer: Some(Secret::new(*b"739184")),
        };
        let shown = format!("{request:?} {proof:?}");
        for form in ["739184", "55, 51, 57", "373339313834", "NzM5MTg0"] {
            assert!(!shown.contains(form), "{shown}");
        }
    }
}
