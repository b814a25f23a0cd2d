//! Rules about text that no file may contain: keys, tokens, and paths of a developer's machine.

use super::finding::Finding;
use super::tree::{File, Tree};
use super::workflows::action;

/// Paths that may contain random-looking text, each with its reason.
const RANDOM: &[(&str, &str)] = &[
    ("Cargo.lock", "checksums"),
    ("/fixtures/", "responses with made-up secrets"),
    ("proptest-regressions/", "seeds of failures"),
];

/// Folders at the root of developers' machines.
const HOST_FOLDERS: [&str; 5] = ["work", "home", "root", "Users", "builds"];

pub(super) fn secret_shaped(tree: &Tree) -> Vec<Finding> {
    let random = |file: &File| RANDOM.iter().any(|(part, _)| file.path.contains(part));
    let mut found = Vec::new();
    for file in tree.files().iter().filter(|file| !random(file)) {
        for (number, line) in file.text.lines().enumerate() {
            // Without the commit that pins an action.
            let line = action(line).and_then(|_| line.split('@').next()).unwrap_or(line);
            if let Some(shape) = shape(line) {
                let message =
                    format!("contains {shape}: put it into a fixture, or generate it at run time");
                found.push(Finding::at(&file.path, number + 1, message));
            }
        }
    }
    found
}

pub(super) fn host_path(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in tree.files() {
        for (number, line) in file.text.lines().enumerate() {
            for folder in HOST_FOLDERS.iter().filter(|folder| names_folder(line, folder)) {
                let message = format!("names a folder below /{folder} of a developer's machine");
                found.push(Finding::at(&file.path, number + 1, message));
            }
        }
    }
    found
}

/// Returns whether the line contains an absolute path below `folder`.
fn names_folder(line: &str, folder: &str) -> bool {
    let path = format!("/{folder}/");
    line.match_indices(&path).any(|(at, _)| {
        let continues = |c: char| c.is_alphanumeric() || "._-~}>".contains(c);
        !line[..at].ends_with(continues)
    })
}

/// Describes the text in `line` that looks like a secret, if there is one.
fn shape(line: &str) -> Option<&'static str> {
    if line.match_indices(JWT).any(|(at, _)| is_jwt(&line[at..])) {
        return Some("a JWT");
    }
    if line.contains(KEY) {
        return Some("a private key");
    }
    line.split(|c: char| !(c.is_ascii_alphanumeric() || "+=_-".contains(c)))
        .find_map(|word| looks_random(word))
}

/// The end of the first line of a private key.
const KEY: &str = concat!("PRIVATE", " KEY-----");

/// The start of a JSON object in base64.
const JWT: &str = concat!("ey", "J");

fn is_jwt(text: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let first = text.find(|c| !part(c)).unwrap_or(text.len());
    let rest = text[first..].strip_prefix('.').unwrap_or_default();
    first >= 12 && rest.starts_with(part)
}

fn looks_random(word: &str) -> Option<&'static str> {
    const SHORTEST: usize = 32;
    let any = |is: fn(&char) -> bool| word.chars().any(|c| is(&c));
    let hex = |part: &str| {
        part.len() >= SHORTEST
            && part.chars().all(|c| c.is_ascii_hexdigit())
            && part.contains(|c: char| c.is_ascii_digit())
            && part.contains(|c: char| c.is_ascii_alphabetic())
            && changes(part) * 5 >= part.len()
    };
    if word.split(['-', '_', '=', '+']).any(hex) {
        return Some("a long hexadecimal number");
    }
    if word.split(['-', '_', '=', '+']).any(is_canary) {
        return Some("text that looks like a canary of a test");
    }
    let mixed =
        any(char::is_ascii_lowercase) && any(char::is_ascii_uppercase) && any(char::is_ascii_digit);
    (word.len() >= SHORTEST && mixed && changes(word) * 4 >= word.len())
        .then_some("a long random text")
}

/// Recognizes the testkit's canaries, 40 lower-case letters and digits, and parts of them.
fn is_canary(part: &str) -> bool {
    const SHORTEST: usize = 24;
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    part.len() >= SHORTEST && part.chars().all(letters) && changes(part) * 5 >= part.len()
}

/// Counts the changes between upper case, lower case, digits and punctuation; words have few.
fn changes(text: &str) -> usize {
    let class = |byte: &u8| match byte {
        b'a'..=b'z' => 0,
        b'A'..=b'Z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    };
    let bytes = text.as_bytes();
    bytes.windows(2).filter(|pair| class(&pair[0]) != class(&pair[1])).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(letters: &[u8], length: usize) -> String {
        let mut state = 7_usize;
        (0..length)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
                char::from(letters[(state >> 33) % letters.len()])
            })
            .collect()
    }

    const BASE64: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

    /// The letters of the testkit's canaries.
    const CANARY: &[u8] = b"abcdefghijkmnpqrstuvwxyz23456789";

    #[test]
    fn random_text_is_found() {
        assert!(shape(&format!("-----BEGIN {KEY}")).is_some());
        assert!(shape(&format!("key = \"{}\"", random(BASE64, 40))).is_some());
        assert!(shape(&format!("key = \"{}\"", random(b"0123456789abcdef", 40))).is_some());
        assert!(shape(&format!("t = {JWT}{}.{}", random(BASE64, 20), random(BASE64, 9))).is_some());
    }

    #[test]
    fn canary_that_a_test_left_behind_is_found() {
        for length in [24, 40] {
            let canary = random(CANARY, length);
            for line in
                [format!("\"access_token\":\"{canary}\""), format!("client_secret={canary}")]
            {
                assert_eq!(shape(&line), Some("text that looks like a canary of a test"), "{line}");
            }
        }
        let left = random(CANARY, 40);
        let tree = Tree::of(&[
            ("tests/it/cli/snapshots/it__a.snap", &left),
            ("fuzz/regressions/a/b", &left),
        ]);
        assert_eq!(secret_shaped(&tree).len(), 2);
    }

    #[test]
    fn words_numbers_and_addresses_are_accepted() {
        for line in [
            "fn a_hundred_callers_make_one_request_and_share_its_outcome() {",
            "https://developer.example.com/docs/OpenAPI/Reference-2024-01/getting-started",
            "0f8fad5b-d9cb-469f-a165-70867728950e",
            "------------------------------------------------------------------",
            "GATEPASS_CISCO_CLIENT_SECRET_FILE_AND_MORE_OF_THIS",
        ] {
            assert_eq!(shape(line), None, "{line}");
        }
    }

    #[test]
    fn fixtures_and_checksums_may_look_random() {
        let text = random(BASE64, 64);
        let tree = Tree::of(&[
            ("crates/provider-a/fixtures/token.http", &text),
            ("Cargo.lock", &text),
            ("README.md", &text),
        ]);
        let found = secret_shaped(&tree);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].file, "README.md");
    }

    #[test]
    fn absolute_path_of_a_machine_is_found() {
        let [work, home] = ["work", "home"].map(|folder| format!("/{folder}/"));
        assert!(names_folder(&format!("see {work}notes"), "work"));
        assert!(names_folder(&format!("\"{home}me\""), "home"));
        assert!(!names_folder(&format!("crates{work}notes"), "work"));
        assert!(!names_folder("a home/of/words", "home"));
    }
}
