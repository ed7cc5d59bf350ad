//! What faces and fingers have in common (*ISO/IEC 39794-1:2019*), and how it is written.

use card::tlv::{Tag, find};
use zeroize::Zeroizing;

use super::schema::{Field, Kind, MAX, Sequence, closed, list, may, must, open};
use super::walk::number;
use crate::biometrics::cbeff::object;

/// The edition that is written: the third generation, of 2019.
const GENERATION: u64 = 3;
const YEAR: u64 = 2019;

pub(super) static VERSION_BLOCK: Sequence = open(&[
    must(0, "generation", Kind::Integer(3, 65_535)),
    must(1, "year", Kind::Integer(2019, 9999)),
]);

pub(super) static REGISTRY_ID_BLOCK: Sequence = closed(&[
    must(0, "organization", Kind::Integer(1, 65_535)),
    must(1, "id", Kind::Integer(1, 65_535)),
]);

pub(super) static REGISTRY_ID: Kind = Kind::Sequence(&REGISTRY_ID_BLOCK);

pub(super) static DATE_TIME_BLOCK: Sequence = closed(&[
    must(0, "year", Kind::Integer(0, 9999)),
    may(1, "month", Kind::Integer(1, 12)),
    may(2, "day", Kind::Integer(1, 31)),
    may(3, "hour", Kind::Integer(0, 23)),
    may(4, "minute", Kind::Integer(0, 59)),
    may(5, "second", Kind::Integer(0, 59)),
    may(6, "millisecond", Kind::Integer(0, 999)),
]);

/// `ScoreOrError`, a choice.
pub(super) static SCORE_OR_ERROR: [Field; 2] = [
    must(0, "score", Kind::Integer(0, 100)),
    must(1, "error", Kind::Code(&[(0, 0)])),
];

static QUALITY_BLOCK: Sequence = open(&[
    must(0, "algorithmIdBlock", Kind::Sequence(&REGISTRY_ID_BLOCK)),
    must(1, "scoreOrError", Kind::Choice(&SCORE_OR_ERROR)),
]);

pub(super) static QUALITY: Kind = Kind::Sequence(&QUALITY_BLOCK);

static PAD_SCORE_BLOCK: Sequence = open(&[
    must(0, "mechanismIdBlock", Kind::Sequence(&REGISTRY_ID_BLOCK)),
    must(1, "scoreOrError", Kind::Choice(&SCORE_OR_ERROR)),
]);

static EXTENDED_DATA_BLOCK: Sequence = closed(&[
    must(0, "dataTypeIdBlock", Kind::Sequence(&REGISTRY_ID_BLOCK)),
    must(1, "data", Kind::Octets),
]);

pub(super) static EXTENDED_DATA: Kind = Kind::Sequence(&EXTENDED_DATA_BLOCK);

pub(super) static PAD_DATA_BLOCK: Sequence = open(&[
    may(0, "decision", Kind::Code(&[(0, 2)])),
    may(1, "scoreBlocks", list(&Kind::Sequence(&PAD_SCORE_BLOCK))),
    may(2, "extendedDataBlocks", list(&EXTENDED_DATA)),
    may(3, "captureContext", Kind::Code(&[(0, 2)])),
    may(4, "supervisionLevel", Kind::Code(&[(0, 4)])),
    may(5, "riskLevel", Kind::Integer(0, 100)),
    may(6, "criteriaCategory", Kind::Code(&[(0, 2)])),
    may(7, "parameter", Kind::Octets),
    may(8, "challenges", Kind::List(0x04, &Kind::Octets, 0, 256)),
    may(9, "captureDateTimeBlock", Kind::Sequence(&DATE_TIME_BLOCK)),
]);

/// A number without an upper bound of its own.
pub(super) const UNBOUNDED: Kind = Kind::Integer(0, MAX);

pub(super) const A0: Tag = Tag::known::<0xA0>();
pub(super) const A1: Tag = Tag::known::<0xA1>();
pub(super) const A2: Tag = Tag::known::<0xA2>();
pub(super) const A7: Tag = Tag::known::<0xA7>();
pub(super) const ELEMENT: Tag = Tag::known::<0x30>();
pub(super) const P0: Tag = Tag::known::<0x80>();
pub(super) const P1: Tag = Tag::known::<0x81>();
pub(super) const P2: Tag = Tag::known::<0x82>();

/// Returns what stands at `path` of a block that was checked.
pub(super) fn at<'a>(block: &'a [u8], path: &[Tag]) -> Option<&'a [u8]> {
    find(block, path).ok().flatten()
}

/// Returns the number at `path` of a block that was checked, where it is there and fits.
pub(super) fn number_at<T: TryFrom<i64>>(block: &[u8], path: &[Tag]) -> Option<T> {
    let number = number(at(block, path)?, "").ok()?;
    T::try_from(number).ok()
}

/// Returns the code at `path`, by either alternative of its choice.
pub(super) fn code_at<T: TryFrom<i64>>(block: &[u8], path: &[Tag]) -> Option<T> {
    let choice = at(block, path)?;
    number_at(choice, &[P0]).or_else(|| number_at(choice, &[A1, P0]))
}

/// Returns a field of the least bytes that hold the number.
pub(super) fn numeral(tag: Tag, number: u64) -> Zeroizing<Vec<u8>> {
    let bytes = number.to_be_bytes();
    // A leading zero byte stays where the next begins like a negative number.
    let start = bytes
        .windows(2)
        .position(|pair| pair != [0, pair[1]] || pair[1] >= 0x80)
        .unwrap_or(7);
    object(tag, &[bytes.get(start..).unwrap_or_default()])
}

/// Returns a code by the alternative `code`.
pub(super) fn plain_code(tag: Tag, code: u8) -> Zeroizing<Vec<u8>> {
    object(tag, &[&numeral(P0, code.into())])
}

/// Returns a code by the alternative `extensionBlock`, the only one of the ICAO profile.
pub(super) fn fallback_code(tag: Tag, code: u8) -> Zeroizing<Vec<u8>> {
    object(tag, &[&plain_code(A1, code)])
}

/// Returns `versionBlock`.
pub(super) fn version() -> Zeroizing<Vec<u8>> {
    object(A0, &[&numeral(P0, GENERATION), &numeral(P1, YEAR)])
}
