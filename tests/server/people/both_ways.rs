//! Three lists that must tell the same: the acts of the store with the rights to them, the command
//! line, and the operations of `/v1`. Whoever adds an act adds both ways to it, or says here why not.
//!
//! What calls an act is found in the program's text: an act is a public method of the store that takes
//! who acts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use document::Act;

use crate::people::operation::Access;
use crate::people::operations;

/// The acts that `/v1` does not have.
const NOT_SERVED: [(&str, &str); 18] = [
    (
        "accounts",
        "listAccounts gives the same in pages, by `accounts_after`",
    ),
    (
        "audit_books",
        "reads the whole store in one snapshot, for minutes; its exit code is for the machine's timer",
    ),
    ("audit_books_watched", "as `audit_books`"),
    (
        "back_up",
        "writes a copy of the whole store beside it; nobody elsewhere is to have one",
    ),
    ("back_up_beside", "as `back_up`"),
    (
        "begin_publishing",
        "begins what a process of its own does: zimogs pki serve",
    ),
    (
        "blanks",
        "listBlanks gives the same in pages, by `blanks_after`",
    ),
    (
        "document_lines_after",
        "listDocuments gives documents by themselves, by `documents_after`",
    ),
    (
        "envelope_not_printed",
        "only the program that speaks with the printer knows it: by a person's word, PINs would be printed twice",
    ),
    (
        "export_audit",
        "writes files; listEntries, showCheckpoint and proveEntry give what they hold",
    ),
    (
        "found",
        "`central init` makes the first account: before it nobody can sign in",
    ),
    (
        "lease_new_pins",
        "the document lies in a reader of the program that asks",
    ),
    ("new_pins_are_set", "as `lease_new_pins`"),
    (
        "note_pruned",
        "notes which copies a folder of this machine has no more",
    ),
    (
        "open_envelope",
        "PINs are in the clear at their printer only, and never on the network",
    ),
    (
        "parcel_content",
        "listParcels gives what is in each; the list on paper is made where its printer is",
    ),
    ("places", "listPlaces gives them with their days, by `days`"),
    ("print_envelope", "as `open_envelope`"),
];

/// The acts that the command line does not have.
const NOT_TYPED: [(&str, &str); 26] = [
    ("account", "`user list` shows the same, by `accounts_after`"),
    ("account_tag", "is for If-Match"),
    (
        "accounts",
        "`user list` shows the same, by `accounts_after`",
    ),
    (
        "application",
        "shows a holder to whoever signed in; the console finds applications by `search`",
    ),
    ("applications_after", "as `application`"),
    ("ask_second_person", "before the machine, both are there"),
    (
        "audit_books",
        "`audit-books` shows how far it is, by `audit_books_watched`",
    ),
    ("awaited", "as `ask_second_person`"),
    ("awaited_one", "as `ask_second_person`"),
    (
        "blanks",
        "`stock list` and `report stock` show the accounts",
    ),
    ("blanks_after", "as `blanks`"),
    ("certificates", "`document show` lists them"),
    ("checkpoint", "`audit export` writes it"),
    ("confirm_as_second", "as `ask_second_person`"),
    ("confirmed", "as `ask_second_person`"),
    ("document", "`document show` shows more, by `history`"),
    (
        "documents_after",
        "`documents` lists them with their chips, by `document_lines_after`",
    ),
    ("log_from", "`audit export` writes all of it"),
    ("log_proof", "`audit verify` computes it from an export"),
    ("look", "is part of each request"),
    ("numbers", "`series check` and `report numbers` tell more"),
    (
        "places",
        "`stock places` lists them with their days, by `days`",
    ),
    (
        "refused_package",
        "the drop folder keeps the file itself; what came over the network is asked for there",
    ),
    ("ribbon", "`ribbon list` shows each"),
    ("sign_out", "a session is of the interface"),
    ("withdraw_asked", "as `ask_second_person`"),
];

/// The rights that no operation of `/v1` takes.
const RIGHTS_OF_THE_MACHINE: [(Act, &str); 3] = [
    (Act::BackUpStore, "see `back_up`"),
    (Act::RenewPins, "see `lease_new_pins`"),
    (Act::ServeAuthority, "see `begin_publishing`"),
];

/// Returns the program's text in a folder, without white space.
fn text(folder: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut folders = vec![
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("..")
            .join(folder),
    ];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(path).unwrap();
                texts.push(text.split_whitespace().collect());
            }
        }
    }
    texts
}

/// The public methods of the store that take who acts.
fn acts() -> BTreeSet<String> {
    let mut acts = BTreeSet::new();
    for text in text("central") {
        for method in text.split("pubasyncfn").skip(1) {
            let (name, rest) = method.split_once('(').unwrap();
            let takes_who = ["actor:&Actor", "administrator:&Actor", "session:&Session"];
            let rest = rest.strip_prefix("&self,").unwrap_or_default();
            if takes_who.iter().any(|who| rest.starts_with(who)) {
                let name = name.split('<').next().unwrap();
                acts.insert(name.to_owned());
            }
        }
    }
    acts
}

/// Tells which acts are called in a folder of the program.
fn called(folder: &str, acts: &BTreeSet<String>) -> BTreeSet<String> {
    let texts = text(folder);
    // Who acts comes first; `$name` is a list of acts that a macro writes out.
    let whose = [
        "actor",
        "&actor",
        "call.actor()?",
        "call.session()?",
        "session",
        "&session",
        "&administrator",
    ];
    let is_called = |act: &&String| {
        texts.iter().any(|text| {
            whose
                .iter()
                .any(|who| text.contains(&format!(".{act}({who}")))
                || text.contains(&format!("Central::{act}"))
                || text.contains("call.central.$name(") && listed_in_a_macro(text, act)
        })
    };
    acts.iter().filter(is_called).cloned().collect()
}

fn listed_in_a_macro(text: &str, act: &str) -> bool {
    let listed = text.split("moves!(").nth(1).unwrap_or_default();
    let listed = listed.split(')').next().unwrap_or_default();
    listed.split(',').any(|name| name == act)
}

#[test]
fn each_act_has_both_ways_or_a_reason() {
    let acts = acts();
    assert!(acts.len() > 100, "the acts were found");
    for (folder, exceptions) in [("server/people", &NOT_SERVED[..]), ("cli", &NOT_TYPED[..])] {
        let called = called(folder, &acts);
        let missing: Vec<_> = acts.difference(&called).map(String::as_str).collect();
        let expected: Vec<_> = exceptions.iter().map(|(act, _)| *act).collect();
        assert_eq!(missing, expected, "src/{folder}");
        for (act, why) in exceptions {
            assert!(why.len() > 10, "{act}: why");
        }
    }
}

#[test]
fn each_right_is_judged_and_asked_for() {
    let judged = text("central").concat();
    let mut served: BTreeMap<&str, usize> = BTreeMap::new();
    for operation in operations() {
        let rights = match operation.access {
            Access::Right(one) => vec![one],
            Access::Either(one, other) => vec![one, other],
            Access::Anybody | Access::Session => vec![],
        };
        for right in rights {
            *served.entry(right.name()).or_default() += 1;
        }
    }
    for right in Act::ALL {
        let name = format!("Act::{right:?}");
        assert!(judged.contains(&name), "the store judges {right}");
        let reason = RIGHTS_OF_THE_MACHINE.iter().find(|(own, _)| own == right);
        assert_eq!(
            served.contains_key(right.name()),
            reason.is_none(),
            "{right}: either an operation takes it, or there is a reason"
        );
    }
}
