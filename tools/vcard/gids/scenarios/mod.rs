//! The application as a terminal meets it: transcripts, judged by openssl.

mod bench;
mod files;
mod keys;
mod people;
mod stray;
