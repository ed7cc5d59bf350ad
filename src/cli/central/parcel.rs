//! `zimogs central parcel`: finished documents on their way to their office.

use central::ParcelLine;
use clap::{Args, Subcommand};
use serde_json::json;

use crate::cli::central::listing::{Listed, PAGE, Shape};
use crate::cli::central::{Place, parcel_paper};
use crate::cli::failure::Failure;
use crate::cli::output;

/// Finished documents on their way to their office.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Opens an empty parcel for an office. Example:
    /// zimogs central parcel open RIGA-1 --data FOLDER
    Open(Open),
    /// Puts documents that quality has passed into an open parcel. Example:
    /// zimogs central parcel add PA0000001 XA0000001 XA0000002 --data FOLDER
    Add(Content),
    /// Takes documents out of an open parcel again. Example:
    /// zimogs central parcel remove PA0000001 XA0000002 --data FOLDER
    Remove(Content),
    /// Closes a parcel, with the numbers of the documents that were counted into it. Example:
    /// zimogs central parcel seal PA0000001 XA0000001 --data FOLDER
    Seal(Content),
    /// Opens a sealed parcel again before it leaves, before a witness. Example:
    /// zimogs central parcel reopen PA0000001 --witness keeper --cause "one more" --data FOLDER
    Reopen(Witnessed),
    /// Gives an empty parcel up. Example:
    /// zimogs central parcel discard PA0000001 --cause "not needed" --data FOLDER
    Discard(Discard),
    /// Notes that a sealed parcel left, another way than the PIN envelopes of its cards. Example:
    /// zimogs central parcel send PA0000001 --way RR123456785LV --data FOLDER
    Send(Send),
    /// Counts a parcel in at its office, with the numbers of the documents that were found in it;
    /// by somebody who neither packed nor sealed nor sent it. Example:
    /// zimogs central parcel receive PA0000001 XA0000001 --data FOLDER
    Receive(Content),
    /// Notes that a document was found after its parcel was counted in without it. Example:
    /// zimogs central parcel arrive XA0000002 --data FOLDER
    Arrive(Arrive),
    /// Notes, before a witness, that a parcel never arrived: all in it is made again. Example:
    /// zimogs central parcel lost PA0000001 --witness keeper --cause "the van burnt" --data FOLDER
    Lost(Witnessed),
    /// Books in which office a station stands, or, without one, in none. Example:
    /// zimogs central parcel place station-1 RIGA-1 --data FOLDER
    Place(Station),
    /// Prints the list that goes with a sealed parcel: what is in it, and two signatures. Examples:
    /// zimogs central parcel dispatch-list PA0000001 --out list.pdf --data FOLDER
    /// zimogs central parcel dispatch-list PA0000001 --printer ipp-a4 --at ipp://HOST/PATH --data FOLDER
    #[command(verbatim_doc_comment)]
    DispatchList(parcel_paper::Options),
    /// Prints the label that is glued on a sealed parcel: where it goes, its number in bars. Examples:
    /// zimogs central parcel label PA0000001 --printer zpl-300 --at tcp://192.168.0.21 --data FOLDER
    /// zimogs central parcel label PA0000001 --out label.png --data FOLDER
    #[command(verbatim_doc_comment)]
    Label(parcel_paper::Options),
    /// Lists the parcels that did not arrive yet. Example:
    /// zimogs central parcel list --all --data FOLDER
    List(List),
}

/// A parcel to open.
#[derive(Args)]
pub(crate) struct Open {
    /// The code of the office that it goes to.
    office: String,
    #[command(flatten)]
    place: Place,
}

/// A parcel, and documents.
#[derive(Args)]
pub(crate) struct Content {
    /// The parcel's serial number.
    parcel: String,
    /// The numbers of the documents.
    documents: Vec<String>,
    #[command(flatten)]
    place: Place,
}

/// A parcel, with a witness.
#[derive(Args)]
pub(crate) struct Witnessed {
    /// The parcel's serial number.
    parcel: String,
    /// The account of the witness.
    #[arg(long, value_name = "ACCOUNT")]
    witness: String,
    /// Why.
    #[arg(long)]
    cause: String,
    #[command(flatten)]
    place: Place,
}

/// A parcel that is given up.
#[derive(Args)]
pub(crate) struct Discard {
    /// The parcel's serial number.
    parcel: String,
    /// Why.
    #[arg(long)]
    cause: String,
    #[command(flatten)]
    place: Place,
}

/// A parcel that leaves.
#[derive(Args)]
pub(crate) struct Send {
    /// The parcel's serial number.
    parcel: String,
    /// How: a consignment's number, say.
    #[arg(long)]
    way: String,
    #[command(flatten)]
    place: Place,
}

/// A document that turned up.
#[derive(Args)]
pub(crate) struct Arrive {
    /// The document's number.
    number: String,
    #[command(flatten)]
    place: Place,
}

/// A station, and its office.
#[derive(Args)]
pub(crate) struct Station {
    /// The station's name.
    station: String,
    /// The code of its office.
    office: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// Which parcels.
#[derive(Args)]
pub(crate) struct List {
    /// Also those that arrived, were lost or given up.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    listed: Listed,
}

/// Who packs, where no account is named.
const PACKER: &str = "quality";

/// Who counts in, where no account is named.
const CLERK: &str = "clerk";

/// Runs a command.
pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Open(options) => {
            let place = &options.place;
            place.with_central(PACKER, async |central, actor| {
                let parcel = central.open_parcel(&actor, &options.office).await?;
                tell(place, &parcel, "open", "is open")
            })
        }
        Command::Add(options) => {
            let place = &options.place;
            place.with_central(PACKER, async |central, actor| {
                for number in &options.documents {
                    central.pack(&actor, &options.parcel, number).await?;
                }
                options.tell_many("open", "put into it")
            })
        }
        Command::Remove(options) => {
            let place = &options.place;
            place.with_central(PACKER, async |central, actor| {
                for number in &options.documents {
                    central.unpack(&actor, &options.parcel, number).await?;
                }
                options.tell_many("open", "taken out of it")
            })
        }
        Command::Seal(options) => {
            let place = &options.place;
            place.with_central(PACKER, async |central, actor| {
                central
                    .seal_parcel(&actor, &options.parcel, &options.documents)
                    .await?;
                options.tell_many("sealed", "counted and sealed in it")
            })
        }
        Command::Reopen(options) => {
            let place = &options.place;
            place.with_central(PACKER, async |central, actor| {
                let Witnessed {
                    parcel,
                    witness,
                    cause,
                    ..
                } = options;
                central
                    .reopen_parcel(&actor, parcel, witness, cause)
                    .await?;
                tell(place, parcel, "open", "is open again")
            })
        }
        Command::Discard(options) => {
            let place = &options.place;
            place.with_central(PACKER, async |central, actor| {
                central
                    .discard_parcel(&actor, &options.parcel, &options.cause)
                    .await?;
                tell(place, &options.parcel, "discarded", "is given up")
            })
        }
        Command::Send(options) => {
            let place = &options.place;
            place.with_central(PACKER, async |central, actor| {
                central
                    .send_parcel(&actor, &options.parcel, &options.way)
                    .await?;
                tell(place, &options.parcel, "under-way", "is under way")
            })
        }
        Command::Receive(options) => receive(options),
        Command::Arrive(options) => {
            let place = &options.place;
            place.with_central(CLERK, async |central, actor| {
                central.arrive_late(&actor, &options.number).await?;
                match place.json() {
                    true => {
                        output::json(&json!({ "number": options.number, "state": "at-office" }))
                    }
                    false => output::line(&format!("{} is at its office", options.number)),
                }
            })
        }
        Command::Lost(options) => {
            let place = &options.place;
            place.with_central(CLERK, async |central, actor| {
                let Witnessed {
                    parcel,
                    witness,
                    cause,
                    ..
                } = options;
                let lost = central.lose_parcel(&actor, parcel, witness, cause).await?;
                match place.json() {
                    true => output::json(
                        &json!({ "parcel": parcel, "state": "lost", "documents": lost }),
                    ),
                    false => output::line(&format!(
                        "{parcel} is lost with {lost} documents, which are made again"
                    )),
                }
            })
        }
        Command::Place(options) => {
            let place = &options.place;
            place.with_central("administrator", async |central, actor| {
                let (station, office) = (&options.station, options.office.as_deref());
                central.place_station(&actor, station, office).await?;
                match place.json() {
                    true => output::json(&json!({ "station": station, "office": office })),
                    false => output::line(&format!(
                        "{station} stands in {}",
                        office.unwrap_or("no office")
                    )),
                }
            })
        }
        Command::DispatchList(options) => parcel_paper::list(options),
        Command::Label(options) => parcel_paper::label(options),
        Command::List(options) => list(options),
    }
}

impl Content {
    fn tell_many(&self, state: &str, what: &str) -> Result<(), Failure> {
        let Self {
            parcel, documents, ..
        } = self;
        match self.place.json() {
            true => {
                output::json(&json!({ "parcel": parcel, "state": state, "documents": documents }))
            }
            false => output::line(&format!("{parcel}: {} documents {what}", documents.len())),
        }
    }
}

fn tell(place: &Place, parcel: &str, state: &str, sentence: &str) -> Result<(), Failure> {
    match place.json() {
        true => output::json(&json!({ "parcel": parcel, "state": state })),
        false => output::line(&format!("{parcel} {sentence}")),
    }
}

fn receive(options: &Content) -> Result<(), Failure> {
    let place = &options.place;
    place.with_central(CLERK, async |central, actor| {
        let counted = central
            .receive_parcel(&actor, &options.parcel, &options.documents)
            .await?;
        if place.json() {
            return output::json(&json!({
                "parcel": options.parcel, "state": "received", "arrived": counted.arrived,
                "missing": counted.missing, "surplus": counted.surplus, "incident": counted.incident,
            }));
        }
        output::line(&format!(
            "{}: {} documents are at their office",
            options.parcel,
            counted.arrived.len()
        ))?;
        for number in &counted.missing {
            output::line(&format!("  {number} is missing"))?;
        }
        for number in &counted.surplus {
            output::line(&format!("  {number} was not in the books: set it aside"))?;
        }
        match counted.incident {
            Some(incident) => output::line(&format!("  incident {incident} is open")),
            None => Ok(()),
        }
    })
}

const PARCEL: Shape<ParcelLine> = Shape {
    columns: &["parcel", "office", "state", "way", "documents"],
    none: None,
    value: |line| {
        let documents = line.documents.iter();
        let documents =
            documents.map(|(number, state)| json!({ "number": number, "state": state }));
        json!({
            "parcel": line.serial, "office": line.office, "state": line.state.name(),
            "opened": line.opened, "way": line.way, "sent": line.sent, "received": line.received,
            "documents": documents.collect::<Vec<_>>(),
        })
    },
    row: |line| {
        let documents = line.documents.iter();
        let documents = documents.map(|(number, state)| match state.as_str() {
            "missing" => format!("{number} (missing)"),
            _ => number.clone(),
        });
        vec![
            line.serial.clone(),
            line.office.clone(),
            line.state.to_string(),
            line.way.clone().unwrap_or_default(),
            documents.collect::<Vec<_>>().join(", "),
        ]
    },
};

fn list(options: &List) -> Result<(), Failure> {
    let (listed, all) = (&options.listed, options.all);
    let place = &listed.place;
    place.with_central("auditor", async |central, actor| {
        let next = async |last: Option<&ParcelLine>| {
            let after = last.map_or("", |line| &line.serial);
            central.parcels_after(&actor, all, after, PAGE).await
        };
        listed.print(&PARCEL, next).await
    })
}
