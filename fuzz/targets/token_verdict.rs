//! libFuzzer's entry to `token_verdict`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gatepass_fuzz::token_verdict::run(bytes));
