//! libFuzzer's entry to `landing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gatepass_fuzz::landing::run(bytes));
