//! Files that others published: BSI's reference data set, and the Dutch master list.

use super::super::testing::at;
use super::super::{CheckName, Files, Inspection, Trust, Verdict, inspect};
use crate::lds::{File, Lds};
use crate::missing;

/// Reads the data set; nothing where it is not here.
fn data_set() -> Option<Lds> {
    let mut lds = Lds::new();
    for name in [
        "EF_COM.bin",
        "EF_SOD.bin",
        "Datagroup1.bin",
        "Datagroup14.bin",
        "Datagroup15.bin",
    ] {
        let bytes = missing::sample(&format!("bsi_reference_dataset/{name}"))?;
        let file = File::from_file_name(name).unwrap();
        lds.insert(file, bytes).unwrap();
    }
    Some(lds)
}

fn judge(lds: &Lds, trust: &Trust, when: &str) -> Inspection {
    inspect(&Files { lds, unread: &[] }, trust, at(when))
}

fn troubles(inspection: &Inspection) -> Vec<String> {
    let checks = inspection.checks.iter();
    checks
        .filter(|check| check.verdict != Verdict::Passed)
        .map(|check| format!("{} {}", check.name, check.verdict))
        .collect()
}

#[test]
fn the_reference_data_set_is_judged_as_its_publishers_made_it() {
    let Some(lds) = data_set() else { return };
    // While its signer's certificate held, and its document too. DG2 to DG4 are not here, and
    // DG15 was never signed.
    let inspection = judge(&lds, &Trust::default(), "2014-06-01T00:00:00Z");
    assert_eq!(
        troubles(&inspection),
        [
            "file-list unknown",
            "signer-chain unknown",
            "signer-revocation unknown",
            "hash-dg2 unknown",
            "hash-dg3 unknown",
            "hash-dg4 unknown",
            "hash-dg15 unknown",
            "portrait unknown",
        ]
    );
    let reason = |name| inspection.check(name).unwrap().reason.as_str();
    assert_eq!(
        reason(CheckName::Hash(crate::lds::Group::Dg15)),
        "DG15 is there, and no hash of it is signed"
    );
    assert!(reason(CheckName::SodSignature).contains("RSA-PSS with SHA-256"));
    let later = judge(&lds, &Trust::default(), "2015-06-01T00:00:00Z");
    assert!(troubles(&later).contains(&"signer-validity failed".to_owned()));
    // Nothing about it is wrong but its age.
    assert_eq!(later.verdict(), Verdict::Unknown);
}

#[test]
fn a_state_s_master_list_is_trusted_as_a_whole() {
    let (Some(lds), Some(list), Some(csca)) = (
        data_set(),
        missing::sample("csca/NL_MASTERLIST_20211207.mls"),
        missing::sample("csca/CSCA_NL_serial6_2021.cer"),
    ) else {
        return;
    };
    let mut trust = Trust::default();
    let added = trust.add(&list).unwrap();
    assert_eq!((added.certificates, added.unread), (306, 0));
    assert!(trust.anchors().len() > 200, "{}", trust.anchors().len());
    let now = "2022-06-01T00:00:00Z";
    assert!(!trust.judge_lists(at(now))[0].is_vouched_for);
    // Its publisher's certificate by itself vouches for it.
    trust.add(&csca).unwrap();
    let judged = trust.judge_lists(at(now));
    assert!(judged[0].is_vouched_for, "{}", judged[0].reason);
    let inspection = judge(&lds, &trust, now);
    let chain = inspection.check(CheckName::SignerChain).unwrap();
    assert_eq!(chain.verdict, Verdict::Unknown, "{}", chain.reason);
    let Some(crl) = missing::sample("csca/CSCA_CO_2020-05.crl") else {
        return;
    };
    trust.add(&crl).unwrap();
    let inspection = judge(&lds, &trust, now);
    let revocation = inspection.check(CheckName::SignerRevocation).unwrap();
    assert_eq!(
        (revocation.verdict, revocation.remarks.len()),
        (Verdict::Unknown, 0)
    );
}
