//! The table of `docs/leaks.md`: whole, and every test that it names exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use gatepass_tests::workspace;

/// The names of all functions that carry `#[test]` or `#[tokio::test]` below a folder.
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

/// What is wrong with a row.
fn fault(row: &str, number: usize, tests: &BTreeSet<String>) -> Option<String> {
    let cells: Vec<&str> = row.split('|').map(str::trim).collect();
    let [_, name, _, proof, _] = cells[..] else { return Some(format!("no three cells: {row}")) };
    if name != format!("L{number}") {
        return Some(format!("{name} stands in the place of L{number}"));
    }
    if proof.split([' ', ';', ':']).any(|word| word == "open") {
        return Some(format!("{name} is open"));
    }
    let is_name = |part: &&str| part.contains('_') && !part.contains(['.', ' ']);
    let named: Vec<&str> = proof.split('`').skip(1).step_by(2).filter(is_name).collect();
    if named.is_empty() && !proof.starts_with("none: ") {
        return Some(format!("{name} has neither a test nor a reason"));
    }
    let missing = named.iter().find(|test| !tests.contains(**test))?;
    Some(format!("{name}: there is no test {missing}"))
}

#[test]
fn every_channel_has_a_test_that_exists_or_a_reason() {
    let mut tests = BTreeSet::new();
    for folder in ["crates", "tests", "xtask"] {
        tests_below(&workspace().join(folder), &mut tests);
    }
    let table = fs::read_to_string(workspace().join("docs/leaks.md")).unwrap();
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("| L")).collect();
    assert_eq!(rows.len(), 40);
    let faults: Vec<String> =
        rows.iter().zip(1..).filter_map(|(row, number)| fault(row, number, &tests)).collect();
    assert_eq!(faults, Vec::<String>::new());
    // A row that is wrong would be found.
    assert!(fault("| L1 | a | `no_such_test_at_all` |", 1, &tests).is_some());
    assert!(fault("| L1 | a | |", 1, &tests).is_some());
    assert!(fault("| L1 | a | `random_texts_are_found`; open: b |", 1, &tests).is_some());
    assert!(fault("| L2 | a | none: b |", 1, &tests).is_some());
}
