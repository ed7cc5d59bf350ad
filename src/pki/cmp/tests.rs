//! The protocol, judged by `openssl cmp` from both sides, and by faults.

mod openssl_asks;
mod world;
