//! libFuzzer's entry to `formats`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gatepass_fuzz::formats::run(bytes));
