//! Rust source without its comments and the insides of its literals, so that a rule sees code only.

/// `text` with every comment and literal blanked; lines and columns stay.
pub(crate) fn code_only(text: &str) -> String {
    let mut blank = Blank { rest: text, out: String::with_capacity(text.len()) };
    while let Some(c) = blank.rest.chars().next() {
        let after_word = blank.out.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        if blank.rest.starts_with("//") {
            let end = blank.rest.find('\n').unwrap_or(blank.rest.len());
            blank.hide(end);
        } else if blank.rest.starts_with("/*") {
            blank.hide(block_comment(blank.rest));
        } else if let Some(end) = raw_string(blank.rest).filter(|_| !after_word) {
            blank.hide(end);
        } else if c == '"' {
            blank.hide(string(blank.rest));
        } else if let Some(end) = character(blank.rest) {
            blank.hide(end);
        } else {
            blank.keep(c);
        }
    }
    blank.out
}

/// The part of a file before its test module, which stands last by our ordering.
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

struct Blank<'a> {
    rest: &'a str,
    out: String,
}

impl Blank<'_> {
    fn keep(&mut self, c: char) {
        self.out.push(c);
        self.rest = &self.rest[c.len_utf8()..];
    }

    fn hide(&mut self, bytes: usize) {
        let (hidden, rest) = self.rest.split_at(bytes);
        self.out.extend(hidden.chars().map(|c| if c == '\n' { c } else { ' ' }));
        self.rest = rest;
    }
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

/// The length of a character literal; a lifetime is none.
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
    fn comments_and_literals_are_blanked_and_lines_stay() {
        let code =
            code_only("a(); // b\n/* c /* d */\n e */ f(\"g\\\"h\", 'i', '\\'', r#\"j\"k\"#);");
        assert_eq!(code.lines().count(), 3);
        for hidden in ["b", "c", "d", "e", "g", "h", "i", "j", "k"] {
            assert!(!code.contains(hidden), "{hidden} is left in {code}");
        }
        assert!(code.contains("a();") && code.contains("f("));
    }

    #[test]
    fn a_lifetime_is_no_character() {
        assert_eq!(code_only("fn f<'a>(x: &'a str)"), "fn f<'a>(x: &'a str)");
    }

    #[test]
    fn attributes_are_found_over_several_lines() {
        let code = "#![allow(x)]\n#[tracing::instrument(\n  skip_all,\n)]\nfn f() {}\n#[inline]";
        assert_eq!(
            attributes(code, "instrument"),
            [(2, "#[tracing::instrument(\n  skip_all,\n)]")]
        );
        assert_eq!(attributes(code, "allow"), [(1, "#![allow(x)]")]);
    }

    #[test]
    fn the_test_module_is_cut_off() {
        assert_eq!(before_tests("fn a() {}\n#[cfg(test)]\nmod tests {}"), "fn a() {}\n");
    }
}
