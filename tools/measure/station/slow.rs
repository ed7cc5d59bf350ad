//! A store whose certificates come late.

use std::sync::Arc;
use std::time::Duration;

use api::{
    Actor, ApiError, Centre, CertifyGrant, CertifyRequest, ChannelGrant, ChannelRequest,
    ClaimRequest, ConfirmRequest, Hello, JournalKept, JournalPart, Lease, LeaseRequest,
    ProveRequest, PutKeyGrant, PutKeyRequest, Report, SealGrant, SealRequest, SignLdsGrant,
    SignLdsRequest, StationAct, Welcome,
};
use async_trait::async_trait;

/// A centre whose authority answers after a while.
pub(super) struct Slow<C> {
    pub(super) centre: Arc<C>,
    pub(super) latency: Duration,
}

macro_rules! passed_on {
    ($( $method:ident ( $request:ty ) -> $answer:ty; )+) => {
        #[async_trait]
        impl<C: Centre> Centre for Slow<C> {
            $(
                async fn $method(&self, actor: &Actor, request: &$request) -> Result<$answer, ApiError> {
                    self.centre.$method(actor, request).await
                }
            )+

            async fn certify(
                &self,
                actor: &Actor,
                request: &CertifyRequest,
            ) -> Result<CertifyGrant, ApiError> {
                tokio::time::sleep(self.latency).await;
                self.centre.certify(actor, request).await
            }
        }
    };
}

passed_on! {
    hello(Hello) -> Welcome;
    lease(LeaseRequest) -> Option<Lease>;
    claim(ClaimRequest) -> ();
    open_channel(ChannelRequest) -> ChannelGrant;
    put_keys(PutKeyRequest) -> PutKeyGrant;
    prove(ProveRequest) -> ();
    sign_lds(SignLdsRequest) -> SignLdsGrant;
    seal(SealRequest) -> SealGrant;
    confirm(ConfirmRequest) -> ();
    tell(JournalPart) -> JournalKept;
    report(Report) -> ();
    act(StationAct) -> ();
}
