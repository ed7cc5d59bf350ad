//! What is to be thought of a chip, when all of it was read.

use access::SecurityInfos;

use super::opening::Way;
use super::{AccessKey, ChipInspection, Found, Reading, information, proofs};
use crate::inspection::check::{Check, CheckName, Verdict};
use crate::inspection::judge::{Files, Inspection, inspect};
use crate::lds::{Dg1, File, Group};

/// Judges the files, and the chip by them.
pub(super) fn conclude(mut found: Found, reading: &Reading<'_>) -> ChipInspection {
    let files = Files {
        lds: &found.lds,
        unread: &found.unread,
    };
    let mut inspection = inspect(&files, reading.trust, reading.at);
    for check in std::mem::take(&mut found.checks) {
        inspection.add(check);
    }
    if inspection.check(CheckName::Session).is_none() {
        let told = "every answer was the chip's own";
        inspection.add(Check::passed(CheckName::Session, told));
    }
    let infos = proofs::infos(&found);
    inspection.add(judge_access(&found, &inspection, infos.as_ref()));
    inspection.add(judge_genuine(&inspection, infos.as_ref(), &found));
    if let AccessKey::Zone(opened) = reading.key
        && let Some(file) = found.lds.get(Group::Dg1)
        && let Ok(read) = Dg1::parse(file)
    {
        let name = CheckName::PrintedZone;
        let check = match information(&read.content.mrz) {
            Ok(own) if own == *opened => Check::passed(name, "number and dates opened the chip"),
            _ => Check::failed(
                name,
                "number or dates in EF.DG1 are not those that opened the chip",
            ),
        };
        inspection.add(check);
    }
    ChipInspection {
        lds: found.lds,
        unread: found.unread,
        inspection,
        signed_challenge: found.signed_challenge,
    }
}

/// Judges how the chip was opened: whoever stands between might hide that it has PACE.
fn judge_access(found: &Found, inspection: &Inspection, infos: Option<&SecurityInfos>) -> Check {
    let name = CheckName::Access;
    let Some(way) = found.way else {
        return Check::unknown(name, "the chip was not opened");
    };
    let Way::BasicAccess { is_pace_offered } = way else {
        return Check::passed(name, way.to_string());
    };
    let is_signed = inspection.vouches_for(Group::Dg14);
    let has_pace = infos.is_some_and(|infos| infos.pace().next().is_some());
    if has_pace && is_signed && found.lds.get(File::CardAccess).is_none() {
        let why = "EF.DG14 says that the chip has PACE, and EF.CardAccess was withheld";
        return Check::failed(name, why);
    }
    let remark = is_pace_offered.then(|| "the chip offers no PACE that is spoken here".to_owned());
    Check::passed(name, way.to_string()).remarked(remark)
}

/// Says whether the chip is the one that the issuer made.
fn judge_genuine(inspection: &Inspection, infos: Option<&SecurityInfos>, found: &Found) -> Check {
    let name = CheckName::ChipGenuine;
    let verdict = |name| inspection.check(name).map(|check| check.verdict);
    let is_card_security_right = verdict(CheckName::CardSecurity) == Some(Verdict::Passed);
    let ways = [
        (CheckName::ChipAuthenticationMapping, is_card_security_right),
        (
            CheckName::ChipAuthentication,
            inspection.vouches_for(Group::Dg14),
        ),
        (
            CheckName::ActiveAuthentication,
            inspection.vouches_for(Group::Dg15),
        ),
    ];
    let made: Vec<_> = ways
        .iter()
        .filter_map(|(name, vouched)| Some((*name, *vouched, verdict(*name)?)))
        .collect();
    if let Some((way, ..)) = made.iter().find(|(.., made)| *made == Verdict::Failed) {
        return Check::failed(name, format!("{way} failed: the chip may be a copy"));
    }
    let proved: Vec<_> = made
        .iter()
        .filter(|(.., made)| *made == Verdict::Passed)
        .collect();
    if let Some((way, ..)) = proved.iter().find(|(_, vouched, _)| *vouched) {
        return Check::passed(
            name,
            format!("by {way}, whose key a trusted signer vouches for"),
        );
    }
    let offered = infos.is_some_and(|infos| infos.chip_authentication_keys().next().is_some())
        || found.lds.get(Group::Dg15).is_some();
    let why = match (proved.is_empty(), offered) {
        (false, _) => "the chip proved a key that no trusted signer vouches for",
        (true, true) => "the chip did not come to prove its key",
        (true, false) => "the document offers nothing by which its chip proves itself",
    };
    Check::unknown(name, why)
}
