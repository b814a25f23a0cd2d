//! Reads the memory of another process, as a debugger does.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

/// Returns the printable strings of at least 12 characters in the writable memory of a stopped
/// process, one per line. Read-only mappings are left out.
///
/// # Panics
///
/// Panics if the memory cannot be read, because the test would not prove anything then.
#[track_caller]
pub(crate) fn strings(id: u32) -> String {
    let memory = File::open(format!("/proc/{id}/mem")).unwrap_or_else(|error| {
        panic!(
            "the memory of process {id} cannot be read ({error}): gatepass closes it to its own \
             user, so this test needs root, or CAP_SYS_PTRACE"
        )
    });
    let maps = fs::read_to_string(format!("/proc/{id}/maps")).unwrap();
    let (mut strings, mut read) = (String::new(), 0);
    for (start, end) in maps.lines().filter_map(writable) {
        let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
        // Guard pages have an address but no content.
        if memory.read_exact_at(&mut bytes, start).is_ok() {
            read += bytes.len();
            add_strings(&bytes, &mut strings);
        }
    }
    assert!(read > 100_000 && maps.contains("[stack]"), "only {read} bytes of {id} were read");
    strings
}

/// Returns the address range of a line of `/proc/PID/maps` if the mapping is writable.
fn writable(line: &str) -> Option<(u64, u64)> {
    let mut columns = line.split_whitespace();
    let (start, end) = columns.next()?.split_once('-')?;
    let address = |text| u64::from_str_radix(text, 16).ok();
    columns.next()?.starts_with("rw").then_some((address(start)?, address(end)?))
}

fn add_strings(bytes: &[u8], found: &mut String) {
    const MIN_LENGTH: usize = 12;
    let is_printable = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
    for text in bytes.split(|byte| !is_printable(byte)).filter(|text| text.len() >= MIN_LENGTH) {
        found.push_str(&String::from_utf8_lossy(text));
        found.push('\n');
    }
}
