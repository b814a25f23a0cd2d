//! Tests of the arguments of started programs, which every user can read.

use gatepass_testkit::{Canary, find_leak};
use gatepass_tests::{Home, Trace, gatepass_binary};

use super::{IMPLICIT, Stage, paste};

const EXEC_CALLS: [&str; 2] = ["-e", "trace=execve,execveat,prctl"];

/// Fails if this program was not started, or if an argument or a name contains a canary.
#[track_caller]
fn assert_no_leak(trace: &Trace, program: &str, canaries: &[Canary]) {
    let calls = trace.calls();
    let started = |call: &&String| call.starts_with("execve") && call.ends_with("= 0");
    let programs: Vec<_> = calls.iter().filter(started).collect();
    assert!(programs.iter().any(|call| call.contains(&format!("[\"{program}\""))), "{programs:#?}");
    assert_eq!(find_leak(&calls.join("\n"), canaries), None, "{program}");
}

#[test]
fn child_arguments_have_no_secret() {
    let stage = Stage::new("");
    let canaries = stage.canaries();
    for (name, args, program) in [
        ("token", ["token", "cisco"].as_slice(), "cat"),
        ("call", &["call", "cisco", "/hello"], "cat"),
        ("doctor", &["doctor", "cisco", "--fresh"], "cat"),
        ("exec", &["exec", "cisco", "--", "sh", "-c", "sleep 0"], "sleep"),
        ("file", &["exec", "cisco", "--file", "token", "--", "sh", "-c", "cat token"], "sh"),
    ] {
        stage.home.forget_all();
        let trace = stage.trace(name);
        stage.home.gatepass(args.iter().copied()).traced(&trace, &EXEC_CALLS).run().ok();
        assert_no_leak(&trace, program, &canaries);
        assert_no_leak(&trace, "cat", &canaries);
    }
    let trace = stage.trace("git");
    let helper = format!(
        "credential.{}.helper=!{} token cisco --format git",
        stage.server.url(),
        gatepass_binary().display()
    );
    let question = format!("protocol=http\nhost={}\n\n", stage.server.url().replace("http://", ""));
    let git = stage.home.program("git".as_ref(), ["-c", &helper, "credential", "fill"]);
    let run = git.env("GIT_CONFIG_NOSYSTEM", "1").stdin(question).traced(&trace, &EXEC_CALLS).run();
    assert!(run.ok().contains(stage.token.text()), "{run:#?}");
    assert_no_leak(&trace, gatepass_binary().to_str().unwrap(), &canaries);
}

#[test]
fn login_child_arguments_have_no_secret() {
    let stage = Stage::new(IMPLICIT);
    let browser = stage.home.write_as("browser", "#!/bin/sh\nexit 0\n", 0o700);
    let trace = stage.trace("browser");
    let login = stage.home.gatepass(["login", "cisco", "--wait", "1s"]).env("BROWSER", &browser);
    let run = login.traced(&trace, &EXEC_CALLS).run();
    assert_ne!(run.code, Some(0), "{run:#?}");
    let (_, state) = run.stderr.split_once("&state=").unwrap();
    let state = state.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_').next();
    let [secret, token] = stage.canaries();
    assert_no_leak(
        &trace,
        browser.to_str().unwrap(),
        &[secret.clone(), token.clone(), Canary::new("state", state.unwrap())],
    );
    let trace = stage.trace("paste");
    let login = stage.home.gatepass(["login", "cisco", "--paste"]).traced(&trace, &EXEC_CALLS);
    let mut terminal = login.at_terminal();
    let state = paste(&mut terminal, &stage.token);
    let (code, screen) = terminal.finish();
    assert_eq!(code, Some(0), "{screen}");
    assert_no_leak(&trace, gatepass_binary().to_str().unwrap(), &[secret, token, state]);
}

#[test]
fn argument_check_finds_a_secret() {
    let (home, secret) = (Home::new(), gatepass_testkit::canary("secret"));
    let trace = Trace::in_folder(home.path("trace"));
    let script = "sh -c 'sh -c \"exec true $SECRET\"'";
    let shell = home.program("/bin/sh".as_ref(), ["-c", script]).env("SECRET", secret.text());
    shell.traced(&trace, &EXEC_CALLS).run().ok();
    let calls = trace.calls().join("\n");
    assert!(find_leak(&calls, std::slice::from_ref(&secret)).is_some(), "{calls}");
}
