//! libFuzzer's entry to `arguments`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gatepass_fuzz::arguments::run(bytes));
