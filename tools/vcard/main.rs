//! `vcard`: makes blank virtual chips, plugs them in, runs a farm of readers.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use vcard::farm::{self, Announcement, explain};
use vcard::{
    Chip, ChipNumber, Circumstances, Fault, FileStore, Pace, Plugged, Product, ReaderBuffer,
    Recording, Scp, Timing, TransportMasterKey,
};
use zeroize::Zeroizing;

/// Virtual chips: makes blanks, plugs them into virtual readers.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Makes a blank chip, as its maker would. Example:
    /// vcard blank --product lateid-v2 --transport-key-file maker.key --out chip.json
    Blank(Blank),
    /// Plugs a chip into a virtual reader until one of them goes away. Example:
    /// vcard run --reader 127.0.0.1:35963 --state chip.json
    Run(Run),
    /// Runs a private pcscd with virtual readers until standard input closes. Example:
    /// vcard farm --dir farm --readers 4
    Farm(Folder),
    /// The farm's part inside its namespaces.
    #[command(hide = true)]
    FarmInside(Folder),
}

#[derive(Args)]
struct Blank {
    /// Chip product: lateid-v2, esteid-2018, isoapplet-v0, isoapplet-v1, and the builds of
    /// the latter two that take keys, isoapplet-v0-import and isoapplet-v1-import; piv, mrtd-applet, openpgp, gids.
    #[arg(long, value_parser = product)]
    product: &'static Product,
    /// IC batch and serial, 12 hexadecimal digits; at random without.
    #[arg(long)]
    serial: Option<ChipNumber>,
    /// Its secure channel, protocol and "i" in hexadecimal: 02:15, 02:55, 03:70, 03:71. The
    /// product's without.
    #[arg(long)]
    scp: Option<Scp>,
    /// File with the transport master key, 32 hexadecimal digits.
    #[arg(long, required_unless_present = "transport_key_env")]
    transport_key_file: Option<PathBuf>,
    /// Environment variable with the transport master key.
    #[arg(long, conflicts_with = "transport_key_file")]
    transport_key_env: Option<String>,
    /// State file to make; its key goes into a file of the same name with .key.
    #[arg(long)]
    out: PathBuf,
}

#[derive(Args)]
struct Run {
    /// Where the virtual reader's driver listens, HOST:PORT.
    #[arg(long)]
    reader: String,
    /// The chip's state file.
    #[arg(long)]
    state: PathBuf,
    /// A fault, as JSON: {"at":7,"kind":"remove-after"}. May be repeated.
    #[arg(long, value_parser = fault)]
    fault: Vec<Fault>,
    /// Take as long as a chip of this class: j3r180, j3r180-contactless, secora-id-x,
    /// secora-id-x-contactless, j2a080.
    #[arg(long, value_parser = timing)]
    timing: Option<&'static Timing>,
    /// Lose commands that are longer, as a reader with a small buffer; bytes.
    #[arg(long)]
    reader_command_limit: Option<usize>,
    /// Lose answers that are longer, status word included; bytes.
    #[arg(long)]
    reader_answer_limit: Option<usize>,
    /// A session recorded on the wire: the chip draws the random numbers that it shows.
    #[arg(long)]
    recording: Option<PathBuf>,
}

#[derive(Args)]
struct Folder {
    /// Folder for the farm's sockets and configuration; made where it is missing.
    #[arg(long)]
    dir: PathBuf,
    /// Number of readers, 1 to 16.
    #[arg(long)]
    readers: usize,
}

fn product(id: &str) -> Result<&'static Product, String> {
    Product::find(id).ok_or_else(|| {
        let known: Vec<_> = vcard::PRODUCTS.iter().map(|product| product.id).collect();
        format!("known products: {}", known.join(", "))
    })
}

fn timing(id: &str) -> Result<&'static Timing, String> {
    Timing::find(id).ok_or_else(|| {
        let known: Vec<_> = vcard::TIMINGS.iter().map(|timing| timing.id).collect();
        format!("known classes: {}", known.join(", "))
    })
}

fn fault(json: &str) -> Result<Fault, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

/// What a task ends with: an exit code, or an error to show.
type Ended = Result<ExitCode, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let ended = match Arguments::parse().task {
        Task::Blank(blank) => make_blank(&blank),
        Task::Run(run) => run_chip(&run),
        Task::Farm(folder) => announce_failure(run_farm(&folder)),
        Task::FarmInside(folder) => announce_failure(serve_farm(&folder)),
    };
    ended.unwrap_or_else(|error| {
        let _ = writeln!(io::stderr(), "vcard: {}", explain(error.as_ref()));
        ExitCode::FAILURE
    })
}

fn make_blank(blank: &Blank) -> Ended {
    let key = match (&blank.transport_key_file, &blank.transport_key_env) {
        (Some(file), _) => Zeroizing::new(
            std::fs::read_to_string(file)
                .map_err(|error| format!("cannot read {}: {error}", file.display()))?,
        ),
        (None, variable) => {
            let variable = variable.as_deref().unwrap_or_default();
            Zeroizing::new(std::env::var(variable).map_err(|_| format!("no variable {variable}"))?)
        }
    };
    let key = TransportMasterKey::from_hex(&key)?;
    let number = match blank.serial {
        Some(number) => number,
        None => ChipNumber::random()?,
    };
    let scp = blank.scp.unwrap_or(blank.product.scp);
    let store = FileStore::create(&blank.out)?;
    let chip = Chip::blank_speaking(scp, blank.product, number, &key, store)?;
    let made = serde_json::json!({
        "product": blank.product.id,
        "serial": chip.serial().to_string(),
        "state": blank.out,
    });
    writeln!(io::stdout(), "{made}")?;
    Ok(ExitCode::SUCCESS)
}

fn run_chip(run: &Run) -> Ended {
    let mut chip = Chip::open(&run.state)?;
    if let Some(recording) = &run.recording {
        chip = chip.with_recording(Recording::open(recording)?);
    }
    let circumstances = Circumstances {
        faults: run.fault.clone(),
        pace: run.timing.map(|class| Pace { class, waits: true }),
        buffer: ReaderBuffer {
            command: run.reader_command_limit,
            answer: run.reader_answer_limit,
        },
    };
    Plugged::insert_under(&run.reader, chip, circumstances)?.wait();
    Ok(ExitCode::SUCCESS)
}

fn run_farm(folder: &Folder) -> Ended {
    let ended = farm::enter(&prepared(&folder.dir)?, folder.readers)?;
    Ok(if ended.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn serve_farm(folder: &Folder) -> Ended {
    farm::serve(&folder.dir, folder.readers, say)?;
    Ok(ExitCode::SUCCESS)
}

/// Makes the farm's folder and returns its full path: the namespaces keep no working folder.
fn prepared(folder: &Path) -> Result<PathBuf, String> {
    std::fs::create_dir_all(folder)
        .and_then(|()| folder.canonicalize())
        .map_err(|error| format!("cannot make {}: {error}", folder.display()))
}

/// Tells a waiting program on standard output why there will be no farm.
fn announce_failure(ended: Ended) -> Ended {
    if let Err(error) = &ended {
        say(&Announcement::Failed {
            ready: false,
            error: explain(error.as_ref()),
        })?;
    }
    ended
}

fn say(announcement: &Announcement) -> io::Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{}", serde_json::to_string(announcement)?)?;
    output.flush()
}
