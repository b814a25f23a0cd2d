//! Tests of bound secrets: a stored secret is sent only to the addresses it was stored for.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use gatepass::{ErrorKind, Gate};
use gatepass_tests::{Gatepass, Home, Keyring, Reply, Run, Server, runtime, vendor};

use super::{CONFIG, cisco, mode};

const SECRET: &str = "config/gatepass/cisco.client_secret";
const ORIGINS: &str = "config/gatepass/cisco.client_secret.origins";

/// Returns a home with a profile for this server, written by `init`.
fn init_profile(home: &Home, server: &Server, more: &[&str]) -> Run {
    init(home, server, more).stdin("hunter2").run()
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

/// Returns a home with a profile whose secret is in a file.
fn init_with_secret_file(server: &Server) -> Home {
    let home = Home::new();
    init_profile(&home, server, &["--secrets=file"]).ok();
    home
}

/// Edits the config.
fn edit(home: &Home, from: &str, to: &str) {
    let config = fs::read_to_string(home.path(CONFIG)).unwrap();
    assert!(config.contains(from), "{config}");
    home.write(CONFIG, &config.replace(from, to));
}

#[test]
fn changed_address_blocks_all_commands() {
    let (server, other) = (cisco(), cisco());
    let home = init_with_secret_file(&server);
    assert_eq!(mode(home.path(ORIGINS)), 0o600);
    let origins = fs::read_to_string(home.path(ORIGINS)).unwrap();
    assert_eq!(origins.lines().next(), Some(server.url().as_str()));
    assert_eq!(home.gatepass(["token", "cisco"]).run().ok(), "token-1\n");
    let connections_before = server.connections();

    edit(&home, &server.url(), &other.url());
    for args in [
        ["token", "cisco"].as_slice(),
        &["token", "cisco", "--fresh", "--wait=0s"],
        &["call", "cisco", "/hello"],
        &["doctor", "cisco", "--fresh"],
        &["doctor"],
    ] {
        let run = home.gatepass(args.iter().copied()).run();
        assert_eq!(run.code, Some(2), "{args:?}: {run:#?}");
        let all = run.all();
        for expected in [
            home.path(SECRET).display().to_string(),
            format!("is bound to {}", server.url()),
            format!("not to {}", other.url()),
            String::from("gatepass profile allow cisco"),
        ] {
            assert!(all.contains(&expected), "{args:?}: no {expected:?} in {all}");
        }
        assert!(!all.contains("hunter2"), "{all}");
    }
    let exec = home.gatepass(["exec", "cisco", "--", "true"]).run();
    assert!(exec.failed(125).contains("gatepass profile allow cisco\n"), "{exec:#?}");
    // The hint's command can be copied: it has the `--config` option.
    let odd = home.path("config/gatepass/it's mine.toml");
    fs::copy(home.path(CONFIG), &odd).unwrap();
    let quoted = format!("'{}'", odd.display().to_string().replace('\'', r"'\''"));
    for (args, path, config_argument) in [
        (["token", "cisco"].as_slice(), &home.path(CONFIG), None),
        (&["doctor"], &home.path(CONFIG), None),
        (&["exec", "cisco", "--", "true"], &odd, Some(quoted)),
    ] {
        let config = format!("--config={}", path.display());
        let run = home.gatepass([config.as_str()].into_iter().chain(args.iter().copied())).run();
        let config_argument = config_argument.unwrap_or_else(|| path.display().to_string());
        let expected = format!("gatepass profile allow cisco --config {config_argument}\n");
        assert!(run.all().contains(&expected), "{args:?}: {run:#?}");
    }
    let state = home.gatepass(["list", "--format=json"]).run().json()[0]["state"].clone();
    assert_eq!(state, "config error");

    let gate = Gate::load(home.path(CONFIG)).unwrap();
    let error =
        runtime().block_on(async { gate.source("cisco").unwrap().token().await }).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.hints()[1].to_string().contains("gatepass profile allow cisco"), "{error:?}");
    assert_eq!((server.connections(), other.connections()), (connections_before, 0));
}

#[test]
fn allowed_addresses_stay_allowed() {
    let (server, other) = (cisco(), cisco());
    let home = init_with_secret_file(&server);
    let allow = |more: &[&str]| {
        home.gatepass(["profile", "allow", "cisco"].into_iter().chain(more.iter().copied())).run()
    };
    assert!(allow(&[]).ok().is_empty(), "the command must not ask");
    edit(&home, &server.url(), &other.url());
    assert!(allow(&[]).failed(2).contains("gatepass profile allow cisco --yes"));
    home.gatepass(["token", "cisco"]).run().failed(2);
    let report = allow(&["--yes", "--format=json"]).json();
    assert_eq!(report["allowed"][0]["allowed"][0], other.url());
    assert_eq!(report["allowed"][0]["field"], "client_secret");
    assert_eq!(mode(home.path(ORIGINS)), 0o600);
    assert_eq!(home.gatepass(["token", "cisco", "--fresh"]).run().ok(), "token-1\n");
    edit(&home, &other.url(), &server.url());
    assert_eq!(home.gatepass(["token", "cisco", "--fresh"]).run().ok(), "token-1\n");
    assert_eq!(allow(&["--format=json"]).json()["allowed"].as_array().unwrap().len(), 0);
}

#[test]
fn allow_prompt_shows_both_addresses() {
    let (server, other) = (cisco(), cisco());
    let home = init_with_secret_file(&server);
    edit(&home, &server.url(), &other.url());
    for (reply, code) in [("", 2), ("n", 2), ("y", 0)] {
        let mut terminal = home.gatepass(["profile", "allow", "cisco"]).at_terminal();
        terminal.wait_for(&format!("bound to: {}", server.url()));
        terminal.wait_for(&format!("will add: {}", other.url()));
        terminal.wait_for("Allow it? [y/N] ");
        terminal.line(reply);
        let (exit_code, screen) = terminal.finish();
        assert_eq!(exit_code, Some(code), "{screen}");
    }
    home.gatepass(["token", "cisco"]).run().ok();
}

#[test]
fn bound_secret_cannot_be_used_by_another_profile() {
    let (server, other) = (cisco(), cisco());
    let home = init_with_secret_file(&server);
    let secret = home.path(SECRET);
    symlink(&secret, home.path("work/link")).unwrap();
    let indirect = home.path("config/gatepass/../gatepass/./cisco.client_secret");
    let link = home.path("work/link");
    for path in [&secret, &indirect, &link] {
        let file = format!("{{ file = \"{}\" }}", path.display());
        for lines in [
            format!("client_id = \"abc\"\nclient_secret = {file}"),
            // Sent as a field that is not a secret.
            format!("client_id = {file}\nclient_secret = \"none\""),
        ] {
            let url = other.url();
            let text = format!(
                "[profiles.lab]\nprovider = \"cisco\"\nenvironment = \"cloudsso\"\nbase_url = \"{url}\"\n{lines}\n"
            );
            let config = home.write("work/other.toml", &text);
            let run = home.gatepass(["token", "lab", "--wait=0s"]).config(&config).run();
            assert!(run.failed(2).contains("is bound to"), "{run:#?}");
        }
    }
    let run = home
        .gatepass(["token", "lab"])
        .env("GATEPASS_LAB_PROVIDER", "cisco")
        .env("GATEPASS_LAB_BASE_URL", other.url())
        .env("GATEPASS_LAB_ENVIRONMENT", "cloudsso")
        .env("GATEPASS_LAB_CLIENT_ID", "abc")
        .env("GATEPASS_LAB_CLIENT_SECRET_FILE", &secret)
        .run();
    assert!(run.failed(2).contains("is bound to"), "{run:#?}");
    assert_eq!(other.connections(), 0);
}

#[test]
fn new_api_address_needs_permission_for_cached_tokens() {
    let (server, other) = (cisco(), cisco());
    let home = init_with_secret_file(&server);
    home.gatepass(["token", "cisco"]).run().ok();
    for line in
        [format!("api_url = \"{}\"", other.url()), format!("api_origins = [\"{}\"]", other.url())]
    {
        edit(&home, "client_id = ", &format!("{line}\nclient_id = "));
        let run = home.gatepass(["call", "cisco", &format!("{}/hello", other.url())]).run();
        assert!(run.failed(2).contains(&format!("not to {}", other.url())), "{run:#?}");
        edit(&home, &format!("{line}\n"), "");
    }
    assert_eq!(other.connections(), 0);
}

#[test]
fn all_secrets_are_bound_to_their_environment() {
    let reply = vendor("cloudneeti").token_response("token-1");
    let server = Server::responding([Reply::json(200, reply)]);
    let home = Home::new();
    let args = ["init", "cloudneeti", "--secrets=file", "--secrets-stdin", "--no-test"];
    let fields = ["--field=license_id=l", "--field=api_application_id=a"];
    home.gatepass(args.into_iter().chain(fields))
        .stdin("api_application_secret=hunter2\nsubscription_key=hunter3\n")
        .run()
        .ok();
    for secret in ["api_application_secret", "subscription_key"] {
        let origins = home.path(format!("config/gatepass/cloudneeti.{secret}.origins"));
        assert_eq!(fs::read_to_string(origins).unwrap(), "https://api.cloudneeti.com\n");
    }
    for (line, origin) in [
        ("environment = \"trial\"".to_owned(), "https://trialapi.cloudneeti.com".to_owned()),
        (format!("base_url = \"{}\"", server.url()), server.url()),
    ] {
        edit(&home, "license_id = ", &format!("{line}\nlicense_id = "));
        let run = home.gatepass(["token", "cloudneeti", "--wait=0s"]).run();
        let expected = format!("is bound to https://api.cloudneeti.com, not to {origin}");
        assert!(run.failed(2).contains(&expected), "{run:#?}");
        edit(&home, &format!("{line}\n"), "");
    }
    // One secret's origins do not apply to another secret.
    edit(&home, "license_id = ", &format!("base_url = \"{}\"\nlicense_id = ", server.url()));
    let origins = home.path("config/gatepass/cloudneeti.api_application_secret.origins");
    fs::write(origins, format!("{}\n", server.url())).unwrap();
    let run = home.gatepass(["token", "cloudneeti", "--wait=0s"]).run();
    assert!(run.failed(2).contains("`subscription_key`"), "{run:#?}");
    assert_eq!(server.connections(), 0);
    home.gatepass(["profile", "allow", "cloudneeti", "--yes"]).run().ok();
    home.gatepass(["token", "cloudneeti"]).run().ok();
}

#[test]
fn damaged_origins_allow_no_address() {
    let server = cisco();
    let home = init_with_secret_file(&server);
    let connections_before = server.connections();
    let path = home.path(ORIGINS);
    let good = fs::read_to_string(&path).unwrap();
    type Damage = fn(&std::path::Path, &str);
    let damages: [(&str, Damage); 8] = [
        ("empty", |path, _| fs::write(path, "").unwrap()),
        ("any", |path, _| fs::write(path, "*\n").unwrap()),
        ("bytes", |path, _| fs::write(path, b"\xff\xfe\n").unwrap()),
        ("one line of it", |path, good| fs::write(path, format!("{good}https://\n")).unwrap()),
        ("writable by others", |path, good| {
            fs::write(path, good).unwrap();
            fs::set_permissions(path, Permissions::from_mode(0o666)).unwrap();
        }),
        ("a folder", |path, _| fs::create_dir(path).unwrap()),
        ("a link that leads nowhere", |path, _| symlink("nowhere", path).unwrap()),
        ("a pipe", |path, _| {
            let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
            assert!(made.success());
        }),
    ];
    for (name, damage) in damages {
        let _ = fs::remove_file(&path);
        damage(&path, &good);
        let run = home.gatepass(["token", "cisco", "--fresh", "--wait=0s"]).run();
        assert!(run.failed(2).contains("client_secret"), "{name}: {run:#?}");
        assert!(run.stderr.contains("hint") && !run.stderr.contains("hunter2"), "{name}: {run:#?}");
        let _ = fs::remove_dir(&path);
    }
    assert_eq!(server.connections(), connections_before);
    let _ = fs::remove_file(&path);
    // Without origins the file counts as written by hand.
    home.gatepass(["token", "cisco", "--fresh"]).run().ok();
}

#[test]
fn rewritten_secret_is_bound_to_the_new_address() {
    let (server, other) = (cisco(), cisco());
    let home = init_with_secret_file(&server);
    init_profile(&home, &other, &["--secrets=file", "--force"]).ok();
    assert_eq!(other.connections(), 1);
    edit(&home, &other.url(), &server.url());
    let run = home.gatepass(["token", "cisco"]).run();
    assert!(run.failed(2).contains(&format!("not to {}", server.url())), "{run:#?}");
}

#[test]
fn keyring_origins_cannot_be_changed_by_config() {
    let (server, other, home) = (cisco(), cisco(), Home::new());
    let session = Keyring::start(&home);
    session.connect(init(&home, &server, &[])).stdin("hunter2").run().ok();
    let origins = || session.find("gatepass", "cisco/client_secret.origins").unwrap();
    assert_eq!(origins().lines().next(), Some(server.url().as_str()));
    session.connect(home.gatepass(["token", "cisco", "--fresh"])).run().ok();
    edit(&home, &server.url(), &other.url());
    let run = session.connect(home.gatepass(["token", "cisco"])).run();
    let output = run.failed(2);
    assert!(
        output.contains("the keyring entry gatepass/cisco/client_secret is bound to"),
        "{output}"
    );
    assert_eq!(other.connections(), 0);
    session.connect(home.gatepass(["profile", "allow", "cisco", "--yes"])).run().ok();
    assert!(origins().contains(&server.url()) && origins().contains(&other.url()), "{}", origins());
    session.connect(home.gatepass(["token", "cisco"])).run().ok();
    assert_eq!(other.connections(), 1);
}
