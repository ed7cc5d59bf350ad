//! What a person at a station does at the centre, by the station's certificate and their own session:
//! verdicts, blanks in slots, the close of the day, and the confirmation of what another asked for.

use std::process::ExitCode;

use clap::{ArgGroup, Args};
use document::OfficeCode;
use jiff::Zoned;
use jiff::civil::Date;
use serde_json::{Value, json};
use station::{Act, LocalClient};

use crate::cli::central::counting::{CountLine, RibbonCountLine};
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::station::person::{Inside, Signed};

/// A verdict on a document that somebody else made.
#[derive(Args)]
#[command(group(ArgGroup::new("verdict").required(true)))]
pub(crate) struct Verdict {
    /// Its number.
    number: String,
    /// It is good.
    #[arg(long, group = "verdict")]
    pass: bool,
    /// It is bad, and why: its blank is spoiled, and it is made again.
    #[arg(long, value_name = "CAUSE", group = "verdict")]
    fail: Option<String>,
    /// It is held, and why, until somebody decides.
    #[arg(long, value_name = "CAUSE", group = "verdict")]
    hold: Option<String>,
    /// It passes with what is wrong with it; --action says what was done about it.
    #[arg(long, value_name = "DEFECT", group = "verdict", requires = "action")]
    concede: Option<String>,
    /// What was done about a defect.
    #[arg(long, requires = "concede")]
    action: Option<String>,
    #[command(flatten)]
    signed: Signed,
}

/// Blanks that go into a slot.
#[derive(Args)]
pub(crate) struct Load {
    /// The slot.
    slot: String,
    /// What is printed on them.
    #[arg(required = true, value_name = "BLANK")]
    blanks: Vec<String>,
    #[command(flatten)]
    signed: Signed,
}

/// Blanks that come out of their slots.
#[derive(Args)]
pub(crate) struct Unload {
    /// What is printed on them.
    #[arg(required = true, value_name = "BLANK")]
    blanks: Vec<String>,
    #[command(flatten)]
    signed: Signed,
}

/// Blanks that are spoiled.
#[derive(Args)]
pub(crate) struct Spoil {
    /// What is printed on them.
    #[arg(required = true, value_name = "BLANK")]
    blanks: Vec<String>,
    /// Why.
    #[arg(long)]
    cause: String,
    #[command(flatten)]
    signed: Signed,
}

/// A day to close.
#[derive(Args)]
pub(crate) struct CloseDay {
    /// The place.
    place: OfficeCode,
    /// The day; today by default.
    #[arg(long)]
    day: Option<Date>,
    /// How many blanks of one sort lie there in one account: ITEM=N in stock, ITEM/ACCOUNT=N
    /// otherwise. What is not told counts as none.
    #[arg(long = "count", value_name = "ITEM[/ACCOUNT]=N")]
    counts: Vec<CountLine>,
    /// How many ribbons of one sort lie there in one state, in the same form.
    #[arg(long = "ribbons", value_name = "ITEM[/STATE]=N")]
    ribbons: Vec<RibbonCountLine>,
    /// The account of the second person, who counted too.
    #[arg(long, value_name = "ACCOUNT")]
    witness: String,
    /// The second person is here, and signs in at this terminal to confirm it.
    #[arg(long)]
    here: bool,
    #[command(flatten)]
    signed: Signed,
}

/// What another asked for.
#[derive(Args)]
pub(crate) struct Confirm {
    /// The confirmation's identity, as the other one's command said it.
    confirmation: String,
    #[command(flatten)]
    signed: Signed,
}

/// Judges a document.
pub(crate) fn verdict(options: &Verdict) -> Result<ExitCode, Failure> {
    let because = |cause: &String| json!({ "cause": cause });
    let (act, body, said) = if let Some(cause) = &options.fail {
        ("fail", Some(because(cause)), "failed")
    } else if let Some(cause) = &options.hold {
        ("hold", Some(because(cause)), "held")
    } else if let Some(defect) = &options.concede {
        let body = json!({ "defect": defect, "action": options.action });
        ("concession", Some(body), "passed with a concession")
    } else {
        ("pass", None, "passed")
    };
    let number = &options.number;
    let parts = ["documents", number, "quality", act];
    let inside = Inside::enter(&options.signed)?;
    let done = inside.act(async |client| client.act(&parts, body.as_ref()).await)?;
    tell(&options.signed, done, |answer| {
        let next = answer.get("number").and_then(Value::as_str);
        let next = next.map_or_else(String::new, |next| format!("; it is made again as {next}"));
        format!("{number} is {said}{next}")
    })
}

/// Books blanks into a slot of this station.
pub(crate) fn load(options: &Load) -> Result<ExitCode, Failure> {
    let (slot, blanks) = (&options.slot, &options.blanks);
    let inside = Inside::enter(&options.signed)?;
    let done = inside.act(async |client: &LocalClient| {
        let station = client.overview().await?.station;
        let body = json!({ "blanks": blanks, "station": station, "slot": slot });
        client.act(&["blanks", "loading"], Some(&body)).await
    })?;
    tell(&options.signed, done, |answer| {
        format!("{} blanks are booked into slot {slot}", booked(answer))
    })
}

/// Books blanks out of their slots.
pub(crate) fn unload(options: &Unload) -> Result<ExitCode, Failure> {
    let body = json!({ "blanks": options.blanks });
    let inside = Inside::enter(&options.signed)?;
    let done =
        inside.act(async |client| client.act(&["blanks", "unloading"], Some(&body)).await)?;
    tell(&options.signed, done, |answer| {
        format!("{} blanks are back in the store", booked(answer))
    })
}

/// Books blanks as spoiled.
pub(crate) fn spoil(options: &Spoil) -> Result<ExitCode, Failure> {
    let body = json!({ "blanks": options.blanks, "cause": options.cause });
    let inside = Inside::enter(&options.signed)?;
    let done = inside.act(async |client| client.act(&["blanks", "spoiling"], Some(&body)).await)?;
    tell(&options.signed, done, |answer| {
        format!("{} blanks are spoiled", booked(answer))
    })
}

fn booked(answer: &Value) -> u64 {
    answer
        .get("blanks")
        .and_then(Value::as_u64)
        .unwrap_or_default()
}

/// Closes a day, with a second person.
pub(crate) fn close_day(options: &CloseDay) -> Result<ExitCode, Failure> {
    let counted = options.counts.iter().map(
        |CountLine(line)| json!({ "item": line.item, "state": line.state, "blanks": line.blanks }),
    );
    let ribbons = options.ribbons.iter().map(|RibbonCountLine(line)| {
        json!({ "item": line.item, "state": line.state, "ribbons": line.ribbons })
    });
    let day = options.day.unwrap_or_else(|| Zoned::now().date());
    let body = json!({
        "witness": options.witness, "day": day, "counted": counted.collect::<Vec<_>>(),
        "ribbons": ribbons.collect::<Vec<_>>(),
    });
    let place = options.place.to_string();
    let parts = ["places", &*place, "close"];
    let signed = &options.signed;
    let inside = Inside::enter(signed)?;
    let asked = inside.act(async |client| client.act(&parts, Some(&body)).await)?;
    let id = match &asked {
        Act::Awaited(confirmation) if options.here => confirmation.id.to_string(),
        _ => return told_of_day(signed, asked, (&place, day)),
    };
    confirmed(&signed.by(&options.witness), &id)?;
    // Who asked sends the same again.
    let inside = Inside::enter(signed)?;
    let done = inside.act(async |client| client.act(&parts, Some(&body)).await)?;
    told_of_day(signed, done, (&place, day))
}

fn told_of_day(
    signed: &Signed,
    done: Act,
    (place, day): (&str, Date),
) -> Result<ExitCode, Failure> {
    let differs = matches!(&done, Act::Done(answer) if answer["agrees"] == Value::Bool(false));
    let code = tell(signed, done, |answer| match answer["agrees"] {
        Value::Bool(true) => format!("{day} is closed at {place}"),
        _ => format!(
            "what was counted at {place} is not what the books say: incident {}",
            answer["incident"]
        ),
    })?;
    Ok(match differs {
        true => ExitCode::from(5),
        false => code,
    })
}

/// Confirms what another asked for.
pub(crate) fn confirm(options: &Confirm) -> Result<ExitCode, Failure> {
    confirmed(&options.signed, &options.confirmation)?;
    if !options.signed.json {
        output::line("confirmed; who asked for it says the same again")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn confirmed(signed: &Signed, confirmation: &str) -> Result<(), Failure> {
    let parts = ["confirmations", confirmation, "confirmation"];
    let inside = Inside::enter(signed)?;
    inside.act(async |client| client.act(&parts, None::<&Value>).await.map(drop))
}

/// Says what came of an act. Exit code 1 where a second person has to confirm it first.
fn tell(
    signed: &Signed,
    done: Act,
    said: impl FnOnce(&Value) -> String,
) -> Result<ExitCode, Failure> {
    match done {
        Act::Done(answer) => {
            match signed.json {
                true => output::json(&json!({ "done": true, "answer": answer }))?,
                false => output::line(&said(&answer))?,
            }
            Ok(ExitCode::SUCCESS)
        }
        Act::Awaited(confirmation) => {
            match signed.json {
                true => output::json(&json!({ "done": false, "confirmation": confirmation }))?,
                false => output::line(&format!(
                    "{witness} must confirm it until {until}: zimogs station confirm {id} --account {witness}; then say the same again",
                    witness = confirmation.witness,
                    until = confirmation.expires,
                    id = confirmation.id
                ))?,
            }
            Ok(ExitCode::FAILURE)
        }
    }
}
