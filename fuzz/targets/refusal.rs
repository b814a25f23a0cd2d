//! libFuzzer's entry to `refusal`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gatepass_fuzz::refusal::run(bytes));
