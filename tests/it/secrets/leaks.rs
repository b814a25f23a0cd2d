//! Checks the tables of `docs/leaks.md` and `SECURITY.md`: complete, and with existing tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use gatepass_tests::workspace;

/// Returns the names of all `#[test]` and `#[tokio::test]` functions below a folder.
fn tests_below(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests_below(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            for after in text.split("test]\n").skip(1).chain(text.split("test(").skip(1)) {
                let name = after.split_once("fn ").and_then(|(_, rest)| rest.split_once('('));
                found.extend(name.map(|(name, _)| name.to_owned()));
            }
        }
    }
}

/// Returns the tests that a cell names.
fn named_tests(cell: &str) -> Vec<&str> {
    let is_name = |part: &&str| part.contains('_') && !part.contains(['.', ' ']);
    cell.split('`').skip(1).step_by(2).filter(is_name).collect()
}

fn tests_of_the_workspace() -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    for folder in ["crates", "tests", "xtask"] {
        tests_below(&workspace().join(folder), &mut tests);
    }
    tests
}

/// Returns the errors of a row.
fn row_error(row: &str, number: usize, tests: &BTreeSet<String>) -> Option<String> {
    let cells: Vec<&str> = row.split('|').map(str::trim).collect();
    let [_, name, _, proof, _] = cells[..] else { return Some(format!("no three cells: {row}")) };
    if name != format!("L{number}") {
        return Some(format!("{name} is in the place of L{number}"));
    }
    if proof.split([' ', ';', ':']).any(|word| word == "open") {
        return Some(format!("{name} is open"));
    }
    let named_tests = named_tests(proof);
    if named_tests.is_empty() && !proof.starts_with("none: ") {
        return Some(format!("{name} has neither a test nor a reason"));
    }
    let missing = named_tests.iter().find(|test| !tests.contains(**test))?;
    Some(format!("{name}: there is no test {missing}"))
}

#[test]
fn leak_channels_name_existing_tests() {
    let tests = tests_of_the_workspace();
    let table = fs::read_to_string(workspace().join("docs/leaks.md")).unwrap();
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| L")).collect();
    assert_eq!(rows.len(), 40);
    let errors: Vec<String> =
        rows.iter().zip(1..).filter_map(|(row, number)| row_error(row, number, &tests)).collect();
    assert_eq!(errors, Vec::<String>::new());
    // The check detects a wrong row.
    assert!(row_error("| L1 | a | `no_such_test_at_all` |", 1, &tests).is_some());
    assert!(row_error("| L1 | a | |", 1, &tests).is_some());
    assert!(row_error("| L1 | a | `random_text_is_found`; open: b |", 1, &tests).is_some());
    assert!(row_error("| L2 | a | none: b |", 1, &tests).is_some());
}

#[test]
fn security_promises_name_existing_tests() {
    let tests = tests_of_the_workspace();
    let page = fs::read_to_string(workspace().join("SECURITY.md")).unwrap();
    let rows = page.lines().skip_while(|line| !line.starts_with("| from |")).skip(2);
    let rows: Vec<&str> = rows.take_while(|line| line.starts_with('|')).collect();
    assert!(rows.len() >= 15, "{} promises", rows.len());
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, from, _, proof, _] = cells[..] else { panic!("no three cells: {row}") };
        let named_tests = named_tests(proof);
        assert!(!named_tests.is_empty(), "no test for the promise about {from}");
        let missing = named_tests.iter().find(|test| !tests.contains(**test));
        assert_eq!(missing, None, "in the promise about {from}");
    }
}
