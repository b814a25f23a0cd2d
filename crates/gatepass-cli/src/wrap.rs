//! Line wrapping for terminals.

use textwrap::{Options, WordSeparator, WordSplitter, WrapAlgorithm};

/// Wraps every line longer than `width` columns between words, and indents its rest. Escape
/// sequences for colours take no columns. A longer word, such as a URL to copy, is not broken.
pub(crate) fn wrap(text: &str, width: usize) -> String {
    let lines: Vec<String> = text.split('\n').map(|line| wrap_line(line, width)).collect();
    lines.join("\n")
}

fn wrap_line(line: &str, width: usize) -> String {
    if textwrap::core::display_width(line) <= width {
        return line.to_owned();
    }
    let content = line.trim_start_matches(' ');
    let indent = " ".repeat(line.len() - content.len());
    let deeper = format!("{indent}  ");
    let options = Options::new(width)
        .initial_indent(&indent)
        .subsequent_indent(&deeper)
        .break_words(false)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit);
    // A question ends with a space, which `fill` removes.
    let end = content.len() - content.trim_end_matches(' ').len();
    textwrap::fill(content, options) + &" ".repeat(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_break_between_words_and_are_indented() {
        assert_eq!(wrap("one two three four", 9), "one two\n  three\n  four");
        assert_eq!(wrap("  hint: one two\nthree", 11), "  hint: one\n    two\nthree");
        assert_eq!(wrap("https://vendor.example/long ok", 10), "https://vendor.example/long\n  ok");
        assert_eq!(wrap("  https://vendor.example/long", 10), "  https://vendor.example/long");
        assert_eq!(wrap("just ten..", 10), "just ten..");
        assert_eq!(wrap("question: ", 10), "question: ");
        assert_eq!(wrap("a long question: ", 10), "a long\n  question: ");
    }

    #[test]
    fn colours_take_no_columns() {
        let text = "\u{1b}[1mhint\u{1b}[0m: ab cd";
        assert_eq!(wrap(text, 11), text);
        assert_eq!(wrap(text, 10), "\u{1b}[1mhint\u{1b}[0m: ab\n  cd");
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(wrap("名前 名前", 9), "名前 名前");
        assert_eq!(wrap("名前 名前", 8), "名前\n  名前");
    }
}
