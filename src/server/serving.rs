//! From a listener to requests, until it is told to stop.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::doors::Doors;
use crate::limits::Limits;
use crate::peer::Peer;
use crate::state::Server;

/// How long is waited where the system has no more sockets to give.
const BREATH: Duration = Duration::from_millis(100);
/// The longest head of a request, in bytes; and the most headers.
const MAX_HEAD: usize = 16 << 10;
const MAX_HEADERS: usize = 64;

/// Serves until `stop` is over. Then no connection is taken, what is in work is brought to its end,
/// and the store may be closed.
///
/// # Errors
/// None while it runs; what one client does ends that client's connection.
pub async fn serve(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    server: Server,
    router: Router,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let limits = *server.limits();
    let acceptor = TlsAcceptor::from(tls);
    let room = Arc::new(Semaphore::new(limits.connections));
    let doors = Doors::default();
    let (stopping, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    tokio::pin!(stop);
    loop {
        // A finished connection is not kept until the end.
        while connections.try_join_next().is_some() {}
        let accepting = async {
            // The semaphore is never closed.
            let place = Arc::clone(&room).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = &mut stop => break,
            accepted = accepting => accepted,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "no connection was taken");
                tokio::time::sleep(BREATH).await;
                continue;
            }
        };
        let Some(inside) = doors.enter(address.ip(), limits.connections_of_one) else {
            tracing::warn!(%address, "this address has too many connections");
            continue;
        };
        let connection = Connection {
            acceptor: acceptor.clone(),
            router: router.clone(),
            limits,
            stopped: stopped.clone(),
        };
        connections.spawn(async move {
            connection.run(stream, address).await;
            drop((place, inside));
        });
    }
    drop(listener);
    let _ = stopping.send(true);
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.drain, ended).await.is_err() {
        tracing::warn!("connections were cut off");
        connections.shutdown().await;
    }
    if !server.drained().await {
        tracing::warn!("requests were cut off");
    }
    Ok(())
}

struct Connection {
    acceptor: TlsAcceptor,
    router: Router,
    limits: Limits,
    stopped: watch::Receiver<bool>,
}

impl Connection {
    async fn run(mut self, stream: TcpStream, address: SocketAddr) {
        // Small messages there and back: nothing is gained by waiting for more.
        let _ = stream.set_nodelay(true);
        let shaking = tokio::time::timeout(self.limits.handshake, self.acceptor.accept(stream));
        let stream = tokio::select! {
            shaken = shaking => shaken,
            () = told(&mut self.stopped) => return,
        };
        let stream = match stream {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                tracing::debug!(%address, %error, "no TLS");
                return;
            }
            Err(_) => {
                tracing::debug!(%address, "the TLS handshake took too long");
                return;
            }
        };
        let (_, session) = stream.get_ref();
        let shown = session.peer_certificates().and_then(<[_]>::first);
        let peer = Peer {
            address,
            certificate: shown.map(|certificate| Arc::from(certificate.as_ref())),
        };
        let service = TowerToHyperService::new(self.router.layer(Extension(peer)));
        let mut serving = http1::Builder::new();
        serving
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head)
            .max_buf_size(MAX_HEAD)
            .max_headers(MAX_HEADERS);
        let serving = serving.serve_connection(TokioIo::new(stream), service);
        tokio::pin!(serving);
        let ended = tokio::select! {
            ended = serving.as_mut() => ended,
            () = told(&mut self.stopped) => {
                serving.as_mut().graceful_shutdown();
                serving.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%address, %error, "the connection ended");
        }
    }
}

/// Waits until the server is told to stop.
async fn told(stopped: &mut watch::Receiver<bool>) {
    // A sender that is gone has told it too.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
