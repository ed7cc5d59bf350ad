//! Travel documents: their files, and what their chips answer.

use super::cards::Scripted;

/// The first byte picks the file; what a data group's tag or DER says is read as that, too.
pub(crate) fn lds(bytes: &[u8]) {
    use mrtd::lds::{DataGroup, File, Group, Lds, LdsSecurityObject};
    let Some((&pick, content)) = bytes.split_first() else {
        return;
    };
    let files = File::all();
    let file = files[usize::from(pick) % files.len()];
    let read = mrtd::lds::deviations(file, content);
    if let Ok(group) = DataGroup::parse(content) {
        assert_eq!(group.bytes(), content, "a data group is all its bytes");
        let again = DataGroup::new(group.group(), group.content());
        assert!(
            again.is_ok_and(|again| again.bytes().len() <= content.len()),
            "a data group is written no longer than it was read"
        );
    }
    if let Ok(security) = LdsSecurityObject::parse(content) {
        let again = security
            .content
            .encode()
            .and_then(|der| LdsSecurityObject::parse(&der));
        assert!(
            again.is_ok_and(|again| again.content == security.content),
            "a security object survives its encoding"
        );
    }
    // A document with this file, under a security object that knows it not.
    let mut document = Lds::new();
    let sound = [(Group::Dg1, &b"one"[..]), (Group::Dg2, b"two")];
    let signed =
        LdsSecurityObject::new(mrtd::lds::LdsVersion::V1_8, cert::Hash::Sha256, sound).ok();
    if document.insert(file, content.to_vec()).is_ok() {
        let findings = document.check(signed.as_ref());
        assert!(!findings.is_empty(), "one file is no document");
        let malformed = |finding: &mrtd::lds::Finding| matches!(finding, mrtd::lds::Finding::Malformed(error) if error.file == file);
        assert_eq!(read.is_err(), findings.iter().any(malformed));
    }
}

pub(crate) fn iso19794(bytes: &[u8]) {
    biometric_block(bytes, mrtd::biometrics::BiometricEncoding::Iso19794);
}

pub(crate) fn iso39794(bytes: &[u8]) {
    biometric_block(bytes, mrtd::biometrics::BiometricEncoding::Iso39794);
}

/// The bytes as a data group, and as the block of a group that is otherwise sound.
fn biometric_block(bytes: &[u8], encoding: mrtd::biometrics::BiometricEncoding) {
    use mrtd::biometrics::{FaceGroup, FingerGroup, Modality, Template, Templates};
    let _ = FaceGroup::parse(bytes);
    let _ = FingerGroup::parse(bytes);
    let wrapped = |modality| {
        let template = Template {
            encoding,
            subtype: 9,
            block: bytes,
        };
        let templates = Templates {
            templates: vec![template],
            issuer_data: None,
        };
        let group = templates.encode(modality).expect("one template is allowed");
        let read = Templates::parse(modality, &group);
        assert!(
            bytes.len() > mrtd::biometrics::MAX_DATA_GROUP / 2 || read.as_ref() == Ok(&templates),
            "templates survive their encoding"
        );
        group
    };
    if let Ok(group) = FaceGroup::parse(&wrapped(Modality::Face)) {
        assert!(group.portrait().is_some(), "a face has a picture");
    }
    if let Ok(group) = FingerGroup::parse(&wrapped(Modality::Finger)) {
        assert!(!group.fingers.is_empty(), "a record has a finger");
    }
}

/// What a chip says it speaks, and the keys in it.
pub(crate) fn security_infos(bytes: &[u8]) {
    let _ = access::ActiveAuthenticationKey::from_spki_der(bytes);
    if let Ok(key) = access::AgreementKey::from_spki_der(bytes) {
        let again = key
            .to_spki_der()
            .and_then(|der| access::AgreementKey::from_spki_der(&der));
        assert!(
            again.is_ok_and(|again| again == key),
            "a key survives its encoding"
        );
    }
    let Ok(infos) = access::SecurityInfos::parse(bytes) else {
        return;
    };
    // A set that says the same twice has no encoding.
    if let Ok(der) = infos.to_der() {
        let again = access::SecurityInfos::parse(&der);
        assert!(
            again.is_ok_and(|again| again.contains_all(&infos) && infos.contains_all(&again)),
            "what a chip says survives its encoding"
        );
    }
    let _ = access::PaceChoice::best(&infos);
    for version in [1, 2] {
        let _ = access::ChipAuthenticationChoice::best(&infos, version);
    }
}

/// The first byte picks the cipher, and whether answers get a right MAC; the second is the length
/// of each.
pub(crate) fn secure_messaging(bytes: &[u8]) {
    use access::Cipher::{Aes128, Aes192, Aes256, TripleDes};
    let Some((&[first, length], answers)) = bytes.split_first_chunk() else {
        return;
    };
    let cipher = [TripleDes, Aes128, Aes192, Aes256][usize::from(first % 4)];
    let key = vec![0x41; cipher.key_length()];
    let keys = access::SessionKeys::new(cipher, &key, &key).expect("keys of their length");
    let mut session = access::SecureMessaging::new(keys);
    let command = card::Command::new(0x00, 0xB0 | first >> 6 & 1, 0, 0).with_le(200);
    let mut counter = 0u128;
    for answer in answers.chunks(usize::from(length).max(1)).take(32) {
        let wrapped = session.wrap(&command);
        assert_eq!(wrapped.is_err(), session.is_terminated());
        counter += 2;
        let genuine = first & 0x80 != 0;
        let mut data = answer.to_vec();
        if genuine {
            data.extend(response_mac(cipher, &key, counter, answer));
        }
        match session.unwrap(&card::Response::new(data, card::Status::OK)) {
            Ok(_) => assert!(genuine, "what has no right MAC never passes"),
            Err(_) => assert!(session.is_terminated(), "a failure ends the session"),
        }
    }
}

/// Returns the object 8E over these objects.
fn response_mac(cipher: access::Cipher, key: &[u8], counter: u128, objects: &[u8]) -> Vec<u8> {
    let key = card::cipher::Key::new(key).expect("a key of its length");
    let block = cipher.block_length();
    let mut message = counter.to_be_bytes()[16 - block..].to_vec();
    message.extend(objects);
    let mac = if cipher == access::Cipher::TripleDes {
        card::cipher::retail_mac(&key, &message).expect("a key of its length")
    } else {
        card::cipher::padding::pad(&mut message, block);
        *card::cipher::aes_cmac(&key, &message)
            .first_chunk()
            .expect("16 bytes")
    };
    [&[0x8E, 8], &mac[..]].concat()
}

/// Randomness that everybody knows.
struct Known;

impl access::Random for Known {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), access::CryptoError> {
        bytes.fill(7);
        Ok(())
    }
}

/// A chip's answers to a whole inspection. The first byte picks the protocol.
pub(crate) fn inspection(bytes: &[u8]) {
    let Some((&first, answers)) = bytes.split_first() else {
        return;
    };
    let limits = card::Limits {
        response: 65_536,
        extended: true,
        ..card::Limits::default()
    };
    let mut chip = Scripted(answers);
    let information = access::MrzInformation::new("L898902C<369080619406236");
    let information = information.expect("the information is sound");
    if first % 2 == 0 {
        let start = access::BasicAccess::start(&information, &mut Known).expect("it starts");
        assert!(
            access::converse(&mut chip, &limits, start).is_err(),
            "nobody proves keys that he does not have"
        );
    } else {
        // One PACEInfo of the mappings in turn, brainpoolP256r1.
        let mapping = [2, 4, 6][usize::from(first / 2 % 3)];
        let infos = [
            &[
                0x31, 0x14, 0x30, 0x12, 0x06, 0x0A, 4, 0, 0x7F, 0, 7, 2, 2, 4, mapping, 2,
            ][..],
            &[2, 1, 2, 2, 1, 13],
        ];
        let infos = access::SecurityInfos::parse(&infos.concat()).expect("the file is sound");
        let choice = access::PaceChoice::best(&infos).expect("it can be run");
        let password = access::Password::mrz(information);
        let start = access::Pace::start(&choice, &password, None, &mut Known).expect("it starts");
        let _ = access::converse(&mut chip, &limits, start);
    }
    let most = 50_000;
    for name in [access::FileName::Short(1), access::FileName::Identifier(2)] {
        if let Ok(file) = access::read_file(&mut chip, &limits, name, most) {
            assert!(file.len() <= most);
        }
        if let Ok(file) = access::read_start(&mut chip, &limits, name, 1000) {
            assert!(file.len() <= 1000);
        }
    }
}

/// Records of a kind, a length in two bytes and so many bytes: a file of a document, or somebody to
/// trust.
pub(crate) fn document_folder(bytes: &[u8]) {
    use mrtd::inspection::{CheckName, Files, Trust, Verdict, inspect};
    let all = mrtd::lds::File::all();
    let (mut lds, mut trust) = (mrtd::lds::Lds::new(), Trust::default());
    let mut rest = bytes;
    while let [kind, high, low, after @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(after.len());
        let (content, next) = after.split_at(length);
        match all.get(usize::from(*kind)) {
            Some(file) => drop(lds.insert(*file, content.to_vec())),
            None => drop(trust.add(content)),
        }
        rest = next;
    }
    let at = jiff::Timestamp::from_second(1_780_000_000).expect("a time of the calendar");
    let files = Files {
        lds: &lds,
        unread: &[],
    };
    let inspection = inspect(&files, &trust, at);
    assert!(inspection.checks.is_sorted_by_key(|check| check.name));
    for group in mrtd::lds::Group::ALL {
        let hash = inspection.check(CheckName::Hash(group));
        assert!(
            !inspection.vouches_for(group) || hash.is_some_and(|c| c.verdict == Verdict::Passed),
            "nobody vouches for another hash"
        );
    }
    if lds.get(mrtd::lds::File::Sod).is_none() {
        assert_ne!(inspection.verdict(), Verdict::Passed);
    }
    let _ = trust.judge_lists(at);
}
