//! Whom a border believes, and when.

use cert::MasterList;
use cert::cms::{CSCA_MASTER_LIST, Message, SignerNaming};
use cert::{Hash, SignatureAlgorithm};

use super::super::testing::{
    CSCA, Holder, NOW, SIGNED, SIGNER, Spec, State, at, certify, dg1, document, groups, issue,
    new_key, revoke, seal, sign, signed, with, zone,
};
use super::super::{CheckName, Trust, TrustError, TrustedKind, Verdict};
use super::{judge, troubles};
use crate::lds::{File, Group, Lds, LdsVersion};

fn trusting(certificates: &[&Holder]) -> Trust {
    let mut trust = Trust::default();
    for holder in certificates {
        trust.add(holder.certificate.as_der()).unwrap();
    }
    trust
}

fn signed_by(signer: &Holder) -> Lds {
    let mut lds = groups();
    seal(&mut lds, signer);
    lds
}

fn verdict_of(lds: &Lds, trust: &Trust, name: CheckName) -> (Verdict, String) {
    let inspection = judge(lds, trust);
    let check = inspection.check(name).unwrap();
    (check.verdict, check.reason.clone())
}

#[test]
fn an_unknown_authority_leaves_the_signer_open() {
    let state = State::new();
    let lds = document(&state);
    let (verdict, why) = verdict_of(&lds, &Trust::default(), CheckName::SignerChain);
    assert_eq!(verdict, Verdict::Unknown);
    assert!(
        why.ends_with("no certificate of a country signing CA was given"),
        "{why}"
    );

    // Another country's, another of this country, another key under the same name.
    for (spec, end) in [
        (
            Spec {
                country: "EE",
                ..CSCA
            },
            "none of that country is trusted",
        ),
        (
            Spec {
                name: "Other",
                ..CSCA
            },
            "others of that country are trusted",
        ),
        (
            CSCA,
            "and has another key, and none leads from it to this one",
        ),
    ] {
        let other = issue(&spec, None);
        let inspection = judge(&lds, &trusting(&[&other]));
        assert_eq!(inspection.verdict(), Verdict::Unknown);
        assert!(!inspection.vouches_for(Group::Dg1));
        let why = &inspection.check(CheckName::SignerChain).unwrap().reason;
        assert!(why.ends_with(end), "{why}");
    }
}

#[test]
fn a_forged_signer_is_wrong() {
    let state = State::new();
    // It bears the authority's name, and says nothing of the key.
    let forger = issue(&CSCA, None);
    let spec = Spec {
        identifiers: false,
        ..SIGNER
    };
    let signer = issue(&spec, Some(&forger));
    let lds = signed_by(&signer);
    let (verdict, why) = verdict_of(&lds, &state.trust(), CheckName::SignerChain);
    assert_eq!(verdict, Verdict::Failed, "{why}");
    assert!(why.contains("is not its issuer's"), "{why}");

    // The authority itself signs no documents.
    let lds = signed_by(&state.csca);
    let (verdict, why) = verdict_of(&lds, &state.trust(), CheckName::SignerChain);
    assert_eq!(verdict, Verdict::Failed, "{why}");
    assert!(why.contains("it is a CA certificate"), "{why}");

    // A signer of one country under another's authority.
    let signer = issue(
        &Spec {
            country: "EE",
            ..SIGNER
        },
        Some(&state.csca),
    );
    let told = troubles(&judge(&signed_by(&signer), &state.trust())).join("\n");
    assert!(told.contains("signer-chain failed"), "{told}");
    assert!(told.contains("signer-state failed"), "{told}");
}

#[test]
fn time_is_judged_apart_from_the_path() {
    let state = State::new();
    let expired = issue(
        &Spec {
            until: "2026-05-31T00:00:00Z",
            ..SIGNER
        },
        Some(&state.csca),
    );
    let told = troubles(&judge(&signed_by(&expired), &state.trust()));
    assert_eq!(
        told,
        ["signer-validity failed: certificate 1234 expired at 2026-05-31T00:00:00Z"]
    );
    let early = issue(
        &Spec {
            from: "2026-07-01T00:00:00Z",
            ..SIGNER
        },
        Some(&state.csca),
    );
    let told = troubles(&judge(&signed_by(&early), &state.trust())).join("\n");
    assert!(told.contains("signer-validity failed"), "{told}");

    // The authority's own certificate.
    let csca = issue(
        &Spec {
            until: "2026-05-31T00:00:00Z",
            ..CSCA
        },
        None,
    );
    let signer = issue(&SIGNER, Some(&csca));
    let told = troubles(&judge(&signed_by(&signer), &trusting(&[&csca]))).join("\n");
    assert!(
        told.starts_with("signer-validity failed: certificate 01 expired"),
        "{told}"
    );
}

/// January 2026 to the end of March: private key usage period.
const KEY_USE: (&str, &str) = (
    "2.5.29.16",
    "3022800f32303236303130313030303030305a810f32303236303333313233353935395a",
);

#[test]
fn a_key_signs_in_its_time_only() {
    let state = State::new();
    let spec = Spec {
        extensions: &[KEY_USE],
        ..SIGNER
    };
    let signer = issue(&spec, Some(&state.csca));
    let trust = state.trust();
    let object = |lds: &Lds| {
        let object = lds.security_object(LdsVersion::V1_8, Hash::Sha256).unwrap();
        object.encode().unwrap()
    };
    let lds = signed_by(&signer);
    assert_eq!(judge(&lds, &trust).verdict(), Verdict::Passed);
    for (when, verdict, end) in [
        (
            "2026-04-02T00:00:00Z",
            Verdict::Failed,
            "was not in use at 2026-04-02T00:00:00Z",
        ),
        (
            "2026-06-01T12:06:00Z",
            Verdict::Failed,
            "after the time of judging",
        ),
        (SIGNED, Verdict::Passed, "when the key was in use"),
    ] {
        let sod = signed(&signer, &object(&lds), Some(when));
        let changed = with(&lds, &[(File::Sod, Some(sod))]);
        let (found, why) = verdict_of(&changed, &trust, CheckName::SignerKeyUse);
        assert_eq!(found, verdict, "{why}");
        assert!(why.ends_with(end), "{why}");
    }
    let silent = with(
        &lds,
        &[(File::Sod, Some(signed(&signer, &object(&lds), None)))],
    );
    let inspection = judge(&silent, &trust);
    assert_eq!(inspection.verdict(), Verdict::Passed);
    let check = inspection.check(CheckName::SignerKeyUse).unwrap();
    assert_eq!(
        check.remarks,
        ["the signed message does not say when it was signed"]
    );
}

#[test]
fn a_signer_of_cards_signs_no_passports() {
    let state = State::new();
    let trust = state.trust();
    // Version 0, "I".
    let cards = ("2.23.136.1.1.6.2", "30080201003103130149");
    let passports = ("2.23.136.1.1.6.2", "30080201003103130150");
    for (types, verdict) in [(cards, Verdict::Failed), (passports, Verdict::Passed)] {
        let signer = issue(
            &Spec {
                extensions: &[types],
                ..SIGNER
            },
            Some(&state.csca),
        );
        let (found, why) = verdict_of(&signed_by(&signer), &trust, CheckName::SignerDocumentType);
        assert_eq!(found, verdict, "{why}");
    }
}

#[test]
fn document_and_signer_are_of_one_state() {
    let state = State::new();
    let trust = state.trust();
    for (issuer, verdict) in [
        ("LVA", Verdict::Passed),
        ("EST", Verdict::Failed),
        ("D", Verdict::Failed),
        ("XQQ", Verdict::Unknown),
    ] {
        let zone = dg1(zone(issuer, "XA0000001", "360301"));
        let mut lds = with(&groups(), &[(Group::Dg1.into(), Some(zone))]);
        seal(&mut lds, &state.signer);
        let (found, why) = verdict_of(&lds, &trust, CheckName::SignerState);
        assert_eq!(found, verdict, "{issuer}: {why}");
    }
}

#[test]
fn revoked_is_revoked_and_silence_must_be_of_today() {
    let state = State::new();
    let lds = document(&state);
    let (from, until) = ("2026-05-20T00:00:00Z", "2026-08-20T00:00:00Z");
    let old = ("2026-01-20T00:00:00Z", "2026-04-20T00:00:00Z");
    let later = ("2026-07-20T00:00:00Z", "2026-09-20T00:00:00Z");
    let with_list = |list: Option<Vec<u8>>| {
        let mut trust = trusting(&[&state.csca]);
        if let Some(list) = list {
            assert_eq!(trust.add(&list).unwrap().kind, TrustedKind::RevocationList);
        }
        let inspection = judge(&lds, &trust);
        let check = inspection
            .check(CheckName::SignerRevocation)
            .unwrap()
            .clone();
        (check.verdict, check.reason, check.remarks.len())
    };
    let revoked = |times: (&str, &str)| revoke(&state.csca, &["1234"], times.0, times.1);
    let empty = |times: (&str, &str)| revoke(&state.csca, &["77"], times.0, times.1);
    for (list, verdict, remarks) in [
        (None, Verdict::Unknown, 0),
        (Some(empty((from, until))), Verdict::Passed, 0),
        (Some(revoked((from, until))), Verdict::Failed, 0),
        (Some(empty(old)), Verdict::Unknown, 0),
        (Some(revoked(old)), Verdict::Failed, 0),
        (Some(empty(later)), Verdict::Passed, 0),
        (Some(revoked(later)), Verdict::Failed, 0),
        // Anybody may write a list under the authority's name.
        (
            Some(revoke(&issue(&CSCA, None), &["1234"], from, until)),
            Verdict::Unknown,
            1,
        ),
        (
            Some(revoke(
                &issue(
                    &Spec {
                        country: "EE",
                        ..CSCA
                    },
                    None,
                ),
                &[],
                from,
                until,
            )),
            Verdict::Unknown,
            1,
        ),
    ] {
        let (found, why, found_remarks) = with_list(list);
        assert_eq!((found, found_remarks), (verdict, remarks), "{why}");
    }
    let mut trust = trusting(&[&state.csca]);
    trust.add(&revoked((from, until))).unwrap();
    assert!(!judge(&lds, &trust).vouches_for(Group::Dg1));
}

#[test]
fn a_link_leads_to_a_new_authority() {
    let old = issue(
        &Spec {
            name: "CSCA 1",
            ..CSCA
        },
        None,
    );
    let key = new_key();
    let spec = Spec {
        name: "CSCA 2",
        serial: 2,
        ..CSCA
    };
    let new = certify(&spec, key.clone(), None);
    let link = certify(&spec, key, Some(&old));
    let signer = issue(&SIGNER, Some(&new));
    let lds = signed_by(&signer);
    let mut trust = trusting(&[&old]);
    let chain = |trust: &Trust| verdict_of(&lds, trust, CheckName::SignerChain);
    assert_eq!(chain(&trust).0, Verdict::Unknown);
    let added = trust.add(link.certificate.as_der()).unwrap();
    assert_eq!(added.kind, TrustedKind::Link);
    let (verdict, why) = chain(&trust);
    assert_eq!(verdict, Verdict::Passed);
    assert!(why.ends_with("by way of link certificates"), "{why}");
    // A link alone is nobody's.
    assert_eq!(chain(&trusting(&[&link])).0, Verdict::Unknown);
}

#[test]
fn a_signer_may_be_trusted_by_itself() {
    let state = State::new();
    let inspection = judge(&document(&state), &trusting(&[&state.signer]));
    let check = inspection.check(CheckName::SignerChain).unwrap();
    assert_eq!(check.verdict, Verdict::Passed);
    assert_eq!(check.remarks, ["no country signing certificate was asked"]);
    // Whether it is revoked nobody says.
    assert_eq!(inspection.verdict(), Verdict::Unknown);
}

fn master_list(signer: &Holder, certificates: &[&Holder]) -> Vec<u8> {
    let all: Vec<_> = certificates
        .iter()
        .map(|one| one.certificate.clone())
        .collect();
    let content = MasterList::encode(&all).unwrap();
    let message = Message {
        content_type: CSCA_MASTER_LIST,
        content: &content,
        signer: &signer.certificate,
        others: &[],
        naming: SignerNaming::IssuerAndSerial,
        algorithm: SignatureAlgorithm::Ecdsa(Hash::Sha256),
        signing_time: Some(at(SIGNED)),
    };
    let unsigned = message.prepare().unwrap();
    let signature = sign(&signer.key, unsigned.to_be_signed());
    unsigned.assemble(&signature).unwrap()
}

/// 2.23.136.1.1.3 as the only purpose.
const LISTS: (&str, &str) = ("2.5.29.37", "30080606678108010103");

#[test]
fn a_master_list_is_used_as_its_signer_signed_it() {
    let state = State::new();
    let other = issue(
        &Spec {
            country: "EE",
            ..CSCA
        },
        None,
    );
    let publisher = issue(
        &Spec {
            country: "EE",
            extensions: &[LISTS],
            ..SIGNER
        },
        Some(&other),
    );
    let list = master_list(&publisher, &[&state.csca, &other]);
    let mut trust = Trust::default();
    let added = trust.add(&list).unwrap();
    assert_eq!(
        (added.kind, added.certificates),
        (TrustedKind::MasterList, 2)
    );
    let (verdict, _) = verdict_of(&document(&state), &trust, CheckName::SignerChain);
    assert_eq!(verdict, Verdict::Passed);
    let judged = trust.judge_lists(at(NOW));
    assert!(!judged[0].is_vouched_for && judged[0].reason.contains("on the list itself"));
    trust.add(other.certificate.as_der()).unwrap();
    assert!(trust.judge_lists(at(NOW))[0].is_vouched_for);
    // A document signer's list, and one that was altered.
    let mut trust = Trust::default();
    trust
        .add(&master_list(&state.signer, &[&state.csca]))
        .unwrap();
    let judged = trust.judge_lists(at(NOW));
    assert!(
        judged[0].reason.contains("no certificate vouches"),
        "{judged:?}"
    );
    let mut altered = list.clone();
    let place = list.len() / 2;
    altered[place] ^= 1;
    let error = Trust::default().add(&altered).unwrap_err();
    assert!(
        error.is_alteration() || !matches!(error, TrustError::Signature(_)),
        "{error}"
    );
    for garbage in [&b""[..], b"text", &[0x30, 0x80], &[0x30, 3, 2, 1, 0]] {
        assert!(Trust::default().add(garbage).is_err());
    }
    assert!(Trust::default().add(&list[..list.len() - 1]).is_err());
}
