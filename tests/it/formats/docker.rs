//! Tests of docker's credential helper protocol with skopeo.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatepass_tests::{Gatepass, Received, Reply};

use super::Setup;

#[test]
fn skopeo_logs_in_with_the_token() {
    let setup = Setup::new("cisco", registry);
    let run = skopeo(&setup).run();
    assert_eq!(run.json()["Tags"], serde_json::json!(["1.0"]));
    let basic = format!("Basic {}", STANDARD.encode("x-token:token-1"));
    let requests = setup.api_requests();
    assert_eq!(requests.last().unwrap().header("authorization"), Some(basic.as_str()));
}

#[test]
fn skopeo_shows_the_error() {
    let setup = Setup::new("cisco", registry);
    let run = skopeo(&setup).env("GATEPASS_CONFIG", "/no/such/file").run();
    assert_ne!(run.code, Some(0), "{run:#?}");
    assert!(run.stderr.contains("/no/such/file"), "{run:#?}");
}

fn registry(request: &Received) -> Reply {
    match (request.path(), request.header("authorization")) {
        (_, None) => Reply::empty(401).with("www-authenticate", "Basic realm=\"x\""),
        ("/v2/acme/app/tags/list", _) => {
            Reply::json(200, "{\"name\":\"acme/app\",\"tags\":[\"1.0\"]}")
        }
        _ => Reply::json(200, "{}"),
    }
}

fn skopeo(setup: &Setup) -> Gatepass<'_> {
    let script = "#!/bin/sh\nexec gatepass token cisco --format docker \"$@\"\n";
    setup.home.write_as("bin/docker-credential-acme", script, 0o700);
    let config = format!("{{\"credHelpers\":{{\"{}\":\"acme\"}}}}", setup.host());
    let config = setup.home.write("auth.json", &config);
    let image = format!("docker://{}/acme/app", setup.host());
    setup
        .program("skopeo", ["list-tags", "--tls-verify=false", &image])
        .env("REGISTRY_AUTH_FILE", config)
        .env("XDG_RUNTIME_DIR", setup.home.path("tmp"))
}
