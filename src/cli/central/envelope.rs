//! `zimogs central envelope`: PIN envelopes, from the printer to the holder.

use std::path::PathBuf;

use api::Actor;
use central::{Central, EnvelopeLine, PrintJob};
use clap::{Args, Subcommand};
use document::Environment;
use hsm::PinSet;
use print::{
    Address, EnvelopeLetter, EnvelopePrinter, LetterPin, Patience, PjlPrinter, PrintError,
    SheetKind, SheetLayout,
};
use serde_json::json;
use zeroize::Zeroizing;

use crate::cli::central::listing::{Listed, PAGE, Shape};
use crate::cli::central::{OneDocument, Place};
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::hsm::ForeignToken;
use crate::cli::{output, shipped};

/// PIN envelopes, from the printer to the holder.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Lists the envelopes with their states. Example:
    /// zimogs central envelope list --data FOLDER
    List(Listed),
    /// Prints a document's envelope, once: made in memory, streamed to the printer. Example:
    /// zimogs central envelope print XA0000001 --data FOLDER --printer tcp://10.0.0.9
    Print(Print),
    /// Shows a test document's PINs on the terminal, once, instead of printing them. Example:
    /// zimogs central envelope show XA0000001 --data FOLDER
    Show(OneDocument),
    /// Notes that an envelope came out whole, where the program that printed it could not say so.
    /// Example: zimogs central envelope printed PE0000001 --data FOLDER
    Printed(OneEnvelope),
    /// Notes that an envelope was sent, another way than its card. Example:
    /// zimogs central envelope dispatch PE0000001 --way RR123456785LV --data FOLDER
    Dispatch(Dispatch),
    /// Notes that the holder has the envelope. Example:
    /// zimogs central envelope deliver PE0000001 --data FOLDER
    Deliver(OneEnvelope),
    /// Notes that an envelope was destroyed before a witness. Example:
    /// zimogs central envelope destroy PE0000001 --witness keeper --cause "printer jam" --data FOLDER
    Destroy(Destroy),
}

/// What to print, and where.
#[derive(Args)]
pub(crate) struct Print {
    /// The document's number.
    number: String,
    /// The printer that seals: tcp://HOST or tcp://HOST:PORT. By default the installation's.
    #[arg(long, value_name = "ADDRESS")]
    printer: Option<Address>,
    /// The file of the token that holds the printer's own key, where the installation seals to one.
    #[arg(long, value_name = "FILE")]
    token: Option<PathBuf>,
    /// That key's label.
    #[arg(long, value_name = "LABEL", default_value = "envelope")]
    key: String,
    #[command(flatten)]
    place: Place,
}

/// An envelope that is sent.
#[derive(Args)]
pub(crate) struct Dispatch {
    /// How: a consignment's number, say.
    #[arg(long)]
    way: String,
    #[command(flatten)]
    envelope: OneEnvelope,
}

/// An envelope that is destroyed.
#[derive(Args)]
pub(crate) struct Destroy {
    /// The account of the witness.
    #[arg(long, value_name = "ACCOUNT")]
    witness: String,
    /// Why.
    #[arg(long)]
    cause: String,
    #[command(flatten)]
    envelope: OneEnvelope,
}

/// One envelope.
#[derive(Args)]
pub(crate) struct OneEnvelope {
    /// Its serial number.
    serial: String,
    #[command(flatten)]
    place: Place,
}

impl OneEnvelope {
    fn tell(&self, state: &str, sentence: &str) -> Result<(), Failure> {
        tell(&self.place, &self.serial, state, sentence)
    }
}

/// The account that handles envelopes, where none is named.
const CLERK: &str = "envelope-clerk";

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::List(options) => list(options),
        Command::Print(options) => print(options),
        Command::Show(one) => show(one),
        Command::Printed(one) => one.place.with_central(CLERK, async |central, actor| {
            central.envelope_printed(&actor, &one.serial).await?;
            one.tell("printed", "is noted as printed")
        }),
        Command::Dispatch(options) => {
            let one = &options.envelope;
            one.place.with_central(CLERK, async |central, actor| {
                central
                    .dispatch_envelope(&actor, &one.serial, &options.way)
                    .await?;
                one.tell("dispatched", "is on its way")
            })
        }
        Command::Deliver(one) => one.place.with_central(CLERK, async |central, actor| {
            central.deliver_envelope(&actor, &one.serial).await?;
            one.tell("delivered", "is in its holder's hands")
        }),
        Command::Destroy(options) => {
            let one = &options.envelope;
            one.place.with_central(CLERK, async |central, actor| {
                central
                    .destroy_envelope(&actor, &one.serial, &options.witness, &options.cause)
                    .await?;
                one.tell("destroyed", "is noted as destroyed")
            })
        }
    }
}

fn tell(place: &Place, serial: &str, state: &str, sentence: &str) -> Result<(), Failure> {
    match place.json() {
        true => output::json(&json!({ "envelope": serial, "state": state })),
        false => output::line(&format!("envelope {serial} {sentence}")),
    }
}

const ENVELOPE: Shape<EnvelopeLine> = Shape {
    columns: &["envelope", "document", "state", "way", "since"],
    none: None,
    value: |line| {
        json!({
            "envelope": line.serial, "number": line.number, "state": line.state.name(),
            "way": line.way, "since": line.since,
        })
    },
    row: |line| {
        vec![
            line.serial.clone(),
            line.number.clone(),
            line.state.to_string(),
            line.way.clone().unwrap_or_default(),
            line.since.to_string(),
        ]
    },
};

fn list(options: &Listed) -> Result<(), Failure> {
    let place = &options.place;
    place.with_central(CLERK, async |central, actor| {
        let next = async |last: Option<&EnvelopeLine>| {
            let after = last.map_or("", |line| &line.serial);
            central.envelopes_after(&actor, None, after, PAGE).await
        };
        options.print(&ENVELOPE, next).await
    })
}

/// Shows the holder's PINs, once: what an envelope is for.
fn show(one: &OneDocument) -> Result<(), Failure> {
    output::must_be_seen()?;
    one.place.with_central(CLERK, async |central, actor| {
        if central.environment() == Environment::Production {
            return Err(Failure::new(
                Kind::Refused,
                "the PINs of a document that is meant stand on no screen",
            )
            .with_hint("zimogs central envelope print"));
        }
        let job = central.print_envelope(&actor, &one.number).await?;
        let pins = central.open_envelope(&actor, &job).await?;
        output::pins(&pins, one.place.json()).map_err(|error| {
            let fault = format!("the PINs could not be shown and are lost: {error}");
            Failure::new(Kind::Failed, fault)
                .with_hint(format!("zimogs central new-pins {} --cause …", one.number))
        })?;
        central.envelope_printed(&actor, &job.serial).await?;
        Ok(())
    })
}

fn print(options: &Print) -> Result<(), Failure> {
    let address = match &options.printer {
        Some(address) => Some(address.clone()),
        None => options.place.installation()?.printer()?,
    };
    let address = address.ok_or_else(|| {
        Failure::new(Kind::Usage, "which printer?")
            .with_hint("--printer tcp://HOST, or [envelopes] printer = … in installation.toml")
    })?;
    let token = options
        .token
        .as_deref()
        .map(ForeignToken::read)
        .transpose()?;
    // A layout with a fault is known before any PIN leaves its envelope.
    let profiles = shipped::profiles(options.place.profiles())?;
    let layout = profiles.sheet(SheetKind::PinEnvelope)?;
    options.place.with_central(CLERK, async |central, actor| {
        profiles.admit_sheet(central, SheetKind::PinEnvelope.name())?;
        let mut printer = PjlPrinter::new(address, Patience::default());
        // One that is not ready takes nothing, and no PIN leaves its envelope for it.
        printer.check_ready().map_err(|error| Failure::of(Kind::Device, &error))?;
        let job = central.print_envelope(&actor, &options.number).await?;
        let means = (&token, &layout, &mut printer);
        let printed = try_print(options, means, central, &actor, &job).await;
        match printed {
            Ok(()) => {
                central.envelope_printed(&actor, &job.serial).await?;
                tell(&options.place, &job.serial, "printed", "is printed and sealed")
            }
            Err(Unprinted::Nothing(failure)) => {
                let cause = api::cause_of(failure.message());
                central
                    .envelope_not_printed(&actor, &job.serial, &cause)
                    .await?;
                Err(failure)
            }
            Err(Unprinted::Spent(error)) => Err(Failure::of(Kind::Device, &error).with_hint(
                format!(
                    "look for the paper, then: zimogs central envelope destroy {} --witness ACCOUNT --cause …; then, with the card in a reader: zimogs central new-pins {} --cause …",
                    job.serial, options.number
                ),
            )),
        }
    })
}

/// Why an envelope was not printed.
enum Unprinted {
    /// Nothing of it left this program.
    Nothing(Failure),
    /// There may be paper.
    Spent(PrintError),
}

async fn try_print(
    options: &Print,
    (token, layout, printer): (&Option<ForeignToken>, &SheetLayout, &mut PjlPrinter),
    central: &Central,
    actor: &Actor,
    job: &PrintJob,
) -> Result<(), Unprinted> {
    let pins = match token {
        None => central
            .open_envelope(actor, job)
            .await
            .map_err(|error| Unprinted::Nothing(error.into())),
        Some(token) => open_with(token, &options.key, job).map_err(Unprinted::Nothing),
    }?;
    let letter = letter(job, &pins)
        .render(layout)
        .map_err(|error| Unprinted::Nothing(Failure::of(Kind::Failed, &error)))?;
    drop(pins);
    match printer.print(letter) {
        Ok(_) => Ok(()),
        Err(error) if error.is_spent() => Err(Unprinted::Spent(error)),
        Err(error) => Err(Unprinted::Nothing(Failure::of(Kind::Device, &error))),
    }
}

/// Opens an envelope as its printer does: with a key that the store does not have.
fn open_with(token: &ForeignToken, key: &str, job: &PrintJob) -> Result<PinSet, Failure> {
    let token = token.open()?;
    let content = token
        .open_envelope(key, &job.sealed, &job.context)
        .or_fail(Kind::Integrity)?;
    PinSet::decode(&content).or_fail(Kind::Integrity)
}

fn letter(job: &PrintJob, pins: &PinSet) -> EnvelopeLetter {
    let titled = job.pins.iter().filter_map(|pin| {
        Some(LetterPin {
            title: pin.title.clone(),
            digits: Zeroizing::new(pins.get(&pin.name)?.digits().to_vec()),
            must_change: pin.must_change,
        })
    });
    EnvelopeLetter {
        serial: job.serial.clone(),
        document: job.number,
        lines: Zeroizing::new(vec![job.holder.to_string(), job.office.to_string()]),
        pins: titled.collect(),
    }
}
