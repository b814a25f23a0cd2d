//! Tests of every command with every option of its help at the highest log level. A new option is
//! included automatically, or needs a value in this file.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use gatepass_testkit::{Canary, canary, find_leak};
use gatepass_tests::{Gatepass, Home, Reply, Run, Server, vendor};

use super::loud;

/// A command such as `profile add` and its help.
struct Command {
    words: Vec<String>,
    help: String,
}

/// Returns every command with its help.
fn commands(home: &Home, words: &[String], found: &mut Vec<Command>) {
    let args = words.iter().map(String::as_str).chain(["--help"]);
    let help = home.gatepass(args).run().ok().to_owned();
    match help.split_once("Commands:\n") {
        Some((_, list)) => {
            let lines = list.lines().take_while(|line| !line.is_empty());
            let named = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
            for name in named.filter_map(|line| line.split_whitespace().next()) {
                commands(home, &[words, &[name.to_owned()]].concat(), found);
            }
        }
        None => found.push(Command { words: words.to_vec(), help }),
    }
}

impl Command {
    fn name(&self) -> String {
        self.words.join(" ")
    }

    /// Returns each option with each of its values as arguments.
    fn options(&self) -> Vec<Vec<String>> {
        let mut options = Vec::new();
        let (_, list) = self.help.split_once("Options:\n").unwrap();
        let list = list.split("Examples:").next().unwrap();
        let mut blocks: Vec<Vec<&str>> = Vec::new();
        for line in list.lines().map(str::trim) {
            match line.split_whitespace().find(|word| word.starts_with("--")) {
                Some(_) if line.starts_with('-') && !line.starts_with("- ") => {
                    blocks.push(vec![line])
                }
                _ => blocks.iter_mut().next_back().into_iter().for_each(|block| block.push(line)),
            }
        }
        for block in blocks {
            let mut words = block[0].split([' ', '.']).filter(|word| !word.is_empty());
            let name = words.find(|word| word.starts_with("--")).unwrap();
            let Some(value) = words.next() else {
                // No user logs in.
                let soon = (name == "--login").then_some("--wait=1s");
                options.push([name].into_iter().chain(soon).map(str::to_owned).collect());
                continue;
            };
            let listed = block.iter().filter_map(|line| line.strip_prefix("- "));
            let listed: Vec<&str> = listed.filter_map(|line| line.split(':').next()).collect();
            let values = if listed.is_empty() { vec![sample(name, value)] } else { listed };
            options.extend(values.iter().map(|value| vec![name.to_owned(), (*value).to_owned()]));
        }
        options
    }
}

/// Returns a value for an option whose help lists no values.
fn sample(option: &str, value: &str) -> &'static str {
    match (option, value) {
        (_, "<FILE>") => "../config/gatepass/config.toml",
        ("--set", _) => "timeout=2s",
        ("--field", _) => "client_id=other",
        (_, "<DURATION>") => "1s",
        ("--env", _) => "TOKEN_OF_IT",
        ("--name", _) => "other",
        (_, "<PATH>") => "token-of-it",
        (_, "<METHOD>") => "POST",
        (_, "<HEADER>") => "X-More: words",
        (_, "<DATA>") => "{}",
        (_, "<FIELD>") => "client_secret",
        (_, "<N>") => "1",
        (_, "<ADDRESS>") => "127.0.0.1:0",
        (_, "<FAULT>") => "cisco:status-503*1",
        (_, "<DIR>") => ".",
        _ => unreachable!("say in this file what {option} {value} may be"),
    }
}

/// Returns the further arguments of a command: before the options, options, and after them.
fn needs(command: &str, url: &str) -> (Vec<&'static str>, Vec<[String; 2]>, Vec<&'static str>) {
    let add = || {
        let pair = |name: &str, value: &str| [name.to_owned(), value.to_owned()];
        vec![
            pair("--field", &format!("base_url={url}")),
            pair("--field", "client_id=abc"),
            pair("--secret-stdin", "client_secret"),
            pair("--secrets", "file"),
        ]
    };
    match command {
        "token" | "inspect" | "why" | "doctor" | "forget" => (vec!["cisco"], vec![], vec![]),
        "call" => (vec!["cisco", "/hello"], vec![], vec![]),
        "exec" => (vec!["cisco"], vec![], vec!["--", "true"]),
        "login" => (vec!["person", "--paste"], vec![], vec![]),
        "init" | "profile add" => (vec!["cisco"], add(), vec![]),
        "profile allow" => (vec!["cisco"], vec![], vec![]),
        "profile remove" => (vec!["cisco", "--yes"], vec![], vec![]),
        "completions" => (vec!["bash"], vec![], vec![]),
        "sandbox" => {
            let listen = ["--listen", "127.0.0.1:0"].map(str::to_owned);
            (vec![], vec![listen], vec![])
        }
        "list" | "providers" | "demo" | "man" => (vec![], vec![], vec![]),
        _ => unreachable!("say in this file how `gatepass {command}` is run"),
    }
}

/// A vendor and a home with secrets in the config, in the environment, on standard input and in the
/// store.
struct Place {
    server: Server,
    home: Home,
    secrets: [Canary; 3],
    token: Canary,
}

impl Place {
    fn new() -> Self {
        let (secrets, token) = (["config", "variable", "stdin"].map(canary), canary("token"));
        let answer = vendor("cisco").token_answer(token.text());
        let server = Server::new(move |_, request| match request.path() {
            "/as/token.oauth2" => Reply::json(200, answer.clone()),
            _ => Reply::json(200, "{}"),
        });
        let quoted = |_: &str| format!("\"{}\"", secrets[0].text());
        let cisco = vendor("cisco").profile_with(&server.url(), "", quoted);
        let person = cisco.replace("[profiles.cisco]", "[profiles.person]\nprovider = \"cisco\"");
        let implicit = "grant = \"implicit\"\nredirect_uri = \"http://127.0.0.1:0/callback\"\n";
        let home = Home::with_config(&format!("{cisco}{person}{implicit}"));
        Self { server, home, secrets, token }
    }

    fn run(&self, args: &[String], command: &str) -> Run {
        let gatepass: Gatepass<'_> = loud(self.home.gatepass(args.iter().map(String::as_str)))
            .env("GATEPASS_OTHER_PROVIDER", "cisco")
            .env("GATEPASS_OTHER_CLIENT_ID", "abc")
            .env("GATEPASS_OTHER_CLIENT_SECRET", self.secrets[1].text());
        if command == "sandbox" && !args.iter().any(|arg| arg == "--help") {
            let running = gatepass.spawn();
            let first = running.line();
            running.interrupt();
            let run = running.finish();
            return Run { stdout: first + &run.stdout, ..run };
        }
        // A login reads an address from stdin, where an empty input is invalid.
        let reads = !["login", "demo"].contains(&command);
        gatepass.stdin(if reads { self.secrets[2].text() } else { "" }).run()
    }
}

/// Runs a command with each of its options, in text and JSON format; returns the options of the
/// successful runs.
fn each_option(command: &Command) -> BTreeSet<String> {
    let name = command.name();
    let mut succeeded = BTreeSet::new();
    let none = vec![Vec::new()];
    for option in none.into_iter().chain(command.options()) {
        let given = option.first().cloned().unwrap_or_default();
        for more in [["-vv", "-v"], ["--format", "json"]] {
            if given == more[0] || (given == "--verbose" && more[0] == "-vv") {
                continue;
            }
            let place = Place::new();
            if !["token", "call", "exec", "login"].contains(&name.as_str()) {
                place.home.gatepass(["token", "cisco"]).run().ok();
            }
            let base_url = format!("base_url={}", place.server.url());
            let (words, options, behind) = needs(&name, &place.server.url());
            let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
            // An option that must not be repeated replaces the one that is set here.
            let is_asked = |pair: &&[String; 2]| pair[0] == given && pair[1] != base_url;
            let options = options.iter().filter(|pair| !is_asked(pair));
            let args: Vec<String> = [
                command.words.clone(),
                owned(&words),
                options.flatten().cloned().collect(),
                option.clone(),
                owned(&more),
                owned(&behind),
            ]
            .concat();
            let run = place.run(&args, &name);
            assert_eq!(find_leak(&run.all(), &place.secrets), None, "{args:?}: {run:#?}");
            let token = std::slice::from_ref(&place.token);
            assert_eq!(find_leak(&run.stderr, token), None, "{args:?}: {run:#?}");
            if name != "token" {
                assert_eq!(find_leak(&run.stdout, token), None, "{args:?}: {run:#?}");
            }
            if run.code == Some(0) {
                succeeded.insert(given.clone());
            }
        }
    }
    succeeded
}

#[test]
fn options_do_not_expose_a_secret() {
    let mut all = Vec::new();
    commands(&Home::new(), &[], &mut all);
    let succeeded: BTreeMap<String, BTreeSet<String>> = thread::scope(|scope| {
        let threads: Vec<_> =
            all.iter().map(|one| (one.name(), scope.spawn(|| each_option(one)))).collect();
        threads.into_iter().map(|(name, thread)| (name, thread.join().unwrap())).collect()
    });
    for command in &all {
        let (name, options) = (command.name(), command.options());
        assert!(options.len() >= 3, "{name}: {options:?}");
        // A login waits for a user.
        let done = &succeeded[&name];
        let failed: BTreeSet<_> = options
            .iter()
            .map(|option| &option[0])
            .filter(|option| !done.contains(*option))
            .collect();
        let may_fail = match name.as_str() {
            "login" => continue,
            "demo" => &["--login"][..],
            "init" | "profile add" => &["--secrets-stdin"],
            // Every other option was used in a successful run.
            "profile remove" => &["--yes"],
            _ => &[],
        };
        let failed: Vec<_> =
            failed.into_iter().filter(|it| !may_fail.contains(&it.as_str())).collect();
        assert_eq!(failed, [""; 0], "gatepass {name} never succeeded with these");
    }
}
