//! Who is named as the second person proves nothing: they confirm it in a session of their own.

use axum::http::Method;
use serde_json::{Value, json};

use super::house::{Got, House, wide, with_server};

const PATH: &str = "/v1/places/CENTRAL/close";

/// What a keeper says of a day on which nothing moved.
fn close(witness: &str) -> Value {
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
    json!({ "witness": witness, "day": today.date(), "counted": [] })
}

async fn bare(house: &House, who: &str, method: Method, path: &str) -> Got {
    house.ask(Some(who), &method, path, &[], None).await
}

#[test]
fn the_second_person_confirms_in_a_session_of_their_own() {
    with_server(
        "people::scenarios::second_persons::the_second_person_confirms_in_a_session_of_their_own",
        wide(),
        async |house| {
            let actions = async || {
                let entries = house.entries().await;
                let named = entries.iter().map(|entry| entry.action.as_str().to_owned());
                named.collect::<Vec<_>>()
            };
            let got = house.post("keeper", PATH, &close("quality")).await;
            assert_eq!(got.status, 202, "{}", got.body);
            let id = got.text("/id").to_owned();
            let one = format!("/v1/confirmations/{id}");
            assert_eq!(got.headers["location"], one);
            assert_eq!(got.text("/operation"), "closeDay");
            assert_eq!(got.body["confirmed"], Value::Null);
            assert_eq!(actions().await.last().unwrap(), "confirmation.asked");

            // Named is not there: the same again waits still, and leaves nothing more.
            let again = house.post("keeper", PATH, &close("quality")).await;
            assert_eq!((again.status, again.text("/id")), (202, id.as_str()));
            assert_eq!(actions().await.last().unwrap(), "confirmation.asked");

            // It is theirs alone, who asked and who is asked.
            let list = "/v1/confirmations";
            for (who, many) in [("keeper", 1), ("quality", 1), ("clerk", 0)] {
                let got = house.get(who, list).await;
                assert_eq!(got.body["items"].as_array().unwrap().len(), many, "{who}");
            }
            assert_eq!(house.get("clerk", &one).await.status, 404);
            let shown = house.get("quality", &one).await;
            assert_eq!(shown.body["request"], close("quality"));
            let confirming = format!("{one}/confirmation");
            for who in ["keeper", "clerk"] {
                let got = bare(&house, who, Method::POST, &confirming).await;
                assert_eq!(got.status, 404, "{who} is not the one who was named");
            }
            let got = bare(&house, "clerk", Method::DELETE, &one).await;
            assert_eq!(got.status, 404);

            house.confirm("quality", &id).await;
            let got = bare(&house, "quality", Method::POST, &confirming).await;
            assert_eq!((got.status, got.problem()), (409, "conflict"));

            // What was confirmed is that request, and no other.
            let mut other = close("quality");
            other["counted"] = json!([{ "item": "booklet", "state": "in-stock", "blanks": 1 }]);
            let got = house.post("keeper", PATH, &other).await;
            assert_eq!(got.status, 202);
            assert_ne!(got.text("/id"), id);

            let got = house.post("keeper", PATH, &close("quality")).await;
            assert_eq!((got.status, &got.body["agrees"]), (200, &json!(true)));
            let entries = house.entries().await;
            let done = entries.last().unwrap();
            assert_eq!(done.action.as_str(), "stock.closed");
            let said = serde_json::to_value(&done.details).unwrap();
            assert_eq!(said["confirmation"], id, "the entry says by whose word");
            assert!(said["witness"].is_string());
            assert_eq!(house.get("keeper", &one).await.status, 404, "it is used up");
        },
    );
}

#[test]
fn what_cannot_be_done_is_not_asked_for() {
    with_server(
        "people::scenarios::second_persons::what_cannot_be_done_is_not_asked_for",
        wide(),
        async |house| {
            let own = house.post("keeper", PATH, &close("keeper")).await;
            assert_eq!((own.status, own.problem()), (403, "refused"));
            let nobody = house.post("keeper", PATH, &close("nobody")).await;
            assert_eq!((nobody.status, nobody.problem()), (404, "not-found"));
            let mut late = close("quality");
            late["day"] = json!("9998-01-01");
            let late = house.post("keeper", PATH, &late).await;
            assert_eq!((late.status, late.problem()), (403, "refused"));
            let entries = house.entries().await;
            let refused = entries.iter().rev().take(3);
            for entry in refused {
                assert_eq!(entry.action.as_str(), "stock.closed");
                assert_eq!(entry.outcome, audit::Outcome::Refused);
            }
            let waiting = house.get("keeper", "/v1/confirmations").await;
            assert_eq!(waiting.body["items"], json!([]));

            // Whoever is asked may decline, whoever asked may withdraw.
            for who in ["quality", "keeper"] {
                let got = house.post("keeper", PATH, &close("quality")).await;
                let one = format!("/v1/confirmations/{}", got.text("/id"));
                let got = bare(&house, who, Method::DELETE, &one).await;
                assert_eq!(got.status, 204);
                let confirming = format!("{one}/confirmation");
                let got = bare(&house, "quality", Method::POST, &confirming).await;
                assert_eq!(got.status, 404);
            }
            // One who is locked since confirms nothing: their session has ended.
            let got = house.post("keeper", PATH, &close("quality")).await;
            let id = got.text("/id").to_owned();
            house.confirm("quality", &id).await;
            let lock = "/v1/accounts/quality/lock";
            let got = house
                .post("administrator", lock, &json!({ "cause": "left" }))
                .await;
            assert_eq!(got.status, 200);
            let got = house.post("keeper", PATH, &close("quality")).await;
            assert_eq!((got.status, got.problem()), (403, "refused"));
        },
    );
}
