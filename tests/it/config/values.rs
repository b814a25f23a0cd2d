//! Tests of value sources: literal, variable, file, command, systemd, stdin and `--set`.

use std::io::Write;
use std::process::Command;
use std::time::Duration;

use gatepass_tests::{Gatepass, Home, Reply, Run, Server, vendor};

fn server() -> Server {
    Server::responding([Reply::json(200, vendor("cisco").token_response("token-1"))])
}

/// Runs `token` with this reference as the secret and `more` environment variables.
fn run(
    home: &Home,
    server: &Server,
    secret: &str,
    more: impl Fn(Gatepass<'_>) -> Gatepass<'_>,
) -> Run {
    let config = vendor("cisco").profile_with(&server.url(), "", |_| secret.to_owned());
    let path = home.write("config.toml", &config);
    more(home.gatepass(["token", "cisco"]).config(&path)).run()
}

/// Returns the secret that the vendor received for this reference.
#[track_caller]
fn sent(home: &Home, secret: &str, more: impl Fn(Gatepass<'_>) -> Gatepass<'_>) -> String {
    let server = server();
    assert_eq!(run(home, &server, secret, more).ok(), "token-1\n");
    let form = server.request().form();
    form.into_iter().find(|(name, _)| name == "client_secret").unwrap().1
}

#[test]
fn file_path_is_relative_to_the_config() {
    let home = Home::new();
    let path = home.write("below/secret", "s");
    home.write("work/below/secret", "of the current folder");
    assert_eq!(sent(&home, "{ file = \"below/secret\" }", |command| command), "s");
    let absolute = format!("{{ file = \"{}\" }}", path.display());
    assert_eq!(sent(&home, &absolute, |command| command), "s");
}

#[test]
fn secret_command_runs_without_a_shell() {
    let home = Home::new();
    let printf = "{ command = [\"printf\", \"%s\\\\n\", \"$HOME; a b\"] }";
    assert_eq!(sent(&home, printf, |command| command), "$HOME; a b");
    home.write_as("ask.sh", "#!/bin/sh\necho from-a-script\n", 0o700);
    assert_eq!(sent(&home, "{ command = [\"./ask.sh\"] }", |command| command), "from-a-script");
}

#[test]
fn systemd_credential_is_read_by_name() {
    let home = Home::new();
    home.write("credentials/cisco", "from systemd\n");
    let folder = home.path("credentials");
    let secret = sent(&home, "{ systemd = \"cisco\" }", |command| {
        command.env("CREDENTIALS_DIRECTORY", &folder)
    });
    assert_eq!(secret, "from systemd");
}

#[test]
fn stdin_secret_is_read() {
    let secret = sent(&Home::new(), "{ stdin = true }", |command| command.stdin("from stdin\n"));
    assert_eq!(secret, "from stdin");
}

#[test]
fn secret_command_has_its_own_timeout() {
    let home = Home::new();
    home.write_as("ask.sh", "#!/bin/sh\nsleep 1\necho from-a-slow-one\n", 0o700);
    let secret = |_: &str| "{ command = [\"./ask.sh\"] }".to_owned();
    let run_token = |server: &Server| {
        let config = vendor("cisco").profile_with(&server.url(), "timeout = \"500ms\"", secret);
        home.write("config.toml", &config);
        home.gatepass(["token", "cisco", "--wait", "0s"]).config(&home.path("config.toml")).run()
    };
    assert_eq!(run_token(&server()).ok(), "token-1\n");
    home.forget_all();
    // The vendor's own timeout is shorter.
    let silent = Server::responding([Reply::silence()]);
    let run = run_token(&silent);
    assert!(run.failed(6).contains("in 0.5 s"), "{run:#?}");
}

#[test]
fn secret_pipe_has_its_own_timeout() {
    let home = Home::new();
    let pipe = home.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let server = server();
    let secret = |_: &str| "{ file = \"pipe\" }".to_owned();
    let config = vendor("cisco").profile_with(&server.url(), "timeout = \"300ms\"", secret);
    home.write("config.toml", &config);
    // Opening the pipe blocks until it is read.
    let writing = std::thread::spawn(move || {
        let mut pipe = std::fs::File::options().write(true).open(pipe).unwrap();
        std::thread::sleep(Duration::from_secs(1));
        pipe.write_all(b"from-a-slow-one\n").unwrap();
    });
    let run = home.gatepass(["token", "cisco", "--wait", "0s"]).config(&home.path("config.toml"));
    assert_eq!(run.run().ok(), "token-1\n");
    writing.join().unwrap();
}

#[test]
fn text_field_accepts_a_reference() {
    let server = server();
    let home = Home::new();
    home.write("id", "id-of-a-file\n");
    let config = "[profiles.cisco]\nenvironment = \"id\"\nbase_url = { env = \"BASE\" }\nclient_id = { file = \"id\" }\n\
                  client_secret = { command = [\"printf\", \"s\"] }\n";
    let path = home.write("config.toml", config);
    let command = home.gatepass(["token", "cisco"]).config(&path).env("BASE", server.url());
    assert_eq!(command.run().ok(), "token-1\n");
    let form = server.request().form();
    assert!(form.contains(&("client_id".into(), "id-of-a-file".into())), "{form:?}");
}

#[test]
fn unreadable_secret_sends_no_request() {
    let home = Home::new();
    home.write("empty", "\n");
    home.write("odd", "\u{0}");
    std::fs::write(home.path("latin-1"), b"caf\xe9").unwrap();
    let server = server();
    for (reference, named) in [
        ("{ env = \"NOT_SET\" }", "NOT_SET"),
        ("{ env = \"EMPTY\" }", "EMPTY"),
        ("{ file = \"missing\" }", "missing"),
        ("{ file = \".\" }", "client_secret"),
        ("{ file = \"empty\" }", "empty"),
        ("{ file = \"latin-1\" }", "UTF-8"),
        ("{ command = [\"no-such-program-anywhere\"] }", "no-such-program-anywhere"),
        ("{ command = [\"false\"] }", "false"),
        ("{ command = [\"true\"] }", "true"),
        ("{ command = [\"sh\", \"-c\", \"echo unsaid-word; exit 7\"] }", "(7)"),
        ("{ command = [\"echo\"] }", "the output of echo is empty"),
        ("{ command = [\"yes\"] }", "more than 64 KiB"),
        ("{ systemd = \"missing\" }", "missing"),
        ("{ systemd = \"empty\" }", "empty"),
        ("{ systemd = \"../missing\" }", "must not be a path"),
        ("{ stdin = true }", "standard input"),
        ("{ keyring = \"x\" }", "keyring"),
        ("\"\"", "empty"),
    ] {
        let run = run(&home, &server, reference, |command| {
            command.env("EMPTY", "").env("CREDENTIALS_DIRECTORY", home.path(""))
        });
        let error = run.failed(2);
        assert!(error.contains(named) && error.contains("client_secret"), "{reference}: {error}");
        assert!(error.contains("cisco/cisco") || error.contains("cisco:"), "{reference}: {error}");
        assert!(error.contains("hint"), "{reference}: {error}");
        assert!(!error.contains("unsaid-word"), "{error}");
    }
    let without_directory = run(&home, &server, "{ systemd = \"x\" }", |command| command);
    assert!(
        without_directory.failed(2).contains("CREDENTIALS_DIRECTORY"),
        "{without_directory:#?}"
    );
    let endless = "x".repeat(64 * 1024 + 1);
    let long = run(&home, &server, "{ stdin = true }", |command| command.stdin(endless.as_str()));
    assert!(long.failed(2).contains("standard input is longer than 64 KiB"), "{long:#?}");
    assert_eq!(server.connections(), 0);
}

#[test]
fn set_overrides_a_setting_for_one_run() {
    let server = server();
    let home =
        Home::with_config(&vendor("cisco").profile(&server.url(), "client_auth = \"basic\""));
    let args = ["token", "cisco", "--set", "client_id=other=1", "--set", "client_auth=form"];
    home.gatepass(args).run().ok();
    let form = server.request().form();
    assert!(form.contains(&("client_id".into(), "other=1".into())), "{form:?}");
    for set in
        ["client_auth=nonsense", "no_such_key=1", "timeout=soon", "environment=moon", "client_id="]
    {
        home.gatepass(["token", "cisco", "--set", set]).run().failed(2);
    }
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn profile_sets_ca_file_and_plain_http() {
    let home = Home::new();
    let config = |more: &str| {
        home.write(
            "config.toml",
            &format!("[profiles.cisco]\nenvironment = \"id\"\nclient_id = \"a\"\nclient_secret = \"b\"\n{more}\n"),
        )
    };
    // 192.0.2.0/24 is reserved for documentation; no packet should be sent.
    let plain = "base_url = \"http://192.0.2.1:9\"\ntimeout = \"1ms\"";
    let run = |path: &std::path::Path| {
        home.gatepass(["token", "cisco", "--wait", "0s"]).config(path).run()
    };
    let rejected = run(&config(plain));
    assert!(rejected.failed(2).contains("allow_plain_http"), "{rejected:#?}");
    let allowed = run(&config(&format!("{plain}\nallow_plain_http = true")));
    let error = allowed.failed(6);
    assert!(error.contains("warning") && error.contains("unencrypted"), "{error}");
    home.write("ca.pem", "no certificate");
    let run = run(&config("base_url = \"https://127.0.0.1:9\"\nca_file = \"ca.pem\""));
    assert!(run.failed(2).contains("ca"), "{run:#?}");
}
