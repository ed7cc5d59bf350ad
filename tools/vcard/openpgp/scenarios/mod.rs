//! The application as a terminal meets it: transcripts, judged by openssl.

mod bench;
mod keys;
mod objects;
mod passwords;
mod whole;
