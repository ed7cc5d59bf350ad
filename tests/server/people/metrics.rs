//! What Prometheus reads: judged by its own promtool, true to what was asked, and nobody's data.

use std::io::Write;
use std::process::{Command, Stdio};

use api::BlankEnd;
use axum::http::Method;
use tokio::net::TcpListener;

use super::house::{House, client, sample, wide, with_one_server};
use crate::missing;

/// Names the folder of promtool where it is not in the path.
const PROMTOOL: &str = "ZIMOGS_PROMTOOL";

async fn shown(house: &House) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = crate::serve_metrics(listener, house.server.clone(), async {
        let _ = stopped.await;
    });
    let serving = tokio::spawn(serving);
    let answer = client()
        .get(format!("http://{address}/metrics"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(
        answer.headers()["content-type"],
        "text/plain; version=0.0.4"
    );
    let text = answer.text().await.unwrap();
    // Nothing else is served there.
    let other = client()
        .get(format!("http://{address}/v1/session"))
        .send()
        .await;
    assert_eq!(other.unwrap().status(), 404);
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
    text
}

/// Has promtool judge the text: its form, and the conventions for names and units.
fn judged(text: &str) {
    let folder = std::env::var_os(PROMTOOL).map(std::path::PathBuf::from);
    let program = folder.unwrap_or_default().join("promtool");
    let judge = Command::new(program)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut judge) = judge else {
        missing::program("promtool");
        return;
    };
    judge
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let said = judge.wait_with_output().unwrap();
    let words = [said.stdout, said.stderr].concat();
    let words = String::from_utf8_lossy(&words);
    assert!(said.status.success() && words.is_empty(), "{words}");
}

/// Returns the value of one line.
fn value(text: &str, line: &str) -> f64 {
    let found = text.lines().find_map(|one| one.strip_prefix(line));
    let found = found.unwrap_or_else(|| panic!("no {line} in\n{text}"));
    found.trim().parse().unwrap()
}

#[test]
fn figures_are_what_promtool_reads_and_nobodys_data() {
    with_one_server(
        "people::scenarios::metrics::figures_are_what_promtool_reads_and_nobodys_data",
        wide(),
        async |house| {
            for _ in 0..2 {
                house.get("clerk", "/v1/session").await;
            }
            let body = Some(("application/json", sample("01-adult")));
            let path = "/v1/applications";
            let key = [("Idempotency-Key", "7f1c2b64-3a0e-4a55-9a3c-1d9f0b8f7e11")];
            let taken = house
                .ask(Some("clerk"), &Method::POST, path, &key, body)
                .await;
            assert_eq!(taken.status, 201, "{}", taken.body);
            let reference = taken.text("/reference").to_owned();
            let approver = super::house::visit().actor("approver");
            house.central.approve(&approver, &reference).await.unwrap();
            assert_eq!(house.get("clerk", "/v1/accounts").await.status, 403);
            // What a client makes up is no label.
            let odd = Method::from_bytes(b"CANARYMETHOD").unwrap();
            house.ask(None, &odd, "/v1/canary-path", &[], None).await;
            house.server.timer_ran("sequence", true);
            house.server.timer_ran("certificates", false);
            let metrics = house.server.metrics().unwrap();
            metrics.leased();
            metrics.reported(&BlankEnd::Personalized);

            let text = shown(&house).await;
            judged(&text);
            let asked = |method, route, outcome| {
                let line = format!(
                    "zimogs_http_requests_total{{method=\"{method}\",outcome=\"{outcome}\",route=\"{route}\"}}"
                );
                value(&text, &line)
            };
            assert_eq!(asked("GET", "/v1/session", "ok"), 2.0);
            assert_eq!(asked("POST", "/v1/applications", "ok"), 1.0);
            assert_eq!(asked("GET", "/v1/accounts", "refused"), 1.0);
            assert_eq!(asked("other", "-", "no-such-address"), 1.0);
            let seconds = "zimogs_http_request_seconds_count{method=\"GET\",route=\"/v1/session\"}";
            assert_eq!(value(&text, seconds), 2.0);
            assert_eq!(
                value(
                    &text,
                    "zimogs_queue_documents{kind=\"id-card\",priority=\"normal\"}"
                ),
                1.0
            );
            assert_eq!(value(&text, "zimogs_leases_given_total"), 1.0);
            assert_eq!(
                value(&text, "zimogs_reports_total{end=\"personalized\"}"),
                1.0
            );
            assert_eq!(
                value(&text, "zimogs_timer_failures_total{timer=\"certificates\"}"),
                1.0
            );
            let last = "zimogs_timer_last_success_timestamp_seconds{timer=\"sequence\"}";
            assert!(value(&text, last) > 1.7e9);
            assert_eq!(value(&text, "zimogs_reconciling"), 0.0);
            assert!(value(&text, "zimogs_audit_entries_waiting") > 10.0);
            assert!(value(&text, "zimogs_token_calls_total") > 1.0);
            assert!(
                value(
                    &text,
                    "zimogs_database_connections{pool=\"writers\",use=\"busy\"}"
                ) < 2.0
            );

            // Neither the holder, nor the document, nor who asked.
            let auditor = super::house::visit().actor("auditor");
            let documents = house
                .central
                .document_lines_after(&auditor, "", 1)
                .await
                .unwrap();
            let number = documents[0].number.clone().unwrap();
            let application: serde_json::Value = serde_json::from_str(&sample("01-adult")).unwrap();
            let mut canaries = vec![
                reference,
                number,
                "canary".into(),
                "CANARY".into(),
                "clerk".into(),
            ];
            strings(&application["holder"], &mut canaries);
            assert!(canaries.len() > 8, "{canaries:?}");
            for canary in canaries {
                assert!(!text.contains(&canary), "{canary} is in the figures");
            }
        },
    );
}

/// Gathers the texts in a value that are long enough to be told from anything else.
fn strings(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text) if text.len() > 4 => found.push(text.clone()),
        serde_json::Value::Array(all) => all.iter().for_each(|one| strings(one, found)),
        serde_json::Value::Object(all) => all.values().for_each(|one| strings(one, found)),
        _ => {}
    }
}
