//! The store as a station sees it.

use std::future::Future;

use api::{
    Actor, ApiError, Centre, CertifyGrant, CertifyRequest, ChannelGrant, ChannelRequest,
    ClaimRequest, ConfirmRequest, Hello, JournalKept, JournalPart, Lease, LeaseRequest,
    ProveRequest, PutKeyGrant, PutKeyRequest, Report, SealGrant, SealRequest, SignLdsGrant,
    SignLdsRequest, StationAct, Welcome,
};
use async_trait::async_trait;
use tracing::Instrument;

use crate::central::Central;
use crate::error::{CentralError, Result};

/// Runs an act to its end, whether or not its caller waits for it: a certificate must not be
/// signed for somebody who gave up, and then be in no book.
async fn whole<T: Send + 'static>(
    name: &'static str,
    act: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T, ApiError> {
    let act = act.instrument(tracing::info_span!("act", name));
    let ended = tokio::spawn(act).await.map_err(|_| CentralError::Ending)?;
    Ok(ended?)
}

macro_rules! centre {
    ($( $method:ident ( $request:ty ) -> $answer:ty = $act:ident; )+) => {
        #[async_trait]
        impl Centre for Central {
            $(
                async fn $method(&self, actor: &Actor, request: &$request) -> Result<$answer, ApiError> {
                    let (central, actor, request) = (self.clone(), actor.clone(), request.clone());
                    whole(stringify!($method), async move { central.$act(&actor, &request).await }).await
                }
            )+
        }
    };
}

centre! {
    hello(Hello) -> Welcome = greet_station;
    lease(LeaseRequest) -> Option<Lease> = lease_document;
    claim(ClaimRequest) -> () = claim_chip;
    open_channel(ChannelRequest) -> ChannelGrant = give_channel;
    put_keys(PutKeyRequest) -> PutKeyGrant = give_put_keys;
    certify(CertifyRequest) -> CertifyGrant = certify_key;
    prove(ProveRequest) -> () = prove_key;
    sign_lds(SignLdsRequest) -> SignLdsGrant = sign_chip_lds;
    seal(SealRequest) -> SealGrant = seal_stage;
    confirm(ConfirmRequest) -> () = confirm_stage;
    tell(JournalPart) -> JournalKept = keep_journal;
    report(Report) -> () = take_report;
    act(StationAct) -> () = take_act;
}
