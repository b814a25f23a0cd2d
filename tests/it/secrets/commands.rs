//! Tests of every command for every vendor at the highest log level.

use std::fs;

use gatepass_sandbox::Fault;
use gatepass_testkit::{Canary, find_leak};
use gatepass_tests::{Home, Reply, VENDORS, Vendors, vendor};

use super::{Stage, arguments, with_trace_logs};

#[test]
fn only_token_prints_a_token_to_stdout() {
    for one in &VENDORS {
        let stage = Stage::new(vendor(one.id));
        for format in FORMATS {
            for run in stage.run(&["token", one.id, "--format", format]) {
                stage.assert_no_leak(&run.stderr, format);
                let allowed: &[&str] = match format {
                    // The header that the vendor requires in addition to the token.
                    "header" | "curl" => &["token", "subscription_key"],
                    _ => &["token"],
                };
                assert_eq!(find_leak(run.ok(), &stage.canaries(allowed)), None, "{format}");
                let times = if format == "aws" { 2 } else { 1 };
                assert_eq!(run.stdout.matches(stage.tokens[0].text()).count(), times, "{format}");
            }
        }
        stage.assert_files_clean();
    }
}

#[test]
fn credential_helper_prints_the_token_only() {
    for one in &VENDORS {
        let stage = Stage::new(vendor(one.id));
        let url = stage.server.url();
        let host = url.replace("http://", "");
        for (format, request) in [
            ("git", format!("capability[]=authtype\nprotocol=http\nhost={host}\n\n")),
            ("git", format!("protocol=http\nhost={host}\n\n")),
            ("docker", host.clone()),
            ("bazel", format!("{{\"uri\":\"{url}/x\"}}")),
        ] {
            let args = ["token", one.id, "--format", format, "get"];
            let run = with_trace_logs(stage.home.gatepass(args)).stdin(request).run();
            stage.assert_no_leak(&run.stderr, format);
            assert_eq!(find_leak(run.ok(), &stage.canaries(&["token"])), None, "{format}");
            assert_eq!(run.stdout.matches(stage.tokens[0].text()).count(), 1, "{format}");
            let rejected = format!("password={}\n\n", stage.tokens[0].text());
            let erase = ["token", one.id, "--format", "git", "erase"];
            let run = with_trace_logs(stage.home.gatepass(erase)).stdin(rejected).run();
            run.ok();
            stage.assert_no_leak(&run.all(), "erase");
        }
        stage.assert_files_clean();
    }
}

#[test]
fn other_commands_print_no_token() {
    for one in &VENDORS {
        let stage = Stage::new(vendor(one.id));
        for args in [
            ["list"].as_slice(),
            &["list", "--format", "json"],
            &["providers"],
            &["completions", "zsh"],
            &["inspect", one.id, "--fresh"],
            &["inspect", one.id, "--fresh", "--format", "json"],
            &["call", one.id, one.api_path],
            &["call", one.id, one.api_path, "--include", "-d", "{}"],
        ] {
            for run in stage.run(args) {
                run.ok();
                stage.assert_no_leak(&run.all(), &args.join(" "));
            }
        }
        stage.assert_files_clean();
    }
}

#[test]
fn rejected_token_is_not_shown() {
    for one in &VENDORS {
        let vendor = vendor(one.id);
        let stage = Stage::responding(vendor, "", move |stage, request| match request.path() {
            path if path == vendor.token_path => Reply::json(200, stage.response.clone()),
            _ => Reply::json(401, "{\"error\": \"invalid_token\"}"),
        });
        for run in stage.run(&["call", one.id, one.api_path, "--fail"]) {
            assert_eq!(run.code, Some(3), "{run:#?}");
            stage.assert_no_leak(&run.all(), "call");
        }
    }
}

#[test]
fn secrets_of_all_sources_are_not_shown() {
    let vendor = vendor("cisco");
    let stage = Stage::new(vendor);
    let secret = stage.secrets[0].text();
    stage.home.write("secret", secret);
    for (reference, stdin) in [
        ("{ env = \"S\" }", ""),
        ("{ file = \"secret\" }", ""),
        ("{ command = [\"cat\", \"SECRET-FILE\"] }", ""),
        ("{ stdin = true }", secret),
    ] {
        let file = stage.home.path("secret");
        let reference = reference.replace("SECRET-FILE", file.to_str().unwrap());
        let config = vendor.profile_with(&stage.server.url(), "", |_| reference.clone());
        let path = stage.home.write("by-reference.toml", &config);
        for args in [["token", "cisco"].as_slice(), &["inspect", "cisco", "--fresh"]] {
            let args = args.iter().copied();
            let run = stage.home.gatepass(args).config(&path).stdin(stdin);
            let run = with_trace_logs(run).env("S", secret).run();
            run.ok();
            stage.assert_no_leak(&run.stderr, &reference);
            assert_eq!(find_leak(&run.stdout, &stage.secrets), None, "{reference}");
        }
    }
}

#[test]
fn secret_in_query_is_not_shown() {
    for reply in [
        None,
        Some(Reply::empty(401)),
        Some(Reply::empty(503)),
        Some(Reply::empty(302).with("location", "https://vendor.example.com/")),
        Some(Reply::close()),
        Some(Reply::silence()),
        Some(Reply::raw("no HTTP\r\n")),
    ] {
        let stage =
            Stage::responding(vendor("cisco"), "client_auth = \"query\"", move |stage, _| {
                reply.clone().unwrap_or_else(|| Reply::json(200, stage.response.clone()))
            });
        for run in stage.run(&["token", "cisco", "--wait", "0s"]) {
            stage.assert_no_leak(&run.stderr, "query");
        }
        let requests = stage.server.requests();
        assert!(requests.iter().all(|request| request.target.contains(stage.secrets[0].text())));
    }
    // No server listens.
    let stage = Stage::new(vendor("cisco"));
    let config =
        vendor("cisco").profile_with("http://127.0.0.1:1", "client_auth = \"query\"", |_| {
            format!("\"{}\"", stage.secrets[0].text())
        });
    let path = stage.home.write("unreachable.toml", &config);
    let run =
        with_trace_logs(stage.home.gatepass(["token", "cisco", "--wait", "0s"]).config(&path))
            .run();
    stage.assert_no_leak(run.failed(6), "unreachable server");
}

#[test]
fn urls_have_no_secret_by_default() {
    let vendors = Vendors::start();
    let home = vendors.home();
    for vendor in &VENDORS {
        home.gatepass(["token", vendor.id]).run().ok();
    }
    assert_eq!(vendors.sandbox.state().total.secrets_in_url, 0);
    home.gatepass(["token", "cisco", "--set", "client_auth=query"]).run().ok();
    assert_eq!(vendors.sandbox.state().total.secrets_in_url, 1);
    vendors.stop();
}

#[test]
fn sandbox_prints_secrets_in_config_and_json_only() {
    let home = Home::new();
    let sandbox =
        with_trace_logs(home.gatepass(["sandbox", "--listen", "127.0.0.1:0", "-v"])).spawn();
    let mut printed = sandbox.line();
    while !printed.contains(".toml\n") {
        printed += &sandbox.line();
    }
    let line = printed.lines().find(|line| line.ends_with(".toml")).unwrap();
    let path = line.split_whitespace().last().unwrap();
    let config = fs::read_to_string(path).unwrap();
    let secrets: Vec<Canary> = config
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .filter(|(name, _)| name.contains("secret") || name.contains("key"))
        .map(|(name, value)| Canary::new(name, value.trim_matches('"')))
        .collect();
    assert_eq!(secrets.len(), 8, "{config}");
    for one in &VENDORS {
        let token = home.gatepass(["token", one.id]).config(path.as_ref());
        with_trace_logs(token).run().ok();
    }
    sandbox.interrupt();
    let run = sandbox.finish();
    assert_eq!(find_leak(&(printed + &run.all()), &secrets), None);
}

#[test]
fn demo_shows_no_token() {
    for args in [["demo", "-vv"], ["demo", "--format=json"]] {
        let run = with_trace_logs(Home::new().gatepass(args)).run();
        run.ok();
        // The marks of the sandbox's tokens.
        for mark in ["SANDBOX", "5A4DB0C5", "5a4db0c5-", "Bearer ", "eyJ"] {
            assert!(!run.all().contains(mark), "{mark}: {run:#?}");
        }
    }
}

#[test]
fn running_command_has_no_secret_argument() {
    for one in &VENDORS {
        let stage = Stage::responding(vendor(one.id), "", |_, _| Reply::silence());
        let running = stage.home.gatepass(["token", one.id, "--wait", "0s"]).spawn();
        stage.server.arrival();
        let arguments = arguments(running.id());
        assert!(arguments.contains(one.id), "{arguments}");
        stage.assert_no_leak(&arguments, "arguments");
        running.finish().failed(6);
    }
}

#[test]
fn echo_faults_of_the_sandbox_are_redacted() {
    let vendors = Vendors::start();
    let home = vendors.home();
    for one in &VENDORS {
        let client = vendors.sandbox.client(one.id).unwrap();
        let secrets: Vec<Canary> =
            one.secrets.iter().map(|name| Canary::new(name, client.field(name).unwrap())).collect();
        for fault in ["error-echoes-secret", "token-echoes-secret"] {
            vendors.sandbox.inject(Fault::new(fault).provider(one.id).times(1)).unwrap();
            let run = with_trace_logs(home.gatepass(["token", one.id, "--wait", "0s"])).run();
            assert!(matches!(run.code, Some(3 | 6)), "{run:#?}");
            assert_eq!(find_leak(&run.all(), &secrets), None, "{fault} {}", one.id);
        }
    }
    vendors.stop();
}

/// The formats of `token` other than credential helpers.
const FORMATS: [&str; 11] = [
    "raw",
    "json",
    "header",
    "curl",
    "env",
    "sh",
    "fish",
    "powershell",
    "dotenv",
    "kubernetes",
    "aws",
];
