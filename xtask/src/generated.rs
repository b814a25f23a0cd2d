//! Parts of documents that a task writes: what stands between two marks.

use crate::failure::{Failure, Result};

/// Puts `body` between the marks called `name` in `text`, which is of `file`.
pub(crate) fn replace(file: &str, text: &str, name: &str, body: &str) -> Result<String> {
    let (open, close) = (format!("<!-- generated: {name} -->"), "<!-- /generated -->");
    let missing = |mark: &str| Failure::failed(format!("{file} has no `{mark}` for {name}"));
    let start = text.find(&open).ok_or_else(|| missing(&open))? + open.len();
    let end = start + text[start..].find(close).ok_or_else(|| missing(close))?;
    if text[start..end].contains("<!-- generated:") {
        return Err(missing(close));
    }
    Ok(format!("{}\n{}\n{}", &text[..start], body.trim_end(), &text[end..]))
}

/// Fails where `is`, the text of `file`, is not what `command` would write.
pub(crate) fn compare(file: &str, is: &str, wanted: &str, command: &str) -> Result<()> {
    let stale = |says: &str| {
        Err(Failure::failed(format!("{file} is out of date, repair it with `{command}`: {says}")))
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
    fn the_part_between_the_marks_is_replaced_and_nothing_else() {
        let text = "a\n<!-- generated: x -->\nold\n<!-- /generated -->\nb\n";
        let wanted = "a\n<!-- generated: x -->\nnew\n<!-- /generated -->\nb\n";
        assert_eq!(replace("F", text, "x", "new\n").unwrap(), wanted);
        assert_eq!(replace("F", wanted, "x", "new\n").unwrap(), wanted);
    }

    #[test]
    fn a_missing_mark_is_named() {
        let says = replace("README.md", "a", "providers", "").unwrap_err().to_string();
        assert!(says.contains("README.md has no `<!-- generated: providers -->`"), "{says}");
    }

    #[test]
    fn a_part_that_is_not_closed_does_not_swallow_the_next() {
        let text = "<!-- generated: x -->\n<!-- generated: y -->\n<!-- /generated -->";
        assert!(replace("F", text, "x", "").is_err());
    }

    #[test]
    fn a_stale_line_and_a_missing_one_are_told() {
        compare("F", "a\nb\n", "a\nb\n", "c").unwrap();
        let says = compare("F", "a\nb\n", "a\nB\n", "cargo x").unwrap_err().to_string();
        assert!(says.contains("`cargo x`: line 2") && says.contains("wants  B"), "{says}");
        assert!(compare("F", "a\n", "a\nb\n", "c").is_err());
    }
}
