//! A program's side of the farm.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use thiserror::Error;

use super::{Announcement, ReaderStatus, Reply, Request};
use crate::circumstances::Circumstances;
use crate::fault::Fault;

/// How long a farm may take to start.
const START: Duration = Duration::from_secs(20);
/// How long a farm may take to answer or to end.
const ANSWER: Duration = Duration::from_secs(30);

/// Says why the farm did not do what it was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The `vcard` program is not where it was looked for.
    #[error("cannot run {0}; build the vcard program")]
    Program(PathBuf, #[source] io::Error),
    /// The farm did not start; it says why.
    #[error("the farm of virtual chips did not start: {0}")]
    Start(String),
    /// The control socket failed.
    #[error("cannot talk to the farm at {0}")]
    Line(PathBuf, #[source] io::Error),
    /// The farm said something else than a reply.
    #[error("the farm answered nonsense")]
    Nonsense(#[source] serde_json::Error),
    /// The farm refused.
    #[error("the farm refused: {0}")]
    Refused(String),
}

impl ClientError {
    /// Says whether this machine lacks what a farm needs: a program, the driver, or the right to
    /// namespaces of its own.
    pub fn is_lack(&self) -> bool {
        matches!(self, Self::Start(why) if why.contains("not found") || why.contains("permitted"))
    }
}

/// A running farm. Dropping it ends it: chips, pcscd, namespaces.
#[derive(Debug)]
pub struct Farm {
    process: Child,
    input: Option<ChildStdin>,
    output: Receiver<String>,
    socket: PathBuf,
    pcsc: PathBuf,
    readers: Vec<String>,
}

impl Farm {
    /// Starts a farm with so many readers (1 to 16) that keeps its files in `folder`, by the
    /// `vcard` program, and waits until its pcscd answers.
    ///
    /// # Errors
    /// [`ClientError`], with what to do about it.
    pub fn start(program: &Path, folder: &Path, readers: usize) -> Result<Self, ClientError> {
        let failed = |error| ClientError::Program(program.to_owned(), error);
        let mut process = Command::new(program)
            .arg("farm")
            .arg("--dir")
            .arg(folder)
            .arg("--readers")
            .arg(readers.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let input = process.stdin.take();
        let output = process.stdout.take();
        let (say, heard) = mpsc::channel();
        thread::spawn(move || {
            // Its first line, then nothing: the channel closes when the farm has ended.
            let Some(output) = output else { return };
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = say.send(line);
            }
        });
        let mut farm = Self {
            process,
            input,
            output: heard,
            socket: PathBuf::new(),
            pcsc: PathBuf::new(),
            readers: Vec::new(),
        };
        let line = match farm.output.recv_timeout(START) {
            Ok(line) => line,
            Err(RecvTimeoutError::Disconnected) => String::new(),
            Err(RecvTimeoutError::Timeout) => {
                let waited = format!("no word within {} s", START.as_secs());
                return Err(ClientError::Start(waited));
            }
        };
        match serde_json::from_str(&line) {
            Ok(Announcement::Ready {
                socket,
                pcsc,
                readers,
                ..
            }) => (farm.socket, farm.pcsc, farm.readers) = (socket, pcsc, readers),
            Ok(Announcement::Failed { error, .. }) => return Err(ClientError::Start(error)),
            Err(_) => return Err(ClientError::Start("it ended without a word".to_owned())),
        }
        Ok(farm)
    }

    /// Returns where the `vcard` program should be: beside the running program, or one
    /// folder up (where cargo puts it, seen from a test).
    pub fn program_beside_current() -> Option<PathBuf> {
        let own = std::env::current_exe().ok()?;
        let mut folders = own.ancestors().skip(1).take(2);
        folders.find_map(|folder| Some(folder.join("vcard")).filter(|program| program.is_file()))
    }

    /// Returns the value for `PCSCLITE_CSOCK_NAME`.
    pub fn pcsc(&self) -> &Path {
        &self.pcsc
    }

    /// Returns the socket by which cards are put into its readers.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Returns the readers' names in PC/SC, in order.
    pub fn readers(&self) -> &[String] {
        &self.readers
    }

    /// Connects to the farm.
    ///
    /// # Errors
    /// [`ClientError::Line`].
    pub fn client(&self) -> Result<Client, ClientError> {
        Client::connect(&self.socket)
    }
}

impl Drop for Farm {
    fn drop(&mut self) {
        // Closing its input ends it, and its end closes its output: it and what it started
        // inside hold that. Killing is for a farm that does not listen.
        drop(self.input.take());
        while self.output.recv_timeout(ANSWER).is_ok() {}
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A line to a farm's control socket.
#[derive(Debug)]
pub struct Client {
    line: BufReader<UnixStream>,
    socket: PathBuf,
}

impl Client {
    /// Connects to the control socket of a farm (`<folder>/farm.sock`).
    ///
    /// # Errors
    /// [`ClientError::Line`].
    pub fn connect(socket: &Path) -> Result<Self, ClientError> {
        let failed = |error| ClientError::Line(socket.to_owned(), error);
        let line = UnixStream::connect(socket).map_err(failed)?;
        line.set_read_timeout(Some(ANSWER)).map_err(failed)?;
        Ok(Self {
            line: BufReader::new(line),
            socket: socket.to_owned(),
        })
    }

    /// Puts the chip in a state file into a reader (from 0); returns when pcscd shows it,
    /// within 0.4 s as a rule.
    ///
    /// # Errors
    /// [`ClientError::Refused`] for an occupied or unknown reader or a bad state file.
    pub fn insert(
        &mut self,
        reader: usize,
        state: &Path,
        fault: Option<Fault>,
    ) -> Result<(), ClientError> {
        let circumstances = fault.into_iter().collect::<Vec<_>>().into();
        self.insert_under(reader, state, circumstances, None)
    }

    /// Puts the chip in a state file into a reader, under these circumstances, drawing its
    /// random numbers from a recorded session where one is given.
    ///
    /// # Errors
    /// [`ClientError::Refused`] also for a bad recording.
    pub fn insert_under(
        &mut self,
        reader: usize,
        state: &Path,
        circumstances: Circumstances,
        recording: Option<&Path>,
    ) -> Result<(), ClientError> {
        // The farm has a working folder of its own.
        let absolute = |path: &Path| {
            std::path::absolute(path).map_err(|error| ClientError::Line(path.to_owned(), error))
        };
        let request = Request::Insert {
            reader,
            state: absolute(state)?,
            fault: None,
            circumstances,
            recording: recording.map(absolute).transpose()?,
        };
        self.ask(&request).map(drop)
    }

    /// Takes the chip out of a reader, between two of its commands; returns when pcscd shows
    /// the reader empty.
    ///
    /// # Errors
    /// [`ClientError::Refused`] where there is none.
    pub fn remove(&mut self, reader: usize) -> Result<(), ClientError> {
        self.ask(&Request::Remove { reader }).map(drop)
    }

    /// Asks what is where.
    ///
    /// # Errors
    /// [`ClientError::Line`].
    pub fn status(&mut self) -> Result<Vec<ReaderStatus>, ClientError> {
        match self.ask(&Request::Status {})? {
            Reply::Status { readers } => Ok(readers),
            _ => Ok(Vec::new()),
        }
    }

    /// Ends the farm.
    ///
    /// # Errors
    /// [`ClientError::Line`].
    pub fn stop(&mut self) -> Result<(), ClientError> {
        self.ask(&Request::Stop {}).map(drop)
    }

    fn ask(&mut self, request: &Request) -> Result<Reply, ClientError> {
        let failed = |error| ClientError::Line(self.socket.clone(), error);
        let mut text = serde_json::to_vec(request).map_err(ClientError::Nonsense)?;
        text.push(b'\n');
        self.line.get_mut().write_all(&text).map_err(failed)?;
        let mut answer = String::new();
        let read = self.line.read_line(&mut answer);
        if read.map_err(|error| ClientError::Line(self.socket.clone(), error))? == 0 {
            let gone = io::ErrorKind::UnexpectedEof.into();
            return Err(ClientError::Line(self.socket.clone(), gone));
        }
        match serde_json::from_str(&answer).map_err(ClientError::Nonsense)? {
            Reply::Error { message } => Err(ClientError::Refused(message)),
            reply => Ok(reply),
        }
    }
}
