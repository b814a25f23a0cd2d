//! libFuzzer's entry to `asker`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gatepass_fuzz::asker::run(bytes));
