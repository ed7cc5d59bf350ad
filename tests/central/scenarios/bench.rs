//! A station in the small: the product's executor, a chip in this process, and the store behind
//! the trait that stations use.

use std::collections::BTreeMap;

use api::{
    Actor, ApiError, BlankEnd, Carries, Centre, CertifyGrant, CertifyRequest, ChannelGrant,
    ChannelOpening, ChannelRequest, ClaimRequest, ConfirmRequest, JournalLine, Lease, ProveRequest,
    PutKeyRequest, Report, ReportedChip, SealRequest, Secret, SignLdsRequest,
};
use audit::Entry;
use card::gp::{Key, SessionKeys};
use card::{Channel, Command, exchange};
use jiff::{SignedDuration, Timestamp};
use perso::{Action, Assignment, Event, Executor, Grant, Moment, Opening, Outcome, Request};
use profile::Plan;
use vcard::{Chip, Fault, InProcess};
use zeroize::Zeroizing;

use super::house::{House, PRODUCT, operator};
use crate::documents::Document;
use crate::lease::Held;

/// How often a station asks after a certificate here.
const PATIENCE: usize = 4;

/// What a run asked of the store, and what it left.
pub(super) struct Run {
    pub(super) outcome: Outcome,
    pub(super) chip: Chip,
    pub(super) journal: Vec<JournalLine>,
    pub(super) certified: Vec<CertifyRequest>,
    pub(super) sealed: Vec<SealRequest>,
    pub(super) signed: Vec<SignLdsRequest>,
    pub(super) confirmed: Vec<ConfirmRequest>,
    pub(super) channels: Vec<ChannelRequest>,
}

/// Personalizes a blank of one chip under a lease. It meets `faults`.
pub(super) async fn personalize(
    house: &House,
    lease: &Lease,
    chip: Chip,
    faults: Vec<Fault>,
) -> Run {
    personalize_chip(house, lease, PRODUCT, chip, faults).await
}

/// Personalizes one chip of a blank under a lease.
pub(super) async fn personalize_chip(
    house: &House,
    lease: &Lease,
    product: &str,
    chip: Chip,
    faults: Vec<Fault>,
) -> Run {
    personalize_beside(house, lease, product, chip, &[], faults).await
}

/// As [`personalize_chip`], with the other chips of these serial numbers at the same slot.
pub(super) async fn personalize_beside(
    house: &House,
    lease: &Lease,
    product: &str,
    chip: Chip,
    beside: &[&str],
    faults: Vec<Fault>,
) -> Run {
    let mut channel = InProcess::with_faults(chip, faults);
    let profile = house.central.document_profile(lease.record.kind).unwrap();
    let plan: Plan = house
        .central
        .plan_for(lease.purpose, profile, product, &lease.record)
        .unwrap();
    let limits = plan.chip.limits;
    let assignment = Assignment {
        variables: profile::variables(&lease.record),
        subjects: lease.subjects.clone(),
        limits,
        blank: None,
    };
    let random = Box::new(|bytes: &mut [u8]| openssl::rand::rand_bytes(bytes).unwrap());
    let mut executor = Executor::new(plan, assignment, channel.atr(), random).unwrap();
    let mut log = Log {
        beside: beside.iter().map(|&chip| chip.to_owned()).collect(),
        ..Log::default()
    };
    let mut open: Vec<(u32, Request)> = Vec::new();
    let outcome = loop {
        match executor.next_action() {
            Action::Transmit(command) => {
                executor.handle(match exchange(&mut channel, &command, &limits) {
                    Ok(response) => Event::Answer(response),
                    Err(error) => Event::Gone(error),
                })
            }
            Action::Journal(entry) => {
                log.journal.push(JournalLine {
                    at: Timestamp::UNIX_EPOCH,
                    step: entry.step.clone(),
                    moment: if entry.moment == Moment::Intent {
                        "intent"
                    } else {
                        "outcome"
                    }
                    .into(),
                    evidence: entry
                        .evidence
                        .iter()
                        .map(|(key, value)| ((*key).to_owned(), value.clone()))
                        .collect(),
                });
                executor.handle(Event::Journaled);
            }
            Action::Inspect(written) => {
                let found = written.inspect(&mut channel, &limits, house.central.now());
                executor.handle(Event::Inspected(found));
            }
            Action::Ask(id, request) => open.push((id, request)),
            Action::Wait => {
                let (id, request) = open.remove(0);
                let chip = executor.chip().unwrap().to_owned();
                executor.handle(match log.answer(house, lease, chip, request).await {
                    Ok(grant) => Event::Given(id, grant),
                    Err(ApiError::WrongKeys) => Event::Refused(id, perso::Refusal::WrongKeys),
                    Err(ApiError::NotOneBlank { reason }) => {
                        Event::Refused(id, perso::Refusal::NotOneBlank(reason))
                    }
                    Err(error) => Event::Refused(id, perso::Refusal::Other(error.to_string())),
                });
            }
            Action::Finished(outcome) => break outcome,
        }
    };
    let Log {
        beside: _,
        journal,
        certified,
        sealed,
        signed,
        confirmed,
        channels,
    } = log;
    Run {
        outcome,
        chip: channel.into_chip(),
        journal,
        certified,
        sealed,
        signed,
        confirmed,
        channels,
    }
}

#[derive(Default)]
struct Log {
    beside: Vec<String>,
    journal: Vec<JournalLine>,
    certified: Vec<CertifyRequest>,
    sealed: Vec<SealRequest>,
    signed: Vec<SignLdsRequest>,
    confirmed: Vec<ConfirmRequest>,
    channels: Vec<ChannelRequest>,
}

impl Log {
    async fn answer(
        &mut self,
        house: &House,
        lease: &Lease,
        chip: String,
        request: Request,
    ) -> Result<Grant, ApiError> {
        let (centre, actor, lease): (&dyn Centre, Actor, _) =
            (&house.central, operator(), lease.id);
        Ok(match request {
            Request::Claim => {
                let beside = self.beside.clone();
                let request = ClaimRequest {
                    lease,
                    chip,
                    beside,
                    printed: None,
                };
                centre.claim(&actor, &request).await?;
                Grant::Claimed
            }
            Request::OpenChannel(opening) => {
                let request = ChannelRequest {
                    lease,
                    chip,
                    opening: told(opening),
                };
                self.channels.push(request.clone());
                opened(centre.open_channel(&actor, &request).await?)
            }
            Request::PutKeys { opening, new, adds } => {
                let request = PutKeyRequest {
                    lease,
                    chip,
                    opening: told(opening),
                    new,
                    adds,
                };
                let grant = centre.put_keys(&actor, &request).await?;
                Grant::PutKeys {
                    commands: grant.commands.iter().map(parsed).collect(),
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
                self.certified.push(request.clone());
                let mut asked = 0;
                loop {
                    match centre.certify(&actor, &request).await? {
                        CertifyGrant::Issued {
                            certificate: der,
                            challenge,
                        } => break Grant::Certificate { der, challenge },
                        CertifyGrant::Pending { .. } if asked == PATIENCE => {
                            return Err(ApiError::Unavailable {
                                reason: "no certificate in time".into(),
                            });
                        }
                        CertifyGrant::Pending { after } => {
                            asked += 1;
                            let after = i64::try_from(after).unwrap();
                            house.clock.pass(SignedDuration::from_millis(after));
                        }
                    }
                }
            }
            Request::SignLds { keys } => {
                let request = SignLdsRequest { lease, chip, keys };
                self.signed.push(request.clone());
                let files = centre.sign_lds(&actor, &request).await?.files;
                Grant::SignedLds { files }
            }
            Request::Prove { key, signature } => {
                let request = ProveRequest {
                    lease,
                    chip,
                    key,
                    signature,
                };
                centre.prove(&actor, &request).await?;
                Grant::Proved
            }
            Request::Seal {
                stage,
                opening,
                limits,
                pins,
            } => {
                let digits = |value: &profile::Value| Secret::new(value.as_bytes().unwrap());
                let request = SealRequest {
                    lease,
                    chip,
                    stage,
                    opening: opening.map(told),
                    carries: Carries {
                        command: limits.command.try_into().unwrap(),
                        response: limits.response.try_into().unwrap(),
                        extended: limits.extended,
                    },
                    pins: pins
                        .iter()
                        .map(|(pin, value)| (pin.clone(), digits(value)))
                        .collect(),
                };
                self.sealed.push(request.clone());
                let grant = centre.seal(&actor, &request).await?;
                let sealed = grant.commands.iter().map(|sealed| {
                    let expect = sealed.expect.iter().map(|word| word.parse().unwrap());
                    (parsed(&sealed.command), expect.collect())
                });
                Grant::Sealed {
                    commands: sealed.collect(),
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
                self.confirmed.push(request.clone());
                centre.confirm(&actor, &request).await?;
                Grant::Confirmed
            }
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

fn opened(grant: ChannelGrant) -> Grant {
    let key = |secret: &Secret| Key::new(secret.expose()).unwrap();
    let bytes = |secret: &Secret| Zeroizing::new(secret.expose().to_vec());
    match grant {
        ChannelGrant::SessionKeys { enc, mac, rmac } => Grant::SessionKeys(Box::new(SessionKeys {
            enc: key(&enc),
            mac: key(&mac),
            rmac: key(&rmac),
            dek: None,
        })),
        ChannelGrant::Proof { proof, answer } => Grant::Proof {
            proof: bytes(&proof),
            answer: answer.as_ref().map(bytes),
        },
    }
}

fn parsed(command: &Secret) -> Command {
    Command::parse(command.expose()).unwrap()
}

/// Returns the report of a run on a blank of one chip.
pub(super) fn report(lease: &Lease, sequence: u64, run: &Run, end: BlankEnd) -> Report {
    Report {
        lease: lease.id,
        sequence,
        number: Some(lease.record.number),
        end,
        chips: vec![reported(PRODUCT, run)],
        milliseconds: 41_000,
        journal: run.journal.clone(),
    }
}

/// Returns what a report says of one chip.
pub(super) fn reported(product: &str, run: &Run) -> ReportedChip {
    ReportedChip {
        interface: "contact".into(),
        product: product.into(),
        serial: Some(run.chip.serial().to_string()),
        os: run.outcome.os.clone(),
        commands: 120,
        bytes: 9000,
    }
}

/// Returns a report without anything on the way.
pub(super) fn bare_report(lease: &Lease, sequence: u64, end: BlankEnd) -> Report {
    Report {
        lease: lease.id,
        sequence,
        number: Some(lease.record.number),
        end,
        chips: Vec::new(),
        milliseconds: 1,
        journal: Vec::new(),
    }
}

/// Returns why the store does not believe a report. Nothing is taken in.
pub(super) async fn disbelieved(house: &House, report: &Report) -> String {
    let mut tx = house.central.read().await.unwrap();
    let held = Held::load(&mut tx, &operator(), report.lease)
        .await
        .unwrap();
    let document = Document::load(&mut tx, &held.document).await.unwrap();
    let judged = house.central.judge(&mut tx, &held, &document, report).await;
    judged.unwrap_err().to_string()
}

/// Has a report taken in that is not believed, and returns the entry about it.
pub(super) async fn put_aside(house: &House, report: &Report) -> Entry {
    house.central.report(&operator(), report).await.unwrap();
    let mut entries = house.entries().await;
    let at = entries
        .iter()
        .rposition(|entry| entry.action.as_str() == "lease.reported");
    let entry = entries.remove(at.unwrap());
    assert_eq!(entry.outcome, audit::Outcome::Refused);
    assert_eq!(
        entry.details.get("sequence"),
        Some(&*report.sequence.to_string())
    );
    entry
}

pub(super) fn spoiled() -> BlankEnd {
    BlankEnd::Spoiled {
        cause: "torn out".into(),
    }
}

pub(super) fn untouched() -> BlankEnd {
    BlankEnd::Untouched {
        cause: "wrong chip".into(),
    }
}

/// Returns a journal that says nothing more than that there was one.
pub(super) fn journal() -> Vec<JournalLine> {
    vec![JournalLine {
        at: Timestamp::UNIX_EPOCH,
        step: "identify".into(),
        moment: "outcome".into(),
        evidence: BTreeMap::new(),
    }]
}

/// Makes one document from the queue whole, with a new blank.
pub(super) async fn make(house: &House, sequence: u64) -> (Lease, Run) {
    let chip = house.blank().await;
    let lease = house.lease("slot-1").await.unwrap();
    let run = personalize(house, &lease, chip, Vec::new()).await;
    if let Some(fault) = &run.outcome.fault {
        panic!("{fault}");
    }
    house
        .central
        .report(
            &operator(),
            &report(&lease, sequence, &run, BlankEnd::Personalized),
        )
        .await
        .unwrap();
    (lease, run)
}
