//! The store with a real token and, for a chip, the strict virtual one: its cryptography is
//! openssl's. What runs against it is the executor that stations run.

mod audit_log;
mod bench;
mod house;

mod intake;
mod judge;
mod key_requests;
mod key_service;
mod life;
mod releasing;

mod reporting;
mod rights;

mod sealing;

mod two_chips;
