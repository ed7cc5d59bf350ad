//! How much one client, and all of them, may ask for.

use std::time::Duration;

use crate::people::{Pace, Paces};

/// The server's limits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// The most connections at a time; more wait in the system's queue.
    pub connections: usize,
    /// The most connections of one address at a time; more are closed at once.
    pub connections_of_one: usize,
    /// The most requests that are worked on at a time; more are told to come again.
    pub requests: usize,
    /// The longest body of a request, in bytes.
    pub body: usize,
    /// The most requests at a time whose body may be longer: packages of registers.
    pub large: usize,
    /// How long a TLS handshake may take.
    pub handshake: Duration,
    /// How long the head of a request may take, from the first wait for it on: so long an idle
    /// connection stays open, too.
    pub head: Duration,
    /// How long the body of a request may take.
    pub body_time: Duration,
    /// How long a client waits for an answer.
    pub answer: Duration,
    /// How fast people may ask.
    pub people: Paces,
    /// How fast one station may ask.
    pub station: Pace,
    /// How long requests in work may take once the server is told to stop.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            connections_of_one: 64,
            requests: 256,
            // The journal of a document with two chips has some ten thousand bytes.
            body: 2 << 20,
            large: 4,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(30),
            body_time: Duration::from_secs(20),
            // A certification authority outside may take its time.
            answer: Duration::from_secs(100),
            people: Paces::default(),
            // Some twenty for each document: ten documents a second.
            station: Pace {
                burst: 600.0,
                each_second: 200.0,
            },
            drain: Duration::from_secs(120),
        }
    }
}
