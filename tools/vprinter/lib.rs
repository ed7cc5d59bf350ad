//! Strict virtual printers: of envelopes (TCP on loopback, the printer job language, paper in a
//! folder), of cards ([`card`]), and of labels ([`label`]).
//!
//! The printer of envelopes knows nothing of the program that prints: what it is sent it judges by HP's manual, and by
//! qpdf where that is installed.

pub mod card;
mod conversation;
pub mod label;
mod paper;
mod trouble;

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::conversation::{Conversation, Heard};

pub use crate::trouble::{Trouble, UnknownTrouble};

/// A printer that runs. It ends when it is dropped.
pub struct VirtualPrinter {
    address: SocketAddr,
    folder: PathBuf,
    stop: Arc<AtomicBool>,
    heard: Arc<Mutex<Heard>>,
    /// Says how many jobs have ended, after each.
    jobs: Receiver<usize>,
    server: Option<JoinHandle<()>>,
}

impl VirtualPrinter {
    /// Starts a printer whose paper goes into `folder`. `troubles` come one for each connection, in
    /// order; those behind go well.
    ///
    /// # Errors
    /// Where there is no folder or no port.
    pub fn start(folder: &Path, troubles: &[Trouble]) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let stop = Arc::new(AtomicBool::new(false));
        let heard = Arc::new(Mutex::new(Heard::default()));
        let (tell, jobs) = channel();
        let server = {
            let (stop, heard, folder) = (Arc::clone(&stop), Arc::clone(&heard), folder.to_owned());
            let mut troubles: VecDeque<Trouble> = troubles.iter().copied().collect();
            std::thread::Builder::new()
                .name("vprinter".into())
                .spawn(move || {
                    for stream in listener.incoming() {
                        if stop.load(Ordering::Acquire) {
                            break;
                        }
                        let Ok(stream) = stream else { continue };
                        let trouble = troubles.pop_front();
                        let Ok(conversation) = Conversation::new(stream, &folder, &stop, trouble)
                        else {
                            continue;
                        };
                        let found = conversation.serve();
                        let mut all = heard.lock().unwrap_or_else(PoisonError::into_inner);
                        all.jobs += found.jobs;
                        all.faults.extend(found.faults);
                        // Nobody has to listen.
                        let _ = tell.send(all.jobs);
                    }
                })?
        };
        Ok(Self {
            address,
            folder: folder.to_owned(),
            stop,
            heard,
            jobs,
            server: Some(server),
        })
    }

    /// Returns its address: `tcp://127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("tcp://{}", self.address)
    }

    /// Waits until so many jobs have ended.
    pub fn wait_for_jobs(&self, count: usize) {
        while self.jobs.recv().is_ok_and(|jobs| jobs < count) {}
    }

    /// Ends the printer, and returns what it had to find fault with.
    pub fn stop(mut self) -> Vec<String> {
        self.end();
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.faults.clone()
    }

    /// Returns the paper that came, by name.
    ///
    /// # Errors
    /// Where the folder cannot be read.
    pub fn paper(&self) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == "pdf") {
                found.push(path);
            }
        }
        found.sort();
        Ok(found)
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Release);
        // It waits for a connection: this is the last one.
        drop(TcpStream::connect(self.address));
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
    }
}

impl Drop for VirtualPrinter {
    fn drop(&mut self) {
        self.end();
    }
}
