//! What the chip is to prove itself by, and whether the issuer signed it: DG14, DG15,
//! EF.CardAccess and EF.CardSecurity (*ICAO 9303-11 §9.2, 9303-10 §3.11*).

use access::{ActiveAuthenticationKey, SecurityInfos};
use cert::cms::{SECURITY_OBJECT, SignedData};
use jiff::Timestamp;

use super::check::{Check, CheckName, Verdict, reason};
use super::judge::Sod;
use super::signer::{self, Asked};
use super::trust::Trust;
use crate::lds::{CardAccess, CardSecurity, Dg14, Dg15, File, Group, Lds};

/// Judges the keys and what names them.
pub(super) fn judge(lds: &Lds, sod: &Sod, trust: &Trust, at: Timestamp) -> Vec<Check> {
    let mut checks = Vec::new();
    let infos = lds.get(Group::Dg14).map(|file| {
        let infos = read_infos(file);
        checks.push(judge_infos(&infos));
        infos
    });
    // What nobody vouches for proves nothing of EF.CardAccess.
    let is_signed = sod.object().is_some_and(|object| {
        lds.get(Group::Dg14)
            .is_some_and(|file| object.vouches_for(Group::Dg14, file) == Some(true))
    });
    let infos = infos.and_then(Result::ok).filter(|_| is_signed);
    let mut secured = None;
    if let Some(file) = lds.get(File::CardSecurity) {
        let (check, read) = judge_card_security(file, trust, at);
        secured = read.filter(|_| check.verdict != Verdict::Failed);
        checks.push(check);
    }
    if let Some(file) = lds.get(File::CardAccess) {
        let signed: Vec<_> = infos.iter().chain(&secured).collect();
        checks.push(judge_card_access(file, &signed));
    }
    if let Some(file) = lds.get(Group::Dg15) {
        checks.push(judge_key(file));
    }
    checks
}

fn read_infos(file: &[u8]) -> Result<SecurityInfos, String> {
    let dg14 = Dg14::parse(file).map_err(|error| reason(&error))?;
    SecurityInfos::parse(dg14.security_infos()).map_err(|error| reason(&error))
}

fn judge_infos(infos: &Result<SecurityInfos, String>) -> Check {
    let name = CheckName::ChipAuthenticationKey;
    let infos = match infos {
        Ok(infos) => infos,
        Err(why) => return Check::failed(name, why.clone()),
    };
    let mut count = 0;
    for key in infos.chip_authentication_keys() {
        if let Err(error) = key.key() {
            return Check::failed(name, reason(&error));
        }
        count += 1;
    }
    let told = match count {
        0 => "EF.DG14 offers no chip authentication".to_owned(),
        1 => "EF.DG14 holds a key for chip authentication".to_owned(),
        _ => format!("EF.DG14 holds {count} keys for chip authentication"),
    };
    Check::passed(name, told)
}

fn judge_key(file: &[u8]) -> Check {
    let name = CheckName::ActiveAuthenticationKey;
    let dg15 = match Dg15::parse(file) {
        Ok(dg15) => dg15,
        Err(error) => return Check::failed(name, reason(&error)),
    };
    match ActiveAuthenticationKey::from_spki_der(dg15.spki()) {
        Ok(_) => Check::passed(name, "EF.DG15 holds a key for active authentication"),
        Err(error) => Check::failed(name, reason(&error)),
    }
}

/// Reads and judges EF.CardSecurity; gives what it says where its signature is its signer's.
pub(super) fn judge_card_security(
    file: &[u8],
    trust: &Trust,
    at: Timestamp,
) -> (Check, Option<SecurityInfos>) {
    let name = CheckName::CardSecurity;
    let failed = |why: String| (Check::failed(name, why), None);
    let file = match CardSecurity::parse(file) {
        Ok(file) => file,
        Err(error) => return failed(reason(&error)),
    };
    let message = match SignedData::parse(file.cms()) {
        Ok(message) => message,
        Err(error) => return failed(reason(&error)),
    };
    if message.content_type() != SECURITY_OBJECT {
        return failed("the signed message holds something else".to_owned());
    }
    let infos = match SecurityInfos::parse(message.content()) {
        Ok(infos) => infos,
        Err(error) => return failed(reason(&error)),
    };
    let signer = match signer::verified(&message, trust) {
        Ok(signer) => signer,
        Err((verdict, why)) => return (Check::new(name, verdict, why), None),
    };
    let asked = Asked {
        signer: signer.certificate,
        signed_at: signer.info.signing_time(),
        zone: None,
        trust,
        at,
    };
    // The worse of the two tells.
    let (chain, validity) = (asked.chain(), asked.validity());
    let worse = if validity.verdict > chain.verdict {
        validity
    } else {
        chain
    };
    let check = Check::new(name, worse.verdict, worse.reason)
        .remarked(worse.remarks)
        .remarked(signer::weakness(&message));
    (check, Some(infos))
}

fn judge_card_access(file: &[u8], signed: &[&SecurityInfos]) -> Check {
    let name = CheckName::CardAccess;
    let access = match CardAccess::parse(file) {
        Ok(access) => SecurityInfos::parse(access.security_infos()),
        Err(error) => return Check::failed(name, reason(&error)),
    };
    let access = match access {
        Ok(access) => access,
        Err(error) => return Check::failed(name, reason(&error)),
    };
    if signed.is_empty() {
        let why = "neither EF.DG14 nor EF.CardSecurity is there, signed and readable";
        return Check::unknown(name, why);
    }
    if signed.iter().any(|infos| infos.contains_all(&access)) {
        Check::passed(name, "all that it says is signed")
    } else {
        let why = "it says what its issuer did not sign: somebody may have changed it";
        Check::failed(name, why)
    }
}
