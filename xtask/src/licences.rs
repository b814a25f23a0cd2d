//! `cargo xtask licences`: the licences of everything that is linked into the command, as one text.
//!
//! cargo-about would replace the search for licence files, about eighty lines. For a crate under
//! `MIT OR Apache-2.0` it prints one of the two licences, for a crate without a licence file the
//! canonical text, where this task fails. It includes neither NOTICE files nor the notices of the Rust
//! standard library and musl.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::error::{Error, Result};
use crate::output;
use crate::parts::{self, Id, Parts};
use crate::run::Run;

const HELP: &str = "\
cargo xtask licences [--features F] [--target T] [FILE]

Writes the licences of everything that is linked into the command `gatepass`: the files in the
packages of its crates, the Rust standard library's notices, and musl's if it is linked.

  --features F  features of the build, `default` by default
  --target T    target of the build, x86_64-unknown-linux-gnu by default
  FILE          file to write, target/THIRD-PARTY.txt by default";

pub(crate) fn main(arguments: &[String]) -> Result<()> {
    parts::main(arguments, HELP, "target/THIRD-PARTY.txt", write)
}

/// Writes the licences of one build.
pub(crate) fn write(path: &Path, features: &str, target: &str) -> Result<()> {
    let mut parts = Parts::read(features, target)?;
    let version = parts.root.version.clone();
    parts.all.retain(|_, part| part.checksum.is_some());
    let mut text = format!("Third-party code in gatepass {version} for {target}\n\n");
    for (id, part) in &parts.all {
        text.push_str(&format!("{id}: {}\n", part.licence));
    }
    for (notice, ids) in notices(&parts)? {
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        text.push_str(&section(&ids.join(", "), &notice));
    }
    text.push_str(&section("the Rust standard library", &standard_library()?));
    if target.ends_with("-musl") {
        text.push_str(&section("musl", MUSL));
    }
    fs::write(path, text)
        .map_err(|error| Error::failed(format!("{} cannot be written: {error}", path.display())))?;
    output::line(format_args!("{}: {} crates", path.display(), parts.all.len()));
    Ok(())
}

fn section(whose: &str, notice: &str) -> String {
    format!("\n{}\n{whose}\n\n{}\n", "=".repeat(80), notice.trim_matches('\n'))
}

/// Returns every different text with the crates that contain it.
fn notices(parts: &Parts) -> Result<BTreeMap<String, BTreeSet<&Id>>> {
    let mut notices: BTreeMap<String, BTreeSet<&Id>> = BTreeMap::new();
    for (id, part) in &parts.all {
        let texts = texts(&part.folder)
            .map_err(|error| Error::failed(format!("the licence of {id}: {error}")))?;
        if texts.is_empty() {
            return Err(Error::failed(format!(
                "{id} has no licence file: ask its authors for one"
            )));
        }
        for text in texts {
            notices.entry(text).or_default().insert(id);
        }
    }
    Ok(notices)
}

/// Returns the licences and notices at the top of a package, without differences in line ends and
/// trailing blanks.
fn texts(folder: &Path) -> std::io::Result<Vec<String>> {
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if is_notice(&entry.file_name().to_string_lossy()) && entry.path().is_file() {
            let bytes = fs::read(entry.path())?;
            texts.push(trimmed(&String::from_utf8_lossy(&bytes)));
        }
    }
    Ok(texts)
}

fn is_notice(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let begins = ["licen", "copying", "copyright", "notice", "unlicense", "patents"];
    begins.iter().any(|begin| name.starts_with(begin)) && !name.ends_with(".rs")
}

fn trimmed(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

/// Returns the toolchain's notices about the standard library.
fn standard_library() -> Result<String> {
    let sysroot = Run::new("rustc --print sysroot").output()?;
    let path = Path::new(sysroot.trim()).join("share/doc/rust/COPYRIGHT-library.html");
    fs::read_to_string(&path).map(|page| plain(&page)).map_err(|error| {
        Error::failed(format!("the notices of Rust itself, {}: {error}", path.display()))
    })
}

/// Returns the text of an HTML page, without tags and repeated empty lines.
fn plain(page: &str) -> String {
    let body = page.split_once("<body>").map_or(page, |(_, body)| body);
    let mut text = String::new();
    let mut rest = body;
    while let Some((before, mark)) = rest.split_once('<') {
        text.push_str(before);
        rest = mark.split_once('>').map_or("", |(_, after)| after);
    }
    text.push_str(rest);
    for (entity, character) in ENTITIES {
        text = text.replace(entity, character);
    }
    let mut lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.dedup_by(|a, b| a.is_empty() && b.is_empty());
    lines.join("\n").trim_matches('\n').to_owned()
}

/// HTML entities; the ampersand is last, so that its result is not decoded again.
const ENTITIES: [(&str, &str); 9] = [
    ("&#34;", "\""),
    ("&#39;", "'"),
    ("&#60;", "<"),
    ("&#62;", ">"),
    ("&quot;", "\""),
    ("&lt;", "<"),
    ("&gt;", ">"),
    ("&#38;", "&"),
    ("&amp;", "&"),
];

/// The notice of the C library, which is not in any crate.
const MUSL: &str = "\
Copyright © 2005-2020 Rich Felker, et al.

Permission is hereby granted, free of charge, to any person obtaining
a copy of this software and associated documentation files (the
\"Software\"), to deal in the Software without restriction, including
without limitation the rights to use, copy, modify, merge, publish,
distribute, sublicense, and/or sell copies of the Software, and to
permit persons to whom the Software is furnished to do so, subject to
the following conditions:

The above copyright notice and this permission notice shall be
included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED \"AS IS\", WITHOUT WARRANTY OF ANY KIND,
EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT.
IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY
CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT,
TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE
SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parts::Part;
    use crate::workspace;

    #[test]
    fn every_crate_of_the_build_has_a_text() {
        let path = workspace::path("target/THIRD-PARTY-test.txt");
        write(&path, "cisco", "x86_64-unknown-linux-musl").unwrap();
        let text = fs::read_to_string(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let (list, sections) = text.split_once("\n====").unwrap();
        let listed: Vec<&str> =
            list.lines().filter_map(|line| Some(line.split_once(": ")?.0)).collect();
        assert!(listed.len() > 100, "{}", listed.len());
        let headings: String =
            sections.split("====\n").filter_map(|part| part.lines().next()).collect();
        for name in &listed {
            assert!(headings.contains(name), "{name}");
        }
        assert!(headings.contains("rustls ") && headings.contains("ring "));
        assert!(!list.contains("gatepass-core") && !headings.contains("provider-"));
        assert!(text.contains("The Rust Project Developers") && text.contains("Rich Felker"));
        let folder = workspace::root().display().to_string();
        assert!(!text.contains(&folder), "it contains a path of this machine");
    }

    #[test]
    fn crate_without_licence_is_named() {
        let id = Id { name: "bare".to_owned(), version: "1.0.0".to_owned() };
        let part = Part { folder: workspace::path("xtask/src"), ..Part::default() };
        let all = BTreeMap::from([(id.clone(), part)]);
        let message = notices(&Parts { root: id, features: String::new(), all }).unwrap_err();
        assert!(message.to_string().contains("bare 1.0.0 has no licence"), "{message}");
    }

    #[test]
    fn notices_are_recognized_by_name() {
        for name in ["LICENSE", "LICENSE-MIT", "licence.txt", "COPYING", "NOTICE", "UNLICENSE"] {
            assert!(is_notice(name), "{name}");
        }
        for name in ["README.md", "license.rs", "Cargo.toml", "src"] {
            assert!(!is_notice(name), "{name}");
        }
    }

    #[test]
    fn html_page_becomes_text() {
        let page = "<html><title>t</title><body>\n<p>A &#34;B&#34; &#60;c@d&#62;</p>\n\n\n\n<b>E</b> &amp;lt;";
        assert_eq!(plain(page), "A \"B\" <c@d>\n\nE &lt;");
    }
}
