//! libFuzzer's entry to `history`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gatepass_fuzz::history::run(bytes));
