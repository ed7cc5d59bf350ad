//! The OpenAPI document (*OpenAPI 3.1*), made from the operations themselves.

use std::sync::OnceLock;

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::people::answer::Answer;
use crate::people::confirmations::{self, Confirmation};
use crate::people::named::Object;
use crate::people::operation::{Access, Body, Operation, Parameter, Trace, of};
use crate::people::operations;
use crate::problem::Fault;
use crate::station;

/// An `If-Match` (*RFC 9110 §13.1.1*): any tag, or up to sixteen, of which weak ones match nothing.
const TAGS: &str = r#"^(\*|(W/)?"[!#-+\--~]{0,64}"( ?, ?(W/)?"[!#-+\--~]{0,64}"){0,15})$"#;

/// What is said of a status that is no success.
const REFUSALS: [(u16, &str, &str); 12] = [
    (400, "Invalid", "The request is not valid."),
    (
        401,
        "Unauthenticated",
        "Nobody is signed in, or not any more, or what was shown is wrong.",
    ),
    (403, "Refused", "A rule or a missing right forbids it."),
    (404, "NotFound", "There is no such thing."),
    (408, "TooSlow", "The body did not arrive in time."),
    (
        409,
        "Conflict",
        "It is in another state than the request supposes.",
    ),
    (
        412,
        "Precondition",
        "It was changed since it was read (If-Match).",
    ),
    (413, "TooLarge", "The body is too long."),
    (415, "MediaType", "The body is of another media type."),
    (
        422,
        "Unprocessable",
        "What was sent has faults, or the Idempotency-Key was another request's.",
    ),
    (
        429,
        "TooMany",
        "Too many requests, or too many failed attempts; wait.",
    ),
    (
        503,
        "Unavailable",
        "The store cannot do it now; ask the same again.",
    ),
];

/// Returns the document as it is committed: `docs/openapi.json`.
pub fn openapi() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| document(&operations(), &station::operations()))
}

/// The operation that gives it.
pub(crate) fn operation() -> Operation {
    let mut operations = of(
        "about",
        vec![
            Operation::get("/v1/openapi.json", "describe", "Gives this document.")
                .for_anybody(Trace::Nothing)
                .gives::<Object>(200, "The document.", json!({ "openapi": "3.1.0" }))
                .runs(async |_| Answer::json(openapi())),
        ],
    );
    operations.remove(0)
}

fn document(operations: &[Operation], of_stations: &[station::Operation]) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let mut paths: Map<String, Value> = Map::new();
    for operation in operations {
        let path = paths
            .entry(operation.path.to_owned())
            .or_insert_with(|| json!({}));
        if let Value::Object(methods) = path {
            let method = operation.method.as_str().to_lowercase();
            methods.insert(method, described(operation, &mut generator));
        }
    }
    for operation in of_stations {
        let refusals = REFUSALS.iter().map(|(status, name, _)| (*status, *name));
        let method = operation.method.as_str().to_lowercase();
        let described = station::described(operation, refusals);
        paths.insert(operation.path(), json!({ method: described }));
    }
    let problem = problem();
    let mut responses = Map::new();
    for (status, name, what) in REFUSALS {
        let mut response = json!({
            "description": what,
            "content": { "application/problem+json": {
                "schema": { "$ref": "#/components/schemas/Problem" },
                "example": example_of(status),
            }},
        });
        let header = match status {
            401 => Some(("WWW-Authenticate", json!({ "type": "string" }))),
            408 | 429 | 503 => Some(("Retry-After", json!({ "type": "integer", "minimum": 0 }))),
            _ => None,
        };
        if let (Some((name, schema)), Value::Object(members)) = (header, &mut response) {
            members.insert("headers".into(), json!({ name: { "schema": schema } }));
        }
        responses.insert(name.to_owned(), response);
    }
    let mut schemas = generator.take_definitions(true);
    schemas.insert("Problem".to_owned(), problem);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "zimogs central",
            "version": "1",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            "description": "The issuance store for people, and what stations ask it (/v1/station).",
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": responses,
            "securitySchemes": {
                "session": {
                    "type": "http", "scheme": "bearer",
                    "description": "The token of a session: sign in first.",
                },
                station::SCHEME: station::scheme(),
            },
        },
    })
}

fn described(operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    let mut parameters: Vec<Value> = Vec::new();
    for part in &operation.parameters {
        parameters.push(parameter("path", true, part, generator));
    }
    for field in &operation.query {
        parameters.push(parameter("query", false, field, generator));
    }
    if operation.once {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "A text of your own for this request: sent again within 24 hours, it gets the same answer and does nothing twice.",
            "schema": { "type": "string", "pattern": "^[!-~]{1,128}$" },
            "example": "0192f0c1-2b3c-7d4e-8f50-617283940a1b",
        }));
    }
    if operation.conditional.is_some() {
        parameters.push(json!({
            "name": "If-Match", "in": "header", "required": false,
            "description": "The ETag of the thing as you saw it, or several: where it is another by now, nothing is done (412).",
            "schema": { "type": "string", "pattern": TAGS },
            "example": "\"4a1c5ac5b3a2f0d4c9d5b7e1f8a09c31\"",
        }));
    }
    let mut responses = Map::new();
    let gives = &operation.gives;
    let mut given = json!({ "description": gives.what });
    if let Value::Object(members) = &mut given {
        if let Some(body) = &gives.body {
            let mut given = content(body, generator);
            if let Value::Object(media) = &mut given {
                for other in gives.also {
                    let text = json!({ "schema": { "type": "string" } });
                    media.insert((*other).to_owned(), text);
                }
            }
            members.insert("content".into(), given);
        }
        let mut headers = Map::new();
        if gives.tagged {
            headers.insert(
                "ETag".into(),
                json!({ "schema": { "type": "string" }, "required": true }),
            );
        }
        if gives.status == 201 {
            headers.insert(
                "Location".into(),
                json!({ "schema": { "type": "string" }, "required": true }),
            );
        }
        if !headers.is_empty() {
            members.insert("headers".into(), Value::Object(headers));
        }
    }
    responses.insert(gives.status.to_string(), given);
    if operation.witnessed {
        responses.insert("202".to_owned(), waits(generator));
    }
    for (status, name, _) in REFUSALS {
        if answers(operation, status) {
            let reference = format!("#/components/responses/{name}");
            responses.insert(status.to_string(), json!({ "$ref": reference }));
        }
    }
    let mut described = json!({
        "operationId": operation.id,
        "tags": [operation.subject],
        "summary": operation.summary,
        "responses": responses,
        "security": match operation.access {
            Access::Anybody => json!([]),
            Access::Session | Access::Right(_) | Access::Either(..) => json!([{ "session": [] }]),
        },
    });
    if let Value::Object(members) = &mut described {
        if !parameters.is_empty() {
            members.insert("parameters".into(), Value::Array(parameters));
        }
        if let Some(body) = &operation.takes {
            let body = json!({ "required": true, "content": content(body, generator) });
            members.insert("requestBody".into(), body);
        }
        if operation.witnessed {
            members.insert("x-second-person".into(), json!("witness"));
        }
        match operation.access {
            Access::Right(right) => members.insert("x-right".into(), json!(right.name())),
            Access::Either(one, other) => {
                members.insert("x-right".into(), json!(one.name()));
                members.insert("x-or-right".into(), json!(other.name()))
            }
            Access::Anybody | Access::Session => None,
        };
        if let Some(action) = operation.trace.action() {
            let when = match operation.trace {
                Trace::Refusals(_) => "refused",
                _ => "always",
            };
            let left = json!({ "action": action, "when": when });
            members.insert("x-audit".into(), left);
        }
    }
    described
}

/// What is answered while the second person did not confirm it.
fn waits(generator: &mut SchemaGenerator) -> Value {
    json!({
        "description": "It can be done, and the second person must confirm it: send the same again once they did.",
        "content": { "application/json": {
            "schema": generator.subschema_for::<Confirmation>(),
            "example": confirmations::example(),
        } },
        "headers": { "Location": { "schema": { "type": "string" }, "required": true } },
    })
}

/// Tells whether an operation may answer with a status that is no success.
fn answers(operation: &Operation, status: u16) -> bool {
    let takes = operation.takes.is_some();
    match status {
        401 => operation.access != Access::Anybody || takes,
        403 => {
            matches!(operation.access, Access::Right(_) | Access::Either(..))
                || (takes && operation.access == Access::Anybody)
        }
        404 => {
            !operation.parameters.is_empty()
                || operation.conflicts
                || operation.trace.action().is_some()
        }
        408 | 413 | 415 => takes,
        409 => operation.conflicts || operation.once,
        412 => operation.conditional.is_some(),
        422 => operation.judged || operation.once,
        _ => true,
    }
}

fn parameter(
    place: &str,
    required: bool,
    parameter: &Parameter,
    generator: &mut SchemaGenerator,
) -> Value {
    json!({
        "name": parameter.name, "in": place, "required": required,
        "description": parameter.what, "schema": (parameter.schema)(generator),
        "example": parameter.example,
    })
}

fn content(body: &Body, generator: &mut SchemaGenerator) -> Value {
    let schema = body.form.schema(generator);
    json!({ body.media: { "schema": schema, "example": body.example } })
}

fn problem() -> Value {
    let mut kinds: Vec<String> = Fault::ALL
        .iter()
        .map(|fault| format!("{}{}", api::wire::PROBLEMS, fault.name()))
        .collect();
    kinds.sort();
    json!({
        "type": "object",
        "description": "What went wrong (RFC 9457). Some kinds have more members.",
        "required": ["type", "title", "status", "detail", "exit"],
        "properties": {
            "type": { "type": "string", "enum": kinds },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string", "description": "What happened, and what to do." },
            "instance": { "type": "string", "description": "How the server's log knows the request." },
            "exit": { "type": "integer", "description": "The exit code that a command would end with." },
        },
    })
}

fn example_of(status: u16) -> Value {
    let fault = Fault::ALL
        .into_iter()
        .find(|fault| fault.status().as_u16() == status)
        .unwrap_or(Fault::Invalid);
    let problem = crate::problem::Problem::of_status(fault.status());
    serde_json::to_value(problem.wire(None)).unwrap_or_default()
}
