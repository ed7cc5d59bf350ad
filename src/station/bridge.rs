//! From what the executor asks to what the centre is asked, and back.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use api::{
    Actor, ApiError, Centre, CertifyRequest, ChannelGrant, ChannelOpening, ChannelRequest,
    ConfirmRequest, LeaseId, PutKeyRequest, SealRequest, SealedCommand, Secret,
};
use card::Command;
use card::gp::{Key, SessionKeys};
use perso::{Grant, Opening, Refusal, Request};
use profile::StatusPattern;
use tokio::runtime::Handle;
use zeroize::Zeroizing;

use crate::drive::Answer;

/// How long the centre may take for one answer. A certificate authority may need a while.
const PATIENCE: Duration = Duration::from_secs(120);

/// Asks the centre on behalf of one lease and one chip.
#[derive(Clone)]
pub struct Bridge {
    centre: Arc<dyn Centre>,
    actor: Actor,
    lease: LeaseId,
    runtime: Handle,
    answers: Sender<Answer>,
}

/// An answer on its way. It is given when this is dropped, also by a task that was cut off.
struct Reply {
    answers: Sender<Answer>,
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
        let cut_off = || Err(Refusal::Other("the request was cut off".into()));
        // Whoever asked may have given up; then nobody needs the answer.
        let _ = self
            .answers
            .send((self.id, self.answer.take().unwrap_or_else(cut_off)));
    }
}

impl Bridge {
    /// Makes a bridge whose answers go to `answers`.
    pub fn new(
        centre: Arc<dyn Centre>,
        actor: Actor,
        lease: LeaseId,
        runtime: Handle,
        answers: Sender<Answer>,
    ) -> Self {
        Self {
            centre,
            actor,
            lease,
            runtime,
            answers,
        }
    }

    /// Sends a request on its way for a chip and returns at once. An answer comes in any case:
    /// a request that dies or takes too long is refused here.
    pub fn ask(&self, id: u32, chip: String, request: Request) {
        let bridge = self.clone();
        let reply = Reply {
            answers: self.answers.clone(),
            id,
            answer: None,
        };
        self.runtime.spawn(async move {
            let fetched = tokio::time::timeout(PATIENCE, bridge.fetch(chip, request)).await;
            reply.give(match fetched {
                Ok(Ok(grant)) => Ok(grant),
                Ok(Err(ApiError::WrongKeys)) => Err(Refusal::WrongKeys),
                Ok(Err(other)) => Err(Refusal::Other(other.to_string())),
                Err(_) => Err(Refusal::Other(format!(
                    "it did not answer within {} s",
                    PATIENCE.as_secs()
                ))),
            });
        });
    }

    async fn fetch(&self, chip: String, request: Request) -> Result<Grant, ApiError> {
        let (centre, actor, lease) = (&self.centre, &self.actor, self.lease);
        Ok(match request {
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
                Grant::Certificate(centre.certify(actor, &request).await?)
            }
            Request::Seal {
                stage,
                opening,
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
