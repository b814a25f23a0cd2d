//! Rules against text as data: no `Debug` output in a key or a record, no message taken apart, and
//! no code for a test among the others.

use super::finding::Finding;
use super::tree::{File, Tree};
use crate::code::{Kind, attributes, before_tests, line_of, pieces};

/// Where `Debug` output would become part of what is stored.
const STORE: [&str; 2] = ["crates/gatepass-engine/src/store", "crates/gatepass-redis/src"];

/// Files that may look into a message, each with its reason.
const READERS: &[(&str, &str)] = &[
    ("crates/gatepass-http/src/error.rs", "rustls and hyper have no type for some of their causes"),
    ("crates/gatepass-testkit/", "checks the messages of errors"),
];

/// The methods that look into a text.
const LOOKS: [&str; 10] = [
    "contains",
    "ends_with",
    "find",
    "match_indices",
    "rsplit_once",
    "split",
    "split_once",
    "starts_with",
    "strip_prefix",
    "strip_suffix",
];

/// Where a message comes from.
const MESSAGES: [&str; 5] =
    [".message()", ".hint()", "error.to_string()", "err.to_string()", "failure.to_string()"];

/// `cfg(feature = "__…")` outside a fuzzing.rs and the line that declares it.
pub(super) fn test_features(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in sources(tree).filter(|file| file.name() != "fuzzing.rs") {
        for (line, attribute) in attributes(&file.code, "cfg") {
            let start = offset_of(&file.text, line);
            let Some(at) = file.text[start..].find("#[").map(|at| start + at) else { continue };
            let end = at + attribute.len();
            let is_for_tests = file.text[at..end].contains("feature = \"__");
            let item = file.code[end..].split_inclusive(';').next().unwrap_or_default();
            let is_declaration = ["mod fuzzing;", "::fuzzing;", "::fuzzing::"]
                .iter()
                .any(|name| item.contains(name) && !item.contains('{'));
            if is_for_tests && !is_declaration {
                let text = "code for a test: move it to a fuzzing.rs, or turn it into a mutant";
                found.push(Finding::at(&file.path, line, text));
            }
        }
    }
    found
}

/// `{:?}` in the store's files and in functions named `cache_key`.
pub(super) fn debug_as_data(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in sources(tree) {
        let is_store = STORE.iter().any(|folder| file.path.starts_with(folder));
        let keys = bodies(&file.code, "fn cache_key");
        let length = before_tests(&file.code).len();
        for (kind, range) in pieces(&file.text) {
            let is_key = keys.iter().any(|(start, end)| (*start..*end).contains(&range.start));
            let text = &file.text[range.clone()];
            let is_debug = kind == Kind::String && (text.contains(":?}") || text.contains(":#?}"));
            if is_debug && range.start < length && (is_store || is_key) {
                let text = "`Debug` output has no stable form: write the fields deliberately";
                found.push(Finding::at(&file.path, line_of(&file.text, range.start), text));
            }
        }
    }
    found
}

/// Code that splits or matches an error's message or hint.
pub(super) fn message_read_back(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in sources(tree) {
        if READERS.iter().any(|(path, _)| file.path.starts_with(path)) {
            continue;
        }
        let code = before_tests(&file.code);
        let mut places: Vec<usize> = Vec::new();
        for source in MESSAGES {
            for (at, _) in code.match_indices(source) {
                let rest = code[at + source.len()..].trim_start();
                let method = rest.strip_prefix('.').unwrap_or_default();
                let name = method.split('(').next().unwrap_or_default();
                if LOOKS.contains(&name) {
                    places.push(at);
                }
            }
        }
        for split in ["split('`')", "split_once('`')"] {
            let splits = file.text.match_indices(split).map(|(at, _)| at);
            places.extend(splits.filter(|at| *at < code.len() && code[*at..].starts_with("split")));
        }
        for at in places {
            let text = "code reads a message: add a field to the error instead";
            found.push(Finding::at(&file.path, line_of(&file.text, at), text));
        }
    }
    found
}

/// Where a line starts.
fn offset_of(text: &str, line: usize) -> usize {
    text.split_inclusive('\n').take(line - 1).map(str::len).sum()
}

/// The code of the crates themselves, without xtask, tests, benchmarks and examples.
fn sources(tree: &Tree) -> impl Iterator<Item = &File> {
    let is_source = |file: &&File| {
        file.path.starts_with("crates/")
            && file.path.contains("/src/")
            && !file.path.ends_with("/tests.rs")
            && !file.path.contains("/tests/")
    };
    tree.rust().filter(is_source)
}

/// Where the body of each function whose declaration begins so starts and ends.
fn bodies(code: &str, declaration: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices(declaration) {
        let Some(open) = code[at..].find(['{', ';']).map(|open| at + open) else { continue };
        let mut depth = 0_usize;
        for (offset, c) in code[open..].char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                found.push((open, open + offset));
                break;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    type Rule = fn(&Tree) -> Vec<Finding>;

    fn lines(rule: Rule, path: &str, text: &str) -> Vec<usize> {
        rule(&Tree::of(&[(path, text)])).into_iter().filter_map(|found| found.line).collect()
    }

    #[test]
    fn feature_for_tests_is_found_outside_fuzzing() {
        let code = "//! A `feature = \"__a\"`.\n#[cfg(feature = \"__fuzzing\")]\n#[doc(hidden)]\n\
                    pub mod fuzzing;\n#[cfg(feature = \"__a\")]\nfn f() {}\n";
        assert_eq!(lines(test_features, "crates/a/src/lib.rs", code), [5]);
        assert_eq!(lines(test_features, "crates/a/src/fuzzing.rs", code), [0; 0]);
    }

    #[test]
    fn debug_output_in_store_and_keys_is_found() {
        let code = "fn f() { format!(\"… {:?}\", 1); }\nfn cache_key() -> String {\n    \
                    format!(\"{self:?}\")\n}\n#[cfg(test)]\nmod tests { \"{:?}\" }\n";
        assert_eq!(lines(debug_as_data, "crates/gatepass-engine/src/store/key.rs", code), [1, 3]);
        assert_eq!(lines(debug_as_data, "crates/provider-a/src/lib.rs", code), [3]);
    }

    #[test]
    fn message_that_is_taken_apart_is_found() {
        let code = "fn f() {\n    error.message().strip_suffix(\" is missing\");\n    \
                    text.split('`');\n    error.hint()\n        .contains(\"x\");\n    \
                    error.message().len();\n}\n";
        assert_eq!(lines(message_read_back, "crates/a/src/b.rs", code), [2, 4, 3]);
    }
}
