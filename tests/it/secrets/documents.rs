//! Tests of documents and help: no example puts a secret into an argument or a shell's history.

use std::fs;

use gatepass_tests::{Home, workspace};

use super::files_below;
use crate::cli::help::commands;

#[test]
fn documents_show_no_secret_argument() {
    let mut read = 0;
    for path in files_below(workspace()) {
        let relative = path.strip_prefix(workspace()).unwrap().to_str().unwrap();
        let is_documented = !["target", ".git/", "fuzz/target", "fuzz/corpus"]
            .iter()
            .any(|prefix| relative.starts_with(prefix));
        if !is_documented || !(relative.ends_with(".md") || relative.contains("/src/")) {
            continue;
        }
        let Ok(text) = fs::read_to_string(&path) else { continue };
        // From sources only the documentation, which readers copy from.
        let is_read = |line: &&str| relative.ends_with(".md") || line.trim().starts_with("//");
        for line in text.lines().filter(is_read) {
            assert_eq!(exposed_secret(line), None, "{relative}: {line}");
            read += 1;
        }
    }
    assert!(read > 5_000, "only {read} lines");
    let home = Home::new();
    let helps = commands().into_iter().map(|command| vec![command, String::from("--help")]);
    let helps = helps.chain([
        vec![String::from("--help")],
        ["profile", "add", "--help"].map(String::from).into(),
        vec![String::from("man")],
    ]);
    for args in helps {
        let help = home.gatepass(args.iter().map(String::as_str)).run();
        for line in help.ok().lines() {
            assert_eq!(exposed_secret(line), None, "{args:?}: {line}");
        }
    }
}

/// Returns the secret that a line would put into arguments or into a shell's history.
fn exposed_secret(line: &str) -> Option<&str> {
    let args: Vec<&str> = line.split([' ', '`', '(', ')', '|', '\t']).collect();
    let pairs = args.iter().zip(args.iter().skip(1).chain([&""])).flat_map(|(word, next)| {
        let parts: Vec<&str> =
            word.split('=').chain(word.starts_with('-').then_some(*next)).collect();
        parts.windows(2).map(|pair| (pair[0], pair[1])).collect::<Vec<_>>()
    });
    let mut pairs = pairs.filter(|(name, value)| {
        let name = name.trim_matches(['"', '\'', '$', '{']).to_ascii_lowercase().replace('-', "_");
        let is_value = value.starts_with(|c: char| c.is_ascii_alphanumeric() || "'\"".contains(c));
        SECRETS.iter().any(|secret| name.ends_with(secret)) && is_value
    });
    let option = pairs.next().map(|(name, _)| name);
    let bearer = || {
        let lower = line.to_ascii_lowercase();
        let header = lower.find("authorization: bearer ").map(|index| &line[index..])?;
        line.contains("curl").then_some(header)
    };
    let echo = || {
        ["echo ", "printf "].into_iter().find(|&print| {
            let piped = line.split(print).nth(1).and_then(|rest| rest.split_once('|'));
            piped.is_some_and(|(text, to)| to.contains("gatepass") && !text.contains('$'))
        })
    };
    option.or_else(bearer).or_else(echo)
}

/// The suffixes of names whose values are secret.
const SECRETS: [&str; 6] = ["_secret", "password", "_token", "_key", "passphrase", "bearer"];

#[test]
fn document_check_finds_a_secret_argument() {
    for line in [
        "gatepass token cisco --set client_secret=abc",
        "gatepass init cisco --client-secret abc",
        "gatepass init cisco --field=client_secret='abc'",
        "GATEPASS_CISCO_CLIENT_SECRET=abc gatepass token cisco",
        "export GATEPASS_CISCO_CLIENT_SECRET=\"abc\"",
        "curl -H 'Authorization: Bearer abc' https://api.example",
        "curl -H \"Authorization: Bearer $(gatepass token cisco)\" https://api.example",
        "echo abc | gatepass init cisco --secret-stdin client_secret",
        "security add-generic-password -s gatepass -a cisco --password abc",
    ] {
        assert!(exposed_secret(line).is_some(), "{line}");
    }
    for line in [
        "pass show cisco | gatepass init cisco --secret-stdin client_secret",
        "GATEPASS_CISCO_CLIENT_SECRET_FILE=~/cisco.secret gatepass token cisco",
        "gatepass token cisco --format header | curl -H @- https://api.example",
        "`client_secret = { env = \"CISCO_SECRET\" }`",
    ] {
        assert_eq!(exposed_secret(line), None, "{line}");
    }
}
