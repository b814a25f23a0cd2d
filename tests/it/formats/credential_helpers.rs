//! Tests of the credential helper protocols.

use gatepass_tests::{Gatepass, Reply, Server, vendor};
use serde_json::Value;

use super::Setup;

#[test]
fn bazel_receives_a_header_for_the_vendors_url() {
    let setup = Setup::new("cisco", |_| Reply::empty(404));
    let request = format!("{{\"uri\": \"{}/x?y=z\"}}", setup.server.url());
    let reply = run_helper(&setup, "bazel", "get").stdin(request).run().json();
    assert_eq!(reply["headers"], serde_json::json!({"Authorization": ["Bearer token-1"]}));
    let remaining = reply["expires"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let remaining = remaining.duration_since(jiff::Timestamp::now()).as_secs();
    assert!((3_500..=3_590).contains(&remaining), "{reply}");
}

#[test]
fn credential_helpers_reject_other_hosts() {
    let setup = Setup::new("cisco", |_| Reply::empty(404));
    let not_found = "credentials not found in native keychain\n";
    for (format, request, expected) in [
        ("git", "protocol=https\nhost=evil.example\n\n", ""),
        ("git", "protocol=https\nhost=HOST\n\n", ""),
        ("docker", "evil.example", not_found),
        ("docker", "user@HOST", not_found),
        ("docker", "https://HOST", not_found),
        ("bazel", "{\"uri\":\"https://evil.example/x\"}", ""),
        ("bazel", "{\"uri\":\"http://HOST@evil.example/x\"}", ""),
        ("bazel", "{\"uri\":\"no address\"}", ""),
    ] {
        let request = request.replace("HOST", &setup.host());
        let run = run_helper(&setup, format, "get").stdin(request.as_str()).run();
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), expected), "{request}: {run:#?}");
    }
    assert_eq!(setup.server.connections(), 0);
}

#[test]
fn store_and_list_operations_need_no_token() {
    let setup = Setup::new("cisco", |_| Reply::empty(404));
    for (format, operation, expected) in [
        ("git", "store", ""),
        ("git", "capability", "version 0\ncapability authtype\n"),
        ("docker", "store", ""),
        ("docker", "list", "{}\n"),
    ] {
        let run = run_helper(&setup, format, operation).stdin("password=x\n\n").run();
        assert_eq!(run.ok(), expected, "{format} {operation}");
    }
    assert_eq!(setup.server.connections(), 0);
}

#[test]
fn erase_forgets_only_the_rejected_token() {
    let setup = Setup::new("cisco", |_| Reply::empty(404));
    let token = || setup.program("gatepass", ["token", "cisco"]).run().ok().to_owned();
    let erase = |more: &str| {
        let request = format!("protocol=http\nhost={}\n{more}\n", setup.host());
        assert_eq!(run_helper(&setup, "git", "erase").stdin(request).run().ok(), "");
    };
    assert_eq!(token(), "token-1\n");
    erase("authtype=Bearer\ncredential=an-older-one\n");
    assert_eq!(token(), "token-1\n");
    erase("authtype=Bearer\ncredential=token-1\n");
    assert_eq!(token(), "token-2\n");
    erase("username=x-token\npassword=token-2\n");
    assert_eq!(token(), "token-3\n");
    erase("");
    assert_eq!(token(), "token-4\n");
}

#[test]
fn docker_logout_forgets_the_token() {
    let setup = Setup::new("cisco", |_| Reply::empty(404));
    let token = || setup.program("gatepass", ["token", "cisco"]).run().ok().to_owned();
    let erase = |server: &str| {
        assert_eq!(run_helper(&setup, "docker", "erase").stdin(server).run().ok(), "");
    };
    assert_eq!(token(), "token-1\n");
    // The token is not sent to another server.
    erase("registry.example:5000");
    assert_eq!(token(), "token-1\n");
    erase(&setup.host());
    assert_eq!(token(), "token-2\n");
    erase(&format!("http://{}/v2/", setup.host()));
    assert_eq!(token(), "token-3\n");
}

#[test]
fn helper_failures_keep_exit_code_and_format() {
    let server = Server::responding([Reply::json(401, "{\"error\":\"invalid_client\"}")]);
    let setup = Setup::new("cisco", |_| Reply::empty(404));
    setup.home.write("config/gatepass/config.toml", &vendor("cisco").profile(&server.url(), ""));
    let host = server.url().replace("http://", "");
    for (format, request, reply) in [
        ("git", format!("protocol=http\nhost={host}\n\n"), "quit=1\n"),
        ("docker", host.clone(), "cisco/cisco: the vendor rejected client id"),
        ("bazel", format!("{{\"uri\":\"http://{host}/x\"}}"), ""),
    ] {
        let run = run_helper(&setup, format, "get").stdin(request).run();
        assert_eq!(run.code, Some(3), "{run:#?}");
        assert!(run.stdout.starts_with(reply), "{run:#?}");
        assert!(run.stderr.contains("hint"), "{run:#?}");
    }
}

#[test]
fn helper_run_by_hand_prints_its_usage() {
    let setup = Setup::new("cisco", |_| Reply::empty(404));
    for (format, setup_hint) in [
        ("git", "git config credential."),
        ("docker", "docker-credential-NAME"),
        ("bazel", "--credential_helper"),
    ] {
        let run = setup.program("gatepass", ["token", "cisco", "--format", format]).run();
        assert!(run.failed(2).contains(setup_hint), "{run:#?}");
    }
    let run = setup.program("gatepass", ["token", "cisco", "get", "--format", "header"]).run();
    assert!(run.failed(2).contains("git, docker and bazel"), "{run:#?}");
}

#[test]
fn unknown_kubernetes_api_version_is_rejected() {
    let setup = Setup::new("cisco", |_| Reply::empty(404));
    let kubernetes = || setup.program("gatepass", ["token", "cisco", "--format", "kubernetes"]);
    let v1alpha1 = "{\"apiVersion\":\"client.authentication.k8s.io/v1alpha1\"}";
    let run = kubernetes().env("KUBERNETES_EXEC_INFO", v1alpha1).run();
    assert!(
        run.failed(2).contains("client.authentication.k8s.io/v1 in the kubeconfig"),
        "{run:#?}"
    );
    assert_eq!(setup.server.connections(), 0);
    let by_hand: Value = kubernetes().run().json();
    assert_eq!(by_hand["apiVersion"], "client.authentication.k8s.io/v1");
    assert_eq!(by_hand["status"]["token"], "token-1");
}

fn run_helper<'a>(setup: &'a Setup, format: &'a str, operation: &'a str) -> Gatepass<'a> {
    setup.program("gatepass", ["token", "cisco", "--format", format, operation])
}
