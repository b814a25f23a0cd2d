//! libFuzzer's entry to `environment`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gatepass_fuzz::environment::run(bytes));
