//! Where the printer is reached: a pty and a TCP port.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use super::language::Language;
use super::machine::{Ending, Machine};

/// How often a silent line looks whether the printer ends.
const TICK: Duration = Duration::from_millis(20);

/// The lines of a printer.
pub(super) struct Ports {
    pub(super) address: SocketAddr,
    pub(super) link: PathBuf,
    /// Closed when the printer ends.
    stop: Vec<Sender<()>>,
    servers: Vec<JoinHandle<()>>,
}

/// A pty: the printer's end, and the other one, which stays open so that clients come and go.
struct Pty {
    ours: File,
    _theirs: OwnedFd,
}

impl Ports {
    pub(super) fn open(machine: &Arc<Mutex<Machine>>, link: &Path) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let pty = Pty::open(link)?;
        let mut ports = Self {
            address,
            link: link.to_owned(),
            stop: Vec::new(),
            servers: Vec::new(),
        };
        listener.set_nonblocking(true)?;
        ports.serve("vprinter-tcp", {
            let machine = Arc::clone(machine);
            move |stop| {
                while ends(&stop, TICK).is_none() {
                    if let Ok((stream, _)) = listener.accept() {
                        let _ = serve_tcp(stream, &machine, &stop);
                    }
                }
            }
        })?;
        ports.serve("vprinter-tty", {
            let (machine, link) = (Arc::clone(machine), link.to_owned());
            move |stop| {
                let mut pty = Some(pty);
                while let Some(open) = pty.take() {
                    // The cable is put in again.
                    if let Ok(true) = serve_pty(open, &machine, &stop) {
                        pty = Pty::open(&link).ok();
                    }
                }
            }
        })?;
        Ok(ports)
    }

    fn serve(
        &mut self,
        name: &str,
        work: impl FnOnce(Receiver<()>) + Send + 'static,
    ) -> io::Result<()> {
        let (stop, stopped) = channel();
        let server = std::thread::Builder::new()
            .name(name.into())
            .spawn(move || work(stopped))?;
        self.stop.push(stop);
        self.servers.push(server);
        Ok(())
    }
}

impl Drop for Ports {
    fn drop(&mut self) {
        self.stop.clear();
        for server in self.servers.drain(..) {
            let _ = server.join();
        }
        let _ = std::fs::remove_file(&self.link);
    }
}

/// Waits; returns something when the printer ends meanwhile.
fn ends(stop: &Receiver<()>, wait: Duration) -> Option<()> {
    match stop.recv_timeout(wait) {
        Err(RecvTimeoutError::Timeout) => None,
        _ => Some(()),
    }
}

/// Serves a connection; another one waits meanwhile.
fn serve_tcp(
    mut stream: TcpStream,
    machine: &Mutex<Machine>,
    stop: &Receiver<()>,
) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TICK))?;
    let mut language = Language::default();
    let mut bytes = vec![0; 64 * 1024];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return Ok(()),
            Ok(read) => language.take(bytes.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if ends(stop, Duration::ZERO).is_some() {
                    return Ok(());
                }
            }
            Err(error) => return Err(error),
        }
        if obey(&mut language, machine, stop, &mut stream)? != Some(Ending::None) {
            return Ok(());
        }
    }
}

/// Serves the pty; returns whether it was unplugged and comes back.
fn serve_pty(mut pty: Pty, machine: &Mutex<Machine>, stop: &Receiver<()>) -> io::Result<bool> {
    let mut language = Language::default();
    let mut bytes = vec![0; 64 * 1024];
    loop {
        if ends(stop, Duration::ZERO).is_some() {
            return Ok(false);
        }
        let tick = Timespec {
            tv_sec: 0,
            tv_nsec: i64::from(TICK.subsec_nanos()),
        };
        let mut fds = [PollFd::new(&pty.ours, PollFlags::IN)];
        if poll(&mut fds, Some(&tick))? == 0 {
            continue;
        }
        let read = pty.ours.read(&mut bytes)?;
        language.take(bytes.get(..read).unwrap_or_default());
        match obey(&mut language, machine, stop, &mut pty.ours)? {
            Some(Ending::None) => {}
            Some(Ending::Restart) => language = Language::default(),
            Some(Ending::Unplugged) => return Ok(true),
            None => return Ok(false),
        }
    }
}

/// Obeys what is whole; returns what happens to the line, or nothing where the printer ends.
fn obey(
    language: &mut Language,
    machine: &Mutex<Machine>,
    stop: &Receiver<()>,
    back: &mut impl Write,
) -> io::Result<Option<Ending>> {
    while let Some(heard) = language.next() {
        let since = Instant::now();
        let effect = {
            let mut machine = machine.lock().unwrap_or_else(PoisonError::into_inner);
            machine.obey(heard)
        };
        if !effect.pause.is_zero() && ends(stop, effect.pause).is_some() {
            return Ok(None);
        }
        // Before it says so: whoever asks then knows of it.
        let mut locked = machine.lock().unwrap_or_else(PoisonError::into_inner);
        locked.worked.note(since);
        drop(locked);
        back.write_all(&effect.bytes)?;
        if effect.ending != Ending::None {
            return Ok(Some(effect.ending));
        }
    }
    Ok(Some(Ending::None))
}

impl Pty {
    /// Opens a pty, raw, and makes a link to its other end.
    fn open(link: &Path) -> io::Result<Self> {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        grantpt(&ours)?;
        unlockpt(&ours)?;
        let name = ptsname(&ours, Vec::new())?;
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let theirs = rustix::fs::open(&name, flags, Mode::empty())?;
        let mut settings = tcgetattr(theirs.as_fd())?;
        settings.make_raw();
        tcsetattr(theirs.as_fd(), OptionalActions::Now, &settings)?;
        let path = PathBuf::from(name.to_string_lossy().into_owned());
        let new = link.with_extension("new");
        let _ = std::fs::remove_file(&new);
        std::os::unix::fs::symlink(path, &new)?;
        // Whole under its name at once: a client that looks finds the old one or the new one.
        std::fs::rename(&new, link)?;
        Ok(Self {
            ours: File::from(ours),
            _theirs: theirs,
        })
    }
}
