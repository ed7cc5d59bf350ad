//! One connection to the printer, by its job language.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::paper;
use crate::trouble::Trouble;

/// The universal exit sequence.
const EXIT: &[u8] = b"\x1B%-12345X";
/// The longest line, and the largest page.
const LINE: usize = 1024;
const DATA: usize = 16 * 1024 * 1024;
/// How often a silent connection looks whether the printer stops.
const TICK: Duration = Duration::from_millis(50);

/// What a connection was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// The jobs that came to their end, one way or another.
    pub(crate) jobs: usize,
    /// What a strict printer has to say of it.
    pub(crate) faults: Vec<String>,
}

/// The printer's side of a connection.
pub(crate) struct Conversation<'a> {
    stream: TcpStream,
    folder: &'a Path,
    stop: &'a AtomicBool,
    trouble: Option<Trouble>,
    /// What came and is not read yet.
    waiting: Vec<u8>,
    reports_jobs: bool,
    reports_device: bool,
    job: Option<Job>,
    heard: Heard,
}

/// The job that is open.
struct Job {
    name: String,
    data: Option<Vec<u8>>,
    recovers: bool,
    is_sound: bool,
}

impl<'a> Conversation<'a> {
    pub(crate) fn new(
        stream: TcpStream,
        folder: &'a Path,
        stop: &'a AtomicBool,
        trouble: Option<Trouble>,
    ) -> io::Result<Self> {
        stream.set_read_timeout(Some(TICK))?;
        Ok(Self {
            stream,
            folder,
            stop,
            trouble,
            waiting: Vec::new(),
            reports_jobs: false,
            reports_device: false,
            job: None,
            heard: Heard::default(),
        })
    }

    /// Serves it until its end.
    pub(crate) fn serve(mut self) -> Heard {
        if let Err(error) = self.talk()
            && error.kind() != ErrorKind::UnexpectedEof
        {
            self.fault(error.to_string());
        }
        if self.job.is_some() {
            self.fault("the connection ended inside a job".into());
            self.heard.jobs += 1;
        }
        self.heard
    }

    fn fault(&mut self, what: String) {
        self.heard.faults.push(what);
        if let Some(job) = &mut self.job {
            job.is_sound = false;
        }
    }

    fn talk(&mut self) -> io::Result<()> {
        match self.trouble {
            Some(Trouble::Deaf) => loop {
                self.more()?;
                self.waiting.clear();
            },
            Some(Trouble::Stranger) => {
                self.more()?;
                return self.say("HTTP/1.1 400 Bad Request\r\nServer: stranger\r\n\r\n");
            }
            _ => {}
        }
        while self.waiting.len() < EXIT.len() {
            self.more()?;
        }
        if !self.waiting.starts_with(EXIT) {
            return Err(io::Error::other(
                "no universal exit sequence at the beginning",
            ));
        }
        loop {
            while self.waiting.starts_with(EXIT) {
                self.waiting.drain(..EXIT.len());
            }
            let line = self.line()?;
            if line.is_empty() {
                // What stands behind the last exit sequence.
                continue;
            }
            let Some(command) = line.strip_prefix("@PJL") else {
                self.fault(format!("a line that is no command: {line:?}"));
                continue;
            };
            self.obey(command.trim())?;
        }
    }

    fn obey(&mut self, command: &str) -> io::Result<()> {
        let (word, rest) = command.split_once(' ').unwrap_or((command, ""));
        let squeezed: String = rest.split_whitespace().collect();
        match (word, squeezed.as_str()) {
            ("", _) | ("COMMENT", _) => {}
            ("ECHO", _) => self.say(&format!("@PJL ECHO {rest}\r\n\x0C"))?,
            ("INFO", "STATUS") => {
                let panel = panel(Trouble::panel(self.trouble));
                self.say(&format!("@PJL INFO STATUS\r\n{panel}\x0C"))?;
            }
            ("USTATUS", "JOB=ON") => self.reports_jobs = true,
            ("USTATUS", "DEVICE=ON") => self.reports_device = true,
            ("USTATUSOFF", "") => {
                self.reports_jobs = false;
                self.reports_device = false;
            }
            ("JOB", _) if self.job.is_none() => match named(rest) {
                Some(name) => {
                    self.job = Some(Job {
                        name: name.to_owned(),
                        data: None,
                        recovers: true,
                        is_sound: true,
                    });
                    if self.reports_jobs {
                        let started =
                            format!("@PJL USTATUS JOB\r\nSTART\r\nNAME=\"{name}\"\r\n\x0C");
                        self.say(&started)?;
                    }
                }
                None => self.fault("a job without a name".into()),
            },
            ("SET", "JAMRECOVERY=OFF") => match &mut self.job {
                Some(job) => job.recovers = false,
                None => self.fault("SET outside a job".into()),
            },
            ("SET", "COPIES=1" | "HOLD=OFF") if self.job.is_some() => {}
            ("ENTER", "LANGUAGE=PDF") if self.job.is_some() => self.data()?,
            ("EOJ", _) => self.end(named(rest))?,
            _ => {
                self.fault(format!("not a command here: @PJL {command}"));
                self.say(&format!("@PJL {word}\r\n?\r\n\x0C"))?;
            }
        }
        Ok(())
    }

    /// Takes the data up to the exit sequence.
    fn data(&mut self) -> io::Result<()> {
        let mut looked = 0;
        let length = loop {
            let from = self.waiting.get(looked..).unwrap_or_default();
            if let Some(found) = from.windows(EXIT.len()).position(|at| at == EXIT) {
                break looked + found;
            }
            looked = self.waiting.len().saturating_sub(EXIT.len());
            if self.trouble == Some(Trouble::Torn) && self.waiting.len() > 4096 {
                // With data unread the other side is told at once.
                return Err(io::Error::other("torn"));
            }
            if self.waiting.len() > DATA {
                return Err(io::Error::other("the data do not end"));
            }
            self.more()?;
        };
        let data: Vec<u8> = self.waiting.drain(..length).collect();
        if let Err(fault) = paper::check(&data) {
            self.fault(fault);
        }
        match &mut self.job {
            Some(job) if job.data.is_none() => job.data = Some(data),
            _ => self.fault("data twice in a job".into()),
        }
        Ok(())
    }

    fn end(&mut self, name: Option<&str>) -> io::Result<()> {
        let Some(mut job) = self.job.take() else {
            self.fault("the end of no job".into());
            return Ok(());
        };
        self.heard.jobs += 1;
        if name != Some(job.name.as_str()) {
            self.fault("the end of a job has another name".into());
            job.is_sound = false;
        }
        let data = match (&job.data, job.is_sound) {
            (Some(data), true) => data.clone(),
            _ => return self.ended(&job, 0, "RESOURCE_CANCELED"),
        };
        let copies = match self.trouble {
            Some(Trouble::Cancelled) => return self.ended(&job, 0, "USER_CANCELED"),
            Some(Trouble::Jam) => {
                if self.reports_device {
                    let panel = panel((42_011, "PAPER JAM", false));
                    self.say(&format!("@PJL USTATUS DEVICE\r\n{panel}\x0C"))?;
                }
                // Somebody opens the cover and takes the page out.
                if job.recovers {
                    self.paper(&job.name, &data);
                }
                return Ok(());
            }
            Some(Trouble::Twice) => 2,
            _ => 1,
        };
        for _ in 0..copies {
            if !self.paper(&job.name, &data) {
                return self.ended(&job, 0, "RESOURCE_CANCELED");
            }
        }
        match self.trouble {
            Some(Trouble::Mute) => Ok(()),
            _ => self.ended(&job, copies, "OK"),
        }
    }

    fn paper(&mut self, name: &str, data: &[u8]) -> bool {
        let printed = paper::print(self.folder, name, data);
        if let Err(error) = &printed {
            self.fault(error.to_string());
        }
        printed.is_ok()
    }

    fn ended(&mut self, job: &Job, pages: usize, result: &str) -> io::Result<()> {
        if !self.reports_jobs {
            return Ok(());
        }
        self.say(&format!(
            "@PJL USTATUS JOB\r\nEND\r\nNAME=\"{}\"\r\nPAGES={pages}\r\nRESULT={result}\r\n\x0C",
            job.name
        ))
    }

    fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.waiting.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.waiting.drain(..=end).collect();
                let text = line.strip_suffix(b"\r\n");
                let text = text.ok_or_else(|| io::Error::other("a line without CR LF"))?;
                let text = str::from_utf8(text).map_err(io::Error::other)?;
                return Ok(text.to_owned());
            }
            if self.waiting.len() > LINE {
                return Err(io::Error::other("a line that does not end"));
            }
            self.more()?;
        }
    }

    /// Waits for more, until the other side or the printer ends.
    fn more(&mut self) -> io::Result<()> {
        let mut bytes = [0; 4096];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    self.waiting.extend(bytes.iter().take(read));
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if self.stop.load(Ordering::Acquire) {
                        return Err(ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn say(&mut self, text: &str) -> io::Result<()> {
        self.stream.write_all(text.as_bytes())
    }
}

/// Returns the name in `NAME = "…"`.
fn named(text: &str) -> Option<&str> {
    let (word, value) = text.split_once('=')?;
    let name = value.trim().strip_prefix('"')?.strip_suffix('"')?;
    (word.trim() == "NAME" && !name.is_empty() && !name.contains(['"', '/', '\\'])).then_some(name)
}

fn panel((code, display, online): (u32, &str, bool)) -> String {
    let online = if online { "TRUE" } else { "FALSE" };
    format!("CODE={code}\r\nDISPLAY=\"{display}\"\r\nONLINE={online}\r\n")
}
