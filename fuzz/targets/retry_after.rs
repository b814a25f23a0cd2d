//! libFuzzer's entry to `retry_after`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gatepass_fuzz::retry_after::run(bytes));
