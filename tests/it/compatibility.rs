//! Tests of servers, headers and proxies that other clients accept.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use gatepass_tests::{Home, Reply, Server, Step, vendor};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;

/// Returns a self-signed certificate that is marked as a CA, as `openssl req -x509` makes it, and the
/// configuration of its server.
fn self_signed(name: &str) -> (String, ServerConfig) {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let own = params.self_signed(&key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    (own.pem(), config)
}

/// Runs `token` at a server with this certificate, with `ca_file` set to this one.
fn token_with(listed: &str, server: ServerConfig) -> gatepass_tests::Run {
    let cisco = vendor("cisco");
    let body = cisco.token_response("token-1");
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length:";
    let response = format!("{head} {}\r\n\r\n{body}", body.len());
    let steps = vec![Step::Request, Step::send(response), Step::Finish];
    let server = Server::behind_tls(server, steps);
    let home = Home::with_config(&cisco.profile(&server.url(), "ca_file = \"ca.pem\""));
    home.write("config/gatepass/ca.pem", listed);
    home.gatepass(["token", "cisco", "--wait", "0s"]).run()
}

#[test]
fn self_signed_server_in_ca_file_is_trusted() {
    let (pem, config) = self_signed("127.0.0.1");
    assert_eq!(token_with(&pem, config).ok(), "token-1\n");

    // Not for another name, and not another certificate with the same names.
    let (pem, config) = self_signed("other.test");
    assert!(!token_with(&pem, config).failed(6).is_empty());
    let (pem, _) = self_signed("127.0.0.1");
    let (_, config) = self_signed("127.0.0.1");
    assert!(token_with(&pem, config).failed(6).contains("certificate"));
}

#[test]
fn named_delay_is_obeyed_in_every_form() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let (seconds, millis) = ((now + 60).to_string(), ((now + 60) * 1000).to_string());
    let cisco = vendor("cisco");
    for (status, name, value) in [
        (429, "retry-after", "29.997"),
        (429, "retry-after", "30.0"),
        (503, "retry-after", "30.5"),
        (429, "retry-after-ms", "30000"),
        (429, "ratelimit-reset", "30"),
        (429, "x-ratelimit-reset", "30"),
        (429, "x-ratelimit-reset", &seconds),
        (429, "x-ratelimit-reset", &millis),
        (429, "x-rate-limit-reset", &seconds),
        (429, "ratelimit", r#""default";r=0;t=30"#),
        (400, "retry-after", "29.997"),
        (400, "ratelimit-reset", "30"),
    ] {
        let body = if status == 400 { r#"{"error":"slow_down"}"# } else { "" };
        let server = Server::responding([
            Reply::json(status, body).with(name, value),
            Reply::json(200, cisco.token_response("token-1")),
        ]);
        let home = Home::with_config(&cisco.profile(&server.url(), ""));
        let run = home.gatepass(["token", "cisco", "--wait", "8s"]).run();
        assert_eq!(server.requests().len(), 1, "{status} {name}: {value} {run:#?}");
        assert_eq!(run.code, Some(if status == 503 { 6 } else { 5 }), "{name}: {value} {run:#?}");
    }
}

#[test]
fn odd_content_encoding_is_not_compression() {
    let cisco = vendor("cisco");
    for value in ["none", "utf-8", "", "identity", "UTF-8", "identity, none"] {
        let reply = Reply::json(200, cisco.token_response("token-1"));
        let server = Server::responding([reply.with("content-encoding", value)]);
        let home = Home::with_config(&cisco.profile(&server.url(), ""));
        assert_eq!(home.gatepass(["token", "cisco"]).run().ok(), "token-1\n", "{value}");
    }
}

#[test]
fn response_of_the_proxy_is_named_as_such() {
    for response in [
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno",
        "HTTP/1.1 407 Auth\r\n\r\n",
        "HTTP/1.1 502 Bad Gateway\r\n\r\n",
        "HTTP/1.1 503 Unavailable\r\nRetry-After: 60\r\n\r\n",
        "HTTP/1.1 302 Found\r\nLocation: https://login.test/\r\n\r\n",
        "<html>hello</html>",
        "HTTP/1.1 200 OK\r\n\r\n<html>log in</html>",
        "",
    ] {
        let proxy = Server::following([Step::Request, Step::send(response), Step::Finish]);
        let cisco = vendor("cisco");
        let home = Home::with_config(&cisco.profile("https://vendor.example.com", ""));
        let commands: [&[&str]; 3] = [
            &["token", "cisco", "--fresh", "--wait", "0s"],
            &["exec", "cisco", "--wait", "0s", "--", "true"],
            &["call", "cisco", "/hello", "--fail", "--wait", "0s"],
        ];
        for command in commands {
            home.forget_all();
            let run = home.gatepass(command.iter().copied()).env("HTTPS_PROXY", proxy.url()).run();
            let error = match command[0] {
                "exec" => run.failed(125),
                _ => run.failed(6),
            };
            assert!(error.contains("proxy"), "{response} {command:?}: {error}");
        }
    }
}
