//! What every request of a person passes before its handler runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::RequestExt;
use axum::Router;
use axum::body::{Bytes, HttpBody, to_bytes};
use axum::extract::{Query, RawPathParams, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, IF_MATCH};
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter};
use central::{Asked, Expected, Look, Session, Visit};
use document::may;
use serde::Deserialize;

use crate::peer::{Peer, source_of};
use crate::people::answer::Answer;
use crate::people::call::Call;
use crate::people::confirmations;
use crate::people::once::{self, Turn};
use crate::people::operation::{Access, JSON, Operation, Trace};
use crate::people::operations;
use crate::problem::{Fault, Problem};
use crate::state::Server;
use crate::station::station_of;

/// The longest part of a path, or field of a query.
const MAX_TEXT: usize = 512;

/// The most tags of an `If-Match`.
const MAX_TAGS: usize = 16;

/// Returns the routes of all operations.
pub(crate) fn people_router() -> Router<Server> {
    let mut routes: BTreeMap<&'static str, MethodRouter<Server>> = BTreeMap::new();
    for operation in operations() {
        let filter = match operation.method {
            Method::POST => MethodFilter::POST,
            Method::PUT => MethodFilter::PUT,
            Method::DELETE => MethodFilter::DELETE,
            _ => MethodFilter::GET,
        };
        let path = operation.path;
        let operation = Arc::new(operation);
        let handler = move |State(server): State<Server>, request: Request| {
            let operation = Arc::clone(&operation);
            async move { serve(&server, &operation, request).await }
        };
        let there = routes.remove(path).unwrap_or_default();
        routes.insert(path, there.on(filter, handler));
    }
    let router = Router::new();
    routes.into_iter().fold(router, |router, (path, methods)| {
        router.route(path, methods)
    })
}

async fn serve(server: &Server, operation: &Operation, request: Request) -> Response {
    match answer(server, operation, request).await {
        Ok(answer) => answer.into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn answer(
    server: &Server,
    operation: &Operation,
    mut request: Request,
) -> Result<Answer, Problem> {
    let peer = request.extensions().get::<Peer>().cloned();
    let visit = visit(server, peer).await?;
    let session = match (operation.access, bearer(request.headers())?) {
        (Access::Anybody, _) => None,
        (_, None) => {
            pace(server, &visit, None)?;
            return Err(Problem::new(
                Fault::Unauthenticated,
                "sign in, and send the token as Authorization: Bearer",
            ));
        }
        (_, Some(token)) => match server.central().session(token, &visit).await {
            Ok(session) => Some(session),
            Err(error) => {
                pace(server, &visit, None)?;
                return Err(error.into());
            }
        },
    };
    pace(server, &visit, session.as_ref())?;
    let params = request.extract_parts::<RawPathParams>().await;
    let params = params.map_err(|_| Problem::new(Fault::NoSuchAddress, "nothing is here"))?;
    let path: BTreeMap<String, String> = params
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    // Whoever lacks the right learns nothing of what is wrong with the request.
    let wanted = match (operation.access, &session) {
        (Access::Right(right), _) => Some(right),
        (Access::Either(one, other), Some(session)) => {
            let others = session.roles.iter().any(|role| may(*role, other));
            Some(if others { other } else { one })
        }
        _ => None,
    };
    if let (Some(session), Some(right)) = (&session, wanted) {
        let (personal, action) = match operation.trace {
            Trace::Read(action) => (true, action),
            Trace::Act(action) | Trace::Refusals(action) => (false, action),
            Trace::Nothing => (false, operation.id),
        };
        // The log knows people by their accounts' identities, not by their names.
        let named = path.values().next().filter(|_| operation.kind != "account");
        let thing = named.map_or("-", String::as_str);
        let look = Look {
            act: right,
            action,
            kind: operation.kind,
            reference: thing.to_owned(),
            personal,
        };
        server.central().look(&session.actor, &look).await?;
    }
    if path.values().any(|part| part.len() > MAX_TEXT) {
        return Err(Problem::new(Fault::NotFound, "there is no such thing"));
    }
    let query = query(operation, &mut request).await?;
    let headers = request.headers().clone();
    let address = request.uri().path().to_owned();
    let body = body(server, operation, request).await?;
    // Of what a register signed nothing is said before its signature is known to be right.
    if let Some(takes) = operation.takes.as_ref().filter(|one| one.media == JSON) {
        takes.form.judge(&body)?;
    }
    let call = Call {
        central: server.central().clone(),
        plan: server.plan(),
        server: server.clone(),
        visit,
        session: session.clone(),
        seen: seen(operation, &path, &headers)?,
        path,
        query,
        body: body.clone(),
    };
    let key = headers.get("idempotency-key").filter(|_| operation.once);
    let (Some(key), Some(session)) = (key, &session) else {
        return done(operation, call, &address).await;
    };
    let key = key.to_str().map_err(|_| {
        Problem::new(
            Fault::Invalid,
            "an Idempotency-Key has 1 to 128 visible ASCII characters",
        )
    })?;
    match once::begin(server.central(), session, operation, key, &address, &body).await? {
        Turn::Done(answer) => Ok(answer),
        Turn::Do(once) => {
            let result = done(operation, call, &address).await;
            once.end(&result).await?;
            result
        }
    }
}

/// Does what an operation does. What takes a second person is done once they confirmed it.
async fn done(operation: &Operation, call: Call, address: &str) -> Result<Answer, Problem> {
    let central = call.central.clone();
    let Some(session) = call.session.clone().filter(|_| operation.witnessed) else {
        return run(operation, call).await;
    };
    let body = call.body.clone();
    let asked = Asked {
        operation: operation.id,
        address,
        body: &body,
    };
    if let Some(confirmed) = central.confirmed(&session, &asked).await? {
        let central = central.confirmed_by(confirmed);
        return run(operation, Call { central, ..call }).await;
    }
    let named: Result<Named, Problem> = call.json();
    let trial = Call {
        central: central.on_trial(),
        ..call
    };
    match run(operation, trial).await {
        Err(problem) if problem.fault() == Fault::SecondPerson => {
            let awaited = central
                .ask_second_person(&session, &asked, &named?.witness)
                .await?;
            confirmations::awaited(awaited)
        }
        judged => judged,
    }
}

/// Runs an operation where what it changes still is what the caller saw.
async fn run(operation: &Operation, call: Call) -> Result<Answer, Problem> {
    let (central, seen) = (call.central.clone(), call.seen.clone());
    central.expecting(seen, (operation.handler)(call)).await
}

/// Whom a body names as the second person.
#[derive(Deserialize)]
struct Named {
    witness: String,
}

/// Says where a request comes from: the address, and the station where a certificate was shown.
/// Whoever shows one that is not accepted is turned away, as at the stations' own door.
async fn visit(server: &Server, peer: Option<Peer>) -> Result<Visit, Problem> {
    let source = source_of(peer.as_ref());
    let station = station_of(server, peer.as_ref()).await?;
    let station = station.map(|station| station.name);
    Ok(Visit { source, station })
}

/// Returns the token of the `Authorization` header (*RFC 6750 §2.1*).
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(header) = headers.get(AUTHORIZATION) else {
        return Ok(None);
    };
    let token = header.to_str().ok().and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    token.map(Some).ok_or_else(|| {
        Problem::new(
            Fault::Unauthenticated,
            "send the token as Authorization: Bearer",
        )
    })
}

fn pace(server: &Server, visit: &Visit, session: Option<&Session>) -> Result<(), Problem> {
    let paces = server.limits().people;
    match session {
        Some(session) => server.pace(&session.id, paces.session),
        None => server.pace(&visit.source, paces.address),
    }
}

async fn query(
    operation: &Operation,
    request: &mut Request,
) -> Result<BTreeMap<String, String>, Problem> {
    let invalid = |detail: String| Problem::new(Fault::Invalid, detail);
    let fields = request
        .extract_parts::<Query<Vec<(String, String)>>>()
        .await;
    let Query(fields) = fields.map_err(|_| invalid("the query cannot be read".to_owned()))?;
    let mut query = BTreeMap::new();
    for (name, value) in fields {
        if !operation.query.iter().any(|known| known.name == name) {
            return Err(invalid(
                "the query has a field that this address does not take".to_owned(),
            ));
        }
        if value.len() > MAX_TEXT || query.insert(name, value).is_some() {
            return Err(invalid(
                "a field of the query is too long, or there twice".to_owned(),
            ));
        }
    }
    Ok(query)
}

async fn body(server: &Server, operation: &Operation, request: Request) -> Result<Bytes, Problem> {
    let limits = server.limits();
    let Some(takes) = &operation.takes else {
        // One that says it has a body, and never sends it, is not waited for.
        if !request.body().is_end_stream() {
            return Err(Problem::new(Fault::Invalid, "this address takes no body"));
        }
        return Ok(Bytes::new());
    };
    let media = request.headers().get(CONTENT_TYPE);
    let fits = media.is_some_and(|media| {
        let media = media.as_bytes().split(|byte| *byte == b';').next();
        media.is_some_and(|media| {
            media
                .trim_ascii()
                .eq_ignore_ascii_case(takes.media.as_bytes())
        })
    });
    if !fits {
        let detail = format!("send the body as {}", takes.media);
        return Err(Problem::new(Fault::MediaType, detail));
    }
    let most = takes.most.unwrap_or(limits.body);
    // The longest bodies are few at a time.
    let _place = match most > limits.body {
        false => None,
        true => Some(server.large().try_acquire().map_err(|_| {
            Problem::new(
                Fault::Busy,
                "the server has too many long requests; ask again",
            )
        })?),
    };
    let (parts, body) = request.into_parts();
    drop(parts);
    let reading = tokio::time::timeout(limits.body_time, to_bytes(body, most));
    let read = reading.await.map_err(|_| {
        let seconds = limits.body_time.as_secs();
        Problem::new(
            Fault::TooSlow,
            format!("the body did not arrive within {seconds} s"),
        )
    })?;
    read.map_err(|error| crate::posted::unread(&error, most))
}

/// Reads what the caller saw of the thing that an operation is about.
fn seen(
    operation: &Operation,
    path: &BTreeMap<String, String>,
    headers: &HeaderMap,
) -> Result<Option<Expected>, Problem> {
    let (Some(listed), Some((thing, part))) = (headers.get(IF_MATCH), operation.conditional) else {
        return Ok(None);
    };
    let invalid = || {
        Problem::new(
            Fault::Invalid,
            "If-Match lists tags as ETag gave them, or *",
        )
    };
    let listed = listed.to_str().map_err(|_| invalid())?.trim();
    if listed == "*" {
        return Ok(None);
    }
    let mut tags = Vec::new();
    for tag in listed.split(',') {
        let tag = tag.trim();
        // A weak tag never matches here (*RFC 9110 §8.8.3.2*).
        let weak = tag.strip_prefix("W/");
        let quoted = weak.unwrap_or(tag);
        let inner = quoted
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
            .filter(|inner| inner.len() <= 64 && !inner.contains('"'))
            .ok_or_else(invalid)?;
        if weak.is_none() {
            tags.push(inner.to_owned());
        }
        if tags.len() > MAX_TAGS {
            return Err(invalid());
        }
    }
    Ok(Some(Expected {
        thing,
        name: path.get(part).cloned().unwrap_or_default(),
        tags,
    }))
}
