//! From what the executor asks to what the centre is asked, and back.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use api::{
    Actor, ApiError, Centre, CertifyRequest, ChannelRequest, ConfirmRequest, LeaseId,
    PutKeyRequest, SealRequest,
};
use card::Command;
use card::gp::{Key, SessionKeys};
use perso::{Grant, Refusal, Request};
use tokio::runtime::Handle;

use crate::drive::Answer;

/// Asks the centre on behalf of one lease and one chip.
#[derive(Clone)]
pub struct Bridge {
    centre: Arc<dyn Centre>,
    actor: Actor,
    lease: LeaseId,
    runtime: Handle,
    answers: Sender<Answer>,
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

    /// Sends a request on its way for a chip and returns at once.
    pub fn ask(&self, id: u32, chip: String, request: Request) {
        let bridge = self.clone();
        self.runtime.spawn(async move {
            let answer = bridge
                .fetch(chip, request)
                .await
                .map_err(|error| match error {
                    ApiError::WrongKeys => Refusal::WrongKeys,
                    other => Refusal::Other(other.to_string()),
                });
            // Whoever asked may have given up; then nobody needs the answer.
            let _ = bridge.answers.send((id, answer));
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
