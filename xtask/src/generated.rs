//! Generated parts of documents: the text between two marks.

use crate::error::{Error, Result};

/// Returns `text`, the content of `file`, with `body` between the marks called `name`.
pub(crate) fn replace(file: &str, text: &str, name: &str, body: &str) -> Result<String> {
    let (open, close) = (format!("<!-- generated: {name} -->"), "<!-- /generated -->");
    let missing = |mark: &str| Error::failed(format!("{file} has no `{mark}` for {name}"));
    let start = text.find(&open).ok_or_else(|| missing(&open))? + open.len();
    let end = start + text[start..].find(close).ok_or_else(|| missing(close))?;
    if text[start..end].contains("<!-- generated:") {
        return Err(missing(close));
    }
    Ok(format!("{}\n{}\n{}", &text[..start], body.trim_end(), &text[end..]))
}

/// Returns an error if `is`, the text of `file`, is not what `command` would write.
pub(crate) fn compare(file: &str, is: &str, wanted: &str, command: &str) -> Result<()> {
    let stale = |message: &str| {
        Err(Error::failed(format!("{file} is out of date, update it with `{command}`: {message}")))
    };
    let lines = is.lines().zip(wanted.lines()).enumerate();
    match lines.into_iter().find(|(_, (has, wants))| has != wants) {
        Some((number, (has, wants))) => {
            stale(&format!("line {}\n  has    {has}\n  wants  {wants}", number + 1))
        }
        None if is.lines().count() != wanted.lines().count() => stale("a table has another length"),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replace_changes_only_the_marked_part() {
        let text = "a\n<!-- generated: x -->\nold\n<!-- /generated -->\nb\n";
        let wanted = "a\n<!-- generated: x -->\nnew\n<!-- /generated -->\nb\n";
        assert_eq!(replace("F", text, "x", "new\n").unwrap(), wanted);
        assert_eq!(replace("F", wanted, "x", "new\n").unwrap(), wanted);
    }

    #[test]
    fn missing_mark_is_named() {
        let message = replace("README.md", "a", "providers", "").unwrap_err().to_string();
        assert!(message.contains("README.md has no `<!-- generated: providers -->`"), "{message}");
    }

    #[test]
    fn unclosed_part_does_not_include_the_next() {
        let text = "<!-- generated: x -->\n<!-- generated: y -->\n<!-- /generated -->";
        assert!(replace("F", text, "x", "").is_err());
    }

    #[test]
    fn outdated_and_missing_lines_are_reported() {
        compare("F", "a\nb\n", "a\nb\n", "c").unwrap();
        let message = compare("F", "a\nb\n", "a\nB\n", "cargo x").unwrap_err().to_string();
        assert!(message.contains("`cargo x`: line 2") && message.contains("wants  B"), "{message}");
        assert!(compare("F", "a\n", "a\nb\n", "c").is_err());
    }
}
