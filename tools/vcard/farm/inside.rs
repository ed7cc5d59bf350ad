//! Inside the namespaces: pcscd, the chips, and the control socket.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread;

use thiserror::Error;

use super::daemon::{Daemon, DaemonError};
use super::slots::Slots;
use super::{Announcement, Reply, Request};

/// Longest request line, bytes.
const LONGEST_LINE: u64 = 65_536;

/// Says why the farm does not serve.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FarmError {
    /// pcscd does not run.
    #[error(transparent)]
    Daemon(#[from] DaemonError),
    /// The control socket cannot be made; its path may have at most 107 bytes.
    #[error("cannot listen on {0}")]
    Listen(PathBuf, #[source] io::Error),
    /// Nobody reads the announcement.
    #[error("cannot announce the farm")]
    Announce(#[source] io::Error),
}

/// Serves a farm in the present namespaces until it is stopped or standard input closes.
/// Calls `announce` once, when pcscd answers and the socket listens.
///
/// # Errors
/// [`FarmError`]; then nothing is left running.
pub fn serve(
    folder: &Path,
    readers: usize,
    announce: impl FnOnce(&Announcement) -> io::Result<()>,
) -> Result<(), FarmError> {
    let daemon = Daemon::start(folder, readers)?;
    let socket = folder.join("farm.sock");
    let _ = fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket).map_err(|e| FarmError::Listen(socket.clone(), e))?;
    let slots = Arc::new(Slots::new(daemon.readers()));
    let (stop, stopped) = mpsc::channel();
    watch_standard_input(stop.clone());
    let serving = Arc::clone(&slots);
    thread::spawn(move || {
        for line in listener.incoming().flatten() {
            let (slots, stop) = (Arc::clone(&serving), stop.clone());
            thread::spawn(move || converse(&line, &slots, &stop));
        }
    });
    let names = daemon.readers().iter().map(|reader| reader.name.clone());
    let announced = announce(&Announcement::Ready {
        ready: true,
        socket: socket.clone(),
        pcsc: folder.join("pcscd/pcscd.comm"),
        readers: names.collect(),
    });
    // All senders gone means the same as a message.
    if announced.is_ok() {
        let _ = stopped.recv();
    }
    slots.clear();
    drop(daemon);
    let _ = fs::remove_file(&socket);
    announced.map_err(FarmError::Announce)
}

fn watch_standard_input(stop: Sender<()>) {
    thread::spawn(move || {
        let mut ignored = [0; 256];
        let mut input = io::stdin().lock();
        while matches!(input.read(&mut ignored), Ok(1..)) {}
        let _ = stop.send(());
    });
}

/// Answers one client, line by line, until it hangs up.
fn converse(line: &UnixStream, slots: &Slots, stop: &Sender<()>) {
    let mut requests = BufReader::new(line);
    loop {
        let mut text = String::new();
        let mut bounded = (&mut requests).take(LONGEST_LINE);
        if !matches!(bounded.read_line(&mut text), Ok(1..)) {
            return;
        }
        let (reply, last) = match serde_json::from_str::<Request>(&text) {
            Ok(request) => {
                let last = matches!(request, Request::Stop {});
                (slots.handle(request), last)
            }
            Err(error) => {
                let message = format!("no request: {error}");
                (Reply::Error { message }, false)
            }
        };
        let mut answer = serde_json::to_vec(&reply).unwrap_or_default();
        answer.push(b'\n');
        let mut writer = line;
        let written = writer.write_all(&answer);
        if last {
            let _ = stop.send(());
        }
        if written.is_err() {
            return;
        }
    }
}
