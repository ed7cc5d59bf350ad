//! `zimogs central user`: accounts of people, as an administrator keeps them.

use central::AccountDetails;
use clap::{Args, Subcommand};
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use document::Role;
use serde_json::{Value, json};

use crate::cli::central::Place;
use crate::cli::failure::Failure;
use crate::cli::output;

/// Accounts of people.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Adds a person with roles. Example:
    /// zimogs central user add berta --role clerk --role approver --data FOLDER
    Add(WithRoles),
    /// Issues the one-time code by which a person sets password and second factor; it is shown
    /// once, holds for 72 hours, and is handed over in person. Example:
    /// zimogs central user code berta --data FOLDER
    Code(OneUser),
    /// Gives a person other roles, which ends all their sessions. Example:
    /// zimogs central user roles berta --role quality --data FOLDER
    Roles(WithRoles),
    /// Locks an account: nobody signs in to it, and all its sessions end. Example:
    /// zimogs central user lock berta --cause "left the office" --data FOLDER
    Lock(Lock),
    /// Unlocks an account and forgets its failed attempts. Example:
    /// zimogs central user unlock berta --data FOLDER
    Unlock(OneUser),
    /// Lists the accounts. Example:
    /// zimogs central user list --data FOLDER
    List(Place),
    /// Lists the sessions that hold now, or ends one. Example:
    /// zimogs central user sessions --data FOLDER
    Sessions(Sessions),
}

/// One account.
#[derive(Args)]
pub(crate) struct OneUser {
    /// The account's name.
    name: String,
    #[command(flatten)]
    place: Place,
}

/// An account and its roles.
#[derive(Args)]
pub(crate) struct WithRoles {
    /// A role; repeat it for more.
    #[arg(long = "role", value_name = "ROLE", required = true)]
    roles: Vec<Role>,
    #[command(flatten)]
    user: OneUser,
}

/// An account to lock.
#[derive(Args)]
pub(crate) struct Lock {
    /// Why.
    #[arg(long)]
    cause: String,
    #[command(flatten)]
    user: OneUser,
}

/// Which sessions.
#[derive(Args)]
pub(crate) struct Sessions {
    /// Ends the session of this identity.
    #[arg(long, value_name = "ID")]
    end: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// The account that keeps people, where none is named.
const ADMINISTRATOR: &str = "administrator";

/// How many accounts are read at once.
const PAGE: u32 = 200;

impl OneUser {
    fn tell(&self, done: &str, sentence: &str) -> Result<(), Failure> {
        if self.place.json() {
            output::json(&json!({ "account": self.name, "done": done }))
        } else {
            output::line(&format!("{} {sentence}", self.name))
        }
    }
}

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Add(options) => {
            let user = &options.user;
            user.place
                .with_central(ADMINISTRATOR, async |central, actor| {
                    central
                        .add_account(&actor, &user.name, &options.roles)
                        .await?;
                    user.tell("added", "is added; next: zimogs central user code")
                })
        }
        Command::Code(user) => code(user),
        Command::Roles(options) => {
            let user = &options.user;
            user.place
                .with_central(ADMINISTRATOR, async |central, actor| {
                    central
                        .set_roles(&actor, &user.name, &options.roles)
                        .await?;
                    user.tell("roles", "has these roles now, and no session")
                })
        }
        Command::Lock(options) => {
            let user = &options.user;
            user.place
                .with_central(ADMINISTRATOR, async |central, actor| {
                    central
                        .lock_account(&actor, &user.name, &options.cause)
                        .await?;
                    user.tell("locked", "is locked, and has no session")
                })
        }
        Command::Unlock(user) => user
            .place
            .with_central(ADMINISTRATOR, async |central, actor| {
                central.unlock_account(&actor, &user.name).await?;
                user.tell("unlocked", "is unlocked")
            }),
        Command::List(place) => list(place),
        Command::Sessions(options) => sessions(options),
    }
}

fn code(user: &OneUser) -> Result<(), Failure> {
    output::must_be_seen()?;
    user.place
        .with_central(ADMINISTRATOR, async |central, actor| {
            let code = central.issue_code(&actor, &user.name).await?;
            if user.place.json() {
                output::json(&json!({
                    "account": user.name, "code": code.code.as_str(), "expires": code.expires,
                }))
            } else {
                output::line(&format!(
                    "the code of {}, until {}: {}",
                    user.name,
                    code.expires,
                    code.code.as_str()
                ))
            }
        })
}

fn list(place: &Place) -> Result<(), Failure> {
    place.with_central(ADMINISTRATOR, async |central, actor| {
        let mut accounts: Vec<AccountDetails> = Vec::new();
        loop {
            let after = accounts
                .last()
                .map_or_else(String::new, |last| last.name.clone());
            let page = central.accounts_after(&actor, &after, PAGE).await?;
            if page.is_empty() {
                break;
            }
            accounts.extend(page);
        }
        if place.json() {
            let lines: Vec<_> = accounts.iter().map(shown).collect();
            return output::json(&lines);
        }
        let mut table = Table::new();
        table.load_preset(UTF8_FULL_CONDENSED).set_header([
            "account",
            "roles",
            "second factor",
            "state",
        ]);
        for account in &accounts {
            let factor = match (account.factor, account.needs_factor) {
                (Some(factor), _) => factor.name(),
                (None, true) => "missing",
                (None, false) => "none",
            };
            let state = match (account.locked, account.password_set, account.code_expires) {
                (Some(_), ..) => "locked",
                (None, Some(_), _) => "enrolled",
                (None, None, Some(_)) => "has a code",
                (None, None, None) => "added",
            };
            let roles: Vec<_> = account.roles.iter().map(|role| role.name()).collect();
            table.add_row([&*account.name, &roles.join(", "), factor, state]);
        }
        output::line(&table.to_string())
    })
}

fn shown(account: &AccountDetails) -> Value {
    let roles: Vec<_> = account.roles.iter().map(|role| role.name()).collect();
    json!({
        "account": account.name, "id": account.id, "roles": roles, "added": account.added,
        "locked": account.locked, "password_set": account.password_set,
        "second_factor": account.factor.map(central::SecondFactor::name),
        "needs_second_factor": account.needs_factor, "code_expires": account.code_expires,
    })
}

fn sessions(options: &Sessions) -> Result<(), Failure> {
    let place = &options.place;
    place.with_central(ADMINISTRATOR, async |central, actor| {
        if let Some(id) = &options.end {
            central.end_session(&actor, id).await?;
            return if place.json() {
                output::json(&json!({ "session": id, "done": "ended" }))
            } else {
                output::line(&format!("session {id} is ended"))
            };
        }
        let lines = central.sessions(&actor).await?;
        if place.json() {
            let lines: Vec<_> = lines
                .iter()
                .map(|line| {
                    json!({
                        "session": line.id, "account": line.account, "station": line.station,
                        "second_factor": line.factor, "opened": line.opened, "used": line.used,
                        "expires": line.expires,
                    })
                })
                .collect();
            return output::json(&lines);
        }
        let mut table = Table::new();
        table.load_preset(UTF8_FULL_CONDENSED).set_header([
            "session",
            "account",
            "station",
            "second factor",
            "opened",
            "used",
        ]);
        for line in &lines {
            table.add_row([
                line.id.clone(),
                line.account.clone(),
                line.station.clone().unwrap_or_else(|| "-".to_owned()),
                line.factor.clone(),
                line.opened.to_string(),
                line.used.to_string(),
            ]);
        }
        output::line(&table.to_string())
    })
}
