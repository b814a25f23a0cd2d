//! The words of comments, string literals, function names and Markdown pages, with their places.

use super::tree::File;
use crate::code::{Kind, line_of, pieces};

/// One word of prose, in lower case.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) line: usize,
    /// The first word of a sentence or of a clause after a colon or semicolon.
    pub(super) starts_sentence: bool,
    /// The first word of a documentation comment.
    pub(super) starts_docs: bool,
    /// Belongs to the name of a function.
    pub(super) is_name: bool,
    /// Belongs to a question.
    pub(super) is_question: bool,
    /// Followed by a comma or a closing parenthesis, or the last word of its sentence.
    pub(super) ends_clause: bool,
}

/// The sign for code, a placeholder or a path within a sentence.
pub(super) const CODE: &str = "`";

/// The prose of a file: one list of words for each comment, literal, name or page.
pub(super) fn prose(file: &File) -> Vec<Vec<Word>> {
    if file.is_rust() {
        rust(&file.text)
    } else if file.name().ends_with(".md") {
        vec![markdown(&file.text, file.name() == "CHANGELOG.md")]
    } else {
        Vec::new()
    }
}

fn rust(text: &str) -> Vec<Vec<Word>> {
    let mut found = Vec::new();
    let mut comment = Comment::default();
    for (kind, range) in pieces(text) {
        let (line, piece) = (line_of(text, range.start), &text[range]);
        match kind {
            Kind::Comment => {
                if !comment.continues(piece, line) {
                    comment.finish(&mut found);
                }
                comment.add(piece, line);
            }
            Kind::String => found.push(words(&literal(piece), line)),
            Kind::Code => found.extend(names(piece).map(|(at, name)| {
                let line = line + piece[..at].matches('\n').count();
                let mut words = words(&name.replace('_', " "), line);
                words.iter_mut().for_each(|word| word.is_name = true);
                words
            })),
            Kind::Character => {}
        }
    }
    comment.finish(&mut found);
    found
}

/// A comment over adjacent lines.
#[derive(Default)]
struct Comment {
    marker: &'static str,
    first: usize,
    lines: Vec<String>,
}

impl Comment {
    fn continues(&self, piece: &str, line: usize) -> bool {
        self.marker == marker(piece) && line == self.first + self.lines.len()
    }

    fn add(&mut self, piece: &str, line: usize) {
        if self.lines.is_empty() {
            (self.marker, self.first) = (marker(piece), line);
        }
        let text = piece.strip_prefix(self.marker).unwrap_or(piece);
        self.lines.extend(text.split('\n').map(str::to_owned));
    }

    fn finish(&mut self, found: &mut Vec<Vec<Word>>) {
        let is_docs = self.marker != "//";
        let text = std::mem::take(&mut self.lines).join("\n");
        let mut words = words(&without_fences(&text, |_| false), self.first);
        if let Some(first) = words.first_mut().filter(|_| is_docs) {
            first.starts_docs = true;
        }
        found.push(words);
    }
}

fn marker(piece: &str) -> &'static str {
    ["///", "//!", "//"].into_iter().find(|marker| piece.starts_with(marker)).unwrap_or("/*")
}

/// The inside of a literal, with its escapes and placeholders as a reader sees them.
fn literal(piece: &str) -> String {
    let start = piece.find('"').map_or(0, |at| at + 1);
    let end = piece.rfind('"').unwrap_or(piece.len()).max(start);
    let mut inside = piece[start..end].replace("\\\"", "\"").replace("\\\n", " \n");
    if !piece.starts_with(['r', 'b', 'c']) {
        inside = inside.replace("\\n", "\u{2029}").replace("\\t", " ");
    }
    inside
}

/// The names of the functions that a piece of code declares, each with its offset.
fn names(code: &str) -> impl Iterator<Item = (usize, &str)> {
    code.match_indices("fn ").filter_map(|(at, _)| {
        let rest = &code[at + 3..];
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_')?;
        (!code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
            .then_some((at, &rest[..end]))
    })
}

fn markdown(text: &str, without_quotes: bool) -> Vec<Word> {
    let text = without_fences(text, |language| ["sh", "text", "console", ""].contains(&language));
    let mut lines = Vec::new();
    for line in text.split('\n') {
        let trimmed = line.trim_start();
        let is_item = trimmed.starts_with(['#', '|', '-', '*', '>'])
            || trimmed.starts_with(|c: char| c.is_ascii_digit());
        lines.push(if is_item { format!("\u{2029}{line}") } else { line.to_owned() });
    }
    let mut text = lines.join("\n");
    if without_quotes {
        text = outside_quotes(&text);
    }
    words(&text, 1)
}

/// Blanks fenced blocks, except those of a language that `keeps` accepts; lines stay.
fn without_fences(text: &str, keeps: impl Fn(&str) -> bool) -> String {
    let (mut is_open, mut is_kept) = (false, true);
    let mut lines = Vec::new();
    for line in text.split('\n') {
        if let Some(fence) = line.trim_start().strip_prefix("```") {
            is_open = !is_open;
            let language = fence.split([',', ' ']).next().unwrap_or_default();
            is_kept = !is_open || keeps(language);
            lines.push("\u{2029}");
        } else {
            lines.push(if is_kept { line } else { "" });
        }
    }
    lines.join("\n")
}

/// Replaces each quotation by a placeholder; lines stay.
fn outside_quotes(text: &str) -> String {
    let parts = text.split(['"', '“', '”']).enumerate().map(|(number, part)| {
        let is_quoted = number % 2 == 1;
        match is_quoted {
            true => format!("{{}}{}", "\n".repeat(part.matches('\n').count())),
            false => part.to_owned(),
        }
    });
    parts.collect()
}

/// Splits prose into words; a blank line, a table cell and a paragraph separator end a sentence.
fn words(text: &str, first_line: usize) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut starts = true;
    for (offset, line) in text.split('\n').enumerate() {
        if line.trim().is_empty() {
            starts = end(&mut words);
        }
        let line = with_code_spans_hidden(line);
        for run in line.split_inclusive([' ', '\t', '|', '\u{2029}', '…', '—', '–']) {
            let breaks = run.ends_with(['|', '\u{2029}', '—', '–']);
            let run = run.trim_end_matches([' ', '\t', '|', '\u{2029}', '…', '—', '–']);
            if let Some((text, after)) = word(run) {
                let is_question = after.contains('?');
                let stops = after.contains(['.', '?', '!', ':', ';']);
                words.push(Word {
                    text,
                    line: first_line + offset,
                    starts_sentence: starts,
                    starts_docs: false,
                    is_name: false,
                    is_question,
                    ends_clause: stops || after.contains([',', ')']),
                });
                starts = stops;
            }
            if breaks {
                starts = end(&mut words);
            }
        }
    }
    end(&mut words);
    spread_questions(&mut words);
    words
}

/// Ends the sentence; the next word starts one.
fn end(words: &mut [Word]) -> bool {
    if let Some(last) = words.last_mut() {
        last.ends_clause = true;
    }
    true
}

/// Marks all words of a sentence that ends in a question mark.
fn spread_questions(words: &mut [Word]) {
    let mut is_question = false;
    for at in (0..words.len()).rev() {
        let ends_here = words.get(at + 1).is_none_or(|next| next.starts_sentence);
        is_question = if ends_here { words[at].is_question } else { is_question };
        words[at].is_question = is_question;
    }
}

/// The word of a run without blanks, and what follows it; runs that look like code are `CODE`.
fn word(run: &str) -> Option<(String, &str)> {
    let is_edge = |c: char| !c.is_alphanumeric() && c != '`';
    let start = run.find(|c: char| !is_edge(c))?;
    let inside = &run[start..];
    let end = inside.rfind(|c: char| !is_edge(c)).map_or(0, |at| at + 1);
    let end = (end..=inside.len()).find(|end| inside.is_char_boundary(*end)).unwrap_or(end);
    let (word, after) = inside.split_at(end);
    let is_plain = |c: char| c.is_alphanumeric() || "-'’".contains(c);
    if !word.chars().all(is_plain) {
        return Some((CODE.to_owned(), after));
    }
    let lower = word.to_lowercase().replace('’', "'");
    Some((lower.strip_suffix("'s").unwrap_or(&lower).to_owned(), after))
}

/// Replaces each `…` span and each {placeholder} by a sign for code.
fn with_code_spans_hidden(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(['`', '{']) {
        let close = if rest[at..].starts_with('`') { '`' } else { '}' };
        out.push_str(&rest[..at]);
        let Some(length) = rest[at + 1..].find(close) else {
            rest = &rest[at + 1..];
            continue;
        };
        out.push_str(CODE);
        rest = &rest[at + 1 + length + 1..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;

    fn texts(path: &str, text: &str) -> Vec<String> {
        let tree = Tree::of(&[(path, text)]);
        let join = |words: Vec<Word>| {
            words.into_iter().map(|word| word.text).collect::<Vec<_>>().join(" ")
        };
        prose(&tree.files()[0]).into_iter().map(join).filter(|text| !text.is_empty()).collect()
    }

    #[test]
    fn rust_prose_is_comments_literals_and_function_names() {
        let code = "//! The `Code` of\n//! a file.\nfn some_name(a: B) {\n    say(\"it's {x} here\"); // so\n}\n";
        assert_eq!(texts("a.rs", code), ["some name", "it ` here", "the ` of a file", "so"]);
    }

    #[test]
    fn markdown_prose_leaves_out_links_and_programs() {
        let page = "# One\n\nSee [two](a/b.md), `three`.\n```rust\nlet four = 4;\n```\n```sh\nls # five\n```\n";
        assert_eq!(texts("a.md", page), ["one see ` ` ls five"]);
    }

    #[test]
    fn changelog_quotes_are_left_out() {
        assert_eq!(texts("CHANGELOG.md", "Was \"old\nwords\" once."), ["was ` once"]);
    }

    #[test]
    fn sentences_and_questions_are_recognized() {
        let found = words("One two. Three?\n\nFour: five", 1);
        let starts: Vec<_> = found.iter().map(|word| word.starts_sentence).collect();
        assert_eq!(starts, [true, false, true, true, true]);
        let is_question: Vec<_> = found.iter().map(|word| word.is_question).collect();
        assert_eq!(is_question, [false, false, true, false, false]);
        assert_eq!(found[4].line, 3);
    }
}
