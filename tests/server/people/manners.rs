//! How the interface behaves: pages, tags, requests that come twice, limits, what it does not take.

use axum::http::Method;
use serde_json::{Value, json};

use super::house::{sample, wide, with_server};
use crate::{Limits, Pace};

const JSON: &str = "application/json";

#[test]
fn pages_lead_through_a_whole_list() {
    with_server(
        "people::scenarios::manners::pages_lead_through_a_whole_list",
        wide(),
        async |house| {
            let (mut path, mut seen) = ("/v1/accounts?limit=2".to_owned(), Vec::new());
            loop {
                let got = house.get("administrator", &path).await;
                assert_eq!(got.status, 200, "{}", got.body);
                let items = got.body["items"].as_array().unwrap();
                assert!((1..=2).contains(&items.len()));
                seen.extend(
                    items
                        .iter()
                        .map(|one| one["account"].as_str().unwrap().to_owned()),
                );
                match got.body["next"].as_str() {
                    Some(next) => path = format!("/v1/accounts?limit=2&cursor={next}"),
                    None => break,
                }
            }
            let mut sorted = seen.clone();
            sorted.sort();
            sorted.dedup();
            assert_eq!((seen.len(), &seen), (9, &sorted));
            // One that was removed or added meanwhile shifts nothing; that of another list is none.
            let first = house.get("administrator", "/v1/accounts?limit=1").await;
            let cursor = first.text("/next");
            for wrong in [
                format!("/v1/audit/entries?cursor={cursor}"),
                "/v1/audit/entries?cursor=x".to_owned(),
                "/v1/audit/entries?limit=0".to_owned(),
                "/v1/audit/entries?limit=201".to_owned(),
                "/v1/audit/entries?limit=1&limit=2".to_owned(),
                "/v1/audit/entries?other=1".to_owned(),
                "/v1/audit/entries?limit=-1".to_owned(),
            ] {
                let got = house.get("auditor", &wrong).await;
                assert_eq!((got.status, got.problem()), (400, "invalid"), "{wrong}");
            }
        },
    );
}

#[test]
fn what_changed_since_it_was_read_is_not_changed_again() {
    with_server(
        "people::scenarios::manners::what_changed_since_it_was_read_is_not_changed_again",
        wide(),
        async |house| {
            let lock = async |tag: &str| {
                let body = Some((JSON, json!({ "cause": "on leave" }).to_string()));
                let path = "/v1/accounts/keeper/lock";
                let headers = [("If-Match", tag)];
                house
                    .ask(Some("administrator"), &Method::POST, path, &headers, body)
                    .await
            };
            let seen = house.get("administrator", "/v1/accounts/keeper").await;
            let tag = seen.headers["etag"].clone();
            let got = lock("\"00000000000000000000000000000000\"").await;
            assert_eq!((got.status, got.problem()), (412, "precondition"));
            let weak = format!("W/{tag}");
            assert_eq!(lock(&weak).await.status, 412, "a weak tag never matches");
            for wrong in ["x", "\"a", "\"a\"b\"", "", &"\"a\",".repeat(40)] {
                let got = lock(wrong).await;
                assert_eq!(got.status, 400, "{wrong}");
            }
            let got = lock(&format!("\"other\", {tag}")).await;
            assert_eq!(got.status, 200, "{}", got.body);
            assert_ne!(got.headers["etag"], tag);
            let got = lock(&tag).await;
            assert_eq!((got.status, got.problem()), (412, "precondition"));
            assert_eq!(
                lock("*").await.problem(),
                "conflict",
                "it is locked already"
            );
        },
    );
}

/// What has a tag beside those, and how it is changed: list, its item by a field, the change.
#[test]
fn whatever_a_person_changes_has_a_tag_that_is_compared() {
    with_server(
        "people::scenarios::manners::whatever_a_person_changes_has_a_tag_that_is_compared",
        wide(),
        async |house| {
            let json = |value: Value| Some((JSON, value.to_string()));
            let change =
                async |person: &str, method: Method, path: &str, tag: &str, body: Value| {
                    let tag = format!("\"{tag}\"");
                    let headers = [("If-Match", tag.as_str())];
                    house
                        .ask(Some(person), &method, path, &headers, json(body))
                        .await
                };
            let tag_of = async |person: &str, list: &str, field: &str, name: &Value| {
                let got = house.get(person, list).await;
                let items = got.body["items"].as_array().unwrap();
                let item = items.iter().find(|item| item[field] == *name).unwrap();
                item["tag"].as_str().unwrap().to_owned()
            };
            let opened = house
                .post("quality", "/v1/parcels", &json!({ "office": "RIGA-1" }))
                .await;
            let parcel = opened.body["parcel"].clone();
            let opened = house
                .post(
                    "keeper",
                    "/v1/incidents",
                    &json!({ "kind": "other", "subject": "place/CENTRAL", "text": "a door" }),
                )
                .await;
            let incident = opened.body["incident"].clone();
            let named = format!("/v1/parcels/{}/discarding", parcel.as_str().unwrap());
            let explained = format!("/v1/incidents/{incident}/explanation");
            let cases = [
                (
                    "quality",
                    "/v1/parcels?all=true",
                    "parcel",
                    parcel,
                    (Method::POST, named.as_str()),
                    json!({ "cause": "empty" }),
                ),
                (
                    "keeper",
                    "/v1/incidents",
                    "incident",
                    incident.clone(),
                    (Method::POST, explained.as_str()),
                    json!({ "text": "the wind" }),
                ),
                (
                    "administrator",
                    "/v1/places",
                    "place",
                    json!("CENTRAL"),
                    (Method::PUT, "/v1/places/CENTRAL"),
                    json!({ "name": "The store" }),
                ),
            ];
            for (person, list, field, name, (method, path), body) in cases {
                let before = tag_of(person, list, field, &name).await;
                let stale = "0".repeat(32);
                let got = change(person, method.clone(), path, &stale, body.clone()).await;
                assert_eq!((got.status, got.problem()), (412, "precondition"), "{path}");
                assert_eq!(tag_of(person, list, field, &name).await, before);
                let got = change(person, method.clone(), path, &before, body.clone()).await;
                assert_eq!(got.status / 100, 2, "{path}: {}", got.body);
                assert_ne!(tag_of(person, list, field, &name).await, before, "{path}");
                let got = change(person, method, path, &before, body).await;
                assert_eq!((got.status, got.problem()), (412, "precondition"), "{path}");
            }
            let shown = house
                .get("keeper", &format!("/v1/incidents/{incident}"))
                .await;
            let tag = format!("\"{}\"", shown.text("/tag"));
            assert_eq!(shown.headers["etag"], tag);
            // Nobody saw what there is not.
            let got = change(
                "administrator",
                Method::PUT,
                "/v1/places/LIEPAJA",
                "x",
                json!({ "name": "Liepaja" }),
            )
            .await;
            assert_eq!((got.status, got.problem()), (412, "precondition"));
        },
    );
}

#[test]
fn a_request_that_comes_twice_does_nothing_twice() {
    with_server(
        "people::scenarios::manners::a_request_that_comes_twice_does_nothing_twice",
        wide(),
        async |house| {
            let add = async |person: &str, key: &str, name: &str| {
                let body = json!({ "account": name, "roles": ["clerk"] }).to_string();
                let headers = [("Idempotency-Key", key)];
                let body = Some((JSON, body));
                house
                    .ask(Some(person), &Method::POST, "/v1/accounts", &headers, body)
                    .await
            };
            let first = add("administrator", "one", "zane").await;
            assert_eq!(first.status, 201, "{}", first.body);
            let before = house.entries().await.len();
            let again = add("administrator", "one", "zane").await;
            assert_eq!((again.status, &again.body), (201, &first.body));
            for header in ["location", "etag", "content-type"] {
                assert_eq!(again.headers[header], first.headers[header]);
            }
            assert_eq!(house.entries().await.len(), before, "nothing was done");
            let got = add("administrator", "one", "yana").await;
            assert_eq!((got.status, got.problem()), (422, "key-reused"));
            let got = add("administrator", "two", "zane").await;
            assert_eq!((got.status, got.problem()), (409, "conflict"));
            // What was refused left nothing behind, and may come again under its key.
            let got = add("administrator", "two", "yana").await;
            assert_eq!(got.status, 201);
            let got = add("officer", "one", "zane").await;
            assert_eq!(got.status, 403, "another's key is another's");
            for key in ["", &"k".repeat(129), "a b"] {
                let got = add("administrator", key, "xenia").await;
                assert_eq!(got.status, 400, "{key}");
            }
            // Side by side: one does it, the other is told the same or to ask again.
            let (one, other) = tokio::join!(
                add("administrator", "both", "vija"),
                add("administrator", "both", "vija")
            );
            let mut statuses = [one.status, other.status];
            statuses.sort_unstable();
            assert!(matches!(statuses, [201, 201 | 409]), "{statuses:?}");
            assert_eq!(add("administrator", "both", "vija").await.status, 201);
        },
    );
}

#[test]
fn what_is_not_taken_is_told_and_changes_nothing() {
    with_server(
        "people::scenarios::manners::what_is_not_taken_is_told_and_changes_nothing",
        Limits {
            body: 100_000,
            ..wide()
        },
        async |house| {
            let add = async |media: &str, body: String| {
                let body = Some((media, body));
                let path = "/v1/accounts";
                house
                    .ask(Some("administrator"), &Method::POST, path, &[], body)
                    .await
            };
            let zane = || json!({ "account": "zane", "roles": ["clerk"] });
            let mut more = zane();
            more["colour"] = json!("red");
            let secret = "a-secret-in-the-wrong-place";
            for (media, body, wanted) in [
                ("text/plain", zane().to_string(), (415, "media-type")),
                ("application/xml", "<a/>".to_owned(), (415, "media-type")),
                (JSON, more.to_string(), (400, "invalid")),
                (JSON, "{".to_owned(), (400, "invalid")),
                (JSON, "[[[[[".repeat(10_000), (400, "invalid")),
                (
                    JSON,
                    json!({ "account": secret.repeat(9), "roles": ["clerk"] }).to_string(),
                    (400, "invalid"),
                ),
                (
                    JSON,
                    json!({ "account": "zane", "roles": [secret] }).to_string(),
                    (400, "invalid"),
                ),
                (
                    JSON,
                    json!({ "account": "zane", "roles": [] }).to_string(),
                    (400, "invalid"),
                ),
                (
                    JSON,
                    json!({ "account": "zane", "roles": ["operator", "quality"] }).to_string(),
                    (403, "refused"),
                ),
                (JSON, " ".repeat(100_001), (413, "too-large")),
            ] {
                let got = add(media, body).await;
                assert_eq!((got.status, got.problem()), wanted, "{}", got.body);
                assert!(!got.body.to_string().contains(secret));
                assert_eq!(got.body["status"], got.status);
                assert!(got.text("/instance").starts_with("urn:uuid:"));
            }
            let got = house.get("administrator", "/v1/accounts/zane").await;
            assert_eq!((got.status, got.problem()), (404, "not-found"));

            let got = house
                .ask(Some("clerk"), &Method::PATCH, "/v1/documents", &[], None)
                .await;
            assert_eq!((got.status, got.problem()), (405, "method"));
            assert!(got.headers["allow"].contains("GET"), "{:?}", got.headers);
            assert_eq!(
                house.get("clerk", "/v1/nothing").await.problem(),
                "no-such-address"
            );
            for header in ["Basic YTpi", "Bearer", "Bearer x", "bearer  "] {
                let headers = [("Authorization", header)];
                let got = house
                    .ask(None, &Method::GET, "/v1/session", &headers, None)
                    .await;
                assert_eq!(
                    (got.status, got.problem()),
                    (401, "unauthenticated"),
                    "{header}"
                );
            }
            // An application with faults names each of them, and nothing of it is stored.
            let mut faulty: Value = serde_json::from_str(&sample("03-child-5-to-13")).unwrap();
            faulty["holder"]["surname"] = json!("");
            faulty["portrait"] = json!({ "media_type": "image/jpeg", "data": "" });
            let got = house.post("clerk", "/v1/applications", &faulty).await;
            assert_eq!((got.status, got.problem()), (422, "application"));
            assert!(
                got.body["faults"]
                    .as_array()
                    .is_some_and(|faults| faults.len() >= 2)
            );
        },
    );
}

#[test]
fn who_asks_too_often_waits() {
    let slow = Pace {
        burst: 3.0,
        each_second: 0.01,
    };
    let mut limits = wide();
    (limits.people.session, limits.people.address) = (slow, slow);
    with_server(
        "people::scenarios::manners::who_asks_too_often_waits",
        limits,
        async |house| {
            for _ in 0..3 {
                assert_eq!(house.get("clerk", "/v1/session").await.status, 200);
            }
            let got = house.get("clerk", "/v1/session").await;
            assert_eq!((got.status, got.problem()), (429, "too-many"));
            let wait: u64 = got.headers["retry-after"].parse().unwrap();
            assert!((90..=100).contains(&wait), "{wait}");
            assert_eq!(house.get("keeper", "/v1/session").await.status, 200);
            for _ in 0..3 {
                let got = house
                    .ask(None, &Method::GET, "/v1/session", &[], None)
                    .await;
                assert_eq!(got.status, 401);
            }
            let got = house
                .ask(None, &Method::GET, "/v1/session", &[], None)
                .await;
            assert_eq!(got.status, 429);
        },
    );
}
