//! libFuzzer's entry to `callback`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gatepass_fuzz::callback::run(bytes));
