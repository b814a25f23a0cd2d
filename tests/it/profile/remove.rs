//! Tests of `profile remove`: it deletes only the data of that profile.

use std::fs;
use std::os::unix::fs::symlink;

use gatepass_testkit::{canary, find_leak};
use gatepass_tests::{Gatepass, Home, Keyring, Server};

use super::{CONFIG, assert_only_in, cisco, files};

const EXISTING_CONFIG: &str =
    "# mine\r\n\n[profiles.other]   # here\nprovider = 'cisco'\nclient_id = 'x'\n";

fn add<'home>(home: &'home Home, server: &Server, more: &[&str]) -> Gatepass<'home> {
    let base_url = format!("--field=base_url={}", server.url());
    let args = [
        "profile",
        "add",
        "cisco",
        "--field=environment=cloudsso",
        "--field=client_id=abc",
        "--secret-stdin=client_secret",
    ];
    home.gatepass(args.into_iter().chain([base_url.as_str()]).chain(more.iter().copied()))
}

fn remove<'home>(home: &'home Home, more: &[&str]) -> Gatepass<'home> {
    home.gatepass(["profile", "remove"].into_iter().chain(more.iter().copied()))
}

fn config(home: &Home) -> String {
    fs::read_to_string(home.path(CONFIG)).unwrap()
}

/// Returns a home with a hand-written config and the profile `cisco`, whose secret is in a file.
fn with_cisco(server: &Server) -> Home {
    let home = Home::with_config(EXISTING_CONFIG);
    add(&home, server, &["--secrets=file"]).stdin("hunter2").run().ok();
    home
}

#[test]
fn remove_deletes_secret_and_tokens_only() {
    let (server, secret, home) = (cisco(), canary("secret"), Home::with_config(EXISTING_CONFIG));
    add(&home, &server, &["--secrets=file"]).stdin(secret.text()).run().ok();
    assert!(config(&home).contains("[profiles.cisco]"));
    assert_only_in(&home, &secret, &["cisco.client_secret"]);
    let output = remove(&home, &["cisco", "--yes", "--format=json"]).env("RUST_LOG", "trace").run();
    assert_eq!(find_leak(&output.all(), std::slice::from_ref(&secret)), None);
    let output = output.json();
    assert_eq!((&output["forgotten"], &output["exchanges"]), (&1.into(), &1.into()), "{output}");
    let file = home.path("config/gatepass/cisco.client_secret").display().to_string();
    assert_eq!(output["secrets"][0]["secret"], file);
    assert_eq!(output["secrets"][0]["removed"], true);
    assert_eq!(config(&home), EXISTING_CONFIG);
    assert_eq!(files(&home, "config/gatepass"), ["config.toml"]);
    assert_only_in(&home, &secret, &[]);
    let again = remove(&home, &["cisco", "--yes"]).run();
    assert!(again.failed(2).contains("no profile `cisco` in"), "{again:#?}");
    // A new profile with that name can be added and has no token of the old one.
    add(&home, &server, &["--secrets=file", "--no-test"]).stdin("another").run().ok();
    let connections_before = server.connections();
    home.gatepass(["token", "cisco"]).run().ok();
    assert_eq!(server.connections(), connections_before + 1);
}

#[test]
fn remove_without_terminal_names_the_option() {
    let home = with_cisco(&cisco());
    let (before, names) = (config(&home), files(&home, "config/gatepass"));
    let path = home.path(CONFIG).display().to_string();
    for (more, command) in [
        ([].as_slice(), "gatepass profile remove cisco --yes\n".to_owned()),
        (&["--config", &path], format!("gatepass profile remove cisco --yes --config {path}\n")),
    ] {
        let run = remove(&home, &[&["cisco"], more].concat()).run();
        assert!(run.failed(2).contains(&command), "{run:#?}");
        let file = home.path("config/gatepass/cisco.client_secret");
        assert!(run.stderr.contains(&format!("client_secret: {}", file.display())), "{run:#?}");
        let error = remove(&home, &[&["cisco", "--format=json"], more].concat()).run();
        assert!(error.error(2)["hint"].to_string().contains(command.trim_end()), "{error:#?}");
    }
    assert_eq!((config(&home), files(&home, "config/gatepass")), (before, names));
    home.gatepass(["token", "cisco"]).run().ok();
}

#[test]
fn remove_asks_for_confirmation() {
    let server = cisco();
    let home = with_cisco(&server);
    for (reply, code) in [("", 2), ("n", 2), ("y", 0)] {
        let mut terminal = remove(&home, &["cisco"]).at_terminal();
        terminal.wait_for("will remove:");
        terminal.wait_for("cisco.client_secret");
        terminal.wait_for("Remove it? [y/N] ");
        assert!(config(&home).contains("[profiles.cisco]"));
        terminal.line(reply);
        let (exit_code, screen) = terminal.finish();
        assert_eq!(exit_code, Some(code), "{screen}");
        assert_eq!(config(&home) == EXISTING_CONFIG, code == 0, "{screen}");
        assert_eq!(files(&home, "config/gatepass").len(), if code == 0 { 1 } else { 3 });
    }
}

#[test]
fn remove_aborts_if_profile_changed_concurrently() {
    let change: [(&str, &str, i32); 3] = [
        ("client_id = \"abc\"", "client_id = \"abcd\"", 2),
        ("client_id = 'x'\n", "client_id = 'x'\nclient_secret.file = 'cisco.client_secret'\n", 2),
        ("client_id = 'x'", "client_id = 'other'", 0),
    ];
    for (from, to, code) in change {
        let home = with_cisco(&cisco());
        let mut terminal = remove(&home, &["cisco"]).at_terminal();
        terminal.wait_for("Remove it? [y/N] ");
        let changed = config(&home).replace(from, to);
        assert_ne!(changed, config(&home));
        home.write(CONFIG, &changed);
        terminal.line("y");
        let (exit_code, screen) = terminal.finish();
        assert_eq!(exit_code, Some(code), "{screen}");
        if code == 0 {
            assert_eq!(config(&home), EXISTING_CONFIG.replace(from, to));
        } else {
            assert!(screen.contains("another process has changed profile cisco"), "{screen}");
            assert_eq!(config(&home), changed);
        }
        let exists = home.path("config/gatepass/cisco.client_secret").exists();
        assert_eq!(exists, code != 0);
    }
}

#[test]
fn remove_keeps_shared_and_foreign_secrets() {
    type Change = fn(&Home);
    let changes: [(&str, Change); 5] = [
        ("profile other refers to it as well", |home| {
            let path = home.path("config/gatepass/../gatepass/cisco.client_secret");
            let line = format!("client_secret = {{ file = \"{}\" }}\n", path.display());
            let text =
                config(home).replace("client_id = 'x'\n", &format!("client_id = 'x'\n{line}"));
            home.write(CONFIG, &text);
        }),
        ("GATEPASS_LAB_CLIENT_SECRET_FILE refers to it as well", |_| {}),
        ("gatepass did not store it for this profile", |home| {
            fs::remove_file(home.path("config/gatepass/cisco.client_secret.origins")).unwrap();
        }),
        ("gatepass did not store it for this profile", |home| {
            let secret = home.path("config/gatepass/cisco.client_secret");
            fs::rename(&secret, home.path("work/elsewhere")).unwrap();
            symlink(home.path("work/elsewhere"), &secret).unwrap();
        }),
        ("gatepass did not store it for this profile", |home| {
            home.write(CONFIG, &config(home).replace("[profiles.cisco]", "[profiles.lake]"));
        }),
    ];
    for (n, (why, change)) in changes.into_iter().enumerate() {
        let home = with_cisco(&cisco());
        change(&home);
        let name = if n == 4 { "lake" } else { "cisco" };
        let before = files(&home, "config/gatepass");
        let mut command = remove(&home, &[name, "--yes", "--format=json"]);
        if n == 1 {
            let path = home.path("config/gatepass/cisco.client_secret");
            command = command.env("GATEPASS_LAB_CLIENT_SECRET_FILE", path);
        }
        let output = command.run().json();
        let row = &output["secrets"][0];
        assert_eq!((&row["removed"], &row["why"]), (&false.into(), &why.into()), "{n}: {output}");
        assert_eq!(files(&home, "config/gatepass"), before, "{n}");
        assert!(!config(&home).contains(&format!("profiles.{name}]")), "{n}");
        let secret = fs::read_to_string(home.path("config/gatepass/cisco.client_secret")).unwrap();
        assert_eq!(secret, "hunter2\n", "{n}");
    }
}

#[test]
fn remove_deletes_unshared_keyring_entry_and_origins() {
    let (server, home) = (cisco(), Home::new());
    let session = Keyring::start(&home);
    let entries = |account: &str| {
        let find = |account: &str| session.find("gatepass", account).is_some();
        (find(account), find(&format!("{account}.origins")))
    };
    for name in ["lab", "lake"] {
        session.connect(add(&home, &server, &["--name", name])).stdin("hunter2").run().ok();
    }
    let text = "[profiles.shared]\nprovider = \"cisco\"\nenvironment = \"cloudsso\"\nclient_id = \"a\"\n\
                client_secret = { keyring = \"gatepass/lake/client_secret\" }\n";
    home.write(CONFIG, &format!("{}\n{text}", config(&home)));
    // Without a keyring the owner of the entry is unknown.
    let without_keyring = remove(&home, &["lab"]).run();
    assert!(
        without_keyring.failed(2).contains("will keep: client_secret: the keyring entry"),
        "{without_keyring:#?}"
    );
    for (name, is_kept) in [("lab", false), ("lake", true)] {
        let account = format!("{name}/client_secret");
        assert_eq!(entries(&account), (true, true), "{name}");
        session.connect(remove(&home, &[name, "--yes"])).run().ok();
        assert_eq!(entries(&account), (is_kept, is_kept), "{name}");
    }
    assert!(config(&home).ends_with(text) && !config(&home).contains("profiles.la"));
    // gatepass does not delete entries that it did not store.
    let remove_shared = remove(&home, &["shared", "--yes"]);
    session.connect(remove_shared).run().ok();
    assert_eq!(entries("lake/client_secret"), (true, true));
}

#[test]
fn remove_rejects_an_unknown_profile() {
    let home = Home::with_config(EXISTING_CONFIG);
    for (name, expected) in [
        ("othr", "did you mean `other`?"),
        ("nobody", "list the profiles: gatepass list"),
        ("a/b", "is not a valid profile name"),
        ("river", "comes from the environment"),
        ("torn", "comes from the environment"),
    ] {
        let run = remove(&home, &[name, "--yes"])
            .env("GATEPASS_RIVER_PROVIDER", "celerdata")
            .env("GATEPASS_RIVER_CLIENT_ID", "a")
            .env("GATEPASS_RIVER_CLIENT_SECRET", "b")
            .env("GATEPASS_TORN_PROVIDER", "nobody")
            .run();
        assert!(run.failed(2).contains(expected), "{name}: {run:#?}");
    }
    assert_eq!(config(&home), EXISTING_CONFIG);
    let inline = "profiles = { a = { client_id = \"x\" }, b = {} }\n";
    home.write(CONFIG, inline);
    let run = remove(&home, &["a", "--yes"]).run();
    assert!(run.failed(2).contains("remove its lines by hand"), "{run:#?}");
    assert_eq!(config(&home), inline);
}

#[test]
fn remove_works_for_an_invalid_profile() {
    let invalid = "\n# torn\n[profiles.torn]\nprovider = \"nobody\"\nno_key = 7\nclient_secret = { fil = 1 }\n";
    let home = Home::with_config(&format!("{EXISTING_CONFIG}{invalid}"));
    remove(&home, &["torn", "--yes"]).run().ok();
    assert_eq!(config(&home), EXISTING_CONFIG);
}

#[test]
fn ten_parallel_removes_remove_ten_profiles() {
    let (server, home) = (cisco(), Home::with_config(EXISTING_CONFIG));
    let names: Vec<_> = (0..10).map(|n| format!("lab-{n}")).collect();
    for name in &names {
        let add = add(&home, &server, &["--no-test", "--secrets=file", "--name", name]);
        add.stdin("secret").run().ok();
    }
    let all: Vec<_> = names.iter().map(|name| remove(&home, &[name, "--yes"]).spawn()).collect();
    for command in all {
        command.finish().ok();
    }
    assert_eq!(config(&home), EXISTING_CONFIG);
    assert_eq!(files(&home, "config/gatepass"), ["config.toml"]);
}
