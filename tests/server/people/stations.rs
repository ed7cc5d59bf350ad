//! Every endpoint of stations has an authorization case and an audit case: whoever shows no certificate,
//! a station that is suspended, nobody at a station that is let in, a person without the right, and the
//! right one, each with what it leaves in the log. An endpoint without a line here fails the test.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use api::{Actor, wire};
use audit::{Entry, Outcome};
use axum::extract::Request;
use axum::http::Method;
use axum::middleware::{Next, from_fn};
use serde_json::{Value, json};

use super::house::{House, client, sample, wide, with_server};
use super::judged::Judged;
use super::wire::{key, request};
use crate::station::{Access, Operation, operations};
use crate::{Pace, Peer, router};

/// What is sent, and what whoever may is answered. There is no lease of this identity: that is told to
/// whoever may ask.
fn cases() -> BTreeMap<&'static str, (Value, u16)> {
    let lease = "00000000-0000-0000-0000-000000000000";
    let opening = json!({
        "lease": lease, "chip": "00", "key_set": "issuer", "host_challenge": "0000000000000000",
        "answers": {}, "new": "issuer", "adds": false,
    });
    let of_key = json!({
        "lease": lease, "chip": "00", "key": "k", "profile": "p", "request": "", "signature": "",
    });
    let of_stage = json!({
        "lease": lease, "chip": "00", "stage": "s", "opening": null, "pins": {}, "answers": [],
        "carries": { "command": 255, "response": 256, "extended": false },
    });
    let signed = json!({
        "lease": lease, "chip": "00", "keys": {},
    });
    BTreeMap::from([
        ("self", (Value::Null, 200)),
        (
            "renew",
            (
                json!({ "request": hex::encode(request(&key(), "riga-1")) }),
                200,
            ),
        ),
        (
            "hello",
            (json!({ "acknowledged": 0, "last": 0, "in_work": 0 }), 200),
        ),
        (
            "lease",
            (
                json!({ "environment": "test", "slot": "a", "products": ["lateid-v2"] }),
                200,
            ),
        ),
        ("claim", (json!({ "lease": lease, "chip": "00" }), 404)),
        ("open-channel", (opening.clone(), 404)),
        ("put-keys", (opening, 404)),
        ("certify", (of_key.clone(), 404)),
        ("prove", (of_key, 404)),
        ("sign-lds", (signed, 404)),
        ("seal", (of_stage.clone(), 404)),
        ("confirm", (of_stage, 404)),
        (
            "act",
            (
                json!({
                    "sequence": 2, "at": "2026-11-23T12:00:00Z", "person": "operator", "act": "slot.paused",
                    "slot": "a",
                }),
                200,
            ),
        ),
        (
            "journal",
            (json!({ "lease": lease, "first": 1, "lines": [] }), 404),
        ),
        // It is kept as evidence.
        (
            "report",
            (
                json!({
                    "lease": lease, "sequence": 1, "number": null, "end": "personalized",
                    "chips": [], "milliseconds": 1, "journal": [],
                }),
                200,
            ),
        ),
    ])
}

/// Lets a station in; returns its certificate, DER.
async fn enrolled(house: &House, name: &str) -> Vec<u8> {
    let actor = |person: &str| Actor {
        station: "console".into(),
        person: person.into(),
    };
    let (administrator, officer) = (actor("administrator"), actor("officer"));
    let asks = request(&key(), name);
    let asked = house.central.ask_station(&administrator, name, None, &asks);
    let asked = asked.await.unwrap();
    let given = house.central.confirm_station(&officer, name, &asked).await;
    given.unwrap().certificate
}

/// Serves the house to whoever shows this certificate: what the listener of the product finds out by
/// TLS is put in here. Returns where.
pub(super) async fn door(house: &House, certificate: Option<Vec<u8>>) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shown: Option<Arc<[u8]>> = certificate.map(Arc::from);
    let seen = from_fn(move |mut request: Request, next: Next| {
        request.extensions_mut().insert(Peer {
            address: "127.0.0.1:1".parse().unwrap(),
            certificate: shown.clone(),
        });
        next.run(request)
    });
    let service = router(house.server.clone()).layer(seen);
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

/// An answer's status, and the last part of its problem's type.
type Said = (u16, String);

async fn ask(
    door: SocketAddr,
    operation: &Operation,
    headers: &[(&str, &str)],
    body: &Value,
) -> Said {
    let url = format!("http://{door}{}", operation.path());
    let mut asked = client().request(operation.method.clone(), url);
    for (name, value) in headers {
        asked = asked.header(*name, *value);
    }
    if operation.method == Method::POST {
        let json = ("content-type", "application/json");
        asked = asked.header(json.0, json.1).body(body.to_string());
    }
    let answer = asked.send().await.unwrap();
    let status = answer.status().as_u16();
    let told: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    let kind = told["type"].as_str().unwrap_or_default();
    (status, kind.rsplit('/').next().unwrap().to_owned())
}

fn said(status: u16, problem: &str) -> Said {
    (status, problem.to_owned())
}

/// Returns the entries since the log had so many.
async fn since(house: &House, before: usize) -> Vec<Entry> {
    house.entries().await.split_off(before)
}

#[test]
fn every_operation_of_stations_has_its_case() {
    let cases = cases();
    let tested: BTreeSet<&str> = cases.keys().copied().collect();
    let operations = operations();
    let names: BTreeSet<&str> = operations.iter().map(|one| one.name).collect();
    assert_eq!(tested, names, "the table has no line, or one too many");
    assert_eq!(names.len(), operations.len());
    for operation in &operations {
        let described = &crate::openapi()["paths"][operation.path()];
        let described = &described[operation.method.as_str().to_lowercase()];
        let of_person = matches!(operation.access, Access::Right(_));
        assert_eq!(described["security"][0]["station"], json!([]));
        assert_eq!(described["security"][0]["session"].is_array(), of_person);
        assert_eq!(described["x-right"].is_string(), of_person);
        assert!(operation.summary.ends_with('.'), "{}", operation.name);
        // Whoever may be refused leaves that in the log, and the document says where.
        assert!(!of_person || described["x-audit"]["action"].is_string());
    }
}

#[test]
fn no_certificate_a_suspended_station_the_wrong_person_and_the_right_one() {
    with_server(
        "people::scenarios::stations::no_certificate_a_suspended_station_the_wrong_person_and_the_right_one",
        wide(),
        async |house| {
            let adult = Some(("application/json", sample("01-adult")));
            let path = "/v1/applications";
            let got = house.ask(Some("clerk"), &Method::POST, path, &[], adult);
            assert_eq!(got.await.status, 201);
            let path = "/v1/applications/APP-2026-000001/approval";
            let got = house.ask(Some("approver"), &Method::POST, path, &[], None);
            let got = got.await;
            assert_eq!(got.status, 200, "{}", got.body);

            let nobodys = door(&house, None).await;
            let stations = door(&house, Some(enrolled(&house, "riga-1").await)).await;
            let suspended = door(&house, Some(enrolled(&house, "riga-2").await)).await;
            let path = "/v1/stations/riga-2/suspension";
            let why = json!({ "cause": "broken into" });
            assert_eq!(house.post("officer", path, &why).await.status, 204);

            let judged = Judged::listen();
            let cases = cases();
            for (at, operation) in operations().iter().enumerate() {
                let name = operation.name;
                let (body, status) = &cases[name];
                let operator = [(wire::PERSON, "operator")];
                let before = house.entries().await.len();
                let got = ask(nobodys, operation, &operator, body).await;
                assert_eq!(got, said(403, "certificate"), "{name}");
                assert_eq!(house.entries().await.len(), before, "{name}");

                let got = ask(suspended, operation, &operator, body).await;
                assert_eq!(got, said(403, "certificate"), "{name}");
                // That it asks on and on is no news.
                let left = since(&house, before).await;
                let left: Vec<_> = left.iter().map(|entry| entry.action.as_str()).collect();
                let turned = ["station.turned-away"];
                assert_eq!(left, turned[..usize::from(at == 0)], "{name}");

                let action = operation.trace.said();
                if let Access::Right(right) = operation.access {
                    let before = house.entries().await.len();
                    let got = ask(stations, operation, &[], body).await;
                    assert_eq!(got, said(401, "unauthenticated"), "{name}");
                    assert_eq!(house.entries().await.len(), before, "{name}");

                    let clerk = [(wire::PERSON, "clerk")];
                    let got = ask(stations, operation, &clerk, body).await;
                    assert_eq!(got, said(403, "refused"), "{name}");
                    let left = since(&house, before).await;
                    assert_eq!(left.len(), 1, "{name}: {left:?}");
                    assert_eq!(left[0].outcome, Outcome::Refused, "{name}");
                    assert_eq!(
                        Some(left[0].action.as_str()),
                        action.map(|it| it.0),
                        "{name}"
                    );
                    let station = left[0].actor.station.as_ref().unwrap();
                    assert_eq!(station.as_str(), "station/riga-1", "{name}");

                    judged.take();
                    let got = ask(stations, operation, &operator, body).await;
                    assert_eq!(got.0, *status, "{name}: {got:?}");
                    let judged = judged.take();
                    assert!(!judged.is_empty(), "{name}: no right was judged");
                    let others = judged.iter().find(|one| *one != right.name());
                    assert_eq!(others, None, "{name}: judged otherwise");
                    let left = since(&house, before + 1).await;
                    leaves(operation, *status, &left);
                } else {
                    let before = house.entries().await.len();
                    let got = ask(stations, operation, &[], body).await;
                    assert_eq!(got.0, *status, "{name}: {got:?}");
                    leaves(operation, *status, &since(&house, before).await);
                }
            }

            // A session that was opened elsewhere does not hold at a station.
            let elsewhere = format!("Bearer {}", house.token("operator"));
            let elsewhere = [("authorization", elsewhere.as_str())];
            let lease = operations().into_iter().find(|one| one.name == "lease");
            let (body, _) = &cases["lease"];
            let got = ask(stations, &lease.unwrap(), &elsewhere, body).await;
            assert_eq!(got, said(401, "unauthenticated"));

            // A request that is none is refused, and that is in the log too.
            let renew = operations().into_iter().find(|one| one.name == "renew");
            let renew = renew.unwrap();
            let before = house.entries().await.len();
            let none = json!({ "request": "3000" });
            assert_eq!(
                ask(stations, &renew, &[], &none).await,
                said(400, "invalid")
            );
            let left = since(&house, before).await;
            assert_eq!(left.len(), 1);
            assert_eq!(left[0].action.as_str(), "station.renewed");
            assert_eq!(left[0].outcome, Outcome::Refused);
        },
    );
}

/// Demands the entry that an operation says it leaves, of whoever may.
fn leaves(operation: &Operation, status: u16, left: &[Entry]) {
    let name = operation.name;
    let Some((action, when)) = operation.trace.said() else {
        assert!(left.is_empty(), "{name}: {left:?}");
        return;
    };
    let own: Vec<_> = left
        .iter()
        .filter(|entry| entry.action.as_str() == action)
        .collect();
    // A station that is known already says hello, and nothing changes.
    if status == 200 && when != "always" && name == "hello" {
        assert!(left.is_empty(), "{name}: {left:?}");
        return;
    }
    assert_eq!(own.len(), 1, "{name} leaves {left:?}");
    let outcome = match status {
        200 => Outcome::Done,
        _ => Outcome::Refused,
    };
    assert_eq!(own[0].outcome, outcome, "{name}");
}

#[test]
fn a_station_that_asks_too_often_waits_and_another_does_not() {
    let mut limits = wide();
    let slow = Pace {
        burst: 3.0,
        each_second: 0.01,
    };
    (limits.station, limits.people.address) = (slow, slow);
    with_server(
        "people::scenarios::stations::a_station_that_asks_too_often_waits_and_another_does_not",
        limits,
        async |house| {
            let one = door(&house, Some(enrolled(&house, "riga-1").await)).await;
            let other = door(&house, Some(enrolled(&house, "riga-2").await)).await;
            let ask = async |door: SocketAddr| {
                let url = format!("http://{door}/v1/station/self");
                let answer = client().get(url).send().await.unwrap();
                let wait = answer.headers().get("retry-after");
                let wait = wait.map(|wait| wait.to_str().unwrap().parse::<u64>().unwrap());
                (answer.status().as_u16(), wait)
            };
            for _ in 0..3 {
                assert_eq!(ask(one).await, (200, None));
            }
            let (status, wait) = ask(one).await;
            assert_eq!(status, 429);
            assert!((90..=100).contains(&wait.unwrap()), "{wait:?}");
            assert_eq!(ask(other).await, (200, None));
            // Whoever shows no certificate is counted by the address.
            let nobodys = door(&house, None).await;
            for _ in 0..3 {
                assert_eq!(ask(nobodys).await, (403, None));
            }
            assert_eq!(ask(nobodys).await.0, 429);
        },
    );
}
