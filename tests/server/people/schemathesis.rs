//! schemathesis as judge: with a session of each role it sends what the document allows and what
//! it does not, and every answer must be one that the document has.

use std::path::PathBuf;
use std::process::Command;

use document::may;

use super::house::{PEOPLE, wide, with_one_server};
use crate::missing;
use crate::people::operation::Access;
use crate::people::operations;

/// Names the folder of the program.
const FOLDER: &str = "ZIMOGS_SCHEMATHESIS";

/// The seconds for each role, beside what is always sent.
const SECONDS: &str = "6";

fn program() -> Option<PathBuf> {
    let place = std::env::var_os(FOLDER).map(PathBuf::from);
    let usual = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/schemathesis/bin");
    place
        .unwrap_or(usual)
        .join("schemathesis")
        .canonicalize()
        .ok()
}

#[test]
fn every_answer_is_one_that_the_document_has() {
    let Some(program) = program() else {
        missing::program("schemathesis, a judge of the interface");
        return;
    };
    with_one_server(
        "people::scenarios::schemathesis::every_answer_is_one_that_the_document_has",
        wide(),
        async |house| {
            let mut failed = Vec::new();
            // It leaves files where it runs.
            let folder = tempfile::tempdir().unwrap();
            for (person, role) in PEOPLE {
                let bearer = format!("Authorization: Bearer {}", house.token(person));
                let mut command = Command::new(&program);
                command
                    .arg("run")
                    .arg(format!("http://{}/v1/openapi.json", house.address))
                    .args(["--header", &bearer])
                    .args(["--phases", "examples,coverage,fuzzing"])
                    .args(["--max-time", SECONDS, "--max-examples", "8"])
                    .args(["--workers", "1", "--seed", "20261120", "--no-shrink"])
                    .args(["--checks", CHECKS])
                    // A station shows a certificate, which no person has.
                    .args(["--exclude-path-regex", "^/v1/station/"])
                    .args(["--warnings", "off", "--no-color"])
                    .current_dir(folder.path());
                for operation in operations() {
                    // How people come in is the same for all; who is refused is told before anything
                    // is read, for every operation alike.
                    let is_told = match operation.access {
                        Access::Right(right) => may(role, right),
                        Access::Either(one, other) => may(role, one) || may(role, other),
                        Access::Session | Access::Anybody => person == "clerk",
                    };
                    // They would end the session that the rest is tried in.
                    let ends = ["signOut", "endSession"].contains(&operation.id);
                    if ends || (!is_told && person != "clerk") {
                        command.args(["--exclude-operation-id", operation.id]);
                    }
                }
                let judged = tokio::task::spawn_blocking(move || command.output().unwrap());
                let judged = judged.await.unwrap();
                if !judged.status.success() {
                    let said = String::from_utf8_lossy(&judged.stdout).into_owned();
                    let trouble = String::from_utf8_lossy(&judged.stderr).into_owned();
                    failed.push(format!("as {person}:\n{said}{trouble}"));
                }
                let token = house.get(person, "/v1/session").await;
                assert_eq!(token.status, 200, "{person} is still signed in");
            }
            assert!(failed.is_empty(), "{}", failed.join("\n\n"));
        },
    );
}

/// What each answer is judged by. Not `positive_data_acceptance`: what fits its schema may still
/// be a document that is not there, or a password that is guessed too easily.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
response_headers_conformance,response_schema_conformance,negative_data_rejection,\
missing_required_header,unsupported_method,allow_header_conformance,ignored_auth";
