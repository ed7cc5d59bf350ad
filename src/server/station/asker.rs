//! Who asks: the station by its certificate, the person by a session that was opened at it.

use api::{Actor, wire};
use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use central::{KnownStation, StationRefusal, Visit};
use document::{Environment, OfficeCode};
use jiff::{SignedDuration, Timestamp};

use crate::peer::{Peer, source_of};
use crate::problem::{Fault, Problem};
use crate::state::Server;

/// How exactly it is written down when a station was heard of: not every request writes.
const GRAIN: SignedDuration = SignedDuration::from_secs(60);

/// The station of a request.
pub(crate) struct At(pub(crate) KnownStation);

/// The station and the person of a request.
pub(crate) struct Asker {
    pub(crate) actor: Actor,
    /// The office whose own station it is; none for the centre's.
    pub(crate) office: Option<OfficeCode>,
}

/// Returns the station at the other end of a connection; none where it showed no certificate.
///
/// # Errors
/// A problem that says why the certificate is not accepted.
pub(crate) async fn station_of(
    server: &Server,
    peer: Option<&Peer>,
) -> Result<Option<KnownStation>, Problem> {
    let Some(certificate) = peer.and_then(|peer| peer.certificate.as_deref()) else {
        return Ok(None);
    };
    let central = server.central();
    match central.recognise_station(certificate).await {
        Ok(station) => {
            let now = central.now();
            let heard = |seen: Timestamp| now.duration_since(seen).abs() < GRAIN;
            if station.is_new || !station.seen.is_some_and(heard) {
                central.station_seen(&station).await?;
            }
            Ok(Some(station))
        }
        Err(StationRefusal::Store(error)) => Err(error.into()),
        Err(refusal) => {
            turned_away(server, peer, &refusal).await;
            Err(Problem::new(Fault::Certificate, refusal.to_string()))
        }
    }
}

/// Tells the log. Whoever is no station of this house could fill the audit log: only the server's
/// own log hears of such a one.
async fn turned_away(server: &Server, peer: Option<&Peer>, refusal: &StationRefusal) {
    let address = peer.map(|peer| peer.address.to_string());
    tracing::warn!(address, %refusal, "a certificate is not accepted");
    let Some(station) = refusal.station() else {
        return;
    };
    if !server.turned_away().is_news(station) {
        return;
    }
    if let Err(error) = server.central().station_turned_away(station, refusal).await {
        tracing::error!(%error, "a refusal is not in the audit log");
    }
}

impl FromRequestParts<Server> for At {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, server: &Server) -> Result<Self, Problem> {
        let peer = parts.extensions.get::<Peer>();
        let found = station_of(server, peer).await;
        let Ok(Some(station)) = found else {
            server.pace(&source_of(peer), server.limits().people.address)?;
            let detail = "this is for stations: show the station's certificate (TLS client)";
            let nobody = || Problem::new(Fault::Certificate, detail);
            return Err(found.err().unwrap_or_else(nobody));
        };
        // No session is called so, and no address.
        let whose = format!("station/{}", station.name);
        server.pace(&whose, server.limits().station)?;
        Ok(At(station))
    }
}

impl FromRequestParts<Server> for Asker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, server: &Server) -> Result<Self, Problem> {
        let At(station) = At::from_request_parts(parts, server).await?;
        let said = parts.headers.get(wire::PERSON);
        let said = said.map(|said| {
            let said = said.to_str().map_err(|_| {
                Problem::new(Fault::Invalid, "the person is named by the account's name")
            })?;
            Ok::<_, Problem>(said.to_owned())
        });
        let said = said.transpose()?;
        let Some(token) = bearer(parts)? else {
            return unproved(server, station, said);
        };
        let address = parts.extensions.get::<Peer>().map(|peer| peer.address.ip());
        let visit = Visit {
            source: address.map_or_else(|| "unknown".to_owned(), |ip| ip.to_string()),
            station: Some(station.name),
        };
        let session = server.central().session(token, &visit).await?;
        match said {
            Some(said) if said.to_lowercase() != session.actor.person => {
                let detail = "the session is another person's; let the person sign in here";
                Err(Problem::new(Fault::Unauthenticated, detail))
            }
            _ => Ok(Self {
                actor: session.actor,
                office: station.office,
            }),
        }
    }
}

/// Takes a test station's word for who is signed in at it; production demands a session.
fn unproved(
    server: &Server,
    station: KnownStation,
    said: Option<String>,
) -> Result<Asker, Problem> {
    match (server.central().environment(), said) {
        (Environment::Test, Some(person)) => Ok(Asker {
            actor: Actor {
                station: station.name,
                person,
            },
            office: station.office,
        }),
        _ => {
            let detail =
                "let a person sign in at the station; their session comes as Authorization: Bearer";
            Err(Problem::new(Fault::Unauthenticated, detail))
        }
    }
}

/// Returns the session's token (*RFC 6750 §2.1*).
fn bearer(parts: &Parts) -> Result<Option<&str>, Problem> {
    let Some(header) = parts.headers.get(AUTHORIZATION) else {
        return Ok(None);
    };
    let token = header.to_str().ok().and_then(|header| {
        let (scheme, token) = header.split_once(' ')?;
        scheme
            .eq_ignore_ascii_case("bearer")
            .then_some(token.trim())
    });
    token.map(Some).ok_or_else(|| {
        Problem::new(
            Fault::Unauthenticated,
            "a session comes as Authorization: Bearer",
        )
    })
}
