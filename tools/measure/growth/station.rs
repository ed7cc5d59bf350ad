//! A station in the small: the product's executor and a virtual chip in this process, and the store
//! behind the trait that stations use.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use api::{
    Actor, ApiError, BlankEnd, Carries, Centre, CertifyGrant, CertifyRequest, ChannelGrant,
    ChannelOpening, ChannelRequest, ClaimRequest, ConfirmRequest, JournalLine, Lease, LeaseRequest,
    ProveRequest, PutKeyRequest, Report, ReportedChip, SealRequest, Secret,
};
use card::gp::{Key, SessionKeys};
use card::{Command, exchange};
use central::Central;
use document::Environment;
use jiff::Timestamp;
use perso::{Action, Assignment, Event, Executor, Grant, Inspector, Moment, Opening, Request};
use profile::{ChipProfile, DocumentProfile, Plan};
use vcard::{Chip, ChipNumber, InProcess, Memory, Product, TransportMasterKey};
use zeroize::Zeroizing;

use crate::chips::shelf;

/// The chip that documents are made on.
pub(crate) const PRODUCT: &str = "lateid-v2";

/// The document that is made.
pub(super) const DOCUMENT: &str = "eid-card";

/// The maker's key of the virtual blanks.
pub(super) const MAKER: [u8; 16] = *b"measured-transp.";

type Done<T> = Result<T, Box<dyn Error>>;

/// How often the store is asked again that others are in the way of.
pub(super) const PATIENCE: u32 = 10_000;

/// Does an act, and again as often as the store says by this error that others were in the way.
macro_rules! asked_again {
    ($others:path, $act:expr) => {{
        let mut left = $crate::growth::station::PATIENCE;
        loop {
            match $act.await {
                Err($others { .. }) if left > 0 => left -= 1,
                done => break done,
            }
        }
    }};
}

pub(super) use asked_again;

/// A station of one slot.
pub(super) struct Station {
    pub(super) actor: Actor,
    chip: Arc<ChipProfile>,
    document: DocumentProfile,
    /// Of the last report.
    sequence: u64,
}

impl Station {
    /// Takes the station's profiles; `sequence` is that of its last report.
    pub(super) fn new(name: &str, sequence: u64) -> Done<Self> {
        Ok(Self {
            actor: Actor {
                station: name.into(),
                person: "operator".into(),
            },
            chip: Arc::new(ChipProfile::load(&shelf("chips")?, PRODUCT)?),
            document: DocumentProfile::load(&shelf("documents")?, DOCUMENT)?,
            sequence,
        })
    }

    /// What its slot asks for.
    pub(super) fn request() -> LeaseRequest {
        LeaseRequest {
            environment: Environment::Test,
            slot: "a".into(),
            products: vec![PRODUCT.into()],
            article: None,
            office: None,
            chips: Vec::new(),
            among: Vec::new(),
            again: None,
            printer: None,
        }
    }

    /// Makes the document of a lease, and returns the report of it.
    pub(super) async fn make(
        &mut self,
        central: &Central,
        lease: &Lease,
        chip: Chip,
    ) -> Done<Report> {
        let serial = chip.serial().to_string();
        let wanted = self.document.chips.first().ok_or("no chip is wanted")?;
        let plan = Plan::new(
            Arc::clone(&self.chip),
            &self.document.name,
            wanted,
            &lease.record,
        )?;
        let limits = plan.chip.limits;
        let assignment = Assignment {
            variables: profile::variables(&lease.record),
            subjects: lease.subjects.clone(),
            limits,
            blank: None,
        };
        let mut channel = InProcess::new(chip);
        // Challenges and PINs of a chip that nobody gets; they must differ, and no more.
        let random = Box::new(|bytes: &mut [u8]| {
            if openssl::rand::rand_bytes(bytes).is_err() {
                bytes.fill(0x5A);
            }
        });
        let mut executor = Executor::new(plan, assignment, card::Channel::atr(&channel), random)?;
        let mut journal = Vec::new();
        let mut open: Vec<(u32, Request)> = Vec::new();
        let outcome = loop {
            match executor.next_action() {
                Action::Transmit(command) => {
                    executor.handle(match exchange(&mut channel, &command, &limits) {
                        Ok(response) => Event::Answer(response),
                        Err(error) => Event::Gone(error),
                    });
                }
                Action::Journal(entry) => {
                    let evidence = entry.evidence.iter();
                    journal.push(JournalLine {
                        at: Timestamp::now(),
                        step: entry.step.clone(),
                        moment: match entry.moment {
                            Moment::Intent => "intent".into(),
                            _ => "outcome".into(),
                        },
                        evidence: evidence
                            .map(|(key, value)| ((*key).to_owned(), value.clone()))
                            .collect(),
                    });
                    executor.handle(Event::Journaled);
                }
                // What an inspection takes is a row of its own.
                Action::Inspect(_) => executor.handle(Event::Inspected(Ok(()))),
                Action::Ask(id, request) => open.push((id, request)),
                Action::Wait if open.is_empty() => return Err("nothing is waited for".into()),
                Action::Wait => {
                    let (id, request) = open.remove(0);
                    let errand = Errand {
                        central,
                        actor: &self.actor,
                        lease,
                        chip: executor.chip().ok_or("no chip was identified")?.to_owned(),
                    };
                    let grant = errand.grant(request).await?;
                    executor.handle(Event::Given(id, grant));
                }
                Action::Finished(outcome) => break outcome,
            }
        };
        if let Some(fault) = outcome.fault {
            return Err(fault.into());
        }
        self.sequence += 1;
        Ok(Report {
            lease: lease.id,
            sequence: self.sequence,
            number: Some(lease.record.number),
            end: BlankEnd::Personalized,
            chips: vec![ReportedChip {
                interface: "contact".into(),
                product: PRODUCT.into(),
                serial: Some(serial),
                os: outcome.os,
                commands: 120,
                bytes: 9_000,
            }],
            milliseconds: 41_000,
            journal,
        })
    }
}

/// Makes a blank chip as its maker does. Returns it with the number by which stations know it.
pub(super) fn blank(product: &str) -> Done<(Chip, String)> {
    let virtual_chip = Product::find(product).ok_or("no such virtual chip")?;
    let maker = TransportMasterKey::new(MAKER);
    let chip = Chip::blank(virtual_chip, ChipNumber::random()?, &maker, Memory)?;
    let profile = ChipProfile::load(&shelf("chips")?, product)?;
    let mut channel = InProcess::new(chip);
    let identity = Inspector::new(&profile, &mut channel).identify()?;
    let serial = identity.serial.ok_or("a chip without a number")?;
    Ok((channel.into_chip(), serial))
}

/// What is asked for a chip under a lease.
struct Errand<'a> {
    central: &'a dyn Centre,
    actor: &'a Actor,
    lease: &'a Lease,
    chip: String,
}

impl Errand<'_> {
    async fn grant(&self, request: Request) -> Done<Grant> {
        let (centre, actor, lease) = (self.central, self.actor, self.lease.id);
        let chip = self.chip.clone();
        Ok(match request {
            Request::Claim => {
                let request = ClaimRequest {
                    lease,
                    chip,
                    beside: Vec::new(),
                    printed: None,
                };
                asked_again!(ApiError::Unavailable, centre.claim(actor, &request))?;
                Grant::Claimed
            }
            Request::OpenChannel(opening) => {
                let request = ChannelRequest {
                    lease,
                    chip,
                    opening: told(opening),
                };
                opened(asked_again!(
                    ApiError::Unavailable,
                    centre.open_channel(actor, &request)
                )?)?
            }
            Request::PutKeys { opening, new, adds } => {
                let request = PutKeyRequest {
                    lease,
                    chip,
                    opening: told(opening),
                    new,
                    adds,
                };
                let grant = asked_again!(ApiError::Unavailable, centre.put_keys(actor, &request))?;
                Grant::PutKeys {
                    commands: grant.commands.iter().map(parsed).collect::<Done<_>>()?,
                    answer: grant.answer,
                    kcv: grant.kcv,
                }
            }
            Request::Certify {
                key,
                profile,
                request,
            } => {
                let request = CertifyRequest {
                    lease,
                    chip,
                    key,
                    profile,
                    request,
                };
                loop {
                    match asked_again!(ApiError::Unavailable, centre.certify(actor, &request))? {
                        CertifyGrant::Issued {
                            certificate: der,
                            challenge,
                        } => break Grant::Certificate { der, challenge },
                        CertifyGrant::Pending { after } => {
                            tokio::time::sleep(Duration::from_millis(after)).await;
                        }
                    }
                }
            }
            Request::Prove { key, signature } => {
                let request = ProveRequest {
                    lease,
                    chip,
                    key,
                    signature,
                };
                asked_again!(ApiError::Unavailable, centre.prove(actor, &request))?;
                Grant::Proved
            }
            Request::Seal {
                stage,
                opening,
                limits,
                pins,
            } => {
                let mut own = BTreeMap::new();
                for (pin, value) in &pins {
                    let digits = value.as_bytes().ok_or("a PIN that is no bytes")?;
                    own.insert(pin.clone(), Secret::new(digits));
                }
                let request = SealRequest {
                    lease,
                    chip,
                    stage,
                    opening: opening.map(told),
                    carries: Carries {
                        command: limits.command.try_into()?,
                        response: limits.response.try_into()?,
                        extended: limits.extended,
                    },
                    pins: own,
                };
                let grant = asked_again!(ApiError::Unavailable, centre.seal(actor, &request))?;
                let mut commands = Vec::new();
                for sealed in &grant.commands {
                    let expect = sealed.expect.iter().map(|word| word.parse());
                    let expect = expect.collect::<Result<_, _>>();
                    let expect = expect.map_err(|_| "a status word that is none")?;
                    commands.push((parsed(&sealed.command)?, expect));
                }
                Grant::Sealed {
                    commands,
                    publics: grant.publics,
                }
            }
            Request::Confirm { stage, answers } => {
                let request = ConfirmRequest {
                    lease,
                    chip,
                    stage,
                    answers,
                };
                asked_again!(ApiError::Unavailable, centre.confirm(actor, &request))?;
                Grant::Confirmed
            }
            Request::SignLds { .. } => return Err("an identity card alone has no LDS".into()),
        })
    }
}

fn told(opening: Opening) -> ChannelOpening {
    ChannelOpening {
        key_set: opening.key_set,
        host_challenge: opening.host_challenge,
        answers: opening.answers,
    }
}

fn opened(grant: ChannelGrant) -> Done<Grant> {
    let key = |secret: &Secret| Key::new(secret.expose());
    let bytes = |secret: &Secret| Zeroizing::new(secret.expose().to_vec());
    Ok(match grant {
        ChannelGrant::SessionKeys { enc, mac, rmac } => Grant::SessionKeys(Box::new(SessionKeys {
            enc: key(&enc)?,
            mac: key(&mac)?,
            rmac: key(&rmac)?,
            dek: None,
        })),
        ChannelGrant::Proof { proof, answer } => Grant::Proof {
            proof: bytes(&proof),
            answer: answer.as_ref().map(bytes),
        },
    })
}

fn parsed(command: &Secret) -> Done<Command> {
    Ok(Command::parse(command.expose())?)
}
