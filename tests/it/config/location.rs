//! Tests of the config file's location and permissions.

use std::fs;
use std::os::unix::fs::symlink;

use gatepass_tests::{Home, Reply, Run, Server, gatepass_binary, vendor};

/// A server that returns the client id of the request, and a config with that id.
fn server() -> (Server, impl Fn(&str) -> String) {
    let server = Server::new(|_, request| {
        let form = request.form();
        let id = &form.iter().find(|(name, _)| name == "client_id").unwrap().1;
        Reply::json(200, vendor("cisco").token_response(&format!("for-{id}")))
    });
    let url = server.url();
    let config = move |id: &str| {
        vendor("cisco")
            .profile(&url, "")
            .replace("client_id = \"app-1\"", &format!("client_id = \"{id}\""))
    };
    (server, config)
}

#[test]
fn config_option_overrides_variable_and_user_folder() {
    let (_server, config) = server();
    let home = Home::with_config(&config("folder"));
    let (option, variable) = (
        home.write("option.toml", &config("option")),
        home.write("variable.toml", &config("variable")),
    );
    let token = || home.gatepass(["token", "cisco"]);
    assert_eq!(token().run().ok(), "for-folder\n");
    assert_eq!(token().env("GATEPASS_CONFIG", &variable).run().ok(), "for-variable\n");
    assert_eq!(token().env("GATEPASS_CONFIG", "").run().ok(), "for-folder\n");
    let run = token().env("GATEPASS_CONFIG", &variable).config(&option).run();
    assert_eq!(run.ok(), "for-option\n");
}

#[test]
fn config_folder_defaults_to_home() {
    let (_server, config) = server();
    let home = Home::new();
    home.write(".config/gatepass/config.toml", &config("home"));
    let token = || home.gatepass(["token", "cisco"]);
    assert_eq!(token().without_env("XDG_CONFIG_HOME").run().ok(), "for-home\n");
    assert_eq!(token().env("XDG_CONFIG_HOME", "").run().ok(), "for-home\n");
    token().run().failed(2);
}

/// Runs a shell script with `/etc` replaced by an empty folder, in a mount namespace of its own.
fn with_own_etc(home: &Home, script: &str) -> Run {
    let script = format!("mount -t tmpfs none /etc && mkdir /etc/gatepass && {script}");
    let gatepass = gatepass_binary().to_str().unwrap();
    let options = ["--user", "--map-root-user", "--mount", "sh", "-c", &script, gatepass];
    home.program("unshare".as_ref(), options).run()
}

#[test]
fn system_config_is_read_if_the_user_has_none() {
    let (_server, config) = server();
    let home = Home::new();
    home.write("system.toml", &config("system"));
    let copy = "cp ../system.toml /etc/gatepass/config.toml";
    let token = format!("{copy} && exec \"$0\" token cisco");
    assert_eq!(with_own_etc(&home, &token).ok(), "for-system\n");
    let doctor = with_own_etc(&home, &format!("{copy} && exec \"$0\" doctor"));
    assert!(doctor.stdout.contains("config   /etc/gatepass/config.toml, mode 0600"), "{doctor:#?}");
    // Its owner and mode count as in every other place.
    let open = format!("{copy} && chmod 666 /etc/gatepass/config.toml && exec \"$0\" token cisco");
    assert!(with_own_etc(&home, &open).failed(2).contains("chmod go-w"));
    home.write("config/gatepass/config.toml", &config("folder"));
    assert_eq!(with_own_etc(&home, &token).ok(), "for-folder\n");
    let variable = home.write("variable.toml", &config("variable"));
    let run = format!("export GATEPASS_CONFIG={} && {token}", variable.display());
    assert_eq!(with_own_etc(&home, &run).ok(), "for-variable\n");
}

#[test]
fn owner_of_the_system_config_adds_profiles_to_it() {
    let (_server, config) = server();
    let home = Home::new();
    home.write("system.toml", &config("system"));
    let add = "cp ../system.toml /etc/gatepass/config.toml && echo s | \"$0\" profile add celerdata \
               --name lake --field client_id=x --secret-stdin client_secret --no-test \
               --secrets file && exec \"$0\" list --format json";
    let run = with_own_etc(&home, add);
    let rows: serde_json::Value = serde_json::from_str(run.ok().lines().last().unwrap()).unwrap();
    let names: Vec<&str> =
        rows.as_array().unwrap().iter().map(|row| row["profile"].as_str().unwrap()).collect();
    assert_eq!(names, ["cisco", "lake"], "{run:#?}");
    assert!(!home.path("config/gatepass/config.toml").exists());
}

#[test]
fn dangling_link_of_the_user_is_an_error() {
    let (server, config) = server();
    let home = Home::new();
    home.write("system.toml", &config("system"));
    symlink("/nonexistent/config.toml", home.path("config/gatepass/config.toml")).unwrap();
    let script = "cp ../system.toml /etc/gatepass/config.toml && exec \"$0\" token cisco";
    let run = with_own_etc(&home, script);
    assert!(run.failed(2).contains("config/gatepass/config.toml cannot be read"), "{run:#?}");
    assert_eq!(server.connections(), 0);
}

#[test]
fn current_folder_is_not_read() {
    let (server, config) = server();
    let home = Home::new();
    for name in [
        "config.toml",
        "gatepass.toml",
        ".gatepass.toml",
        "gatepass/config.toml",
        ".config/gatepass/config.toml",
        ".gatepass/config.toml",
    ] {
        home.write(&format!("work/{name}"), &config("current"));
    }
    let token = || home.gatepass(["token", "cisco"]);
    token().run().failed(2);
    // XDG Base Directory specification: relative paths are ignored.
    token().env("XDG_CONFIG_HOME", ".").run().failed(2);
    token().env("XDG_CONFIG_HOME", ".config").run().failed(2);
    token().without_env("XDG_CONFIG_HOME").without_env("HOME").run().failed(2);
    assert_eq!(server.connections(), 0);
}

#[test]
fn missing_named_config_is_an_error() {
    let (server, config) = server();
    let home = Home::with_config(&config("folder"));
    let missing = home.path("missing.toml");
    let run = home.gatepass(["token", "cisco"]).config(&missing).run();
    assert!(run.failed(2).contains("missing.toml"), "{run:#?}");
    let run = home.gatepass(["token", "cisco"]).env("GATEPASS_CONFIG", &missing).run();
    assert!(run.failed(2).contains("missing.toml"), "{run:#?}");
    assert_eq!(server.connections(), 0);
}

#[test]
fn config_must_be_a_regular_file() {
    let home = Home::new();
    let pipe = home.path("pipe");
    home.program("mkfifo".as_ref(), [pipe.to_str().unwrap()]).run().ok();
    for path in [pipe, home.path("tmp"), "/dev/null".into()] {
        let run = home.gatepass(["token", "cisco"]).config(&path).run();
        assert!(run.failed(2).contains("is not a file"), "{run:#?}");
    }
}

#[test]
fn config_writable_by_others_is_rejected() {
    let (server, config) = server();
    let home = Home::new();
    for mode in [0o620, 0o602, 0o666, 0o777] {
        let path = home.write_as("config.toml", &config("x"), mode);
        let run = home.gatepass(["token", "cisco"]).config(&path).run();
        assert!(run.failed(2).contains("chmod go-w"), "{mode:o}: {run:#?}");
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn literal_secret_requires_a_private_file() {
    let (server, config) = server();
    let home = Home::new();
    for mode in [0o640, 0o604, 0o644, 0o610] {
        let path = home.write_as("config.toml", &config("x"), mode);
        let run = home.gatepass(["token", "cisco"]).config(&path).run();
        let error = run.failed(2);
        assert!(
            error.contains("client_secret") && error.contains("chmod 600"),
            "{mode:o}: {error}"
        );
        assert!(!error.contains("of-the-tests"), "{error}");
    }
    assert_eq!(server.connections(), 0);
    for mode in [0o600, 0o400, 0o700] {
        let path = home.write_as("config.toml", &config("private"), mode);
        assert_eq!(home.gatepass(["token", "cisco"]).config(&path).run().ok(), "for-private\n");
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn config_with_references_may_be_readable() {
    let (server, _) = server();
    let home = Home::new();
    home.write_as("secret.txt", "s\n", 0o644);
    let config =
        vendor("cisco").profile_with(&server.url(), "", |_| "{ file = \"secret.txt\" }".into());
    let path = home.write_as("config.toml", &config, 0o644);
    assert_eq!(home.gatepass(["token", "cisco"]).config(&path).run().ok(), "for-app-1\n");
}

#[test]
fn config_symlink_paths_are_relative_to_the_link() {
    let (server, _) = server();
    let home = Home::new();
    let config =
        vendor("cisco").profile_with(&server.url(), "", |_| "{ file = \"secret.txt\" }".into());
    home.write("mount/..data/config.toml", &config);
    home.write("mount/secret.txt", "s");
    symlink("..data/config.toml", home.path("mount/config.toml")).unwrap();
    let path = home.path("mount/config.toml");
    assert_eq!(home.gatepass(["token", "cisco"]).config(&path).run().ok(), "for-app-1\n");
}
