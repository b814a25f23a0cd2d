//! Tests of this machine's limits: each is named, and a token does not need the store.

use std::path::Path;

use gatepass_tests::{Gatepass, Home, Reply, Run, Server, gatepass_binary, vendor};

/// A home with a profile, and the vendor's server.
fn home(secret: &str) -> (Home, Server) {
    let vendor = vendor("cisco");
    let server = Server::responding([Reply::json(200, vendor.token_response("token-1"))]);
    // A name, so that it is resolved.
    let url = server.url().replace("127.0.0.1", "localhost");
    (Home::with_config(&vendor.profile_with(&url, "", |_| secret.to_owned())), server)
}

/// Returns `token` under the shell's limit.
fn limited<'home>(home: &'home Home, program: &Path, limit: &str) -> Gatepass<'home> {
    let script = format!("ulimit {limit}; exec \"$@\"");
    let program = program.to_str().unwrap();
    let words = ["-c", &script, "bash", program, "token", "cisco", "--wait", "0s", "--fresh"];
    home.program(Path::new("bash"), words)
}

#[track_caller]
fn assert_no_panic(run: &Run) {
    let all = run.all();
    assert!(!all.contains("internal error") && !all.contains("panic"), "{run:#?}");
}

#[test]
fn token_is_printed_without_room_for_files() {
    let (home, _server) = home("\"made-up\"");
    let run = limited(&home, gatepass_binary(), "-f 0").run();
    assert_eq!(run.ok(), "token-1\n");
    assert!(run.stderr.contains("the limit on the size of files"), "{run:#?}");
    assert_no_panic(&run);
}

#[test]
fn few_open_files_are_named_or_suffice() {
    for secret in ["\"made-up\"", "{ command = [\"echo\", \"made-up\"] }", "{ file = \"secret\" }"]
    {
        let (home, _server) = home(secret);
        home.write("config/gatepass/secret", "made-up\n");
        let mut succeeded = 0;
        for limit in 6..24 {
            let run = limited(&home, gatepass_binary(), &format!("-n {limit}")).run();
            assert_no_panic(&run);
            match run.code {
                Some(0) => succeeded += 1,
                Some(1) => assert!(run.stderr.contains("open files"), "{limit}: {run:#?}"),
                _ => panic!("{limit}: {run:#?}"),
            }
        }
        assert!(succeeded > 0, "{secret}");
    }
}

#[test]
fn token_is_printed_without_threads() {
    let (home, _server) = home("{ file = \"secret\" }");
    home.write("config/gatepass/secret", "made-up\n");
    let copy = home.give_to_unprivileged_user();
    // A limit on processes does not bind root.
    let run = limited(&home, &copy, "-u 0").as_unprivileged_user().run();
    assert_eq!(run.ok(), "token-1\n", "{run:#?}");
    assert_no_panic(&run);
}

#[test]
fn command_of_a_secret_names_the_limit_on_processes() {
    let (home, server) = home("{ command = [\"echo\", \"made-up\"] }");
    let copy = home.give_to_unprivileged_user();
    let run = limited(&home, &copy, "-u 0").as_unprivileged_user().run();
    assert!(run.failed(1).contains("the limit on processes and threads"), "{run:#?}");
    assert_eq!(server.connections(), 0);
    assert_no_panic(&run);
}

#[test]
fn sandbox_that_denies_a_call_prevents_no_token() {
    let binary = gatepass_binary().to_str().unwrap();
    for (call, error) in [("prctl", "EPERM"), ("prlimit64", "EPERM"), ("clone3", "EAGAIN")] {
        let (home, _server) = home("\"made-up\"");
        let inject = format!("inject={call}:error={error}");
        let args = ["-f", "-qq", "-o", "log", "-e", &inject, binary, "token", "cisco"];
        let run = home.program(Path::new("strace"), args).run();
        let log = std::fs::read_to_string(home.path("work/log")).unwrap();
        assert!(log.contains("(INJECTED)"), "{call} was not called: {run:#?}");
        assert_eq!(run.ok(), "token-1\n", "{call}");
        assert_no_panic(&run);
    }
}
