//! EF.COM, security object and files: who vouches for whom.

use cert::Hash;
use cert::cms::SignedData;
use document::mrz::Mrz;

use crate::lds::testing::{bytes, vector};
use crate::lds::{
    DataGroup, Dg1, Difference, EfSod, File, Finding, Group, Lds, LdsFault, LdsLimits,
    LdsSecurityObject, LdsVersion, MAX_FILE, Remark, Severity, UnicodeVersion,
};

/// A sound document of DG1, DG2 and DG14, and its security object.
fn document(version: LdsVersion) -> (Lds, LdsSecurityObject) {
    let mut lds = Lds::new();
    lds.insert(File::Dg(Group::Dg14), bytes(&vector("bsi")["dg14"]))
        .unwrap();
    let mrz = Mrz::read(vector("bsi")["mrz"].as_str().unwrap()).unwrap();
    lds.insert_group(&Dg1 { mrz }.encode().unwrap()).unwrap();
    lds.insert_group(&DataGroup::new(Group::Dg2, &[0x7F, 0x61, 0]).unwrap())
        .unwrap();
    let object = lds.security_object(version, Hash::Sha384).unwrap();
    lds.insert(File::Com, lds.com(version).encode()).unwrap();
    // What is signed is judged elsewhere; here stands some message.
    let sod = EfSod::new(vec![0x30, 0x00]).unwrap();
    lds.insert(File::Sod, sod.encode()).unwrap();
    (lds, object)
}

/// The same document with one file changed.
fn with(lds: &Lds, file: File, bytes: Option<Vec<u8>>) -> Lds {
    let mut other = Lds::new();
    for (name, content) in lds.files().filter(|(name, _)| *name != file) {
        other.insert(name, content.to_vec()).unwrap();
    }
    if let Some(bytes) = bytes {
        other.insert(file, bytes).unwrap();
    }
    other
}

#[test]
fn a_document_as_written_has_no_finding() {
    for version in [LdsVersion::V1_7, LdsVersion::V1_8] {
        let (lds, object) = document(version);
        assert_eq!(lds.check(Some(&object)), []);
        assert_eq!(lds.check(None), []);
        // Read back from the chip it is the same, byte for byte.
        let (again, object_again) = document(version);
        assert!(again == lds && object_again == object);
    }
}

#[test]
fn every_change_is_found() {
    let (lds, object) = document(LdsVersion::V1_8);
    let find = |lds: &Lds| lds.check(Some(&object));

    let mut dg1 = lds.get(Group::Dg1).unwrap().to_vec();
    *dg1.last_mut().unwrap() = b'5';
    let altered = with(&lds, File::Dg(Group::Dg1), Some(dg1));
    assert_eq!(find(&altered), [Finding::HashDiffers(Group::Dg1)]);
    assert_eq!(altered.check(None), []);

    let without = with(&lds, File::Dg(Group::Dg2), None);
    assert_eq!(find(&without), [Finding::NotPresent(Group::Dg2)]);
    assert_eq!(find(&without)[0].severity(), Severity::Open);

    let more = with(
        &lds,
        File::Dg(Group::Dg13),
        Some(DataGroup::new(Group::Dg13, b"x").unwrap().bytes().to_vec()),
    );
    assert_eq!(
        find(&more),
        [
            Finding::PresentNotListed(Group::Dg13),
            Finding::PresentNotSigned(Group::Dg13)
        ]
    );

    // EF.COM hides DG14, so that nobody asks for chip authentication.
    let hiding = crate::lds::EfCom::new(LdsVersion::V1_8, [Group::Dg1, Group::Dg2]);
    let hidden = with(&lds, File::Com, Some(hiding.encode()));
    assert_eq!(find(&hidden), [Finding::SignedNotListed(Group::Dg14)]);
    assert!(find(&hidden)[0].severity() == Severity::Fault);

    let older = with(&lds, File::Com, Some(lds.com(LdsVersion::V1_7).encode()));
    let differs = Finding::LdsVersionDiffers {
        listed: LdsVersion::V1_7,
        signed: Some(LdsVersion::V1_8),
    };
    assert_eq!(
        differs.to_string(),
        "EF.COM says LDS 1.7, and LDS 1.8 is signed"
    );
    assert_eq!(find(&older), [differs]);
    let mut com = lds.com(LdsVersion::V1_8);
    com.unicode_version = UnicodeVersion::parse(b"060100").unwrap();
    let unicode = with(&lds, File::Com, Some(com.encode()));
    assert!(matches!(
        find(&unicode)[..],
        [Finding::UnicodeVersionDiffers { .. }]
    ));

    for file in [File::Com, File::Sod] {
        let without = with(&lds, file, None);
        assert_eq!(find(&without), [Finding::NoFile(file)]);
    }

    let broken = with(&lds, File::Com, Some(vec![0x60, 0x01]));
    let findings = find(&broken);
    assert!(
        matches!(&findings[..], [Finding::Malformed(error)] if error.file == File::Com),
        "{findings:?}"
    );
}

#[test]
fn what_is_read_back_is_compared_byte_for_byte() {
    let (lds, _) = document(LdsVersion::V1_8);
    assert_eq!(lds.differences(&lds), []);
    let file = File::Dg(Group::Dg1);
    let mut altered = lds.get(file).unwrap().to_vec();
    altered[40] ^= 1;
    let differs = Difference::Content { file, offset: 40 };
    assert_eq!(lds.differences(&with(&lds, file, Some(altered))), [differs]);
    let longer = [lds.get(file).unwrap(), &[0]].concat();
    assert_eq!(
        lds.differences(&with(&lds, file, Some(longer)))[0].to_string(),
        "EF.DG1 has 94 bytes; 93 were written"
    );
    let fewer = with(&lds, file, None);
    assert_eq!(lds.differences(&fewer), [Difference::Missing(file)]);
    assert_eq!(fewer.differences(&lds), [Difference::Added(file)]);
}

#[test]
fn a_security_object_without_versions_under_a_new_com() {
    let (lds, _) = document(LdsVersion::V1_8);
    let old = lds.security_object(LdsVersion::V1_7, Hash::Sha256).unwrap();
    let differs = Finding::LdsVersionDiffers {
        listed: LdsVersion::V1_8,
        signed: None,
    };
    assert_eq!(lds.check(Some(&old)), [differs]);
}

#[test]
fn the_reference_data_set_and_its_own_disagreements() {
    let bsi = vector("bsi");
    let mut lds = Lds::new();
    for (file, name) in [
        (File::Com, "com"),
        (File::Dg(Group::Dg1), "dg1"),
        (File::Dg(Group::Dg14), "dg14"),
        (File::Dg(Group::Dg15), "dg15"),
    ] {
        lds.insert(file, bytes(&bsi[name])).unwrap();
    }
    let object = LdsSecurityObject::parse(&bytes(&bsi["security_object"]))
        .unwrap()
        .content;
    // Its biometric data groups are left out here; its DG15 is neither listed nor signed.
    let expected = [
        Finding::NoFile(File::Sod),
        Finding::NotPresent(Group::Dg2),
        Finding::NotPresent(Group::Dg3),
        Finding::NotPresent(Group::Dg4),
        Finding::PresentNotListed(Group::Dg15),
        Finding::PresentNotSigned(Group::Dg15),
    ];
    assert_eq!(lds.check(Some(&object)), expected);

    // Under another document's security object DG1, DG14 and DG15 are not what was signed.
    let other = LdsSecurityObject::parse(&bytes(&vector("etsi")["security_object"]))
        .unwrap()
        .content;
    let differing = lds.check(Some(&other));
    for group in [Group::Dg1, Group::Dg14, Group::Dg15] {
        assert!(differing.contains(&Finding::HashDiffers(group)));
    }
    assert!(differing.contains(&Finding::SignedNotListed(Group::Dg15)));
}

#[test]
fn a_security_object_without_the_mandatory_groups() {
    let (lds, _) = document(LdsVersion::V1_7);
    let files = lds.groups().filter(|(group, _)| *group != Group::Dg2);
    let object = LdsSecurityObject::new(LdsVersion::V1_7, Hash::Sha256, files).unwrap();
    let com = with(&lds, File::Dg(Group::Dg2), None);
    assert_eq!(
        com.check(Some(&object)),
        [
            Finding::ListedNotSigned(Group::Dg2),
            Finding::MandatoryNotSigned(Group::Dg2),
            Finding::NotPresent(Group::Dg2)
        ]
    );
}

#[test]
fn a_document_is_bounded() {
    let mut lds = Lds::new();
    for group in [Group::Dg2, Group::Dg3, Group::Dg4, Group::Dg5] {
        lds.insert(File::Dg(group), vec![0; MAX_FILE]).unwrap();
    }
    let full = lds.insert(File::Dir, vec![0]).unwrap_err();
    assert!(matches!(full.fault, LdsFault::Total { .. }));
    let again = lds.insert(File::Dg(Group::Dg2), vec![]).unwrap_err();
    assert_eq!(again.to_string(), "EF.DG2: there more than once");
    let long = lds.insert(File::Com, vec![0; MAX_FILE + 1]).unwrap_err();
    assert!(matches!(long.fault, LdsFault::TooLong { .. }));
    let error = lds.fits(LdsLimits::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "EF.DG2: 262144 bytes; at most 65536 are allowed"
    );
    let limits = LdsLimits {
        file: MAX_FILE,
        total: 1_000_000,
    };
    assert!(matches!(
        lds.fits(limits).unwrap_err().fault,
        LdsFault::Total {
            length: 1_048_576,
            limit: 1_000_000
        }
    ));
    let (small, _) = document(LdsVersion::V1_8);
    assert!(small.fits(LdsLimits::default()).is_ok());
    assert!(format!("{small:?}").contains("Dg(Dg1): 93"));
}

#[test]
fn remarks_become_notes() {
    let (lds, _) = document(LdsVersion::V1_7);
    let mut com = lds.get(File::Com).unwrap().to_vec();
    com.insert(1, 0x81);
    let file = File::Com;
    let noted = with(&lds, file, Some(com)).check(None);
    let remark = Remark::OtherForm;
    assert_eq!(noted, [Finding::Deviation { file, remark }]);
    assert_eq!(noted[0].severity(), Severity::Note);
}

#[test]
fn the_reference_data_set_as_a_folder() {
    let mut lds = Lds::new();
    for name in [
        "EF_COM.bin",
        "EF_SOD.bin",
        "Datagroup1.bin",
        "Datagroup14.bin",
        "Datagroup15.bin",
    ] {
        let Some(content) = crate::missing::sample(&format!("bsi_reference_dataset/{name}")) else {
            return;
        };
        lds.insert(File::from_file_name(name).unwrap(), content)
            .unwrap();
    }
    let message = SignedData::parse_ef_sod(lds.get(File::Sod).unwrap()).unwrap();
    let object = LdsSecurityObject::of_message(&message).unwrap().content;
    let findings = lds.check(Some(&object));
    let is_fault = |finding: &Finding| finding.severity() == Severity::Fault;
    assert!(!findings.iter().any(is_fault));
    for of_nobody in [
        Finding::PresentNotListed(Group::Dg15),
        Finding::PresentNotSigned(Group::Dg15),
    ] {
        assert!(findings.contains(&of_nobody));
    }
}

#[test]
fn openssl_signs_the_object_and_it_comes_back() {
    let (_, object) = document(LdsVersion::V1_8);
    let content = object.encode().unwrap();
    let message = signed_by_openssl(&content, "2.23.136.1.1.1");
    let sod = EfSod::new(message).unwrap().encode();
    let message = SignedData::parse_ef_sod(&sod).unwrap();
    let read = LdsSecurityObject::of_message(&message).unwrap();
    assert_eq!((read.content, read.remarks), (object, vec![]));

    // Other contents, and plain data as some documents call it.
    let master_list = signed_by_openssl(&content, "2.23.136.1.1.2");
    let message = SignedData::parse(&master_list).unwrap();
    let error = LdsSecurityObject::of_message(&message).unwrap_err();
    assert_eq!(
        error.to_string(),
        "EF.SOD: a message of content type 2.23.136.1.1.2 holds something else"
    );
    let plain = signed_by_openssl(&content, "1.2.840.113549.1.7.1");
    let message = SignedData::parse(&plain).unwrap();
    let read = LdsSecurityObject::of_message(&message).unwrap();
    assert_eq!(read.remarks, [Remark::PlainContent]);
}

/// Returns a message with this content, signed by a key made for it.
fn signed_by_openssl(content: &[u8], content_type: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("content"), content).unwrap();
    let run = |arguments: &[&str]| {
        let output = std::process::Command::new("openssl")
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    let key = "ec_paramgen_curve:P-256";
    run(&[
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        key,
        "-nodes",
        "-keyout",
        "key",
        "-out",
        "signer",
        "-subj",
        "/C=LV/CN=Signer",
        "-days",
        "1",
    ]);
    run(&[
        "cms",
        "-sign",
        "-binary",
        "-nodetach",
        "-in",
        "content",
        "-signer",
        "signer",
        "-inkey",
        "key",
        "-econtent_type",
        content_type,
        "-outform",
        "DER",
        "-out",
        "message",
    ]);
    std::fs::read(folder.path().join("message")).unwrap()
}
