//! What runs beside a server: it looks after the store.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use central::{CentralError, Duty};
use server::Server;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::cli::card::runs::write_whole;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::installation::Installation;

/// How often the log's sequencer runs, and how often it is looked what is due.
const SEQUENCE: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_secs(5);
/// How often a new revocation list is signed.
const LIST: Duration = Duration::from_secs(3600);
/// How long what is being done may take once the server is told to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// The care of a store: puts the log's entries into the tree, does what is due, and leaves new
/// revocation lists in the folder. What fails is told and tried again.
pub(crate) struct Caring {
    stopping: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Caring {
    /// Begins.
    pub(crate) fn start(installation: &Installation, server: Server) -> Self {
        let (stopping, stopped) = watch::channel(false);
        let list = installation.folder().join("authority.crl");
        // A name of its own for each: two instances of one machine are two.
        let instance = format!("{}-{}", std::process::id(), uuid::Uuid::now_v7());
        let settled = Arc::new(AtomicBool::new(false));
        let log = sequence(server.clone(), list, Arc::clone(&settled), stopped.clone());
        let duties = attend(server, instance, settled, stopped);
        Self {
            stopping,
            tasks: vec![tokio::spawn(log), tokio::spawn(duties)],
        }
    }

    /// Brings what is being done to its end.
    pub(crate) async fn stop(self) {
        let _ = self.stopping.send(true);
        for mut task in self.tasks {
            if tokio::time::timeout(PATIENCE, &mut task).await.is_err() {
                // What it holds is taken back with its transaction.
                task.abort();
                tracing::warn!("what the store did by itself was cut off");
            }
        }
    }
}

/// Waits, and says whether there is more to do.
async fn wait(time: Duration, stopped: &mut watch::Receiver<bool>) -> bool {
    tokio::select! {
        () = tokio::time::sleep(time) => true,
        _ = stopped.wait_for(|stopped| *stopped) => false,
    }
}

/// Lets the server's figures know how a piece of work that is done by the clock ended.
fn told<T, E>(server: &Server, timer: &'static str, ended: Result<T, E>) -> Result<T, E> {
    server.timer_ran(timer, ended.is_ok());
    ended
}

/// Puts the log's entries into the tree, and leaves revocation lists: each hour, and when certificates
/// were settled.
async fn sequence(
    server: Server,
    list: PathBuf,
    settled: Arc<AtomicBool>,
    mut stopped: watch::Receiver<bool>,
) {
    let central = server.central();
    let mut listed = None::<Instant>;
    loop {
        let mut round = async || -> Result<(), Failure> {
            told(&server, "sequence", central.sequence().await)?;
            let is_old = listed.is_none_or(|listed| listed.elapsed() >= LIST);
            if settled.swap(false, Ordering::Relaxed) || is_old {
                // What fails is due still.
                listed = None;
                let der = told(&server, "revocation-list", central.crl().await)?;
                write_whole(&list, &der).or_fail(Kind::Failed)?;
                listed = Some(Instant::now());
            }
            Ok(())
        };
        let pause = match round().await {
            Ok(()) => SEQUENCE,
            Err(failure) => {
                failure.show();
                SEQUENCE * 10
            }
        };
        if !wait(pause, &mut stopped).await {
            return;
        }
    }
}

/// Does what is due, one after another.
async fn attend(
    server: Server,
    instance: String,
    settled: Arc<AtomicBool>,
    mut stopped: watch::Receiver<bool>,
) {
    let central = server.central();
    loop {
        for &duty in Duty::ALL {
            if *stopped.borrow() {
                return;
            }
            let attended = central.attend(duty, server.period(duty), &instance).await;
            if !matches!(attended, Ok(None)) {
                server.timer_ran(duty.name(), attended.is_ok());
            }
            match attended {
                Ok(None | Some(0)) => {}
                Ok(Some(done)) => {
                    settled.fetch_or(duty == Duty::SettleCertificates, Ordering::Relaxed);
                    tracing::info!(duty = duty.name(), done, "done");
                }
                Err(CentralError::Ending) => return,
                Err(error) => {
                    let failure = Failure::from(error);
                    tracing::error!(duty = duty.name(), "a duty failed; it is tried again");
                    failure.show();
                }
            }
        }
        if !wait(LOOK, &mut stopped).await {
            return;
        }
    }
}
