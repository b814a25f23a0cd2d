//! libFuzzer's entry to `config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gatepass_fuzz::config::run(bytes));
