//! What the document says of its holder, as far as it can be judged: zone and portrait.

use document::{Image, ImageLimits, MediaType};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::check::{Check, CheckName, reason};
use super::judge::Files;
use crate::biometrics::FaceGroup;
use crate::lds::{Dg1, Group, MAX_FILE};

/// The most faults of a zone that are told.
const MAX_FAULTS: usize = 5;

/// What a portrait has to be to be shown; how large, its issuer decides.
const PORTRAIT: ImageLimits = ImageLimits {
    formats: &[MediaType::Jpeg, MediaType::Jp2, MediaType::Jpeg2000],
    bytes: MAX_FILE,
    least: (1, 1),
    greatest: (u16::MAX, u16::MAX),
    upright: false,
};

/// Judges DG1 and DG2.
pub(super) fn judge(files: &Files<'_>, at: Timestamp) -> Vec<Check> {
    let mut checks = judge_zone(files, at);
    checks.push(judge_portrait(files));
    checks
}

fn judge_zone(files: &Files<'_>, at: Timestamp) -> Vec<Check> {
    let (mrz, expiry) = (CheckName::Mrz, CheckName::Expiry);
    let unknown = |why: &str| vec![Check::unknown(mrz, why), Check::unknown(expiry, why)];
    let Some(file) = files.lds.get(Group::Dg1) else {
        return unknown("EF.DG1 is not there");
    };
    let Ok(read) = Dg1::parse(file) else {
        // Why, the check of the file says.
        return unknown("EF.DG1 does not read");
    };
    let zone = read.content.mrz;
    let faults = zone.faults();
    let told: Vec<_> = faults
        .iter()
        .take(MAX_FAULTS)
        .map(ToString::to_string)
        .collect();
    let zone_check = match told.as_slice() {
        [] => Check::passed(mrz, "form, dates and check digits are right"),
        told => Check::failed(mrz, told.join("; ")),
    };
    // A document is valid to the end of its last day, wherever it is looked at.
    let today = at.to_zoned(TimeZone::UTC).date();
    let last = zone.expiry_date().and_then(|date| date.expiry_about(today));
    let expiry_check = match last {
        Some(last) if last < today => Check::failed(expiry, "the document has expired"),
        Some(_) => Check::passed(expiry, "the document has not expired"),
        None => Check::unknown(expiry, "the date of expiry does not read"),
    };
    vec![zone_check, expiry_check]
}

fn judge_portrait(files: &Files<'_>) -> Check {
    let name = CheckName::Portrait;
    let Some(file) = files.lds.get(Group::Dg2) else {
        return Check::unknown(name, "EF.DG2 is not there");
    };
    let group = match FaceGroup::parse(file) {
        Ok(group) => group,
        Err(error) => return Check::failed(name, reason(&error)),
    };
    let Some(face) = group.faces.first() else {
        return Check::failed(name, "EF.DG2 holds no face");
    };
    let remarks = group.deviations.iter().map(ToString::to_string);
    match face.picture.recognise(PORTRAIT) {
        Ok(image) => Check::passed(name, described(&image, face.encoding.name())),
        Err(error) => Check::failed(name, reason(&error)),
    }
    .remarked(remarks)
}

fn described(image: &Image, encoding: &str) -> String {
    let (width, height) = (image.width(), image.height());
    format!(
        "{}, {width} × {height} pixels, by {encoding}",
        image.media_type().name()
    )
}
