//! The face image data block (*ISO/IEC 39794-5:2019*; ICAO's application profile of it).

use card::tlv::Tag;
use document::{Image, MediaType};
use jiff::civil::Date;
use zeroize::Zeroizing;

use super::schema::{Codes, Kind, Sequence, closed, list, may, must, open};
use super::shared::{
    A0, A1, A2, A7, DATE_TIME_BLOCK, ELEMENT, P0, P1, P2, PAD_DATA_BLOCK, QUALITY, REGISTRY_ID,
    UNBOUNDED, VERSION_BLOCK, at, code_at, fallback_code, number_at, numeral, plain_code, version,
};
use super::walk::{BlockFault, check};
use crate::biometrics::cbeff::{object, slices};
use crate::biometrics::encoding::BiometricEncoding;
use crate::biometrics::face::{BiometricError, CaptureSource, Face};
use crate::biometrics::iso19794::face::face_media_type;
use crate::biometrics::picture::Picture;

/// `[APPLICATION 5]`.
const BLOCK: Tag = Tag::known::<0x65>();
const A9: Tag = Tag::known::<0xA9>();

/// JPEG, JPEG 2000 with loss and without; 0 is unknown.
const IMAGE_DATA_FORMATS: Codes = &[(0, 0), (2, 4)];

static FACE_IMAGE_DATA_BLOCK: Sequence = open(&[
    must(0, "versionBlock", Kind::Sequence(&VERSION_BLOCK)),
    // The ICAO profile wants exactly one: several faces are several templates.
    must(
        1,
        "representationBlocks",
        Kind::List(0x30, &REPRESENTATION, 1, 1),
    ),
]);

static REPRESENTATION: Kind = Kind::Sequence(&open(&[
    must(0, "representationId", UNBOUNDED),
    must(
        1,
        "imageRepresentation",
        Kind::Choice(&[
            must(
                0,
                "base",
                Kind::Choice(&[must(
                    0,
                    "imageRepresentation2DBlock",
                    Kind::Sequence(&IMAGE_REPRESENTATION_2D_BLOCK),
                )]),
            ),
            must(1, "extensionBlock", Kind::Sequence(&open(&[]))),
        ]),
    ),
    may(2, "captureDateTimeBlock", Kind::Sequence(&DATE_TIME_BLOCK)),
    may(3, "qualityBlocks", list(&QUALITY)),
    may(4, "padDataBlock", Kind::Sequence(&PAD_DATA_BLOCK)),
    may(5, "sessionId", UNBOUNDED),
    may(6, "derivedFrom", UNBOUNDED),
    may(
        7,
        "captureDeviceBlock",
        Kind::Sequence(&open(&[
            may(
                0,
                "modelIdBlock",
                Kind::Sequence(&super::shared::REGISTRY_ID_BLOCK),
            ),
            may(1, "certificationIdBlocks", list(&REGISTRY_ID)),
        ])),
    ),
    may(
        8,
        "identityMetadataBlock",
        Kind::Sequence(&IDENTITY_METADATA_BLOCK),
    ),
    may(9, "landmarkBlocks", list(&LANDMARK)),
]));

static IMAGE_REPRESENTATION_2D_BLOCK: Sequence = open(&[
    must(0, "representationData2D", Kind::Octets),
    must(
        1,
        "imageInformation2DBlock",
        Kind::Sequence(&IMAGE_INFORMATION_2D_BLOCK),
    ),
    may(
        2,
        "captureDevice2DBlock",
        Kind::Sequence(&open(&[
            may(
                0,
                "captureDeviceSpectral2DBlock",
                Kind::Sequence(&open(&[
                    may(0, "whiteLight", Kind::Boolean),
                    may(1, "nearInfrared", Kind::Boolean),
                    may(2, "thermal", Kind::Boolean),
                ])),
            ),
            may(1, "captureDeviceTechnologyId2D", Kind::Code(&[(0, 6)])),
        ])),
    ),
]);

static IMAGE_INFORMATION_2D_BLOCK: Sequence = open(&[
    must(0, "imageDataFormat", Kind::Code(IMAGE_DATA_FORMATS)),
    may(1, "faceImageKind2D", Kind::Code(&[(0, 1)])),
    may(
        2,
        "postAcquisitionProcessingBlock",
        Kind::Sequence(&open(&[
            may(0, "rotated", Kind::Boolean),
            may(1, "cropped", Kind::Boolean),
            may(2, "downSampled", Kind::Boolean),
            may(3, "whiteBalanceAdjusted", Kind::Boolean),
            may(4, "multiplyCompressed", Kind::Boolean),
            may(5, "interpolated", Kind::Boolean),
            may(6, "contrastStretched", Kind::Boolean),
            may(7, "poseCorrected", Kind::Boolean),
            may(8, "multiViewImage", Kind::Boolean),
            may(9, "ageProgressed", Kind::Boolean),
            may(10, "superResolutionProcessed", Kind::Boolean),
            may(11, "normalised", Kind::Boolean),
        ])),
    ),
    may(3, "lossyTransformationAttempts", Kind::Code(&[(0, 3)])),
    may(4, "cameraToSubjectDistance", Kind::Integer(0, 50_000)),
    may(5, "sensorDiagonal", Kind::Integer(0, 2000)),
    may(6, "lensFocalLength", Kind::Integer(0, 2000)),
    may(
        7,
        "imageSizeBlock",
        Kind::Sequence(&closed(&[
            must(0, "width", Kind::Integer(0, 65_535)),
            must(1, "height", Kind::Integer(0, 65_535)),
        ])),
    ),
    may(
        8,
        "imageFaceMeasurementsBlock",
        Kind::Sequence(&open(&[
            may(0, "imageHeadWidth", UNBOUNDED),
            may(1, "imageInterEyeDistance", UNBOUNDED),
            may(2, "imageEyeToMouthDistance", UNBOUNDED),
            may(3, "imageHeadLength", UNBOUNDED),
        ])),
    ),
    may(9, "imageColourSpace", Kind::Code(&[(0, 6)])),
    may(
        10,
        "referenceColourMappingBlock",
        Kind::Sequence(&open(&[
            may(0, "referenceColourSchema", Kind::Octets),
            may(
                1,
                "referenceColourDefinitionAndValueBlocks",
                list(&Kind::Sequence(&open(&[
                    may(0, "referenceColourDefinition", Kind::Octets),
                    may(1, "referenceColourValue", Kind::Octets),
                ]))),
            ),
        ])),
    ),
]);

static IDENTITY_METADATA_BLOCK: Sequence = open(&[
    may(0, "gender", Kind::Code(&[(0, 3)])),
    may(1, "eyeColour", Kind::Code(&[(0, 9)])),
    may(2, "hairColour", Kind::Code(&[(0, 9)])),
    may(3, "subjectHeight", Kind::Integer(1, 65_535)),
    may(
        4,
        "propertiesBlock",
        Kind::Sequence(&open(&[
            may(0, "glasses", Kind::Boolean),
            may(1, "moustache", Kind::Boolean),
            may(2, "beard", Kind::Boolean),
            may(3, "teethVisible", Kind::Boolean),
            may(4, "pupilOrIrisNotVisible", Kind::Boolean),
            may(5, "mouthOpen", Kind::Boolean),
            may(6, "leftEyePatch", Kind::Boolean),
            may(7, "rightEyePatch", Kind::Boolean),
            may(8, "darkGlasses", Kind::Boolean),
            may(9, "biometricAbsent", Kind::Boolean),
            may(10, "headCoveringsPresent", Kind::Boolean),
        ])),
    ),
    may(
        5,
        "expressionBlock",
        Kind::Sequence(&open(&[
            may(0, "neutral", Kind::Boolean),
            may(1, "smile", Kind::Boolean),
            may(2, "raisedEyebrows", Kind::Boolean),
            may(3, "eyesLookingAwayFromTheCamera", Kind::Boolean),
            may(4, "squinting", Kind::Boolean),
            may(5, "frowning", Kind::Boolean),
        ])),
    ),
    may(
        6,
        "poseAngleBlock",
        Kind::Sequence(&closed(&[
            may(0, "yawAngleBlock", Kind::Sequence(&ANGLE_DATA_BLOCK)),
            may(1, "pitchAngleBlock", Kind::Sequence(&ANGLE_DATA_BLOCK)),
            may(2, "rollAngleBlock", Kind::Sequence(&ANGLE_DATA_BLOCK)),
        ])),
    ),
]);

static ANGLE_DATA_BLOCK: Sequence = open(&[
    must(0, "angleValue", Kind::Integer(-180, 180)),
    may(1, "angleUncertainty", Kind::Integer(0, 180)),
]);

static LANDMARK: Kind = Kind::Sequence(&open(&[
    must(
        0,
        "landmarkKind",
        Kind::Choice(&[
            must(
                0,
                "base",
                Kind::Choice(&[
                    must(0, "mpeg4FeaturePoint", Kind::Code(&[(0, 87)])),
                    must(
                        1,
                        "anthropometricLandmark",
                        Kind::Choice(&[
                            must(
                                0,
                                "base",
                                Kind::Choice(&[
                                    must(0, "anthropometricLandmarkName", Kind::Code(&[(0, 60)])),
                                    must(
                                        1,
                                        "anthropometricLandmarkPointName",
                                        Kind::Code(&[(0, 36)]),
                                    ),
                                    must(
                                        2,
                                        "anthropometricLandmarkPointId",
                                        Kind::Code(&[(0, 62)]),
                                    ),
                                ]),
                            ),
                            must(1, "extensionBlock", Kind::Sequence(&open(&[]))),
                        ]),
                    ),
                ]),
            ),
            must(1, "extensionBlock", Kind::Sequence(&open(&[]))),
        ]),
    ),
    may(
        1,
        "landmarkCoordinates",
        Kind::Choice(&[
            must(
                0,
                "base",
                Kind::Choice(&[
                    must(
                        0,
                        "coordinateCartesian2DBlock",
                        Kind::Sequence(&closed(&[
                            must(0, "x", Kind::Integer(0, 65_535)),
                            must(1, "y", Kind::Integer(0, 65_535)),
                        ])),
                    ),
                    must(
                        1,
                        "coordinateTextureImageBlock",
                        Kind::Sequence(&closed(&[
                            must(0, "uInPixel", UNBOUNDED),
                            must(1, "vInPixel", UNBOUNDED),
                        ])),
                    ),
                    must(
                        2,
                        "coordinateCartesian3DBlock",
                        Kind::Sequence(&closed(&[
                            must(0, "x", Kind::Integer(0, 65_535)),
                            must(1, "y", Kind::Integer(0, 65_535)),
                            must(2, "z", Kind::Integer(0, 65_535)),
                        ])),
                    ),
                ]),
            ),
            must(1, "extensionBlock", Kind::Sequence(&open(&[]))),
        ]),
    ),
]));

/// Reads a face image data block.
pub(in crate::biometrics) fn parse(bytes: &[u8]) -> Result<Face, BiometricError> {
    let block = check(bytes, BLOCK, "faceImageDataBlock", &FACE_IMAGE_DATA_BLOCK)?;
    let representation = at(block, &[A1, ELEMENT]).unwrap_or_default();
    // A representation of a later edition has no picture that is known.
    let image = at(representation, &[A1, A0, A0])
        .ok_or(BlockFault::Unsupported.of("imageRepresentation"))?;
    let picture = at(image, &[P0]).unwrap_or_default();
    let media_type = face_media_type(picture)?;
    let size = number_at(image, &[A1, A7, P0])
        .zip(number_at(image, &[A1, A7, P1]))
        .filter(|&(width, height): &(u16, u16)| width != 0 && height != 0);
    let taken = number_at(representation, &[A2, P0]).map(|year| {
        let month = number_at(representation, &[A2, P1]);
        (year, month, number_at(representation, &[A2, P2]))
    });
    Ok(Face {
        encoding: BiometricEncoding::Iso39794,
        picture: Picture::new(Some(media_type), picture),
        size,
        source: CaptureSource::of(code_at(image, &[A2, A1]).unwrap_or(0)),
        taken,
    })
}

/// Writes the block of one face, every code as the ICAO profile wants it.
pub(in crate::biometrics) fn encode(
    portrait: &Image,
    source: CaptureSource,
    taken: Option<Date>,
) -> Zeroizing<Vec<u8>> {
    let format = match (portrait.media_type(), portrait.is_lossless()) {
        (MediaType::Jpeg, _) => 2,
        (_, false) => 3,
        (_, true) => 4,
    };
    let information = [
        plain_code(A0, format),
        // mrtd: a portrait for a travel document.
        fallback_code(A1, 0),
        object(
            A7,
            &slices(&[
                numeral(P0, portrait.width().into()),
                numeral(P1, portrait.height().into()),
            ]),
        ),
        // RGB of 24 bits, or grey of 8.
        fallback_code(A9, if portrait.is_colour() { 2 } else { 5 }),
    ];
    let mut image = vec![
        object(P0, &[portrait.bytes()]),
        object(A1, &slices(&information)),
    ];
    if source != CaptureSource::Unspecified {
        image.push(object(A2, &[&fallback_code(A1, source.code())]));
    }
    let base = object(A0, &[&object(A0, &slices(&image))]);
    let mut representation = vec![numeral(P0, 0), object(A1, &[&base])];
    if let Some((taken, year)) = taken.and_then(|date| Some((date, date.year().try_into().ok()?))) {
        let date = [
            numeral(P0, year),
            numeral(P1, taken.month().unsigned_abs().into()),
            numeral(P2, taken.day().unsigned_abs().into()),
        ];
        representation.push(object(A2, &slices(&date)));
    }
    let element = object(ELEMENT, &slices(&representation));
    object(BLOCK, &[&version(), &object(A1, &[&element])])
}
