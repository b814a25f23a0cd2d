//! Tests of proxies, private CAs and other network settings of the environment.

use gatepass_tests::{Home, Reply, Server, vendor};

#[test]
fn plain_http_bypasses_the_proxy() {
    let vendor = vendor("cisco");
    let server = Server::responding([Reply::json(200, vendor.token_response("token-1"))]);
    let proxy = Server::responding([Reply::empty(502)]);
    let home = Home::with_config(&vendor.profile(&server.url(), ""));
    let mut command = home.gatepass(["token", "cisco"]);
    for name in PROXIES {
        command = command.env(name, proxy.url());
    }
    assert_eq!(command.run().ok(), "token-1\n");
    assert_eq!(proxy.connections(), 0);
}

#[test]
fn https_uses_connect_and_hides_the_proxy_password() {
    let vendor = vendor("cisco");
    let proxy = Server::responding([Reply::empty(407)]);
    let address = proxy.url().replace("http://", "http://me:unsaid-word@");
    let home = Home::with_config(&vendor.profile("https://vendor.example.com", ""));
    let command = home.gatepass(["token", "cisco", "--wait", "0s"]).env("RUST_LOG", "trace");
    let run = command.env("HTTPS_PROXY", &address).run();
    let error = run.failed(2);
    assert!(error.contains("the proxy requires a user name and password"), "{error}");
    assert!(!error.contains("unsaid-word"), "{error}");
    let request = proxy.request();
    assert_eq!(
        (request.method.as_str(), request.target.as_str()),
        ("CONNECT", "vendor.example.com:443")
    );
    assert!(request.header("proxy-authorization").is_some() && request.body.is_empty());
    assert!(!format!("{request:?}").contains("of-the-tests"), "{request:#?}");
}

#[test]
fn no_proxy_hosts_are_contacted_directly() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let proxy = Server::responding([Reply::empty(502)]);
    let home = Home::with_config(&vendor("cisco").profile(&format!("https://{closed}"), ""));
    let command = home.gatepass(["token", "cisco", "--wait", "0s"]);
    let run = command.env("HTTPS_PROXY", proxy.url()).env("NO_PROXY", "127.0.0.1").run();
    assert!(run.failed(6).contains("connection refused"), "{run:#?}");
    assert_eq!(proxy.connections(), 0);
}

#[test]
fn plain_server_receives_no_secret_over_https() {
    let server = Server::responding([Reply::raw("HTTP/1.1 400 Bad Request\r\n\r\n")]);
    let address = server.url().replace("http://", "https://");
    let home = Home::with_config(&vendor("cisco").profile(&address, ""));
    let keys = home.path("tmp/keys.log");
    let command = home.gatepass(["token", "cisco", "--wait", "0s"]).env("SSLKEYLOGFILE", &keys);
    let run = command.run();
    assert_eq!(run.code, Some(6), "{run:#?}");
    assert_eq!(server.requests().len(), 0, "it spoke plain HTTP");
    assert!(!keys.exists());
}

const PROXIES: [&str; 6] =
    ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
