//! Tests of the hints for commands and options of other tools.

use gatepass_testkit::{canary, find_leak};
use gatepass_tests::{Home, vendor};

/// A home with the profiles `cisco` and `my-lake`.
fn home() -> Home {
    let lake = vendor("celerdata").profile("http://127.0.0.1:9", "");
    let lake = lake.replace("[profiles.celerdata]", "[profiles.my-lake]\nprovider = \"celerdata\"");
    Home::with_config(&(vendor("cisco").profile("http://127.0.0.1:9", "") + &lake))
}

/// Runs a command line and expects this message and these hints.
#[track_caller]
fn assert_hints(home: &Home, line: &str, message: &str, hints: &[&str]) {
    let run = home.gatepass(line.split(' ')).run();
    let exit = if line.starts_with("exec") { 125 } else { 2 };
    let mut lines = run.failed(exit).lines();
    assert_eq!(lines.next().unwrap(), format!("gatepass: {message}"), "{line}: {run:#?}");
    for hint in hints {
        assert_eq!(lines.next().unwrap_or_default(), format!("  hint: {hint}"), "{line}: {run:#?}");
    }
    assert_eq!(lines.next(), None, "{line}: {run:#?}");
}

#[test]
fn commands_of_other_tools_lead_to_the_right_one() {
    let home = home();
    for (line, hints) in [
        ("get cisco", ["print a token: gatepass token cisco"].as_slice()),
        ("fetch my-lake", &["print a token: gatepass token my-lake"]),
        (
            "auth cisco",
            &[
                "a token needs no further command: gatepass token cisco",
                "log in with a browser: gatepass login cisco",
            ],
        ),
        ("signin cisco", &["log in with a browser: gatepass login cisco"]),
        ("refresh cisco", &["request a new token: gatepass token cisco --fresh"]),
        ("status", &["list the profiles: gatepass list"]),
        ("status my-lake", &["list the profiles: gatepass list my-lake"]),
        ("profiles", &["list the profiles: gatepass list"]),
        (
            "logout cisco",
            &["gatepass cannot revoke a token at the vendor; this removes it from the cache: \
               gatepass forget cisco"],
        ),
        ("show cisco", &["show a token's state: gatepass inspect cisco"]),
        ("logs cisco", &["show recent token requests: gatepass why cisco"]),
        ("test", &["check every step: gatepass doctor"]),
        ("curl cisco", &["send an API request: gatepass call cisco /PATH"]),
        ("run cisco", &["run a program with a token: gatepass exec cisco -- PROGRAM"]),
        ("version", &["print the version: gatepass --version"]),
        ("rm cisco", &["remove a profile: gatepass profile remove cisco"]),
        // Without a profile, and with two to choose from.
        ("get", &["print a token: gatepass token PROFILE"]),
        ("tokn cisco", &["did you mean: gatepass token cisco"]),
    ] {
        let word = line.split(' ').next().unwrap();
        assert_hints(&home, line, &format!("unrecognized command '{word}'"), hints);
    }
}

#[test]
fn word_below_a_group_leads_to_the_right_command() {
    let home = home();
    for (line, word, hint) in [
        ("profile list", "list", "list the profiles: gatepass list"),
        ("profile ls", "ls", "list the profiles: gatepass list"),
        ("profile show cisco", "show", "list the profiles: gatepass list cisco"),
        ("profile delete cisco", "delete", "remove a profile: gatepass profile remove cisco"),
        ("profile test cisco", "test", "check every step: gatepass doctor cisco"),
        ("profile token cisco", "token", "print a token: gatepass token cisco"),
        (
            "profile use cisco",
            "use",
            "gatepass has no current profile: name it with each command: gatepass token cisco",
        ),
        ("config show", "show", "list the profiles: gatepass list"),
        ("config validate", "validate", "check the config: gatepass config check"),
        ("profiles list", "profiles", "list the profiles: gatepass list"),
        ("auth login cisco", "auth", "log in with a browser: gatepass login cisco"),
        ("auth print-access-token cisco", "auth", "print a token: gatepass token cisco"),
        ("auth status", "auth", "list the profiles: gatepass list"),
    ] {
        assert_hints(&home, line, &format!("unrecognized command '{word}'"), &[hint]);
    }
}

#[test]
fn profile_as_first_argument_leads_to_token() {
    let home = home();
    for (line, hint) in [
        ("cisco", "print a token: gatepass token cisco"),
        ("my-lake token", "print a token: gatepass token my-lake"),
        ("cisco keep", "keep a token in a file: gatepass keep cisco --file FILE"),
        ("cisco login", "log in with a browser: gatepass login cisco"),
        ("cisco call /hello", "send an API request: gatepass call cisco /PATH"),
        ("huawei", "add a profile of this provider: gatepass init huawei"),
    ] {
        let word = line.split(' ').next().unwrap();
        assert_hints(&home, line, &format!("unrecognized command '{word}'"), &[hint]);
    }
    let path = home.path("config/gatepass/config.toml");
    let run = Home::new().gatepass(["cisco"]).config(&path).run();
    let hint = format!("gatepass token cisco --config {}\n", path.display());
    assert!(run.failed(2).ends_with(&hint), "{run:#?}");
}

#[test]
fn option_of_another_tool_leads_to_the_right_argument() {
    let home = home();
    for (line, option, hint) in [
        ("token --profile cisco", "--profile", "the profile is an argument: gatepass token cisco"),
        (
            "--profile my-lake token",
            "--profile",
            "the profile is an argument: gatepass token my-lake",
        ),
        ("--profile=cisco", "--profile", "the profile is an argument: gatepass token cisco"),
        ("login --profile cisco", "--profile", "the profile is an argument: gatepass login cisco"),
        ("token -p cisco", "-p", "the profile is an argument: gatepass token cisco"),
        ("list --profile cisco", "--profile", "the profile is an argument: gatepass list cisco"),
        (
            "profile remove --profile cisco",
            "--profile",
            "the profile is an argument: gatepass profile remove cisco",
        ),
        (
            "exec --profile cisco -- true",
            "--profile",
            "the profile is an argument: gatepass exec cisco -- PROGRAM",
        ),
        (
            "token cisco --json",
            "--json",
            "select the output format: gatepass token cisco --format json",
        ),
        (
            "token cisco --curl",
            "--curl",
            "select the output format: gatepass token cisco --format curl",
        ),
        ("list -o json", "-o", "select the output format: gatepass list --format json"),
        ("token cisco --force", "--force", "request a new token: gatepass token cisco --fresh"),
        (
            "token cisco --ttl 10m",
            "--ttl",
            "require a remaining lifetime: gatepass token cisco --min-ttl 10m",
        ),
        (
            "token cisco --scope all",
            "--scope",
            "set this key: gatepass token cisco --set scope=VALUE",
        ),
        (
            "token cisco --base-url https://x.example",
            "--base-url",
            "write base_url into the profile: no option takes an address",
        ),
    ] {
        assert_hints(&home, line, &format!("unexpected option '{option}'"), &[hint]);
    }
    let extra = "unexpected argument 'my-lake'";
    let hint = "one profile at a time: gatepass token my-lake";
    assert_hints(&home, "token cisco my-lake", extra, &[hint]);
    let hint = "print a token: gatepass token cisco";
    assert_hints(&home, "token get cisco", "unexpected argument 'cisco'", &[hint]);
}

#[test]
fn duration_without_unit_is_repeated_with_one() {
    let home = home();
    for (line, option, value, meant, command) in [
        ("token cisco --min-ttl 120", "--min-ttl", "120", "120s", "token cisco"),
        ("token cisco --wait=60", "--wait", "60", "60s", "token cisco"),
        ("token cisco --min-ttl 1d", "--min-ttl", "1d", "24h", "token cisco"),
        ("inspect my-lake --wait 30", "--wait", "30", "30s", "inspect my-lake"),
        ("call cisco /x --timeout 30", "--timeout", "30", "30s", "call cisco /PATH"),
        ("sandbox --ttl 60", "--ttl", "60", "60s", "sandbox"),
        ("exec cisco --min-ttl 120 -- true", "--min-ttl", "120", "120s", "exec cisco"),
    ] {
        let message = format!(
            "invalid value '{value}' for {option}: expected a duration such as {meant}, 10m or 1h30m"
        );
        let end = if line.starts_with("exec") { " -- PROGRAM" } else { "" };
        let hint = format!("write the unit: gatepass {command} {option} {meant}{end}");
        assert_hints(&home, line, &message, &[&hint]);
    }
}

#[test]
fn missing_profile_names_the_known_ones() {
    let home = home();
    let hint = "your profiles are cisco, my-lake: gatepass token cisco";
    assert_hints(&home, "token", "missing argument <PROFILE>", &[hint]);
    let only = Home::with_config(&vendor("cisco").profile("http://127.0.0.1:9", ""));
    let hint = "your only profile is cisco: gatepass why cisco";
    assert_hints(&only, "why", "missing argument <PROFILE>", &[hint]);
    // The only profile is also the one that a hint names.
    assert_hints(
        &only,
        "refresh",
        "unrecognized command 'refresh'",
        &["request a new token: gatepass token cisco --fresh"],
    );
}

#[test]
fn hints_repeat_no_secret() {
    let (home, secret) = (home(), canary("argument"));
    let text = secret.text();
    for args in [
        ["get", text].as_slice(),
        &["auth", "login", text],
        &["cisco", text],
        &[text, "token"],
        &["profile", "list", text],
        &["profile", text],
        &["token", "--profile", text],
        &["--profile", text],
        &["token", "get", text],
        &["token", "cisco", "--wait", text],
        &["help", text],
        &["config", "check", text],
    ] {
        for json in [[].as_slice(), &["--format", "json"]] {
            let run = home.gatepass(args.iter().chain(json).copied()).run();
            assert_eq!(run.code, Some(2), "{args:?}");
            assert_eq!(find_leak(&run.all(), std::slice::from_ref(&secret)), None, "{args:?}");
        }
    }
}

#[test]
fn json_error_has_the_command_of_the_hint() {
    let run = home().gatepass(["get", "cisco", "--format", "json"]).run();
    let error = run.error(2);
    assert_eq!(error["hints"][0]["command"], serde_json::json!(["gatepass", "token", "cisco"]));
}

#[test]
fn help_command_prints_the_same_as_its_option() {
    let home = Home::new();
    for (help, option) in [
        (["help"].as_slice(), ["--help"].as_slice()),
        (&["help", "token"], &["token", "--help"]),
        (&["help", "profile", "add"], &["profile", "add", "--help"]),
        (&["help", "config", "schema"], &["config", "schema", "--help"]),
    ] {
        let (one, other) =
            (home.gatepass(help.iter().copied()), home.gatepass(option.iter().copied()));
        assert_eq!(one.run().ok(), other.run().ok(), "{help:?}");
    }
    let run = home.gatepass(["help", "profile", "list"]).run();
    assert!(run.failed(2).contains("unrecognized command 'list'\n  hint: the commands are: add, "));
}
