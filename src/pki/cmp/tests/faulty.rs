//! A server between our client and our endpoint that does wrong what it is told to.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::world::World;
use crate::cmp::body::Body;
use crate::cmp::header::{Header, generalized_time};
use crate::cmp::message::CmpMessage;
use crate::cmp::{CmpServer, Credential};

/// What is done to one message and its answer.
#[derive(Clone)]
pub(super) enum Fault {
    /// Nothing.
    None,
    /// The request does not arrive.
    LoseRequest,
    /// The request is served, and the answer lost.
    LoseAnswer,
    /// The request is served, and half of the answer arrives.
    CutAnswer,
    /// The request is served, and the answer comes when the client has gone.
    Slow,
    /// The answer comes twice.
    Twice,
    /// These bytes come as the answer.
    Bytes(Vec<u8>),
    /// An answer of HTTP's, without a message.
    Http(&'static str),
    /// The answer before this one comes again.
    Before,
    /// A bit of the answer is turned.
    Broken,
    /// The answer is changed by somebody with this credential.
    Changed(Box<Credential>, fn(&mut Header, &mut Body)),
}

/// The server.
pub(super) struct Faulty {
    pub(super) url: String,
    faults: Arc<Mutex<VecDeque<Fault>>>,
    /// How far the endpoint's clock is ahead, in milliseconds.
    ahead: Arc<AtomicI64>,
}

impl Faulty {
    pub(super) fn start(world: &World, server: &Arc<CmpServer>) -> Self {
        let faults = Arc::new(Mutex::new(VecDeque::new()));
        let listener = world.runtime.block_on(TcpListener::bind("127.0.0.1:0"));
        let listener = listener.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let (server, script) = (Arc::clone(server), Arc::clone(&faults));
        let ahead = Arc::new(AtomicI64::new(0));
        let clock = Arc::clone(&ahead);
        let token = world.token.clone();
        world.runtime.spawn(async move {
            let mut before = Vec::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let fault = script.lock().unwrap().pop_front().unwrap_or(Fault::None);
                let Some(request) = read(&mut stream).await else {
                    continue;
                };
                if matches!(fault, Fault::LoseRequest) {
                    continue;
                }
                let ahead = SignedDuration::from_millis(clock.load(Ordering::SeqCst));
                let at = Timestamp::now() + ahead;
                let answer = server.handle(None, &request, at).await;
                let mut sent = match &fault {
                    Fault::LoseAnswer => continue,
                    Fault::Slow => {
                        // Until the client has gone.
                        let _ = stream.read(&mut [0]).await;
                        http(&answer)
                    }
                    Fault::Twice => [http(&answer), http(&answer)].concat(),
                    Fault::Bytes(bytes) => http(bytes),
                    Fault::Http(text) => text.as_bytes().to_vec(),
                    Fault::Before => http(&before),
                    Fault::Broken => {
                        let mut broken = answer.clone();
                        let place = broken.len() / 2;
                        broken[place] ^= 1;
                        http(&broken)
                    }
                    Fault::Changed(credential, change) => {
                        let mut message = CmpMessage::parse(&answer).unwrap();
                        change(&mut message.header, &mut message.body);
                        let changed = credential.protect(message.header, message.body, &token);
                        http(&changed.unwrap().to_der().unwrap())
                    }
                    Fault::None | Fault::LoseRequest | Fault::CutAnswer => http(&answer),
                };
                if let Fault::CutAnswer = fault {
                    sent.truncate(sent.len() / 2);
                }
                before = answer;
                let _ = stream.write_all(&sent).await;
                let _ = stream.shutdown().await;
            }
        });
        Self {
            url: format!("http://{address}/.well-known/cmp"),
            faults,
            ahead,
        }
    }

    /// Lets time pass at the endpoint.
    pub(super) fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap();
        self.ahead.fetch_add(by, Ordering::SeqCst);
    }

    /// Sets what is done to the next messages; nothing to those after.
    pub(super) fn next(&self, faults: impl IntoIterator<Item = Fault>) {
        *self.faults.lock().unwrap() = faults.into_iter().collect();
    }
}

fn http(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/pkixcmp\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Reads a request, and returns its body.
async fn read(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let mut part = [0; 4096];
        let length = stream
            .read(&mut part)
            .await
            .ok()
            .filter(|length| *length > 0)?;
        all.extend_from_slice(&part[..length]);
        let Some(end) = all.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8(all[..end].to_ascii_lowercase()).unwrap();
        assert!(head.starts_with("post "), "{head}");
        assert!(head.contains("content-type: application/pkixcmp"), "{head}");
        let (_, after) = head.split_once("content-length: ").unwrap();
        let length: usize = after.lines().next().unwrap().parse().unwrap();
        if all.len() >= end + 4 + length {
            return Some(all.split_off(end + 4));
        }
    }
}

/// Moves a message into the past.
pub(super) fn at_another_time(header: &mut Header, _: &mut Body) {
    header.message_time = generalized_time(Timestamp::now() - SignedDuration::from_hours(2));
}
