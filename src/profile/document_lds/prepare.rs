//! Data preparation of a travel chip: the files that need no key of it.

use std::collections::BTreeMap;

use access::security_infos::{PaceInfo, SecurityInfo};
use access::{SecurityInfos, SecurityInfosError};
use document::mrz::{BuildError, Conventions};
use document::{FingerPosition, Fingerprint, Image, Kind, MediaType, Mrz, Prepared, Record};
use mrtd::biometrics::{self, FaceFacts, PrepareError, prepare_face, prepare_fingers};
use mrtd::lds::{
    DataGroup, Dg1, Dg11, Dg12, Displayed, DisplayedKind, Group, ImageData, LdsError, LdsFault,
};
use thiserror::Error;

use super::{CARD_ACCESS, DocumentLds, LdsPace, TRUST_POINT, prepared_name};

/// What of an application goes onto a travel chip, beside the record.
#[derive(Clone, Copy)]
pub struct Applied<'a> {
    /// The portrait.
    pub portrait: &'a Image,
    /// The fingerprints, each of another finger; none where none could be taken.
    pub fingerprints: &'a [Fingerprint],
    /// The signature, where one was given.
    pub signature: Option<&'a Image>,
    /// The certificate by which the chip knows the inspection systems of its country: self-signed,
    /// card-verifiable (*TR-03110-3 §C.1*).
    pub trust_point: Option<&'a [u8]>,
    /// Fresh random bytes: they stand in a DG3 without fingers, so that its hash tells nobody that
    /// there are none (*ICAO 9303-10 §4.7.3.2.2*).
    pub random: &'a [u8; 16],
}

/// Why the files of a travel chip cannot be made of an application. None of these says anything of
/// a holder but the place and the kind of what cannot be written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PreparationError {
    /// A kind of document without machine-readable zone.
    #[error("{0} has no machine-readable zone, and so no travel chip")]
    NoZone(Kind),
    /// The zone cannot be built.
    #[error("the machine-readable zone cannot be made: {0}")]
    Zone(#[source] BuildError),
    /// The portrait cannot be on a chip.
    #[error(
        "DG2: {0}; the chip takes JPEG and JPEG 2000 within the profile's room: send the portrait anew"
    )]
    Portrait(#[source] PrepareError),
    /// The fingerprints cannot be on a chip.
    #[error("DG3: {0}; send the fingerprints anew")]
    Fingerprints(#[source] PrepareError),
    /// The signature's image is of a format that no chip has.
    #[error(
        "DG7: the signature is {0}; the chip takes JPEG and JPEG 2000: send the signature anew"
    )]
    Signature(MediaType),
    /// A file cannot be written.
    #[error(transparent)]
    File(#[from] LdsError),
    /// EF.CardAccess cannot be written.
    #[error("EF.CardAccess: {0}")]
    CardAccess(#[source] SecurityInfosError),
    /// The chip is to ask for terminal authentication, and nobody is trusted by it.
    #[error(
        "the chip wants terminal authentication, and no certificate of a CVCA is at hand that it could trust; name one in the installation"
    )]
    NoTrustPoint,
}

impl DocumentLds {
    /// Makes the files that data preparation makes of a record and an application, by their names
    /// in profiles. What the holder does not have, such as fingerprints below the age for them, is
    /// empty, so that a file that is `optional` is left out.
    ///
    /// The same record and application give the same bytes; only a DG3 without fingers has the
    /// random ones in it.
    ///
    /// # Errors
    /// [`PreparationError`].
    pub fn prepare(
        &self,
        record: &Record,
        applied: &Applied<'_>,
    ) -> Result<BTreeMap<String, Prepared>, PreparationError> {
        let mut files = BTreeMap::new();
        for group in &self.groups {
            let file = match group {
                Group::Dg1 => Some(
                    Dg1 {
                        mrz: self.zone(record)?,
                    }
                    .encode()?,
                ),
                Group::Dg2 => Some(self.face(applied)?),
                Group::Dg3 => self.fingers(record, applied)?,
                Group::Dg5 => Some(self.displayed_portrait(applied)?),
                Group::Dg7 => signature(applied)?,
                Group::Dg11 => Some(details(record)?),
                Group::Dg12 => Some(self.issue(record)?),
                // They hold the chip's keys.
                _ => continue,
            };
            let bytes = file.map_or_else(Vec::new, |file| file.bytes().to_vec());
            files.insert(prepared_name(*group), Prepared::new(bytes));
        }
        if !self.pace.is_empty() {
            let infos = SecurityInfos::new(self.pace_infos());
            let infos = infos.to_der().map_err(PreparationError::CardAccess)?;
            files.insert(CARD_ACCESS.to_owned(), Prepared::new(infos));
        }
        if self.terminal {
            let point = applied.trust_point.ok_or(PreparationError::NoTrustPoint)?;
            files.insert(TRUST_POINT.to_owned(), Prepared::new(point.to_vec()));
        }
        Ok(files)
    }

    /// Returns how the zone of a kind of document is written, as the profile chooses.
    ///
    /// # Errors
    /// [`PreparationError::NoZone`].
    pub fn conventions(&self, kind: Kind) -> Result<Conventions, PreparationError> {
        let usual = Conventions::of(kind).ok_or(PreparationError::NoZone(kind))?;
        Ok(Conventions {
            code: self.code.clone().unwrap_or_else(|| usual.code.clone()),
            personal_code: self.personal_code,
            ..usual
        })
    }

    /// Returns what EF.CardAccess says, and DG14 and EF.CardSecurity say again.
    pub(super) fn pace_infos(&self) -> impl Iterator<Item = SecurityInfo> + '_ {
        self.pace.iter().map(|pace: &LdsPace| {
            SecurityInfo::Pace(PaceInfo {
                protocol: pace.protocol,
                version: 2,
                parameter_id: Some(pace.parameters.id().into()),
            })
        })
    }

    /// Returns the machine-readable zone of a document, as DG1 holds it and its face shows it.
    ///
    /// # Errors
    /// [`PreparationError::NoZone`], [`PreparationError::Zone`].
    pub fn zone(&self, record: &Record) -> Result<Mrz, PreparationError> {
        let conventions = self.conventions(record.kind)?;
        Mrz::of(record, &conventions).map_err(PreparationError::Zone)
    }

    fn face(&self, applied: &Applied<'_>) -> Result<DataGroup, PreparationError> {
        let face = prepare_face(
            applied.portrait,
            FaceFacts::default(),
            self.portrait_bytes,
            self.biometrics,
        );
        let face = face.map_err(PreparationError::Portrait)?;
        Ok(DataGroup::parse_as(Group::Dg2, &face)?)
    }

    /// Makes DG3; none for holders below the age.
    fn fingers(
        &self,
        record: &Record,
        applied: &Applied<'_>,
    ) -> Result<Option<DataGroup>, PreparationError> {
        let age = record.holder.age_on(record.issued).unwrap_or_default();
        if age < self.fingerprints_from {
            return Ok(None);
        }
        let fingers: Vec<_> = applied
            .fingerprints
            .iter()
            .map(|finger| (position(finger.position), &finger.image))
            .collect();
        let file = match fingers.as_slice() {
            [] => biometrics::prepare_no_fingers(applied.random),
            taken => prepare_fingers(taken, self.fingerprint_bytes, self.biometrics)
                .map_err(PreparationError::Fingerprints)?,
        };
        Ok(Some(DataGroup::parse_as(Group::Dg3, &file)?))
    }

    fn displayed_portrait(&self, applied: &Applied<'_>) -> Result<DataGroup, PreparationError> {
        // DG2 has judged it.
        displayed(DisplayedKind::Portrait, applied.portrait)
    }

    fn issue(&self, record: &Record) -> Result<DataGroup, PreparationError> {
        let authority = self.authority.as_deref().unwrap_or_default();
        Ok(Dg12::of_issue(authority, record.issued)?.encode()?)
    }
}

fn signature(applied: &Applied<'_>) -> Result<Option<DataGroup>, PreparationError> {
    let Some(image) = applied.signature else {
        return Ok(None);
    };
    match image.media_type() {
        MediaType::Jpeg | MediaType::Jp2 | MediaType::Jpeg2000 => {
            displayed(DisplayedKind::Signature, image).map(Some)
        }
        other => Err(PreparationError::Signature(other)),
    }
}

fn displayed(kind: DisplayedKind, image: &Image) -> Result<DataGroup, PreparationError> {
    let images = vec![ImageData::new(image.bytes())];
    Ok(Displayed { kind, images }.encode()?)
}

/// Makes DG11. What is longer than it takes is left out, never cut: the zone has the name as the
/// standard cuts it, and the printed page the whole.
fn details(record: &Record) -> Result<DataGroup, PreparationError> {
    let details = match Dg11::of_holder(&record.holder) {
        Err(error) if matches!(error.fault, LdsFault::TooLong { .. }) => {
            Dg11::of_holder_unnamed(&record.holder)?
        }
        other => other?,
    };
    match details.encode() {
        Err(error) if matches!(error.fault, LdsFault::TooLong { .. }) => {
            let birth_place = None;
            let details = Dg11 {
                birth_place,
                ..details
            };
            Ok(details.encode()?)
        }
        other => Ok(other?),
    }
}

/// Returns the finger as data groups number it.
fn position(finger: FingerPosition) -> biometrics::FingerPosition {
    use biometrics::FingerPosition as Position;
    match finger {
        FingerPosition::RightThumb => Position::RightThumb,
        FingerPosition::RightIndex => Position::RightIndex,
        FingerPosition::RightMiddle => Position::RightMiddle,
        FingerPosition::RightRing => Position::RightRing,
        FingerPosition::RightLittle => Position::RightLittle,
        FingerPosition::LeftThumb => Position::LeftThumb,
        FingerPosition::LeftIndex => Position::LeftIndex,
        FingerPosition::LeftMiddle => Position::LeftMiddle,
        FingerPosition::LeftRing => Position::LeftRing,
        FingerPosition::LeftLittle => Position::LeftLittle,
    }
}
