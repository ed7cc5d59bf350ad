//! The store's server of an installation: its key and certificate, its start, and what runs beside
//! it.

use std::fs;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use central::Central;
use cert::Certificate;
use jiff::{SignedDuration, Timestamp};
use pki::HostName;
use sd_notify::NotifyState;
use server::Server;
use station::StationKey;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

use crate::cli::card::pem;
use crate::cli::card::runs::write_whole;
use crate::cli::failure::{Failure, Kind, OrFail};
use crate::cli::files;
use crate::cli::installation::Installation;
use crate::cli::{secret_file, telemetry};

/// Where a server listens unless it is told otherwise.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8443);
/// How long before its end a pilot's certificate is made anew.
const BEFORE: SignedDuration = SignedDuration::from_hours(24 * 60);

/// A running server.
pub(crate) struct Serving {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    server: Server,
    stop: oneshot::Sender<()>,
    task: JoinHandle<std::io::Result<()>>,
    /// What tells figures; it ends with this value.
    metrics: Option<JoinHandle<std::io::Result<()>>>,
}

/// The files of a server.
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

impl Serving {
    /// Starts the server of a store at an address; port 0 takes a free one.
    pub(crate) async fn start(
        installation: &Installation,
        central: &Central,
        listen: Option<SocketAddr>,
    ) -> Result<Self, Failure> {
        let served = installation.served();
        let listen = listen.or(served.and_then(|served| served.listen));
        let listen = listen.unwrap_or(LISTEN);
        let files = files_of(installation, central).await?;
        let authority = central.station_authority_certificate().await?;
        leave_authority(installation, &authority)?;
        let chain = files::read(&files.certificate, files::SHORT)?;
        let key = secret_file::read(&files.key, "the server's key")?;
        let hints = vec![central.station_authority_name().await?];
        let tls = server::tls(&chain, key.as_bytes(), hints).or_fail(Kind::Usage)?;
        drop(key);
        let listener = TcpListener::bind(listen).await.map_err(|error| {
            let fault = format!("cannot listen at {listen}: {error}");
            Failure::new(Kind::Failed, fault).with_hint("name another address: --listen")
        })?;
        let address = listener.local_addr().or_fail(Kind::Failed)?;
        let periods = installation.periods()?;
        let server = Server::planned(
            central.clone(),
            served
                .and_then(|served| served.pace)
                .unwrap_or_default()
                .limits(),
            installation.plan()?,
            periods,
        );
        server.adopt_traces(telemetry::adopt);
        let router = server::router(server.clone());
        let (stop, stopped) = oneshot::channel();
        let stopped = async {
            // Whoever let the sender go wants it to stop, too.
            let _ = stopped.await;
        };
        let task = tokio::spawn(server::serve(
            listener,
            tls,
            server.clone(),
            router,
            stopped,
        ));
        Ok(Self {
            address,
            server,
            stop,
            task,
            metrics: None,
        })
    }

    /// Returns the server.
    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// Lets Prometheus read the server's figures at an address, or where the installation says; port 0
    /// takes a free one. Returns where, if anywhere.
    pub(crate) async fn show_metrics(
        &mut self,
        installation: &Installation,
        listen: Option<SocketAddr>,
    ) -> Result<Option<SocketAddr>, Failure> {
        let told = installation.telemetry().and_then(|told| told.metrics);
        let Some(listen) = listen.or(told) else {
            return Ok(None);
        };
        let listener = TcpListener::bind(listen).await.map_err(|error| {
            let fault = format!("the figures cannot be shown at {listen}: {error}");
            Failure::new(Kind::Failed, fault).with_hint("name another address: --metrics")
        })?;
        let address = listener.local_addr().or_fail(Kind::Failed)?;
        let server = self.server.clone();
        let never = std::future::pending();
        self.metrics = Some(tokio::spawn(server::serve_metrics(listener, server, never)));
        Ok(Some(address))
    }

    /// Brings what is in work to its end.
    pub(crate) async fn stop(self) -> Result<(), Failure> {
        let _ = self.stop.send(());
        if let Some(metrics) = self.metrics {
            metrics.abort();
        }
        self.task.await.or_fail(Kind::Failed)?.or_fail(Kind::Failed)
    }
}

/// Returns the file of the authority of stations, which a pilot's own server is certified by, too.
pub(crate) fn authority_file(installation: &Installation) -> PathBuf {
    installation.folder().join("serve").join("stations.pem")
}

fn leave_authority(installation: &Installation, der: &[u8]) -> Result<(), Failure> {
    let path = authority_file(installation);
    make_folder(path.parent())?;
    let text = pem::encode(der).or_fail(Kind::Failed)?;
    write_whole(&path, text.as_bytes()).or_fail(Kind::Failed)
}

fn make_folder(folder: Option<&Path>) -> Result<(), Failure> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    folder.map_or(Ok(()), |folder| {
        builder.create(folder).or_fail(Kind::Failed)
    })
}

/// Returns the server's files: those that the installation names, or a pilot's own.
async fn files_of(installation: &Installation, central: &Central) -> Result<Files, Failure> {
    let named = installation.served();
    match named.map(|served| (&served.certificate, &served.key)) {
        Some((Some(certificate), Some(key))) => Ok(Files {
            certificate: installation.folder().join(certificate),
            key: installation.folder().join(key),
        }),
        None | Some((None, None)) => own_files(installation, central).await,
        _ => Err(Failure::new(
            Kind::Usage,
            "[serve] in installation.toml names one of certificate and key; name both",
        )),
    }
}

/// Makes a pilot's own key and certificate, for this machine alone, unless they are there.
async fn own_files(installation: &Installation, central: &Central) -> Result<Files, Failure> {
    let folder = installation.folder().join("serve");
    let files = Files {
        certificate: folder.join("server.pem"),
        key: folder.join("server.key"),
    };
    if files.certificate.exists() && files.key.exists() {
        let found = pem::read(&files.certificate)?;
        let holds = found
            .first()
            .is_some_and(|own: &Certificate| own.validity().not_after > Timestamp::now() + BEFORE);
        if holds {
            return Ok(files);
        }
    }
    let key = StationKey::generate().or_fail(Kind::Failed)?;
    let request = key.request("zimogs server").or_fail(Kind::Failed)?;
    let hosts = vec![
        HostName::Dns("localhost".to_owned()),
        HostName::Address(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        HostName::Address(IpAddr::V6(Ipv6Addr::LOCALHOST)),
    ];
    let certificate = central.pilot_server_certificate(&request, hosts).await?;
    make_folder(Some(&folder))?;
    // The certificate goes first: with a key that it does not fit the next start makes both anew.
    if files.certificate.exists() {
        fs::remove_file(&files.certificate).or_fail(Kind::Failed)?;
    }
    write_secret(&files.key, &key.to_pem().or_fail(Kind::Failed)?)?;
    let text = pem::encode(&certificate).or_fail(Kind::Failed)?;
    write_whole(&files.certificate, text.as_bytes()).or_fail(Kind::Failed)?;
    Ok(files)
}

/// Writes a file that only its owner reads, in the place of one that was there.
pub(crate) fn write_secret(path: &Path, text: &Zeroizing<String>) -> Result<(), Failure> {
    let beside = path.with_extension("new");
    let write = || {
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    write().map_err(|error| {
        let fault = format!("{} cannot be written: {error}", path.display());
        Failure::new(Kind::Failed, fault)
    })
}

/// Tells the service manager, where one started this program (`Type=notify`), how the service is.
pub(crate) fn tell_manager(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "the service manager was not told");
    }
}
