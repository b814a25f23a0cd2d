//! Tests of the state folder's location: variable, `[store] path`, XDG folder.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use gatepass_tests::{Home, Server, vendor};

/// A vendor that issues `token-1`, `token-2` and so on, and a home with this table and a profile.
fn fixture(table: &str) -> (Server, Home) {
    let (server, home) = vendor("cisco").counting("");
    let path = home.path("chosen");
    let table = table.replace("CHOSEN", path.to_str().unwrap());
    let config = format!("{table}\n{}", vendor("cisco").profile(&server.url(), ""));
    home.write("config/gatepass/config.toml", &config);
    (server, home)
}

fn is_store(path: &Path) -> bool {
    path.join("key").is_file()
}

#[test]
fn store_path_precedes_xdg_and_follows_variable() {
    let (_server, home) = fixture("[store]\npath = \"CHOSEN\"");
    let xdg = home.path("xdg");
    let token = || home.gatepass(["token", "cisco"]).env("XDG_STATE_HOME", &xdg);
    let first = token().run();
    assert!(is_store(&home.path("state")) && !is_store(&home.path("chosen")));
    let second = token().without_env("GATEPASS_STATE_DIR").run();
    assert!(is_store(&home.path("chosen")) && !is_store(&xdg.join("gatepass")));
    assert_ne!(first.ok(), second.ok());
    assert_eq!(token().without_env("GATEPASS_STATE_DIR").run().ok(), second.stdout);
    let doctor = home.gatepass(["doctor"]).without_env("GATEPASS_STATE_DIR").run();
    let line = format!("state    {}, private and writable", home.path("chosen").display());
    assert!(doctor.stdout.contains(&line), "{doctor:#?}");
}

#[test]
fn wrong_store_table_is_an_error_with_its_line() {
    for (table, line, text) in [
        ("[store]\npath = \"relative\"", 2, "store.path`: must be the absolute path"),
        ("[store]\npath = \"\"", 2, "store.path`: must be the absolute path"),
        ("[store]\npath = \"~/state\"", 2, "store.path`: must be the absolute path"),
        ("[store]\n\npath = { env = \"UNSAID\" }", 3, "store.path`: must be the absolute path"),
        ("[store]\npaht = \"/x\"", 2, "unknown key `paht` of [store]"),
        ("[stroe]\npath = \"/x\"", 1, "did you mean [store]?"),
        ("store = \"/x\"", 1, "`store`: must be a table"),
    ] {
        let (server, home) = fixture(table);
        let run = home.gatepass(["token", "cisco"]).run();
        let error = run.failed(2);
        let place = format!("config.toml:{line}: ");
        assert!(error.contains(text) && error.contains(&place), "{table}: {error}");
        assert!(!error.contains("UNSAID") && !error.contains("relative\""), "{error}");
        assert_eq!(server.connections(), 0);
    }
}

#[test]
fn state_directory_of_dynamic_user_is_used() {
    let (server, home) = fixture("");
    // What systemd makes for `DynamicUser=` and `StateDirectory=acme`: a link in a folder of root.
    fs::create_dir_all(home.path("lib/private/acme")).unwrap();
    symlink("private/acme", home.path("lib/acme")).unwrap();
    let gatepass = home.give_to_unprivileged_user();
    if rustix::process::getuid().is_root() {
        for path in ["lib", "lib/private"] {
            std::os::unix::fs::chown(home.path(path), Some(0), Some(0)).unwrap();
        }
        std::os::unix::fs::lchown(home.path("lib/acme"), Some(0), Some(0)).unwrap();
    }
    let token = || {
        let run = home.program(&gatepass, ["token", "cisco"]).as_unprivileged_user();
        run.env("GATEPASS_STATE_DIR", home.path("lib/acme")).run()
    };
    let first = token();
    assert_eq!((first.ok(), first.stderr.as_str()), ("token-1\n", ""));
    assert!(is_store(&home.path("lib/private/acme")));
    assert_eq!(token().ok(), "token-1\n");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn link_of_another_user_is_not_followed() {
    if !rustix::process::getuid().is_root() {
        return;
    }
    let (server, home) = fixture("");
    fs::create_dir_all(home.path("own")).unwrap();
    symlink(home.path("own"), home.path("link")).unwrap();
    std::os::unix::fs::lchown(home.path("link"), Some(65_533), None).unwrap();
    let run = home.gatepass(["token", "cisco"]).env("GATEPASS_STATE_DIR", home.path("link")).run();
    assert_eq!(run.ok(), "token-1\n");
    assert!(run.stderr.contains("it is a link of another user"), "{run:#?}");
    assert!(!is_store(&home.path("own")) && server.requests().len() == 1);
}
