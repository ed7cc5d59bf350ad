//! The protocols' object identifiers: 0.4.0.127.0.7.2.2 (bsi-de protocols smartcard).

use der::asn1::ObjectIdentifier;

use crate::session_keys::Cipher;

const PACE: u32 = 4;
const CHIP_AUTHENTICATION: u32 = 3;

/// How two sides agree on a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyAgreement {
    /// Numbers modulo a prime.
    Dh,
    /// Points of a curve.
    Ecdh,
}

/// How PACE makes a new generator of its nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mapping {
    /// By a key agreement of its own.
    Generic,
    /// By hashing nonces into the group.
    Integrated,
    /// Generic, and the chip proves its static key along with it; with ECDH and AES only.
    ChipAuthentication,
}

/// A PACE protocol (*ICAO 9303-11 §9.2.1*).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PaceProtocol {
    /// The kind of group.
    pub agreement: KeyAgreement,
    /// The mapping.
    pub mapping: Mapping,
    /// The session's cipher.
    pub cipher: Cipher,
}

impl PaceProtocol {
    /// Returns the object identifier. There is none for chip authentication mapping with DH or
    /// with triple DES.
    pub fn oid(self) -> Option<ObjectIdentifier> {
        if self.mapping == Mapping::ChipAuthentication && self.cipher == Cipher::TripleDes {
            return None;
        }
        let family = pace_family(self.agreement, self.mapping)?;
        oid([PACE, family, cipher_arc(self.cipher)])
    }

    /// Returns the protocol that an object identifier names.
    pub fn from_oid(oid: ObjectIdentifier) -> Option<Self> {
        all(|agreement, cipher| {
            [
                Mapping::Generic,
                Mapping::Integrated,
                Mapping::ChipAuthentication,
            ]
            .map(|mapping| Self {
                agreement,
                mapping,
                cipher,
            })
        })
        .find(|protocol| protocol.oid() == Some(oid))
    }
}

/// A chip authentication protocol (*ICAO 9303-11 §9.2.5*).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChipAuthenticationProtocol {
    /// The kind of group.
    pub agreement: KeyAgreement,
    /// The session's cipher.
    pub cipher: Cipher,
}

impl ChipAuthenticationProtocol {
    /// Returns the object identifier.
    pub fn oid(self) -> Option<ObjectIdentifier> {
        oid([
            CHIP_AUTHENTICATION,
            agreement_arc(self.agreement),
            cipher_arc(self.cipher),
        ])
    }

    /// Returns the protocol that an object identifier names.
    pub fn from_oid(oid: ObjectIdentifier) -> Option<Self> {
        all(|agreement, cipher| [Self { agreement, cipher }])
            .find(|protocol| protocol.oid() == Some(oid))
    }
}

/// Returns id-PACE-DH-GM and its like, by which PACE's domain parameters are named.
pub(super) fn pace_family_oid(
    agreement: KeyAgreement,
    mapping: Mapping,
) -> Option<ObjectIdentifier> {
    oid([PACE, pace_family(agreement, mapping)?])
}

pub(super) fn pace_family_of(oid: ObjectIdentifier) -> Option<(KeyAgreement, Mapping)> {
    all(|agreement, _| {
        [
            Mapping::Generic,
            Mapping::Integrated,
            Mapping::ChipAuthentication,
        ]
        .map(|mapping| (agreement, mapping))
    })
    .find(|&(agreement, mapping)| pace_family_oid(agreement, mapping) == Some(oid))
}

/// Returns id-CA-DH and id-CA-ECDH, or with the arc of public keys id-PK-DH and id-PK-ECDH.
pub(super) fn agreement_oid(arc: u32, agreement: KeyAgreement) -> Option<ObjectIdentifier> {
    oid([arc, agreement_arc(agreement)])
}

pub(super) fn agreement_of(arc: u32, oid: ObjectIdentifier) -> Option<KeyAgreement> {
    [KeyAgreement::Dh, KeyAgreement::Ecdh]
        .into_iter()
        .find(|&agreement| agreement_oid(arc, agreement) == Some(oid))
}

/// Returns an identifier below bsi-de protocols smartcard.
pub(super) fn oid<const N: usize>(arcs: [u32; N]) -> Option<ObjectIdentifier> {
    let all = [0, 4, 0, 127, 0, 7, 2, 2].into_iter().chain(arcs);
    let text: Vec<_> = all.map(|arc: u32| arc.to_string()).collect();
    ObjectIdentifier::new(&text.join(".")).ok()
}

fn all<T, const N: usize>(
    make: impl Fn(KeyAgreement, Cipher) -> [T; N],
) -> impl Iterator<Item = T> {
    let ciphers = [
        Cipher::TripleDes,
        Cipher::Aes128,
        Cipher::Aes192,
        Cipher::Aes256,
    ];
    [KeyAgreement::Dh, KeyAgreement::Ecdh]
        .into_iter()
        .flat_map(move |agreement| ciphers.map(|cipher| (agreement, cipher)))
        .flat_map(move |(agreement, cipher)| make(agreement, cipher))
}

fn pace_family(agreement: KeyAgreement, mapping: Mapping) -> Option<u32> {
    match (agreement, mapping) {
        (KeyAgreement::Dh, Mapping::Generic) => Some(1),
        (KeyAgreement::Ecdh, Mapping::Generic) => Some(2),
        (KeyAgreement::Dh, Mapping::Integrated) => Some(3),
        (KeyAgreement::Ecdh, Mapping::Integrated) => Some(4),
        (KeyAgreement::Dh, Mapping::ChipAuthentication) => None,
        (KeyAgreement::Ecdh, Mapping::ChipAuthentication) => Some(6),
    }
}

fn agreement_arc(agreement: KeyAgreement) -> u32 {
    match agreement {
        KeyAgreement::Dh => 1,
        KeyAgreement::Ecdh => 2,
    }
}

fn cipher_arc(cipher: Cipher) -> u32 {
    match cipher {
        Cipher::TripleDes => 1,
        Cipher::Aes128 => 2,
        Cipher::Aes192 => 3,
        Cipher::Aes256 => 4,
    }
}
