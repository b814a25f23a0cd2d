//! libFuzzer's entry to `terminal_text`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| gatepass_fuzz::terminal_text::run(bytes));
