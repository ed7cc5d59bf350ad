//! Signed messages: openssl's are read, ours are read by openssl, and those of states.

use std::path::Path;

use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::rsa::Padding;
use openssl::sign::{RsaPssSaltlen, Signer};
use proptest::prelude::*;
use serde_json::Value;

use super::{
    BuildError, CSCA_MASTER_LIST, CmsVerifyError, LDS_SECURITY_OBJECT, Message, SECURITY_OBJECT,
    SignedData, SignedDataError, SignerId, SignerNaming,
};
use crate::certificate::Certificate;
use crate::hash::Hash;
use crate::master_list::MasterList;
use crate::missing;
use crate::signature_algorithm::SignatureAlgorithm;
use crate::testing::{Folder, issue, openssl, reissue};

const SIGNS: &str = "keyUsage=critical,digitalSignature\nsubjectKeyIdentifier=hash\n";
const CONTENT: &[u8] = b"0\x03\x02\x01\x07";

/// Has openssl sign [`CONTENT`].
fn signed(folder: &Folder, name: &str, arguments: &[&str]) -> Vec<u8> {
    folder.write("content", CONTENT);
    let (signer, key) = (format!("{name}.pem"), format!("{name}.key"));
    let common = [
        "cms",
        "-sign",
        "-binary",
        "-nodetach",
        "-nosmimecap",
        "-outform",
        "DER",
        "-in",
        "content",
        "-out",
        "message",
        "-econtent_type",
        "2.23.136.1.1.1",
        "-signer",
        &signer,
        "-inkey",
        &key,
    ];
    openssl(folder, &[&common[..], arguments].concat());
    folder.read("message")
}

fn rsa(folder: &Folder, name: &str, bits: &str) -> Certificate {
    let key = format!("{name}.key");
    let bits = format!("rsa_keygen_bits:{bits}");
    openssl(
        folder,
        &[
            "genpkey",
            "-algorithm",
            "RSA",
            "-pkeyopt",
            &bits,
            "-out",
            &key,
        ],
    );
    reissue(folder, name, &key, None, SIGNS)
}

#[test]
fn openssl_s_messages_verify_and_no_other_content_or_key_does() {
    let folder = Folder::new();
    let ec = issue(&folder, "Ec", None, "P-256", SIGNS);
    let brainpool = issue(&folder, "Brainpool", None, "brainpoolP384r1", SIGNS);
    let rsa = rsa(&folder, "Rsa", "2048");
    let pss = [
        "-keyopt",
        "rsa_padding_mode:pss",
        "-keyopt",
        "rsa_pss_saltlen:20",
        "-md",
        "sha512",
    ];
    for (name, certificate, arguments, algorithm) in [
        (
            "Ec",
            &ec,
            &["-md", "sha256"][..],
            SignatureAlgorithm::Ecdsa(Hash::Sha256),
        ),
        (
            "Ec",
            &ec,
            &["-md", "sha224", "-keyid"],
            SignatureAlgorithm::Ecdsa(Hash::Sha224),
        ),
        (
            "Brainpool",
            &brainpool,
            &["-md", "sha384", "-nocerts"],
            SignatureAlgorithm::Ecdsa(Hash::Sha384),
        ),
        (
            "Rsa",
            &rsa,
            &["-md", "sha256"],
            SignatureAlgorithm::RsaPkcs1(Hash::Sha256),
        ),
        (
            "Rsa",
            &rsa,
            &pss,
            SignatureAlgorithm::RsaPss {
                hash: Hash::Sha512,
                salt_length: 20,
            },
        ),
    ] {
        let der = signed(&folder, name, arguments);
        let read = SignedData::parse(&der).unwrap();
        assert_eq!(read.content_type(), LDS_SECURITY_OBJECT);
        assert_eq!(read.content(), CONTENT);
        let info = &read.signers()[0];
        assert_eq!(info.signature_algorithm(), algorithm);
        let is_keyid = arguments.contains(&"-keyid");
        assert_eq!(matches!(info.id(), SignerId::SubjectKey(_)), is_keyid);
        assert!(info.signing_time().is_some());
        let own = std::slice::from_ref(certificate);
        let verified = read.verify(own).unwrap();
        assert_eq!(verified[0].certificate, certificate);
        if arguments.contains(&"-nocerts") {
            assert_eq!(
                read.verify(&[]),
                Err(CmsVerifyError::CertificateMissing { place: 1 })
            );
        }
        // Any bit of content or signature that changes is found.
        let place = der.windows(CONTENT.len()).position(|part| part == CONTENT);
        let mut altered = der.clone();
        altered[place.unwrap() + 4] ^= 1;
        let altered = SignedData::parse(&altered).unwrap();
        assert_eq!(altered.verify(own), Err(CmsVerifyError::Digest));
        let mut altered = der.clone();
        *altered.last_mut().unwrap() ^= 1;
        let altered = SignedData::parse(&altered).unwrap();
        assert!(matches!(
            altered.verify(own),
            Err(CmsVerifyError::Signature { serial, .. }) if serial == certificate.serial_hex()
        ));
    }
}

#[test]
fn sha1_is_taken_only_where_it_is_asked_for() {
    let folder = Folder::new();
    rsa(&folder, "Rsa", "2048");
    let read = SignedData::parse(&signed(&folder, "Rsa", &["-md", "sha1"])).unwrap();
    assert_eq!(read.verify(&[]), Err(CmsVerifyError::Sha1));
    assert_eq!(read.verify_allowing_sha1(&[]).unwrap().len(), 1);
}

#[test]
fn attributes_are_wanted_where_the_content_is_no_plain_data() {
    let folder = Folder::new();
    issue(&folder, "Ec", None, "P-256", SIGNS);
    let bare = signed(&folder, "Ec", &["-noattr"]);
    let read = SignedData::parse(&bare).unwrap();
    assert_eq!(read.verify(&[]), Err(CmsVerifyError::AttributesMissing));
    // What was signed as one thing is not another.
    let der = signed(&folder, "Ec", &[]);
    let oid = hex::decode("0606678108010101").unwrap();
    let place = der.windows(oid.len()).position(|part| part == oid).unwrap();
    let mut altered = der;
    altered[place + 7] = 2;
    let altered = SignedData::parse(&altered).unwrap();
    assert_eq!(
        altered.verify(&[]),
        Err(CmsVerifyError::ContentType {
            signed: LDS_SECURITY_OBJECT,
            said: CSCA_MASTER_LIST
        })
    );
}

/// Signs as a token does.
fn sign(folder: &Folder, name: &str, algorithm: SignatureAlgorithm, message: &[u8]) -> Vec<u8> {
    let pem = folder.read(&format!("{name}.key"));
    let key = PKey::private_key_from_pem(&pem).unwrap();
    let hash = match algorithm.hash().unwrap() {
        Hash::Sha384 => MessageDigest::sha384(),
        _ => MessageDigest::sha256(),
    };
    let mut signer = Signer::new(hash, &key).unwrap();
    if let SignatureAlgorithm::RsaPss { .. } = algorithm {
        signer.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
        signer
            .set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)
            .unwrap();
    }
    signer.sign_oneshot_to_vec(message).unwrap()
}

#[test]
fn openssl_verifies_what_is_built() {
    let folder = Folder::new();
    let ec = issue(&folder, "Ec", None, "P-384", SIGNS);
    let brainpool = issue(&folder, "Brainpool", None, "brainpoolP256r1", SIGNS);
    let rsa = rsa(&folder, "Rsa", "3072");
    let at = ec.validity().not_before;
    for (name, signer, algorithm, content_type) in [
        (
            "Ec",
            &ec,
            SignatureAlgorithm::Ecdsa(Hash::Sha384),
            LDS_SECURITY_OBJECT,
        ),
        (
            "Brainpool",
            &brainpool,
            SignatureAlgorithm::Ecdsa(Hash::Sha256),
            SECURITY_OBJECT,
        ),
        (
            "Rsa",
            &rsa,
            SignatureAlgorithm::rsa_pss(Hash::Sha256),
            CSCA_MASTER_LIST,
        ),
    ] {
        for (others, signing_time, naming) in [
            (&[][..], None, SignerNaming::IssuerAndSerial),
            (
                std::slice::from_ref(&ec),
                Some(at),
                SignerNaming::SubjectKey,
            ),
        ] {
            let message = Message {
                content_type,
                content: CONTENT,
                signer,
                others,
                naming,
                algorithm,
                signing_time,
            };
            let unsigned = message.prepare().unwrap();
            let signature = sign(&folder, name, algorithm, unsigned.to_be_signed());
            let der = unsigned.assemble(&signature).unwrap();
            folder.write("ours", &der);
            let pem = format!("{name}.pem");
            let said = openssl(
                &folder,
                &[
                    "cms", "-verify", "-inform", "DER", "-in", "ours", "-CAfile", &pem, "-purpose",
                    "any", "-out", "said",
                ],
            );
            assert!(said.contains("CMS Verification successful"), "{said}");
            assert_eq!(folder.read("said"), CONTENT);
            let read = SignedData::parse(&der).unwrap();
            assert_eq!(read.signers()[0].signing_time(), signing_time);
            assert_eq!(read.verify(&[]).unwrap()[0].certificate, signer);
            let file = unsigned.assemble_ef_sod(&signature).unwrap();
            assert_eq!(file[0], 0x77);
            assert_eq!(SignedData::parse_ef_sod(&file).unwrap(), read);
        }
    }
    let wrong = Message {
        content_type: SECURITY_OBJECT,
        content: CONTENT,
        signer: &ec,
        others: &[],
        naming: SignerNaming::default(),
        algorithm: SignatureAlgorithm::rsa_pss(Hash::Sha256),
        signing_time: None,
    };
    for algorithm in [wrong.algorithm, SignatureAlgorithm::Ecdsa(Hash::Sha1)] {
        let refused = Message { algorithm, ..wrong }.prepare();
        assert_eq!(refused, Err(BuildError::Algorithm(algorithm)));
    }
}

/// *BSI TR-03105-5* reference data set and *ETSI TR 103 200*.
#[test]
fn specimens_of_security_objects_verify() {
    for (file, signer) in [
        ("EF_SOD.bin", "dsc_de_0142fd5cf927.cer"),
        ("EF_SOD_etsi_tr103200.bin", "dsc_de_0130846f2b3e.cer"),
    ] {
        let sample = |name: &str| missing::sample(&format!("bsi_reference_dataset/{name}"));
        let (Some(sod), Some(signer)) = (sample(file), sample(signer)) else {
            return;
        };
        let read = SignedData::parse_ef_sod(&sod).unwrap();
        assert_eq!(read.content_type(), LDS_SECURITY_OBJECT);
        let signer = Certificate::parse(&signer).unwrap();
        assert_eq!(read.verify(&[]).unwrap()[0].certificate, &signer);
        let algorithm = read.signers()[0].signature_algorithm();
        assert_eq!(algorithm, SignatureAlgorithm::rsa_pss(Hash::Sha256));
        let other = SignedData::parse(&sod);
        assert!(matches!(other, Err(SignedDataError::Syntax(_))));
    }
}

/// The Dutch master list of December 2021.
#[test]
fn a_state_s_master_list_verifies() {
    let Some(list) = missing::sample("csca/NL_MASTERLIST_20211207.mls") else {
        return;
    };
    let read = SignedData::parse(&list).unwrap();
    assert_eq!(read.content_type(), CSCA_MASTER_LIST);
    let verified = read.verify(&[]).unwrap();
    let signer = verified[0].certificate;
    assert!(
        signer
            .subject()
            .to_string()
            .contains("Masterlist Signer NL")
    );
    let time = verified[0].info.signing_time().unwrap();
    assert_eq!(time.to_string(), "2021-12-07T11:26:15Z");
}

#[test]
fn cut_and_altered_messages_are_refused_or_not_verified() {
    let folder = Folder::new();
    issue(&folder, "Ec", None, "P-256", SIGNS);
    let der = signed(&folder, "Ec", &[]);
    for length in 0..der.len() {
        assert!(SignedData::parse(&der[..length]).is_err());
    }
    let more = [&der[..], &[0]].concat();
    assert!(SignedData::parse(&more).is_err());
    let whole = SignedData::parse(&der).unwrap();
    for place in 0..der.len() {
        let mut altered = der.clone();
        altered[place] ^= 0x55;
        if let Ok(read) = SignedData::parse(&altered)
            && read.verify(&[]).is_ok()
        {
            // What is not signed: versions, announced digests, a certificate's own signature.
            assert_eq!(read.content(), whole.content(), "byte {place}");
        }
    }
    assert!(matches!(
        SignedData::parse(&vec![0; super::MAX_SIGNED_DATA + 1]),
        Err(SignedDataError::TooLong { .. })
    ));
}

/// One fault a file; `tests/vectors/cms/make.py` makes them.
#[test]
fn every_fault_is_named() {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/cms");
    let read =
        |path: &Path| -> Value { serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap() };
    let bytes = |value: &Value| hex::decode(value.as_str().unwrap()).unwrap();
    let sound = read(&vectors.join("sound.json"));
    let message = SignedData::parse(&bytes(&sound["message"])).unwrap();
    message.verify(&[]).unwrap();
    MasterList::parse(&bytes(&sound["master_list"])).unwrap();
    let mut faults = 0;
    for entry in std::fs::read_dir(vectors.join("malformed")).unwrap() {
        let path = entry.unwrap().path();
        let row = read(&path);
        let der = bytes(&row["hex"]);
        let said = match row["kind"].as_str().unwrap() {
            "message" => SignedData::parse(&der).unwrap_err().to_string(),
            "master-list" => MasterList::parse(&der).unwrap_err().to_string(),
            other => panic!("{other}"),
        };
        let expected = row["error"].as_str().unwrap();
        assert!(said.contains(expected), "{}: {said}", path.display());
        faults += 1;
    }
    assert!(faults > 40, "{faults}");
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(SignedData::parse(&bytes).is_err());
        prop_assert!(SignedData::parse_ef_sod(&bytes).is_err());
    }
}
