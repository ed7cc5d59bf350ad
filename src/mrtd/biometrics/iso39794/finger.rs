//! The finger image data block (*ISO/IEC 39794-4:2019*).

use card::tlv::Tag;
use document::{Image, MediaType};
use zeroize::Zeroizing;

use super::schema::{Codes, Kind, Sequence, closed, list, may, must, open};
use super::shared::{
    A0, A1, A2, A7, DATE_TIME_BLOCK, ELEMENT, EXTENDED_DATA, P0, P1, PAD_DATA_BLOCK, QUALITY,
    REGISTRY_ID, REGISTRY_ID_BLOCK, SCORE_OR_ERROR, VERSION_BLOCK, at, code_at, numeral,
    plain_code, version,
};
use super::walk::{BlockError, BlockFault, check};
use crate::biometrics::cbeff::{object, slices};
use crate::biometrics::encoding::BiometricEncoding;
use crate::biometrics::finger::{Finger, FingerPosition};
use crate::biometrics::iso19794::finger::jpeg2000;
use crate::biometrics::picture::Picture;

/// `[APPLICATION 4]`.
const BLOCK: Tag = Tag::known::<0x64>();
const PICTURE: Tag = Tag::known::<0x83>();

/// What the pictures are scanned with.
const SAMPLES_PER_INCH: u64 = 500;

/// Every position of the edition: fingers, palms, several fingers, soles and toes.
const POSITIONS: Codes = &[(0, 10), (13, 38), (40, 55), (60, 79), (81, 86), (999, 999)];
const IMPRESSIONS: Codes = &[(0, 1), (4, 4), (8, 8), (24, 25), (28, 29), (41, 42)];

static FINGER_IMAGE_DATA_BLOCK: Sequence = open(&[
    must(0, "versionBlock", Kind::Sequence(&VERSION_BLOCK)),
    // One finger a template (ICAO 9303-10 tables 51 and 52).
    must(
        1,
        "representationBlocks",
        Kind::List(0x30, &REPRESENTATION, 1, 1),
    ),
]);

static REPRESENTATION: Kind = Kind::Sequence(&open(&[
    must(0, "position", Kind::Code(POSITIONS)),
    must(1, "impression", Kind::Code(IMPRESSIONS)),
    must(2, "imageDataFormat", Kind::Code(&[(0, 4)])),
    must(3, "imageData", Kind::Octets),
    may(4, "captureDateTimeBlock", Kind::Sequence(&DATE_TIME_BLOCK)),
    may(
        5,
        "captureDeviceBlock",
        Kind::Sequence(&open(&[
            // Mandatory by the standard; others read blocks without it.
            may(0, "modelIdBlock", Kind::Sequence(&REGISTRY_ID_BLOCK)),
            may(1, "technologyId", Kind::Code(&[(0, 7), (9, 22)])),
            may(2, "certificationIdBlocks", list(&REGISTRY_ID)),
        ])),
    ),
    may(6, "qualityBlocks", list(&QUALITY)),
    may(
        7,
        "spatialSamplingRateBlock",
        Kind::Sequence(&closed(&[
            must(0, "samplesPerUnit", Kind::Integer(0, 65_535)),
            must(1, "unitDimension", Kind::Enumerated(&[(0, 1)])),
        ])),
    ),
    may(8, "positionComputedByCaptureSystem", Kind::Boolean),
    may(9, "originalRotation", Kind::Integer(-360, 360)),
    may(10, "imageRotatedToVertical", Kind::Boolean),
    may(11, "imageHasBeenLossilyCompressed", Kind::Boolean),
    may(
        12,
        "segmentationBlocks",
        list(&Kind::Sequence(&open(&[
            must(0, "algorithmIdBlock", Kind::Sequence(&REGISTRY_ID_BLOCK)),
            must(1, "segmentBlocks", list(&SEGMENT)),
        ]))),
    ),
    may(
        13,
        "annotationBlocks",
        list(&Kind::Sequence(&open(&[
            must(0, "position", Kind::Code(POSITIONS)),
            must(1, "reason", Kind::Code(&[(0, 6)])),
        ]))),
    ),
    may(14, "pADDataBlock", Kind::Sequence(&PAD_DATA_BLOCK)),
    // VisibleString.
    may(15, "commentBlocks", Kind::List(0x1A, &Kind::Octets, 0, 256)),
    may(16, "vendorSpecificDataBlocks", list(&EXTENDED_DATA)),
]));

static SEGMENT: Kind = Kind::Sequence(&open(&[
    must(0, "position", Kind::Code(POSITIONS)),
    must(
        1,
        "enclosingCoordinatesBlock",
        Kind::List(
            0x30,
            &Kind::Sequence(&closed(&[
                must(0, "x", Kind::Integer(0, 65_535)),
                must(1, "y", Kind::Integer(0, 65_535)),
            ])),
            2,
            256,
        ),
    ),
    may(2, "orientation", Kind::Integer(0, 255)),
    may(3, "qualityBlocks", list(&QUALITY)),
    may(4, "confidence", Kind::Choice(&SCORE_OR_ERROR)),
]));

/// Reads a finger image data block.
pub(in crate::biometrics) fn parse(bytes: &[u8]) -> Result<Finger, BlockError> {
    let block = check(
        bytes,
        BLOCK,
        "fingerImageDataBlock",
        &FINGER_IMAGE_DATA_BLOCK,
    )?;
    let representation = at(block, &[A1, ELEMENT]).unwrap_or_default();
    // The schema knows palms and soles too, which DG3 is not for.
    let position = code_at(representation, &[A0])
        .and_then(FingerPosition::of)
        .ok_or(BlockFault::Unsupported.of("position"))?;
    let picture = at(representation, &[PICTURE]).unwrap_or_default();
    let media_type = match code_at(representation, &[A2]) {
        Some(1_u8) => Some(MediaType::Wsq),
        Some(2 | 3) => Some(jpeg2000(picture)),
        Some(4) => Some(MediaType::Png),
        // PGM, raw pixels behind a few lines of text.
        _ => None,
    };
    Ok(Finger {
        encoding: BiometricEncoding::Iso39794,
        position,
        picture: Picture::new(media_type, picture),
        size: None,
    })
}

/// Writes the block of one finger: live, plain, 500 pixels an inch.
///
/// There is no code for JPEG; preparation lets none pass.
pub(in crate::biometrics) fn encode(print: &Image, position: FingerPosition) -> Zeroizing<Vec<u8>> {
    let format = match (print.media_type(), print.is_lossless()) {
        (MediaType::Wsq, _) => 1,
        (MediaType::Png, _) => 4,
        (_, false) => 2,
        (_, true) => 3,
    };
    let representation = [
        plain_code(A0, position.code()),
        // plainContact.
        plain_code(A1, 0),
        plain_code(A2, format),
        object(PICTURE, &[print.bytes()]),
        // Unit 0 is the inch.
        object(
            A7,
            &slices(&[numeral(P0, SAMPLES_PER_INCH), numeral(P1, 0)]),
        ),
    ];
    let element = object(ELEMENT, &slices(&representation));
    object(BLOCK, &[&version(), &object(A1, &[&element])])
}
