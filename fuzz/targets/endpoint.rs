//! libFuzzer's entry to `endpoint`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gatepass_fuzz::endpoint::run(bytes));
