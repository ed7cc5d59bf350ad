//! What registers' systems send: packages, and requests for their reports. A signature of a source's
//! key lets them in; no session, and no certificate of this installation.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use central::{CentralError, MAX_REQUEST};
use document::{MAX_PACKAGE_BYTES, SourceName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::people::answer::Answer;
use crate::people::call::Call;
use crate::people::named::SourceText;
use crate::people::operation::{Operation, Trace, of};
use crate::problem::{Fault, Problem};

/// The media type of a JWS in JSON form (*RFC 7515 §9.2.1*).
const JOSE: &str = "application/jose+json";

/// A JWS in flattened JSON form (RFC 7515 §7.2.2).
#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct Signed {
    /// The header, base64url: `alg`, `kid` and `typ`.
    #[schemars(regex(pattern = "^[A-Za-z0-9_-]+$"))]
    protected: String,
    /// The payload, base64url.
    #[schemars(regex(pattern = "^[A-Za-z0-9_-]+$"))]
    payload: String,
    /// The signature, base64url.
    #[schemars(regex(pattern = "^[A-Za-z0-9_-]+$"))]
    signature: String,
}

/// Reports of a source.
#[derive(Serialize, JsonSchema)]
struct Reports {
    /// The reports in order, each signed.
    reports: Vec<Signed>,
    /// The number of the last of them, to be asked after next; null where there is none.
    last: Option<u64>,
}

fn source_of(call: &Call) -> Result<SourceName, Problem> {
    SourceName::parse(call.part("source"))
        .map_err(|_| Problem::new(Fault::NotFound, "there is no source of this name"))
}

/// Writes down, once a minute for each source, that something was not signed by it.
async fn noted<T>(
    call: &Call,
    source: &SourceName,
    result: Result<T, CentralError>,
) -> Result<T, Problem> {
    // Only of a source that is in the books something can be refused.
    if let Err(CentralError::Refused { reason }) = &result
        && call
            .server
            .turned_away()
            .is_news(&format!("source/{source}"))
    {
        call.central.source_turned_away(source, reason).await?;
    }
    Ok(result?)
}

async fn package(call: Call) -> Result<Answer, Problem> {
    let source = source_of(&call)?;
    let taken = call.central.post_package(&source, &call.body).await;
    let answer = noted(&call, &source, taken).await?;
    let damaged = |_| Problem::new(Fault::Damaged, "the answer cannot be written down");
    Ok(Answer::text(
        JOSE,
        String::from_utf8(answer).map_err(damaged)?,
    ))
}

async fn reports(call: Call) -> Result<Answer, Problem> {
    let source = source_of(&call)?;
    let found = call.central.post_request(&source, &call.body).await;
    let found = noted(&call, &source, found).await?;
    let damaged = |_| Problem::new(Fault::Damaged, "a report cannot be read");
    let mut shown = Reports {
        reports: Vec::new(),
        last: found.last().map(|(number, _)| *number),
    };
    for (_, report) in &found {
        shown
            .reports
            .push(serde_json::from_slice(report).map_err(damaged)?);
    }
    Answer::json(&shown)
}

fn example(media_type: &str, payload: &Value) -> Value {
    let header = json!({
        "alg": "EdDSA", "kid": "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", "typ": media_type,
    });
    json!({
        "protected": URL_SAFE_NO_PAD.encode(header.to_string()),
        "payload": URL_SAFE_NO_PAD.encode(payload.to_string()),
        "signature": URL_SAFE_NO_PAD.encode([0; 64]),
    })
}

/// Returns the operations.
pub(crate) fn operations() -> Vec<Operation> {
    let of_source = |operation: Operation| {
        operation.parameter::<SourceText>("source", "The source's name.", "population-register")
    };
    let package_sent = example(
        api::PACKAGE_TYPE,
        &json!({ "format": 1, "source": "population-register", "package": "PR-2026-000042", "sequence": 42 }),
    );
    let answer = example(api::ANSWER_TYPE, &json!({ "format": 1, "state": "taken" }));
    let request = example(
        api::REQUEST_TYPE,
        &json!({
            "format": 1, "source": "population-register", "environment": "test",
            "created": "2026-11-20T08:00:00Z", "after": 0,
        }),
    );
    let report = example(api::REPORT_TYPE, &json!({ "format": 1, "sequence": 1 }));
    of(
        "registers",
        vec![
            of_source(Operation::post(
                "/v1/registers/{source}/packages",
                "sendPackage",
                "Takes a package that a key of the source signed, and answers it, signed; the same package gets the same answer.",
            ))
            .for_anybody(Trace::Act("package.taken"))
            .takes_as::<Signed>(JOSE, package_sent)
            .at_most(MAX_PACKAGE_BYTES)
            .gives::<Signed>(200, "The answer, signed.", answer)
            .given_as(JOSE)
            .runs(package),
            of_source(Operation::post(
                "/v1/registers/{source}/reports",
                "fetchReports",
                "Gives a source its reports after the last that it has, by a request that a key of it signed within five minutes.",
            ))
            .for_anybody(Trace::Act("report.acknowledged"))
            .takes_as::<Signed>(JOSE, request)
            .at_most(MAX_REQUEST)
            .gives::<Reports>(200, "At most a hundred.", json!({ "reports": [report], "last": 1 }))
            .runs(reports),
        ],
    )
}
