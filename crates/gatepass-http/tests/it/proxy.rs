//! Tests of proxies: https uses CONNECT, plain http bypasses them.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use gatepass_core::{ErrorKind, Retry};
use gatepass_http::HttpClient;

use crate::server::{Peer, Server, custom_builder, ok, respond_all, send, send_err};
use crate::tls::Ca;

/// Starts a proxy that opens a tunnel to `to` for every CONNECT.
fn tunnel(to: &Server) -> Server {
    let to = to.address();
    Server::plain(move |peer: &mut Peer| {
        if peer.request().is_some() && peer.send("HTTP/1.1 200 OK\r\n\r\n").is_ok() {
            peer.relay(to);
        }
    })
}

/// Starts a proxy that sends this response to a CONNECT.
fn responding(response: &'static str) -> Server {
    Server::plain(move |peer| {
        peer.request();
        let _ = peer.send(response);
        peer.finish();
    })
}

fn through(proxy: &str) -> HttpClient {
    let proxy = reqwest::Proxy::all(proxy).unwrap();
    HttpClient::builder().from_builder(custom_builder().proxy(proxy)).build().unwrap()
}

/// Runs [`request_in_child`] with this environment; variables with the prefix `TEST_` are its
/// parameters.
fn run_child(environment: &[(&str, &str)]) {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "proxy::request_in_child", "--ignored", "--nocapture"]);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
        child.env_remove(name).env_remove(name.to_lowercase());
    }
    let (parameters, variables): (Vec<_>, Vec<_>) =
        environment.iter().copied().partition(|(name, _)| name.starts_with("TEST_"));
    let child = child.envs(variables).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = child.stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for (name, value) in parameters {
        write!(stdin, "{name}={value}\0").unwrap();
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

/// Sends the request that the parameters on stdin describe.
#[tokio::test]
#[ignore = "run by the other tests in a child process"]
async fn request_in_child() {
    let mut parameters = String::new();
    std::io::stdin().read_to_string(&mut parameters).unwrap();
    let parameter = |name: &str| {
        let found =
            parameters.split('\0').find_map(|entry| entry.strip_prefix(&format!("TEST_{name}=")));
        found.map(str::to_owned)
    };
    let Some(origin) = parameter("ORIGIN") else { return };
    let mut client = HttpClient::builder();
    if let Some(pem) = parameter("CA") {
        client = client.ca_pem(pem.as_bytes()).unwrap();
    }
    if parameter("KEYS").is_some() {
        client = client.from_builder(custom_builder().tls_sslkeylogfile(true));
    }
    if parameter("DIRECT").is_some() {
        client = client.no_proxy();
    }
    match (parameter("WANT"), send(&client.build().unwrap(), &origin).await) {
        (None, response) => assert_eq!(response.unwrap().body(), b"{}"),
        (Some(text), response) => {
            let error = response.unwrap_err();
            assert!(format!("{error:?}").contains(&text), "{error:?}");
        }
    }
}

#[test]
fn plain_http_bypasses_the_proxy() {
    let server = Server::responding(ok("{}"));
    let proxy = Server::responding(ok("from the proxy"));
    let url = proxy.origin();
    let names = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY"];
    let mut environment: Vec<(&str, &str)> = names.map(|name| (name, url.as_str())).to_vec();
    let origin = server.origin();
    environment.push(("TEST_ORIGIN", &origin));
    run_child(&environment);
    assert_eq!((server.connections(), proxy.connections()), (1, 0));
}

#[tokio::test]
async fn plain_http_bypasses_a_custom_builders_proxy() {
    let server = Server::responding(ok("{}"));
    let proxy = Server::responding(ok("from the proxy"));
    let client = through(&proxy.origin());
    assert_eq!(send(&client, &server.origin()).await.unwrap().body(), b"{}");
    assert_eq!((server.connections(), proxy.connections()), (1, 0));
}

#[test]
fn https_uses_a_proxy_tunnel() {
    let ca = Ca::new();
    let server = Server::tls(ca.good(), respond_all(ok("{}")));
    let proxy = tunnel(&server);
    let (origin, url) = (server.origin(), proxy.origin());
    let mut environment =
        vec![("TEST_ORIGIN", origin.as_str()), ("TEST_CA", &ca.pem), ("HTTPS_PROXY", &url)];
    run_child(&environment);
    assert_eq!((server.connections(), proxy.connections()), (1, 1));

    // The proxy sees one CONNECT and then only TLS records.
    let received = proxy.received();
    assert!(
        received.starts_with(&format!("CONNECT {} HTTP/1.1\r\n", server.address())),
        "{received:?}"
    );
    let (head, rest) = received.split_once("\r\n\r\n").unwrap();
    assert!(rest.starts_with('\u{16}'), "{rest:?}");
    for secret in ["client_credentials", "/oauth2/token", "application/json"] {
        assert!(!received.contains(secret) && server.received().contains(secret), "{head}");
    }

    environment.push(("NO_PROXY", "127.0.0.1"));
    run_child(&environment);
    environment.pop();
    environment.push(("TEST_DIRECT", "1"));
    run_child(&environment);
    assert_eq!((server.connections(), proxy.connections()), (3, 1));
}

#[test]
fn key_log_is_never_written() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    let ca = Ca::new();
    let server = Server::tls(ca.good(), respond_all(ok("{}")));
    let origin = server.origin();
    let mut environment = vec![
        ("TEST_ORIGIN", origin.as_str()),
        ("TEST_CA", &ca.pem),
        ("SSLKEYLOGFILE", file.to_str().unwrap()),
    ];
    run_child(&environment);
    environment.push(("TEST_KEYS", "1"));
    run_child(&environment);
    assert_eq!(server.connections(), 2);
    assert!(!file.exists());
}

#[test]
fn unreadable_roots_name_their_variable() {
    let ca = Ca::new();
    let server = Server::tls(ca.good(), respond_all(ok("{}")));
    let folder = tempfile::tempdir().unwrap();
    let (file, folder) = (folder.path().join("none.pem"), folder.path());
    let origin = server.origin();
    let mut environment = vec![
        ("SSL_CERT_FILE", file.to_str().unwrap()),
        ("SSL_CERT_DIR", folder.to_str().unwrap()),
        ("TEST_ORIGIN", &origin),
    ];
    environment.push((
        "TEST_WANT",
        if cfg!(target_os = "linux") { "that SSL_CERT_FILE names" } else { "untrusted CA" },
    ));
    run_child(&environment);
    // A plain http request needs no root certificates.
    let plain = Server::responding(ok("{}"));
    let origin = plain.origin();
    environment.truncate(2);
    environment.push(("TEST_ORIGIN", &origin));
    run_child(&environment);
    // A client with its own CA does not need them either.
    let origin = server.origin();
    environment.truncate(2);
    environment.extend([("TEST_ORIGIN", origin.as_str()), ("TEST_CA", &ca.pem)]);
    run_child(&environment);
    // With another CA, the error is that of the variable and not of the certificate.
    let other = Ca::new();
    environment.truncate(2);
    let want = if cfg!(target_os = "linux") { "SSL_CERT_FILE" } else { "untrusted CA" };
    environment.extend([
        ("TEST_ORIGIN", origin.as_str()),
        ("TEST_CA", &other.pem),
        ("TEST_WANT", want),
    ]);
    run_child(&environment);
}

#[tokio::test]
async fn failed_proxy_tunnel_is_explained() {
    for (response, retry, text) in [
        ("HTTP/1.1 407 Auth\r\n\r\n", Retry::Never, "the proxy requires a user name and password"),
        ("HTTP/1.1 403 No\r\n\r\n", Retry::Later, "the proxy made no connection"),
        ("HTTP/1.1 502 Bad\r\n\r\n", Retry::Later, "the proxy made no connection"),
        (
            "HTTP/1.1 503 No\r\nRetry-After: 9\r\n\r\nx",
            Retry::Later,
            "the proxy made no connection",
        ),
        ("HTTP/1.1 302 No\r\nLocation: /\r\n\r\n", Retry::Later, "the proxy made no connection"),
        ("HTTP/1.1 204 No\r\n\r\n", Retry::Later, "the proxy made no connection"),
        ("SSH-2.0-x\r\n", Retry::Later, "the proxy made no connection"),
        ("<html>", Retry::Later, "the proxy made no connection"),
        ("", Retry::Later, "connection closed early by the proxy"),
        ("HTTP/1.1 200", Retry::Later, "connection closed early by the proxy"),
    ] {
        let proxy = responding(response);
        let error = send_err(&through(&proxy.origin()), "https://vendor.example").await;
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, retry), "{error:?}");
        assert!(error.message().contains(text), "{error}");
        assert!(error.hints()[0].text().contains("HTTPS_PROXY"));
        assert!(error.message().contains("https://vendor.example"));
    }
    let error = send_err(&through("socks5://127.0.0.1:9"), "https://vendor.example").await;
    assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
    assert!(error.message().contains("neither http:// nor https://"), "{error}");
    assert!(error.hints()[0].text().contains("SOCKS"), "{error:?}");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = send_err(&through(&format!("http://{closed}")), "https://vendor.example").await;
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Later));
    assert!(error.message().contains("cannot reach the proxy for"), "{error}");
}

/// A proxy that is not understood must not be bypassed.
#[test]
fn invalid_proxy_is_never_bypassed() {
    let ca = Ca::new();
    let server = Server::tls(ca.good(), respond_all(ok("{}")));
    let origin = server.origin();
    for (name, value) in [
        ("HTTPS_PROXY", "\"http://127.0.0.1:9\""),
        ("https_proxy", "http://user:pa ss@127.0.0.1:9"),
        ("ALL_PROXY", "http://127.0.0.1:port"),
        ("all_proxy", "socks5://127.0.0.1:9"),
    ] {
        run_child(&[
            (name, value),
            ("TEST_ORIGIN", &origin),
            ("TEST_CA", &ca.pem),
            ("TEST_WANT", name),
        ]);
    }
    assert_eq!(server.connections(), 0);
    // The host needs no proxy, so its address does not matter.
    run_child(&[
        ("HTTPS_PROXY", "socks5://127.0.0.1:9"),
        ("NO_PROXY", "127.0.0.0/8"),
        ("TEST_ORIGIN", &origin),
        ("TEST_CA", &ca.pem),
    ]);
    assert_eq!(server.connections(), 1);
}

#[test]
fn proxy_counts_in_a_cgi_program() {
    let ca = Ca::new();
    let server = Server::tls(ca.good(), respond_all(ok("{}")));
    let proxy = tunnel(&server);
    let (origin, url) = (server.origin(), proxy.origin());
    run_child(&[
        ("REQUEST_METHOD", "GET"),
        ("HTTPS_PROXY", &url),
        ("TEST_ORIGIN", &origin),
        ("TEST_CA", &ca.pem),
    ]);
    assert_eq!((server.connections(), proxy.connections()), (1, 1));
}

#[test]
fn proxy_gets_the_whole_password() {
    let proxy = responding("HTTP/1.1 502 Bad\r\n\r\n");
    let url = proxy.origin().replace("http://", "http://corp\\user:p@ss%25@");
    run_child(&[
        ("HTTPS_PROXY", &url),
        ("TEST_ORIGIN", "https://vendor.test"),
        ("TEST_WANT", "the proxy made no connection"),
    ]);
    // `corp\user:p@ss%` in base64.
    let received = proxy.received().to_lowercase();
    assert!(received.contains("proxy-authorization: basic y29ycfx1c2vyonbac3ml"), "{received}");
}
