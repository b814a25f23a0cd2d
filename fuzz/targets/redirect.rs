//! libFuzzer's entry to `redirect`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gatepass_fuzz::redirect::run(bytes));
