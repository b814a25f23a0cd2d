//! libFuzzer's entry to `redaction`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gatepass_fuzz::redaction::run(bytes));
