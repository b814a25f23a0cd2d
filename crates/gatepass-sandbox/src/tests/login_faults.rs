//! Tests of faults that apply to a login's redirect only.

use super::{
    browser::{Browser, cisco, names, page, read_redirect},
    *,
};
use crate::vendor_request::find;

/// Returns the redirect after consent while this fault is armed.
async fn allowed(fault: &str) -> (Sandbox, Reply) {
    let sandbox = Sandbox::builder().fault(fault.parse().unwrap()).start().await.unwrap();
    let address = cisco(&sandbox);
    let reply = Browser::logged_in(&sandbox, &address).await.decide(&address, "allow").await;
    (sandbox, reply)
}

#[tokio::test]
async fn login_faults_change_the_fragment() {
    for (fault, expected) in [
        ("login-no-state", "access_token token_type expires_in"),
        ("login-wrong-state", "access_token token_type expires_in state"),
        ("login-refresh-token", "access_token token_type expires_in state refresh_token"),
        ("login-other-type", "access_token token_type expires_in state"),
        ("login-no-token", "token_type expires_in state"),
        ("login-no-expiry", "access_token token_type state"),
        ("login-expires-text", "access_token token_type expires_in state"),
        ("login-twice", "access_token token_type expires_in state access_token"),
        ("login-error", "error error_description state"),
        ("login-empty-fragment", ""),
        ("token-crlf,on=login", "access_token token_type expires_in state"),
    ] {
        let (sandbox, reply) = allowed(fault).await;
        let (to, members) = read_redirect(&reply);
        assert_eq!(to, "http://127.0.0.1:4321/My_ITK_Application/index.html");
        assert_eq!(names(&members), expected, "{fault}");
        let member = |name| find(&members, name).unwrap();
        match fault {
            "login-wrong-state" => {
                assert!(member("state") != "state-1" && !member("state").is_empty())
            }
            "login-other-type" => assert_eq!(member("token_type"), "mac"),
            "login-expires-text" => assert_eq!(member("expires_in"), "soon"),
            "login-error" => assert_eq!(member("error"), "server_error"),
            "login-twice" => assert_ne!(members[0].1, members[4].1),
            "token-crlf,on=login" => assert!(member("access_token").contains("\r\nX-Injected")),
            _ => {}
        }
        let state = sandbox.state().total;
        let has_token = expected.contains("expires_in") || fault == "login-no-expiry";
        assert_eq!(state.logins, u64::from(has_token), "{fault}");
        assert_eq!(state.live_tokens, u64::from(has_token), "{fault}");
        assert_eq!(state.faults, 1, "{fault}");
        assert_eq!(sandbox.requests().last().unwrap().fault, fault.split(',').next());
    }
}

#[tokio::test]
async fn token_in_query_fault_uses_the_query() {
    let query = |reply: &Reply| {
        let location = reply.header("location").unwrap().to_owned();
        assert!(!location.contains('#'));
        crate::vendor_request::pairs(location.split_once('?').unwrap().1.as_bytes())
    };
    let (_, token) = allowed("login-token-in-query").await;
    assert_eq!(names(&query(&token)), "access_token token_type expires_in state");
    let (sandbox, error) = allowed("login-error-in-query").await;
    assert_eq!(names(&query(&error)), "error error_description state");
    assert_eq!(sandbox.state().total.issued, 0);
}

#[tokio::test]
async fn long_fragment_has_the_requested_length() {
    let (_, reply) = allowed("login-long").await;
    let (_, members) = read_redirect(&reply);
    assert!(find(&members, "state").is_some());
    let extra: usize =
        members.iter().filter(|(n, _)| n.starts_with("extra_")).map(|m| m.1.len()).sum();
    assert_eq!(extra, 64 << 10);
    let (_, reply) = allowed("login-long,bytes=2000").await;
    assert_eq!(read_redirect(&reply).1.len(), 4 + 2);
}

#[tokio::test]
async fn login_never_fault_sends_no_redirect() {
    let (sandbox, reply) = allowed("login-never").await;
    assert_eq!((reply.status, reply.header("location")), (200, None));
    assert!(reply.body.contains("<h1>Done</h1>"), "{}", reply.body);
    assert_eq!(sandbox.state().total.live_tokens, 0);
}

#[tokio::test]
async fn session_end_before_decision_requires_login() {
    let (sandbox, reply) = allowed("login-expired-session*1").await;
    assert!(reply.body.contains("Your session has expired"), "{}", reply.body);
    assert_eq!(sandbox.state().total.issued, 0);
    let address = cisco(&sandbox);
    let mut browser = Browser::logged_in(&sandbox, &address).await;
    let (_, members) = read_redirect(&browser.decide(&address, "allow").await);
    assert!(find(&members, "access_token").is_some());
}

#[tokio::test]
async fn login_faults_apply_to_the_redirect_only() {
    let sandbox = Sandbox::start().await.unwrap();
    for fault in ["status-503*1", "status-503*1,on=both", "huawei:login-error", "login-no-state*1"]
    {
        sandbox.inject(fault.parse().unwrap()).unwrap();
    }
    let address = cisco(&sandbox);
    let mut browser = Browser::logged_in(&sandbox, &address).await;
    let (_, faulty) = read_redirect(&browser.decide(&address, "allow").await);
    assert_eq!(find(&faulty, "state"), None);
    for expected in [503, 503, 200] {
        assert_eq!(cisco_token(&sandbox).await.status, expected);
    }
    let (_, regular) = read_redirect(&browser.visit(&address).await);
    assert_eq!(find(&regular, "state"), Some("state-1"));

    sandbox.inject("status-503*1,on=login".parse().unwrap()).unwrap();
    assert_eq!(browser.visit(&address).await.status, 503);
    let address = page(&sandbox, "huawei", "response_type=token&state=s");
    let mut browser = Browser::logged_in(&sandbox, &address).await;
    let (_, members) = read_redirect(&browser.decide(&address, "deny").await);
    assert_eq!(find(&members, "error"), Some("server_error"));
    assert!("login-error,on=token".parse::<Fault>().is_err());
}
