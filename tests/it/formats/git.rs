//! Tests of git with gatepass as its credential helper.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatepass_tests::{Gatepass, Received, Reply};

use super::Setup;

#[test]
fn git_sends_the_token() {
    let setup = Setup::new("cisco", |request| repository(request, "token-1"));
    let run = ls_remote(&setup).run();
    assert!(run.ok().ends_with("\trefs/heads/main\n"), "{run:#?}");
    let requests = setup.api_requests();
    let sent = requests.last().unwrap().header("authorization").unwrap();
    let basic = format!("Basic {}", STANDARD.encode("x-token:token-1"));
    let expected = if supports_bearer(&setup) { "Bearer token-1" } else { &basic };
    assert_eq!(sent, expected);
    // The next run sends no token request and does not prompt.
    ls_remote(&setup).run().ok();
    assert_eq!(setup.exchanges(), 1);
}

#[test]
fn git_rejection_forgets_the_token() {
    let setup = Setup::new("cisco", |request| repository(request, "token-2"));
    let run = ls_remote(&setup).run();
    assert_eq!(run.code, Some(128), "{run:#?}");
    assert!(ls_remote(&setup).run().ok().contains("refs/heads/main"));
    assert_eq!(setup.exchanges(), 2);
}

#[test]
fn older_git_receives_a_password() {
    let setup = Setup::new("cisco", |_| Reply::empty(404));
    let request = format!("protocol=http\nhost={}\n\n", setup.host());
    let run = git(&setup).args(["credential", "fill"]).stdin(request).run();
    let lines: Vec<&str> = run.ok().lines().collect();
    assert!(lines.contains(&"username=x-token") && lines.contains(&"password=token-1"), "{run:#?}");
    assert!(lines.iter().any(|line| line.starts_with("password_expiry_utc=")) || is_old(&setup));
}

#[test]
fn git_does_not_prompt_after_a_failure() {
    let setup = Setup::new("cisco", |request| repository(request, "token-1"));
    let run = ls_remote(&setup).env("GATEPASS_CONFIG", "/no/such/file").run();
    assert!(run.failed(128).contains("told us to quit"), "{run:#?}");
}

/// A repository with one branch that requires this token.
fn repository(request: &Received, token: &str) -> Reply {
    let basic = format!("Basic {}", STANDARD.encode(format!("x-token:{token}")));
    let sent = request.header("authorization");
    if sent != Some(&format!("Bearer {token}")) && sent != Some(&basic) {
        return Reply::empty(401).with("www-authenticate", "Basic realm=\"x\"");
    }
    let lines = ["# service=git-upload-pack\n", "", BRANCH, ""].map(|line| match line {
        "" => String::from("0000"),
        line => {
            let line = line.replace("ID", &"7".repeat(40));
            format!("{:04x}{line}", line.len() + 4)
        }
    });
    Reply::new(200, "application/x-git-upload-pack-advertisement", lines.concat())
}

const BRANCH: &str = "ID refs/heads/main\0agent=test\n";

fn git(setup: &Setup) -> Gatepass<'_> {
    let helper =
        format!("credential.{}.helper=!gatepass token cisco --format git", setup.server.url());
    setup
        .program("git", ["-c", &helper, "-c", "protocol.version=0"])
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
}

fn ls_remote(setup: &Setup) -> Gatepass<'_> {
    git(setup).args(["ls-remote", &format!("{}/repo", setup.server.url())])
}

/// Returns whether git supports bearer credentials (2.46 or later).
fn supports_bearer(setup: &Setup) -> bool {
    version(setup) >= (2, 46)
}

/// Returns whether git ignores the expiry of passwords (2.40 or earlier).
fn is_old(setup: &Setup) -> bool {
    version(setup) < (2, 40)
}

fn version(setup: &Setup) -> (u32, u32) {
    let run = setup.program("git", ["version"]).run();
    let version = run.ok().strip_prefix("git version ").unwrap();
    let mut numbers = version.split('.').map(|number| number.trim().parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}
