//! Whether the files read, and whether they are those that were signed.

use std::collections::BTreeMap;

use super::check::{Check, CheckName, Verdict, reason};
use super::judge::{Files, Sod, UnreadCause};
use crate::biometrics::FingerGroup;
use crate::lds::{File, Finding, Group, Severity};

/// Judges every file for itself, against EF.COM, and against the signed hashes.
pub(super) fn judge(files: &Files<'_>, sod: &Sod) -> Vec<Check> {
    let mut faults: BTreeMap<CheckName, (Verdict, Vec<String>)> = BTreeMap::new();
    let mut remarks: BTreeMap<CheckName, Vec<String>> = BTreeMap::new();
    let protected: Vec<File> = files
        .unread
        .iter()
        .filter(|unread| unread.cause == UnreadCause::Protected)
        .map(|unread| unread.file)
        .collect();
    for finding in files.lds.check(sod.object()) {
        if let Finding::Deviation { file, remark } = finding {
            remarks
                .entry(CheckName::File(file))
                .or_default()
                .push(remark.to_string());
            continue;
        }
        let Some(name) = subject(&finding, sod) else {
            continue;
        };
        if let Finding::NotPresent(group) = finding
            && protected.contains(&File::Dg(group))
        {
            continue;
        }
        let verdict = match finding.severity() {
            Severity::Fault => Verdict::Failed,
            Severity::Open | Severity::Note => Verdict::Unknown,
        };
        let entry = faults.entry(name).or_insert((verdict, Vec::new()));
        entry.0 = entry.0.max(verdict);
        entry.1.push(match finding {
            Finding::Malformed(error) => reason(&error),
            Finding::NotPresent(group) if files.unread.iter().any(|u| u.file == group.into()) => {
                format!("{group} was not read")
            }
            finding => finding.to_string(),
        });
    }
    let mut checks = Vec::new();
    let mut conclude = |name, passed: &dyn Fn() -> String| {
        let remarks = remarks.remove(&name).unwrap_or_default();
        let check = match faults.remove(&name) {
            Some((verdict, why)) => Check::new(name, verdict, why.join("; ")),
            None => Check::passed(name, passed()),
        };
        checks.push(check.remarked(remarks));
    };
    for (file, bytes) in files.lds.files() {
        conclude(CheckName::File(file), &|| format!("{} bytes", bytes.len()));
    }
    conclude(CheckName::FileList, &|| {
        "EF.COM and EF.SOD name the same data groups".to_owned()
    });
    if let Some(object) = sod.object() {
        for group in Group::ALL {
            let name = CheckName::Hash(group);
            let is_asked = object.hash_of(group).is_some() && !protected.contains(&group.into())
                || files.lds.get(group).is_some()
                || group.is_mandatory();
            if is_asked {
                conclude(name, &|| format!("{} as EF.SOD has it", object.hash()));
            }
        }
    } else {
        let names = files.lds.groups().map(|(group, _)| CheckName::Hash(group));
        checks.extend(names.map(|name| Check::unknown(name, "there are no signed hashes")));
    }
    tell_unread(files, &mut checks);
    judge_fingers(files, &mut checks);
    checks
}

/// Returns the check to which a finding belongs.
fn subject(finding: &Finding, sod: &Sod) -> Option<CheckName> {
    Some(match finding {
        Finding::Deviation { file, .. } => CheckName::File(*file),
        Finding::Malformed(error) => CheckName::File(error.file),
        // That there is no EF.SOD is told by its signature.
        Finding::NoFile(File::Sod) => return None,
        Finding::NotPresent(group) | Finding::PresentNotSigned(group)
            if sod.object().is_some_and(|object| {
                object.hash_of(*group).is_some() || matches!(finding, Finding::PresentNotSigned(_))
            }) =>
        {
            CheckName::Hash(*group)
        }
        Finding::MandatoryNotSigned(group) | Finding::HashDiffers(group) => CheckName::Hash(*group),
        _ => CheckName::FileList,
    })
}

/// Adds what was not read.
fn tell_unread(files: &Files<'_>, checks: &mut Vec<Check>) {
    for unread in files.unread {
        let file = unread.file;
        let name = CheckName::File(file);
        match &unread.cause {
            UnreadCause::Bound(error) => checks.push(Check::failed(name, reason(error))),
            UnreadCause::NotThere => {
                checks.push(Check::failed(
                    name,
                    format!("{file} is named and is not there"),
                ));
            }
            UnreadCause::Failed(why) => checks.push(Check::unknown(name, why.clone())),
            UnreadCause::Protected => {
                let list = checks.iter_mut().find(|c| c.name == CheckName::FileList);
                if let Some(list) = list {
                    list.remarks.push(format!(
                        "{file} is for terminals with rights and was not read"
                    ));
                }
            }
        }
    }
}

/// Reads the fingerprints, where somebody could read them.
fn judge_fingers(files: &Files<'_>, checks: &mut [Check]) {
    let Some(file) = files.lds.get(Group::Dg3) else {
        return;
    };
    let name = CheckName::File(Group::Dg3.into());
    if let Err(error) = FingerGroup::parse(file)
        && let Some(check) = checks.iter_mut().find(|check| check.name == name)
        && check.verdict != Verdict::Failed
    {
        *check = Check::failed(name, reason(&error));
    }
}
