//! From what the executor asks to what the centre is asked, and back.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use api::{
    Actor, ApiError, Carries, Centre, CertifyGrant, CertifyRequest, ChannelGrant, ChannelOpening,
    ChannelRequest, ClaimRequest, ConfirmRequest, LeaseId, ProveRequest, PutKeyRequest,
    SealRequest, SealedCommand, Secret, SignLdsRequest,
};
use card::Command;
use card::gp::{Key, SessionKeys};
use perso::{Event, Grant, Opening, Refusal, Request};
use profile::StatusPattern;
use tokio::runtime::Handle;
use tracing::Instrument;
use zeroize::Zeroizing;

use crate::drive::Heard;
use crate::telling::Telling;

/// The longest pause between two questions after a certificate.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long is waited between two questions while a card is parked.
const PARKED_PAUSE: Duration = Duration::from_secs(2);
/// The shortest pause between two questions after a certificate.
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);

/// How long a blank in work waits for the centre.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For one answer, its repetitions included.
    pub answer: Duration,
    /// For a certificate: an authority may have a queue, or be away for a while, and a blank with
    /// its keys on it is worth waiting for.
    pub certificate: Duration,
    /// Before each repetition of a request that did not get through.
    pub pauses: Vec<Duration>,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(120),
            certificate: Duration::from_secs(15 * 60),
            pauses: [250, 500, 1000].map(Duration::from_millis).into(),
        }
    }
}

/// Asks the centre on behalf of one lease and one chip.
#[derive(Clone)]
pub struct Bridge {
    centre: Arc<dyn Centre>,
    actor: Actor,
    lease: LeaseId,
    beside: Vec<String>,
    printed: Option<String>,
    parking: Option<Arc<dyn Parking>>,
    patience: Patience,
    telling: Option<Arc<Telling>>,
    runtime: Handle,
    place: usize,
    answers: Sender<Heard>,
}

/// Where a card is held while the centre cannot be reached.
pub trait Parking: Send + Sync {
    /// Says that the card is held. Returns whether it may be held any longer.
    fn hold(&self) -> bool;

    /// Says that the card is not held any longer.
    fn let_go(&self);
}

/// A card that is held, until this is dropped.
struct Held<'a>(&'a dyn Parking);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.let_go();
    }
}

/// An answer on its way. It is given when this is dropped, also by a task that was cut off.
struct Reply {
    answers: Sender<Heard>,
    place: usize,
    id: u32,
    answer: Option<Result<Grant, Refusal>>,
}

impl Reply {
    fn give(mut self, answer: Result<Grant, Refusal>) {
        self.answer = Some(answer);
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        let event = match self.answer.take() {
            Some(Ok(grant)) => Event::Given(self.id, grant),
            Some(Err(refusal)) => Event::Refused(self.id, refusal),
            None => Event::Refused(self.id, Refusal::Other("the request was cut off".into())),
        };
        // Whoever asked may have given up; then nobody needs the answer.
        let _ = self.answers.send(Heard::Event(self.place, event));
    }
}

impl Bridge {
    /// Makes a bridge whose answers go to `answers`.
    pub fn new(
        centre: Arc<dyn Centre>,
        actor: Actor,
        lease: LeaseId,
        runtime: Handle,
        answers: Sender<Heard>,
    ) -> Self {
        Self {
            centre,
            actor,
            lease,
            beside: Vec::new(),
            printed: None,
            parking: None,
            patience: Patience::default(),
            telling: None,
            runtime,
            place: 0,
            answers,
        }
    }

    /// Answers for the chip at this place of the blank, from 0.
    #[must_use]
    pub(crate) fn for_chip(mut self, place: usize) -> Self {
        self.place = place;
        self
    }

    /// Names the other chips of the blank, which a claim tells the centre.
    #[must_use]
    pub fn beside(mut self, chips: Vec<String>) -> Self {
        self.beside = chips;
        self
    }

    /// Names what is printed on the blank, where it was read, which a claim tells the centre.
    #[must_use]
    pub fn printed(mut self, serial: Option<String>) -> Self {
        self.printed = serial;
        self
    }

    /// Holds the card while the centre cannot be reached, instead of failing it.
    #[must_use]
    pub fn parked_at(mut self, parking: Arc<dyn Parking>) -> Self {
        self.parking = Some(parking);
        self
    }

    /// Lets the centre have what is written down before it is asked for anything that is made of a
    /// chip's keys: who goes on elsewhere knows these then.
    #[must_use]
    pub(crate) fn telling(mut self, telling: Arc<Telling>) -> Self {
        self.telling = Some(telling);
        self
    }

    /// Waits so long.
    #[must_use]
    pub fn patient(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// Sends a request on its way for a chip and returns at once. An answer comes in any case:
    /// a request that dies or takes too long is refused here.
    pub fn ask(&self, id: u32, chip: String, request: Request) {
        let bridge = self.clone();
        let reply = Reply {
            answers: self.answers.clone(),
            place: self.place,
            id,
            answer: None,
        };
        let patience = match request {
            Request::Certify { .. } => self.patience.certificate,
            _ => self.patience.answer,
        };
        let work = async move {
            let answered = bridge.insist(chip, request, patience).await;
            if let (Err(ApiError::Moved { .. }), Some(telling)) = (&answered, &bridge.telling) {
                telling.note_moved(bridge.lease);
            }
            reply.give(match answered {
                Ok(grant) => Ok(grant),
                Err(ApiError::WrongKeys) => Err(Refusal::WrongKeys),
                Err(ApiError::NotOneBlank { reason }) => Err(Refusal::NotOneBlank(reason)),
                Err(other) => Err(Refusal::Other(other.to_string())),
            });
        };
        self.runtime.spawn(work.in_current_span());
    }

    /// Asks again where the centre is not to be had: every request may be repeated. Beyond a moment
    /// only for a card that is parked, as long as it may be.
    async fn insist(
        &self,
        chip: String,
        request: Request,
        patience: Duration,
    ) -> Result<Grant, ApiError> {
        let parking = self.parking.as_deref();
        // Behind a sealed stage no station gets a channel for what it does not know to be done.
        let is_of_keys = matches!(
            request,
            Request::Certify { .. } | Request::SignLds { .. } | Request::Seal { .. }
        );
        let telling = self.telling.as_deref().filter(|_| is_of_keys);
        let written = telling.map(|telling| {
            let lines = telling.written(self.lease)?;
            Ok::<_, ApiError>((telling, lines))
        });
        let written = written.transpose()?;
        let fetch = async || {
            if let Some((telling, lines)) = written {
                telling.tell(self.lease, lines).await?;
            }
            self.fetch(chip.clone(), request.clone()).await
        };
        insist((patience, &self.patience.pauses), parking, fetch).await
    }

    async fn fetch(&self, chip: String, request: Request) -> Result<Grant, ApiError> {
        let (centre, actor, lease) = (&self.centre, &self.actor, self.lease);
        Ok(match request {
            Request::Claim => {
                let beside = self.beside.clone();
                let request = ClaimRequest {
                    lease,
                    chip,
                    beside,
                    printed: self.printed.clone(),
                };
                centre.claim(actor, &request).await?;
                Grant::Claimed
            }
            Request::OpenChannel(opening) => {
                let request = ChannelRequest {
                    lease,
                    chip,
                    opening: told(opening),
                };
                opened(centre.open_channel(actor, &request).await?)?
            }
            Request::PutKeys { opening, new, adds } => {
                let request = PutKeyRequest {
                    lease,
                    chip,
                    opening: told(opening),
                    new,
                    adds,
                };
                let grant = centre.put_keys(actor, &request).await?;
                let commands = grant.commands.iter();
                Grant::PutKeys {
                    commands: commands.map(parse).collect::<Result<_, _>>()?,
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
                    match centre.certify(actor, &request).await? {
                        CertifyGrant::Issued {
                            certificate: der,
                            challenge,
                        } => break Grant::Certificate { der, challenge },
                        CertifyGrant::Pending { after } => {
                            let after = Duration::from_millis(after);
                            tokio::time::sleep(after.clamp(SHORTEST_PAUSE, LONGEST_PAUSE)).await;
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
                centre.prove(actor, &request).await?;
                Grant::Proved
            }
            Request::SignLds { keys } => {
                let request = SignLdsRequest { lease, chip, keys };
                let grant = centre.sign_lds(actor, &request).await?;
                Grant::SignedLds { files: grant.files }
            }
            Request::Seal {
                stage,
                opening,
                limits,
                pins,
            } => {
                let pins = pins.iter().map(|(pin, digits)| {
                    let digits = Secret::new(digits.as_bytes().unwrap_or_default());
                    (pin.clone(), digits)
                });
                let request = SealRequest {
                    lease,
                    chip,
                    stage,
                    opening: opening.map(told),
                    carries: Carries {
                        command: bounded(limits.command),
                        response: bounded(limits.response),
                        extended: limits.extended,
                    },
                    pins: pins.collect(),
                };
                let grant = centre.seal(actor, &request).await?;
                let commands = grant.commands.iter().map(sealed);
                Grant::Sealed {
                    commands: commands.collect::<Result<_, _>>()?,
                    publics: grant.publics,
                }
            }
            Request::Confirm { stage, answers } => {
                centre
                    .confirm(
                        actor,
                        &ConfirmRequest {
                            lease,
                            chip,
                            stage,
                            answers,
                        },
                    )
                    .await?;
                Grant::Confirmed
            }
        })
    }
}

/// Asks again where the centre is not to be had, each time waiting `within` for its answer. Beyond the
/// `pauses` only for a card that is parked, as long as it may be.
pub(crate) async fn insist<T, F: Future<Output = Result<T, ApiError>>>(
    (within, pauses): (Duration, &[Duration]),
    parking: Option<&dyn Parking>,
    ask: impl Fn() -> F,
) -> Result<T, ApiError> {
    let mut pauses = pauses.iter().copied();
    let mut held = None;
    loop {
        let Ok(answered) = tokio::time::timeout(within, ask()).await else {
            return Err(ApiError::Unavailable {
                reason: format!("it did not answer within {} s", within.as_secs()),
            });
        };
        if !matches!(answered, Err(ApiError::Unavailable { .. })) {
            return answered;
        }
        let pause = match (pauses.next(), parking) {
            (Some(pause), _) => pause,
            (None, Some(parking)) if parking.hold() => {
                held.get_or_insert_with(|| Held(parking));
                PARKED_PAUSE
            }
            (None, _) => return answered,
        };
        tokio::time::sleep(pause).await;
    }
}

fn bounded(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

fn told(opening: Opening) -> ChannelOpening {
    ChannelOpening {
        key_set: opening.key_set,
        host_challenge: opening.host_challenge,
        answers: opening.answers,
    }
}

fn opened(grant: ChannelGrant) -> Result<Grant, ApiError> {
    let bytes = |secret: Secret| Zeroizing::new(secret.expose().to_vec());
    let key = |secret: &Secret| Key::new(secret.expose()).map_err(|_| malformed("a session key"));
    Ok(match grant {
        ChannelGrant::SessionKeys { enc, mac, rmac } => Grant::SessionKeys(Box::new(SessionKeys {
            enc: key(&enc)?,
            mac: key(&mac)?,
            rmac: key(&rmac)?,
            // Key sets are put by commands that the centre makes; a station needs no S-DEK.
            dek: None,
        })),
        ChannelGrant::Proof { proof, answer } => Grant::Proof {
            proof: bytes(proof),
            answer: answer.map(bytes),
        },
    })
}

fn sealed(command: &SealedCommand) -> Result<(Command, Vec<StatusPattern>), ApiError> {
    let expect = command.expect.iter().map(|word| word.parse());
    let expect = expect.collect::<Result<_, _>>();
    Ok((
        parse(&command.command)?,
        expect.map_err(|_| malformed("a status word"))?,
    ))
}

fn parse(command: &Secret) -> Result<Command, ApiError> {
    Command::parse(command.expose()).map_err(|_| malformed("a command"))
}

fn malformed(what: &str) -> ApiError {
    ApiError::Invalid {
        reason: format!("the centre's answer holds {what} that cannot be read"),
    }
}

#[cfg(test)]
mod tests;
