//! libFuzzer's entry to `shown`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gatepass_fuzz::shown::run(bytes));
