//! libFuzzer's entry to `words`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gatepass_fuzz::words::run(bytes));
