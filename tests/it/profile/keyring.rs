//! Tests of profiles whose secrets are stored in GNOME Keyring.

use std::fs;

use gatepass_testkit::{canary, find_leak};
use gatepass_tests::{Gatepass, Home, Keyring, Reply, Server};

use super::{CONFIG, assert_only_in, cisco, files};

#[test]
fn secret_is_stored_in_the_keyring_if_available() {
    let (server, secret, home) = (cisco(), canary("secret"), Home::new());
    let session = Keyring::start(&home);
    let run = session.connect(init(&home, &server, &["-vv"])).stdin(secret.text()).run();
    run.ok();
    assert_eq!(find_leak(&run.all(), std::slice::from_ref(&secret)), None);
    assert_only_in(&home, &secret, &[]);
    assert_eq!(session.find("gatepass", "cisco/client_secret").as_deref(), Some(secret.text()));
    let config = fs::read_to_string(home.path(CONFIG)).unwrap();
    let line = "client_secret = { keyring = \"gatepass/cisco/client_secret\" }\n";
    assert!(config.contains(line), "{config}");
    session.connect(home.gatepass(["token", "cisco", "--fresh"])).run().ok();
}

#[test]
fn profile_of_another_config_keeps_its_entry() {
    let (server, home) = (cisco(), Home::new());
    let session = Keyring::start(&home);
    let init_with = |text: &str, more: &[&str]| {
        session.connect(init(&home, &server, more)).stdin(text).run().ok().to_owned()
    };
    init_with("one", &[]);
    init_with("two", &["--config=other.toml"]);
    let find = |account| session.find("gatepass", account);
    assert_eq!(find("cisco/client_secret").as_deref(), Some("one"));
    assert_eq!(find("cisco-2/client_secret").as_deref(), Some("two"));
    // A replaced profile keeps its own entry.
    init_with("three", &["--force", "--name=cisco"]);
    init_with("four", &["--force", "--config=other.toml"]);
    assert_eq!(find("cisco/client_secret").as_deref(), Some("three"));
    assert_eq!(find("cisco-2/client_secret").as_deref(), Some("four"));
    assert_eq!(find("cisco-3/client_secret"), None);
}

#[test]
fn secret_falls_back_to_a_file_without_keyring() {
    let (server, home) = (cisco(), Home::new());
    let session = Keyring::start(&home);
    session.lock();
    let expected = init(&home, &server, &["--secrets=keyring"]);
    let run = session.connect(expected).stdin("secret").run();
    assert!(run.failed(2).contains("keyring"), "{run:#?}");
    assert!(files(&home, "config/gatepass").is_empty());
    for (name, has_session) in [("locked", true), ("none", false)] {
        let command = init(&home, &server, &["--name", name]);
        let command = if has_session { session.connect(command) } else { command };
        let run = command.stdin("secret").run();
        assert_eq!(run.ok(), "");
        assert!(
            run.stderr.contains("storing the secret in a file that only you can read"),
            "{run:#?}"
        );
        assert!(home.path(format!("config/gatepass/{name}.client_secret")).exists());
    }
}

#[test]
fn entry_is_removed_with_a_discarded_profile() {
    let server = Server::new(|_, _| Reply::json(401, "{\"error\":\"invalid_client\"}"));
    let home = Home::new();
    let session = Keyring::start(&home);
    let base_url = format!("base_url={}", server.url());
    let args = ["init", "celerdata", "--field=client_id=abc", "--field", &base_url];
    let mut terminal = session.connect(home.gatepass(args)).at_terminal();
    terminal.wait_for("client_secret: ");
    terminal.wait_until_hidden();
    terminal.line("secret");
    terminal.wait_for("Keep the profile? [Y/n] ");
    let find = || session.find("gatepass", "celerdata/client_secret");
    assert_eq!(find().as_deref(), Some("secret"));
    terminal.line("n");
    assert_eq!(terminal.finish().0, Some(3));
    assert_eq!(find(), None);
    assert!(files(&home, "config/gatepass").is_empty());
}

fn init<'home>(home: &'home Home, server: &Server, more: &[&str]) -> Gatepass<'home> {
    let base_url = format!("--field=base_url={}", server.url());
    let args = [
        "init",
        "cisco",
        "--field=environment=cloudsso",
        "--field=client_id=abc",
        "--secret-stdin=client_secret",
    ];
    home.gatepass(args.into_iter().chain([base_url.as_str()]).chain(more.iter().copied()))
}
