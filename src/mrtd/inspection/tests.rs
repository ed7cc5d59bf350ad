//! Documents and one fault each: what a border would be told.

mod published;
mod signers;

use super::testing::{
    NOW, SIGNER, State, at, dg1, document, groups, issue, seal, signed, with, zone,
};
use super::{Check, CheckName, Files, Inspection, Trust, Unread, UnreadCause, Verdict, inspect};
use crate::lds::{File, Group, Lds, LdsError, LdsFault, LdsVersion};

/// Judges files now.
fn judge(lds: &Lds, trust: &Trust) -> Inspection {
    inspect(&Files { lds, unread: &[] }, trust, at(NOW))
}

/// Returns the checks that did not pass, as text: name, verdict, reason.
fn troubles(inspection: &Inspection) -> Vec<String> {
    let told = |check: &Check| format!("{} {}: {}", check.name, check.verdict, check.reason);
    let checks = inspection.checks.iter();
    checks
        .filter(|check| check.verdict != Verdict::Passed)
        .map(told)
        .collect()
}

#[test]
fn a_right_document_passes_every_check() {
    let state = State::new();
    let inspection = judge(&document(&state), &state.trust());
    assert_eq!(troubles(&inspection), [] as [String; 0]);
    assert_eq!(inspection.verdict(), Verdict::Passed);
    let names: Vec<_> = inspection
        .checks
        .iter()
        .map(|c| c.name.to_string())
        .collect();
    assert_eq!(
        names,
        [
            "file-com",
            "file-dg1",
            "file-dg2",
            "file-dg14",
            "file-dg15",
            "file-sod",
            "file-list",
            "sod-signature",
            "signer-chain",
            "signer-validity",
            "signer-key-use",
            "signer-document-type",
            "signer-state",
            "signer-revocation",
            "hash-dg1",
            "hash-dg2",
            "hash-dg14",
            "hash-dg15",
            "mrz",
            "expiry",
            "portrait",
            "chip-authentication-key",
            "active-authentication-key",
        ]
    );
    for group in [Group::Dg1, Group::Dg2, Group::Dg14, Group::Dg15] {
        assert!(inspection.vouches_for(group));
    }
    assert!(!inspection.vouches_for(Group::Dg3));
}

/// One byte of each file is another: the border says which file, and that something is wrong.
#[test]
fn no_byte_of_a_signed_file_may_be_another() {
    let state = State::new();
    let (lds, trust) = (document(&state), state.trust());
    for (file, bytes) in lds.files() {
        // Every byte of short files, some of long ones.
        for place in (0..bytes.len()).step_by(bytes.len().div_ceil(40)) {
            let mut other = bytes.to_vec();
            other[place] ^= 1;
            let changed = with(&lds, &[(file, Some(other))]);
            let inspection = judge(&changed, &trust);
            let is_silent = file == File::Com;
            if is_silent && inspection.verdict() == Verdict::Passed {
                continue;
            }
            // What names the signer, altered, may leave nobody to have signed.
            let least = if file == File::Sod {
                Verdict::Unknown
            } else {
                Verdict::Failed
            };
            assert!(inspection.verdict() >= least, "{file} {place}");
            if let File::Dg(group) = file {
                let check = inspection.check(CheckName::Hash(group)).unwrap();
                assert_eq!(check.verdict, Verdict::Failed, "{file} {place}");
                assert!(!inspection.vouches_for(group));
            }
        }
    }
}

#[test]
fn another_document_s_zone_is_told() {
    let state = State::new();
    let (lds, trust) = (document(&state), state.trust());
    let other = dg1(zone("LVA", "XA0000002", "360301"));
    let inspection = judge(&with(&lds, &[(Group::Dg1.into(), Some(other))]), &trust);
    assert_eq!(
        troubles(&inspection),
        ["hash-dg1 failed: DG1 has another hash than the signed one"]
    );
    // And data groups in one another's place.
    let (fourteen, fifteen) = (lds.get(Group::Dg14).unwrap(), lds.get(Group::Dg15).unwrap());
    let swapped = with(
        &lds,
        &[
            (Group::Dg14.into(), Some(fifteen.to_vec())),
            (Group::Dg15.into(), Some(fourteen.to_vec())),
        ],
    );
    let failed: Vec<_> = judge(&swapped, &trust)
        .checks
        .iter()
        .filter(|check| check.verdict == Verdict::Failed)
        .map(|check| check.name.to_string())
        .collect();
    assert_eq!(
        failed,
        [
            "file-dg14",
            "file-dg15",
            "hash-dg14",
            "hash-dg15",
            "chip-authentication-key",
            "active-authentication-key",
        ]
    );
}

#[test]
fn what_is_missing_or_added_stays_open_and_is_not_vouched_for() {
    let state = State::new();
    let (lds, trust) = (document(&state), state.trust());
    for (missing, told) in [
        (
            File::Dg(Group::Dg2),
            &[
                "hash-dg2 unknown: DG2 is not there, though it is named",
                "portrait unknown: EF.DG2 is not there",
            ][..],
        ),
        (File::Com, &["file-list unknown: EF.COM is not there"]),
        (
            File::Dg(Group::Dg15),
            &["hash-dg15 unknown: DG15 is not there, though it is named"],
        ),
    ] {
        let inspection = judge(&with(&lds, &[(missing, None)]), &trust);
        assert_eq!(troubles(&inspection), told, "{missing}");
        assert_eq!(inspection.verdict(), Verdict::Unknown);
    }
    let nothing_signed = judge(&with(&lds, &[(File::Sod, None)]), &trust);
    assert_eq!(nothing_signed.verdict(), Verdict::Unknown);
    assert!(!nothing_signed.vouches_for(Group::Dg1));
    let told = troubles(&nothing_signed).join("\n");
    assert!(
        told.contains("sod-signature unknown: EF.SOD is not there"),
        "{told}"
    );

    // A key that somebody put beside the signed ones.
    let mut without = groups();
    let fifteen = without.get(Group::Dg15).unwrap().to_vec();
    without = with(&without, &[(Group::Dg15.into(), None)]);
    seal(&mut without, &state.signer);
    let added = with(&without, &[(Group::Dg15.into(), Some(fifteen))]);
    let inspection = judge(&added, &trust);
    assert_eq!(
        troubles(&inspection),
        [
            "file-list unknown: DG15 is there, and EF.COM does not list it",
            "hash-dg15 unknown: DG15 is there, and no hash of it is signed",
        ]
    );
    assert!(!inspection.vouches_for(Group::Dg15));
    // What EF.COM lists, somebody has to have signed.
    let listed = added.com(LdsVersion::V1_8).encode();
    let inspection = judge(&with(&added, &[(File::Com, Some(listed))]), &trust);
    assert_eq!(inspection.verdict(), Verdict::Failed);
}

#[test]
fn a_list_that_disagrees_is_wrong() {
    let state = State::new();
    let (lds, trust) = (document(&state), state.trust());
    let com = with(&lds, &[(Group::Dg15.into(), None)]).com(LdsVersion::V1_8);
    let inspection = judge(&with(&lds, &[(File::Com, Some(com.encode()))]), &trust);
    assert_eq!(
        troubles(&inspection),
        ["file-list failed: the hash of DG15 is signed, and EF.COM does not list it"]
    );
    let older = lds.com(LdsVersion::V1_7).encode();
    let inspection = judge(&with(&lds, &[(File::Com, Some(older))]), &trust);
    assert_eq!(
        troubles(&inspection),
        ["file-list failed: EF.COM says LDS 1.7, and LDS 1.8 is signed"]
    );
}

#[test]
fn a_wrong_or_expired_zone_is_told_and_not_repeated() {
    let state = State::new();
    let trust = state.trust();
    let judged = |zone: Vec<u8>| {
        let mut lds = with(&groups(), &[(Group::Dg1.into(), Some(zone))]);
        seal(&mut lds, &state.signer);
        judge(&lds, &trust)
    };
    let expired = judged(dg1(zone("LVA", "XA0000001", "260531")));
    assert_eq!(
        troubles(&expired),
        ["expiry failed: the document has expired"]
    );
    let last_day = judged(dg1(zone("LVA", "XA0000001", "260601")));
    assert_eq!(last_day.verdict(), Verdict::Passed);
    let mut wrong = dg1(zone("LVA", "XA0000001", "360301"));
    let digit = wrong.len() - 44 + 9;
    assert!(wrong[digit].is_ascii_digit());
    wrong[digit] = b'0' + (wrong[digit] - b'0' + 1) % 10;
    let wrong = judged(wrong);
    let told = troubles(&wrong).join("\n");
    assert!(told.starts_with("mrz failed: line 2, column 10"), "{told}");
    for check in &wrong.checks {
        let text = format!("{check:?}");
        assert!(
            !text.contains("PARAUDZ") && !text.contains("XA000"),
            "{text}"
        );
    }
}

#[test]
fn garbage_is_refused_file_by_file() {
    let state = State::new();
    let trust = state.trust();
    let mut lds = Lds::new();
    for file in File::all() {
        lds.insert(file, vec![0xA5; 100]).unwrap();
    }
    let inspection = judge(&lds, &trust);
    assert_eq!(inspection.verdict(), Verdict::Failed);
    let failed = |name| inspection.check(name).unwrap().verdict == Verdict::Failed;
    for file in File::all() {
        // EF.CVCA and EF.ATR/INFO are no single object, and have other forms.
        assert!(
            failed(CheckName::File(file)) || file == File::Cvca,
            "{file}"
        );
    }
    assert!(failed(CheckName::SodSignature));
    let empty = judge(&Lds::new(), &trust);
    assert_eq!(empty.verdict(), Verdict::Unknown);
}

#[test]
fn what_was_not_read_is_told_by_its_cause() {
    let state = State::new();
    let (lds, trust) = (document(&state), state.trust());
    let judge = |unread: UnreadCause, group: Group| {
        let lds = with(&lds, &[(group.into(), None)]);
        let unread = [Unread {
            file: group.into(),
            cause: unread,
        }];
        let files = Files {
            lds: &lds,
            unread: &unread,
        };
        inspect(&files, &trust, at(NOW))
    };
    let protected = judge(UnreadCause::Protected, Group::Dg15);
    assert_eq!(protected.verdict(), Verdict::Passed);
    let list = protected.check(CheckName::FileList).unwrap();
    assert_eq!(
        list.remarks,
        ["EF.DG15 is for terminals with rights and was not read"]
    );
    let bound = UnreadCause::Bound(LdsError {
        file: Group::Dg2.into(),
        tag: None,
        fault: LdsFault::TooLong {
            length: 1 << 30,
            limit: 262_144,
        },
    });
    let told = troubles(&judge(bound, Group::Dg2)).join("\n");
    assert!(
        told.contains("file-dg2 failed: EF.DG2: 1073741824 bytes; at most 262144"),
        "{told}"
    );
    let missing = troubles(&judge(UnreadCause::NotThere, Group::Dg14)).join("\n");
    assert!(
        missing.contains("file-dg14 failed: EF.DG14 is named and is not there"),
        "{missing}"
    );
}

#[test]
fn a_security_object_that_is_none_is_refused() {
    let state = State::new();
    let (lds, trust) = (document(&state), state.trust());
    for content in [&b"\x30\x00"[..], b"", b"no object at all"] {
        let sod = signed(&state.signer, content, None);
        let inspection = judge(&with(&lds, &[(File::Sod, Some(sod))]), &trust);
        let check = inspection.check(CheckName::SodSignature).unwrap();
        assert_eq!(check.verdict, Verdict::Failed);
        assert!(!inspection.vouches_for(Group::Dg1));
    }
    // The hashes of one document under another signer's name.
    let other = issue(&SIGNER, Some(&state.csca));
    let object = lds
        .security_object(LdsVersion::V1_8, cert::Hash::Sha256)
        .unwrap();
    let mut forged = signed(&other, &object.encode().unwrap(), None);
    let (own, its) = (
        other.certificate.as_der(),
        state.signer.certificate.as_der(),
    );
    if own.len() == its.len() {
        let place = forged
            .windows(own.len())
            .position(|part| part == own)
            .unwrap();
        forged[place..place + own.len()].copy_from_slice(its);
        let inspection = judge(&with(&lds, &[(File::Sod, Some(forged))]), &trust);
        let check = inspection.check(CheckName::SodSignature).unwrap();
        assert_eq!(check.verdict, Verdict::Failed, "{}", check.reason);
    }
}
