//! Tests of secrets in GNOME Keyring, each in its own D-Bus session.

use std::io::{Read, Write};
use std::path::PathBuf;

use gatepass::{Secret, keyring};
use gatepass_testkit::{canary, find_leak};
use gatepass_tests::{Gatepass, Home, Keyring, Reply, Run, Server, vendor};

#[test]
fn keyring_secret_is_used() {
    let home = Home::new();
    let session = Keyring::start(&home);
    for (name, service, account, secret, expected) in [
        ("cisco", "gatepass", "cisco", "a b", "a b"),
        ("acme/cisco/prod", "acme", "cisco/prod", "ä€𝄞", "ä€𝄞"),
        // The value that `echo secret | secret-tool store …` stores.
        ("piped", "gatepass", "piped", "secret\n", "secret"),
    ] {
        session.write(service, account, secret.as_bytes());
        // Further entries with the same service and with the same account.
        session.write(service, "other", b"not this");
        session.write("other", account, b"not this");
        let stage = Stage::new(&home, name);
        assert_eq!(session.connect(stage.command(&home, "token")).run().ok(), "token-1\n");
        let form = stage.server.request().form();
        assert!(form.contains(&("client_secret".into(), expected.into())), "{name}: {form:?}");
        home.forget_all();
    }
}

#[test]
fn keyring_entries_match_the_desktop_tools() {
    let home = Home::new();
    let session = Keyring::start(&home);
    let test = std::env::current_exe().unwrap();
    let args = ["config::keyring::keyring_in_child", "--exact", "--ignored", "--nocapture"];
    let action = |action: &str| {
        let child = session.connect(home.program(&test, args));
        let run = child.stdin(action).run();
        assert!(run.code == Some(0) && run.stdout.contains("1 passed"), "{run:#?}");
        run.stdout
    };
    action("store acme/cisco one");
    assert_eq!(session.find("acme", "cisco").as_deref(), Some("one"));
    action("store acme/cisco two");
    assert_eq!(session.find("acme", "cisco").as_deref(), Some("two"));
    assert!(action("read acme/cisco").contains("read <two>"));
    session.write("gatepass", "cisco", b"of the desktop\n");
    assert!(action("read cisco").contains("read <of the desktop\n>"));
    assert!(action("read gatepass/cisco").contains("read <of the desktop\n>"));
    assert!(action("find acme/cisco").contains("found Some(\"two\")"));
    assert!(action("find acme/unknown").contains("found None"));
    assert!(action("delete acme/cisco").contains("deleted true"));
    assert!(action("delete acme/cisco").contains("deleted false"));
    assert_eq!(session.find("acme", "cisco"), None);
    assert!(
        action("read acme/cisco").contains("failed Config(\"the keyring has no entry acme/cisco")
    );
    session.lock();
    for denied in ["store acme/cisco three", "find cisco"] {
        assert!(action(denied).contains("failed Config(\"the keyring is locked"), "{denied}");
    }
}

/// Runs in the process that the test above starts, because the library reads the session's address
/// from its environment.
#[test]
#[ignore = "a child of the test above"]
fn keyring_in_child() {
    let mut action = String::new();
    std::io::stdin().read_to_string(&mut action).unwrap();
    let args: Vec<&str> = action.split(' ').collect();
    // Inside a runtime, as in a program without `spawn_blocking`.
    gatepass_tests::runtime().block_on(async {
        let result = match args[..] {
            ["store", name, secret] => {
                keyring::store(name, &Secret::from(secret)).map(|()| "stored".to_owned())
            }
            ["read", name] => {
                keyring::read(name).map(|secret| format!("read <{}>", secret.expose_secret()))
            }
            ["find", name] => keyring::find(name).map(|found| {
                format!("found {:?}", found.map(|secret| secret.expose_secret().to_owned()))
            }),
            ["delete", name] => keyring::delete(name).map(|existed| format!("deleted {existed}")),
            _ => panic!("unknown action: {action}"),
        };
        let result = result.unwrap_or_else(|error| format!("failed {error:?}"));
        writeln!(std::io::stdout(), "{result}").unwrap();
    });
}

#[test]
fn missing_keyring_entry_names_the_command() {
    let home = Home::new();
    let session = Keyring::start(&home);
    session.write("gatepass", "other", b"not this");
    let stage = Stage::new(&home, "acme/cisco prod");
    let error = stage.error_of(&home, |command| session.connect(command));
    assert!(error.contains("the keyring has no entry acme/cisco prod"), "{error}");
    let hint = "secret-tool store --label=acme service acme username 'cisco prod'";
    assert!(error.contains(hint), "{error}");
    // The hint's command, as a user pastes it.
    session.program("sh", ["-c", hint]).stdin("secret").run().ok();
    session.connect(stage.command(&home, "token")).run().ok();
}

#[test]
fn invalid_keyring_entry_is_rejected() {
    let home = Home::new();
    let session = Keyring::start(&home);
    for (secret, expected) in
        [(b"\n".as_slice(), "acme/cisco is empty"), (b"unsaid-\xff", "acme/cisco is not UTF-8")]
    {
        session.write("acme", "cisco", secret);
        let stage = Stage::new(&home, "acme/cisco");
        let error = stage.error_of(&home, |command| session.connect(command));
        assert!(error.contains(expected) && !error.contains("unsaid"), "{error}");
    }
}

#[test]
fn locked_keyring_is_reported() {
    let home = Home::new();
    let session = Keyring::start(&home);
    session.write("gatepass", "cisco", b"unsaid");
    session.lock();
    let error = Stage::new(&home, "cisco").error_of(&home, |command| session.connect(command));
    assert!(error.contains("the keyring is locked") && error.contains("unlock it"), "{error}");
}

#[test]
fn missing_keyring_service_names_the_requirement() {
    let home = Home::new();
    let session = Keyring::without_service(&home);
    let missing_socket = format!("unix:path={}", home.path("tmp/no-such-socket").display());
    let runtime = home.path("work");
    let stage = Stage::new(&home, "cisco");
    for error in [
        stage.error_of(&home, |command| command.env("XDG_RUNTIME_DIR", &runtime)),
        stage.error_of(&home, |command| command.env("DBUS_SESSION_BUS_ADDRESS", &missing_socket)),
        stage.error_of(&home, |command| session.connect(command)),
    ] {
        assert!(error.contains("the keyring cannot be reached"), "{error}");
        assert!(error.contains("D-Bus session") && error.contains("{ file = … }"), "{error}");
    }
}

#[test]
fn keyring_is_read_only_when_referenced() {
    let home = Home::new();
    let server = Server::responding([Reply::json(200, vendor("cisco").token_response("token-1"))]);
    let config = vendor("cisco").profile(&server.url(), "")
        + &vendor("huawei").profile_with(&server.url(), "", |_| "{ keyring = \"x\" }".to_owned());
    let config = home.write("config.toml", &config);
    let bus = std::os::unix::net::UnixListener::bind(home.path("tmp/bus")).unwrap();
    bus.set_nonblocking(true).unwrap();
    let address = format!("unix:path={}", home.path("tmp/bus").display());
    // The bus would log a connection.
    for args in [["token", "cisco"].as_slice(), &["inspect", "cisco"], &["list"], &["providers"]] {
        let command = home.gatepass(args.iter().copied()).config(&config);
        command.env("DBUS_SESSION_BUS_ADDRESS", &address).run().ok();
    }
    let no_connection = bus.accept().unwrap_err();
    assert_eq!(no_connection.kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn keyring_secrets_are_not_logged() {
    let home = Home::new();
    let session = Keyring::start(&home);
    let secret = canary("secret");
    session.write("gatepass", "cisco", secret.text().as_bytes());
    let stage = Stage::new(&home, "cisco");
    let run_logged = |run: &str| -> Run {
        let command = stage.command(&home, run).args(["-vv"]).env("RUST_LOG", "trace");
        session.connect(command).run()
    };
    let (token, inspect) = (run_logged("token"), run_logged("inspect"));
    let form = stage.server.request().form();
    assert!(
        form.contains(&("client_secret".into(), secret.text().into())),
        "the request must contain the secret"
    );
    assert_eq!(token.ok(), "token-1\n");
    assert!(inspect.ok().contains("the keyring entry gatepass/cisco"), "{inspect:#?}");
    session.lock();
    home.forget_all();
    let locked = run_logged("token");
    locked.failed(2);
    for run in [token, inspect, locked] {
        assert_eq!(find_leak(&run.all(), std::slice::from_ref(&secret)), None);
    }
}

/// A vendor and a profile whose secret is in the keyring.
struct Stage {
    server: Server,
    config: PathBuf,
}

impl Stage {
    fn new(home: &Home, name: &str) -> Self {
        let server =
            Server::responding([Reply::json(200, vendor("cisco").token_response("token-1"))]);
        let reference = format!("{{ keyring = \"{name}\" }}");
        let config = vendor("cisco").profile_with(&server.url(), "", |_| reference.clone());
        let config = home.write("config.toml", &config);
        Self { server, config }
    }

    fn command<'home>(&self, home: &'home Home, command: &str) -> Gatepass<'home> {
        home.gatepass([command, "cisco"]).config(&self.config)
    }

    /// Returns the error of a missing secret; checks that it names the field and that no request is sent.
    #[track_caller]
    fn error_of<'home>(
        &self,
        home: &'home Home,
        more: impl Fn(Gatepass<'home>) -> Gatepass<'home>,
    ) -> String {
        let run = more(self.command(home, "token")).run();
        let error = run.failed(2);
        assert!(error.contains("config.toml:5: `client_secret`: "), "{error}");
        assert!(error.contains("hint"), "{error}");
        assert_eq!(self.server.connections(), 0);
        error.to_owned()
    }
}
