//! Tests that output and logs contain no secret, except the token where it is requested.

mod commands;
mod documents;
mod idle_connection;
mod leaks;
mod memory;
mod options;
mod panics;
mod processes;
mod requests;
mod responses;
mod traced;
mod types;

use std::fs;
use std::path::{Path, PathBuf};

use gatepass_testkit::{Canary, canary, find_leak};
use gatepass_tests::{Gatepass, Home, Received, Reply, Run, Server, Vendor};

/// A vendor and a home whose secrets and token are canaries.
struct Stage {
    vendor: &'static Vendor,
    server: Server,
    home: Home,
    secrets: Vec<Canary>,
    tokens: Vec<Canary>,
}

impl Stage {
    /// Starts the vendor with its normal responses.
    fn new(vendor: &'static Vendor) -> Self {
        Self::responding(vendor, "", move |stage, request| match request.path() {
            path if path == vendor.token_path => Reply::json(200, stage.response.clone()),
            _ => Reply::json(200, "{\"a\": 1}"),
        })
    }

    /// Starts the vendor with responses that `script` may change.
    fn responding(
        vendor: &'static Vendor,
        more: &str,
        script: impl Fn(&VendorResponses, &Received) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let secrets: Vec<Canary> = vendor.secrets.iter().map(|name| canary(name)).collect();
        let tokens: Vec<Canary> = ["token", "refresh", "id"].map(canary).into();
        let values = VendorResponses::new(vendor, &tokens, &secrets);
        let server = Server::new(move |_, request| script(&values, request));
        let more = format!("timeout = \"1s\"\n{more}");
        let config = vendor.profile_with(&server.url(), &more, |name| {
            let secret = secrets.iter().find(|secret| secret.name() == name).unwrap();
            format!("\"{}\"", secret.text())
        });
        Self { vendor, server, home: Home::with_config(&config), secrets, tokens }
    }

    /// Runs the command at its highest log level, set by variable and by option.
    fn run(&self, args: &[&str]) -> [Run; 2] {
        let by_variable = with_trace_logs(self.home.gatepass(args.iter().copied()));
        let by_option = self.home.gatepass(args.iter().copied().chain(["-vv"]));
        // Without a store, so that each run handles a response.
        self.home.forget_all();
        let by_variable = by_variable.run();
        self.home.forget_all();
        [by_variable, by_option.env("RUST_BACKTRACE", "full").run()]
    }

    /// Returns the canaries except those that the output may contain.
    fn canaries(&self, allowed: &[&str]) -> Vec<Canary> {
        let all = self.secrets.iter().chain(&self.tokens);
        all.filter(|canary| !allowed.contains(&canary.name())).cloned().collect()
    }

    /// Fails if the output contains a canary.
    #[track_caller]
    fn assert_no_leak(&self, captured: &str, context: &str) {
        let leak = find_leak(captured, &self.canaries(&[]));
        assert_eq!(leak, None, "{}: {context}", self.vendor.id);
    }

    /// Fails if a file of the home other than the config contains a canary.
    #[track_caller]
    fn assert_files_clean(&self) {
        for folder in ["state", "tmp", "work"] {
            let files = files_below(&self.home.path(folder));
            assert!(
                folder != "state" || !files.is_empty(),
                "the store is empty: {}",
                self.vendor.id
            );
            for path in files {
                let bytes = fs::read(&path).unwrap();
                self.assert_no_leak(&path.display().to_string(), "a file's name");
                self.assert_no_leak(&String::from_utf8_lossy(&bytes), &path.display().to_string());
            }
        }
    }
}

/// The values that a scripted response may contain.
struct VendorResponses {
    /// The token response.
    response: String,
    token: String,
    secret: String,
}

impl VendorResponses {
    fn new(vendor: &Vendor, tokens: &[Canary], secrets: &[Canary]) -> Self {
        let response = vendor.token_response(tokens[0].text());
        let response = response.replace("REFRESH-7Q", tokens[1].text());
        Self {
            response: response.replace("ID-7Q", tokens[2].text()),
            token: tokens[0].text().to_owned(),
            secret: secrets[0].text().to_owned(),
        }
    }
}

/// Returns all files below a folder.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files
}

fn with_trace_logs(command: Gatepass<'_>) -> Gatepass<'_> {
    command.env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full")
}

/// Returns the arguments of a running process, which every user can read.
fn arguments(id: u32) -> String {
    String::from_utf8(fs::read(format!("/proc/{id}/cmdline")).unwrap()).unwrap()
}

#[test]
fn leak_detector_finds_leaks_in_each_channel() {
    let home = Home::new();
    let secret = canary("secret");
    let is_found = |text: &str| find_leak(text, std::slice::from_ref(&secret)).is_some();
    let shell = |script: &str| {
        let command = home.program("/bin/sh".as_ref(), ["-c", script]);
        command.env("SECRET", secret.text())
    };
    assert!(is_found(&shell("echo \"key=$SECRET\"").run().stdout));
    assert!(is_found(&shell("echo \"key=$SECRET\" >&2").run().stderr));
    assert!(is_found(&shell("printf %.12s \"$SECRET\" >&2").run().stderr));
    assert!(is_found(&shell("printf %s \"id:$SECRET\" | base64 >&2").run().stderr));
    assert!(!is_found(&shell("printf %.11s \"$SECRET\" >&2").run().stderr));
    let path = home.write(secret.text(), "begun\n");
    let waiting = home.program("tail".as_ref(), ["-f", path.to_str().unwrap()]).spawn();
    // A process may have no arguments before it has started its program.
    assert_eq!(waiting.line(), "begun\n");
    assert!(is_found(&arguments(waiting.id())));
    let deep = home.write(&format!("state/a/b/{}", secret.text()), "");
    let found = files_below(&home.path("state"));
    assert_eq!(found, [deep]);
    assert!(is_found(found[0].to_str().unwrap()));
}

#[test]
fn command_logs_when_enabled() {
    let stage = Stage::new(gatepass_tests::vendor("cisco"));
    for run in stage.run(&["token", "cisco"]) {
        assert!(run.stderr.contains("127.0.0.1"), "the log is empty: {run:#?}");
    }
}
