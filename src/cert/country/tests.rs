//! Paths to country signing certificates, made by openssl.

use jiff::{SignedDuration, Timestamp};

use super::{CountryPathError, CountryQuestion, CountryRole, CountryVerifier, Revocation};
use crate::certificate::Certificate;
use crate::cms::SignedData;
use crate::crl::UnverifiedCrl;
use crate::missing;
use crate::path::PathError;
use crate::testing::{Folder, issue, reissue};

const CSCA: &str = "basicConstraints=critical,CA:TRUE,pathlen:0\n\
    keyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n";
const SIGNER: &str = "keyUsage=critical,digitalSignature\n";
/// 20000101000000Z to 20010101000000Z.
const OLD_KEY: &str =
    "2.5.29.16=DER:3022800f32303030303130313030303030305a810f32303031303130313030303030305a\n";
/// Version 0, "P" and "ID".
const TYPES: &str = "2.23.136.1.1.6.2=DER:300c0201003107130150130249 44\n";

fn question(at: Timestamp) -> CountryQuestion<'static> {
    CountryQuestion {
        role: CountryRole::DocumentSigner,
        at,
        signed_at: None,
        document_type: None,
    }
}

fn judge(
    signer: &Certificate,
    anchors: &[Certificate],
    links: &[Certificate],
    question: CountryQuestion<'_>,
) -> Result<usize, CountryPathError> {
    let verifier = CountryVerifier {
        anchors,
        links,
        lists: &[],
    };
    let judged = verifier.verify(signer, &question);
    // Whoever kept the path when the signer was new comes to the same judgement.
    for role in [CountryRole::DocumentSigner, CountryRole::MasterListSigner] {
        let early = CountryQuestion {
            role,
            ..self::question(signer.validity().not_before)
        };
        if let Ok(kept) = verifier.keep(signer, &early) {
            let again = kept.judge(&question);
            assert_eq!(again, judged.clone().map(drop));
        }
    }
    let path = judged?;
    assert_eq!(path.revocation, Revocation::Unknown);
    Ok(path.certificates.len())
}

#[test]
fn a_link_leads_from_the_old_key_to_the_new() {
    let folder = Folder::new();
    let old = [issue(&folder, "Csca", None, "P-256", CSCA)];
    for name in ["Csca.pem", "Csca.key"] {
        folder.write(&name.replace("Csca", "Old"), &folder.read(name));
    }
    let new = [issue(&folder, "Csca", None, "P-384", CSCA)];
    let signer = issue(&folder, "Signer", Some("Csca"), "P-256", SIGNER);
    let link = [reissue(&folder, "Csca", "Csca.key", Some("Old"), CSCA)];
    assert!(link[0].is_self_issued());
    let at = link[0].validity().not_before;
    assert_eq!(judge(&signer, &new, &[], question(at)), Ok(2));
    assert_eq!(judge(&signer, &old, &link, question(at)), Ok(3));
    // The old key alone did not sign it; a link by itself is nobody's.
    for (anchors, links) in [(&old[..], &[][..]), (&[][..], &link[..])] {
        assert!(matches!(
            judge(&signer, anchors, links, question(at)),
            Err(CountryPathError::Path(_))
        ));
    }
    let later = signer.validity().not_after + SignedDuration::from_secs(1);
    assert!(matches!(
        judge(&signer, &new, &[], question(later)),
        Err(CountryPathError::Path(PathError::Expired { .. }))
    ));
}

#[test]
fn a_signer_is_asked_for_its_role_its_key_s_time_and_the_document_s_type() {
    let folder = Folder::new();
    let csca = [issue(&folder, "Csca", None, "P-384", CSCA)];
    let make =
        |name: &str, extensions: &str| issue(&folder, name, Some("Csca"), "P-256", extensions);
    let list_signer = format!("{SIGNER}extendedKeyUsage=critical,2.23.136.1.1.3\n");
    let list_signer = make("Lists", &list_signer);
    let at = list_signer.validity().not_before;
    let masters = CountryQuestion {
        role: CountryRole::MasterListSigner,
        ..question(at)
    };
    assert_eq!(judge(&list_signer, &csca, &[], masters), Ok(2));
    let plain = make("Plain", SIGNER);
    let at = plain.validity().not_before;
    let masters = CountryQuestion { at, ..masters };
    for (signer, question) in [(&list_signer, question(at)), (&plain, masters)] {
        assert!(matches!(
            judge(signer, &csca, &[], question),
            Err(CountryPathError::Role { .. })
        ));
    }
    assert!(matches!(
        judge(&csca[0], &csca, &[], question(at)),
        Err(CountryPathError::Role { .. })
    ));
    let mute = make("Mute", "keyUsage=critical,nonRepudiation\n");
    assert!(matches!(
        judge(&mute, &csca, &[], question(mute.validity().not_before)),
        Err(CountryPathError::Role { .. })
    ));
    let past = make("Past", &format!("{SIGNER}{OLD_KEY}"));
    let at = past.validity().not_before;
    assert_eq!(judge(&past, &csca, &[], question(at)), Ok(2));
    let signed = |time: &str| CountryQuestion {
        signed_at: Some(time.parse().unwrap()),
        ..question(at)
    };
    assert_eq!(
        judge(&past, &csca, &[], signed("2000-06-01T00:00:00Z")),
        Ok(2)
    );
    for outside in ["1999-12-31T23:59:59Z", "2001-01-01T00:00:01Z"] {
        assert!(matches!(
            judge(&past, &csca, &[], signed(outside)),
            Err(CountryPathError::KeyUse { .. })
        ));
    }
    let typed = make("Typed", &format!("{SIGNER}{}", TYPES.replace(' ', "")));
    let at = typed.validity().not_before;
    for (document, is_fine) in [
        ("P", true),
        ("PN", true),
        ("ID", true),
        ("I", false),
        ("AR", false),
    ] {
        let asked = CountryQuestion {
            document_type: Some(document),
            ..question(at)
        };
        let judged = judge(&typed, &csca, &[], asked);
        let serial = typed.serial_hex();
        let expected = is_fine
            .then_some(2)
            .ok_or(CountryPathError::DocumentType { serial });
        assert_eq!(judged, expected, "{document}");
        let untyped = CountryQuestion {
            at: plain.validity().not_before.max(at),
            ..asked
        };
        assert_eq!(judge(&plain, &csca, &[], untyped), Ok(2));
    }
}

/// The signer of the Dutch master list, its CSCA beside it; and Colombia's revocation list under
/// the certificate that the master list has.
#[test]
fn states_signers_and_lists_verify() {
    let files = [
        "NL_MASTERLIST_20211207.mls",
        "CSCA_NL_serial6_2021.cer",
        "CSCA_CO_2020-05.crl",
    ];
    let mut read = files.map(|file| missing::sample(&format!("csca/{file}")));
    let [Some(list), Some(csca), Some(crl)] = read.each_mut().map(Option::take) else {
        return;
    };
    let message = SignedData::parse(&list).unwrap();
    let signers = message.verify(&[]).unwrap();
    let csca = [Certificate::parse(&csca).unwrap()];
    let signed_at = signers[0].info.signing_time();
    let asked = CountryQuestion {
        role: CountryRole::MasterListSigner,
        signed_at,
        ..question(signed_at.unwrap())
    };
    assert_eq!(judge(signers[0].certificate, &csca, &[], asked), Ok(2));

    let masters = crate::MasterList::of(&message).unwrap();
    let at: Timestamp = "2020-06-01T00:00:00Z".parse().unwrap();
    let verified = masters.certificates().iter().find_map(|issuer| {
        let list = UnverifiedCrl::parse(crl.clone()).unwrap();
        list.verify(issuer, at).ok()
    });
    let list = verified.unwrap();
    assert_eq!(list.len(), 15);
    let serial = hex::decode("55780b03").unwrap();
    assert!(list.find(&serial).is_some());
}
