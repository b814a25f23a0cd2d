//! libFuzzer's entry to `token_response`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gatepass_fuzz::token_response::run(bytes));
