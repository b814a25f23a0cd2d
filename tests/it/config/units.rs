//! Tests of the units for systemd: their syntax, their restrictions and their command line.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gatepass_tests::{Home, gatepass_binary, workspace};

const MANAGERS: [&str; 2] = ["system", "user"];

fn unit(manager: &str) -> String {
    let folder = workspace().join("crates/gatepass-cli/systemd").join(manager);
    fs::read_to_string(folder.join("gatepass-keep@.service")).unwrap()
}

/// Returns the values of a key, in their order.
fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    let lines = unit.lines().filter_map(|line| line.split_once('='));
    lines.filter(|(name, _)| *name == key).map(|(_, value)| value).collect()
}

/// Writes an instance of a unit with the tested command, and returns its path.
fn instance(home: &Home, manager: &str) -> PathBuf {
    let text = unit(manager).replace("/usr/bin/gatepass", gatepass_binary().to_str().unwrap());
    home.write(&format!("{manager}/gatepass-keep@.service"), &text);
    home.write(&format!("{manager}/gatepass-keep@iam-test.service"), &text)
}

/// Runs systemd's checker. `None` if this machine has none.
fn analyze(args: &[&str], unit: &Path) -> Option<(bool, String)> {
    let mut command = Command::new("systemd-analyze");
    // A user's manager has a runtime folder.
    command.args(args).arg(unit).env("XDG_RUNTIME_DIR", unit.parent().unwrap());
    let output = command.output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
}

#[test]
fn units_are_valid() {
    let home = Home::new();
    for manager in MANAGERS {
        let unit = instance(&home, manager);
        let option = format!("--{manager}");
        if let Some((is_ok, text)) = analyze(&["verify", "--man=no", &option], &unit) {
            assert!(is_ok && text.is_empty(), "{manager}: {text}");
        }
    }
}

#[test]
fn system_unit_is_restricted() {
    let home = Home::new();
    let unit = instance(&home, "system");
    // Tenths of a point; a unit without restrictions has 96.
    let args = ["security", "--offline=true", "--threshold=20"];
    if let Some((is_ok, text)) = analyze(&args, &unit) {
        assert!(is_ok, "{text}");
    }
}

#[test]
fn units_retry_no_error_that_lasts() {
    for manager in MANAGERS {
        let unit = unit(manager);
        assert_eq!(values(&unit, "RestartPreventExitStatus"), ["2 3 4"]);
        assert_eq!(
            (values(&unit, "Type"), values(&unit, "Restart")),
            (vec!["notify"], vec!["on-failure"])
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn command_of_system_unit_keeps_a_token() {
    use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};

    use gatepass_tests::vendor;
    use rustix::process::getuid;

    let (_server, home) = vendor("cisco").counting("");
    let unit = unit("system");
    // The folders that systemd makes for DynamicUser=, RuntimeDirectory= and StateDirectory=.
    let [state, runtime] = ["StateDirectory", "RuntimeDirectory"].map(|key| {
        let [folder] = values(&unit, key).try_into().unwrap();
        folder.replace("%i", "cisco")
    });
    let state_folder = home.path(format!("lib/{state}"));
    fs::create_dir_all(home.path(format!("lib/private/{state}"))).unwrap();
    fs::create_dir_all(state_folder.parent().unwrap()).unwrap();
    fs::create_dir_all(home.path(format!("run/{runtime}"))).unwrap();
    let mode = |key: &str| u32::from_str_radix(values(&unit, key)[0], 8).unwrap();
    let set_mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    set_mode(&home.path(format!("lib/private/{state}")), mode("StateDirectoryMode"));
    set_mode(&home.path(format!("run/{runtime}")), mode("RuntimeDirectoryMode"));
    symlink(format!("../private/{state}"), &state_folder).unwrap();
    home.write("etc/gatepass/config.toml", &config_without_secret(&home));
    let gatepass = home.give_to_unprivileged_user();
    if getuid().is_root() {
        for path in ["lib", "lib/private", "etc/gatepass", "etc/gatepass/config.toml"] {
            chown(home.path(path), Some(0), Some(0)).unwrap();
        }
        lchown(&state_folder, Some(0), Some(0)).unwrap();
    }
    set_mode(&home.path("etc/gatepass/config.toml"), 0o644);
    let expand = |text: &str| {
        let root = |path: &str| home.path(path).to_str().unwrap().to_owned();
        let text = text.replace("%i", "cisco").replace("%t", &root("run"));
        text.replace("%S", &root("lib")).replace("/etc/", &root("etc/"))
    };
    let [command] = values(&unit, "ExecStart").try_into().unwrap();
    let command = expand(command);
    let args = command.split(' ').skip(1);
    let mut keep = home.program(&gatepass, args).as_unprivileged_user();
    for variable in values(&unit, "Environment") {
        let expanded = expand(variable);
        let (name, value) = expanded.split_once('=').unwrap();
        keep = keep.env(name, value);
    }
    let mut keep = keep.env("CREDENTIALS_DIRECTORY", home.path("credentials")).spawn();
    keep.wait_for_stderr("is ready");
    let token = home.path(format!("run/{runtime}/token"));
    assert_eq!(fs::read_to_string(&token).unwrap(), "token-1");
    assert_eq!(fs::metadata(&token).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(home.path(format!("lib/private/{state}/key")).is_file());
    keep.terminate();
    keep.finish().ok();
    assert!(!token.exists());
}

/// Returns the home's config with a systemd credential in place of its secret.
#[cfg(target_os = "linux")]
fn config_without_secret(home: &Home) -> String {
    let config = fs::read_to_string(home.path("config/gatepass/config.toml")).unwrap();
    home.write("credentials/cisco", "of-the-tests\n");
    let is_secret = |line: &&str| line.starts_with("client_secret");
    let secret = config.lines().find(is_secret).unwrap();
    config.replace(secret, "client_secret = { systemd = \"cisco\" }")
}
