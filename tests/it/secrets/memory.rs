//! Tests of the command's memory while it waits, read by another process as a debugger does.

use std::fs;
use std::time::{Duration, Instant};

use gatepass_testkit::{Canary, canary, find_leak};
use gatepass_tests::{Home, Received, Reply, Running, Server, vendor};

/// A home whose client secret is in a file, so that the config does not contain it.
struct Stage {
    secret: Canary,
    server: Server,
    home: Home,
}

impl Stage {
    fn new(script: impl Fn(usize, &Received) -> Reply + Send + Sync + 'static) -> Self {
        let (secret, server) = (canary("client secret"), Server::new(script));
        let reference = |_: &str| String::from("{ file = \"secret\" }");
        let config = vendor("cisco").profile_with(&server.url(), "", reference);
        let home = Home::with_config(&config);
        home.write("config/gatepass/secret", secret.text());
        Self { secret, server, home }
    }

    /// Starts the command with a program that waits until [`Home`] has a file `end`.
    fn exec_file(&self) -> Running<'_> {
        let script = "echo ready; until [ -e end ]; do sleep 0.05; done";
        let args = ["exec", "cisco", "--file", "token", "--", "sh", "-c", script];
        let running = self.home.gatepass(args).spawn();
        assert_eq!(running.line(), "ready\n");
        running
    }

    fn finish(&self, running: Running<'_>) {
        self.home.write("work/end", "");
        running.finish().ok();
    }
}

/// Returns a token with this lifetime in seconds.
fn token_reply(token: &Canary, seconds: u32) -> Reply {
    let text = token.text();
    let body =
        format!(r#"{{"access_token":"{text}","token_type":"Bearer","expires_in":{seconds}}}"#);
    Reply::json(200, body)
}

/// Returns whether the memory contains the value, complete or in part.
fn contains_secret(memory: &str, secret: &Canary) -> bool {
    find_leak(memory, std::slice::from_ref(secret)).is_some()
}

/// Returns the number of complete occurrences.
fn count_copies(memory: &str, secret: &Canary) -> usize {
    memory.matches(secret.text()).count()
}

/// Waits until the value is gone from memory, which happens shortly after the callers are woken.
/// Returns false after 10 s.
fn wait_until_cleared(running: &Running<'_>, secret: &Canary) -> bool {
    let deadline = Instant::now() + Duration::from_secs(10);
    while contains_secret(&running.memory(), secret) {
        if Instant::now() > deadline {
            return false;
        }
    }
    true
}

#[test]
fn memory_scan_finds_a_secret_in_use() {
    let stage = Stage::new(|_, _| Reply::silence());
    let running = stage.home.gatepass(["token", "cisco", "--wait", "0s"]).spawn();
    stage.server.arrival();
    // Positive control of the other tests.
    assert!(contains_secret(&running.memory(), &stage.secret));
}

#[test]
fn sent_secret_is_removed_from_memory() {
    let token = canary("token");
    let reply = token_reply(&token, 3600);
    let stage = Stage::new(move |n, _| if n == 0 { reply.clone() } else { Reply::silence() });
    let running = stage.home.gatepass(["call", "cisco", "/hello"]).spawn();
    (0..2).for_each(|_| stage.server.arrival());
    let memory = running.memory();
    // In the cache and in the outgoing request.
    assert!((1..=2).contains(&count_copies(&memory, &token)), "{}", count_copies(&memory, &token));
    assert!(!contains_secret(&memory, &stage.secret));
}

#[test]
fn idle_memory_has_one_token_and_no_secret() {
    let tokens = [canary("first"), canary("second")];
    let replies = [token_reply(&tokens[0], 2), token_reply(&tokens[1], 3600)];
    let stage = Stage::new(move |n, _| replies[n.min(1)].clone());
    let running = stage.exec_file();
    let memory = running.memory();
    assert!(contains_secret(&memory, &tokens[0]) && !contains_secret(&memory, &stage.secret));
    // The file is replaced first; the copy in memory is removed a moment later.
    let memory = loop {
        let memory = running.memory();
        if contains_secret(&memory, &tokens[1]) && !contains_secret(&memory, &tokens[0]) {
            break memory;
        }
    };
    assert_eq!(fs::read_to_string(stage.home.path("work/token")).unwrap(), tokens[1].text());
    assert_eq!(count_copies(&memory, &tokens[1]), 1);
    assert!(!contains_secret(&memory, &stage.secret));
    stage.finish(running);
}

#[test]
fn failed_token_request_leaves_no_secret() {
    let token = canary("token");
    let reply = token_reply(&token, 2);
    let denied = Reply::json(401, "{\"error\": \"invalid_client\"}");
    let stage = Stage::new(move |n, _| if n == 0 { reply.clone() } else { denied.clone() });
    let mut running = stage.exec_file();
    running.wait_for_stderr("warning");
    assert!(wait_until_cleared(&running, &stage.secret));
    stage.finish(running);
}

#[test]
fn waiting_login_holds_the_secret_once() {
    let stage = Stage::new(|_, _| Reply::empty(404));
    let path = stage.home.path("config/gatepass/config.toml");
    let config = fs::read_to_string(&path).unwrap()
        + "grant = \"implicit\"\nredirect_uri = \"http://127.0.0.1:0/callback\"\n";
    fs::write(&path, config).unwrap();
    let mut running = stage.home.gatepass(["login", "cisco", "--no-browser"]).spawn();
    running.wait_for_stderr("http://127.0.0.1:");
    // The vendor's response is redacted.
    assert_eq!(count_copies(&running.memory(), &stage.secret), 1);
    running.interrupt();
}
