//! Replaces the parts of a command's output that change between runs.

/// Replaces times by `TIME`, ports by `PORT`, fingerprints by `PRINT`, process ids by `PID` and
/// durations by `SPAN`.
pub fn normalize(text: &str) -> String {
    let mut normalized = String::new();
    let mut before = "";
    for word in text.split_inclusive([' ', '\n']) {
        let bare = word.trim_end();
        let core = bare.trim_matches(|c| "(),;:\"".contains(c));
        let name = match () {
            // Before numbers, because one fingerprint in forty has no letter.
            () if before == "credential" && is_fingerprint(core) => "PRINT",
            () if is_time(core) => "TIME",
            () if is_duration(core) || (is_number(core) && before != "Bearer,") => match before {
                "(process" => "PID",
                _ if bare.contains('(') && is_number(core) => core,
                _ => "SPAN",
            },
            () => core,
        };
        let word = if core.is_empty() { word.to_owned() } else { word.replacen(core, name, 1) };
        normalized += &without_port(&word);
        before = bare;
    }
    normalized
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit())
}

fn is_fingerprint(word: &str) -> bool {
    word.len() == 8 && word.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Matches times such as 2026-11-21T05:23:56Z.
fn is_time(word: &str) -> bool {
    word.len() == 20 && word.ends_with('Z') && word.as_bytes()[10] == b'T'
}

/// Matches durations such as 59m58s.
fn is_duration(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit())
        && word.ends_with(['s', 'm'])
        && word.bytes().all(|b| b.is_ascii_digit() || b"hms".contains(&b))
}

fn without_port(word: &str) -> String {
    let Some((before, rest)) = word.split_once("127.0.0.1:") else { return word.to_owned() };
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{before}127.0.0.1:PORT{rest}")
}
