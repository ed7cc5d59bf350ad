#![no_main]
#![allow(dead_code, reason = "each fuzzer uses one of the targets")]

include!("../targets.rs");

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| document_folder(bytes));
