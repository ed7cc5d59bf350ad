//! A desk in this process: it writes a travel chip by its profile through the executor, and counts
//! what passes. It has the keys, and gives what a centre would give.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use card::gp::{
    self, Dek, Handshake, HostChallenge, InitializeUpdate, Key, NewKeyType, Secured, SessionKeys,
    StaticKeys,
};
use card::{Channel, ChannelError, Command, Response, exchange};
use document::{Prepared, Record};
use perso::{Action, Assignment, Event, Executor, Grant, Opening, Request};
use pki::country::MessageSigner;
use profile::{ChipProfile, Dialect, KeySource, Plan, Position, Renderer, StatusPattern};
use vcard::{Chip, ChipNumber, InProcess, Memory, Product, TransportMasterKey};

use crate::fewest::{Fewest, known};
use crate::passport::{Passport, at};

/// The maker's key of the virtual blanks, known to the world, and the issuer's of this desk.
const MAKER: [u8; 16] = *b"@ABCDEFGHIJKLMNO";
const ISSUER: [u8; 16] = *b"PQRSTUVWXYZ[\\]^_";

/// A channel that counts what passes.
pub(crate) struct Counting {
    channel: InProcess,
    pub(crate) counted: Fewest,
    /// What the chip took.
    pub(crate) chip: Duration,
}

impl Counting {
    pub(crate) fn new(chip: Chip) -> Self {
        Self {
            channel: InProcess::new(chip),
            counted: Fewest::default(),
            chip: Duration::ZERO,
        }
    }

    pub(crate) fn into_chip(self) -> Chip {
        self.channel.into_chip()
    }
}

impl Channel for Counting {
    fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, ChannelError> {
        let started = Instant::now();
        let answer = self.channel.transmit(command)?;
        self.chip += started.elapsed();
        self.counted.commands += 1;
        self.counted.bytes += command.len() + answer.len();
        Ok(answer)
    }

    fn atr(&self) -> &[u8] {
        self.channel.atr()
    }

    fn reset(&mut self) -> Result<Vec<u8>, ChannelError> {
        self.channel.reset()
    }
}

/// A chip that was written.
pub(crate) struct Written {
    pub(crate) chip: Chip,
    /// What passed.
    pub(crate) counted: Fewest,
    /// The least that could have passed.
    pub(crate) fewest: Fewest,
    /// The files, by the names that profiles write after `prepared.`.
    pub(crate) files: BTreeMap<String, Prepared>,
}

/// Personalizes a blank of the chip profile's product as a passport.
pub(crate) fn write(
    passport: &Passport,
    profile: ChipProfile,
    signer: &MessageSigner,
) -> Result<Written, Box<dyn Error>> {
    let product = Product::find(&profile.name).ok_or("no such virtual chip")?;
    let maker = TransportMasterKey::new(MAKER);
    let blank = Chip::blank(product, ChipNumber::random()?, &maker, Memory)?;
    let mut record = passport.record.clone();
    record.prepared = passport.prepare()?;
    let mut wanted = passport.wanted()?;
    // The product may be a sibling of the shipped one.
    wanted.products.push(profile.name.clone());
    let limits = profile.limits;
    let name = &passport.document.name;
    let plan = Plan::new(Arc::new(profile), name, &wanted, &record)?;
    let mut desk = Desk {
        passport,
        signer,
        record,
        plan,
        sealed: None,
    };
    let mut channel = Counting::new(blank);
    let assignment = Assignment {
        variables: profile::variables(&desk.record),
        subjects: Default::default(),
        limits,
        blank: None,
    };
    // Challenges and PINs of a chip that nobody gets.
    let random = Box::new(|bytes: &mut [u8]| bytes.fill(0x5A));
    let mut executor = Executor::new(desk.plan.clone(), assignment, channel.atr(), random)?;
    let outcome = loop {
        match executor.next_action() {
            Action::Transmit(command) => {
                executor.handle(match exchange(&mut channel, &command, &limits) {
                    Ok(response) => Event::Answer(response),
                    Err(error) => Event::Gone(error),
                });
            }
            Action::Journal(_) => executor.handle(Event::Journaled),
            // A centre has signed long before the portrait is written.
            Action::Ask(id, request) => {
                let grant = desk.grant(request)?;
                executor.handle(Event::Given(id, grant));
            }
            // Reading it as a border does is a row of its own.
            Action::Inspect(_) => executor.handle(Event::Inspected(Ok(()))),
            Action::Wait => return Err("everything that was asked for was given".into()),
            Action::Finished(outcome) => break outcome,
        }
    };
    if let Some(fault) = outcome.fault {
        return Err(fault.into());
    }
    Ok(Written {
        counted: channel.counted,
        chip: channel.into_chip(),
        fewest: Fewest::of(&desk.plan, &known(&desk.plan, &desk.record, &[])?)?,
        files: desk.record.prepared,
    })
}

struct Desk<'a> {
    passport: &'a Passport,
    signer: &'a MessageSigner,
    plan: Plan,
    record: Record,
    /// The channel of a stage whose commands are made here.
    sealed: Option<Secured>,
}

impl Desk<'_> {
    fn grant(&mut self, request: Request) -> Result<Grant, Box<dyn Error>> {
        Ok(match request {
            Request::Claim => Grant::Claimed,
            Request::OpenChannel(opening) => {
                Grant::SessionKeys(Box::new(self.session(&opening)?.0))
            }
            Request::PutKeys { opening, new, .. } => self.put_keys(&opening, &new)?,
            Request::SignLds { keys } => {
                let made = self.passport.with_keys(&self.record, &keys)?;
                let (kind, at) = (&made.document_type, at()?);
                let mut files = made.files;
                let sod = self.signer.sign_document(&made.security_object, kind, at)?;
                files.insert("sod".to_owned(), sod);
                if let Some(infos) = &made.card_security {
                    let file = self.signer.sign_card_security(infos, kind, at)?;
                    files.insert("card_security".to_owned(), file);
                }
                let own = files.iter();
                let own = own.map(|(name, file)| (name.clone(), Prepared::new(file.clone())));
                self.record.prepared.extend(own);
                Grant::SignedLds { files }
            }
            Request::Seal { stage, opening, .. } => self.seal(&stage, opening.as_ref())?,
            Request::Confirm { answers, .. } => {
                if let Some(mut secured) = self.sealed.take() {
                    for answer in answers.iter().skip(1) {
                        secured.unwrap(Response::parse(answer)?)?;
                    }
                }
                Grant::Confirmed
            }
            other => return Err(format!("the desk does not give {other:?}").into()),
        })
    }

    fn static_keys(&self, key_set: &str, of: &[u8; 10]) -> Result<StaticKeys, Box<dyn Error>> {
        let channel = &self.plan.chip.channel;
        let master = if channel.is_makers(key_set) {
            MAKER
        } else {
            ISSUER
        };
        let set = channel.keys.get(key_set).ok_or("no such key set")?;
        match &set.source {
            KeySource::Diversified(how) => Ok(how.keys(&Key::new(&master)?, of)?),
            KeySource::Known(_) => Err("a key set known to the world".into()),
        }
    }

    fn session(
        &self,
        opening: &Opening,
    ) -> Result<(SessionKeys, HostChallenge, InitializeUpdate), Box<dyn Error>> {
        let answer = opening.answers.get(Opening::INITIALIZE_UPDATE);
        let update = InitializeUpdate::parse(answer.ok_or("no answer of the chip")?)?;
        let host = HostChallenge::try_from(&opening.host_challenge[..])?;
        let keys = self.static_keys(&opening.key_set, update.diversification())?;
        Ok((update.session_keys(&keys, &host)?, host, update))
    }

    fn put_keys(&self, opening: &Opening, new: &str) -> Result<Grant, Box<dyn Error>> {
        let (_, _, update) = self.session(opening)?;
        let old = self.static_keys(&opening.key_set, update.diversification())?;
        let keys = self.static_keys(new, update.diversification())?;
        let version = self.plan.chip.channel.keys.get(new).map(|set| set.version);
        let version = version.ok_or("no such key set")?;
        // The maker's first set is replaced by adding: P1 = 00 (GP 2.3 §11.8.2.1).
        let put = gp::put_key_set(
            Dek::Scp03Static(&old.dek),
            0,
            version,
            NewKeyType::Aes,
            &keys,
        )?;
        Ok(Grant::PutKeys {
            commands: vec![put.command],
            answer: Some([&[put.new_version], &put.kcvs.concat()[..]].concat()),
            kcv: put.kcvs.concat(),
        })
    }

    /// Makes the commands of a stage of states.
    fn seal(&mut self, stage: &str, opening: Option<&Opening>) -> Result<Grant, Box<dyn Error>> {
        let chip = &self.plan.chip;
        let mut stages = self.plan.stages.iter();
        let stage = stages.find(|found| found.name == stage);
        let stage = stage.ok_or("no such stage")?;
        let mut commands = Vec::new();
        if let Some(opening) = opening {
            let (session, host, update) = self.session(opening)?;
            let handshake = Handshake::new(session, host, &update)?;
            let level = chip.channel.protocol(&opening.key_set).level();
            let level = level.ok_or("no level of the channel")?;
            let (first, opened) = handshake.external_authenticate(level)?;
            let expect = profile::Rendered::plain(Command::new(0, 0, 0, 0)).expect;
            commands.push((first, expect));
            self.sealed = Some(opened.assume_accepted());
        }
        let protection = chip.channel.protection(stage.channel.as_deref());
        let renderer = Renderer::new(chip, &chip.limits, protection);
        let mut position = Position::default();
        position.selected(&stage.select);
        for step in &stage.steps {
            let object = chip.object(step.verb.object(), &step.object);
            let object = object.ok_or("no such object")?;
            for rendered in renderer.operation(Dialect::SetState, object, &[])? {
                let command = match &mut self.sealed {
                    Some(secured) => secured.wrap(&rendered.command)?,
                    None => rendered.command,
                };
                let expect: Vec<StatusPattern> = rendered.expect;
                commands.push((command, expect));
            }
        }
        Ok(Grant::Sealed {
            commands,
            publics: Default::default(),
        })
    }
}
