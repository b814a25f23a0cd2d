//! The rule about links in Markdown: their targets exist.

use std::collections::BTreeMap;

use super::finding::Finding;
use super::tree::{File, Tree};

/// Checks that relative links lead to a file of the tree, and anchors to one of its headings. Of other
/// links only the form is checked.
pub(super) fn links(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in tree.files().iter().filter(|file| is_markdown(file)) {
        for (number, line) in prose(&file.text) {
            for target in targets(&without_code(line)) {
                if let Err(message) = check(tree, file, target) {
                    found.push(Finding::at(&file.path, number, format!("`{target}` {message}")));
                }
            }
        }
    }
    found
}

fn check(tree: &Tree, file: &File, target: &str) -> Result<(), String> {
    if let Some((scheme, rest)) = target.split_once("://") {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let is_named = host.contains('.') && !host.starts_with('.') && !host.ends_with('.');
        return match scheme {
            "https" if is_named && !rest.contains(char::is_whitespace) => Ok(()),
            _ => Err(String::from("is not an https address")),
        };
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = match path {
        "" => file.path.clone(),
        path => resolve(&file.path, path).ok_or("leaves the repository")?,
    };
    let Some(at) = tree.get(&path) else {
        let is_folder = !tree.below(&path).is_empty();
        return match is_folder && anchor.is_empty() {
            true => Ok(()),
            false => Err(format!("leads to {path}, which does not exist")),
        };
    };
    if anchor.is_empty() || !is_markdown(at) || anchors(&at.text).any(|known| known == anchor) {
        return Ok(());
    }
    Err(format!("is not a heading of {path}"))
}

/// Resolves a link in the file `from` to a path from the root.
fn resolve(from: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in link.trim_end_matches('/').split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Returns the lines outside fenced blocks, numbered from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fence = None;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let line = line.trim_start();
        let ticks = line.len() - line.trim_start_matches('`').len();
        match fence {
            None if ticks >= 3 => fence = Some(ticks),
            Some(open) if ticks >= open && line.len() == ticks => {
                fence = None;
                return false;
            }
            _ => {}
        }
        fence.is_none()
    })
}

/// Returns the line without its code spans.
fn without_code(line: &str) -> String {
    let mut parts = line.split('`');
    let mut text = parts.next().unwrap_or_default().to_owned();
    while let Some(code) = parts.next() {
        match parts.next() {
            Some(prose) => text += prose,
            None => text += code,
        }
    }
    text
}

/// Returns the targets of `[…](target)`, `[…]: target` and `<https://…>`.
fn targets(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (at, _) in line.match_indices("](") {
        found.extend(line[at + 2..].split(')').next().map(|link| link.trim_matches(['<', '>'])));
    }
    for (at, _) in line.match_indices("<http") {
        found.extend(line[at + 1..].split_once('>').map(|(link, _)| link));
    }
    if let Some((name, link)) = line.split_once("]: ")
        && name.starts_with('[')
    {
        found.push(link.trim());
    }
    found
}

/// Returns the anchor of each heading, as forges derive it.
fn anchors(text: &str) -> impl Iterator<Item = String> {
    let mut seen = BTreeMap::<String, usize>::new();
    let headings = prose(text).filter_map(|(_, line)| {
        let title = line.strip_prefix('#')?.trim_start_matches('#').strip_prefix(' ')?;
        Some(slug(title.trim()))
    });
    headings.map(move |slug| {
        let times = seen.entry(slug.clone()).or_default();
        *times += 1;
        if *times == 1 { slug } else { format!("{slug}-{}", *times - 1) }
    })
}

fn slug(title: &str) -> String {
    let kept = title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn is_markdown(file: &File) -> bool {
    file.name().ends_with(".md")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let other =
            "# Other `page`, with \"signs\"\n```sh\n# no heading\n```\n## Twice\n## Twice\n";
        let files = [("docs/a.md", text), ("docs/other.md", other), ("src/lib.rs", "")];
        links(&Tree::of(&files)).into_iter().map(|finding| finding.to_string()).collect()
    }

    #[test]
    fn link_to_file_folder_or_heading_is_accepted() {
        let good = "# Here\n[a](other.md) [`b`](other.md#other-page-with-signs) [c](#here)\n\
                    [d](other.md#twice-1) [e](../src/lib.rs) [f](../src/) [g](../src/lib.rs#L1)\n\
                    <https://acme.example/a> [h](https://acme.example)\n[i]: https://acme.example\n\
                    `[no](link.md)` and\n```text\n[no](link.md)\n```\n";
        assert_eq!(found(good), Vec::<String>::new());
    }

    #[test]
    fn broken_link_is_found_with_its_line() {
        for bad in [
            "[a](gone.md)",
            "[a](other.md#gone)",
            "[a](other.md#no-heading)",
            "[a](other.md#twice-2)",
            "[a](#here)",
            "[a](../../out.md)",
            "[a](../src#anchor)",
            "[a](http://acme.example)",
            "<https://acme>",
            "[a]: gone.md",
            "```\n```\n[a](gone.md)",
        ] {
            let messages = found(bad);
            assert_eq!(messages.len(), 1, "{bad}");
            let line = bad.lines().count();
            assert!(messages[0].starts_with(&format!("docs/a.md:{line}: ")), "{messages:?}");
        }
    }
}
