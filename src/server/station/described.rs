//! The operations of stations as the OpenAPI document has them: address, right, trace and errors. Bodies
//! are objects of any form there: theirs is that of the types of the `api` crate, which both ends are
//! compiled with.

use axum::http::Method;
use serde_json::{Map, Value, json};

use crate::station::operation::{Access, Operation};

/// The name of the security scheme of stations.
pub(crate) const SCHEME: &str = "station";

/// Returns the security scheme of stations.
pub(crate) fn scheme() -> Value {
    json!({
        "type": "mutualTLS",
        "description": "The certificate of a station that is let in: zimogs central enroll.",
    })
}

/// Returns what the document says of an operation. `refusals` are the answers that are no success, by
/// status and name.
pub(crate) fn described<'a>(
    operation: &Operation,
    refusals: impl Iterator<Item = (u16, &'a str)>,
) -> Value {
    let is_person = matches!(operation.access, Access::Right(_));
    let takes = operation.method == Method::POST;
    let any = json!({ "application/json": { "schema": { "type": ["object", "null"] } } });
    let mut responses = Map::new();
    let done = json!({ "description": "It is done, and this is the answer.", "content": any });
    responses.insert("200".into(), done);
    for (status, name) in refusals {
        let answers = match status {
            401 | 404 | 409 | 422 => is_person,
            400 | 408 | 413 | 415 => takes,
            412 => false,
            _ => true,
        };
        if answers {
            let reference = format!("#/components/responses/{name}");
            responses.insert(status.to_string(), json!({ "$ref": reference }));
        }
    }
    let mut security = Map::from_iter([(SCHEME.to_owned(), json!([]))]);
    if is_person {
        security.insert("session".into(), json!([]));
    }
    let mut described = json!({
        "operationId": format!("station-{}", operation.name),
        "tags": ["station"],
        "summary": operation.summary,
        "responses": responses,
        "security": [security],
    });
    if let Value::Object(members) = &mut described {
        if takes {
            let content = json!({ "application/json": { "schema": { "type": "object" } } });
            let body = json!({ "required": true, "content": content });
            members.insert("requestBody".into(), body);
        }
        if let Access::Right(right) = operation.access {
            members.insert("x-right".into(), json!(right.name()));
        }
        if let Some((action, when)) = operation.trace.said() {
            let left = json!({ "action": action, "when": when });
            members.insert("x-audit".into(), left);
        }
    }
    described
}
