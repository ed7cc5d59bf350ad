//! The store with a real token and, for a chip, the strict virtual one: its cryptography is
//! openssl's. What runs against it is the executor that stations run.

mod audit_log;
mod backup;
mod bench;
mod envelopes;
mod house;
mod imported;
mod incidents;
mod incidents_closed;
mod intake;
mod judge;
mod key_requests;
mod key_service;
mod life;
mod moody;
mod new_pins;
mod numbered_blanks;
mod one_purpose;
mod people;
pub(crate) mod person;
mod production;
mod protection;
mod releasing;
mod reporting;
mod rights;
mod saga;
mod sealed_pins;
mod sealing;
mod serial_numbers;
mod small_chips;
mod stations;
mod torn_pair;
mod travel;
mod travel_imported;
mod two_chips;
