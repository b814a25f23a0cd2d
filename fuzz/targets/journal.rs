//! libFuzzer's entry to `journal`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gatepass_fuzz::journal::run(bytes));
