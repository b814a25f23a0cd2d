//! Tests of faults in a login's redirect: exit code and message of each.

use gatepass_sandbox::Fault;
use gatepass_testkit::{Canary, find_leak};
use gatepass_tests::Chrome;

use super::{Stage, allow, wait_for_state};

/// A fault, its exit code, the message on stderr and the page's final state.
type Row = (&'static str, i32, &'static str, &'static str);

const TABLE: [Row; 10] = [
    ("login-error", 6, "the vendor returned a server error", "bad"),
    ("login-error-in-query", 3, "denied", "bad"),
    ("login-token-in-query", 0, "in the query", "good"),
    ("login-refresh-token", 0, "refresh token", "good"),
    ("login-other-type", 6, "type mac", "bad"),
    ("login-no-token", 6, "access_token", "bad"),
    ("login-no-expiry", 0, "assuming 5 minutes", "good"),
    ("login-expires-text", 0, "assuming 5 minutes", "good"),
    ("login-twice", 6, "access_token", "bad"),
    ("login-expired-session", 0, "", "good"),
];

/// The faults without a response to this login, after which the login times out.
const WITHOUT_RESPONSE: [(&str, &str, &str); 5] = [
    ("login-wrong-state", "another login or to an attack", "bad"),
    ("login-no-state", "another login or to an attack", "bad"),
    ("login-empty-fragment", "without a response", "empty"),
    ("login-long", "too large", "bad"),
    ("login-never", "", ""),
];

#[test]
fn redirect_faults_have_exit_code_and_sentence() {
    let stage = Stage::new();
    let chrome = Chrome::start();
    let first = stage.login(&[]);
    allow(&chrome, &first.url);
    wait_for_state(&chrome, "good");
    assert_eq!(first.finish().code, Some(0));

    for (name, code, sentence, page) in TABLE {
        stage.home.forget_all();
        stage.inject(name);
        let login = stage.login(&["-vv"]);
        let callback = login.callback_url();
        // With a session and consent, the vendor redirects at once.
        chrome.open(&login.url);
        if name == "login-expired-session" {
            assert!(chrome.text("#message").contains("expired"));
            chrome.type_into("#username", "sandbox");
            chrome.type_into("#password", "sandbox");
            chrome.click("#login");
        }
        wait_for_state(&chrome, page);
        assert_eq!(chrome.url(), callback, "{name}");
        let state = login.state();
        let run = login.finish();
        assert_eq!(run.code, Some(code), "{name}: {run:#?}");
        assert!(run.stderr.contains(sentence), "{name}: {run:#?}");
        let stored = stage.token();
        assert_eq!(stored.code, Some(if code == 0 { 0 } else { 4 }), "{name}: {stored:#?}");
        assert_eq!(find_leak(&chrome.source(), &[state]), None, "{name}");
        if code == 0 {
            let token = Canary::new("token", stored.stdout.trim_end());
            assert_eq!(find_leak(&chrome.source(), std::slice::from_ref(&token)), None, "{name}");
            assert_eq!(find_leak(&run.all(), &[token]), None, "{name}");
        }
    }

    // In parallel, because each waits for the timeout.
    stage.home.forget_all();
    let waiting = WITHOUT_RESPONSE.map(|(name, sentence, page)| {
        stage.inject(name);
        let mut login = stage.login(&["--wait", "10s"]);
        chrome.open(&login.url);
        if !sentence.is_empty() {
            login.running.wait_for_stderr(sentence);
            wait_for_state(&chrome, page);
        }
        login
    });
    for login in waiting {
        login.finish().failed(6);
    }
    stage.token().failed(4);
}

impl Stage {
    fn inject(&self, name: &str) {
        self.vendors.sandbox.inject(Fault::new(name).provider("cisco").times(1)).unwrap();
    }
}

#[test]
fn table_covers_all_login_faults() {
    let mut known: Vec<&str> = TABLE.iter().map(|row| row.0).collect();
    known.extend(WITHOUT_RESPONSE.map(|row| row.0));
    known.sort_unstable();
    let all = Fault::all().map(|fault| fault.name);
    let mut all: Vec<&str> = all.filter(|name| name.starts_with("login-")).collect();
    all.sort_unstable();
    assert_eq!(known, all);
}
