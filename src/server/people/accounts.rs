//! Accounts and sessions, as an administrator keeps them.

use central::{AccountDetails, SessionLine, Thing};
use document::{Act, Role};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::people::answer::{Answer, Page};
use crate::people::bodies::Because;
use crate::people::call::{Call, page_of};
use crate::people::named::{AccountName, Cursor, Limit, Moment, RoleName, SessionId};
use crate::people::operation::{Operation, of};
use crate::problem::Problem;

/// A new account.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewAccount {
    /// Its name.
    account: AccountName,
    /// Its roles.
    #[schemars(length(min = 1, max = 9))]
    roles: Vec<RoleName>,
}

/// Roles.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Roles {
    /// The roles.
    #[schemars(length(min = 1, max = 9))]
    roles: Vec<RoleName>,
}

/// An account.
#[derive(Serialize, JsonSchema)]
struct AccountShown {
    /// Its identity, as the audit log knows it.
    id: String,
    /// Its name.
    account: String,
    /// Its roles.
    roles: Vec<RoleName>,
    /// When it was added.
    added: Moment,
    /// Since when it is locked.
    locked: Option<Moment>,
    /// When its password was set.
    password_set: Option<Moment>,
    /// Its second factor: `totp` or `card`.
    second_factor: Option<String>,
    /// Whether its roles need one.
    needs_second_factor: bool,
    /// Until when an enrolment code holds.
    code_expires: Option<Moment>,
}

impl AccountShown {
    fn of(account: AccountDetails) -> Self {
        Self {
            id: account.id,
            account: account.name,
            roles: account.roles.into_iter().map(RoleName).collect(),
            added: Moment(account.added),
            locked: account.locked.map(Moment),
            password_set: account.password_set.map(Moment),
            second_factor: account.factor.map(|factor| factor.name().to_owned()),
            needs_second_factor: account.needs_factor,
            code_expires: account.code_expires.map(Moment),
        }
    }
}

/// An enrolment code.
#[derive(Serialize, JsonSchema)]
struct CodeShown {
    /// The code; it is not shown again.
    code: String,
    /// Until when it holds.
    expires: Moment,
}

/// A session of somebody.
#[derive(Serialize, JsonSchema)]
struct SomebodysSession {
    /// Its identity.
    id: String,
    /// The account's name.
    account: String,
    /// The station it is bound to.
    station: Option<String>,
    /// The second factor it was opened with.
    second_factor: String,
    /// When it was opened.
    opened: Moment,
    /// When it was used last, within half a minute.
    used: Moment,
    /// When it ends at the latest.
    expires: Moment,
}

impl SomebodysSession {
    fn of(line: SessionLine) -> Self {
        Self {
            id: line.id,
            account: line.account,
            station: line.station,
            second_factor: line.factor,
            opened: Moment(line.opened),
            used: Moment(line.used),
            expires: Moment(line.expires),
        }
    }
}

/// The sessions.
#[derive(Serialize, JsonSchema)]
struct Sessions {
    /// Those that hold now: at most eight of an account.
    items: Vec<SomebodysSession>,
}

const LIST: &str = "accounts";

fn roles(named: Vec<RoleName>) -> Vec<Role> {
    named.into_iter().map(|role| role.0).collect()
}

async fn shown(call: &Call, name: &str) -> Result<(AccountShown, String), Problem> {
    // The tag first: where somebody changes it in between, the tag is too old and not too new.
    let tag = call.central.account_tag(call.actor()?, name).await?;
    let account = call.central.account(call.actor()?, name).await?;
    Ok((AccountShown::of(account), tag))
}

async fn list(call: Call) -> Result<Answer, Problem> {
    let (after, limit) = call.page(LIST)?;
    let found = call
        .central
        .accounts_after(call.actor()?, &after, limit + 1)
        .await?;
    Answer::json(&page_of(
        LIST,
        found,
        limit,
        |one| one.name.clone(),
        AccountShown::of,
    ))
}

async fn add(call: Call) -> Result<Answer, Problem> {
    let new: NewAccount = call.json()?;
    let name = new.account.0;
    call.central
        .add_account(call.actor()?, &name, &roles(new.roles))
        .await?;
    let (account, tag) = shown(&call, &name).await?;
    Ok(Answer::created(format!("/v1/accounts/{name}"), &account)?.tagged(&tag))
}

async fn show(call: Call) -> Result<Answer, Problem> {
    let (account, tag) = shown(&call, call.part("account")).await?;
    Ok(Answer::json(&account)?.tagged(&tag))
}

async fn set_roles(call: Call) -> Result<Answer, Problem> {
    let new: Roles = call.json()?;
    let new = roles(new.roles);
    call.central
        .set_roles(call.actor()?, call.part("account"), &new)
        .await?;
    show(call).await
}

async fn lock(call: Call) -> Result<Answer, Problem> {
    let because: Because = call.json()?;
    call.central
        .lock_account(call.actor()?, call.part("account"), &because.cause.0)
        .await?;
    show(call).await
}

async fn unlock(call: Call) -> Result<Answer, Problem> {
    call.central
        .unlock_account(call.actor()?, call.part("account"))
        .await?;
    show(call).await
}

async fn issue_code(call: Call) -> Result<Answer, Problem> {
    let code = call
        .central
        .issue_code(call.actor()?, call.part("account"))
        .await?;
    Answer::json(&CodeShown {
        code: code.code.to_string(),
        expires: Moment(code.expires),
    })
}

async fn sessions(call: Call) -> Result<Answer, Problem> {
    let lines = call.central.sessions(call.actor()?).await?;
    Answer::json(&Sessions {
        items: lines.into_iter().map(SomebodysSession::of).collect(),
    })
}

async fn end_session(call: Call) -> Result<Answer, Problem> {
    call.central
        .end_session(call.actor()?, call.part("session"))
        .await?;
    Ok(Answer::nothing())
}

/// Returns the operations.
pub(crate) fn operations() -> Vec<Operation> {
    let account = json!({
        "id": "0192f0c1-2b3c-7d4e-8f50-617283940a1b", "account": "berta", "roles": ["clerk"],
        "added": "2026-11-20T08:00:00Z", "locked": null, "password_set": null,
        "second_factor": null, "needs_second_factor": false, "code_expires": null,
    });
    let of_account = |operation: Operation| {
        operation.parameter::<AccountName>("account", "The account's name.", "berta")
    };
    let right = Act::ManagePeople;
    of(
        "accounts",
        vec![
            Operation::get(
                "/v1/accounts",
                "listAccounts",
                "Lists the accounts by name.",
            )
            .read(right, "account.read", "account")
            .field::<Limit>("limit", "The most items of the page.", 50)
            .field::<Cursor>(
                "cursor",
                "The next of the page before.",
                "AWFjY291bnRzAGJlcnRh",
            )
            .gives::<Page<AccountShown>>(
                200,
                "A page.",
                json!({ "items": [account], "next": null }),
            )
            .runs(list),
            Operation::post("/v1/accounts", "addAccount", "Adds a person with roles.")
                .act(right, "account.added", "account")
                .once()
                .takes::<NewAccount>(json!({ "account": "berta", "roles": ["clerk"] }))
                .tagged()
                .gives::<AccountShown>(201, "The account.", account.clone())
                .runs(add),
            of_account(Operation::get(
                "/v1/accounts/{account}",
                "showAccount",
                "Shows an account.",
            ))
            .read(right, "account.read", "account")
            .tagged()
            .gives::<AccountShown>(200, "The account.", account.clone())
            .runs(show),
            of_account(Operation::put(
                "/v1/accounts/{account}/roles",
                "setRoles",
                "Gives an account other roles; all its sessions end.",
            ))
            .act(right, "account.roles-set", "account")
            .conditional(Thing::Account, "account")
            .takes::<Roles>(json!({ "roles": ["clerk", "approver"] }))
            .tagged()
            .gives::<AccountShown>(200, "The account.", account.clone())
            .runs(set_roles),
            of_account(Operation::post(
                "/v1/accounts/{account}/lock",
                "lockAccount",
                "Locks an account; all its sessions end.",
            ))
            .act(right, "account.locked", "account")
            .conditional(Thing::Account, "account")
            .takes::<Because>(json!({ "cause": "left the office" }))
            .tagged()
            .gives::<AccountShown>(200, "The account.", account.clone())
            .runs(lock),
            of_account(Operation::post(
                "/v1/accounts/{account}/unlock",
                "unlockAccount",
                "Unlocks an account, and forgets its failed attempts.",
            ))
            .act(right, "account.unlocked", "account")
            .conditional(Thing::Account, "account")
            .tagged()
            .gives::<AccountShown>(200, "The account.", account)
            .runs(unlock),
            of_account(Operation::post(
                "/v1/accounts/{account}/code",
                "issueCode",
                "Issues a one-time enrolment code; an older one serves no longer.",
            ))
            .act(right, "account.code-issued", "account")
            .conditional(Thing::Account, "account")
            .gives::<CodeShown>(
                200,
                "The code.",
                json!({ "code": "MZXW6-YTBOI-MZXW6-YTBOI", "expires": "2026-11-23T08:00:00Z" }),
            )
            .runs(issue_code),
            Operation::get(
                "/v1/sessions",
                "listSessions",
                "Lists the sessions that hold now.",
            )
            .read(right, "session.read", "session")
            .gives::<Sessions>(200, "The sessions.", json!({ "items": [] }))
            .runs(sessions),
            Operation::delete(
                "/v1/sessions/{session}",
                "endSession",
                "Ends somebody's session.",
            )
            .parameter::<SessionId>(
                "session",
                "The session's identity.",
                "0192f0c1-2b3c-7d4e-8f50-617283940a1b",
            )
            .act(right, "session.ended", "session")
            .runs(end_session),
        ],
    )
}
