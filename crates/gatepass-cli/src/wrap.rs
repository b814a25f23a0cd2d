//! Breaks lines at a terminal's width; what it has no width for stays as it is.

/// Every line longer than `width` broken between words, its rest indented below it. Colours take
/// no room, and a word that is longer, such as an address to copy, stays whole.
pub(crate) fn wrap(text: &str, width: usize) -> String {
    let lines: Vec<String> = text.split('\n').map(|line| wrap_line(line, width)).collect();
    lines.join("\n")
}

fn wrap_line(line: &str, width: usize) -> String {
    if columns(line) <= width {
        return line.to_owned();
    }
    let rest = line.trim_start_matches(' ');
    let indent = line.len() - rest.len();
    let (mut wrapped, mut column) = (" ".repeat(indent), indent);
    for (at, word) in rest.split(' ').enumerate() {
        let wide = columns(word);
        if at > 0 && column + 1 + wide > width {
            wrapped.push('\n');
            wrapped.push_str(&" ".repeat(indent + 2));
            column = indent + 2;
        } else if at > 0 {
            wrapped.push(' ');
            column += 1;
        }
        wrapped.push_str(word);
        column += wide;
    }
    wrapped
}

/// How many columns a text takes, its colours aside.
fn columns(text: &str) -> usize {
    anstream::adapter::strip_str(text).map(|part| part.chars().count()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_whole_and_the_rest_stands_below() {
        assert_eq!(wrap("one two three four", 9), "one two\n  three\n  four");
        assert_eq!(wrap("  hint: one two\nthree", 11), "  hint: one\n    two\nthree");
        assert_eq!(wrap("https://vendor.example/long ok", 10), "https://vendor.example/long\n  ok");
        assert_eq!(wrap("just ten..", 10), "just ten..");
    }

    #[test]
    fn colours_take_no_room() {
        let text = "\u{1b}[1mhint\u{1b}[0m: ab cd";
        assert_eq!(wrap(text, 11), text);
        assert_eq!(wrap(text, 10), "\u{1b}[1mhint\u{1b}[0m: ab\n  cd");
    }
}
