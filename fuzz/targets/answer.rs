//! libFuzzer's entry to `answer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gatepass_fuzz::answer::run(bytes));
