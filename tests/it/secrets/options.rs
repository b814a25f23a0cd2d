//! Tests of every command with every option of its help at the highest log level. A new option is
//! included automatically, or needs a value in this file.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::Duration;

use gatepass_testkit::{Canary, canary, find_leak};
use gatepass_tests::{Gatepass, Home, Reply, Run, Server, vendor};

use super::with_trace_logs;

/// A command such as `profile add` and its help.
struct Command {
    args: Vec<String>,
    help: String,
}

/// Returns every command with its help.
fn commands(home: &Home, args: &[String], found: &mut Vec<Command>) {
    let with_help = args.iter().map(String::as_str).chain(["--help"]);
    let help = home.gatepass(with_help).run().ok().to_owned();
    match help.split_once("Commands:\n") {
        Some((_, list)) => {
            let lines = list.lines().take_while(|line| !line.is_empty());
            let named = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
            for name in named.filter_map(|line| line.split_whitespace().next()) {
                commands(home, &[args, &[name.to_owned()]].concat(), found);
            }
        }
        None => found.push(Command { args: args.to_vec(), help }),
    }
}

impl Command {
    fn name(&self) -> String {
        self.args.join(" ")
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
            let mut args = block[0].split([' ', '.']).filter(|word| !word.is_empty());
            let name = args.find(|word| word.starts_with("--")).unwrap();
            let Some(value) = args.next().filter(|value| value.starts_with('<')) else {
                // No user logs in.
                let soon = (name == "--login").then_some("--wait=1s");
                options.push([name].into_iter().chain(soon).map(str::to_owned).collect());
                continue;
            };
            let listed = block.iter().filter_map(|line| line.strip_prefix("- "));
            let listed: Vec<&str> = listed.filter_map(|line| line.split(':').next()).collect();
            let values = if listed.is_empty() { vec![sample_value(name, value)] } else { listed };
            options.extend(values.iter().map(|value| vec![name.to_owned(), (*value).to_owned()]));
        }
        options
    }
}

/// Returns a value for an option whose help lists no values.
fn sample_value(option: &str, value: &str) -> &'static str {
    match (option, value) {
        ("--output", "<FILE>") => "response",
        (_, "<FILE>") => "../config/gatepass/config.toml",
        ("--set", _) => "timeout=2s",
        ("--field", _) => "client_id=other",
        (_, "<DURATION>") => "1s",
        ("--env", _) => "OTHER_TOKEN",
        ("--name", _) => "other",
        (_, "<PATH>") => "token-file",
        (_, "<MODE>") => "0640",
        (_, "<GROUP>") => "root",
        (_, "<METHOD>") => "POST",
        (_, "<HEADER>") => "X-Extra: value",
        (_, "<DATA>") => "{}",
        (_, "<NAME=VALUE>") => "name=value",
        (_, "<FIELD>") => "client_secret",
        (_, "<N>") => "1",
        (_, "<ADDRESS>") => "127.0.0.1:0",
        (_, "<FAULT>") => "cisco:status-503*1",
        (_, "<DIR>") => ".",
        _ => unreachable!("define in this file which value {option} {value} gets"),
    }
}

/// Returns the further arguments of a command: before the options, options, and after them.
fn required_args(
    command: &str,
    url: &str,
) -> (Vec<&'static str>, Vec<[String; 2]>, Vec<&'static str>) {
    let add = || {
        let pair = |name: &str, value: &str| [name.to_owned(), value.to_owned()];
        vec![
            pair("--field", &format!("base_url={url}")),
            pair("--field", "environment=cloudsso"),
            pair("--field", "client_id=abc"),
            pair("--secret-stdin", "client_secret"),
            pair("--secrets", "file"),
        ]
    };
    match command {
        "token" | "inspect" | "why" | "doctor" | "forget" => (vec!["cisco"], vec![], vec![]),
        "call" => (vec!["cisco", "/hello"], vec![], vec![]),
        "exec" => (vec!["cisco"], vec![], vec!["--", "true"]),
        "keep" => (vec!["cisco"], vec![["--file", "token-file"].map(str::to_owned)], vec![]),
        "login" => (vec!["interactive", "--paste"], vec![], vec![]),
        "init" | "profile add" => (vec!["cisco"], add(), vec![]),
        "profile allow" => (vec!["cisco"], vec![], vec![]),
        "profile remove" => (vec!["cisco", "--yes"], vec![], vec![]),
        "completions" => (vec!["bash"], vec![], vec![]),
        "sandbox" => {
            let listen = ["--listen", "127.0.0.1:0"].map(str::to_owned);
            (vec![], vec![listen], vec![])
        }
        "list" | "providers" | "demo" | "man" | "help" | "config check" | "config schema" => {
            (vec![], vec![], vec![])
        }
        _ => unreachable!("define in this file the arguments of `gatepass {command}`"),
    }
}

/// A vendor and a home with secrets in the config, in the environment, on standard input and in the
/// store.
struct Fixture {
    server: Server,
    home: Home,
    secrets: [Canary; 3],
    token: Canary,
}

impl Fixture {
    fn new() -> Self {
        let (secrets, token) = (["config", "variable", "stdin"].map(canary), canary("token"));
        let response = vendor("cisco").token_response(token.text());
        let server = Server::new(move |_, request| match request.path() {
            "/as/token.oauth2" => Reply::json(200, response.clone()),
            _ => Reply::json(200, "{}"),
        });
        let quoted = |_: &str| format!("\"{}\"", secrets[0].text());
        let cisco = vendor("cisco").profile_with(&server.url(), "", quoted);
        let interactive =
            cisco.replace("[profiles.cisco]", "[profiles.interactive]\nprovider = \"cisco\"");
        let implicit = "grant = \"implicit\"\nredirect_uri = \"http://127.0.0.1:0/callback\"\n";
        let home = Home::with_config(&format!("{cisco}{interactive}{implicit}"));
        Self { server, home, secrets, token }
    }

    fn run(&self, args: &[String], command: &str) -> Run {
        let gatepass: Gatepass<'_> =
            with_trace_logs(self.home.gatepass(args.iter().map(String::as_str)))
                .env("GATEPASS_OTHER_PROVIDER", "cisco")
                .env("GATEPASS_OTHER_ENVIRONMENT", "id")
                .env("GATEPASS_OTHER_CLIENT_ID", "abc")
                .env("GATEPASS_OTHER_CLIENT_SECRET", self.secrets[1].text());
        let has = |option: &str| args.iter().any(|arg| arg == option);
        let is_watching = has("--watch") || command == "sandbox";
        if (is_watching || command == "keep") && !has("--help") {
            let running = gatepass.spawn();
            let mut first = String::new();
            match is_watching {
                true => first = running.line(),
                false => {
                    let file = self.home.path("work/token-file");
                    let ended = (0..6000).find(|_| {
                        thread::sleep(Duration::from_millis(10));
                        file.exists()
                    });
                    assert!(ended.is_some(), "{args:?} wrote no file");
                }
            }
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
        for extra in [["-vv", "-v"], ["--format", "json"]] {
            if given == extra[0] || (given == "--verbose" && extra[0] == "-vv") {
                continue;
            }
            // These options of `exec` are about its file.
            let is_of_file = ["--mode", "--group", "--format"].contains(&given.as_str());
            let file: &[&str] =
                if name == "exec" && is_of_file { &["--file", "token-file"] } else { &[] };
            let fixture = Fixture::new();
            if !["token", "call", "exec", "login"].contains(&name.as_str()) {
                fixture.home.gatepass(["token", "cisco"]).run().ok();
            }
            let (args, options, trailing) = required_args(&name, &fixture.server.url());
            let owned = |args: &[&str]| args.iter().map(|word| (*word).to_owned()).collect();
            // An option that must not be repeated replaces the one that is set here.
            let is_replaced = |pair: &&[String; 2]| {
                pair[0] == given && (given != "--field" || pair[1].starts_with("client_id="))
            };
            let options = options.iter().filter(|pair| !is_replaced(pair));
            let args: Vec<String> = [
                command.args.clone(),
                owned(&args),
                options.flatten().cloned().collect(),
                owned(file),
                option.clone(),
                owned(&extra),
                owned(&trailing),
            ]
            .concat();
            let run = fixture.run(&args, &name);
            assert_eq!(find_leak(&run.all(), &fixture.secrets), None, "{args:?}: {run:#?}");
            let token = std::slice::from_ref(&fixture.token);
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
        let threads: Vec<_> = all
            .iter()
            .map(|command| (command.name(), scope.spawn(|| each_option(command))))
            .collect();
        threads.into_iter().map(|(name, thread)| (name, thread.join().unwrap())).collect()
    });
    for command in &all {
        let (name, options) = (command.name(), command.options());
        assert!(options.len() >= 3 || name == "config schema", "{name}: {options:?}");
        // A login waits for a user.
        let successful = &succeeded[&name];
        let failed: BTreeSet<_> = options
            .iter()
            .map(|option| &option[0])
            .filter(|option| !successful.contains(*option))
            .collect();
        let may_fail = match name.as_str() {
            "login" => continue,
            "demo" => &["--login"][..],
            "init" | "profile add" => &["--secrets-stdin"],
            // Every other option was used in a successful run.
            "profile remove" => &["--yes"],
            // Only root may give a file to a group that it is not a member of.
            "keep" | "exec" => &["--group"],
            _ => &[],
        };
        let failed: Vec<_> =
            failed.into_iter().filter(|option| !may_fail.contains(&option.as_str())).collect();
        assert_eq!(failed, [""; 0], "gatepass {name} never succeeded with these");
    }
}
