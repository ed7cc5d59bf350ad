//! From what the executor asks to what the centre is asked, and back.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use api::{
    Actor, ApiError, Centre, CertifyRequest, ChannelRequest, ConfirmRequest, LeaseId,
    PutKeyRequest, SealRequest,
};
use card::Command;
use card::gp::{Key, SessionKeys};
use perso::{Grant, Refusal, Request};
use tokio::runtime::Handle;

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
            Request::OpenChannel {
                key_set,
                host_challenge,
                initialize_update,
            } => {
                let request = ChannelRequest {
                    lease,
                    chip,
                    key_set,
                    host_challenge,
                    initialize_update,
                };
                let keys = centre.open_channel(actor, &request).await?;
                let key = |secret: &api::Secret| {
                    Key::new(secret.expose()).map_err(|_| malformed("a session key"))
                };
                Grant::SessionKeys(Box::new(SessionKeys {
                    enc: key(&keys.enc)?,
                    mac: key(&keys.mac)?,
                    rmac: key(&keys.rmac)?,
                    dek: None,
                }))
            }
            Request::ReplaceKeys {
                current,
                new,
                diversification,
            } => {
                let request = PutKeyRequest {
                    lease,
                    chip,
                    current,
                    new,
                    diversification,
                };
                let grant = centre.replace_keys(actor, &request).await?;
                Grant::PutKey {
                    command: parse(&grant.command)?,
                    kcvs: grant.kcvs,
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
                key_set,
                host_challenge,
                initialize_update,
            } => {
                let channel = ChannelRequest {
                    lease,
                    chip,
                    key_set,
                    host_challenge,
                    initialize_update,
                };
                let grant = centre.seal(actor, &SealRequest { channel, stage }).await?;
                Grant::Sealed(
                    grant
                        .commands
                        .iter()
                        .map(|command| parse(command))
                        .collect::<Result<_, _>>()?,
                )
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

fn parse(command: &[u8]) -> Result<Command, ApiError> {
    Command::parse(command).map_err(|_| malformed("a command"))
}

fn malformed(what: &str) -> ApiError {
    ApiError::Invalid {
        reason: format!("the centre's answer holds {what} that cannot be read"),
    }
}
