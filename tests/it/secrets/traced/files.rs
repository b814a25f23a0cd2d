//! Tests of created files: private from creation, under any umask, also if the command is killed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread;

use gatepass_testkit::{Canary, canary, find_leak};
use gatepass_tests::{Gatepass, Home, Trace, gatepass_binary};

use super::super::files_below;
use super::{IMPLICIT, Stage, paste};

const FILE_CALLS: [&str; 2] = [
    "-e",
    "trace=openat,open,creat,mkdir,mkdirat,mknod,mknodat,symlink,symlinkat,link,linkat,rename,\
     renameat,renameat2,chmod,fchmod,fchmodat",
];

/// Returns the command with umask 0.
fn with_umask_zero<'home>(home: &'home Home, args: &[&str]) -> Gatepass<'home> {
    let script = "umask 0; exec \"$0\" \"$@\"";
    let gatepass = gatepass_binary().to_str().unwrap();
    home.program(
        "/bin/sh".as_ref(),
        ["-c", script, gatepass].into_iter().chain(args.iter().copied()),
    )
}

/// Returns the rule that the creation of a file or folder of this home violates.
fn creation_error(call: &str, home: &Path) -> Option<&'static str> {
    let (name, rest) = call.split_once('(')?;
    let paths = paths(rest, &home.join("work"));
    let is_in_home =
        rest.contains(home.to_str()?) || paths.iter().any(|path| path.starts_with(home));
    if !is_in_home || call.contains(" = -1 E") {
        return None;
    }
    let has_mode = |mode: &str| rest.contains(&format!(", {mode})"));
    match name {
        "open" | "openat" if rest.contains("O_CREAT") => match () {
            () if !has_mode("0600") => Some("is not created with mode 0600"),
            () if !rest.contains("O_EXCL") && !rest.contains("O_NOFOLLOW") => {
                Some("follows a link")
            }
            () => None,
        },
        "open" | "openat" if rest.contains("O_TRUNC") => Some("is truncated in place"),
        "mkdir" | "mkdirat" => (!has_mode("0700")).then_some("is not 0700"),
        "rename" | "renameat" | "renameat2" | "link" | "linkat" => {
            let folders: Vec<_> = paths.iter().map(|path| path.parent()).collect();
            (folders.windows(2).any(|pair| pair[0] != pair[1]))
                .then_some("comes from another folder")
        }
        "creat" | "mknod" | "mknodat" | "symlink" | "symlinkat" => {
            Some("is created in another way")
        }
        "chmod" | "fchmod" | "fchmodat" => {
            (!has_mode("0600") && !has_mode("0700")).then_some("is opened to others")
        }
        _ => None,
    }
}

/// Returns the absolute paths of a call, relative to its descriptor or to the current folder.
fn paths(call: &str, work: &Path) -> Vec<PathBuf> {
    let pieces: Vec<&str> = call.split('"').collect();
    let named = pieces.chunks_exact(2).map(|pair| {
        let base = pair[0].rsplit_once('<').and_then(|(_, base)| base.strip_suffix(">, "));
        base.map_or(work, Path::new).join(pair[1])
    });
    named.collect()
}

/// Fails if the trace has a file that is not private, or fewer than `min` files.
#[track_caller]
fn assert_private(trace: &Trace, home: &Home, min: usize) {
    let home_path = home.path("");
    let is_created =
        |call: &&String| call.contains("O_CREAT") && call.contains(home_path.to_str().unwrap());
    let created = trace.calls_of("openat").iter().filter(is_created).count();
    assert!(created >= min, "only {created} files were created: {:#?}", trace.calls());
    for call in trace.calls() {
        assert_eq!(creation_error(&call, &home_path), None, "{call}");
    }
}

#[test]
fn files_are_private_from_creation() {
    let stage = Stage::new("");
    for (name, args, min) in [
        ("token", ["token", "cisco"].as_slice(), 3),
        ("why", &["why", "cisco"], 0),
        ("file", &["exec", "cisco", "--file", "token", "--", "true"], 1),
        ("forget", &["forget", "cisco"], 1),
        ("doctor", &["doctor", "cisco", "--fresh"], 2),
        ("demo", &["demo"], 0),
    ] {
        let trace = stage.trace(name);
        with_umask_zero(&stage.home, args).traced(&trace, &FILE_CALLS).run().ok();
        assert_private(&trace, &stage.home, min);
    }
    for (name, args) in PROFILE_COMMANDS {
        let trace = stage.trace(name);
        let url = format!("base_url={}", stage.server.url());
        let args = [args, &["--field", &url]].concat();
        let run = with_umask_zero(&stage.home, &args).stdin(stage.secret.text());
        run.traced(&trace, &FILE_CALLS).run().ok();
        assert_private(&trace, &stage.home, 2);
    }
    let stage = Stage::new(IMPLICIT);
    let trace = stage.trace("login");
    let login =
        with_umask_zero(&stage.home, &["login", "cisco", "--paste"]).traced(&trace, &FILE_CALLS);
    let mut terminal = login.at_terminal();
    paste(&mut terminal, &stage.token);
    let (code, screen) = terminal.finish();
    assert_eq!(code, Some(0), "{screen}");
    assert_private(&trace, &stage.home, 2);
}

/// Commands that write profiles and their secrets.
const PROFILE_COMMANDS: [(&str, &[&str]); 3] = [
    (
        "init",
        &[
            "init",
            "cisco",
            "--secrets=file",
            "--field=environment=cloudsso",
            "--field=client_id=a",
            "--secret-stdin=client_secret",
            "--config=new/sub/config.toml",
        ],
    ),
    (
        "add",
        &[
            "profile",
            "add",
            "cisco",
            "--secrets=file",
            "--field=environment=cloudsso",
            "--field=client_id=a",
            "--secret-stdin=client_secret",
            "--name=lab",
        ],
    ),
    (
        "force",
        &[
            "init",
            "cisco",
            "--secrets=config",
            "--field=environment=cloudsso",
            "--field=client_id=a",
            "--secret-stdin=client_secret",
            "--name=lab",
            "--force",
        ],
    ),
];

#[test]
fn file_check_finds_a_shared_file() {
    let home = Home::new();
    let trace = Trace::in_folder(home.path("trace"));
    let script = "umask 0; echo > a; mkdir b; mv a b/c; chmod 644 b/c";
    let shell = home.program("/bin/sh".as_ref(), ["-c", script]);
    shell.traced(&trace, &FILE_CALLS).run().ok();
    let home_path = home.path("");
    let errors: Vec<_> =
        trace.calls().iter().filter_map(|call| creation_error(call, &home_path)).collect();
    for expected in ["0600", "is not 0700", "another folder", "to others"] {
        assert!(
            errors.iter().any(|creation_error| creation_error.contains(expected)),
            "{expected}: {:#?}",
            trace.calls()
        );
    }
}

/// The system calls that change a file or a folder.
const CHANGES: [&str; 12] = [
    "write",
    "fsync",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "link",
    "linkat",
    "mkdir",
    "fchmod",
    "ftruncate",
];

#[test]
fn killed_command_leaves_only_private_files() {
    thread::scope(|scope| {
        for (name, args) in PROFILE_COMMANDS {
            scope.spawn(move || kill_at_each_change(name, args));
        }
        scope.spawn(|| {
            kill_at_each_change("file", &["exec", "cisco", "--file", "token", "--", "true"]);
        });
    });
}

/// Kills the command at the first call of each kind, then at the second, until it survives.
fn kill_at_each_change(name: &str, args: &[&str]) {
    let mut kills = 0;
    for change in CHANGES {
        for when in 1.. {
            assert!(when < 100, "{name}: {change} was called more than 100 times");
            let stage = Stage::new("");
            let trace = stage.trace(name);
            let inject = format!("inject={change}:signal=KILL:when={when}");
            let url = format!("base_url={}", stage.server.url());
            let adds = ["--field", url.as_str(), "--no-test"];
            let more: &[&str] = if name == "file" { &[] } else { &adds };
            let stdin_secret = canary("given");
            let args = [args, more].concat();
            let run = with_umask_zero(&stage.home, &args).stdin(stdin_secret.text());
            let run = run.traced(&trace, &["-e", &format!("trace={change}"), "-e", &inject]).run();
            assert_leftovers_private(
                &stage.home,
                &stdin_secret,
                &stage,
                &format!("{name}: {change} {when}"),
            );
            if run.code.is_some() {
                assert_eq!(run.code, Some(0), "{name}: {change} {when}: {run:#?}");
                break;
            }
            kills += 1;
        }
    }
    assert!(kills > 5, "{name} was killed {kills} times only");
}

/// Fails if a leftover is not private or contains a secret in the wrong place.
#[track_caller]
fn assert_leftovers_private(home: &Home, stdin_secret: &Canary, stage: &Stage, context: &str) {
    for path in files_below(&home.path("")) {
        let relative = path.strip_prefix(home.path("")).unwrap().to_str().unwrap().to_owned();
        if relative.starts_with("traces/") {
            continue;
        }
        let mode = fs::symlink_metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{context}: {relative}");
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        let is_expected = relative.ends_with(".client_secret")
            || relative.contains(".gatepass-")
            || relative.ends_with("config.toml");
        let leak = find_leak(&text, std::slice::from_ref(stdin_secret));
        assert!(leak.is_none() || is_expected, "{context}: {relative} has the secret from stdin");
        let is_expected = relative == "work/token" || relative.starts_with("work/.gatepass-");
        let leak = find_leak(&text, std::slice::from_ref(&stage.token));
        assert!(leak.is_none() || is_expected, "{context}: {relative} has the token");
    }
}
