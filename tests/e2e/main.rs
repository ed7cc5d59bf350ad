//! The whole product, judged from outside: programs, real PC/SC, other people's tools.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests: a failure here is a failed test"
)]

mod authority;
mod backup;
mod backup_on_server;
mod batch;
mod bench;
mod border;
mod card;
mod carried;
mod ceremonies;
mod check;
mod corpora;
mod country;
mod crashes;
mod cut_off;
mod demo;
mod doctor;
mod eac;
mod envelopes;
mod fed;
mod hsm;
mod hung;
mod init;
mod inspection;
mod leaks;
mod middleware;
#[path = "../missing/missing.rs"]
mod missing;
mod names;
mod new_pins;
#[path = "../faces/ocr.rs"]
mod ocr;
mod opensc;
mod parcels;
mod people;
#[allow(dead_code, reason = "the faces' own tests do more with pictures")]
#[path = "../faces/picture.rs"]
mod picture;
mod pins;
#[path = "../postgres/server.rs"]
mod postgres;
mod printed;
mod production;
mod registers;
mod release;
mod reports;
mod server;
mod station;
mod terminal;
mod traces;
mod units;
mod vault;
mod world;

use world::project;
