//! Tests of `exec --file` and `keep` as the first process of a container.

use std::path::Path;
use std::process::Command;

use gatepass_tests::{Gatepass, Home, gatepass_binary};

use super::fixture;

/// Runs the command as PID 1 of a new namespace, or returns `None` where that is not allowed.
fn as_first_process<'home>(home: &'home Home, args: &[&str]) -> Option<Gatepass<'home>> {
    let unshare = ["--pid", "--fork", "--kill-child", "--mount-proc"];
    let allowed = Command::new("unshare").args(unshare).arg("true").output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        gatepass_tests::skipped("a PID namespace needs root and unshare(1)");
        return None;
    }
    let binary = gatepass_binary().to_str().unwrap();
    let args = [unshare.as_slice(), &[binary], args].concat();
    Some(home.program(Path::new("unshare"), args))
}

/// A script that leaves ten orphans and waits until no process is a zombie.
const LEAVE_ORPHANS: &str = "
for n in 1 2 3 4 5 6 7 8 9 10; do (sh -c 'exit 0' & :); done
while grep -qs '^State:.Z' /proc/[0-9]*/status; do sleep 0.05; done
cat \"$GATEPASS_TOKEN_FILE\"
exit 7";

#[test]
fn first_process_reaps_orphans() {
    let (_server, home) = fixture("token-of-the-program");
    let args = ["exec", "cisco", "--file", "token", "--", "sh", "-c", LEAVE_ORPHANS];
    let Some(command) = as_first_process(&home, &args) else { return };
    let run = command.run();
    assert_eq!((run.code, run.stdout.as_str()), (Some(7), "token-of-the-program"), "{run:#?}");
    assert!(!home.path("work/token").exists());
}

#[test]
fn first_process_forwards_signals_and_the_exit_code() {
    let (_server, home) = fixture("token-of-the-program");
    // The program sends the signal to PID 1, which forwards it.
    let script = "trap 'echo TERM; exit 5' TERM; kill -TERM 1; while :; do sleep 0.05; done";
    let args = ["exec", "cisco", "--file", "token", "--", "sh", "-c", script];
    let Some(command) = as_first_process(&home, &args) else { return };
    let run = command.run();
    assert_eq!((run.code, run.stdout.as_str()), (Some(5), "TERM\n"), "{run:#?}");
    let args = ["exec", "cisco", "--file", "token", "--", "sh", "-c", "kill -KILL $$"];
    assert_eq!(as_first_process(&home, &args).unwrap().run().code, Some(137));
    assert!(!home.path("work/token").exists());
}

#[test]
fn first_process_reports_errors_once() {
    let (_server, home) = fixture("token-of-the-program");
    let args = ["exec", "unknown", "--file", "token", "--", "true"];
    let Some(command) = as_first_process(&home, &args) else { return };
    let run = command.run();
    assert_eq!(run.failed(125).matches("no profile").count(), 1, "{run:#?}");
}
