//! `zimogs central search`: the applications of a person, whose data is encrypted.

use central::PersonQuery;
use clap::Args;
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use jiff::civil::Date;
use serde_json::json;

use crate::cli::central::Place;
use crate::cli::failure::Failure;
use crate::cli::output;

/// Whom to look for: all that is given must fit.
#[derive(Args)]
#[group(id = "whom", required = true, multiple = true, args = ["name", "surname", "code"])]
pub(crate) struct Search {
    /// All names, in any order; case and marks do not matter.
    #[arg(long)]
    name: Option<String>,
    /// The whole surname alone.
    #[arg(long)]
    surname: Option<String>,
    /// The personal code, with its hyphen or without.
    #[arg(long)]
    code: Option<String>,
    /// The date of birth, YYYY-MM-DD.
    #[arg(long, value_name = "DATE")]
    born: Option<Date>,
    #[command(flatten)]
    place: Place,
}

/// Shows the applications of a person, by their references.
pub(crate) fn run(options: &Search) -> Result<(), Failure> {
    let query = PersonQuery {
        code: options.code.clone(),
        name: options.name.clone(),
        surname: options.surname.clone(),
        birth_date: options.born,
    };
    options.place.with_central("clerk", async |central, actor| {
        let found = central.search(&actor, &query).await?;
        if options.place.json() {
            let lines: Vec<_> = found
                .iter()
                .map(|one| {
                    json!({
                        "application": one.application, "kind": one.kind, "state": one.state,
                        "number": one.number, "document": one.document,
                    })
                })
                .collect();
            return output::json(&lines);
        }
        if found.is_empty() {
            return output::line("no application fits");
        }
        let mut table = Table::new();
        table.load_preset(UTF8_FULL_CONDENSED).set_header([
            "application",
            "kind",
            "state",
            "document",
            "its state",
        ]);
        for one in &found {
            table.add_row([
                one.application.clone(),
                one.kind.to_string(),
                one.state.to_string(),
                one.number.clone().unwrap_or_else(|| "-".into()),
                one.document
                    .map_or_else(|| "-".into(), |state| state.to_string()),
            ]);
        }
        output::line(&table.to_string())
    })
}
