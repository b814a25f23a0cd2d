//! What comes to the port where a login waits for a browser.

use gatepass_cli::fuzzing::Connections;

use super::canary::{self, CANARY};

/// Connections as bytes, with NUL between them, to one landing. `{START}` is its start address's
/// path, `{PAGE}` where its last page delivers to.
pub fn run(bytes: &[u8]) {
    let mut landing =
        Connections::new("/callback?x=y", VENDOR).expect("the system has random bits");
    let start = landing.start_url();
    let start = start.strip_prefix("http://127.0.0.1:8400").expect("it begins here").to_owned();
    let (mut page, mut visits, mut answers) = (None, 0, 0);
    for part in bytes.split(|byte| *byte == 0).take(MOST) {
        let part = String::from_utf8_lossy(part);
        if canary::shows(&part) {
            return;
        }
        let sent = part.replace("{START}", &start).replace("{SECRET}", CANARY);
        let sent = sent.replace("{PAGE}", page.as_deref().unwrap_or("/none"));
        let (answer, brought) = landing.converse(sent.as_bytes());
        let answer = String::from_utf8(answer).expect("what it says is text");
        check(&answer);
        if answer.contains(VENDOR) {
            visits += 1;
            assert!(sent.starts_with(&format!("GET {start} ")), "it leads away from elsewhere");
        }
        if let Some(brought) = brought {
            answers += 1;
            let page = page.as_deref().expect("no page was out");
            let lower = sent.to_ascii_lowercase();
            assert!(sent.starts_with("POST ") && sent.contains(page), "no page brought it");
            assert!(lower.contains("http://127.0.0.1:8400"), "it came from another origin");
            assert!(lower.contains("application/vnd.gatepass.answer"), "any page can send it");
            assert!(brought.len() <= 64 * 1024);
        }
        page = delivery(&answer).or(page);
    }
    assert!(visits <= 1 && answers <= 1, "{visits} visits, {answers} answers");
    still_serves(&mut landing, answers > 0);
}

/// Whatever came before, the browser that brings the answer gets through, once.
fn still_serves(landing: &mut Connections, is_answered: bool) {
    let host = Connections::HOST;
    let (page, _) =
        landing.converse(format!("GET /callback?x=y HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes());
    let page = String::from_utf8_lossy(&page).into_owned();
    if is_answered {
        assert!(page.starts_with("HTTP/1.1 410 "), "it takes a second answer");
        return;
    }
    let path = delivery(&page).expect("a page that delivers");
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n\
         Content-Type: application/vnd.gatepass.answer\r\nContent-Length: 14\r\n\r\n?x=y#token=abc"
    );
    let (_, brought) = landing.converse(request.as_bytes());
    assert_eq!(brought.as_deref(), Some("?x=y#token=abc"));
}

fn check(answer: &str) {
    assert!(!canary::shows(answer), "an answer repeats what was brought");
    if answer.is_empty() {
        return;
    }
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with("HTTP/1."), "no answer of HTTP's");
    let head = head.to_ascii_lowercase();
    // What is no request at all is refused before anything of ours is asked.
    if !body.is_empty() || head.contains("location:") {
        for header in
            ["cache-control: no-store", "x-frame-options: deny", "content-security-policy:"]
        {
            assert!(head.contains(header), "an answer without {header}");
        }
    }
    assert!(!head.contains("access-control-"), "another page may read it");
}

/// Where a page delivers to.
fn delivery(page: &str) -> Option<String> {
    let (_, rest) = page.split_once("fetch(\"")?;
    Some(rest.split_once('"')?.0.to_owned())
}

const VENDOR: &str = "https://vendor.example/authorize?state=of-this-login";
const MOST: usize = 20;
