//! Tests of proxies, private CAs and other network settings of the environment.

use gatepass_tests::{Ca, Certificate, Home, Reply, Server, Step, vendor};

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
    let error = run.failed(6);
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

#[test]
fn proxy_that_is_not_understood_is_not_bypassed() {
    let vendor = vendor("cisco");
    let proxy = Server::responding([Reply::empty(502)]);
    let server = Server::responding([Reply::empty(502)]);
    let address = server.url().replace("http://", "https://");
    let home = Home::with_config(&vendor.profile(&address, ""));
    let port = proxy.url().rsplit(':').next().unwrap().to_owned();
    for (name, value) in [
        ("HTTPS_PROXY", format!("\"http://127.0.0.1:{port}\"")),
        ("https_proxy", format!("http://unsaid: word@127.0.0.1:{port}")),
        ("ALL_PROXY", format!("http://unsaid:wo%rd@127.0.0.1:{port}")),
        ("all_proxy", format!("socks5h://127.0.0.1:{port}")),
        ("HTTPS_PROXY", format!("http://127.0.0.1:{port}/proxy.pac")),
        ("HTTPS_PROXY", String::from("http://127.0.0.1:99999")),
    ] {
        for arguments in [
            &["token", "cisco", "--wait", "0s"] as &[&str],
            &["exec", "cisco", "--", "true"],
            &["call", "cisco", "/"],
        ] {
            home.forget_all();
            let run = home.gatepass(arguments.iter().copied()).env(name, &value).run();
            let shown = run.all();
            assert!(run.code == Some(2) || run.code == Some(125), "{run:#?}");
            assert!(shown.contains(name) && !shown.contains("unsaid"), "{shown}");
        }
        let doctor = home.gatepass(["doctor", "cisco"]).env(name, &value).run();
        assert!(doctor.all().contains(&format!("{name} ")), "{doctor:#?}");
    }
    assert_eq!((server.connections(), proxy.connections()), (0, 0));
}

#[test]
fn forms_of_no_proxy_count_or_are_named() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let proxy = Server::responding([Reply::empty(502)]);
    let home = Home::with_config(&vendor("cisco").profile(&format!("https://{closed}"), ""));
    let run = |command: &str, value: &str| {
        home.forget_all();
        let wait: &[&str] = if command == "token" { &["--wait", "0s"] } else { &[] };
        let command = home.gatepass([command, "cisco"]).args(wait.iter().copied());
        command.env("HTTPS_PROXY", proxy.url()).env("no_proxy", value).run()
    };
    for value in ["*", "127.0.0.0/8", "a.test 127.0.0.1", &closed.to_string(), "127.0.0.1 , "] {
        assert!(run("token", value).failed(6).contains("connection refused"), "{value}");
        let entry = value.split([' ', ',']).find(|entry| !entry.starts_with('a')).unwrap();
        let doctor = run("doctor", value).all();
        assert!(doctor.contains(&format!("no_proxy has {entry}: no proxy is used")), "{doctor}");
    }
    for value in ["127.0.0.*", "127.0.0.0/255.0.0.0", "https://127.0.0.1", "127.0.0", "<local>"] {
        assert!(run("token", value).failed(2).contains("no_proxy has an entry"), "{value}");
    }
    assert_eq!(proxy.connections(), 0);
    // Not for this host.
    let doctor = run("doctor", "127.0.0.1:1, .test").all();
    assert!(doctor.contains("the proxy of the environment, 127.0.0.1:"), "{doctor}");
    assert!(proxy.connections() > 0);
}

#[test]
fn roots_of_the_environment_are_shown_or_named() {
    let (vendor, ca) = (vendor("cisco"), Ca::new());
    let body = vendor.token_response("token-1");
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n", body.len());
    let response = format!("{head}connection: close\r\n\r\n{body}");
    let steps = [Step::Request, Step::send(response), Step::Finish];
    let good = Server::behind_tls(ca.server(Certificate::Good), steps);
    let home = Home::with_config(&vendor.profile(&good.url(), ""));
    let roots = home.write("roots.pem", ca.pem());
    let run = |command: &str, path: &std::path::Path| {
        home.gatepass([command, "cisco"]).env("SSL_CERT_FILE", path).run()
    };
    let doctor = run("doctor", &roots).all();
    assert!(doctor.contains(&format!("SSL_CERT_FILE = {}", roots.display())), "{doctor}");
    assert_eq!(run("token", &roots).ok(), "token-1\n");
    let (empty, gone) = (home.write("empty.pem", ""), home.path("gone.pem"));
    for path in [&empty, &gone, &home.path("work")] {
        home.forget_all();
        assert!(run("token", path).failed(2).contains("SSL_CERT_FILE"));
        assert!(run("doctor", path).all().contains("unset it to use the system's"));
    }
}

const PROXIES: [&str; 6] =
    ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
