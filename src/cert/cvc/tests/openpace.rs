//! OpenPACE as the other implementation: its certificates read here, ours read there.

use std::path::Path;
use std::process::Command;

use jiff::civil::date;

use super::{Pair, reference};
use crate::algorithm::Curve;
use crate::cvc::{
    Chat, CvAlgorithm, CvCertificate, CvContent, CvRequest, Holder, Parameters, Right, Role,
    Strength, verify_chain,
};
use crate::missing;

/// Runs a program of OpenPACE in a folder; none where it is not installed.
fn openpace(program: &str, folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = match Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
    {
        Ok(output) => output,
        Err(_) => {
            missing::program("OpenPACE (cvc-print, cvc-create)");
            return None;
        }
    };
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    Some(said)
}

fn save(folder: &Path, name: &str, pair: &Pair) {
    std::fs::write(
        folder.join(name),
        pair.private.private_key_to_pkcs8().unwrap(),
    )
    .unwrap();
}

fn read(folder: &Path, name: &str) -> CvCertificate {
    CvCertificate::parse(&std::fs::read(folder.join(name)).unwrap()).unwrap()
}

#[test]
fn a_chain_made_by_openpace_verifies_here() {
    for (pair, scheme) in [
        (
            Pair::ec(Curve::P256, CvAlgorithm::EcdsaSha256),
            "ECDSA_SHA_256",
        ),
        (
            Pair::ec(Curve::BrainpoolP256r1, CvAlgorithm::EcdsaSha224),
            "ECDSA_SHA_224",
        ),
        (
            Pair::ec(Curve::P384, CvAlgorithm::EcdsaSha384),
            "ECDSA_SHA_384",
        ),
        (
            Pair::ec(Curve::BrainpoolP512r1, CvAlgorithm::EcdsaSha512),
            "ECDSA_SHA_512",
        ),
        (Pair::rsa(CvAlgorithm::RsaPkcs1Sha256), "RSA_v1_5_SHA_256"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        save(folder, "cvca", &pair);
        let scheme = format!("--scheme={scheme}");
        let of = |role: &'static str, chr: &'static str| {
            vec![role, chr, "--issued=260101", "--expires=260401", &scheme]
        };
        let made = |arguments: Vec<&str>| openpace("cvc-create", folder, &arguments);
        let mut root = of("--role=cvca", "--chr=LVCVCA00001");
        root.extend([
            "--type=is",
            "--read-finger",
            "--read-iris",
            "--sign-with=cvca",
        ]);
        root.extend(["--key=cvca", "--out-cert=root"]);
        if made(root).is_none() {
            return;
        }
        let mut dv = of("--role=dv_domestic", "--chr=LVDVLV00001");
        dv.extend(["--read-finger", "--sign-with=cvca", "--sign-as=root"]);
        dv.extend(["--out-cert=dv", "--out-key=dvkey"]);
        made(dv);
        let mut terminal = of("--role=terminal", "--chr=LVIS00001");
        terminal.extend([
            "--read-finger",
            "--read-iris",
            "--sign-with=dvkey",
            "--sign-as=dv",
        ]);
        terminal.extend(["--out-cert=is", "--out-key=iskey"]);
        made(terminal);
        let root = Holder::of_root(read(folder, "root"), Strength::Current).unwrap();
        let chain = [read(folder, "dv"), read(folder, "is")];
        let last = verify_chain(&root, &chain, date(2026, 2, 1)).unwrap();
        assert_eq!(last.authorization().rights(), [Right::ReadFingerprints]);
        assert_eq!(root.key().algorithm(), pair.algorithm);
    }
}

#[test]
fn openpace_reads_and_verifies_ours() {
    for (pair, verifier) in [
        Curve::P256,
        Curve::P384,
        Curve::BrainpoolP256r1,
        Curve::BrainpoolP384r1,
    ]
    .map(|curve| {
        let key = || Pair::ec(curve, CvAlgorithm::EcdsaSha256);
        (key(), key())
    }) {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let mut content = CvContent {
            issuer: reference("LVCVCA00001"),
            holder: reference("LVCVCA00001"),
            public_key: pair.key(Parameters::Included),
            chat: Chat::inspection(Role::Cvca, &Right::ALL),
            effective: date(2026, 1, 1),
            expiration: date(2099, 12, 31),
            extensions: Vec::new(),
        };
        // OpenPACE finds an issuer's file by its reference.
        std::fs::write(folder.join("LVCVCA00001"), pair.issue(&content)).unwrap();
        content.holder = reference("LVDVLV00001");
        content.public_key = verifier.key(Parameters::Inherited);
        content.chat = Chat::inspection(Role::DomesticVerifier, &[Right::ReadFingerprints]);
        std::fs::write(folder.join("dv"), pair.issue(&content)).unwrap();
        let arguments = ["--cvc=dv", "--cvc-dir=."];
        let Some(said) = openpace("cvc-print", folder, &arguments) else {
            return;
        };
        for line in [
            "CAR: LVCVCA00001",
            "CHR: LVDVLV00001",
            "Inspection system",
            "Read fingerprint",
            "Effective Date: 2026-01-01",
            "Expiration Date: 2099-12-31",
            "certificate verified",
        ] {
            assert!(said.contains(line), "{line}: {said}");
        }
        assert!(!said.contains("Read iris"), "{said}");

        let body = CvContent::request_body(
            Some(&reference("LVCVCA00001")),
            &reference("LVDVLV00002"),
            &verifier.key(Parameters::Included),
        )
        .unwrap();
        let request = CvContent::assemble(&body, &verifier.sign(&body));
        CvRequest::parse(&request).unwrap();
        std::fs::write(folder.join("request"), request).unwrap();
        let said = openpace("cvc-print", folder, &["--csr=request"]).unwrap();
        assert!(said.contains("CHR: LVDVLV00002"), "{said}");

        // And certifies it.
        save(folder, "cvca", &pair);
        let arguments = [
            "--csr=request",
            "--role=dv_foreign",
            "--type=is",
            "--issued=260101",
            "--expires=260401",
            "--scheme=ECDSA_SHA_256",
            "--sign-with=cvca",
            "--out-cert=certified",
        ];
        openpace("cvc-create", folder, &arguments).unwrap();
        let certified = read(folder, "certified");
        let root = Holder::of_root(read(folder, "LVCVCA00001"), Strength::Current).unwrap();
        assert_eq!(certified.holder().to_string(), "LVDVLV00002");
        assert_eq!(certified.role(), Role::ForeignVerifier);
        certified
            .verify_signature(root.key(), Strength::Current)
            .unwrap();
    }
}

/// OpenPACE makes RSA-PSS with the longest salt that fits; *TR-03110-3 §A.7.1.1* wants one as long
/// as the hash, and so does a chip.
#[test]
fn the_salt_of_openpace_s_pss_is_too_long() {
    let pair = Pair::rsa(CvAlgorithm::RsaPssSha256);
    let folder = tempfile::tempdir().unwrap();
    save(folder.path(), "cvca", &pair);
    let arguments = [
        "--role=cvca",
        "--chr=LVCVCA00001",
        "--issued=260101",
        "--expires=280101",
        "--type=is",
        "--scheme=RSA_PSS_SHA_256",
        "--sign-with=cvca",
        "--key=cvca",
        "--out-cert=root",
    ];
    if openpace("cvc-create", folder.path(), &arguments).is_none() {
        return;
    }
    let root = read(folder.path(), "root");
    assert_eq!(root.public_key(), &pair.key(Parameters::Included));
    assert!(Holder::of_root(root, Strength::Current).is_err());
}
