//! What a station asks while it writes a chip.

use serde::{Deserialize, Serialize};
use serde_with::hex::Hex;
use serde_with::serde_as;

use crate::{LeaseId, Secret};

/// Asks for the session keys of a secure channel.
#[serde_as]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelRequest {
    /// The lease.
    pub lease: LeaseId,
    /// The chip's serial number; the first request binds the blank that carries it to the lease,
    /// and every later chip must be of that blank.
    pub chip: String,
    /// The key set's name in the chip profile.
    pub key_set: String,
    /// The host challenge that the chip was given.
    #[serde_as(as = "Hex")]
    pub host_challenge: [u8; 8],
    /// The chip's answer to INITIALIZE UPDATE.
    #[serde_as(as = "Hex")]
    pub initialize_update: Vec<u8>,
}

/// The session keys of one secure channel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChannelKeys {
    /// S-ENC.
    pub enc: Secret,
    /// S-MAC.
    pub mac: Secret,
    /// S-RMAC.
    pub rmac: Secret,
}

/// Asks for a PUT KEY command.
#[serde_as]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutKeyRequest {
    /// The lease.
    pub lease: LeaseId,
    /// The chip's serial number.
    pub chip: String,
    /// The key set that is on the chip.
    pub current: String,
    /// The key set that shall be.
    pub new: String,
    /// The chip's diversification data, from INITIALIZE UPDATE.
    #[serde_as(as = "Hex")]
    pub diversification: [u8; 10],
}

/// A PUT KEY command. The keys in it are encrypted under the chip's present DEK.
#[serde_as]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PutKeyGrant {
    /// The C-APDU, not yet protected.
    #[serde_as(as = "Hex")]
    pub command: Vec<u8>,
    /// The key check values that the chip must answer: ENC, MAC, DEK.
    #[serde_as(as = "[Hex; 3]")]
    pub kcvs: [[u8; 3]; 3],
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

/// Asks for the commands of a sealed stage.
#[serde_as]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealRequest {
    /// The channel that the chip was challenged for.
    #[serde(flatten)]
    pub channel: ChannelRequest,
    /// The stage's name in the plan.
    pub stage: String,
}

/// The commands of a sealed stage, protected: EXTERNAL AUTHENTICATE first.
#[serde_as]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealGrant {
    /// C-APDUs.
    #[serde_as(as = "Vec<Hex>")]
    pub commands: Vec<Vec<u8>>,
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
