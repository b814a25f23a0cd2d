//! libFuzzer's entry to `record`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gatepass_fuzz::record::run(bytes));
