//! A minimal HTTP client in place of a browser, for tests that need no real one.

use gatepass_tests::raw;

use super::parameter;

/// Logs in at this address, allows access and returns the redirect's address.
pub(super) fn approve(url: &str) -> String {
    decide(url, "allow")
}

/// Logs in at this address, denies access and returns the redirect's address.
pub(super) fn deny(url: &str) -> String {
    decide(url, "deny")
}

fn decide(url: &str, decision: &str) -> String {
    let login = post(url, "", "username=sandbox&password=sandbox");
    let cookie = header(&login, "set-cookie");
    let cookie = cookie.split(';').next().unwrap();
    let consent = request(url, &format!("GET {} HTTP/1.1", target(url)), cookie, "");
    let Some((_, form_token)) = consent.split_once("name=\"form_token\" value=\"") else {
        // Earlier consent is remembered.
        return header(&consent, "location");
    };
    let form_token = form_token.split('"').next().unwrap();
    header(&post(url, cookie, &format!("form_token={form_token}&decision={decision}")), "location")
}

/// Delivers the response as the callback page does and returns the server's reply.
pub(super) fn deliver(response: &str) -> String {
    let (address, fragment) = response.split_once('#').unwrap();
    let (origin, port) = authority(address);
    let page = request(address, &format!("GET {} HTTP/1.1", target(address)), "", "");
    assert!(page.contains("await fetch(\""), "{page}");
    let (_, path) = page.split_once("await fetch(\"").unwrap();
    let path = path.split('"').next().unwrap();
    let body = format!("#{fragment}");
    raw(
        port,
        &format!(
            "POST {path} HTTP/1.1\r\nhost: {origin}\r\norigin: http://{origin}\r\n\
             content-type: application/vnd.gatepass.answer\r\ncontent-length: {}\r\n\
             connection: close\r\n\r\n{body}",
            body.len()
        ),
    )
}

fn post(url: &str, cookie: &str, form: &str) -> String {
    request(url, &format!("POST {} HTTP/1.1", target(url)), cookie, form)
}

fn request(url: &str, line: &str, cookie: &str, body: &str) -> String {
    let (host, port) = authority(url);
    raw(
        port,
        &format!(
            "{line}\r\nhost: {host}\r\ncookie: {cookie}\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\
             connection: close\r\n\r\n{body}",
            body.len()
        ),
    )
}

fn authority(url: &str) -> (&str, u16) {
    let host = url.split('/').nth(2).unwrap().split(['?', '#']).next().unwrap();
    (host, host.rsplit(':').next().unwrap().parse().unwrap())
}

fn target(url: &str) -> String {
    format!("/{}", url.splitn(4, '/').nth(3).unwrap_or_default())
}

#[track_caller]
fn header(response: &str, expected: &str) -> String {
    let mut fields = response.lines().filter_map(|line| line.split_once(": "));
    let found = fields.find(|(name, _)| name.eq_ignore_ascii_case(expected));
    assert!(found.is_some(), "no {expected} in {response}");
    found.unwrap().1.to_owned()
}

#[test]
fn response_carries_the_state() {
    let vendors = gatepass_tests::Vendors::start();
    let client = vendors.sandbox.client("cisco").unwrap();
    let id = client.fields().find(|(name, _)| *name == "client_id").unwrap().1;
    let url = format!(
        "{}/as/authorization.oauth2?response_type=token&client_id={id}&redirect_uri=\
         http%3A%2F%2F127.0.0.1%3A1%2FMy_ITK_Application%2Findex.html&state=one",
        vendors.sandbox.base_url("cisco")
    );
    assert_eq!(parameter(&deny(&url), "error"), "access_denied");
    for response in [approve(&url), approve(&url)] {
        assert_eq!(parameter(&response, "state"), "one");
        assert!(!parameter(&response, "access_token").is_empty());
    }
}
