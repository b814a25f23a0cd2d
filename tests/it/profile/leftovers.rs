//! Tests of leftovers of killed commands, which the next command removes.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};

use gatepass_testkit::{canary, find_leak};
use gatepass_tests::{Gatepass, Home, Trace};
use rustix::fs::{FlockOperation, flock};

use super::{CONFIG, cisco, files};

/// Kills the command just before it renames its first file.
fn kill_before_rename(home: &Home, command: Gatepass<'_>) {
    let trace = Trace::in_folder(home.path("trace"));
    let kill = "inject=rename,renameat,renameat2:signal=KILL:when=1";
    let run = command.traced(&trace, &["-e", kill]).run();
    assert_eq!(run.code, None, "{run:#?}");
}

fn add<'home>(home: &'home Home, name: &str) -> Gatepass<'home> {
    let args = [
        "profile",
        "add",
        "cisco",
        "--no-test",
        "--secrets=file",
        "--field=environment=cloudsso",
        "--field=client_id=abc",
    ];
    home.gatepass(args.into_iter().chain(["--secret-stdin=client_secret", "--name", name]))
}

/// Returns the files with names of gatepass's temporary files.
fn leftovers(home: &Home, folder: &str) -> Vec<String> {
    let mut names = files(home, folder);
    names.retain(|name| name.starts_with(".gatepass-") && name.ends_with(".part"));
    names
}

fn name(letter: &str) -> String {
    format!(".gatepass-{}.part", letter.repeat(16))
}

#[test]
fn next_add_removes_leftovers_of_killed_add() {
    let (home, secret) = (Home::new(), canary("secret"));
    kill_before_rename(&home, add(&home, "lab").stdin(secret.text()));
    let text = |name| fs::read_to_string(home.path("config/gatepass").join(name)).unwrap();
    let texts: Vec<String> = leftovers(&home, "config/gatepass").into_iter().map(text).collect();
    assert_eq!(texts.len(), 3, "the config, the secret and its addresses");
    assert!(find_leak(&texts.concat(), std::slice::from_ref(&secret)).is_some());

    // Files with such a name that are foreign or locked by a running command.
    let path_of = |kind: &str| home.path("config/gatepass").join(name(kind));
    let write =
        |kind: &str| home.write(&format!("config/gatepass/{}", name(kind)), "of another user");
    fs::create_dir(path_of("d")).unwrap();
    symlink(home.write("work/mine", "mine"), path_of("l")).unwrap();
    let pipe = home.program("mkfifo".as_ref(), ["-m", "600", path_of("p").to_str().unwrap()]);
    pipe.run().ok();
    fs::set_permissions(write("r"), Permissions::from_mode(0o644)).unwrap();
    let written = File::open(write("w")).unwrap();
    flock(&written, FlockOperation::LockExclusive).unwrap();
    home.write("config/gatepass/.gatepass-backup", "mine");
    let mut remaining = vec!["d", "l", "p", "r", "w"];
    if rustix::process::getuid().is_root() {
        chown(write("o"), Some(65_533), None).unwrap();
        remaining.insert(2, "o");
    }
    add(&home, "lab").stdin(secret.text()).run().ok();
    assert_eq!(
        leftovers(&home, "config/gatepass"),
        remaining.iter().map(|kind| name(kind)).collect::<Vec<_>>()
    );
    assert!(home.path("config/gatepass/.gatepass-backup").exists());
    assert_eq!(fs::read_to_string(home.path("work/mine")).unwrap(), "mine");

    drop(written);
    remaining.retain(|kind| *kind != "w");
    home.gatepass(["profile", "remove", "lab", "--yes"]).run().ok();
    assert_eq!(
        leftovers(&home, "config/gatepass"),
        remaining.iter().map(|kind| name(kind)).collect::<Vec<_>>()
    );
}

#[test]
fn next_exec_removes_leftovers_of_killed_exec() {
    let server = cisco();
    let home = Home::new();
    let config = gatepass_tests::vendor("cisco").profile(&server.url(), "");
    home.write(CONFIG, &config);
    // The first renamed file is then the token file instead of a store file.
    home.gatepass(["token", "cisco"]).run().ok();
    let exec = || home.gatepass(["exec", "cisco", "--file", "token", "--", "cat", "token"]);
    kill_before_rename(&home, exec());
    assert_eq!(leftovers(&home, "work").len(), 1);
    assert_eq!(exec().run().ok(), "token-1");
    assert_eq!(files(&home, "work"), [""; 0]);
}
