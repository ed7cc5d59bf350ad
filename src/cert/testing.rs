//! What tests share: a folder, and openssl as the other implementation.

use std::fs;
use std::process::Command;

use openssl::nid::Nid;

use crate::algorithm::Curve;
use crate::certificate::Certificate;

/// The curves, by our name and by openssl's.
pub(crate) const EC_CURVES: [(Curve, Nid); 6] = [
    (Curve::P256, Nid::X9_62_PRIME256V1),
    (Curve::P384, Nid::SECP384R1),
    (Curve::P521, Nid::SECP521R1),
    (Curve::BrainpoolP256r1, Nid::BRAINPOOL_P256R1),
    (Curve::BrainpoolP384r1, Nid::BRAINPOOL_P384R1),
    (Curve::BrainpoolP512r1, Nid::BRAINPOOL_P512R1),
];

pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.0.path().join(name), bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.path().join(name)).unwrap()
    }
}

/// Runs openssl in the folder; returns what it said on both streams.
pub(crate) fn openssl(folder: &Folder, arguments: &[&str]) -> String {
    let (done, said) = run(folder, arguments);
    assert!(done, "openssl {arguments:?}: {said}");
    said
}

/// Runs openssl in the folder; returns whether it succeeded, and what it said on both streams.
pub(crate) fn run(folder: &Folder, arguments: &[&str]) -> (bool, String) {
    let output = Command::new("openssl")
        .args(arguments)
        .current_dir(folder.0.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.success(), said)
}

/// Makes `name`'s key and certificate by openssl, signed by `issuer` or by itself.
pub(crate) fn issue(
    folder: &Folder,
    name: &str,
    issuer: Option<&str>,
    curve: &str,
    extensions: &str,
) -> Certificate {
    let key = format!("{name}.key");
    let curve = format!("ec_paramgen_curve:{curve}");
    openssl(
        folder,
        &[
            "genpkey",
            "-algorithm",
            "EC",
            "-pkeyopt",
            &curve,
            "-out",
            &key,
        ],
    );
    reissue(folder, name, &key, issuer, extensions)
}

/// Makes a certificate for a key that is there already.
pub(crate) fn reissue(
    folder: &Folder,
    name: &str,
    key: &str,
    issuer: Option<&str>,
    extensions: &str,
) -> Certificate {
    folder.write("extensions", extensions.as_bytes());
    let subject = format!("/C=LV/CN={name}");
    openssl(
        folder,
        &[
            "req", "-new", "-key", key, "-subj", &subject, "-out", "request",
        ],
    );
    let der = format!("{name}.der");
    let mut arguments = vec![
        "x509",
        "-req",
        "-in",
        "request",
        "-days",
        "30",
        "-sha384",
        "-extfile",
        "extensions",
    ];
    let signers;
    match issuer {
        None => arguments.extend(["-signkey", key]),
        Some(issuer) => {
            signers = [format!("{issuer}.pem"), format!("{issuer}.key")];
            arguments.extend(["-CA", &signers[0], "-CAkey", &signers[1], "-CAcreateserial"]);
        }
    }
    let pem = format!("{name}.pem");
    arguments.extend(["-out", &pem]);
    openssl(folder, &arguments);
    openssl(
        folder,
        &["x509", "-in", &pem, "-outform", "DER", "-out", &der],
    );
    Certificate::parse(&folder.read(&der)).unwrap()
}
