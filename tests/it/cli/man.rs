//! Tests of the man pages with mandoc.

use std::fs;
use std::path::Path;

use gatepass_tests::Home;

use super::help::commands;

#[test]
fn each_command_has_a_valid_man_page() {
    let home = Home::new();
    let dir = home.path("work/man1");
    fs::create_dir(&dir).unwrap();
    home.gatepass(["man", "--dir", "man1"]).run().ok();
    assert!(fs::read_dir(&dir).unwrap().count() > commands().len());
    let mut pages = vec![String::from("gatepass")];
    pages.extend(commands().iter().map(|command| format!("gatepass-{command}")));
    for page in pages {
        let path = dir.join(format!("{page}.1"));
        let text = read(&home, &path);
        for section in ["NAME", "SYNOPSIS", "EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES"] {
            assert!(text.lines().any(|line| line == section), "{page} has no {section}: {text}");
        }
        let command = page.replacen('-', " ", 1);
        assert!(text.contains(&format!("       {command}")), "{page}: {text}");
        let lint = ["-Tlint", "-Wwarning", path.to_str().unwrap()];
        let lint = home.program("mandoc".as_ref(), lint).run();
        // Accepted warnings: clap_mangen's blank lines before lists of values, and the missing date.
        let accepted = ["skipping paragraph macro: br ", "missing date"];
        let mut warnings = lint.stdout.lines().chain(lint.stderr.lines());
        let warning = warnings.find(|line| !accepted.iter().any(|known| line.contains(known)));
        assert_eq!(warning, None, "{page}");
        assert!(fs::read(&path).unwrap().is_ascii(), "{page}");
    }
}

#[test]
fn man_without_dir_prints_the_main_page() {
    let home = Home::new();
    home.gatepass(["man", "--dir", "."]).run().ok();
    let page = fs::read_to_string(home.path("work/gatepass.1")).unwrap();
    assert_eq!(home.gatepass(["man"]).run().ok(), page);
    assert!(page.contains(".TH GATEPASS 1"), "{page}");
}

#[test]
fn man_creates_its_folder_or_names_it() {
    let home = Home::new();
    home.gatepass(["man", "--dir", "share/man1"]).run().ok();
    assert!(home.path("work/share/man1/gatepass-token.1").exists());
    home.write("work/file", "");
    let run = home.gatepass(["man", "--dir", "file/man1"]).run();
    assert!(run.failed(2).contains("cannot write file/man1"), "{run:#?}");
}

/// Returns a rendered page without overstrikes.
fn read(home: &Home, path: &Path) -> String {
    let run = home.program("mandoc".as_ref(), ["-Tutf8", path.to_str().unwrap()]).run();
    let mut text = String::new();
    for char in run.ok().chars() {
        match char {
            '\x08' => drop(text.pop()),
            char => text.push(char),
        }
    }
    text
}
