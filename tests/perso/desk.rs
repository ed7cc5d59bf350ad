//! For tests: a desk with a virtual chip and a centre of its own. The authority is openssl's,
//! so that our encodings have another judge.

use std::collections::BTreeMap;
use std::sync::Arc;

use card::cipher::Key;
use card::gp::{
    self, Dek, Diversification, Handshake, HostChallenge, InitializeUpdate, NewKeyType, Secured,
    SessionKeys, StaticKeys,
};
use card::{Channel, Limits, Response, exchange};
use document::Application;
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::{X509, X509Builder, X509NameBuilder, X509Req};
use profile::{
    Applied, ChipProfile, Dialect, DocumentChip, DocumentLds, DocumentProfile, KeySource,
    ObjectKind, PinValues, Plan, Position, Protocol, Rendered, Renderer, Shelf, Value, Variables,
    Verb,
};
use vcard::{
    Chip, ChipNumber, Fault as ChipFault, InProcess, Memory, Product, Scp, TransportMasterKey,
};
use zeroize::Zeroizing;

use crate::{
    Action, Assignment, Event, Executor, Grant, JournalEntry, Opening, Outcome, Past, Refusal,
    Request,
};

/// The shipped chip profile of the Latvian eID.
pub(crate) const LATEID: &str = include_str!("../../firmware-profiles/chips/lateid-v2.toml");

macro_rules! shipped {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../firmware-profiles/", $name, ".toml")))),*]
    };
}

/// Every shipped profile, by kind and name.
const SHIPPED: &[(&str, &str)] = shipped![
    "chips/lateid-v2" "chips/isoapplet-v0" "chips/isoapplet-v1" "chips/piv" "chips/mrtd-applet"
    "chips/icao-lds" "documents/eid-card" "documents/isoapplet-card" "documents/piv-card"
    "documents/travel-chip" "documents/passport"
];

/// Returns the shipped profiles of a kind, `chips` or `documents`.
pub(crate) fn shelf(kind: &str) -> Shelf {
    let mut shelf = Shelf::default();
    for (path, text) in SHIPPED {
        if let Some((found, name)) = path.split_once('/')
            && found == kind
        {
            shelf.put(name, *text);
        }
    }
    shelf
}

const MAKER: [u8; 16] = *b"maker's transpor";
const ISSUER: [u8; 16] = *b"issuer's master!";
/// The PINs that the desk gives: long where the chip takes that, so that a search finds nothing
/// by chance.
pub(crate) const PINS: [(&str, &[u8]); 3] = [
    ("pin1", b"740918253664"),
    ("pin2", b"918273645091"),
    ("puk", b"605948372615"),
];

/// Session keys, from static ones.
trait Session {
    fn session(&self, update: &InitializeUpdate, host: &HostChallenge) -> SessionKeys;
}

impl Session for StaticKeys {
    fn session(&self, update: &InitializeUpdate, host: &HostChallenge) -> SessionKeys {
        update.session_keys(self, host).unwrap()
    }
}

/// What the desk does wrong on purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mistake {
    #[default]
    None,
    /// Session keys from another transport key.
    WrongKeys,
    /// The chip is of no delivery.
    NotInTheBooks,
    /// A refusal of everything that puts keys or PINs on the chip.
    NoKeys,
    /// A certificate for another key.
    OtherKey,
    /// Bytes that are no certificate.
    NoCertificate,
    /// A refusal instead of a certificate.
    NoAuthority,
    /// The files of a travel chip without its security object.
    NoSod,
}

/// A desk: keys, an authority, and what a run left.
pub(crate) struct Desk {
    pub(crate) plan: Plan,
    pub(crate) record: document::Record,
    /// What its travel chip holds.
    pub(crate) lds: Option<DocumentLds>,
    authority: PKey<Private>,
    pub(crate) journal: Vec<JournalEntry>,
    /// How much of it the centre has, since it was asked for something made of a chip's keys.
    pub(crate) told: usize,
    pub(crate) commands: usize,
    pub(crate) bytes: usize,
    pub(crate) limits: Limits,
    sealed: Option<Secured>,
    pub(crate) mistake: Mistake,
    /// Whether the run is called off when it asks for keys.
    pub(crate) calls_off_at_keys: bool,
    /// The certificates that were issued, by public key: one key has one.
    issued: BTreeMap<Vec<u8>, Vec<u8>>,
    /// What an earlier run wrote down, which this one goes on with.
    pub(crate) past: Past,
    challenges: u64,
}

fn key_pair() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::SECP384R1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

impl Desk {
    /// Makes a desk for a holder born in `year`.
    pub(crate) fn new(year: i16) -> Self {
        Self::with_profile(year, LATEID)
    }

    /// Makes a desk whose chip profile is this text.
    pub(crate) fn with_profile(year: i16, profile: &str) -> Self {
        let mut chips = shelf("chips");
        chips.put("lateid-v2", profile);
        Self::with(year, &chips, "lateid-v2", "eid-card")
    }

    /// Makes a desk for a shipped chip and document.
    pub(crate) fn of(chip: &str, document: &str) -> Self {
        Self::with(1990, &shelf("chips"), chip, document)
    }

    /// Makes a desk for a shipped chip whose profile says `to` instead of `from`.
    pub(crate) fn altered(chip: &str, document: &str, from: &str, to: &str) -> Self {
        let mut chips = shelf("chips");
        let path = format!("chips/{chip}");
        let text = SHIPPED.iter().find(|(known, _)| *known == path).unwrap().1;
        assert!(text.contains(from), "{from}");
        chips.put(chip, text.replacen(from, to, 1));
        Self::with(1990, &chips, chip, document)
    }

    /// Makes a desk for a passport of a holder born in `year`, with what an application brought.
    pub(crate) fn travel(year: i16, chips: &Shelf, application: &Application) -> Self {
        Self::made(year, chips, "icao-lds", "passport", |record, wanted| {
            record.kind = document::Kind::Passport;
            let lds = wanted.lds.as_ref().unwrap();
            let applied = Applied {
                portrait: &application.portrait,
                fingerprints: &application.fingerprints,
                signature: application.signature.as_ref(),
                trust_point: Some(&crate::travel::trust_point()),
                random: &[0x5A; 16],
            };
            record.prepared = lds.prepare(record, &applied).unwrap();
        })
    }

    /// Makes a desk for a holder born in `year`, whose chip's profile is among `chips`.
    pub(crate) fn with(year: i16, chips: &Shelf, chip: &str, document: &str) -> Self {
        Self::made(year, chips, chip, document, |_, _| {})
    }

    fn made(
        year: i16,
        chips: &Shelf,
        chip: &str,
        document: &str,
        prepare: impl FnOnce(&mut document::Record, &DocumentChip),
    ) -> Self {
        let chip = ChipProfile::load(chips, chip).unwrap_or_else(|error| panic!("{error}"));
        let mut documents = shelf("documents");
        let of_tests = include_str!("../travel/documents/icao-chip.toml");
        documents.put("icao-chip", of_tests);
        let document =
            DocumentProfile::load(&documents, document).unwrap_or_else(|error| panic!("{error}"));
        let json = format!(
            r#"{{"number":"XA0000001","kind":"id-card","issued":"2026-03-02","expires":"2028-03-01","holder":{{"surname":"Izdomāta","given_names":"Anna","personal_code":"32{year:04}-12347","birth_date":"{year}-03-02","sex":"F","nationality":"LVA"}},"certificates":true,"prepared":{{"dg1":"615B5F1F58","dg2":"{}","sod":"7703020100"}}}}"#,
            "75".repeat(3000)
        );
        let mut record: document::Record = serde_json::from_str(&json).unwrap();
        let limits = chip.limits;
        // Whatever chip the desk is for.
        let mut wanted = document.chips[0].clone();
        wanted.products.push(chip.name.clone());
        prepare(&mut record, &wanted);
        let plan = Plan::new(Arc::new(chip), &document.name, &wanted, &record)
            .unwrap_or_else(|error| panic!("{error}"));
        Self {
            plan,
            record,
            lds: wanted.lds,
            authority: key_pair(),
            journal: Vec::new(),
            told: 0,
            commands: 0,
            bytes: 0,
            limits,
            sealed: None,
            mistake: Mistake::None,
            calls_off_at_keys: false,
            issued: BTreeMap::new(),
            past: Past::default(),
            challenges: 0,
        }
    }

    /// Goes on to give the finished eID new PINs.
    pub(crate) fn renew_pins(&mut self) {
        let document = DocumentProfile::load(&shelf("documents"), "eid-card").unwrap();
        let mut wanted = document.chips[0].clone();
        wanted.products.push(self.plan.chip.name.clone());
        let (purpose, chip) = (document::Purpose::NewPins, Arc::clone(&self.plan.chip));
        self.plan = Plan::of(purpose, chip, &document.name, &wanted, &self.record).unwrap();
    }

    /// The record of the document.
    pub(crate) fn record(&self) -> &document::Record {
        &self.record
    }

    /// Makes a blank chip of the right product.
    pub(crate) fn blank() -> Chip {
        Self::blank_of("lateid-v2")
    }

    /// Makes a blank chip of a product.
    pub(crate) fn blank_of(product: &str) -> Chip {
        let product = Product::find(product).unwrap();
        Self::blank_speaking(product.scp, product)
    }

    /// Makes a blank chip of a batch that speaks another secure channel.
    pub(crate) fn blank_speaking(scp: Scp, product: &'static Product) -> Chip {
        Chip::blank_speaking(
            scp,
            product,
            ChipNumber::random().unwrap(),
            &TransportMasterKey::new(MAKER),
            Memory,
        )
        .unwrap()
    }

    /// Personalizes a chip that meets `faults`; gives it back.
    pub(crate) fn run(&mut self, chip: Chip, faults: Vec<ChipFault>) -> (Outcome, Chip) {
        let mut channel = InProcess::with_faults(chip, faults);
        let outcome = self.drive(&mut channel);
        (outcome, channel.into_chip())
    }

    /// Personalizes the chip in a channel.
    pub(crate) fn drive(&mut self, channel: &mut dyn Channel) -> Outcome {
        let subjects = self
            .plan
            .keys
            .iter()
            .map(|(key, _)| (key.clone(), subject()))
            .collect();
        let limits = self.limits;
        let assignment = Assignment {
            variables: profile::variables(&self.record),
            subjects,
            limits,
            blank: None,
        };
        let random = Box::new(|bytes: &mut [u8]| openssl::rand::rand_bytes(bytes).unwrap());
        let mut executor = match Executor::new(self.plan.clone(), assignment, channel.atr(), random)
        {
            Ok(executor) => executor.resuming(self.past.clone()),
            Err(fault) => {
                return Outcome {
                    fault: Some(fault),
                    ..Outcome::default()
                };
            }
        };
        // What the centre was asked and has not answered yet: it is slow on purpose.
        let mut open: Vec<(u32, Request)> = Vec::new();
        loop {
            match executor.next_action() {
                Action::Transmit(command) => {
                    self.commands += 1;
                    self.bytes += command.encode().unwrap().len();
                    executor.handle(match exchange(channel, &command, &limits) {
                        Ok(response) => {
                            self.bytes += response.data().len() + 2;
                            Event::Answer(response)
                        }
                        Err(error) => Event::Gone(error),
                    });
                }
                Action::Journal(entry) => {
                    self.journal.push(entry);
                    executor.handle(Event::Journaled);
                }
                Action::Inspect(written) => {
                    let at = "2026-03-02T08:00:00Z".parse().unwrap();
                    executor.handle(Event::Inspected(written.inspect(channel, &limits, at)));
                }
                Action::Ask(id, request) => {
                    if let Request::Certify { .. } | Request::SignLds { .. } = request {
                        self.told = self.journal.len();
                    }
                    if self.calls_off_at_keys && matches!(request, Request::PutKeys { .. }) {
                        executor.call_off();
                    }
                    open.push((id, request));
                }
                Action::Wait => {
                    let is_of_key =
                        |(_, asked): &(_, Request)| matches!(asked, Request::Certify { .. });
                    assert_eq!(executor.awaits_certificate(), open.iter().any(is_of_key));
                    let chip = executor.chip().unwrap_or_default().to_owned();
                    let (id, request) = open.remove(0);
                    executor.handle(match self.answer(&chip, request) {
                        Some(grant) => Event::Given(id, grant),
                        None => Event::Refused(
                            id,
                            Refusal::Other("the authority does not answer".into()),
                        ),
                    });
                }
                Action::Finished(outcome) => return outcome,
            }
        }
    }

    /// The key of a chip that is opened by challenge.
    fn single_key(&self, key_set: &str, chip: &str) -> Zeroizing<Vec<u8>> {
        match &self.plan.chip.channel.keys[key_set].source {
            KeySource::Known(key) => key.clone(),
            KeySource::Diversified(_) => {
                let master = Key::new(&ISSUER).unwrap();
                let context = hex::decode(chip).unwrap();
                let key = gp::diversify_one(Diversification::Kdf3, &master, &context).unwrap();
                Zeroizing::new(key.as_bytes().to_vec())
            }
        }
    }

    fn static_keys(&self, key_set: &str, diversification: &[u8; 10]) -> StaticKeys {
        let master = match (key_set, self.mistake) {
            (_, Mistake::WrongKeys) => *b"some other key!!",
            (name, _) if self.plan.chip.channel.is_makers(name) => MAKER,
            _ => ISSUER,
        };
        let KeySource::Diversified(how) = &self.plan.chip.channel.keys[key_set].source else {
            panic!("key set {key_set} is known to the world");
        };
        let master = Key::new(&master).unwrap();
        how.keys(&master, diversification).unwrap()
    }

    fn update(&self, opening: &Opening) -> (InitializeUpdate, HostChallenge) {
        let answer = &opening.answers[Opening::INITIALIZE_UPDATE];
        let host = HostChallenge::try_from(&opening.host_challenge[..]).unwrap();
        let mut update = InitializeUpdate::parse(answer).unwrap();
        if let Protocol::Scp02 { i, .. } = *self.plan.chip.channel.protocol(&opening.key_set) {
            update = update.with_i(i).unwrap();
        }
        (update, host)
    }

    fn session(&self, opening: &Opening) -> SessionKeys {
        let (update, host) = self.update(opening);
        self.static_keys(&opening.key_set, update.diversification())
            .session(&update, &host)
    }

    fn proof(&self, chip: &str, opening: &Opening) -> Grant {
        let set = &self.plan.chip.channel.keys[&opening.key_set];
        let challenge = set.protocol.challenge().unwrap();
        let mut known = Variables::default();
        for (name, value) in &opening.answers {
            known.set(name.clone(), Value::bytes(value.as_slice()));
        }
        known.set("channel.host", Value::bytes(&opening.host_challenge[..]));
        let key = self.single_key(&opening.key_set, chip);
        known.set("channel.key", Value::Bytes(key));
        let answer = challenge.answer.as_ref();
        Grant::Proof {
            proof: challenge.proof.render(&known).unwrap(),
            answer: answer.map(|answer| answer.render(&known).unwrap()),
        }
    }

    fn put_keys(&self, chip: &str, opening: &Opening, new: &str, adds: bool) -> Grant {
        let profile = &self.plan.chip;
        if !profile.channel.protocol(new).is_global_platform() {
            let set = profile.object(ObjectKind::KeySet, new).unwrap();
            let key = Value::Bytes(self.single_key(new, chip));
            let commands = Renderer::new(profile, &self.limits, None)
                .operation(Dialect::PutKey, set, &[("key_set.key", key)])
                .unwrap();
            return Grant::PutKeys {
                commands: commands.into_iter().map(|one| one.command).collect(),
                answer: None,
                kcv: Vec::new(),
            };
        }
        let (update, _) = self.update(opening);
        let diversification = update.diversification();
        let old = self.static_keys(&opening.key_set, diversification);
        let versions = &profile.channel.keys;
        // The maker's first set is replaced by adding: P1 = 00 (GP 2.3 §11.8.2.1).
        let replaced = match versions[&opening.key_set].version {
            _ if adds => 0,
            0xFF => 0,
            version => version,
        };
        let new_keys = self.static_keys(new, diversification);
        let session = self.session(opening);
        let (dek, kind) = match &session.dek {
            Some(dek) => (Dek::Scp02Session(dek), NewKeyType::Des),
            None => (Dek::Scp03Static(&old.dek), NewKeyType::Aes),
        };
        let put = gp::put_key_set(dek, replaced, versions[new].version, kind, &new_keys).unwrap();
        Grant::PutKeys {
            commands: vec![put.command],
            answer: Some([&[put.new_version], &put.kcvs.concat()[..]].concat()),
            kcv: put.kcvs.concat(),
        }
    }

    fn answer(&mut self, chip: &str, request: Request) -> Option<Grant> {
        Some(match request {
            Request::Claim => match self.mistake {
                Mistake::NotInTheBooks => return None,
                _ => Grant::Claimed,
            },
            Request::PutKeys { .. } | Request::Seal { .. } if self.mistake == Mistake::NoKeys => {
                return None;
            }
            Request::OpenChannel(opening) => {
                let protocol = self.plan.chip.channel.protocol(&opening.key_set);
                match protocol.is_global_platform() {
                    true => Grant::SessionKeys(Box::new(self.session(&opening))),
                    false => self.proof(chip, &opening),
                }
            }
            Request::PutKeys { opening, new, adds } => self.put_keys(chip, &opening, &new, adds),
            Request::Certify { request, .. } => match self.mistake {
                Mistake::NoAuthority => return None,
                Mistake::NoCertificate => Grant::Certificate {
                    der: b"no certificate".to_vec(),
                    challenge: vec![7; 32],
                },
                _ => Grant::Certificate {
                    der: self.certify(&request),
                    challenge: vec![7; 32],
                },
            },
            Request::Prove { .. } => Grant::Proved,
            Request::SignLds { keys } => self.sign_lds(&keys),
            Request::Seal {
                stage,
                opening,
                pins,
                ..
            } => {
                let mut commands = Vec::new();
                if let Some(opening) = &opening {
                    let (update, host) = self.update(opening);
                    let handshake = Handshake::new(self.session(opening), host, &update).unwrap();
                    let level = self.plan.chip.channel.protocol(&opening.key_set).level();
                    let level = level.unwrap();
                    let (first, opened) = handshake.external_authenticate(level).unwrap();
                    commands.push((
                        first,
                        Rendered::plain(card::Command::new(0, 0, 0, 0)).expect,
                    ));
                    self.sealed = Some(opened.assume_accepted());
                }
                let mut publics = BTreeMap::new();
                for rendered in self.sealed_commands(&stage, &pins, &mut publics) {
                    let command = match &mut self.sealed {
                        Some(secured) => secured.wrap(&rendered.command).unwrap(),
                        None => rendered.command,
                    };
                    commands.push((command, rendered.expect));
                }
                Grant::Sealed { commands, publics }
            }
            Request::Confirm { answers, .. } => {
                if let Some(mut secured) = self.sealed.take() {
                    for answer in answers.iter().skip(1) {
                        let opened = secured.unwrap(Response::parse(answer).unwrap()).unwrap();
                        assert!(opened.status().is_ok());
                    }
                }
                Grant::Confirmed
            }
        })
    }

    fn sealed_commands(
        &self,
        stage: &str,
        pins: &BTreeMap<String, Value>,
        publics: &mut BTreeMap<String, Vec<u8>>,
    ) -> Vec<Rendered> {
        let chip = &self.plan.chip;
        let mut stages = self.plan.stages.iter();
        let stage = stages.find(|found| found.name == stage).unwrap();
        let protection = chip.channel.protection(stage.channel.as_deref());
        let renderer = Renderer::new(chip, &chip.limits, protection);
        let mut position = Position::default();
        position.selected(&stage.select);
        let mut commands = Vec::new();
        for step in &stage.steps {
            let object = chip.object(step.verb.object(), &step.object).unwrap();
            let mut values = Vec::new();
            let operation = match step.verb {
                Verb::SetHolderPin => {
                    let default = chip.pin_rules(&step.object).unwrap().default.clone();
                    let known = pins.get(&step.object).and_then(Value::as_bytes);
                    let current = known.or(default.as_ref().map(|digits| &digits[..]));
                    let digits = self.holder_pin(&step.object);
                    let all = PinValues {
                        digits: &digits,
                        current,
                        puk: None,
                    };
                    values = all.variables(object).unwrap();
                    step.operation.unwrap()
                }
                Verb::ImportKey => {
                    let key = Rsa::generate(1024).unwrap();
                    values.push(("key.modulus", Value::bytes(key.n().to_vec())));
                    let private = key.d().to_vec_padded(128).unwrap();
                    values.push(("key.private", Value::bytes(private)));
                    let spki = PKey::from_rsa(key).unwrap().public_key_to_der().unwrap();
                    publics.insert(step.object.clone(), spki);
                    Dialect::ImportKey
                }
                _ => Dialect::SetState,
            };
            if let Some(application) = position.enters(chip, operation, object) {
                let enter = renderer.operation(Dialect::Enter, application, &[]);
                commands.extend(enter.unwrap());
                position.entered(&application.name);
            }
            commands.extend(renderer.operation(operation, object, &values).unwrap());
        }
        commands
    }

    /// Makes what waits for the chip's keys. Whether a signature is right is not looked at here.
    fn sign_lds(&self, keys: &BTreeMap<String, Vec<u8>>) -> Grant {
        let lds = self.lds.as_ref().unwrap();
        let made = lds.with_keys(&self.plan.chip, &self.record, keys).unwrap();
        let sod = card::tlv::encode(card::tlv::Tag::known::<0x77>(), &made.security_object);
        let security = made.card_security.clone();
        let mut files = made.signed(sod, security);
        if self.mistake == Mistake::NoSod {
            files.remove("sod");
        }
        Grant::SignedLds { files }
    }

    /// The holder's PIN, as long as the document profile says.
    pub(crate) fn holder_pin(&self, name: &str) -> Vec<u8> {
        let (_, digits) = PINS.iter().find(|(known, _)| *known == name).unwrap();
        let rules = self.plan.chip.pin_rules(name).unwrap();
        digits[..digits.len().min(usize::from(rules.stored))].to_vec()
    }

    fn certify(&mut self, request: &[u8]) -> Vec<u8> {
        let request = X509Req::from_der(request).unwrap();
        let key = request.public_key().unwrap();
        assert!(
            request.verify(&key).unwrap(),
            "openssl accepts the chip's proof of possession"
        );
        let spki = key.public_key_to_der().unwrap();
        if let Some(issued) = self.issued.get(&spki) {
            return issued.clone();
        }
        let mut builder = X509Builder::new().unwrap();
        self.challenges += 1;
        let serial = BigNum::from_u32(u32::try_from(self.challenges).unwrap())
            .unwrap()
            .to_asn1_integer()
            .unwrap();
        builder.set_version(2).unwrap();
        builder.set_serial_number(&serial).unwrap();
        builder.set_subject_name(request.subject_name()).unwrap();
        let mut issuer = X509NameBuilder::new().unwrap();
        issuer.append_entry_by_text("CN", "Desk").unwrap();
        builder.set_issuer_name(&issuer.build()).unwrap();
        builder
            .set_not_before(&Asn1Time::days_from_now(0).unwrap())
            .unwrap();
        builder
            .set_not_after(&Asn1Time::days_from_now(365).unwrap())
            .unwrap();
        match self.mistake {
            Mistake::OtherKey => builder.set_pubkey(&key_pair()).unwrap(),
            _ => builder.set_pubkey(&key).unwrap(),
        }
        builder
            .sign(&self.authority, MessageDigest::sha384())
            .unwrap();
        let certificate: X509 = builder.build();
        let certificate = certificate.to_der().unwrap();
        self.issued.insert(spki, certificate.clone());
        certificate
    }
}

fn subject() -> Vec<u8> {
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("C", "LV").unwrap();
    name.append_entry_by_text("CN", "ANNA IZDOMĀTA").unwrap();
    name.build().to_der().unwrap()
}

/// What is known at the end of a run must not be in its journal.
pub(crate) fn journal_text(desk: &Desk) -> String {
    format!("{:?}", desk.journal)
}
