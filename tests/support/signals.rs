//! Restores default signal handling in the tests.
//!
//! The parent of the tests may ignore signals, as `nohup` does, and every child would inherit that.

use std::fs;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Once};

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};

/// Makes the programs of the tests react to terminal signals.
pub(crate) fn restore_default_handling() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let ignored = ignored();
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] {
            if ignored >> (signal - 1) & 1 == 1 {
                // A signal that a process handles is not ignored by the program that it starts.
                signal_hook::flag::register(signal, <Arc<AtomicBool>>::default()).unwrap();
            }
        }
    });
}

/// Returns the ignored signals of this process as a bit set.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    u64::from_str_radix(mask.trim(), 16).unwrap()
}
