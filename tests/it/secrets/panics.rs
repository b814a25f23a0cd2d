//! Tests of a provider that panics with a secret in its message.

use std::path::PathBuf;
use std::sync::OnceLock;

use gatepass_testkit::{Canary, canary, find_leak};
use gatepass_tests::{Home, Reply, Server, Workspace, workspace};

/// Returns an outside command whose provider panics, built once.
fn command() -> &'static PathBuf {
    static COMMAND: OnceLock<PathBuf> = OnceLock::new();
    COMMAND.get_or_init(|| {
        let rash = Workspace::new("rash", &["rash-gatepass"]);
        rash.copy(&workspace().join("tests/outside/rash-gatepass"), "rash-gatepass");
        rash.build("rash-gatepass", &[])
    })
}

#[test]
fn panic_message_is_not_repeated() {
    let (id, secret, token) = (canary("id"), canary("secret"), canary("token"));
    let reply = format!("{{\"access_token\":\"{}\"}}", token.text());
    let server = Server::responding([Reply::json(200, reply)]);
    let canaries: [Canary; 3] = [id.clone(), secret.clone(), token];
    for when in ["request", "thread", "response", "build"] {
        let home = Home::with_config(&format!(
            "[profiles.rash]\nbase_url = \"{}\"\nclient_id = \"{}\"\nclient_secret = \"{}\"\n\
             when = \"{when}\"\n",
            server.url(),
            id.text(),
            secret.text()
        ));
        for args in [["token", "rash", "-vv"].as_slice(), &["doctor", "rash", "--format", "json"]] {
            let run = home.program(command(), args.iter().copied());
            let run = run.env("RUST_BACKTRACE", "full").env("RUST_LOG", "trace").run();
            assert_eq!(run.code, Some(1), "{when}: {run:#?}");
            // The location is printed for a bug report.
            assert!(run.stderr.contains("rash-gatepass/src/main.rs:"), "{when}: {run:#?}");
            assert_eq!(find_leak(&run.all(), &canaries), None, "{when}: {args:?}");
        }
        // JSON output is one object, and `exec` keeps its exit code.
        let exec = ["exec", "rash", "--format", "json", "--", "true"];
        let run = home.program(command(), exec).run();
        assert_eq!(run.error(125)["code"], "internal", "{when}: {run:#?}");
        home.forget_all();
    }
}
