//! Connections to the port on which a login waits for the browser.

use gatepass_cli::fuzzing::Connections;

use super::canary::{self, CANARY};

/// The input is the bytes of several connections, separated by NUL, to one callback server. `{START}`
/// is the path of its start address, `{PAGE}` the path that its last page posts to.
pub fn run(bytes: &[u8]) {
    let mut server =
        Connections::new("/callback?x=y", VENDOR).expect("the system has random bytes");
    let start = server.start_url();
    let start = start
        .strip_prefix("http://127.0.0.1:8400")
        .expect("the start address is on this server")
        .to_owned();
    let (mut page, mut redirects, mut responses) = (None, 0, 0);
    for part in bytes.split(|byte| *byte == 0).take(MAX_CONNECTIONS) {
        let part = String::from_utf8_lossy(part);
        if canary::shows(&part) {
            return;
        }
        let sent = part.replace("{START}", &start).replace("{SECRET}", CANARY);
        let sent = sent.replace("{PAGE}", page.as_deref().unwrap_or("/none"));
        let (response, delivered) = server.send(sent.as_bytes());
        let response = String::from_utf8(response).expect("the response is UTF-8");
        check(&response);
        if response.contains(VENDOR) {
            redirects += 1;
            assert!(
                sent.starts_with(&format!("GET {start} ")),
                "only the start address redirects to the vendor"
            );
        }
        if let Some(delivered) = delivered {
            responses += 1;
            let page = page.as_deref().expect("no page was sent before");
            let lower = sent.to_ascii_lowercase();
            assert!(sent.starts_with("POST ") && sent.contains(page), "the page did not send it");
            assert!(lower.contains("http://127.0.0.1:8400"), "another origin sent it");
            assert!(
                lower.contains("application/vnd.gatepass.answer"),
                "a simple request could send it"
            );
            assert!(delivered.len() <= 64 * 1024);
        }
        page = post_path(&response).or(page);
    }
    assert!(redirects <= 1 && responses <= 1, "{redirects} redirects, {responses} responses");
    still_serves(&mut server, responses > 0);
}

/// Checks that the browser's response is accepted after any other connections, and only once.
fn still_serves(server: &mut Connections, has_response: bool) {
    let host = Connections::HOST;
    let (page, _) =
        server.send(format!("GET /callback?x=y HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes());
    let page = String::from_utf8_lossy(&page).into_owned();
    if has_response {
        assert!(page.starts_with("HTTP/1.1 410 "), "a second response is accepted");
        return;
    }
    let path = post_path(&page).expect("a page that posts the response");
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n\
         Content-Type: application/vnd.gatepass.answer\r\nContent-Length: 14\r\n\r\n?x=y#token=abc"
    );
    let (_, delivered) = server.send(request.as_bytes());
    assert_eq!(delivered.as_deref(), Some("?x=y#token=abc"));
}

fn check(response: &str) {
    assert!(!canary::shows(response), "a response repeats the secret");
    if response.is_empty() {
        return;
    }
    let (head, body) = response.split_once("\r\n\r\n").expect("a header and a body");
    assert!(head.starts_with("HTTP/1."), "not an HTTP response");
    let head = head.to_ascii_lowercase();
    // hyper refuses a malformed request before our code runs.
    if !body.is_empty() || head.contains("location:") {
        for header in
            ["cache-control: no-store", "x-frame-options: deny", "content-security-policy:"]
        {
            assert!(head.contains(header), "a response without {header}");
        }
    }
    assert!(!head.contains("access-control-"), "another page may read the response");
}

/// Returns the path that a page posts to.
fn post_path(page: &str) -> Option<String> {
    let (_, rest) = page.split_once("fetch(\"")?;
    Some(rest.split_once('"')?.0.to_owned())
}

const VENDOR: &str = "https://vendor.example/authorize?state=of-this-login";
const MAX_CONNECTIONS: usize = 20;
