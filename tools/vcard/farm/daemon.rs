//! The private pcscd: its readers' configuration, its start, its end.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;

use super::MOST_READERS;

/// Where Debian's pcscd puts its socket; it cannot be told otherwise.
const SOCKET_FOLDER: &str = "/run/pcscd";
/// The virtual reader's driver.
const DRIVER: &str = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so";
/// Port of the first slot; vpcd's own default.
const FIRST_PORT: usize = 35_963;
/// Slots that vpcd gives to every entry of the configuration.
const SLOTS_PER_ENTRY: usize = 2;
/// How long pcscd may take to show its readers.
const PATIENCE: Duration = Duration::from_secs(10);

/// Says why there is no pcscd.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DaemonError {
    /// A program or the driver is not installed.
    #[error("{0} not found; install the Debian package {1}")]
    Missing(&'static str, &'static str),
    /// More readers than pcscd serves.
    #[error("{0} readers; pcscd serves 1 to {MOST_READERS}")]
    Readers(usize),
    /// A file could not be made.
    #[error("cannot prepare {0}")]
    Prepare(PathBuf, #[source] io::Error),
    /// The folder would vanish under the mount.
    #[error("{0} lies under /run, which the farm covers; choose another folder")]
    Covered(PathBuf),
    /// A set-up command failed.
    #[error("{command} failed ({why})")]
    Command {
        /// The command.
        command: String,
        /// What it said.
        why: String,
    },
    /// pcscd ended at once.
    #[error("pcscd ended ({0}); see pcscd.log in the farm's folder")]
    Ended(String),
    /// pcscd runs and does not show the readers.
    #[error("pcscd does not show its readers after {} s; see pcscd.log", PATIENCE.as_secs())]
    Silent,
}

/// A running pcscd with its readers. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Daemon {
    process: Child,
    folder: PathBuf,
    readers: Vec<Reader>,
}

/// A reader: its name in PC/SC and where its driver listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reader {
    pub(crate) name: String,
    pub(crate) address: String,
}

/// One entry of pcscd's configuration.
struct Entry {
    name: String,
    port: usize,
}

impl Daemon {
    /// Prepares the namespace and the folder, starts pcscd and waits until it answers.
    pub(crate) fn start(folder: &Path, readers: usize) -> Result<Self, DaemonError> {
        let (entries, readers) = plan(readers)?;
        if !Path::new(DRIVER).exists() {
            return Err(DaemonError::Missing(DRIVER, "vsmartcard-vpcd"));
        }
        loopback_up()?;
        cover_socket_folder(folder)?;
        configure(folder, &entries)?;
        let log = folder.join("pcscd.log");
        let log_file = File::create(&log).map_err(|e| DaemonError::Prepare(log, e))?;
        let log_too = log_file.try_clone();
        let log_too = log_too.map_err(|e| DaemonError::Prepare(folder.to_owned(), e))?;
        let process = Command::new(program("pcscd", &["/usr/sbin/pcscd"]))
            .arg("--foreground")
            .arg("--config")
            .arg(folder.join("reader.conf.d"))
            .stdin(Stdio::null())
            .stdout(log_file)
            .stderr(log_too)
            .spawn();
        let process = match process {
            Ok(process) => process,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(DaemonError::Missing("pcscd", "pcscd"));
            }
            Err(error) => return Err(DaemonError::Prepare("pcscd".into(), error)),
        };
        let mut daemon = Self {
            process,
            folder: folder.to_owned(),
            readers,
        };
        daemon.wait_ready()?;
        Ok(daemon)
    }

    /// Returns the readers, in order.
    pub(crate) fn readers(&self) -> &[Reader] {
        &self.readers
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "pcscd tells nobody that it is ready: ask again"
    )]
    fn wait_ready(&mut self) -> Result<(), DaemonError> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Ok(Some(status)) = self.process.try_wait() {
                return Err(DaemonError::Ended(status.to_string()));
            }
            if self.shows_every_reader() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Err(DaemonError::Silent)
    }

    fn shows_every_reader(&self) -> bool {
        let listed = pcsc::Context::establish(pcsc::Scope::System)
            .and_then(|context| context.list_readers_owned());
        listed.is_ok_and(|listed| {
            let there = |reader: &Reader| {
                let mut names = listed.iter();
                names.any(|name| name.to_bytes() == reader.name.as_bytes())
            };
            self.readers.iter().all(there)
        })
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        for made in ["reader.conf.d", "drivers"] {
            let _ = fs::remove_dir_all(self.folder.join(made));
        }
        for made in ["pcscd/pcscd.comm", "pcscd/pcscd.pid"] {
            let _ = fs::remove_file(self.folder.join(made));
        }
    }
}

/// Distributes the readers over entries. Up to eight, each has an entry and a number that
/// people can read off it; beyond, pcscd's limit wants both slots of every entry used.
fn plan(readers: usize) -> Result<(Vec<Entry>, Vec<Reader>), DaemonError> {
    if !(1..=MOST_READERS).contains(&readers) {
        return Err(DaemonError::Readers(readers));
    }
    let shared = readers > MOST_READERS / SLOTS_PER_ENTRY;
    let entries: Vec<Entry> = if shared {
        (0..readers.div_ceil(SLOTS_PER_ENTRY))
            .map(|entry| Entry {
                name: format!("zimogs slots {}-{}", 2 * entry + 1, 2 * entry + 2),
                port: FIRST_PORT + SLOTS_PER_ENTRY * entry,
            })
            .collect()
    } else {
        (0..readers)
            .map(|entry| Entry {
                name: format!("zimogs slot {}", entry + 1),
                port: FIRST_PORT + SLOTS_PER_ENTRY * entry,
            })
            .collect()
    };
    let used = if shared { SLOTS_PER_ENTRY } else { 1 };
    let slots = entries.iter().flat_map(|entry| {
        (0..used).map(|slot| Reader {
            // pcscd appends the number of the reader with this name, and of the slot.
            name: format!("{} 00 {slot:02}", entry.name),
            address: format!("127.0.0.1:{}", entry.port + slot),
        })
    });
    let slots = slots.take(readers).collect();
    Ok((entries, slots))
}

/// Writes pcscd's configuration, and a copy of the driver for each entry: entries that share
/// one driver file show the same two cards.
fn configure(folder: &Path, entries: &[Entry]) -> Result<(), DaemonError> {
    let drivers = folder.join("drivers");
    let configuration = folder.join("reader.conf.d");
    for needed in [&drivers, &configuration] {
        fs::create_dir_all(needed).map_err(|e| DaemonError::Prepare(needed.clone(), e))?;
    }
    let mut text = String::new();
    for (number, entry) in entries.iter().enumerate() {
        let driver = drivers.join(format!("libifdvpcd-{number}.so"));
        fs::copy(DRIVER, &driver).map_err(|e| DaemonError::Prepare(driver.clone(), e))?;
        text.push_str(&format!(
            "FRIENDLYNAME \"{}\"\nDEVICENAME /dev/null:0x{:X}\nLIBPATH {}\nCHANNELID 0x{:X}\n\n",
            entry.name,
            entry.port,
            driver.display(),
            entry.port,
        ));
    }
    let file = configuration.join("zimogs");
    fs::write(&file, text).map_err(|e| DaemonError::Prepare(file.clone(), e))
}

/// Puts the farm's folder in the place of pcscd's socket folder, here only.
fn cover_socket_folder(folder: &Path) -> Result<(), DaemonError> {
    let own = folder.join("pcscd");
    fs::create_dir_all(&own).map_err(|e| DaemonError::Prepare(own.clone(), e))?;
    // A socket that an earlier farm left would look like a running pcscd.
    for stale in ["pcscd.comm", "pcscd.pid"] {
        let _ = fs::remove_file(own.join(stale));
    }
    if !Path::new(SOCKET_FOLDER).exists() {
        if folder.starts_with("/run") {
            return Err(DaemonError::Covered(folder.to_owned()));
        }
        run("mount", &["-t", "tmpfs", "tmpfs", "/run"])?;
        fs::create_dir(SOCKET_FOLDER).map_err(|e| DaemonError::Prepare(SOCKET_FOLDER.into(), e))?;
    }
    run("mount", &["--bind", &own.to_string_lossy(), SOCKET_FOLDER])
}

fn loopback_up() -> Result<(), DaemonError> {
    let ip = program("ip", &["/usr/sbin/ip", "/sbin/ip"]);
    let ifconfig = program("ifconfig", &["/usr/sbin/ifconfig", "/sbin/ifconfig"]);
    match run(&ip, &["link", "set", "lo", "up"]) {
        Err(DaemonError::Missing(..)) => match run(&ifconfig, &["lo", "up"]) {
            Err(DaemonError::Missing(..)) => Err(DaemonError::Missing("ip", "iproute2")),
            other => other,
        },
        other => other,
    }
}

/// Returns where a system program is: not everybody's search path has the system folders.
fn program(name: &str, places: &[&str]) -> String {
    let mut places = places.iter();
    let place = places.find(|place| Path::new(place).exists());
    place.map_or_else(|| name.to_owned(), |place| (*place).to_owned())
}

fn run(command: &str, arguments: &[&str]) -> Result<(), DaemonError> {
    let failed = |why: String| DaemonError::Command {
        command: format!("{command} {}", arguments.join(" ")),
        why,
    };
    match Command::new(command)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
    {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(failed(
            String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(DaemonError::Missing("a set-up program", "mount, iproute2"))
        }
        Err(error) => Err(failed(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_readers_have_an_entry_each() {
        let (entries, readers) = plan(8).unwrap();
        assert_eq!((entries.len(), readers.len()), (8, 8));
        assert_eq!(readers[0].name, "zimogs slot 1 00 00");
        assert_eq!(readers[7].address, "127.0.0.1:35977");
    }

    #[test]
    fn sixteen_readers_share_eight_entries() {
        let (entries, readers) = plan(16).unwrap();
        assert_eq!((entries.len(), readers.len()), (8, 16));
        assert_eq!(readers[1].name, "zimogs slots 1-2 00 01");
        assert_eq!(readers[15].address, "127.0.0.1:35978");
        assert!(matches!(plan(17), Err(DaemonError::Readers(17))));
        assert!(matches!(plan(0), Err(DaemonError::Readers(0))));
    }
}
