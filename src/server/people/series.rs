//! Series of document numbers, and the account of every number.

use central::{NewSeries, NumbersOf, SeriesLine, Thing};
use document::{Act, DocumentNumber};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::people::answer::Answer;
use crate::people::bodies::Before;
use crate::people::call::Call;
use crate::people::named::{AccountName, CauseText, Day, KindName, Number};
use crate::people::operation::{Operation, of};
use crate::problem::{Fault, Problem};

/// A series.
#[derive(Serialize, JsonSchema)]
struct SeriesShown {
    /// How it is called: its first number.
    series: String,
    /// The kinds that get their numbers from it.
    kinds: Vec<KindName>,
    /// Its last number.
    last: String,
    /// The next that it gives; null where it is used up.
    next: Option<String>,
    /// Whether numbers are given from it.
    open: bool,
    /// How many are left.
    remaining: u64,
    /// How many were given a day, on the average of the last thirty.
    pace: f64,
    /// The day on which it is used up at that pace.
    used_up: Option<Day>,
    /// Whether that day is near.
    nearly_used_up: bool,
    /// The open series that follows for all of its kinds.
    followed_by: Option<String>,
    /// What `If-Match` takes, in quotation marks; numbers that are given leave it as it is.
    tag: String,
}

impl SeriesShown {
    fn of(line: SeriesLine) -> Self {
        Self {
            tag: line.tag(),
            series: line.id,
            kinds: line.kinds.into_iter().map(KindName).collect(),
            last: line.last,
            next: line.next,
            open: line.open,
            remaining: line.remaining,
            pace: line.pace,
            used_up: line.used_up.map(Day),
            nearly_used_up: line.nearly_used_up,
            followed_by: line.followed_by,
        }
    }
}

/// The series.
#[derive(Serialize, JsonSchema)]
struct AllSeries {
    /// In the order of their turns.
    items: Vec<SeriesShown>,
}

/// A series to open.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SeriesToOpen {
    /// The second person, who confirms it in a session of their own.
    witness: AccountName,
    /// Its two capital letters.
    #[schemars(regex(pattern = "^[A-Z]{2}$"))]
    prefix: String,
    /// Its first number.
    #[schemars(range(min = 1, max = 9_999_999))]
    first: u32,
    /// Its last.
    #[schemars(range(min = 1, max = 9_999_999))]
    last: u32,
    /// The kinds that get their numbers from it.
    #[schemars(length(min = 1, max = 32))]
    kinds: Vec<KindName>,
}

/// A series that is open.
#[derive(Serialize, JsonSchema)]
struct OpenedSeries {
    /// How it is called: its first number.
    series: String,
}

/// Numbers to void.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ToVoid {
    /// The second person, who confirms it in a session of their own.
    witness: AccountName,
    /// The first of them.
    from: Number,
    /// The last of them.
    to: Number,
    /// Why.
    cause: CauseText,
}

/// How many numbers.
#[derive(Serialize, JsonSchema)]
struct Voided {
    /// How many are void now.
    numbers: u64,
}

/// The account of the numbers of a series, or of blanks: each is in exactly one of the figures.
#[derive(Serialize, JsonSchema)]
struct AccountOf {
    /// The series by its first number, or the letters of the blanks.
    of: String,
    /// Whether they came on blanks.
    on_blanks: bool,
    /// How many were given.
    given: u64,
    /// On blanks that carry no document yet.
    waiting: u64,
    /// Of documents that are not made yet.
    allotted: u64,
    /// Of documents that were made.
    issued: u64,
    /// On numbered blanks that came back untouched.
    returned: u64,
    /// Spoiled with a blank.
    spoiled: u64,
    /// Void.
    void: u64,
}

impl AccountOf {
    fn of(line: NumbersOf) -> Self {
        Self {
            of: line.name,
            on_blanks: line.on_blanks,
            given: line.given,
            waiting: line.waiting,
            allotted: line.allotted,
            issued: line.issued,
            returned: line.returned,
            spoiled: line.spoiled,
            void: line.void,
        }
    }
}

/// What a check of the numbers found.
#[derive(Serialize, JsonSchema)]
struct NumbersChecked {
    /// Every account.
    accounts: Vec<AccountOf>,
    /// What is wrong, in words; none where every number is in one account.
    faults: Vec<String>,
}

async fn list(call: Call) -> Result<Answer, Problem> {
    let found = call.central.series(call.actor()?).await?;
    let items = found.into_iter().map(SeriesShown::of).collect();
    Answer::json(&AllSeries { items })
}

async fn open(call: Call) -> Result<Answer, Problem> {
    let new: SeriesToOpen = call.json()?;
    let series = NewSeries {
        prefix: new.prefix,
        first: new.first,
        last: new.last,
        kinds: new.kinds.into_iter().map(|kind| kind.0).collect(),
    };
    let series = call
        .central
        .open_series(call.actor()?, &series, &new.witness.0)
        .await?;
    Answer::created("/v1/series".to_owned(), &OpenedSeries { series })
}

async fn close(call: Call) -> Result<Answer, Problem> {
    let before: Before = call.json()?;
    let (actor, series) = (call.actor()?, call.part("series"));
    call.central
        .close_series(actor, series, &before.witness.0, &before.cause.0)
        .await?;
    Ok(Answer::nothing())
}

async fn void(call: Call) -> Result<Answer, Problem> {
    let told: ToVoid = call.json()?;
    let number = |text: &Number| {
        text.0
            .parse::<DocumentNumber>()
            .map_err(|_| Problem::new(Fault::Invalid, "a number is two letters and seven digits"))
    };
    let range = (number(&told.from)?, number(&told.to)?);
    let numbers = call
        .central
        .void_numbers(call.actor()?, range, &told.witness.0, &told.cause.0)
        .await?;
    Answer::json(&Voided { numbers })
}

async fn check(call: Call) -> Result<Answer, Problem> {
    let found = call.central.check_numbers(call.actor()?).await?;
    Answer::json(&NumbersChecked {
        accounts: found.accounts.into_iter().map(AccountOf::of).collect(),
        faults: found.faults,
    })
}

/// Returns the operations.
pub(crate) fn operations() -> Vec<Operation> {
    of(
        "numbers",
        vec![
            Operation::get("/v1/series", "listSeries", "Lists the series of numbers, and how long each lasts.")
                .read(Act::ViewReports, "series.listed", "series")
                .gives::<AllSeries>(
                    200,
                    "The series.",
                    json!({ "items": [{
                        "series": "XA0000001", "kinds": ["id-card"], "last": "XA9999999",
                        "next": "XA0000003", "open": true, "remaining": 9_999_997, "pace": 0.1,
                        "used_up": null, "nearly_used_up": false, "followed_by": null,
                        "tag": "4a1c5ac5b3a2f0d4c9d5b7e1f8a09c31",
                    }] }),
                )
                .runs(list),
            Operation::post("/v1/series", "openSeries", "Opens a series of numbers for some kinds, by two persons.")
                .act(Act::ManageSeries, "series.opened", "series")
                .once()
                .witnessed()
                .takes::<SeriesToOpen>(json!({
                    "witness": "officer", "prefix": "XC", "first": 1, "last": 100_000, "kinds": ["id-card"],
                }))
                .gives::<OpenedSeries>(201, "It is open.", json!({ "series": "XC0000001" }))
                .runs(open),
            Operation::post("/v1/series/{series}/close", "closeSeries", "Closes a series, by two persons: no number is given from it any more.")
                .parameter::<Number>("series", "The series by its first number.", "XA0000001")
                .act(Act::ManageSeries, "series.closed", "series")
                .conditional(Thing::Series, "series")
                .witnessed()
                .takes::<Before>(json!({ "witness": "officer", "cause": "replaced" }))
                .runs(close),
            Operation::post("/v1/numbers/voiding", "voidNumbers", "Voids numbers that nobody was given yet, by two persons.")
                .act(Act::ManageSeries, "numbers.voided", "number")
                .witnessed()
                .takes::<ToVoid>(json!({
                    "witness": "officer", "from": "XA0000100", "to": "XA0000199", "cause": "printed by mistake",
                }))
                .gives::<Voided>(200, "They are void.", json!({ "numbers": 100 }))
                .runs(void),
            Operation::get("/v1/numbers/check", "checkNumbers", "Accounts for every number, series by series.")
                .read(Act::ViewReports, "number.checked", "number")
                .gives::<NumbersChecked>(
                    200,
                    "The accounts.",
                    json!({ "accounts": [{
                        "of": "XA0000001", "on_blanks": false, "given": 2, "waiting": 0, "allotted": 1,
                        "issued": 1, "returned": 0, "spoiled": 0, "void": 0,
                    }], "faults": [] }),
                )
                .runs(check),
        ],
    )
}
