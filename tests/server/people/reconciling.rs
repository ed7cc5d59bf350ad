//! The end of a reconciliation whose documents do not go into one transaction, nor onto one page.

use std::collections::BTreeMap;

use audit::Outcome;
use serde_json::{Value, json};

use super::coverage::station_request;
use super::house::{Got, House, sample, wide, with_server};

/// Several times what one transaction renumbers, and what one page shows.
const MANY: usize = 120;

/// Does what takes a second person, who confirms it.
async fn by_two(house: &House, path: &str, body: &Value) -> Got {
    let asked = house.post("officer", path, body).await;
    assert_eq!(asked.status, 202, "{}", asked.body);
    house.confirm("keeper", asked.text("/id")).await;
    house.post("officer", path, body).await
}

/// Reads the documents page by page: their numbers by their applications.
async fn numbers(house: &House) -> BTreeMap<String, String> {
    let mut numbers = BTreeMap::new();
    let mut path = "/v1/documents?limit=50".to_owned();
    loop {
        let page = house.get("auditor", &path).await;
        assert_eq!(page.status, 200, "{}", page.body);
        for one in page.body["items"].as_array().unwrap() {
            let text = |field: &str| one[field].as_str().unwrap().to_owned();
            assert_eq!(text("state"), "queued");
            numbers.insert(text("application"), text("number"));
        }
        match page.body["next"].as_str() {
            Some(next) => path = format!("/v1/documents?limit=50&cursor={next}"),
            None => return numbers,
        }
    }
}

#[test]
fn every_document_is_renumbered_under_one_confirmation() {
    with_server(
        "people::scenarios::reconciling::every_document_is_renumbered_under_one_confirmation",
        wide(),
        async |house| {
            let mut application: Value = serde_json::from_str(&sample("01-adult")).unwrap();
            for number in 0..MANY {
                let reference = format!("APP-2026-9{number:05}");
                application["reference"] = reference.as_str().into();
                let content = application.to_string();
                let clerk = super::house::visit().actor("clerk");
                let approver = super::house::visit().actor("approver");
                house
                    .central
                    .import(&clerk, content.as_bytes())
                    .await
                    .unwrap();
                house.central.approve(&approver, &reference).await.unwrap();
            }
            // A station that may have made any of them, and never tells.
            let asked = json!({ "station": "riga-9", "request": station_request() });
            let asked = house.post("administrator", "/v1/stations", &asked).await;
            assert_eq!(asked.status, 201, "{}", asked.body);
            let key = json!({ "key": asked.text("/key") });
            let path = "/v1/stations/riga-9/confirmation";
            let confirmed = house.post("officer", path, &key).await;
            assert!(confirmed.status < 300, "{}", confirmed.body);
            let before = numbers(&house).await;
            assert_eq!(before.len(), MANY);

            house.clock.shift(5);
            let begin = json!({ "witness": "keeper", "pass_over": 10 });
            let begun = by_two(&house, "/v1/reconciliation", &begin).await;
            assert_eq!(begun.status, 201, "{}", begun.body);
            let path = "/v1/reconciliation/end";
            let nobody = json!({ "witness": "keeper" });
            let alone = house.post("officer", path, &nobody).await;
            assert_eq!(alone.status, 403, "{}", alone.body);
            assert!(alone.text("/detail").contains("riga-9"), "{}", alone.body);
            let end = json!({ "witness": "keeper", "without": ["riga-9"], "cause": "it burnt" });
            let ended = by_two(&house, path, &end).await;
            assert_eq!(ended.status, 200, "{}", ended.body);
            assert_eq!(ended.body["renumbered"], MANY);

            let after = numbers(&house).await;
            assert_eq!(after.len(), MANY);
            let old: Vec<_> = before.values().collect();
            for (application, number) in &after {
                assert!(!old.contains(&number), "{application} kept {number}");
            }
            let shown = house.get("auditor", "/v1/reconciliation").await;
            let last = &shown.body["reconciliation"];
            assert!(last["finished"].is_string(), "{last}");
            let entries = house.entries().await;
            let ended = entries
                .iter()
                .filter(|entry| entry.action.as_str() == "store.reconciled")
                .filter(|entry| entry.outcome == Outcome::Done);
            assert_eq!(ended.count(), 1);
            // It is over, once.
            let again = house.post("officer", path, &end).await;
            assert!(matches!(again.status, 202 | 409), "{}", again.body);
        },
    );
}
