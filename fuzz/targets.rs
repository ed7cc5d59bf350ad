// What each target does with its bytes. Included by the fuzzers and by the test that replays
// their corpora. A target passes unless it panics, hangs or eats memory.

/// What a target does with an input.
type Target = fn(&[u8]);

/// Every target with its name.
pub(crate) const TARGETS: &[(&str, Target)] = &[
    ("apdu", apdu),
    ("tlv", tlv),
    ("global_platform", global_platform),
    ("initialize_update", initialize_update),
    ("secured_response", secured_response),
    ("certificate", certificate),
    ("request", request),
    ("crl", crl),
    ("cvc", cvc),
    ("cms", cms),
    ("master_list", master_list),
    ("ocsp", ocsp),
    ("est", est),
    ("public_key", public_key),
    ("application", application),
    ("audit_entry", audit_entry),
    ("checkpoint", checkpoint),
    ("profile_release", profile_release),
    ("key_ceremony", key_ceremony),
    ("template", template),
    ("chip_profile", chip_profile),
    ("atr", atr),
    ("trace", trace),
    ("exchange", exchange),
    ("pin_pad", pin_pad),
    ("pjl", pjl),
    ("cmp_message", cmp_message),
    ("image", image),
    ("lds", lds),
    ("iso19794", iso19794),
    ("iso39794", iso39794),
    ("mrz", mrz),
    ("security_infos", security_infos),
    ("secure_messaging", secure_messaging),
    ("inspection", inspection),
    ("document_folder", document_folder),
    ("delivery", delivery),
];

fn apdu(bytes: &[u8]) {
    if let Ok(command) = card::Command::parse(bytes) {
        let again = command
            .encode()
            .and_then(|encoded| card::Command::parse(&encoded));
        assert!(
            again.is_ok_and(|again| again == command),
            "a command survives its encoding"
        );
    }
    if let Ok(response) = card::Response::parse(bytes) {
        assert_eq!(&response.encode()[..], bytes);
    }
}

fn tlv(bytes: &[u8]) {
    let _ = card::tlv::parse_all(bytes);
    let _ = card::tlv::find(
        bytes,
        &[
            card::tlv::Tag::known::<0x7F49>(),
            card::tlv::Tag::known::<0x86>(),
        ],
    );
}

fn global_platform(bytes: &[u8]) {
    let _ = card::gp::InitializeUpdate::parse(bytes);
    let _ = card::gp::Cplc::parse(bytes);
    let _ = card::gp::parse_key_information(bytes);
    let _ = card::gp::parse_status(bytes);
}

fn initialize_update(bytes: &[u8]) {
    let Ok(update) = card::gp::InitializeUpdate::parse(bytes) else {
        return;
    };
    let key = |byte| card::cipher::Key::new(&[byte; 16]).expect("16 bytes");
    let keys = card::gp::StaticKeys {
        enc: key(1),
        mac: key(2),
        dek: key(3),
    };
    let _ = update.verify_pseudo_random(&keys, &[0xA0, 0, 0, 1, 0x51]);
    let _ = card::gp::parse_card_data(bytes);
    for host in [[4; 8].into(), card::gp::HostChallenge::s16([4; 16])] {
        if let Ok(session) = update.session_keys(&keys, &host) {
            assert!(
                card::gp::Handshake::new(session, host, &update).is_err(),
                "nobody proves keys that he does not have"
            );
        }
    }
}

/// Protocol, "i", key length and level of the channels that responses are fuzzed in.
const CHANNELS: [(u8, u8, usize, u8); 9] = [
    (2, 0x15, 16, 0x03),
    (2, 0x75, 16, 0x11),
    (2, 0x35, 16, 0x13),
    (3, 0x10, 16, 0x01),
    (3, 0x30, 24, 0x11),
    (3, 0x30, 32, 0x13),
    (3, 0x70, 16, 0x33),
    (3, 0x71, 24, 0x33),
    (3, 0x61, 32, 0x13),
];

/// The first byte picks the channel, the second is the length of each response.
fn secured_response(bytes: &[u8]) {
    let Some((&[channel, length], responses)) = bytes.split_first_chunk() else {
        return;
    };
    let way = CHANNELS[usize::from(channel) % CHANNELS.len()];
    let mut secured = opened(way).expect("a channel opens with its own keys");
    let command = card::Command::new(0x80, 0xCA, 0x00, 0x66)
        .with_data([7; 20])
        .with_le(256);
    for response in responses.chunks(usize::from(length).max(1)).take(32) {
        let Ok(response) = card::Response::parse(response) else {
            return;
        };
        let wrapped = secured.wrap(&command);
        assert_eq!(wrapped.is_err(), secured.is_terminated());
        let status = response.status();
        match secured.unwrap(response) {
            Ok(answer) if secured.level().has_rmac() => assert!(
                answer.data().is_empty() && !status.is_ok() && !status.is_warning(),
                "what has no right MAC never passes"
            ),
            Ok(_) => {}
            Err(_) => assert!(secured.is_terminated(), "a failure closes the channel"),
        }
    }
}

fn opened(
    (protocol, i, length, level): (u8, u8, usize, u8),
) -> Result<card::gp::Secured, Box<dyn std::error::Error>> {
    use card::gp::{ChannelMode, ChannelOptions, Handshake, HostChallenge, InitializeUpdate};
    let mode = ChannelOptions::new(protocol, i)?.mode();
    let key = card::cipher::Key::new(&vec![0x41; length])?;
    let keys = card::gp::StaticKeys {
        enc: key.clone(),
        mac: key.clone(),
        dek: key,
    };
    let host = HostChallenge::try_from(&[5; 16][..mode.host_challenge_length()])?;
    // The challenge with its counter is as long as the host's in each mode.
    let challenge = host.as_bytes().to_vec();
    let answer = |cryptogram: &[u8]| {
        let mut answer = vec![0; 10];
        answer.extend([1, protocol]);
        answer.extend((protocol == 3).then_some(i));
        answer.extend(&challenge);
        answer.extend(cryptogram);
        if protocol == 3 && i & 0x10 != 0 {
            answer.extend([0, 0, 1]);
        }
        InitializeUpdate::parse(&answer)
    };
    let session = answer(&vec![0; challenge.len()])?.session_keys(&keys, &host)?;
    let context = [host.as_bytes(), &challenge].concat();
    let cryptogram = if mode == ChannelMode::Scp02 {
        let padded = [&context[..], &[0x80, 0, 0, 0, 0, 0, 0, 0]].concat();
        card::cipher::des3_cbc_encrypt(&session.enc, &padded)?[16..].to_vec()
    } else {
        let bits = if challenge.len() == 8 { 64 } else { 128 };
        card::gp::kdf(&session.mac, 0x00, &context, bits)?.to_vec()
    };
    let update = answer(&cryptogram)?.with_i(i)?;
    let (_, opening) = Handshake::new(session, host, &update)?
        .external_authenticate(card::gp::SecurityLevel::new(level)?)?;
    Ok(opening.assume_accepted())
}

fn certificate(bytes: &[u8]) {
    if let Ok(certificate) = cert::Certificate::parse(bytes) {
        let _ = certificate.verify_signature(certificate.public_key());
    }
}

fn request(bytes: &[u8]) {
    let strict = cert::request::Request::parse_and_verify(bytes);
    let lax = cert::request::Request::parse_and_verify_allowing_sha1(bytes);
    assert!(
        strict.is_err() || strict == lax,
        "what is accepted without SHA-1 is accepted with it"
    );
}

fn crl(bytes: &[u8]) {
    let _ = cert::UnverifiedCrl::parse(bytes.to_vec());
}

fn cvc(bytes: &[u8]) {
    use cert::cvc::{CvCertificate, CvContent, CvRequest, EfCvca, Holder, Strength};
    if let Ok(certificate) = CvCertificate::parse(bytes) {
        let content = CvContent {
            issuer: certificate.issuer().clone(),
            holder: certificate.holder().clone(),
            public_key: certificate.public_key().clone(),
            chat: certificate.chat().clone(),
            effective: certificate.effective(),
            expiration: certificate.expiration(),
            extensions: certificate.extensions().to_vec(),
        };
        assert!(
            content.body().is_ok_and(|body| body == certificate.body()),
            "there is one spelling of a certificate"
        );
        let _ = Holder::of_root(certificate, Strength::Legacy);
    }
    if let Ok(request) = CvRequest::parse(bytes) {
        let _ = request.verify(Strength::Legacy);
    }
    if let Ok(file) = EfCvca::parse(bytes) {
        assert!(
            EfCvca::parse(&file.to_bytes()).is_ok_and(|again| again == file),
            "a file of references survives its encoding"
        );
    }
}

/// A signed message as it comes in a file, and as it lies on a chip.
fn cms(bytes: &[u8]) {
    use cert::cms::SignedData;
    for read in [SignedData::parse(bytes), SignedData::parse_ef_sod(bytes)] {
        let Ok(message) = read else {
            continue;
        };
        let strict = message.verify(&[]);
        assert!(
            strict.is_err() || strict == message.verify_allowing_sha1(&[]),
            "what is accepted without SHA-1 is accepted with it"
        );
    }
}

fn master_list(bytes: &[u8]) {
    if let Ok(list) = cert::MasterList::parse(bytes)
        && list.unread().is_empty()
    {
        let again = cert::MasterList::encode(list.certificates())
            .and_then(|der| cert::MasterList::parse(&der));
        assert!(again.is_ok_and(|again| {
            let mut certificates = again.certificates().iter();
            certificates.all(|one| list.certificates().contains(one))
        }));
    }
}

fn ocsp(bytes: &[u8]) {
    if let Ok(request) = cert::ocsp::OcspRequest::parse(bytes) {
        let again = request
            .to_der()
            .and_then(|der| cert::ocsp::OcspRequest::parse(&der));
        assert!(
            again.is_ok_and(|again| again == request),
            "what is asked survives its encoding"
        );
    }
    let _ = cert::ocsp::OcspResponse::parse(bytes);
}

/// An EST server's answer, and the operator's file about it.
fn est(bytes: &[u8]) {
    if let Ok(certificates) = cert::certs_only(bytes) {
        assert!(!certificates.is_empty(), "no message without a certificate");
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = pki::EstConfig::parse(text);
    }
}

fn public_key(bytes: &[u8]) {
    if let Ok(key) = cert::PublicKey::from_spki_der(bytes) {
        let again = key
            .to_spki_der()
            .and_then(|der| cert::PublicKey::from_spki_der(&der));
        assert!(
            again.is_ok_and(|again| again == key),
            "a key survives its encoding"
        );
        let _ = key.key_identifier();
        if let Some(algorithm) = key.algorithm() {
            let _ = key.verify(algorithm.signature_algorithm(), b"message", bytes);
        }
    }
    let (modulus, exponent) = bytes.split_at(bytes.len().saturating_sub(3));
    let _ = cert::PublicKey::from_rsa(modulus, exponent);
    for curve in cert::Curve::ALL {
        let _ = cert::PublicKey::from_point(curve, bytes);
        if let Ok(signature) = cert::EcdsaSignature::from_der(curve, bytes) {
            assert!(
                signature.to_der().is_ok_and(|again| again == bytes),
                "there is one DER spelling of a signature"
            );
        }
    }
}

fn application(bytes: &[u8]) {
    let today = jiff::civil::date(2026, 11, 22);
    if let Err(faults) = document::Application::parse(bytes, today) {
        assert!(!faults.is_empty(), "a refusal says why");
    }
}

fn audit_entry(bytes: &[u8]) {
    if let Ok(entry) = audit::Entry::decode(bytes) {
        assert!(
            entry.encode().is_ok_and(|again| again == bytes),
            "there is one spelling of an entry"
        );
    }
}

fn checkpoint(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let _ = audit::SignedNote::parse(bytes);
    let _ = audit::Checkpoint::parse(text);
    let _ = text.parse::<audit::VerifierKey>();
}

fn profile_release(bytes: &[u8]) {
    if let Ok(release) = profile::Release::parse(bytes) {
        assert_eq!(
            release.to_string().as_bytes(),
            bytes,
            "there is one spelling of a release"
        );
        assert!(release.verify(&profile::Releasers::default()).is_err());
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(releasers) = profile::Releasers::parse(text) {
        let keys = releasers.keys().iter().map(|key| format!("{key}\n"));
        let again = profile::Releasers::parse(&keys.collect::<String>());
        assert!(
            again.is_ok_and(|again| again == releasers),
            "a list of releasers survives its text"
        );
    }
}

/// What people type and what lies on disks: shares, components, protocol entries, backups.
fn key_ceremony(bytes: &[u8]) {
    if let Ok(entry) = hsm::SignedEntry::parse(bytes) {
        assert_eq!(
            entry.to_string().as_bytes(),
            bytes,
            "there is one spelling of an entry"
        );
        assert!(entry.verify(&[]).is_err());
    }
    if let Ok(backup) = hsm::Backup::parse(bytes) {
        assert_eq!(backup.to_bytes(), bytes);
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let _ = hsm::parse_component(text);
    let _ = hsm::KeyBlock::parse(text);
    let mut shares = Vec::new();
    for line in text.lines().take(20) {
        if let Ok(share) = hsm::KeyShare::parse(line) {
            let again = hsm::KeyShare::parse(&share.text());
            assert!(
                again.is_ok_and(|again| again == share),
                "a share survives its text"
            );
            shares.push(share);
        }
    }
    let _ = hsm::join_key(&shares);
}

fn template(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(template) = profile::Template::parse(text)
    {
        let _ = template.render(&profile::Variables::default());
    }
}

fn chip_profile(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    // Chip and document may stand in one input, one behind the other; a child finds its parent.
    let (chip, document) = text.split_once(NEXT_PROFILE).unwrap_or((text, text));
    let mut shelf = profile::Shelf::default();
    shelf.put("minimal", MINIMAL_CHIP);
    shelf.put("fuzzed", chip);
    let mut documents = profile::Shelf::default();
    documents.put("minimal", MINIMAL_DOCUMENT);
    documents.put("fuzzed", document);
    let chip = profile::ChipProfile::load(&shelf, "fuzzed");
    let document = profile::DocumentProfile::load(&documents, "fuzzed");
    for error in [chip.as_ref().err(), document.as_ref().err()]
        .into_iter()
        .flatten()
    {
        if let profile::ProfileError::Invalid { place, fault, hint } = error {
            assert!(place.line > 0 && place.column > 0, "{error} has a place");
            assert!(
                !fault.is_empty() && !hint.is_empty(),
                "{error} says what to do"
            );
        }
    }
    let (Ok(chip), Ok(document)) = (chip, document) else {
        return;
    };
    let _ = document.check_products(&shelf);
    let record: document::Record = serde_json::from_str(RECORD).expect("the record is sound");
    let chip = std::sync::Arc::new(chip);
    for wanted in &document.chips {
        let Ok(plan) = profile::Plan::new(chip.clone(), &document.name, wanted, &record) else {
            continue;
        };
        render(&plan, &profile::variables(&record));
    }
}

/// Spells what a plan writes and reads: within the limits, or not at all.
fn render(plan: &profile::Plan, known: &profile::Variables) {
    let limits = plan.chip.limits;
    let renderer = profile::Renderer::new(&plan.chip, &limits, None);
    let most = if limits.chaining {
        profile::MAX_CONTENT
    } else {
        limits.command
    };
    for step in plan.stages.iter().flat_map(|stage| &stage.steps) {
        let Some(object) = plan.chip.object(step.verb.object(), &step.object) else {
            continue;
        };
        let content = profile::content(&plan.chip, object, known).unwrap_or_default();
        // A content of a page is enough for every turn of a chunk.
        let content = &content[..content.len().min(4096)];
        let written = match object.detail.content() {
            Some(_) => renderer.write(object, content, known),
            None => Ok(Vec::new()),
        };
        for rendered in written.unwrap_or_default() {
            assert!(
                rendered.command.data().len() <= most,
                "no command is past the limits"
            );
        }
    }
}

/// What stands between a chip profile and a document profile in one input.
const NEXT_PROFILE: &str = "\n=== document ===\n";

const MINIMAL_CHIP: &str = include_str!("../tests/profiles/chips/minimal.toml");
const MINIMAL_DOCUMENT: &str = include_str!("../tests/profiles/faults/documents/minimal.toml");

/// An invented holder.
const RECORD: &str = r#"{"number":"XA0000001","kind":"id-card","issued":"2026-03-02","expires":"2028-03-01","holder":{"surname":"Izdomāta","given_names":"Anna","personal_code":"321990-12347","birth_date":"1990-03-02","sex":"F","nationality":"LVA"},"certificates":true,"prepared":{"dg1":"615B"}}"#;

fn atr(bytes: &[u8]) {
    if let Ok(atr) = card::atr::Atr::parse(bytes) {
        let _ = (atr.objects(), atr.capabilities(), atr.contactless());
        let _ = (atr.specific_mode(), atr.block_size());
        assert!(!atr.protocols().is_empty(), "a card speaks something");
    }
}

fn trace(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(trace) = text.parse::<card::trace::Trace>()
    {
        let written = trace.to_string();
        let again = written.parse::<card::trace::Trace>();
        assert!(
            again.is_ok_and(|again| again.to_string() == written),
            "a trace survives its text"
        );
    }
    let mut veil = card::trace::Veil::default();
    assert_eq!(veil.command(bytes).len(), bytes.len());
    assert_eq!(veil.response(bytes, bytes).len(), bytes.len());
}

/// A card that answers what the fuzzer says: each answer is a length and so many bytes.
struct Scripted<'a>(&'a [u8]);

impl card::Channel for Scripted<'_> {
    fn transmit(&mut self, _: &[u8]) -> Result<Vec<u8>, card::ChannelError> {
        let (&length, rest) = self.0.split_first().ok_or(card::ChannelError::Removed)?;
        let (answer, rest) = rest.split_at(rest.len().min(length.into()));
        self.0 = rest;
        Ok(answer.to_vec())
    }

    fn atr(&self) -> &[u8] {
        &[]
    }

    fn reset(&mut self) -> Result<Vec<u8>, card::ChannelError> {
        Ok(Vec::new())
    }
}

fn exchange(bytes: &[u8]) {
    let limits = card::Limits {
        chaining: true,
        total: 1000,
        ..card::Limits::default()
    };
    let command = card::Command::new(0, 0xDB, 0x3F, 0xFF)
        .with_data([0; 600])
        .with_le(256);
    if let Ok(response) = card::exchange(&mut Scripted(bytes), &command, &limits) {
        assert!(response.data().len() <= limits.total);
    }
}

fn pin_pad(bytes: &[u8]) {
    if let Ok(features) = reader::Features::parse(bytes) {
        assert!(bytes.len() >= 6 || features == reader::Features::default());
    }
    let _ = reader::Properties::parse(bytes);
}

fn pjl(bytes: &[u8]) {
    // In whatever pieces it comes, it says the same.
    let whole = print::Ear::default().hear(bytes);
    let mut ear = print::Ear::default();
    let pieces: Result<Vec<_>, _> = bytes.chunks(7).map(|piece| ear.hear(piece)).collect();
    assert_eq!(whole, pieces.map(|said| said.concat()));
}

fn cmp_message(bytes: &[u8]) {
    let Ok(message) = pki::CmpMessage::parse(bytes) else {
        return;
    };
    let again = message.to_der().expect("what was read is written");
    assert!(
        pki::CmpMessage::parse(&again).is_ok_and(|read| read.to_der().ok() == Some(again)),
        "a message survives its encoding"
    );
}

/// Each format's headers, with limits that refuse nothing.
fn image(bytes: &[u8]) {
    let any = document::ImageLimits {
        formats: document::MediaType::ALL,
        bytes: 1 << 20,
        least: (1, 1),
        greatest: (u16::MAX, u16::MAX),
        upright: false,
    };
    if let Ok(image) = document::Image::recognise(bytes.to_vec(), any) {
        assert_eq!(image.bytes(), bytes, "a picture is kept as it came");
    }
}

/// The first byte picks the file; what a data group's tag or DER says is read as that, too.
fn lds(bytes: &[u8]) {
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

fn iso19794(bytes: &[u8]) {
    biometric_block(bytes, mrtd::biometrics::BiometricEncoding::Iso19794);
}

fn iso39794(bytes: &[u8]) {
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

fn mrz(bytes: &[u8]) {
    use document::mrz::{Mrz, MrzInformation, Names, Parts, UnusedCheck};
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    for &language in document::Language::ALL {
        let writing = document::Transliteration::LATVIAN.with_language(language);
        let _ = Names::primary_only(text, writing).and_then(|n| n.with_secondary(text, writing));
    }
    let Ok(zone) = Mrz::read(text) else {
        return;
    };
    let again = Mrz::read(&zone.to_string());
    assert_eq!(again.as_ref(), Ok(&zone), "a zone survives its lines");
    let _ = (zone.checks(), zone.names(), zone.mrz_information());
    if !zone.faults().is_empty() {
        return;
    }
    let (Some(birth_date), Some(sex), Some(expiry_date)) =
        (zone.birth_date(), zone.sex(), zone.expiry_date())
    else {
        panic!("a sound zone has dates and a sex");
    };
    let parts = Parts {
        format: zone.format(),
        code: zone.document_code(),
        issuer: zone.issuer(),
        names: &zone.names(),
        number: &zone.document_number(),
        nationality: zone.nationality_code(),
        birth_date,
        sex,
        expiry_date,
        optional_data: zone.optional_data(),
        second_optional_data: zone.second_optional_data(),
        unused_check: match zone.field(document::mrz::Field::OptionalDataCheck) {
            "0" => UnusedCheck::Zero,
            _ => UnusedCheck::Filler,
        },
    };
    assert_eq!(
        Mrz::build(&parts).as_ref(),
        Ok(&zone),
        "a sound zone is built again"
    );
    let typed = MrzInformation::of(parts.number, birth_date, expiry_date);
    assert_eq!(typed, Ok(zone.mrz_information()));
}

/// What a chip says it speaks, and the keys in it.
fn security_infos(bytes: &[u8]) {
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
fn secure_messaging(bytes: &[u8]) {
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
fn inspection(bytes: &[u8]) {
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

fn delivery(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(delivery) = document::Delivery::parse(text) {
        assert!(delivery.blanks.len() < text.lines().count());
        let most = document::DeliveredBlank::MAX_CHIPS;
        assert!(
            delivery
                .blanks
                .iter()
                .all(|blank| blank.chips.len() <= most)
        );
    }
}

/// Records of a kind, a length in two bytes and so many bytes: a file of a document, or somebody to
/// trust.
fn document_folder(bytes: &[u8]) {
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
