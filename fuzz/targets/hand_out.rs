//! libFuzzer's entry to `hand_out`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gatepass_fuzz::hand_out::run(bytes));
