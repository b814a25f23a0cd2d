//! libFuzzer's entry to `sandbox`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gatepass_fuzz::sandbox::run(bytes));
