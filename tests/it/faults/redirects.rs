//! Tests that redirects are not followed, because they would forward the secret.

use gatepass_tests::{Home, Reply, Server, VENDORS};

#[test]
fn redirect_does_not_reach_another_server() {
    let second = Server::responding([Reply::empty(200)]);
    for vendor in &VENDORS {
        for status in [301, 302, 303, 307, 308] {
            let target = format!("{}{}", second.url(), vendor.token_path);
            let first = Server::responding([Reply::empty(status).with("location", &target)]);
            let home = Home::with_config(&vendor.profile(&first.url(), ""));
            let run = home.gatepass(["token", vendor.id, "--format", "json"]).run();
            let error = run.error(6);
            assert_eq!(error["code"], "unsafe_token", "{} {status}: {error}", vendor.id);
            let message = error["message"].as_str().unwrap();
            assert!(message.contains(&second.url()), "{message}");
            assert!(!message.contains(vendor.token_path), "{message}");
            assert!(error["hint"].as_str().unwrap().contains("base_url"), "{error}");
            assert_eq!(first.requests().len(), 1, "{} {status}", vendor.id);
        }
    }
    assert_eq!(second.connections(), 0);
}

#[test]
fn redirect_within_the_server_is_not_followed() {
    let vendor = gatepass_tests::vendor("cisco");
    for (target, code) in [
        ("/elsewhere", "protocol"),
        ("elsewhere", "protocol"),
        ("", "protocol"),
        ("//vendor.example.com/x", "protocol"),
        ("https://vendor.example.com/x?client_secret=unsaid", "unsafe_token"),
        ("javascript:alert(1)", "protocol"),
        ("file:///etc/passwd", "protocol"),
        ("http://me:unsaid@vendor.example.com/", "protocol"),
    ] {
        let server = Server::responding([Reply::empty(302).with("location", target)]);
        let home = Home::with_config(&vendor.profile(&server.url(), ""));
        let run = home.gatepass(["token", "cisco", "--format", "json"]).run();
        let error = run.error(6);
        assert_eq!(error["code"], code, "{target}: {error}");
        assert!(!run.stderr.contains("unsaid"), "{run:#?}");
        assert_eq!(server.requests().len(), 1, "{target}");
    }
}

#[test]
fn refresh_header_is_ignored() {
    let second = Server::responding([Reply::empty(200)]);
    let vendor = gatepass_tests::vendor("cisco");
    let reply = Reply::json(200, vendor.token_response("token-1"));
    let first = Server::responding([reply.with("refresh", format!("0; url={}", second.url()))]);
    let home = Home::with_config(&vendor.profile(&first.url(), ""));
    assert_eq!(home.gatepass(["token", "cisco"]).run().ok(), "token-1\n");
    assert_eq!(second.connections(), 0);
}
