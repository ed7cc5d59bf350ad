//! The farm of virtual readers: the `vcard` program, spoken to over its control socket.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::cli::failure::{Failure, Kind, OrFail};

/// Returns the `vcard` program: beside this one, or on the PATH.
pub(crate) fn program() -> PathBuf {
    let beside = std::env::current_exe()
        .ok()
        .map(|own| own.with_file_name("vcard"));
    beside
        .filter(|program| program.is_file())
        .unwrap_or_else(|| "vcard".into())
}

/// A running farm; it ends with this value.
pub(crate) struct Farm {
    process: Child,
    input: Option<ChildStdin>,
    announcement: String,
    pcsc: PathBuf,
}

/// The farm's first line.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Announcement {
    ready: bool,
    #[serde(default)]
    error: String,
    #[serde(default)]
    socket: PathBuf,
    #[serde(default)]
    pub(crate) pcsc: PathBuf,
    #[serde(default)]
    pub(crate) readers: Vec<String>,
}

impl Farm {
    /// Starts a farm that keeps its files in `folder`.
    pub(crate) fn start(folder: &Path, readers: usize) -> Result<Self, Failure> {
        let program = program();
        let mut process = Command::new(&program)
            .arg("farm")
            .arg("--dir")
            .arg(folder)
            .args(["--readers", &readers.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C is for the station: its cards stay until the documents in work are done.
            .process_group(0)
            .spawn()
            .map_err(|error| {
                Failure::new(
                    Kind::Device,
                    format!(
                        "the virtual readers cannot be started ({}): {error}",
                        program.display()
                    ),
                )
                .with_hint("tools/run builds and starts everything")
            })?;
        let input = process.stdin.take();
        let output = process.stdout.take();
        // From here on the process ends with the value, whatever happens.
        let mut farm = Self {
            process,
            input,
            announcement: String::new(),
            pcsc: PathBuf::new(),
        };
        if let Some(output) = output {
            BufReader::new(output)
                .read_line(&mut farm.announcement)
                .or_fail(Kind::Device)?;
        }
        let announced: Announcement = serde_json::from_str(&farm.announcement)
            .map_err(|_| Failure::new(Kind::Device, "the virtual readers ended without a word"))?;
        if !announced.ready {
            return Err(Failure::new(
                Kind::Device,
                format!("no virtual readers: {}", announced.error),
            )
            .with_hint("tools/setup installs pcscd and vpcd"));
        }
        farm.pcsc = announced.pcsc;
        Ok(farm)
    }

    /// Returns the farm's first line, for the inner process.
    pub(crate) fn announcement(&self) -> &str {
        self.announcement.trim_end()
    }

    /// Returns the socket of its pcscd.
    pub(crate) fn pcsc(&self) -> &Path {
        &self.pcsc
    }
}

impl Drop for Farm {
    fn drop(&mut self) {
        // The farm ends itself, its pcscd and its chips when its input closes.
        drop(self.input.take());
        let _ = self.process.wait();
    }
}

/// The line to a running farm.
pub(crate) struct Hands {
    line: BufReader<UnixStream>,
}

impl Hands {
    /// Connects to the farm.
    pub(crate) fn connect(announcement: &Announcement) -> Result<Self, Failure> {
        let socket = UnixStream::connect(&announcement.socket).or_fail(Kind::Device)?;
        Ok(Self {
            line: BufReader::new(socket),
        })
    }

    /// Puts a chip into a reader.
    pub(crate) fn insert(&mut self, reader: usize, chip: &Path) -> Result<(), Failure> {
        self.ask(&json!({ "insert": { "reader": reader, "state": chip } }))
    }

    /// Takes the chip out of a reader. The farm answers when the service has seen it go.
    pub(crate) fn remove(&mut self, reader: usize) -> Result<(), Failure> {
        self.ask(&json!({ "remove": { "reader": reader } }))
    }

    fn ask(&mut self, request: &Value) -> Result<(), Failure> {
        writeln!(self.line.get_mut(), "{request}").or_fail(Kind::Device)?;
        let mut reply = String::new();
        self.line.read_line(&mut reply).or_fail(Kind::Device)?;
        let reply: Value = serde_json::from_str(&reply).or_fail(Kind::Device)?;
        match reply.pointer("/error/message").and_then(Value::as_str) {
            Some(message) => Err(Failure::new(
                Kind::Device,
                format!("the virtual reader: {message}"),
            )),
            None => Ok(()),
        }
    }
}
