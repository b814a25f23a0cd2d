//! libFuzzer's entry to `profile`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gatepass_fuzz::profile::run(bytes));
