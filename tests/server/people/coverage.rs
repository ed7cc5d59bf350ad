//! Every endpoint of people has an authorization case and an audit case: the table below has a line for
//! each operation of the OpenAPI document that is not a station's (`stations` has those), and a line that
//! is missing fails the test.

use std::collections::{BTreeMap, BTreeSet};

use audit::Outcome;
use axum::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::x509::X509ReqBuilder;
use serde_json::{Value, json};

use super::house::{House, PASSWORD, sample, wide, with_server};
use super::judged::Judged;
use crate::openapi;

/// An operation as the document has it.
struct Listed {
    method: Method,
    path: String,
    open: bool,
    right: Option<String>,
    /// The right that serves as well.
    or_right: Option<String>,
    action: Option<String>,
    when: String,
    /// It takes `If-Match`.
    conditional: bool,
}

fn listed() -> BTreeMap<String, Listed> {
    let mut found = BTreeMap::new();
    let of_stations = format!("{}/", api::wire::STATION);
    let paths = openapi()["paths"].as_object().unwrap().iter();
    for (path, methods) in paths.filter(|(path, _)| !path.starts_with(&of_stations)) {
        for (method, operation) in methods.as_object().unwrap() {
            let text = |pointer: &str| operation.pointer(pointer).and_then(Value::as_str);
            let listed = Listed {
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                open: operation["security"] == json!([]),
                right: text("/x-right").map(str::to_owned),
                or_right: text("/x-or-right").map(str::to_owned),
                action: text("/x-audit/action").map(str::to_owned),
                when: text("/x-audit/when").unwrap_or_default().to_owned(),
                conditional: takes_a_tag(operation),
            };
            found.insert(text("/operationId").unwrap().to_owned(), listed);
        }
    }
    found
}

fn takes_a_tag(operation: &Value) -> bool {
    let parameters = operation["parameters"].as_array();
    let mut named = parameters.into_iter().flatten().map(|one| &one["name"]);
    named.any(|name| name == "If-Match")
}

/// A case: who lacks the right, who has it, and what is asked for.
struct Case {
    operation: &'static str,
    wrong: &'static str,
    right: &'static str,
    part: &'static str,
    body: Option<(&'static str, String)>,
    /// The second person, where it comes so far that one is asked.
    witness: Option<&'static str>,
    status: u16,
}

fn case(
    operation: &'static str,
    wrong: &'static str,
    right: &'static str,
    part: &'static str,
    status: u16,
) -> Case {
    Case {
        operation,
        wrong,
        right,
        part,
        body: None,
        witness: None,
        status,
    }
}

impl Case {
    fn with(mut self, body: Value) -> Self {
        self.body = Some(("application/json", body.to_string()));
        self
    }

    /// Names the second person, who is in the body, too.
    fn before(mut self, witness: &'static str) -> Self {
        self.witness = Some(witness);
        self
    }

    fn with_text(mut self, media: &'static str, body: String) -> Self {
        self.body = Some((media, body));
        self
    }
}

const PAPER: &str = "APP-2026-000029";
const CARD: &str = "APP-2026-000001";

/// What takes nobody's name in the store: it shows nothing of a person, and its right is judged at
/// the door alone. Every other operation's is judged again where it is done.
const AT_THE_DOOR: [&str; 3] = ["showOwnKey", "showRetention", "listOverdue"];

/// Returns a station's request for a certificate, Base64.
pub(super) fn station_request() -> String {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let mut request = X509ReqBuilder::new().unwrap();
    request.set_pubkey(&key).unwrap();
    request.sign(&key, MessageDigest::sha256()).unwrap();
    STANDARD.encode(request.build().to_der().unwrap())
}

/// One line for each operation that takes a right, in an order in which one follows the other.
fn cases() -> Vec<Case> {
    let mut delivery =
        "{\"format\":\"zimogs-delivery/v1\",\"delivery\":\"D-1\",\"blanks\":5}\n".to_owned();
    for blank in 1..=5 {
        let line = json!({
            "blank": format!("B-{blank}"), "article": "war-participant",
            "number": format!("XB{:07}", 76 + blank),
        });
        delivery.push_str(&format!("{line}\n"));
    }
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
    let why = || json!({ "cause": "a reason" });
    let before = |witness: &str| json!({ "witness": witness, "cause": "a reason" });
    let some = |blank: &str| json!({ "blanks": [blank] });
    let told = |blank: &str| json!({ "blanks": [blank], "cause": "a reason" });
    let by_two =
        |blank: &str| json!({ "blanks": [blank], "witness": "quality", "cause": "a reason" });
    vec![
        case("addAccount", "officer", "administrator", "", 201)
            .with(json!({ "account": "zane", "roles": ["clerk"] })),
        case("listAccounts", "officer", "administrator", "", 200),
        case("showAccount", "officer", "administrator", "zane", 200),
        case("setRoles", "officer", "administrator", "zane", 200)
            .with(json!({ "roles": ["quality"] })),
        case("lockAccount", "officer", "administrator", "zane", 200).with(why()),
        case("unlockAccount", "officer", "administrator", "zane", 200),
        case("issueCode", "officer", "administrator", "zane", 200),
        case("listSessions", "officer", "administrator", "", 200),
        case("endSession", "officer", "administrator", "spare", 204),
        case("importApplication", "approver", "clerk", "", 201)
            .with_text("application/json", sample("29-war-participant")),
        case("listApplications", "operator", "approver", "", 200),
        case("showApplication", "administrator", "quality", PAPER, 200),
        case("approveApplication", "clerk", "approver", PAPER, 200),
        case("refuseApplication", "clerk", "approver", CARD, 204).with(why()),
        case("receiveBlanks", "operator", "keeper", "", 201)
            .with(
                json!({ "list": delivery, "place": "CENTRAL", "witness": "quality", "counted": 5 }),
            )
            .before("quality"),
        case("listBlanks", "clerk", "keeper", "", 200),
        case("produceDocument", "quality", "operator", PAPER, 200).with(json!({ "blank": "B-1" })),
        case("listDocuments", "administrator", "auditor", "", 200),
        case("showDocument", "administrator", "auditor", "XB0000077", 200),
        case(
            "listCertificates",
            "administrator",
            "auditor",
            "XB0000077",
            200,
        ),
        case("showJournal", "administrator", "auditor", "XB0000077", 200),
        case("passQuality", "operator", "quality", "XB0000077", 204),
        case("handOver", "operator", "clerk", "XB0000077", 204),
        // It is handed over: too late, and that is in the log too.
        case("failQuality", "operator", "quality", "XB0000077", 409).with(why()),
        case("showHistory", "administrator", "auditor", "XB0000077", 200),
        case("holdQuality", "operator", "quality", "XB0000077", 409).with(why()),
        case("concedeDocument", "quality", "officer", "XB0000077", 409)
            .with(json!({ "defect": "a corner", "action": "looked at" })),
        case("arriveLate", "officer", "clerk", "XB0000077", 409),
        case("documentDamaged", "operator", "clerk", "XB0000077", 409).with(why()),
        case("documentMissing", "operator", "clerk", "XB0000077", 409).with(before("keeper")),
        case("suspendDocument", "quality", "officer", "XB0000077", 200).with(why()),
        case("resumeDocument", "officer", "clerk", "XB0000077", 200).with(why()),
        case("reportLost", "quality", "clerk", "XB0000077", 200).with(why()),
        case("reportStolen", "quality", "officer", "XB0000077", 409).with(why()),
        case("revokeDocument", "quality", "clerk", "XB0000077", 409)
            .with(json!({ "why": "deceased", "cause": "a reason" })),
        case("takeBack", "officer", "clerk", "XB0000077", 200).with(why()),
        case("destroyDocument", "clerk", "keeper", "XB0000077", 204)
            .with(json!({ "witness": "auditor" }))
            .before("auditor"),
        case("withdrawApplication", "approver", "clerk", PAPER, 409).with(why()),
        case("cancelDocument", "clerk", "approver", PAPER, 409).with(why()),
        case("openParcel", "clerk", "quality", "", 201).with(json!({ "office": "RIGA-1" })),
        case("listParcels", "administrator", "auditor", "", 200),
        case(
            "packDocument",
            "clerk",
            "quality",
            "PA0000001|XB0000077",
            409,
        ),
        case(
            "unpackDocument",
            "clerk",
            "quality",
            "PA0000001|XB0000077",
            409,
        ),
        case("sealParcel", "clerk", "quality", "PA0000001", 409).with(json!({ "counted": [] })),
        case("reopenParcel", "clerk", "quality", "PA0000001", 409).with(before("keeper")),
        case("sendParcel", "clerk", "quality", "PA0000001", 409)
            .with(json!({ "way": "RR123456785LV" })),
        case("receiveParcel", "quality", "clerk", "PA0000001", 409).with(json!({ "counted": [] })),
        case("loseParcel", "operator", "clerk", "PA0000001", 409).with(before("keeper")),
        case("discardParcel", "clerk", "quality", "PA0000001", 204).with(why()),
        case("listLeases", "administrator", "auditor", "", 200),
        case(
            "giveUpLease",
            "clerk",
            "officer",
            "01932c07-d7fe-7d3f-a1d2-6d2f3d0c1a55",
            404,
        )
        .with(before("keeper")),
        case(
            "moveLease",
            "clerk",
            "officer",
            "01932c07-d7fe-7d3f-a1d2-6d2f3d0c1a55",
            404,
        )
        .with(before("keeper")),
        case("restockBlanks", "operator", "keeper", "", 409).with(some("B-1")),
        case("namePlace", "officer", "administrator", "RIGA-1", 204)
            .with(json!({ "name": "Riga, first office" })),
        case("listPlaces", "clerk", "auditor", "", 200),
        case("loadBlanks", "operator", "keeper", "", 200)
            .with(json!({ "blanks": ["B-2"], "station": "riga-1", "slot": "a" })),
        case("unloadBlanks", "operator", "keeper", "", 200).with(some("B-2")),
        case("reportBlanksMissing", "clerk", "quality", "", 200).with(told("B-2")),
        case("findBlanks", "quality", "keeper", "", 200)
            .with(by_two("B-2"))
            .before("quality"),
        case("destroyBlanks", "quality", "keeper", "", 200)
            .with(by_two("B-2"))
            .before("quality"),
        case("sendBlanksBack", "quality", "keeper", "", 200)
            .with(by_two("B-3"))
            .before("quality"),
        case("spoilBlanks", "quality", "keeper", "", 200).with(told("B-4")),
        case("sendBlanks", "quality", "keeper", "", 200)
            .with(json!({ "blanks": ["B-5"], "to": "RIGA-1" })),
        // Nobody takes in what they sent.
        case("takeBlanksIn", "quality", "keeper", "", 403).with(some("B-5")),
        case("receiveRibbons", "operator", "keeper", "", 201)
            .with(json!({ "ribbons": ["R-1", "R-2"], "item": "ymcko", "place": "CENTRAL" })),
        case("listRibbons", "clerk", "auditor", "", 200),
        case("showRibbon", "clerk", "auditor", "R-1", 200),
        case("loadRibbon", "clerk", "operator", "R-1", 204)
            .with(json!({ "station": "riga-1", "slot": "a" })),
        case("unloadRibbon", "clerk", "operator", "R-1", 204),
        case("reportRibbonMissing", "clerk", "quality", "R-1", 200)
            .with(before("keeper"))
            .before("keeper"),
        case("findRibbon", "operator", "keeper", "R-1", 200)
            .with(before("quality"))
            .before("quality"),
        case("destroyRibbon", "operator", "keeper", "R-1", 204)
            .with(before("quality"))
            .before("quality"),
        case("sendRibbon", "operator", "keeper", "R-2", 204).with(json!({ "to": "RIGA-1" })),
        // Nobody takes in what they sent.
        case("takeRibbonIn", "operator", "keeper", "R-2", 403),
        // It is under way.
        case("useRibbonUp", "clerk", "operator", "R-2", 409).with(why()),
        case("listStock", "clerk", "auditor", "", 200),
        case("checkStock", "clerk", "auditor", "", 200),
        case("listDeliveries", "clerk", "auditor", "", 200),
        case("acceptDelivery", "quality", "keeper", "D-1", 409)
            .with(json!({ "witness": "quality", "counted": 5 })),
        case("countPlace", "quality", "keeper", "CENTRAL", 200).with(json!({ "counted": [] })),
        case("closeDay", "quality", "keeper", "CENTRAL", 200)
            .with(json!({
                "witness": "quality", "day": today.date(),
                "counted": [{ "item": "war-participant", "state": "spoiled", "blanks": 1 }],
            }))
            .before("quality"),
        case("listSeries", "clerk", "auditor", "", 200),
        case("openSeries", "officer", "administrator", "", 201)
            .with(json!({
                "witness": "officer", "prefix": "XC", "first": 1, "last": 1000,
                "kinds": ["id-card"],
            }))
            .before("officer"),
        case("voidNumbers", "officer", "administrator", "", 200)
            .with(json!({
                "witness": "officer", "from": "XC0000100", "to": "XC0000199", "cause": "a reason",
            }))
            .before("officer"),
        case("closeSeries", "officer", "administrator", "XC0000001", 204)
            .with(before("officer"))
            .before("officer"),
        case("checkNumbers", "clerk", "auditor", "", 200),
        case("openIncident", "auditor", "clerk", "", 201).with(
            json!({ "kind": "other", "subject": "blank/B-9", "text": "found in the corridor" }),
        ),
        case("listIncidents", "clerk", "auditor", "", 200),
        case("showIncident", "clerk", "auditor", "1", 200),
        case("explainIncident", "auditor", "clerk", "1", 204).with(json!({ "text": "a reason" })),
        case("closeIncident", "clerk", "officer", "1", 204),
        case("reportIssued", "clerk", "auditor", "", 200),
        case("reportTurnaround", "clerk", "auditor", "", 200),
        case("reportQuality", "clerk", "auditor", "", 200),
        case("reportStock", "clerk", "auditor", "", 200),
        case("reportNumbers", "clerk", "auditor", "", 200),
        case("addSource", "officer", "administrator", "", 204).with(json!({
            "source": "register-1", "register": "population-register", "kinds": ["id-card"],
        })),
        case("listSources", "clerk", "auditor", "", 200),
        case("proposeKey", "officer", "administrator", "register-1", 201)
            .with(json!({ "key": key(), "days": 30 })),
        case("admitKey", "administrator", "officer", "key", 204),
        case("withdrawKey", "clerk", "administrator", "key", 204).with(why()),
        case("removeSource", "clerk", "officer", "register-1", 204).with(why()),
        case(
            "showRefusedPackage",
            "administrator",
            "approver",
            "register-1|00",
            404,
        ),
        case("showOwnKey", "clerk", "auditor", "", 200),
        case("askStation", "officer", "administrator", "", 201)
            .with(json!({ "station": "riga-9", "request": station_request() })),
        case("confirmStation", "administrator", "officer", "riga-1", 404)
            .with(json!({ "key": "00" })),
        case("placeStation", "officer", "administrator", "riga-1", 204)
            .with(json!({ "office": "RIGA-1" })),
        case("showRetention", "clerk", "auditor", "", 200),
        case("listOverdue", "clerk", "auditor", "", 200),
        case("turnKeys", "administrator", "officer", "", 200),
        case("showNumbers", "clerk", "auditor", "", 200),
        case("listUnsettledCertificates", "clerk", "officer", "", 200),
        case("clearOrder", "clerk", "officer", "nothing", 404)
            .with(json!({ "witness": "keeper", "cause": "a reason" })),
        case("showIssuedCertificates", "clerk", "auditor", "", 200),
        case("showReconciliation", "clerk", "auditor", "", 200),
        case("beginReconciliation", "administrator", "officer", "", 201)
            .with(json!({ "witness": "keeper", "pass_over": 10 }))
            .before("keeper"),
        case("endReconciliation", "keeper", "officer", "", 200)
            .with(json!({ "witness": "quality" }))
            .before("quality"),
        case("listEnvelopes", "clerk", "envelopes", "", 200),
        case("notePrinted", "clerk", "envelopes", "PE0000009", 404),
        case("dispatchEnvelope", "clerk", "envelopes", "PE0000009", 404)
            .with(json!({ "way": "RR123456785LV" })),
        case("deliverEnvelope", "clerk", "envelopes", "PE0000009", 404),
        case("destroyEnvelope", "clerk", "envelopes", "PE0000009", 404)
            .with(json!({ "witness": "keeper", "cause": "a reason" })),
        case("listStations", "clerk", "officer", "", 200),
        case("suspendStation", "clerk", "officer", "riga-1", 404).with(why()),
        case("resumeStation", "administrator", "officer", "riga-1", 404).with(why()),
        case("removeStation", "officer", "administrator", "riga-1", 404).with(why()),
        case("searchApplications", "administrator", "clerk", "", 200)
            .with(json!({ "surname": "Paraugs" })),
        case("listEntries", "administrator", "auditor", "", 200),
        case("showCheckpoint", "administrator", "officer", "", 200),
        case("proveEntry", "administrator", "officer", "0", 200),
    ]
}

/// Returns a public key as a register has one.
fn key() -> String {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    STANDARD.encode(key.public_key_to_der().unwrap())
}

/// The operations that everybody, or everybody who is signed in, may use: each has a test below, or
/// in `second_persons` and `registers`.
const OTHERS: [&str; 13] = [
    "sendPackage",
    "fetchReports",
    "listConfirmations",
    "showConfirmation",
    "confirmRequest",
    "withdrawConfirmation",
    "signIn",
    "showSecondFactor",
    "enrol",
    "confirmEnrolment",
    "describe",
    "showSession",
    "signOut",
];

#[test]
fn every_operation_has_its_case() {
    let tested: BTreeSet<&str> = cases().iter().map(|case| case.operation).collect();
    let tested: BTreeSet<&str> = tested.into_iter().chain(OTHERS).collect();
    let listed = listed();
    let wanted: BTreeSet<&str> = listed.keys().map(String::as_str).collect();
    assert_eq!(tested, wanted, "the table has no line, or one too many");
    for (name, operation) in &listed {
        assert_eq!(
            operation.right.is_none(),
            OTHERS.contains(&name.as_str()),
            "{name}"
        );
        assert!(
            operation.right.is_none() || operation.action.is_some(),
            "{name}"
        );
    }
}

async fn send(
    house: &House,
    who: Option<&str>,
    listed: &Listed,
    case: &Case,
    part: &str,
    headers: &[(&str, &str)],
) -> super::house::Got {
    let mut path = listed.path.clone();
    for part in part.split('|') {
        if let Some((before, rest)) = path.split_once('{') {
            let (_, after) = rest.split_once('}').unwrap();
            path = format!("{before}{part}{after}");
        }
    }
    house
        .ask(who, &listed.method, &path, headers, case.body.clone())
        .await
}

/// The account's name of an entry's actor, by the account's identity.
async fn names(house: &House) -> BTreeMap<String, String> {
    let got = house.get("administrator", "/v1/accounts?limit=200").await;
    let items = got.body["items"].as_array().unwrap().clone();
    let named = items.iter().map(|account| {
        let text = |field: &str| account[field].as_str().unwrap().to_owned();
        (format!("person/{}", text("id")), text("account"))
    });
    named.collect()
}

#[test]
fn nobody_the_wrong_role_and_the_right_one() {
    with_server(
        "people::scenarios::coverage::nobody_the_wrong_role_and_the_right_one",
        wide(),
        async |house| {
            let listed = listed();
            let adult = Some(("application/json", sample("01-adult")));
            let path = "/v1/applications";
            let got = house
                .ask(Some("clerk"), &Method::POST, path, &[], adult)
                .await;
            assert_eq!(got.status, 201, "{}", got.body);
            house.spare_session().await;
            let names = names(&house).await;
            let judged = Judged::listen();
            let mut otherwise = Vec::new();
            for case in cases() {
                let name = case.operation;
                let operation = &listed[name];
                let part = match case.part {
                    "spare" => house.spare_id().await,
                    "key" => {
                        let got = house.get("administrator", "/v1/sources").await;
                        got.text("/items/0/keys/0/thumbprint").to_owned()
                    }
                    part => part.to_owned(),
                };
                let action = operation.action.as_deref().unwrap();

                let before = house.entries().await.len();
                let got = send(&house, None, operation, &case, &part, &[]).await;
                assert_eq!(
                    (got.status, got.problem()),
                    (401, "unauthenticated"),
                    "{name}"
                );
                assert_eq!(got.headers["www-authenticate"], "Bearer");
                let entries = house.entries().await;
                assert_eq!(entries.len(), before, "{name}: nobody leaves no entry");

                let got = send(&house, Some(case.wrong), operation, &case, &part, &[]).await;
                assert_eq!(
                    (got.status, got.problem()),
                    (403, "refused"),
                    "{name}: {}",
                    got.body
                );
                let entries = house.entries().await;
                let new = &entries[before..];
                assert_eq!(new.len(), 1, "{name}: one entry of the refusal");
                assert_eq!(new[0].action.as_str(), action, "{name}");
                assert_eq!(new[0].outcome, Outcome::Refused, "{name}");
                let person = new[0].actor.person.as_ref().unwrap().as_str();
                assert_eq!(names[person], case.wrong, "{name}");

                if operation.conditional {
                    // Whoever saw it otherwise changes nothing, and asks no second person.
                    let stale = format!("\"{}\"", "0".repeat(32));
                    let stale = [("If-Match", stale.as_str())];
                    let got = send(&house, Some(case.right), operation, &case, &part, &stale).await;
                    let is_none = case.status == 404 && got.status == 404;
                    assert!(got.status == 412 || is_none, "{name}: {}", got.body);
                }
                if let Some(witness) = case.witness {
                    let got = send(&house, Some(case.right), operation, &case, &part, &[]).await;
                    assert_eq!(got.status, 202, "{name}: {}", got.body);
                    house.confirm(witness, got.text("/id")).await;
                }
                let before = house.entries().await.len();
                judged.take();
                let got = send(&house, Some(case.right), operation, &case, &part, &[]).await;
                assert_eq!(got.status, case.status, "{name}: {}", got.body);
                let judged = judged.take();
                let announced = [&operation.right, &operation.or_right];
                let is_announced = |right: &String| announced.contains(&&Some(right.clone()));
                let at_least = if AT_THE_DOOR.contains(&name) { 1 } else { 2 };
                if judged.len() < at_least || !judged.iter().all(is_announced) {
                    otherwise.push((name, judged));
                }
                let entries = house.entries().await;
                let own = entries[before..]
                    .iter()
                    .find(|entry| entry.action.as_str() == action);
                if operation.when == "always" {
                    let own = own.unwrap_or_else(|| panic!("{name} leaves no entry {action}"));
                    let done = if got.status < 300 {
                        Outcome::Done
                    } else {
                        Outcome::Refused
                    };
                    assert_eq!(own.outcome, done, "{name}");
                    let person = own.actor.person.as_ref().unwrap().as_str();
                    assert_eq!(names[person], case.right, "{name}");
                } else {
                    assert!(own.is_none(), "{name} shows no holder");
                }
            }
            assert!(otherwise.is_empty(), "judged otherwise: {otherwise:#?}");
        },
    );
}

#[test]
fn coming_in_and_going_out_leave_their_entries() {
    with_server(
        "people::scenarios::coverage::coming_in_and_going_out_leave_their_entries",
        wide(),
        async |house| {
            let listed = listed();
            let last = async |action: &str| {
                let entries = house.entries().await;
                let found = entries
                    .into_iter()
                    .rfind(|entry| entry.action.as_str() == action);
                found.unwrap().outcome
            };
            let open = async |name: &str, body: Value| {
                let operation = &listed[name];
                assert!(operation.open);
                let body = Some(("application/json", body.to_string()));
                house
                    .ask(None, &operation.method, &operation.path, &[], body)
                    .await
            };
            let wrong = json!({ "account": "clerk", "password": "not the password" });
            let got = open("signIn", wrong).await;
            assert_eq!((got.status, got.problem()), (401, "unauthenticated"));
            assert_eq!(last("session.opened").await, Outcome::Refused);
            let right = json!({ "account": "clerk", "password": PASSWORD });
            let got = open("signIn", right).await;
            assert_eq!((got.status, got.text("/state")), (200, "signed-in"));
            assert_eq!(last("session.opened").await, Outcome::Done);
            let token = got.text("/token").to_owned();

            let got = open(
                "signIn",
                json!({ "account": "officer", "password": PASSWORD }),
            )
            .await;
            assert_eq!((got.status, got.text("/state")), (200, "second-factor"));
            let ticket = got.text("/ticket").to_owned();
            let shown = json!({ "ticket": ticket, "code": "000000x" });
            let got = open("showSecondFactor", shown).await;
            assert_eq!(got.status, 401);
            assert_eq!(last("session.opened").await, Outcome::Refused);

            let wrong = json!({ "account": "clerk", "code": "AAAAA", "password": PASSWORD });
            assert_eq!(open("enrol", wrong).await.status, 401);
            assert_eq!(last("account.enrolled").await, Outcome::Refused);
            let code = house
                .post("administrator", "/v1/accounts/officer/code", &json!({}))
                .await;
            assert_eq!(code.status, 400, "it takes no body");
            let path = "/v1/accounts/officer/code";
            let code = house
                .ask(Some("administrator"), &Method::POST, path, &[], None)
                .await;
            let begun = json!({
                "account": "officer", "code": code.text("/code"), "password": PASSWORD,
                "second_factor": "totp",
            });
            let begun = open("enrol", begun).await;
            assert_eq!((begun.status, begun.text("/state")), (200, "confirm"));
            assert!(
                begun
                    .text("/address")
                    .starts_with("otpauth://totp/zimogs-test:officer?")
            );
            let wrong = json!({ "ticket": begun.text("/ticket"), "code": "x" });
            assert_eq!(open("confirmEnrolment", wrong).await.status, 401);
            assert_eq!(last("account.enrolled").await, Outcome::Refused);
            // The right proof, and the session that follows, open every other test's house.

            let describe = &listed["describe"];
            let got = house
                .ask(None, &describe.method, &describe.path, &[], None)
                .await;
            assert_eq!((got.status, &got.body), (200, openapi()));

            let bearer = format!("Bearer {token}");
            let own = async |name: &str| {
                let operation = &listed[name];
                let headers = [("Authorization", bearer.as_str())];
                house
                    .ask(None, &operation.method, &operation.path, &headers, None)
                    .await
            };
            for name in ["showSession", "signOut"] {
                let operation = &listed[name];
                let got = house
                    .ask(None, &operation.method, &operation.path, &[], None)
                    .await;
                assert_eq!(got.status, 401, "{name}");
            }
            let got = own("showSession").await;
            assert_eq!((got.status, got.text("/account")), (200, "clerk"));
            assert_eq!(own("signOut").await.status, 204);
            assert_eq!(last("session.ended").await, Outcome::Done);
            assert_eq!(own("showSession").await.status, 401);
        },
    );
}

impl House {
    /// Opens a session that an administrator may end.
    async fn spare_session(&self) {
        let body = json!({ "account": "clerk", "password": PASSWORD }).to_string();
        let body = Some(("application/json", body));
        let got = self
            .ask(None, &Method::POST, "/v1/sign-ins", &[], body)
            .await;
        assert_eq!(got.status, 200);
    }

    /// Returns its identity: the clerk's youngest.
    async fn spare_id(&self) -> String {
        let got = self.get("administrator", "/v1/sessions").await;
        let items = got.body["items"].as_array().unwrap().clone();
        let own = items.iter().rfind(|session| session["account"] == "clerk");
        own.unwrap()["id"].as_str().unwrap().to_owned()
    }
}
