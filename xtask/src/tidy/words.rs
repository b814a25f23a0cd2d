//! Counts the forms of speech that the style guide replaces; a file's count may fall, never rise.

use std::collections::BTreeMap;

use super::finding::Finding;
use super::prose::{Word, prose};
use super::tree::{File, Tree};
use crate::error::{Error, Result};
use crate::{output, workspace};

const LIST: &str = "xtask/words.txt";

const HEAD: &str = "\
# How many forms of speech that CONTRIBUTING.md replaces each file still has.
# `cargo xtask tidy --words [PATH]` shows them; `cargo xtask tidy --bless` writes this list,
# unless the sum would rise.
";

/// Files whose prose is not counted, each with its reason.
const EXEMPT: &[(&str, &str)] = &[("xtask/src/tidy/words.rs", "defines the forms")];

/// A form of speech to replace: a word, or several in a row.
struct Form {
    /// The words in order, each with its alternatives.
    words: &'static [&'static [&'static str]],
    /// What to write instead.
    instead: &'static str,
    /// Only the first words of a sentence that is not a question.
    at_start: bool,
    /// Only the first words of a documentation comment.
    at_docs: bool,
    /// Allowed after one of these words.
    not_after: &'static [&'static str],
    /// Allowed before one of these words.
    not_before: &'static [&'static str],
    /// Allowed in a clause that has one of these words before it.
    not_in_clause_of: &'static [&'static str],
    /// Only in paths that start so.
    within: &'static [&'static str],
    /// Not in paths that contain one of these.
    without: &'static [&'static str],
}

impl Form {
    const fn new(words: &'static [&'static [&'static str]], instead: &'static str) -> Self {
        Self {
            words,
            instead,
            at_start: false,
            at_docs: false,
            not_after: &[],
            not_before: &[],
            not_in_clause_of: &[],
            within: &[],
            without: &[],
        }
    }

    const fn at_start(mut self) -> Self {
        self.at_start = true;
        self
    }

    const fn at_docs(mut self) -> Self {
        self.at_docs = true;
        self
    }

    const fn not_after(mut self, words: &'static [&'static str]) -> Self {
        self.not_after = words;
        self
    }

    const fn not_before(mut self, words: &'static [&'static str]) -> Self {
        self.not_before = words;
        self
    }

    const fn not_in_clause_of(mut self, words: &'static [&'static str]) -> Self {
        self.not_in_clause_of = words;
        self
    }

    const fn within(mut self, paths: &'static [&'static str]) -> Self {
        self.within = paths;
        self
    }

    const fn without(mut self, paths: &'static [&'static str]) -> Self {
        self.without = paths;
        self
    }

    fn is_for(&self, path: &str) -> bool {
        (self.within.is_empty() || self.within.iter().any(|start| path.starts_with(start)))
            && !self.without.iter().any(|part| path.contains(part))
    }

    /// Are the words at `at` this form?
    fn is_at(&self, words: &[Word], at: usize) -> bool {
        let Some(found) = words.get(at..at + self.words.len()) else { return false };
        let is_same = found
            .iter()
            .zip(self.words)
            .all(|(word, choices)| choices.contains(&word.text.as_str()));
        let is_joined = found.iter().skip(1).all(|word| !word.starts_sentence);
        let mut clause = words[..at].iter().rev().take_while(|word| !word.ends_clause);
        let before = at.checked_sub(1).and_then(|at| words.get(at)).map(|word| word.text.as_str());
        let is_before_end = found.last().is_some_and(|word| !word.ends_clause);
        let after = words.get(at + found.len()).filter(|_| is_before_end);
        is_same
            && is_joined
            && (!self.at_start || (found[0].starts_sentence && !found[0].is_question))
            && (!self.at_docs || found[0].starts_docs)
            && !clause.any(|word| self.not_in_clause_of.contains(&word.text.as_str()))
            && !before.is_some_and(|word| self.not_after.contains(&word))
            && !after.is_some_and(|word| self.not_before.contains(&word.text.as_str()))
    }
}

/// The verbs that make a clause of "what".
const VERBS: &[&str] = &[
    "is", "are", "was", "were", "has", "have", "had", "comes", "came", "stands", "goes", "does",
    "can", "may", "must", "cannot", "counts", "follows", "remains", "differs", "lies", "ends",
];

const FORMS: &[Form] = &[
    Form::new(
        &[&["nobody", "somebody", "whoever", "whomever", "whosoever"]],
        "name the component: the caller, the user, the vendor",
    ),
    Form::new(&[&["asker", "askers"]], "the caller, the program"),
    Form::new(&[&["who"], &["ask", "asks", "asked"]], "the caller"),
    Form::new(&[&["whatever"]], "name it, or: any"),
    Form::new(&[&["anew"]], "again"),
    Form::new(&[&["amiss"]], "wrong"),
    Form::new(&[&["meanwhile"]], "name the event"),
    Form::new(&[&["so"], &["long", "many"]], "the time, the number; as long as"),
    Form::new(&[&["by"], &["now"]], "leave it out"),
    Form::new(&[&["as"], &["it", "they"], &["is", "are", "stands", "stand"]], "unchanged"),
    Form::new(&[&["tells", "told", "heard"]], "returns, shows, prints, logs")
        .not_before(&["apart"]),
    Form::new(&[&["says", "said"]], "returns, shows, prints, states").not_before(&["so"]),
    Form::new(&[&["stands", "stood"]], "is").not_before(&["for", "in"]),
    Form::new(
        &[
            &["stand"],
            &["in", "at", "on", "above", "below", "behind", "beside", "after", "there", "alone"],
        ],
        "are",
    )
    .not_after(&["to"]),
    Form::new(&[&["goes"]], "is removed")
        .not_before(&[
            "to",
            "into",
            "through",
            "via",
            "in",
            "over",
            "out",
            "up",
            "down",
            "from",
            "back",
            "on",
            "wrong",
            "first",
            "last",
            "here",
            "there",
            "past",
            "elsewhere",
            "outside",
        ])
        .not_in_clause_of(&["where", "how"]),
    Form::new(&[&["life"]], "lifetime").not_before(&["cycle"]),
    Form::new(&[&["lives", "lived"]], "is valid for, the lifetime").not_before(&[
        "in",
        "on",
        "here",
        "there",
        "outside",
        "inside",
        "below",
        "above",
        "under",
        "at",
        "beside",
        "next",
        "elsewhere",
    ]),
    Form::new(&[&["rests", "resting", "rested"]], "cools down"),
    Form::new(&[&["answer", "answers", "answered", "answering"]], "response, responds").without(&[
        "prompt",
        "answers.rs",
        "init",
    ]),
    Form::new(&[&["refusal", "refusals"]], "denied, rejected"),
    Form::new(&[&["is", "are", "was", "were"], &["no"]], "is not a")
        .not_after(&["there"])
        .not_before(&["longer", "more", "less", "fewer", "better", "worse", "such"]),
    Form::new(&[&["is", "are", "was", "were"], &["none"]], "is not one").not_after(&["there"]),
    Form::new(&[&["what"], VERBS], "name the subject").at_start(),
    Form::new(&[&["nothing"]], "name the subject").at_start(),
    Form::new(&[&["nothing"], VERBS], "name the subject").not_after(&["there"]),
    Form::new(&[&["none"], &["of", "is", "are", "has", "was"]], "name the subject"),
    Form::new(&[&["it"]], "a verb, or the noun").at_docs(),
    Form::new(&[&["in"], &["the", "its", "their", "other"], &["words"]], "in the format"),
    Form::new(&[&["hand-out", "hand-outs"]], "output format"),
    Form::new(&[&["held", "kept"], &["token", "tokens"]], "cached token"),
    Form::new(
        &[&[
            "landing",
            "landings",
            "desk",
            "desks",
            "door",
            "doors",
            "errand",
            "errands",
            "boarding",
            "patience",
            "patiently",
            "shelf",
        ]],
        "the technical term",
    ),
    Form::new(&[&["person", "persons", "people"]], "the user").without(&["licences.rs"]),
    Form::new(&[&["exchange", "exchanges", "exchanged"]], "token request")
        .within(&["README.md", "docs/"])
        .without(&["rust", "provider"]),
];

/// How many words the name of a test has at most.
const MAX_NAME: usize = 9;

/// A file with more forms than the list allows, or all of them if it was not listed.
pub(super) fn words(tree: &Tree) -> Vec<Finding> {
    let listed = listed(tree);
    counted(tree)
        .into_iter()
        .filter_map(|(path, count)| {
            let allowed = listed.get(&path).copied().unwrap_or(0);
            let text = format!(
                "has {count} forms of speech to replace, {LIST} allows {allowed}: \
                 `cargo xtask tidy --words {path}` shows them"
            );
            (count > allowed).then(|| Finding::new(path, text))
        })
        .collect()
}

/// The sum, for the last lines of the report, and a hint if the list can shrink.
pub(super) fn summary(tree: &Tree) -> String {
    let (now, allowed) = (sum(&counted(tree)), sum(&listed(tree)));
    let hint = match now < allowed {
        true => ": `cargo xtask tidy --bless` lowers it",
        false => "",
    };
    format!("words: {now} forms of speech to replace, {LIST} allows {allowed}{hint}")
}

/// Shows every form in files whose path contains one of `paths`, or in all files.
pub(super) fn show(tree: &Tree, paths: &[String]) {
    let mut total = 0;
    for file in tree.files() {
        if !paths.is_empty() && !paths.iter().any(|path| file.path.contains(path)) {
            continue;
        }
        for (line, found, instead) in forms(file) {
            output::line(format_args!("{}:{line}: \"{found}\": {instead}", file.path));
            total += 1;
        }
    }
    output::line(format_args!("{total} forms of speech to replace"));
}

/// Writes the list as the tree is, unless the sum would rise.
pub(super) fn bless(tree: &Tree) -> Result<()> {
    let (counted, listed) = (counted(tree), listed(tree));
    if tree.get(LIST).is_some() && sum(&counted) > sum(&listed) {
        return Err(Error::failed(format!(
            "{LIST} allows {} forms of speech and the tree has {}: reword the new ones, \
             `cargo xtask tidy` names the files",
            sum(&listed),
            sum(&counted)
        )));
    }
    let lines: String =
        counted.iter().map(|(path, count)| format!("{count:>3} {path}\n")).collect();
    workspace::write(LIST, &format!("{HEAD}{lines}"))?;
    output::line(format_args!("{LIST}: {} forms in {} files", sum(&counted), counted.len()));
    Ok(())
}

fn sum(counts: &BTreeMap<String, usize>) -> usize {
    counts.values().sum()
}

fn listed(tree: &Tree) -> BTreeMap<String, usize> {
    tree.get(LIST).map(|file| super::counts::parse(&file.text)).unwrap_or_default()
}

fn counted(tree: &Tree) -> BTreeMap<String, usize> {
    tree.files()
        .iter()
        .map(|file| (file.path.clone(), forms(file).len()))
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// Every form in a file: its line, its words, and what to write instead.
fn forms(file: &File) -> Vec<(usize, String, &'static str)> {
    if EXEMPT.iter().any(|(path, _)| *path == file.path) {
        return Vec::new();
    }
    let forms: Vec<&Form> = FORMS.iter().filter(|form| form.is_for(&file.path)).collect();
    let mut found = Vec::new();
    for words in prose(file) {
        if let Some(first) = words.first().filter(|first| first.is_name)
            && words.len() > MAX_NAME
        {
            let name: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
            found.push((first.line, name.join("_"), "a name of at most nine words"));
        }
        let mut at = 0;
        while let Some(word) = words.get(at) {
            // A word belongs to one form at most.
            let Some(form) = forms.iter().find(|form| form.is_at(&words, at)) else {
                at += 1;
                continue;
            };
            let texts = words[at..at + form.words.len()].iter().map(|word| word.text.as_str());
            found.push((word.line, texts.collect::<Vec<_>>().join(" "), form.instead));
            at += form.words.len();
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        let tree = Tree::of(&[(path, text)]);
        forms(&tree.files()[0]).into_iter().map(|(_, found, _)| found).collect()
    }

    #[test]
    fn every_form_is_found_in_comments_literals_names_and_pages() {
        for (code, form) in [
            ("// Nobody asks.", "nobody"),
            ("// The store, whoever\n// asks.", "whoever"),
            ("/// It is cached.", "it"),
            ("const A: &str = \"a config that is no file\";", "is no"),
            ("fn what_is_cached_stays() {}", "what is"),
            ("// Kept. What goes is noted.", "what goes"),
            ("// A token that\n// lives for an hour.", "lives"),
        ] {
            assert_eq!(found("a.rs", code), [form], "{code}");
        }
        assert_eq!(
            found("docs/a.md", "One exchange, so many askers."),
            ["exchange", "askers", "so many"]
                .map(String::from)
                .into_iter()
                .collect::<std::collections::BTreeSet<_>>()
                .into_iter()
                .collect::<Vec<_>>()
        );
    }

    #[test]
    fn plain_english_is_not_found() {
        for code in [
            "// There is no lease.",
            "// The cache is no longer used.",
            "// The module that lives in `a.rs`.",
            "// What is cached?",
            "// A request goes to the vendor.",
            "// A long-lived process, a stand-in.",
            "let nobody = whoever;",
            "// `nobody` is a user.",
            "// See https://acme.example/nobody/answer.",
            "// As long as the lease is valid.",
            "// Where the response goes.",
            "fn a_b_c_d_e_f_g_h_i() {}",
        ] {
            assert_eq!(found("a.rs", code), [""; 0], "{code}");
        }
        assert_eq!(found("crates/a/src/exchange.rs", "// One exchange."), [""; 0]);
    }

    #[test]
    fn count_may_fall_and_may_not_rise() {
        let with = |text, list| words(&Tree::of(&[("a.rs", text), (LIST, list)])).len();
        assert_eq!(with("// Nobody, nobody.", "  2 a.rs\n"), 0);
        assert_eq!(with("// Nobody.", "  2 a.rs\n"), 0);
        assert_eq!(with("// Nobody, nobody.", "  1 a.rs\n"), 1);
        assert_eq!(with("// Nobody.", "  1 b.rs\n"), 1);
    }
}
