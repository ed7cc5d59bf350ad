//! Registers over the interface: a signature of an admitted key lets a package in, and nothing else.

use api::{ANSWER_TYPE, PACKAGE_TYPE, REPORT_TYPE, REQUEST_TYPE};
use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use openssl::pkey::{PKey, Private};
use openssl::sign::{Signer, Verifier};
use serde_json::{Value, json};

use super::house::{Got, House, sample, wide, with_server};

const SOURCE: &str = "population-register";
const JOSE: &str = "application/jose+json";

/// Signs as a register does (*RFC 7515 §5.1*, *RFC 8037 §3.1*), by openssl.
fn signed(key: &PKey<Private>, media_type: &str, payload: &Value) -> String {
    let protected =
        URL_SAFE_NO_PAD.encode(json!({ "alg": "EdDSA", "typ": media_type }).to_string());
    let payload = URL_SAFE_NO_PAD.encode(payload.to_string());
    let mut signer = Signer::new_without_digest(key).unwrap();
    let signature = signer
        .sign_oneshot_to_vec(format!("{protected}.{payload}").as_bytes())
        .unwrap();
    let signature = URL_SAFE_NO_PAD.encode(signature);
    json!({ "protected": protected, "payload": payload, "signature": signature }).to_string()
}

fn decoded(jws: &Value, member: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD
        .decode(jws[member].as_str().unwrap())
        .unwrap()
}

/// Reads what the store signed with ECDSA on P-384 (*RFC 7518 §3.4*), by openssl.
fn opened(jws: &Value, pem: &str, media_type: &str) -> Value {
    let header: Value = serde_json::from_slice(&decoded(jws, "protected")).unwrap();
    assert_eq!(
        (&header["alg"], &header["typ"]),
        (&json!("ES384"), &json!(media_type))
    );
    let raw = decoded(jws, "signature");
    let (r, s) = raw.split_at(48);
    let number = |bytes| openssl::bn::BigNum::from_slice(bytes).unwrap();
    let signature =
        openssl::ecdsa::EcdsaSig::from_private_components(number(r), number(s)).unwrap();
    let key = PKey::public_key_from_pem(pem.as_bytes()).unwrap();
    let mut verifier = Verifier::new(openssl::hash::MessageDigest::sha384(), &key).unwrap();
    let input = format!(
        "{}.{}",
        jws["protected"].as_str().unwrap(),
        jws["payload"].as_str().unwrap()
    );
    let good = verifier.verify_oneshot(&signature.to_der().unwrap(), input.as_bytes());
    assert!(good.unwrap(), "the store signed it");
    serde_json::from_slice(&decoded(jws, "payload")).unwrap()
}

async fn post(house: &House, what: &str, body: String) -> Got {
    let path = format!("/v1/registers/{SOURCE}/{what}");
    house
        .ask(None, &Method::POST, &path, &[], Some((JOSE, body)))
        .await
}

/// Adds the source with this key, and has the key admitted.
async fn admitted(house: &House, key: &PKey<Private>) {
    let source = json!({ "source": SOURCE, "register": SOURCE, "kinds": ["id-card"] });
    let got = house.post("administrator", "/v1/sources", &source).await;
    assert_eq!(got.status, 204, "{}", got.body);
    let key = STANDARD.encode(key.public_key_to_der().unwrap());
    let path = format!("/v1/sources/{SOURCE}/keys");
    let proposed = json!({ "key": key, "days": 30 });
    let got = house.post("administrator", &path, &proposed).await;
    assert_eq!(got.status, 201, "{}", got.body);
    let path = format!("/v1/source-keys/{}/admission", got.text("/thumbprint"));
    let got = house
        .ask(Some("officer"), &Method::POST, &path, &[], None)
        .await;
    assert_eq!(got.status, 204, "{}", got.body);
}

fn package(sequence: u64) -> Value {
    let application: Value = serde_json::from_str(&sample("01-adult")).unwrap();
    json!({
        "format": 1, "source": SOURCE, "package": format!("P-{sequence}"), "sequence": sequence,
        "created": jiff::Timestamp::now().to_string(), "environment": "test",
        "applications": [{ "action": "new", "application": application }],
    })
}

#[test]
fn a_register_posts_packages_and_fetches_reports() {
    with_server(
        "people::scenarios::registers::a_register_posts_packages_and_fetches_reports",
        wide(),
        async |house| {
            let key = PKey::generate_ed25519().unwrap();
            let stranger = PKey::generate_ed25519().unwrap();
            admitted(&house, &key).await;
            let own = house.get("auditor", "/v1/register-key").await;
            let pem = own.text("/pem").to_owned();
            let actions = async |wanted: &str| {
                let entries = house.entries().await;
                let those = entries
                    .iter()
                    .filter(|entry| entry.action.as_str() == wanted);
                those.count()
            };

            // What no admitted key signed is turned away, once a minute with an entry, and not kept.
            for (body, wanted) in [
                (signed(&stranger, PACKAGE_TYPE, &package(1)), 403),
                (signed(&key, REQUEST_TYPE, &package(1)), 403),
                ("{}".to_owned(), 403),
                ("{".to_owned(), 403),
            ] {
                let got = post(&house, "packages", body).await;
                assert_eq!(
                    (got.status, got.problem()),
                    (wanted, "refused"),
                    "{}",
                    got.body
                );
            }
            assert_eq!(actions("source.turned-away").await, 1);
            assert_eq!(actions("package.not-admitted").await, 0);
            let path = "/v1/registers/nobody/packages";
            let body = Some((JOSE, signed(&key, PACKAGE_TYPE, &package(1))));
            let got = house.ask(None, &Method::POST, path, &[], body).await;
            assert_eq!((got.status, got.problem()), (404, "not-found"));

            let body = signed(&key, PACKAGE_TYPE, &package(1));
            let got = post(&house, "packages", body.clone()).await;
            assert_eq!(got.status, 200, "{}", got.body);
            assert_eq!(got.headers["content-type"], JOSE);
            let answer = opened(&got.body, &pem, ANSWER_TYPE);
            assert_eq!(answer["state"], "taken", "{answer}");
            assert_eq!(actions("package.taken").await, 1);
            let again = post(&house, "packages", body).await;
            assert_eq!(again.body, got.body, "the same package, the same answer");

            // One that is signed and does not fit is answered, and kept as evidence.
            let got = post(&house, "packages", signed(&key, PACKAGE_TYPE, &package(7))).await;
            let answer = opened(&got.body, &pem, ANSWER_TYPE);
            assert_eq!(answer["state"], "not-admitted");
            let digest = answer["digest"].as_str().unwrap();
            let path = format!("/v1/sources/{SOURCE}/refused/{digest}");
            let kept = house.get("approver", &path).await;
            assert_eq!(kept.status, 200, "{}", kept.body);

            let refusal = "/v1/applications/APP-2026-000001/refusal";
            let why = json!({ "cause": "the portrait shows another" });
            let got = house.post("approver", refusal, &why).await;
            assert_eq!(got.status, 204, "{}", got.body);
            let request = |key, after: u64, created: jiff::Timestamp| {
                let request = json!({
                    "format": 1, "source": SOURCE, "environment": "test",
                    "created": created.to_string(), "after": after,
                });
                signed(key, REQUEST_TYPE, &request)
            };
            let now = jiff::Timestamp::now();
            let old = now - jiff::SignedDuration::from_mins(6);
            for body in [request(&stranger, 0, now), request(&key, 0, old)] {
                let got = post(&house, "reports", body).await;
                assert_eq!((got.status, got.problem()), (403, "refused"));
            }
            let got = post(&house, "reports", request(&key, 0, now)).await;
            assert_eq!(
                (got.status, &got.body["last"]),
                (200, &json!(1)),
                "{}",
                got.body
            );
            let report = opened(&got.body["reports"][0], &pem, REPORT_TYPE);
            assert_eq!(report["events"][0]["state"], "refused", "{report}");
            let got = post(&house, "reports", request(&key, 1, now)).await;
            assert_eq!(got.body, json!({ "reports": [], "last": null }));
            assert_eq!(actions("report.acknowledged").await, 1);
            let sources = house.get("auditor", "/v1/sources").await;
            assert_eq!(sources.body["items"][0]["acknowledged"], 1);
        },
    );
}
