//! Memory: what stands in another process, as a debugger would read it.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

/// Every readable text of at least 12 characters that a stopped process can have written, one a
/// line. What only the kernel or the program's file put there is left out.
///
/// # Panics
///
/// Where this process may not read that one, since a test that saw nothing would prove nothing.
#[track_caller]
pub(crate) fn texts(id: u32) -> String {
    let memory = File::open(format!("/proc/{id}/mem")).unwrap_or_else(|error| {
        panic!(
            "the memory of process {id} cannot be read ({error}): gatepass closes it to its own \
             user, so this test needs root, or CAP_SYS_PTRACE"
        )
    });
    let maps = fs::read_to_string(format!("/proc/{id}/maps")).unwrap();
    let (mut found, mut read) = (String::new(), 0);
    for (start, end) in maps.lines().filter_map(writable) {
        let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
        // A guard page has an address and no content.
        if memory.read_exact_at(&mut bytes, start).is_ok() {
            read += bytes.len();
            add_texts(&bytes, &mut found);
        }
    }
    assert!(read > 100_000 && maps.contains("[stack]"), "only {read} bytes of {id} were read");
    found
}

/// The addresses of a line of `/proc/PID/maps`, if the process can write there.
fn writable(line: &str) -> Option<(u64, u64)> {
    let mut words = line.split_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let address = |text| u64::from_str_radix(text, 16).ok();
    words.next()?.starts_with("rw").then_some((address(start)?, address(end)?))
}

fn add_texts(bytes: &[u8], found: &mut String) {
    const SHORTEST: usize = 12;
    let is_text = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
    for text in bytes.split(|byte| !is_text(byte)).filter(|text| text.len() >= SHORTEST) {
        found.push_str(&String::from_utf8_lossy(text));
        found.push('\n');
    }
}
