//! What central and station say to each other: the types of `/v1` and the trait that both
//! speak. Nothing here knows a network or a database; [`wire`] says how it looks on one.
//!
//! ```text
//! station ── hello ──────────► what the store has of it, and whether it was restored
//!         ── lease ──────────► a document to make, and the profiles it is made with
//!         ── open_channel ───► session keys or a proof for one chip and one challenge
//!         ── put_keys ───────► ready commands that put another key set
//!         ── certify ────────► a certificate, on hold until the hand-over, and a challenge
//!         ── prove ──────────► the chip's signature over that challenge
//!         ── sign_lds ───────► the travel chip's files that hold its keys, and its security object
//!         ── seal, confirm ──► the holder's PINs, in commands that only the chip can read
//!         ── tell ───────────► what is written down of a document in work, as it is written
//!         ── report, act ────► how it ended, and what people did there: exactly once, in order
//! ```

mod act;
mod error;
mod journal;
mod lease;
mod reconcile;
mod register;
mod report;
mod request;
mod secret;
pub mod wire;

pub use act::StationAct;
pub use error::ApiError;
pub use journal::{JournalKept, JournalPart, MOST_LINES};
pub use lease::{
    BegunElsewhere, ConfirmedStage, FacePictures, Lease, LeaseId, LeaseRequest, MOST_AMONG,
    PrintsWith, ProfilePin,
};
pub use reconcile::{Epoch, Hello, Standing, Welcome};
pub use register::{
    ANSWER_TYPE, EntryAnswer, EntryState, PACKAGE_TYPE, PackageAnswer, PackageState, REPORT_TYPE,
    REQUEST_TYPE, RegisterEvent, RegisterReport, RegisterRequest,
};
pub use report::{BlankEnd, CAUSE_LIMIT, JournalLine, Report, ReportedChip, cause_of};
pub use request::{
    Carries, CertifyGrant, CertifyRequest, ChannelGrant, ChannelOpening, ChannelRequest,
    ClaimRequest, ConfirmRequest, ProveRequest, PutKeyGrant, PutKeyRequest, SealGrant, SealRequest,
    SealedCommand, SignLdsGrant, SignLdsRequest,
};
pub use secret::Secret;

use async_trait::async_trait;

/// Who acts: every request carries the station and the person at it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Actor {
    /// The station's name, by its certificate once there is a network.
    pub station: String,
    /// The account of the operator who is signed in.
    pub person: String,
}

/// The central store as a station sees it.
///
/// Every method may be repeated after a lost answer: the same request gives the same answer
/// and does nothing twice.
#[async_trait]
pub trait Centre: Send + Sync {
    /// Tells how far the station's journal goes, and learns what the store has of it. A station says
    /// it before it asks for work: a store that was restored from a backup lacks reports that it
    /// acknowledged, and gets them again.
    async fn hello(&self, actor: &Actor, request: &Hello) -> Result<Welcome, ApiError>;

    /// Leases the most urgent document that the slot can make, or nothing.
    async fn lease(&self, actor: &Actor, request: &LeaseRequest)
    -> Result<Option<Lease>, ApiError>;

    /// Takes note of the chip that a document of this lease is put on, before anything that lasts is
    /// done to it. A chip that is in no book, or not free, is refused.
    async fn claim(&self, actor: &Actor, request: &ClaimRequest) -> Result<(), ApiError>;

    /// Gives session keys for a chip of this lease, or the issuer's proof, once per challenge. A
    /// chip's cryptogram is checked here, so that wrong keys are found out without using an
    /// attempt of the chip.
    async fn open_channel(
        &self,
        actor: &Actor,
        request: &ChannelRequest,
    ) -> Result<ChannelGrant, ApiError>;

    /// Gives ready commands that put another key set on the chip.
    async fn put_keys(
        &self,
        actor: &Actor,
        request: &PutKeyRequest,
    ) -> Result<PutKeyGrant, ApiError>;

    /// Gets a certificate, on hold, for a key whose possession the request proves.
    async fn certify(
        &self,
        actor: &Actor,
        request: &CertifyRequest,
    ) -> Result<CertifyGrant, ApiError>;

    /// Takes the chip's signature under a certificate over the challenge that came with it. Without
    /// it no certificate becomes active, and no stage that sets the holder's PINs is sealed.
    async fn prove(&self, actor: &Actor, request: &ProveRequest) -> Result<(), ApiError>;

    /// Makes the files that hold a travel chip's keys, and signs the security object over them and
    /// over what data preparation made. The hashes are all computed here.
    async fn sign_lds(
        &self,
        actor: &Actor,
        request: &SignLdsRequest,
    ) -> Result<SignLdsGrant, ApiError>;

    /// Gives the commands of a sealed stage; the channel's keys stay at the centre.
    async fn seal(&self, actor: &Actor, request: &SealRequest) -> Result<SealGrant, ApiError>;

    /// Checks that the answers to a sealed stage are the chip's own.
    async fn confirm(&self, actor: &Actor, request: &ConfirmRequest) -> Result<(), ApiError>;

    /// Takes in what the station wrote down of a document in work, and says how far it has it. Nothing
    /// is done by it: it is what another station goes on by, where this one never comes back.
    async fn tell(&self, actor: &Actor, part: &JournalPart) -> Result<JournalKept, ApiError>;

    /// Takes in how a lease ended. A report that is this station's and the next is always taken
    /// in: one that cannot be true stands in the audit log as refused, and its blank is put aside as
    /// spoiled; one under a lease that the store does not know is kept as evidence, with an incident.
    async fn report(&self, actor: &Actor, report: &Report) -> Result<(), ApiError>;

    /// Takes in what a person did at the station itself, in the one order of its reports and acts. One
    /// that is the next is always taken in: what cannot be true stands in the audit log as refused, with
    /// an incident.
    async fn act(&self, actor: &Actor, act: &StationAct) -> Result<(), ApiError>;
}
