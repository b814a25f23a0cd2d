//! Tests of signals and the terminal with `exec --file`.

use gatepass_tests::{Home, gatepass_binary};
use rustix::process::Signal;

use super::{exec, fixture, run_in_shell};

/// A script that prints each received signal and exits with 3 at TERM.
const PRINT_SIGNALS: &str = "
for name in HUP INT QUIT USR1 USR2 WINCH; do trap \"echo $name\" $name; done
trap 'echo TERM; kill $!; exit 3' TERM
echo ready
while :; do sleep 60 > /dev/null 2>&1 & wait; kill $!; done";

#[test]
fn signal_is_forwarded_once() {
    let (_server, home) = fixture("token-of-the-program");
    let running = exec(&home, &["--file", "token"], &["sh", "-c", PRINT_SIGNALS]).spawn();
    assert_eq!(running.line(), "ready\n");
    for (signal, name) in [
        (Signal::HUP, "HUP\n"),
        (Signal::INT, "INT\n"),
        (Signal::QUIT, "QUIT\n"),
        (Signal::USR1, "USR1\n"),
        (Signal::USR2, "USR2\n"),
        (Signal::WINCH, "WINCH\n"),
    ] {
        running.signal(signal);
        assert_eq!(running.line(), name);
    }
    running.terminate();
    let run = running.finish();
    assert_eq!((run.code, run.stdout.as_str()), (Some(3), "TERM\n"), "{run:#?}");
    assert!(!home.path("work/token").exists());
}

#[test]
fn gatepass_ends_with_the_program() {
    let (_server, home) = fixture("token-of-the-program");
    let script = "trap 'echo not yet' TERM; echo ready; until [ -e end ]; do sleep 0.05; done";
    let running = exec(&home, &["--file", "token"], &["sh", "-c", script]).spawn();
    assert_eq!(running.line(), "ready\n");
    running.terminate();
    assert_eq!(running.line(), "not yet\n");
    assert!(home.path("work/token").exists());
    home.write("work/end", "");
    assert_eq!(running.finish().ok(), "");
    assert!(!home.path("work/token").exists());
}

#[test]
fn ignored_signals_stay_ignored() {
    let (_server, home) = fixture("token-of-the-program");
    for options in ["", "--file token"] {
        let script = format!(
            "trap '' HUP; exec gatepass exec cisco {options} -- \
             sh -c 'kill -HUP $$; kill -HUP $PPID; echo alive'"
        );
        // Without a file the parent is this test, which must not receive the signal.
        let script = if options.is_empty() { script.replace("$PPID", "$$") } else { script };
        assert_eq!(run_in_shell(&home, &script).run().ok(), "alive\n", "{options}");
    }
}

#[test]
fn ctrl_c_reaches_the_program_once() {
    let (_server, home) = fixture("token-of-the-program");
    let script = "n=0; trap 'n=$((n + 1)); echo \"interrupt $n\"' INT; trap 'echo \"sum $n\"' USR1; \
                  trap 'exit 4' QUIT; echo ready; while :; do sleep 0.05; done";
    for options in [[].as_slice(), &["--file", "token"]] {
        let mut terminal = exec(&home, options, &["sh", "-c", script]).at_terminal();
        terminal.wait_for("ready");
        for n in 1..=3 {
            terminal.interrupt();
            terminal.wait_for(&format!("interrupt {n}"));
        }
        // gatepass forwards signals in order.
        let id = rustix::process::Pid::from_raw(i32::try_from(terminal.id()).unwrap()).unwrap();
        rustix::process::kill_process(id, Signal::USR1).unwrap();
        terminal.wait_for("sum 3");
        terminal.keys("\x1c");
        assert_eq!(terminal.finish().0, Some(4), "{options:?}");
        assert!(!home.path("work/token").exists());
    }
}

#[test]
fn ctrl_c_ends_both_and_removes_the_file() {
    let (_server, home) = fixture("token-of-the-program");
    let mut terminal = exec(&home, &["--file", "token"], &["cat"]).at_terminal();
    terminal.line("ready");
    // Once as the terminal's echo, once from the program.
    terminal.wait_for("ready\r\nready");
    assert!(home.path("work/token").exists());
    terminal.interrupt();
    assert_eq!(terminal.finish().0, Some(130));
    assert!(!home.path("work/token").exists());
}

#[test]
fn ctrl_z_stops_and_fg_continues() {
    let (_server, home) = fixture("token-of-the-program");
    for options in ["", "--file token"] {
        stop_and_continue(&home, options);
    }
}

fn stop_and_continue(home: &Home, options: &str) {
    // Without line editing the shell does not change the terminal's modes, so that input goes to the
    // foreground process.
    let shell = ["--norc", "--noprofile", "--noediting", "-i"];
    let bash = home.program("/bin/bash".as_ref(), shell);
    let terminal = bash.env("GATEPASS", gatepass_binary()).env("PS1", "jobs \\j> ");
    let mut terminal = terminal.at_terminal();
    terminal.line(&format!("$GATEPASS exec cisco {options} -- sed -u s/$/-got/"));
    terminal.line("before");
    terminal.wait_for("before-got");
    terminal.keys("\x1a");
    terminal.wait_for("Stopped");
    terminal.wait_for("jobs 1> ");
    // The stopped process may still consume the first key.
    terminal.line(" fg");
    terminal.line("...after");
    terminal.wait_for(".after-got");
    terminal.keys("\x04");
    terminal.wait_for("\njobs 0> ");
    terminal.line(" exit $?");
    let (code, screen) = terminal.finish();
    assert_eq!(code, Some(0), "{screen}");
}
