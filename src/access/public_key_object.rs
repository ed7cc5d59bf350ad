//! Ephemeral public keys as tokens are computed over them (*ICAO 9303-11 §9.4.5*).

use card::tlv::{self, Tag};

use crate::domain_parameters::DomainParameters;

const PUBLIC_KEY: Tag = Tag::known::<0x7F49>();
const OBJECT_IDENTIFIER: Tag = Tag::known::<0x06>();
const NUMBER: Tag = Tag::known::<0x84>();
const POINT: Tag = Tag::known::<0x86>();

/// Returns `7F49 { 06 protocol, 84 number | 86 point }`.
pub(crate) fn public_key_object(oid: &[u8], parameters: DomainParameters, key: &[u8]) -> Vec<u8> {
    let tag = if parameters.is_curve() { POINT } else { NUMBER };
    let mut objects = tlv::encode(OBJECT_IDENTIFIER, oid);
    objects.extend(tlv::encode(tag, key));
    tlv::encode(PUBLIC_KEY, &objects)
}
