//! A printer of cards, and the person beside it: a line on standard input each.

use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;
use vprinter::card::{Blank, Card, FarmReader, Pace, Plan, Setup, Station, VirtualCardPrinter};

/// A printer of cards.
#[derive(Args)]
pub(crate) struct Cards {
    /// Folder into which pictures of its cards go, and the link to its serial device.
    #[arg(long)]
    out: PathBuf,
    /// Its serial number.
    #[arg(long, default_value = "V000000001")]
    serial_number: String,
    /// Its ribbon.
    #[arg(long, default_value = "ymcko")]
    ribbon: String,
    /// Cards without a chip in its hopper.
    #[arg(long, default_value_t = 0)]
    cards: usize,
    /// State file of a chip with contacts: one more card in its hopper; may be repeated.
    #[arg(long, value_name = "CHIP.json")]
    chip: Vec<PathBuf>,
    /// The reader at its contact station: control socket of a farm of vcard, and the number of
    /// the reader.
    #[arg(long, num_args = 2, value_names = ["SOCKET", "READER"])]
    contact: Vec<String>,
    /// The reader at its contactless station.
    #[arg(long, num_args = 2, value_names = ["SOCKET", "READER"])]
    contactless: Vec<String>,
    /// What goes wrong, MISHAP@POINT; may be repeated.
    #[arg(long)]
    mishap: Vec<Plan>,
    /// How long it takes.
    #[arg(long, value_enum, default_value_t = Speed::None)]
    pace: Speed,
}

#[derive(Clone, Copy, ValueEnum)]
enum Speed {
    /// Nothing takes time.
    None,
    /// As long as a printer takes.
    Real,
}

/// Its first line.
#[derive(Serialize)]
struct Ready {
    ready: bool,
    address: String,
    device: PathBuf,
}

/// What `cards` answers.
#[derive(Serialize)]
struct Shown {
    hopper: usize,
    cards: Vec<Card>,
    complaints: Vec<String>,
}

pub(crate) fn run(options: &Cards) -> io::Result<()> {
    let blank = |chip: &PathBuf| Blank {
        contact: Some(chip.clone()),
        contactless: None,
    };
    let mut hopper: Vec<Blank> = options.chip.iter().map(blank).collect();
    hopper.resize(hopper.len() + options.cards, Blank::default());
    let setup = Setup {
        serial: options.serial_number.clone(),
        ribbon: options.ribbon.clone(),
        hopper,
        contact: station(&options.contact)?,
        contactless: station(&options.contactless)?,
        pace: match options.pace {
            Speed::None => Pace::None,
            Speed::Real => Pace::Real,
        },
        plans: options.mishap.clone(),
        ..Setup::default()
    };
    let printer = VirtualCardPrinter::start(&options.out, setup)?;
    say(&Ready {
        ready: true,
        address: printer.address(),
        device: printer.serial_device(),
    })?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
        match (word, rest) {
            ("service", "") => printer.service(),
            ("load", count) if count.parse::<usize>().is_ok() => {
                let count = count.parse().unwrap_or_default();
                printer.load(vec![Blank::default(); count]);
            }
            ("load", chip) => printer.load([blank(&PathBuf::from(chip))]),
            ("mishap", plan) => printer.plan(plan.parse().map_err(io::Error::other)?),
            ("cards", "") => {}
            _ => return Err(io::Error::other(format!("no such word: {line:?}"))),
        }
        say(&Shown {
            hopper: printer.hopper(),
            cards: printer.cards(),
            complaints: printer.complaints(),
        })?;
    }
    for complaint in printer.complaints() {
        let _ = writeln!(io::stderr(), "vprinter: {complaint}");
    }
    Ok(())
}

fn station(named: &[String]) -> io::Result<Option<Box<dyn Station>>> {
    let [socket, reader] = named else {
        return Ok(None);
    };
    let reader = reader
        .parse()
        .map_err(|_| io::Error::other(format!("{reader:?} is no number of a reader")))?;
    Ok(Some(Box::new(FarmReader::new(Path::new(socket), reader))))
}

fn say(what: &impl Serialize) -> io::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, what)?;
    writeln!(out)?;
    out.flush()
}
