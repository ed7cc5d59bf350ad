//! For tests: a desk with a virtual chip and a centre of its own. The authority is openssl's,
//! so that our encodings have another judge.

use std::collections::BTreeMap;
use std::sync::Arc;

use card::gp::{
    self, Handshake, HostChallenge, InitializeUpdate, Key, Secured, SessionKeys, StaticKeys,
};
use card::{Channel, Response, exchange};
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::{X509, X509Builder, X509NameBuilder, X509Req};
use profile::{ChipProfile, Dialect, DocumentProfile, Plan, Position, Renderer, Shelf, pin_field};
use vcard::{Chip, ChipNumber, Fault as ChipFault, InProcess, Memory, Product, TransportMasterKey};

use crate::{Action, Assignment, Event, Executor, Grant, JournalEntry, Outcome, Refusal, Request};

/// The shipped chip profile.
pub(crate) const LATEID: &str = include_str!("../../firmware-profiles/chips/lateid-v2.toml");
const MAKER: [u8; 16] = *b"maker's transpor";
const ISSUER: [u8; 16] = *b"issuer's master!";
/// The PINs that the desk gives: long, so that a search finds nothing by chance.
pub(crate) const PINS: [(&str, &[u8]); 3] = [
    ("pin1", b"740918253664"),
    ("pin2", b"918273645091"),
    ("puk", b"605948372615"),
];

/// What the desk does wrong on purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Mistake {
    #[default]
    None,
    /// Session keys from another transport key.
    WrongKeys,
    /// A certificate for another key.
    OtherKey,
    /// Bytes that are no certificate.
    NoCertificate,
    /// A refusal instead of a certificate.
    NoAuthority,
}

/// A desk: keys, an authority, and what a run left.
pub(crate) struct Desk {
    pub(crate) plan: Plan,
    record: document::Record,
    authority: PKey<Private>,
    pub(crate) journal: Vec<JournalEntry>,
    pub(crate) commands: usize,
    sealed: Option<Secured>,
    pub(crate) mistake: Mistake,
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
        let mut shelf = Shelf::default();
        shelf.put("lateid-v2", profile);
        shelf.put(
            "eid-card",
            include_str!("../../firmware-profiles/documents/eid-card.toml"),
        );
        let chip = Arc::new(ChipProfile::load(&shelf, "lateid-v2").unwrap());
        let document = DocumentProfile::load(&shelf, "eid-card").unwrap();
        let json = format!(
            r#"{{"number":"XA0000001","kind":"id-card","issued":"2026-03-02","expires":"2028-03-01","holder":{{"surname":"Izdomāta","given_names":"Anna","personal_code":"32{year:04}-12347","birth_date":"{year}-03-02","sex":"F","nationality":"LVA"}},"certificates":true}}"#
        );
        let record: document::Record = serde_json::from_str(&json).unwrap();
        let plan = Plan::new(chip, "eid-card", &document.chips[0], &record).unwrap();
        Self {
            plan,
            record,
            authority: key_pair(),
            journal: Vec::new(),
            commands: 0,
            sealed: None,
            mistake: Mistake::None,
            challenges: 0,
        }
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
        Chip::blank(
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

    fn drive(&mut self, channel: &mut dyn Channel) -> Outcome {
        let subjects = self
            .plan
            .keys
            .iter()
            .map(|(key, _)| (key.clone(), subject()))
            .collect();
        let assignment = Assignment {
            variables: profile::variables(&self.record),
            subjects,
        };
        let random = Box::new(|bytes: &mut [u8]| openssl::rand::rand_bytes(bytes).unwrap());
        let mut executor = match Executor::new(self.plan.clone(), assignment, channel.atr(), random)
        {
            Ok(executor) => executor,
            Err(fault) => {
                return Outcome {
                    chip: None,
                    os: None,
                    touched: false,
                    certificates: BTreeMap::new(),
                    fault: Some(fault),
                };
            }
        };
        let limits = self.plan.chip.limits;
        // What the centre was asked and has not answered yet: it is slow on purpose.
        let mut open: Vec<(u32, Request)> = Vec::new();
        loop {
            match executor.next_action() {
                Action::Transmit(command) => {
                    self.commands += 1;
                    executor.handle(match exchange(channel, &command, &limits) {
                        Ok(response) => Event::Answer(response),
                        Err(error) => Event::Gone(error),
                    });
                }
                Action::Journal(entry) => {
                    self.journal.push(entry);
                    executor.handle(Event::Journaled);
                }
                Action::Ask(id, request) => open.push((id, request)),
                Action::Wait => {
                    let (id, request) = open.remove(0);
                    executor.handle(match self.answer(request) {
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

    fn static_keys(&self, key_set: &str, diversification: &[u8; 10]) -> StaticKeys {
        let master = match (key_set, self.mistake) {
            (_, Mistake::WrongKeys) => *b"some other key!!",
            ("transport", _) => MAKER,
            _ => ISSUER,
        };
        gp::diversify_kdf3(&Key::new(&master).unwrap(), diversification)
    }

    fn session(
        &self,
        key_set: &str,
        host: HostChallenge,
        answer: &InitializeUpdate,
    ) -> SessionKeys {
        SessionKeys::derive(
            &self.static_keys(key_set, answer.diversification()),
            &host,
            answer.card_challenge(),
        )
    }

    fn answer(&mut self, request: Request) -> Option<Grant> {
        Some(match request {
            Request::OpenChannel {
                key_set,
                host_challenge,
                initialize_update,
            } => {
                let answer = InitializeUpdate::parse(&initialize_update).unwrap();
                Grant::SessionKeys(Box::new(self.session(
                    &key_set,
                    HostChallenge::new(host_challenge),
                    &answer,
                )))
            }
            Request::ReplaceKeys {
                current,
                new,
                diversification,
            } => {
                let old = self.static_keys(&current, &diversification);
                let versions = &self.plan.chip.channel.keys;
                // The maker's first set is replaced by adding: P1 = 00 (GP 2.3 §11.8.2.1).
                let replaced = if versions[&current].version == 0xFF {
                    0
                } else {
                    versions[&current].version
                };
                let put = gp::put_key(
                    &old.dek,
                    replaced,
                    versions[&new].version,
                    &self.static_keys(&new, &diversification),
                );
                Grant::PutKey {
                    command: put.command,
                    kcvs: put.kcvs,
                }
            }
            Request::Certify { request, .. } => match self.mistake {
                Mistake::NoAuthority => return None,
                Mistake::NoCertificate => Grant::Certificate(b"no certificate".to_vec()),
                _ => Grant::Certificate(self.certify(&request)),
            },
            Request::Seal {
                stage,
                key_set,
                host_challenge,
                initialize_update,
            } => {
                let answer = InitializeUpdate::parse(&initialize_update).unwrap();
                let host = HostChallenge::new(host_challenge);
                let handshake =
                    Handshake::new(self.session(&key_set, host, &answer), host, &answer).unwrap();
                let (first, opening) = handshake
                    .external_authenticate(self.plan.chip.channel.level)
                    .unwrap();
                let mut secured = opening.assume_accepted();
                let mut commands = vec![first];
                for command in self.sealed_commands(&stage) {
                    commands.push(secured.wrap(&command).unwrap());
                }
                self.sealed = Some(secured);
                Grant::Sealed(commands)
            }
            Request::Confirm { answers, .. } => {
                let mut secured = self.sealed.take().unwrap();
                for answer in answers.iter().skip(1) {
                    let opened = secured.unwrap(Response::parse(answer).unwrap()).unwrap();
                    assert!(opened.status().is_ok());
                }
                Grant::Confirmed
            }
        })
    }

    fn sealed_commands(&self, stage: &str) -> Vec<card::Command> {
        let chip = &self.plan.chip;
        let stage = self
            .plan
            .stages
            .iter()
            .find(|found| found.name == stage)
            .unwrap();
        let renderer = Renderer::new(chip, true);
        let mut position = Position::default();
        position.selected(&stage.select);
        let mut commands = Vec::new();
        for step in &stage.steps {
            let object = chip.object(step.verb.object(), &step.object).unwrap();
            let operation = step.verb.operations()[0];
            if let Some(application) = position.enters(chip, operation, object) {
                commands.extend(
                    renderer
                        .operation(Dialect::Enter, application, &[])
                        .unwrap(),
                );
                position.entered(&application.name);
            }
            let value = PINS.iter().find(|(name, _)| *name == step.object);
            let value = value.map(|(_, digits)| ("pin.value", pin_field(object, digits).unwrap()));
            commands.extend(
                renderer
                    .operation(operation, object, value.as_slice())
                    .unwrap(),
            );
        }
        commands
            .into_iter()
            .map(|rendered| rendered.command)
            .collect()
    }

    fn certify(&mut self, request: &[u8]) -> Vec<u8> {
        let request = X509Req::from_der(request).unwrap();
        let key = request.public_key().unwrap();
        assert!(
            request.verify(&key).unwrap(),
            "openssl accepts the chip's proof of possession"
        );
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
        certificate.to_der().unwrap()
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
