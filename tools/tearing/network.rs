//! The way from a station to its centre.

use std::sync::Arc;

use api::{
    Actor, ApiError, Centre, CertifyGrant, CertifyRequest, ChannelGrant, ChannelRequest,
    ClaimRequest, ConfirmRequest, Hello, JournalKept, JournalPart, Lease, LeaseRequest,
    ProveRequest, PutKeyGrant, PutKeyRequest, Report, SealGrant, SealRequest, SignLdsGrant,
    SignLdsRequest, StationAct, Welcome,
};
use async_trait::async_trait;

use crate::carried::Lines;
use crate::fault::{Fault, Seam};
use crate::trip::Trip;

/// A centre behind a network that may be cut, as one life of the station reaches it.
pub(crate) struct Network {
    pub(crate) centre: Arc<dyn Centre>,
    pub(crate) trip: Arc<Trip>,
    /// What becomes of the journal's lines on the way.
    pub(crate) lines: Lines,
}

impl Network {
    async fn carry<T>(
        &self,
        call: impl Future<Output = Result<T, ApiError>> + Send,
    ) -> Result<T, ApiError> {
        let lost = |reason: &str| {
            Err(ApiError::Unavailable {
                reason: reason.into(),
            })
        };
        match self.trip.pass(Seam::Call) {
            Some(Fault::RequestLost | Fault::CentreAway) => lost("no route to it"),
            Some(Fault::AnswerLost) => {
                // Whatever it was, nobody hears it.
                let _ = call.await;
                lost("the connection was cut")
            }
            Some(Fault::KilledAtCall) => {
                let _ = call.await;
                self.trip.die()
            }
            _ => call.await,
        }
    }
}

#[async_trait]
impl Centre for Network {
    async fn hello(&self, actor: &Actor, request: &Hello) -> Result<Welcome, ApiError> {
        self.carry(self.centre.hello(actor, request)).await
    }

    async fn lease(
        &self,
        actor: &Actor,
        request: &LeaseRequest,
    ) -> Result<Option<Lease>, ApiError> {
        self.carry(self.centre.lease(actor, request)).await
    }

    async fn claim(&self, actor: &Actor, request: &ClaimRequest) -> Result<(), ApiError> {
        self.carry(self.centre.claim(actor, request)).await
    }

    async fn open_channel(
        &self,
        actor: &Actor,
        request: &ChannelRequest,
    ) -> Result<ChannelGrant, ApiError> {
        self.carry(self.centre.open_channel(actor, request)).await
    }

    async fn put_keys(
        &self,
        actor: &Actor,
        request: &PutKeyRequest,
    ) -> Result<PutKeyGrant, ApiError> {
        self.carry(self.centre.put_keys(actor, request)).await
    }

    async fn certify(
        &self,
        actor: &Actor,
        request: &CertifyRequest,
    ) -> Result<CertifyGrant, ApiError> {
        self.carry(self.centre.certify(actor, request)).await
    }

    async fn prove(&self, actor: &Actor, request: &ProveRequest) -> Result<(), ApiError> {
        self.carry(self.centre.prove(actor, request)).await
    }

    async fn sign_lds(
        &self,
        actor: &Actor,
        request: &SignLdsRequest,
    ) -> Result<SignLdsGrant, ApiError> {
        self.carry(self.centre.sign_lds(actor, request)).await
    }

    async fn seal(&self, actor: &Actor, request: &SealRequest) -> Result<SealGrant, ApiError> {
        self.carry(self.centre.seal(actor, request)).await
    }

    async fn confirm(&self, actor: &Actor, request: &ConfirmRequest) -> Result<(), ApiError> {
        self.carry(self.centre.confirm(actor, request)).await
    }

    async fn tell(&self, actor: &Actor, part: &JournalPart) -> Result<JournalKept, ApiError> {
        // How often it is told depends on how fast that is: no case has its place there.
        if self.trip.pass_by(Seam::Call).is_some() || self.lines.drops(part) {
            return Err(ApiError::Unavailable {
                reason: "no route to it".into(),
            });
        }
        self.centre.tell(actor, part).await
    }

    async fn report(&self, actor: &Actor, report: &Report) -> Result<(), ApiError> {
        self.carry(self.centre.report(actor, report)).await
    }

    async fn act(&self, actor: &Actor, act: &StationAct) -> Result<(), ApiError> {
        self.carry(self.centre.act(actor, act)).await
    }
}
