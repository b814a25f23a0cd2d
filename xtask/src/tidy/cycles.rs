//! The rule about imports between the files of a crate: they point one way.
//!
//! A file imports another one if it names the other's module or one of its items, by `use` or by a
//! path. An item that a file only re-exports counts for the file that declares it, so a parent may
//! collect the names of its children.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::Finding;
use super::tree::{File, Tree};
use crate::code::before_tests;

/// Files that import each other, each set with its reason.
const LIST: &str = "xtask/cycles.txt";

/// Every set of files that import each other and that the list does not accept.
pub(super) fn cycles(tree: &Tree) -> Vec<Finding> {
    let accepted = accepted(tree);
    let mut found = Vec::new();
    for folder in crates(tree) {
        for cycle in Graph::of(tree, &folder).cycles() {
            let is_accepted = accepted.iter().any(|(path, files)| {
                *path == folder
                    && (files == &["*"] || cycle.iter().all(|f| files.contains(&f.as_str())))
            });
            if !is_accepted {
                let text = format!("these files import each other: {}", cycle.join(", "));
                found.push(Finding::new(&folder, text));
            }
        }
    }
    found
}

/// The lines of the list: a folder, and files in it or `*`.
fn accepted(tree: &Tree) -> Vec<(&str, Vec<&str>)> {
    let text = tree.get(LIST).map(|file| file.text.as_str()).unwrap_or_default();
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let (place, _reason) = line.split_once(": ")?;
            let mut names = place.split_whitespace();
            Some((names.next()?, names.collect()))
        })
        .collect()
}

/// The source folders of all crates.
fn crates(tree: &Tree) -> BTreeSet<String> {
    tree.rust()
        .filter_map(|file| file.path.strip_suffix("/src/lib.rs"))
        .chain(tree.get("xtask/src/main.rs").map(|_| "xtask"))
        .filter(|folder| folder.starts_with("crates/") || *folder == "xtask")
        .map(|folder| format!("{folder}/src"))
        .collect()
}

/// A module's path: its names from the crate's root.
type Path = Vec<String>;

/// Which file of a crate imports which.
#[derive(Debug, Default)]
struct Graph {
    modules: BTreeMap<Path, Module>,
}

#[derive(Debug, Default)]
struct Module {
    file: String,
    /// Imports of the module, by the name that they have there.
    uses: BTreeMap<String, Path>,
    /// Every path that the module names, from the root.
    paths: Vec<Path>,
}

impl Graph {
    fn of(tree: &Tree, folder: &str) -> Self {
        let mut graph = Self::default();
        let mut codes = BTreeMap::new();
        for (path, file) in tree.below(folder) {
            if let Some(module) = module_path(file, path) {
                let name = path.to_owned();
                graph.modules.insert(module.clone(), Module { file: name, ..Module::default() });
                codes.insert(module, before_tests(&file.code));
            }
        }
        for (path, code) in codes {
            let (uses, paths) = graph.read(&path, code);
            if let Some(module) = graph.modules.get_mut(&path) {
                (module.uses, module.paths) = (uses, paths);
            }
        }
        graph
    }

    /// Returns the imports of a module's code, and the other paths that it names.
    fn read(&self, module: &Path, code: &str) -> (BTreeMap<String, Path>, Vec<Path>) {
        let (mut uses, mut paths) = (BTreeMap::new(), Vec::new());
        for (start, end) in statements(code) {
            let statement = &code[start..end];
            let is_public = code[..start].trim_end().ends_with("pub")
                || code[..start].trim_end().ends_with(')');
            for (path, name) in tree_paths(statement.trim_start_matches("use ")) {
                let Some(path) = self.absolute(module, &path) else { continue };
                let is_named_elsewhere =
                    || words(&code[..start]).chain(words(&code[end..])).any(|word| word == name);
                if !is_public || is_named_elsewhere() {
                    paths.push(path.clone());
                }
                uses.insert(name, path);
            }
        }
        let mut rest = String::new();
        let mut last = 0;
        for (start, end) in statements(code) {
            rest.push_str(&code[last..start]);
            last = end;
        }
        rest.push_str(&code[last..]);
        for path in inline_paths(&rest) {
            paths.extend(self.absolute(module, &path));
        }
        (uses, paths)
    }

    /// The path from the root, or `None` for a path into another crate.
    fn absolute(&self, module: &Path, path: &[String]) -> Option<Path> {
        let mut at = module.clone();
        let mut names = path.iter();
        match path.first()?.as_str() {
            "crate" => {
                names.next();
                at.clear();
            }
            "self" => drop(names.next()),
            "super" => {
                while names.as_slice().first().is_some_and(|name| name == "super") {
                    names.next();
                    at.pop()?;
                }
            }
            child => {
                let mut below = at.clone();
                below.push(child.to_owned());
                self.modules.get(&below)?;
            }
        }
        at.extend(names.cloned());
        Some(at)
    }

    /// The module that declares what a path names.
    fn declares(&self, path: &Path, depth: usize) -> Option<Path> {
        let known = (0..=path.len()).rev().find(|end| self.modules.contains_key(&path[..*end]))?;
        let (module, rest) = path.split_at(known);
        if let Some(name) = rest.first().filter(|_| depth < 8)
            && let Some(target) = self.modules.get(module)?.uses.get(name)
        {
            let mut target = target.clone();
            target.extend(rest.iter().skip(1).cloned());
            return self.declares(&target, depth + 1);
        }
        Some(module.to_vec())
    }

    /// The sets of files that import each other, each sorted.
    fn cycles(&self) -> Vec<Vec<String>> {
        let imports: BTreeMap<&Path, BTreeSet<Path>> = self
            .modules
            .iter()
            .map(|(path, module)| {
                let targets = module.paths.iter().filter_map(|target| self.declares(target, 0));
                (path, targets.filter(|target| target != path).collect())
            })
            .collect();
        let reach: BTreeMap<&Path, BTreeSet<&Path>> =
            imports.keys().map(|path| (*path, reachable(&imports, path))).collect();
        let mut cycles = BTreeSet::new();
        for (path, targets) in &reach {
            let cycle: BTreeSet<&str> = targets
                .iter()
                .filter(|target| reach.get(**target).is_some_and(|back| back.contains(path)))
                .filter_map(|target| Some(self.modules.get(*target)?.file.as_str()))
                .collect();
            if cycle.len() > 1 {
                cycles.insert(cycle);
            }
        }
        let owned = |cycle: BTreeSet<&str>| cycle.into_iter().map(str::to_owned).collect();
        cycles.into_iter().map(owned).collect()
    }
}

/// Every module that imports of `start`, and imports of these, lead to.
fn reachable<'a>(
    imports: &'a BTreeMap<&'a Path, BTreeSet<Path>>,
    start: &'a Path,
) -> BTreeSet<&'a Path> {
    let mut seen = BTreeSet::new();
    let mut left: Vec<&Path> = vec![start];
    while let Some(path) = left.pop() {
        for target in imports.get(path).into_iter().flatten() {
            if seen.insert(target) {
                left.push(target);
            }
        }
    }
    seen
}

/// The module that a file is, or `None` for a program beside a library.
fn module_path(file: &File, path: &str) -> Option<Path> {
    let module = path.strip_suffix(".rs").filter(|_| file.is_rust())?;
    match module {
        "lib" => Some(Path::new()),
        "main" => file.path.starts_with("xtask/").then(Path::new),
        _ if module.starts_with("bin/") => None,
        _ => Some(module.split('/').map(str::to_owned).collect()),
    }
}

/// Where each `use` declaration starts and ends.
fn statements(code: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("use ") {
        let is_word = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        if let Some(length) = code[at..].find(';').filter(|_| is_word) {
            found.push((at, at + length));
        }
    }
    found
}

/// The paths of a `use` declaration, each with the name it gets.
fn tree_paths(text: &str) -> Vec<(Path, String)> {
    let text = text.trim();
    let Some(open) = text.find('{') else {
        let (path, name) = text.split_once(" as ").unwrap_or((text, ""));
        let path: Path = path.trim().split("::").map(|name| name.trim().to_owned()).collect();
        let last = path.last().cloned().unwrap_or_default();
        let name = if name.is_empty() { last } else { name.trim().to_owned() };
        return vec![(path, name)];
    };
    let prefix: Path = text[..open]
        .split("::")
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .collect();
    let inside = &text[open + 1..text.rfind('}').unwrap_or(text.len())];
    let mut found = Vec::new();
    for part in parts(inside) {
        for (mut path, mut name) in tree_paths(part) {
            if path.first().is_some_and(|first| first == "self") && !prefix.is_empty() {
                path.remove(0);
                name = prefix.last().cloned().unwrap_or_default();
            }
            found.push((prefix.iter().cloned().chain(path).collect(), name));
        }
    }
    found
}

/// The parts between the outer commas.
fn parts(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0_usize, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                found.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(&text[start..]);
    found.retain(|part| !part.trim().is_empty());
    found
}

/// Every path of at least two names that the code holds outside `use`.
fn inline_paths(code: &str) -> Vec<Path> {
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '$';
    code.split(|c: char| !is_path(c))
        .filter(|text| text.contains("::") && !text.starts_with([':', '$']))
        .map(|text| text.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect())
        .collect()
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        cycles(&Tree::of(files)).into_iter().map(|finding| finding.to_string()).collect()
    }

    const ROOT: (&str, &str) = ("crates/a/src/lib.rs", "mod b;\nmod c;\npub use b::B;\n");

    #[test]
    fn files_that_import_each_other_are_found() {
        for (b, c) in [
            ("use crate::c::C;", "use super::b::B;"),
            ("use crate::{c::{C, self}};", "fn f() { crate::b::g(); }"),
            ("fn f() { super::c::C }", "use crate::B as Other;"),
        ] {
            let files = [ROOT, ("crates/a/src/b.rs", b), ("crates/a/src/c.rs", c)];
            let found = found(&files);
            assert_eq!(found, ["crates/a/src: these files import each other: b.rs, c.rs"], "{b}");
        }
    }

    #[test]
    fn imports_in_one_direction_are_accepted() {
        let files = [
            ROOT,
            (
                "crates/a/src/b.rs",
                "mod d;\npub use d::D;\nstruct B;\n#[cfg(test)]\nmod tests { use crate::c::C; }",
            ),
            ("crates/a/src/b/d.rs", "use super::B;"),
            ("crates/a/src/c.rs", "use crate::b::{B, D};"),
        ];
        assert_eq!(found(&files), [""; 0]);
    }

    #[test]
    fn parent_and_child_that_import_each_other_are_found() {
        let files = [
            ROOT,
            ("crates/a/src/b.rs", "mod d;\nuse d::D;\nstruct B;"),
            ("crates/a/src/b/d.rs", "use super::B;"),
        ];
        assert_eq!(found(&files), ["crates/a/src: these files import each other: b.rs, b/d.rs"]);
    }

    #[test]
    fn listed_cycle_is_accepted() {
        let files = [
            ROOT,
            ("crates/a/src/b.rs", "use crate::c::C;"),
            ("crates/a/src/c.rs", "use crate::b::B;"),
            (LIST, "# head\ncrates/a/src b.rs c.rs d.rs: one state machine\n"),
        ];
        assert_eq!(found(&files), [""; 0]);
    }
}
