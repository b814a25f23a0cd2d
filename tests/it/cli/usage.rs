//! Tests of help, usage errors and closed output streams.

use gatepass_testkit::{Canary, canary, find_leak};
use gatepass_tests::{Home, Reply, Server, gatepass_binary, vendor};

const COMMANDS: [&str; 12] = [
    "token",
    "call",
    "exec",
    "keep",
    "init",
    "list",
    "inspect",
    "why",
    "providers",
    "sandbox",
    "demo",
    "completions",
];

#[test]
fn help_of_each_command_shows_its_usage() {
    let home = Home::new();
    let help = home.gatepass(["--help"]).run();
    for command in COMMANDS {
        assert!(help.ok().contains(command), "{command}");
        let run = home.gatepass([command, "--help"]).run();
        assert!(run.ok().contains("Usage: gatepass"), "{run:#?}");
        assert_eq!(run.stderr, "");
        if ["token", "call", "exec", "init", "inspect", "why", "sandbox", "completions"]
            .contains(&command)
        {
            assert!(run.stdout.contains("Examples:"), "{command} shows no example");
        }
    }
    for code in ["0 ok", "2 usage or config", "3 refused", "5 throttled", "8 token"] {
        assert!(help.stdout.contains(code), "{code}");
    }
    assert!(home.gatepass(["--version"]).run().ok().starts_with("gatepass "));
}

/// The formats of a token file that the other commands do not have.
const FILE_FORMATS: [&str; 2] = ["raw", "header"];

#[test]
fn only_token_help_lists_its_formats() {
    let home = Home::new();
    for command in COMMANDS {
        let help = home.gatepass([command, "--help"]).run();
        let lists = |format: &str| help.ok().contains(&format!("- {format}:"));
        assert!(lists("json"), "{command}");
        for format in ["raw", "header", "sh", "kubernetes", "git", "netrc-note"] {
            let is_of_file = ["exec", "keep"].contains(&command) && FILE_FORMATS.contains(&format);
            assert_eq!(lists(format), command == "token" || is_of_file, "{command}: {format}");
        }
        let has_own = ["exec", "keep", "token"].contains(&command);
        assert_eq!(lists("text"), !has_own, "{command}");
    }
    let run = home.gatepass(["list", "--format", "git"]).run();
    assert!(run.failed(2).contains("possible values: text, json"), "{run:#?}");
}

#[test]
fn help_examples_have_no_secret_arguments() {
    let home = Home::new();
    for command in COMMANDS {
        let help = home.gatepass([command, "--help"]).run();
        for line in help.ok().lines().filter(|line| line.contains("gatepass ")) {
            assert!(!line.contains("--client-secret") && !line.contains("SECRET="), "{line}");
        }
    }
}

#[test]
fn missing_command_prints_help_and_fails() {
    let run = Home::new().gatepass([]).run();
    assert!(run.failed(2).contains("Usage: gatepass"), "{run:#?}");
}

#[test]
fn invalid_arguments_are_usage_errors() {
    let home = Home::new();
    for args in [
        ["tokn", "cisco"].as_slice(),
        &["token"],
        &["token", "cisco", "extra"],
        &["token", "cisco", "--no-such"],
        &["token", "cisco", "-Z"],
        &["token", "cisco", "--min-ttl", "soon"],
        &["token", "cisco", "--min-ttl"],
        &["token", "cisco", "--wait", "-1s"],
        &["token", "cisco", "--set", "novalue"],
        &["sandbox", "--listen", "nowhere"],
        &["help", "tokn"],
    ] {
        let run = home.gatepass(args.iter().copied()).run();
        let lines: Vec<&str> = run.failed(2).lines().collect();
        assert!(lines[0].starts_with("gatepass: "), "{args:?}: {run:#?}");
        assert!(lines[1].contains("hint"), "{args:?}: {run:#?}");
        assert_eq!(lines.len(), 2, "{args:?}: {run:#?}");
        let json = args.iter().copied().chain(["--format", "json"]);
        if args != ["token", "cisco", "--min-ttl"] {
            assert_eq!(home.gatepass(json).run().error(2)["code"], "config", "{args:?}");
        }
    }
}

#[test]
fn missing_arguments_name_the_help() {
    let home = Home::new();
    for (args, help) in [
        (["--quiet", "completions"].as_slice(), "see the help: gatepass completions --help"),
        (&["--set", "a=b", "token"], "see the help: gatepass token --help"),
        (&["exec"], "see the help: gatepass exec --help"),
        (
            &["call", "cisco"],
            "gatepass: missing argument <URL-OR-PATH>\n  hint: see the help: gatepass call --help",
        ),
        (&["help", "tokn"], "the commands are: token, call, exec, "),
    ] {
        let run = home.gatepass(args.iter().copied()).run();
        assert!(run.code != Some(0) && run.stderr.contains(help), "{args:?}: {run:#?}");
    }
}

#[test]
fn hints_repeat_the_config_option() {
    let home = Home::new();
    let path = home.write("c.toml", &vendor("cisco").profile("http://127.0.0.1:9", ""));
    let option = format!(" --config {}", path.display());
    let rows = home.gatepass(["list", "--format", "json"]).config(&path).run().json();
    assert_eq!(rows[0]["next"], format!("gatepass token cisco{option}"));
    let known = home.gatepass(["inspect", "cisco", "--format", "json"]).config(&path).run().json();
    assert_eq!(known["next"], format!("gatepass token cisco{option}"));
    let none = home.path("none.toml");
    let run = home.gatepass(["token", "huawei"]).config(&none).run();
    let init = format!("create a config file: gatepass init --config {}\n", none.display());
    assert!(run.failed(2).contains(&init), "{run:#?}");
    let run = home.gatepass(["token", "huawei"]).config(&path).run();
    assert!(run.failed(2).contains(&format!("gatepass profile add huawei{option}\n")), "{run:#?}");
}

#[test]
fn similar_name_is_suggested() {
    let home = Home::new();
    assert!(home.gatepass(["tokn", "x"]).run().failed(2).contains("token"));
    assert!(home.gatepass(["token", "x", "--min-tl", "1m"]).run().failed(2).contains("--min-ttl"));
}

#[test]
fn secret_argument_is_rejected_and_not_repeated() {
    let secret = canary("argument");
    let (text, home) = (secret.text(), Home::new());
    let joined = [
        format!("--client-secret={text}"),
        format!("--set=client_secret={text}"),
        format!("-d{text}"),
    ];
    for args in [
        ["token", "cisco", "--client-secret", text].as_slice(),
        &["token", "cisco", &joined[0]],
        &["--client-secret", text, "token", "cisco"],
        &["token", "cisco", "--token", text],
        &["token", "cisco", "--password", text],
        &["token", "cisco", text],
        &["token", text],
        &["call", "cisco", text],
        &[text],
        &["token", "cisco", &joined[2]],
        &["token", "cisco", "--wait", text],
        &["token", "cisco", "--set", text],
        &["token", "cisco", "--format", text],
    ] {
        for json in [[].as_slice(), &["--format", "json"]] {
            let run = home.gatepass(args.iter().chain(json).copied()).run();
            run.failed(2);
            // A profile's name is shown, so that the error names it.
            if args != ["token", text] {
                assert_eq!(find_leak(&run.all(), std::slice::from_ref(&secret)), None, "{args:?}");
            }
        }
    }
    let run = home.gatepass(["token", "cisco", "--client-secret", text]).run();
    for source in ["file", "env", "command"] {
        assert!(run.failed(2).contains(source), "{run:#?}");
    }
}

#[test]
fn set_rejects_secrets_and_urls() {
    let secret = canary("set");
    let server = Server::responding([Reply::empty(500)]);
    let home = Home::with_config(&vendor("cisco").profile(&server.url(), ""));
    for key in ["client_secret", "base_url", "api_url", "api_origins", "provider"] {
        let set = format!("{key}={}", secret.text());
        let run = home.gatepass(["token", "cisco", "--set", &set]).run();
        let error = run.failed(2);
        assert!(error.contains(key) && error.contains("hint"), "{error}");
        assert_eq!(find_leak(error, std::slice::from_ref(&secret)), None, "{key}");
    }
    assert_eq!(server.connections(), 0);
}

/// Commands with long and short output, including a token.
const OUTPUT_COMMANDS: [&[&str]; 8] = [
    &["token", "cisco"],
    &["token", "cisco", "--format", "json"],
    &["token", "cisco", "--format", "header"],
    &["token", "cisco", "--format", "env"],
    &["call", "cisco", "/hello"],
    &["providers"],
    &["completions", "bash"],
    &["--help"],
];

/// Starts a vendor with a canary token and returns it with a home.
fn fixture(token: &Canary) -> (Server, Home) {
    let vendor = vendor("cisco");
    let response = vendor.token_response(token.text());
    let server = Server::new(move |_, _| Reply::json(200, response.clone()));
    let home = Home::with_config(&vendor.profile(&server.url(), ""));
    (server, home)
}

#[test]
fn closed_stdout_does_not_panic() {
    let (_server, home) = fixture(&canary("token"));
    for args in OUTPUT_COMMANDS {
        let run = home.gatepass(args.iter().copied()).run_with_closed_stdout();
        assert_eq!((run.code, run.stderr.as_str()), (Some(1), ""), "{args:?}");
    }
}

#[test]
fn full_disk_on_stdout_is_reported_without_the_token() {
    let token = canary("token");
    let (_server, home) = fixture(&token);
    let shell = ["-c", "exec \"$0\" \"$@\" > /dev/full", gatepass_binary().to_str().unwrap()];
    for args in OUTPUT_COMMANDS {
        let run = home.program("/bin/sh".as_ref(), shell.into_iter().chain(args.iter().copied()));
        let run = run.run();
        assert!(run.failed(1).contains("cannot write: the disk is full"), "{args:?}: {run:#?}");
        assert_eq!(find_leak(&run.stderr, std::slice::from_ref(&token)), None, "{args:?}");
    }
}

#[test]
fn non_utf8_argument_is_a_usage_error() {
    let home = Home::new();
    let gatepass = gatepass_binary().to_str().unwrap();
    let shell = ["-c", "exec \"$0\" token \"$(printf 'a\\377')\"", gatepass];
    let run = home.program("/bin/sh".as_ref(), shell).run();
    assert!(run.failed(2).starts_with("gatepass: an argument is not UTF-8\n  hint: "), "{run:#?}");
}
