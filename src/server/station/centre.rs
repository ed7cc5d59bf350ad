//! Each method of [`api::Centre`] as `POST /v1/station/NAME`.
//!
//! A method may be repeated after a lost answer, so that a client need not know whether its request
//! arrived: the store gives the same answer and does nothing twice.

use api::{
    Centre, CertifyRequest, ChannelRequest, ClaimRequest, ConfirmRequest, Hello, JournalPart,
    Lease, LeaseRequest, ProveRequest, PutKeyRequest, Report, SealRequest, SignLdsRequest,
    StationAct,
};
use document::Act;

use crate::problem::Problem;
use crate::state::Server;
use crate::station::asker::Asker;
use crate::station::operation::{Operation, Trace, does};

/// Leases a document. For which office the station works is in the books, whatever it says itself.
async fn lease(
    server: Server,
    Asker { actor, office }: Asker,
    mut request: LeaseRequest,
) -> Result<Option<Lease>, Problem> {
    request.office = office;
    let lease = server.central().lease(&actor, &request).await?;
    if let (Some(_), Some(metrics)) = (&lease, server.metrics()) {
        metrics.leased();
    }
    Ok(lease)
}

/// Takes in how a lease ended.
async fn report(server: Server, Asker { actor, .. }: Asker, report: Report) -> Result<(), Problem> {
    server.central().report(&actor, &report).await?;
    if let Some(metrics) = server.metrics() {
        metrics.reported(&report.end);
    }
    Ok(())
}

/// Answers with a method of the store.
macro_rules! method {
    ($method:ident ( $request:ty )) => {
        does(
            |server: Server, Asker { actor, .. }: Asker, request: $request| async move {
                let answer = server.central().$method(&actor, &request).await;
                answer.map_err(Problem::from)
            },
        )
    };
}

/// Returns the operations. The right is that of a new document: under a lease for new PINs the store
/// wants the one to them, and what was done is reported by whoever had the lease.
pub(crate) fn operations() -> Vec<Operation> {
    let right = Act::PersonalizeDocument;
    vec![
        Operation::of_person(
            "hello",
            "Tells how far the station's journal goes, and learns what the store has of it.",
            method!(hello(Hello)),
            right,
            Trace::Changes("station.reconciled"),
        ),
        Operation::of_person(
            "lease",
            "Leases the most urgent document that the slot can make, or nothing.",
            does(lease),
            right,
            Trace::Changes("document.leased"),
        ),
        Operation::of_person(
            "claim",
            "Takes note of the chip that a document is put on.",
            method!(claim(ClaimRequest)),
            right,
            Trace::Changes("chip.claimed"),
        ),
        Operation::of_person(
            "open-channel",
            "Gives session keys for a chip, or the issuer's proof, once per challenge.",
            method!(open_channel(ChannelRequest)),
            right,
            Trace::Always("channel.opened"),
        ),
        Operation::of_person(
            "put-keys",
            "Gives ready commands that put another key set on the chip.",
            method!(put_keys(PutKeyRequest)),
            right,
            Trace::Always("keys.given"),
        ),
        Operation::of_person(
            "certify",
            "Gets a certificate, on hold, for a key whose possession the request proves.",
            method!(certify(CertifyRequest)),
            right,
            Trace::Always("certificate.issued"),
        ),
        Operation::of_person(
            "prove",
            "Takes the chip's signature under a certificate.",
            method!(prove(ProveRequest)),
            right,
            Trace::Always("certificate.proved"),
        ),
        Operation::of_person(
            "sign-lds",
            "Signs the security object over a travel chip's files.",
            method!(sign_lds(SignLdsRequest)),
            right,
            Trace::Always("lds.signed"),
        ),
        Operation::of_person(
            "seal",
            "Gives the commands of a sealed stage.",
            method!(seal(SealRequest)),
            right,
            Trace::Always("stage.sealed"),
        ),
        Operation::of_person(
            "confirm",
            "Checks that the answers to a sealed stage are the chip's own.",
            method!(confirm(ConfirmRequest)),
            right,
            Trace::Always("stage.confirmed"),
        ),
        Operation::of_person(
            "journal",
            "Takes in what the station wrote down of a document in work, as it is written.",
            method!(tell(JournalPart)),
            right,
            Trace::Refused("journal.kept"),
        ),
        Operation::of_person(
            "report",
            "Takes in how a lease ended.",
            does(report),
            right,
            Trace::Always("lease.reported"),
        ),
        Operation::of_person(
            "act",
            "Takes in what a person did at the station itself: the shift, orders to its slots.",
            method!(act(StationAct)),
            right,
            Trace::Always("station.act"),
        ),
    ]
}
