//! libFuzzer's entry to `credential_helper`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gatepass_fuzz::credential_helper::run(bytes));
