//! The application as a terminal meets it: transcripts, judged by openssl.

pub(super) mod bench;
mod data;
mod keys;
mod line;
mod management;
mod personalized;
mod pins;
mod stray;
