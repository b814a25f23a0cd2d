//! Rules about the CI workflows: pinned actions, few permissions, existing tasks.

use super::finding::Finding;
use super::tree::{File, Tree};

pub(super) fn workflows(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in files(tree) {
        if !file.text.contains("\npermissions:\n  contents: read\n\n") {
            found
                .push(Finding::new(&file.path, "needs `permissions: contents: read` for all jobs"));
        }
        for (number, line) in file.text.lines().enumerate() {
            if action(line).is_some_and(|action| !is_pinned(action)) {
                let message =
                    "the action is not pinned to a commit: `uses: owner/name@COMMIT # vVERSION`";
                found.push(Finding::at(&file.path, number + 1, message));
            }
            if line.contains("secrets.") {
                found.push(Finding::at(&file.path, number + 1, "uses a secret"));
            }
        }
    }
    found
}

fn files(tree: &Tree) -> impl Iterator<Item = &File> {
    tree.files().iter().filter(|file| file.path.starts_with(".github/workflows/"))
}

/// Returns the action that a line uses.
pub(super) fn action(line: &str) -> Option<&str> {
    let line = line.trim_start();
    line.strip_prefix("- ").unwrap_or(line).strip_prefix("uses: ")
}

fn is_pinned(action: &str) -> bool {
    let commit = action.split_once('@').and_then(|(_, rest)| rest.split_once(" # v"));
    commit.is_some_and(|(commit, _)| {
        commit.len() == 40 && commit.chars().all(|c| c.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "on: push\n\npermissions:\n  contents: read\n\njobs:\n";

    fn message(text: &str) -> Vec<String> {
        let found = workflows(&Tree::of(&[(".github/workflows/a.yml", text)]));
        found.into_iter().map(|finding| finding.to_string()).collect()
    }

    #[test]
    fn action_without_commit_is_found() {
        let commit = "0123456789".repeat(4);
        assert!(message(&format!("{HEAD}      - uses: a/b@{commit} # v1.2.3\n")).is_empty());
        for action in ["a/b@v4".to_owned(), "a/b".to_owned(), format!("a/b@{commit}")] {
            assert_eq!(message(&format!("{HEAD}      - uses: {action}\n")).len(), 1, "{action}");
        }
    }

    #[test]
    fn other_permissions_are_found() {
        assert_eq!(message("on: push\n\njobs:\n").len(), 1);
        assert_eq!(message(&HEAD.replace("read", "write")).len(), 1);
        assert_eq!(message(&format!("{HEAD}  A: ${{{{ secrets.KEY }}}}\n")).len(), 1);
    }

    #[test]
    fn tasks_of_workflows_exist_and_take_their_options() {
        let tree = Tree::read().unwrap();
        let mut called = 0;
        for line in files(&tree).flat_map(|file| file.text.lines()) {
            let Some((_, words)) = line.split_once("run: cargo xtask ") else { continue };
            let words = words.replace('"', "");
            let words = words.split_whitespace().map(str::to_owned).chain(["--help".to_owned()]);
            crate::dispatch(&words.collect::<Vec<_>>()).unwrap();
            called += 1;
        }
        assert!(called >= 2, "{called}");
    }
}
