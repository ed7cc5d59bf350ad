//! The protocol, judged by `openssl cmp` from both sides, and by faults.

mod endpoint;
mod faults;
mod faulty;
mod installed;
mod openssl_answers;
mod openssl_asks;
mod world;
