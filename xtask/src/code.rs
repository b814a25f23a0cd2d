//! Rust source taken apart into code, comments and literals, so that a rule sees what it is about.

use std::ops::Range;

/// What a piece of source is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Code,
    Comment,
    String,
    Character,
}

/// The pieces of `text` in order, each with its place.
pub(crate) fn pieces(text: &str) -> Vec<(Kind, Range<usize>)> {
    let mut pieces: Vec<(Kind, Range<usize>)> = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let after_word = text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let (kind, length) = if rest.starts_with("//") {
            (Kind::Comment, rest.find('\n').unwrap_or(rest.len()))
        } else if rest.starts_with("/*") {
            (Kind::Comment, block_comment(rest))
        } else if let Some(length) = raw_string(rest).filter(|_| !after_word) {
            (Kind::String, length)
        } else if c == '"' {
            (Kind::String, string(rest))
        } else if let Some(length) = character(rest) {
            (Kind::Character, length)
        } else {
            (Kind::Code, c.len_utf8())
        };
        match pieces.last_mut() {
            Some((Kind::Code, range)) if kind == Kind::Code => range.end += length,
            _ => pieces.push((kind, at..at + length)),
        }
        at += length;
    }
    pieces
}

/// `text` with every comment and literal blanked; offsets in bytes stay.
pub(crate) fn code_only(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (kind, range) in pieces(text) {
        let piece = &text[range];
        match kind {
            Kind::Code => out.push_str(piece),
            _ => out.extend(piece.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' })),
        }
    }
    out
}

/// The part of a file before its test module, which is the last item of the file.
pub(crate) fn before_tests(text: &str) -> &str {
    text.find("#[cfg(test)]\nmod ").map_or(text, |start| &text[..start])
}

/// The attributes in `code` whose path ends in `name`: each with its line and whole text.
pub(crate) fn attributes<'a>(code: &'a str, name: &str) -> Vec<(usize, &'a str)> {
    let mut found = Vec::new();
    for (start, _) in code.match_indices("#[").chain(code.match_indices("#![")) {
        let text = &code[start..=start + closing_bracket(&code[start..])];
        let inside = text.trim_start_matches(['#', '!', '[']);
        let path = inside.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
        if path.take(1).any(|path| path.rsplit("::").next() == Some(name)) {
            found.push((line_of(code, start), text));
        }
    }
    found
}

/// The number of the line that holds the byte at `offset`.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    text[..offset].matches('\n').count() + 1
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(c) = text[at..].chars().next() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += c.len_utf8();
        }
    }
    text.len()
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn raw_string(text: &str) -> Option<usize> {
    let start = ["r", "br", "cr"].into_iter().find_map(|prefix| text.strip_prefix(prefix))?;
    let hashes = start.len() - start.trim_start_matches('#').len();
    let inside = start[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = inside.find(&end).map_or(inside.len(), |at| at + end.len());
    Some(text.len() - inside.len() + length)
}

/// The length of a character literal; `None` for a lifetime.
fn character(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('\'')?;
    let first = inside.chars().next()?;
    if first == '\\' {
        return inside[2..].find('\'').map(|at| at + 4);
    }
    inside[first.len_utf8()..].starts_with('\'').then(|| first.len_utf8() + 2)
}

fn closing_bracket(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            ']' if depth == 1 => return at,
            ']' => depth -= 1,
            _ => {}
        }
    }
    text.len() - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_only_blanks_comments_and_literals_and_keeps_lines() {
        let code =
            code_only("a(); // b\n/* c /* d */\n e */ f(\"g\\\"h\", 'i', '\\'', r#\"j\"k\"#);");
        assert_eq!(code.lines().count(), 3);
        assert_eq!(code_only("f(\"…\")").len(), "f(\"…\")".len());
        for hidden in ["b", "c", "d", "e", "g", "h", "i", "j", "k"] {
            assert!(!code.contains(hidden), "{hidden} is left in {code}");
        }
        assert!(code.contains("a();") && code.contains("f("));
    }

    #[test]
    fn pieces_cover_the_text_in_order() {
        let text = "let a = \"b\"; // c\n";
        let found: Vec<_> = pieces(text).into_iter().map(|(kind, at)| (kind, &text[at])).collect();
        let comment = (Kind::Comment, "// c");
        let string = (Kind::String, "\"b\"");
        let code = |text| (Kind::Code, text);
        assert_eq!(found, [code("let a = "), string, code("; "), comment, code("\n")]);
    }

    #[test]
    fn lifetime_is_not_a_character() {
        assert_eq!(code_only("fn f<'a>(x: &'a str)"), "fn f<'a>(x: &'a str)");
    }

    #[test]
    fn attributes_span_several_lines() {
        let code = "#![allow(x)]\n#[tracing::instrument(\n  skip_all,\n)]\nfn f() {}\n#[inline]";
        assert_eq!(
            attributes(code, "instrument"),
            [(2, "#[tracing::instrument(\n  skip_all,\n)]")]
        );
        assert_eq!(attributes(code, "allow"), [(1, "#![allow(x)]")]);
    }

    #[test]
    fn before_tests_cuts_the_test_module() {
        assert_eq!(before_tests("fn a() {}\n#[cfg(test)]\nmod tests {}"), "fn a() {}\n");
    }
}
