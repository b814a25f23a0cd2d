//! Tests of a browser's login: login page, consent page and redirect.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    browser::{Browser, cisco, form_token, names, page, read_redirect},
    *,
};
use crate::{NewClient, vendor_request::find};

#[tokio::test]
async fn cisco_login_returns_a_valid_token() {
    let sandbox = Sandbox::start().await.unwrap();
    let address = cisco(&sandbox);
    let mut browser = Browser::logged_in(&sandbox, &address).await;
    let (to, members) = read_redirect(&browser.decide(&address, "allow").await);
    assert_eq!(to, "http://127.0.0.1:4321/My_ITK_Application/index.html");
    assert_eq!(names(&members), "access_token token_type expires_in state");
    let member = |name| find(&members, name).unwrap();
    assert_eq!((member("token_type"), member("expires_in")), ("Bearer", "3599"));
    assert_eq!(member("state"), "state-1");
    let token = member("access_token");
    assert!(token.len() == 28 && token.starts_with("Sandbox"), "{token}");
    assert_eq!(get(&sandbox, "/cisco/hello", token).await.status, 200);
    sandbox.advance(Duration::from_secs(3_599));
    assert_eq!(get(&sandbox, "/cisco/hello", token).await.status, 403);
}

#[tokio::test]
async fn huawei_login_returns_the_requested_tokens() {
    let sandbox = Sandbox::start().await.unwrap();
    let address = |types| {
        page(&sandbox, "huawei", &format!("response_type={types}&scope=openid&state=s&nonce=n-1"))
    };
    let mut browser = Browser::logged_in(&sandbox, &address("token")).await;
    let (to, members) = read_redirect(&browser.decide(&address("id_token token"), "allow").await);
    assert_eq!(to, "http://127.0.0.1:4321/callback");
    assert_eq!(names(&members), "access_token token_type expires_in id_token state");
    assert_eq!(find(&members, "expires_in"), Some("7199"));
    for name in ["access_token", "id_token"] {
        let users = "/huawei/api/v2/tenant/users?org_id=&offset=0&limit=10";
        assert_eq!(get(&sandbox, users, find(&members, name).unwrap()).await.status, 200, "{name}");
    }
    let claims = find(&members, "id_token").unwrap().split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    let client = sandbox.client("huawei").unwrap();
    assert_eq!(claims["aud"], client.field("client_id").unwrap());
    assert_eq!((&claims["nonce"], &claims["sub"]), (&json!("n-1"), &json!("sandbox")));
    assert_eq!(claims["sandbox"], true);
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 7_199);

    for (types, expected) in [
        ("token", "access_token token_type expires_in state"),
        ("id_token", "id_token state"),
        ("token id_token", "access_token token_type expires_in id_token state"),
    ] {
        let (_, members) = read_redirect(&browser.visit(&address(types)).await);
        assert_eq!(names(&members), expected, "{types}");
    }
    // The token endpoint does not return the token of the login.
    let form = client_form(&client);
    let other = post_form(&sandbox, "/huawei/api/v2/tenant/token", &form).await;
    assert_ne!(Some(other.token().as_str()), find(&members, "access_token"));
}

#[tokio::test]
async fn unregistered_redirect_uri_gets_an_error_page() {
    let sandbox = Sandbox::start().await.unwrap();
    let good = cisco(&sandbox);
    let mut browser = Browser::logged_in(&sandbox, &good).await;
    for (from, to, expected) in [
        ("client_id=", "x=", "no client_id"),
        ("client_id=", "client_id=x", "No client is called x"),
        ("redirect_uri=", "x=", "no redirect_uri"),
        ("4321", "0", "not the registered one"),
        ("4321", "4321%40evil.example", "not the registered one"),
        ("index.html", "index.html%2F", "not the registered one"),
        ("127.0.0.1", "localhost", "not the registered one"),
        ("http%3A", "https%3A", "not the registered one"),
        ("&state=", "&client_id=a&state=", "more than one client_id"),
        ("&state=", "&redirect_uri=a&state=", "more than one redirect_uri"),
        ("&state=", "&state=a&state=", "more than one state"),
        ("state-1", &"a".repeat(2_048), "longer than 2048 bytes"),
    ] {
        let address = good.replacen(from, to, 1);
        assert_ne!(address, good);
        let rejected = [
            browser.visit(&address).await,
            browser.post(&address, "decision=allow").await,
            browser.post(&address, "username=sandbox&password=sandbox").await,
        ];
        for rejected in rejected {
            assert_eq!((rejected.status, rejected.header("location")), (400, None), "{address}");
            assert!(rejected.body.contains(expected), "{expected}: {}", rejected.body);
            assert!(rejected.body.contains(r#"id="message""#));
        }
    }
}

#[tokio::test]
async fn invalid_request_is_reported_to_the_client() {
    let sandbox = Sandbox::start().await.unwrap();
    for (provider, query, code) in [
        ("cisco", "state=s", "unsupported_response_type"),
        ("cisco", "response_type=code&state=s", "unsupported_response_type"),
        ("cisco", "response_type=id_token token&state=s", "unsupported_response_type"),
        ("cisco", "response_type=token&scope=all&state=s", "invalid_scope"),
        ("huawei", "response_type=token token&state=s", "unsupported_response_type"),
        ("huawei", "response_type=token code&scope=openid&state=s", "unsupported_response_type"),
        ("huawei", "response_type=id_token&state=s", "invalid_scope"),
        ("huawei", "response_type=token&scope=openid root&state=s", "invalid_scope"),
    ] {
        let address = page(&sandbox, provider, query);
        let mut browser = Browser::new(&sandbox);
        for reply in [browser.visit(&address).await, browser.post(&address, "").await] {
            let (_, members) = read_redirect(&reply);
            assert_eq!(names(&members), "error error_description state");
            assert_eq!(find(&members, "error"), Some(code), "{query}");
            assert_eq!(find(&members, "state"), Some("s"));
        }
    }
    assert_eq!(sandbox.state().total.issued, 0);
    let other = send(&sandbox, "PUT", &cisco(&sandbox), &[], "").await;
    assert_eq!((other.status, other.header("allow")), (405, Some("GET, POST")));
}

#[tokio::test]
async fn wrong_password_does_not_lock_the_user() {
    let sandbox = Sandbox::start().await.unwrap();
    let address = cisco(&sandbox);
    let mut browser = Browser::new(&sandbox);
    let form = browser.visit(&address).await;
    assert_eq!(form.status, 200);
    for id in ["username", "password", "login"] {
        assert!(form.body.contains(&format!(r#" id="{id}""#)), "{id}");
    }
    assert!(!form.body.contains(r#"id="message""#) && form.body.contains("<code>sandbox</code>"));
    for wrong in
        ["", "username=sandbox", "username=sandbox&password=x", "username=x&password=sandbox"]
    {
        for _ in 0..6 {
            let rejected = browser.post(&address, wrong).await;
            assert_eq!((rejected.status, rejected.header("set-cookie")), (200, None));
            assert!(
                rejected.body.contains(r#"id="message" role="alert">The user name or password"#),
                "{wrong}"
            );
        }
    }
    let logged_in = browser.post(&address, "username=sandbox&password=sandbox").await;
    let cookie = logged_in.header("set-cookie").unwrap();
    assert!(cookie.ends_with("; Path=/cisco; HttpOnly; SameSite=Lax"), "{cookie}");
    let consent = browser.visit(&address).await;
    let id = sandbox.client("cisco").unwrap().field("client_id").unwrap().to_owned();
    for part in [r#"id="allow""#, r#"id="deny""#, "http://127.0.0.1:4321/", &id] {
        assert!(consent.body.contains(part), "{part}: {}", consent.body);
    }
    // Logging in again starts another session.
    let first = browser.cookie.clone();
    browser.post(&address, "username=sandbox&password=sandbox").await;
    assert_ne!(browser.cookie, first);
}

#[tokio::test]
async fn session_ends_after_fifteen_minutes() {
    let sandbox = Sandbox::start().await.unwrap();
    let address = cisco(&sandbox);
    let mut browser = Browser::logged_in(&sandbox, &address).await;
    sandbox.advance(Duration::from_secs(14 * 60));
    let form_token = form_token(&browser.visit(&address).await);
    control(&sandbox, "time", &json!({"advance_seconds": 60})).await;
    let late = [
        browser.post(&address, &format!("form_token={form_token}&decision=allow")).await,
        browser.visit(&address).await,
    ];
    for late in late {
        assert_eq!((late.status, late.header("location")), (200, None));
        assert!(late.body.contains("Your session has expired"), "{}", late.body);
        assert!(late.body.contains(r#"id="password""#));
    }
    assert_eq!(sandbox.state().total.issued, 0);
}

#[tokio::test]
async fn denial_is_reported_and_not_remembered() {
    let sandbox = Sandbox::start().await.unwrap();
    let address = cisco(&sandbox);
    let mut browser = Browser::logged_in(&sandbox, &address).await;
    for _ in 0..2 {
        let (to, members) = read_redirect(&browser.decide(&address, "deny").await);
        assert!(to.ends_with("/index.html"));
        assert_eq!(names(&members), "error error_description state");
        assert_eq!(find(&members, "error"), Some("access_denied"));
        assert_eq!(find(&members, "state"), Some("state-1"));
    }
    assert_eq!(sandbox.state().total.issued, 0);
}

#[tokio::test]
async fn consent_is_remembered_per_client_until_reset() {
    let sandbox = Sandbox::start().await.unwrap();
    let address = cisco(&sandbox);
    let mut browser = Browser::logged_in(&sandbox, &address).await;
    let (_, first) = read_redirect(&browser.decide(&address, "allow").await);
    let (_, second) = read_redirect(&browser.visit(&address).await);
    assert_ne!(find(&first, "access_token"), find(&second, "access_token"));
    // Consent does not apply without a session, nor to another client.
    let without_session = Browser::new(&sandbox).visit(&address).await;
    assert!(without_session.body.contains(r#"id="password""#));
    sandbox.add_client(NewClient::new("cisco").field("client_id", "app-2")).unwrap();
    let id = sandbox.client("cisco").unwrap().field("client_id").unwrap().to_owned();
    let other = browser.visit(&address.replace(&id, "app-2")).await;
    assert!(other.body.contains("<code>app-2</code>"));

    control(&sandbox, "reset", &json!({})).await;
    let mut browser = Browser::logged_in(&sandbox, &address).await;
    assert!(browser.visit(&address).await.body.contains(r#"id="allow""#));
    assert_eq!(browser.decide(&address, "allow").await.status, 302);
}

#[tokio::test]
async fn decision_needs_session_and_unused_form_token() {
    let sandbox = Sandbox::start().await.unwrap();
    let address = cisco(&sandbox);
    let mut browser = Browser::logged_in(&sandbox, &address).await;
    let used = form_token(&browser.visit(&address).await);
    let allow = |form_token: &str| format!("form_token={form_token}&decision=allow");

    let without_session = Browser::new(&sandbox).post(&address, &allow(&used)).await;
    assert!(without_session.status == 200 && without_session.body.contains(r#"id="password""#));
    let mut other_browser = Browser::logged_in(&sandbox, &address).await;
    assert_eq!(other_browser.post(&address, &allow(&used)).await.status, 403);
    let foreign = [
        ("cookie", &*browser.cookie),
        ("content-type", "application/x-www-form-urlencoded"),
        ("origin", "https://evil.example"),
    ];
    assert_eq!(send(&sandbox, "POST", &address, &foreign, &allow(&used)).await.status, 403);
    for wrong in ["", "x"] {
        let rejected = browser.post(&address, &allow(wrong)).await;
        assert_eq!(rejected.status, 403);
        assert!(rejected.body.contains("Please decide again") && !form_token(&rejected).is_empty());
    }
    sandbox.add_client(NewClient::new("cisco").field("client_id", "app-2")).unwrap();
    let id = sandbox.client("cisco").unwrap().field("client_id").unwrap().to_owned();
    let other_client = browser.post(&address.replace(&id, "app-2"), &allow(&used)).await;
    assert_eq!(other_client.status, 403);
    assert_eq!(sandbox.state().total.issued, 0);

    assert_eq!(browser.post(&address, &allow(&used)).await.status, 302);
    assert_eq!(browser.post(&address, &allow(&used)).await.status, 403);
    assert_eq!(sandbox.state().total.issued, 1);
}

#[tokio::test]
async fn request_values_are_escaped_in_pages() {
    let sandbox = Sandbox::start().await.unwrap();
    let evil = "x9%22%3E%3Cscript%3Ex9%27%3C%2Fscript%3E%26";
    let good = cisco(&sandbox).replace("state-1", evil);
    let mut browser = Browser::logged_in(&sandbox, &good).await;
    sandbox.add_client(NewClient::new("cisco").field("client_id", "x9'\"><script>&")).unwrap();
    let pages = [
        Browser::new(&sandbox).visit(&good).await,
        browser.visit(&good).await,
        browser.post(&good, &format!("username={evil}&password={evil}")).await,
        browser.post(&good, &format!("form_token={evil}&decision={evil}")).await,
        browser.visit(&good.replace("client_id=", &format!("client_id={evil}"))).await,
        browser.visit(&good.replace("client_id=", "client_id=x9%27%22%3E%3Cscript%3E%26&x=")).await,
        browser.visit(&good.replace("redirect_uri=", &format!("redirect_uri={evil}"))).await,
        browser.visit(&format!("{good}&{evil}={evil}")).await,
    ];
    for page in &pages {
        assert!(page.body.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"));
        for part in ["<script", "</script", "x9\"", "x9'"] {
            assert!(!page.body.contains(part), "{part}: {}", page.body);
        }
        let policy = page.header("content-security-policy").unwrap();
        let nonce = policy.split("style-src 'nonce-").nth(1).unwrap().split('\'').next().unwrap();
        assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("script-src"));
        assert!(page.body.contains(&format!("<style nonce=\"{nonce}\">")));
        assert_eq!(page.header("x-frame-options"), Some("DENY"));
        assert_eq!(page.header("cache-control"), Some("no-store"));
    }
    let named = "No client is called x9&quot;&gt;&lt;script&gt;x9&#39;&lt;/script&gt;&amp;";
    assert!(pages[4].body.contains(named), "{}", pages[4].body);
    assert!(pages[5].body.contains("<code>x9&#39;&quot;&gt;&lt;script&gt;&amp;</code>"));
    let (_, members) = read_redirect(&browser.decide(&good, "allow").await);
    assert_eq!(find(&members, "state"), Some("x9\"><script>x9'</script>&"));
    // A page repeats only a short part of a request.
    let long = good.replace("client_id=", &format!("client_id={}", "a".repeat(1_900)));
    assert!(!browser.visit(&long).await.body.contains(&"a".repeat(101)));
}

#[tokio::test]
async fn form_response_is_a_redirect() {
    let sandbox = Sandbox::start().await.unwrap();
    let address = cisco(&sandbox);
    let policy = |reply: Reply| reply.header("content-security-policy").unwrap().to_owned();
    let expected = "; form-action 'self' http://127.0.0.1:* http://localhost:*; ";
    assert!(policy(Browser::new(&sandbox).visit(&address).await).contains(expected));
    let browser = Browser::logged_in(&sandbox, &address).await;
    assert!(policy(browser.visit(&address).await).contains(expected));
}

#[tokio::test]
async fn logins_are_counted_and_logged_without_values() {
    let sandbox = Sandbox::builder().ttl(Duration::from_secs(60)).start().await.unwrap();
    let address = cisco(&sandbox);
    let mut browser = Browser::logged_in(&sandbox, &address).await;
    browser.decide(&address, "deny").await;
    let (_, members) = read_redirect(&browser.decide(&address, "allow").await);
    assert_eq!(find(&members, "expires_in"), Some("60"));
    let token = find(&members, "access_token").unwrap().to_owned();
    cisco_token(&sandbox).await;
    get(&sandbox, "/cisco/hello", &token).await;
    let state = send(&sandbox, "GET", "/_sandbox/state", &[], "").await.json();
    for counters in [&state, &state["providers"]["cisco"]] {
        let count = |name: &str| counters[name].as_u64().unwrap();
        assert_eq!((count("requests"), count("token_requests"), count("api_requests")), (7, 1, 1));
        assert_eq!((count("logins"), count("issued"), count("live_tokens")), (1, 2, 2));
        assert_eq!((count("refused"), count("secrets_in_url")), (0, 0));
    }
    let log = send(&sandbox, "GET", "/_sandbox/requests", &[], "").await.body;
    let session = browser.cookie.split('=').nth(1).unwrap();
    for value in ["state-1", "4321", &token, session] {
        assert!(!log.contains(value), "{value}: {log}");
    }
    assert!(log.contains("redirect_uri"));
}

#[tokio::test]
async fn response_has_a_state_only_if_requested() {
    let sandbox = Sandbox::start().await.unwrap();
    let address = page(&sandbox, "cisco", "response_type=token");
    let mut browser = Browser::logged_in(&sandbox, &address).await;
    let (_, members) = read_redirect(&browser.decide(&address, "allow").await);
    assert_eq!(names(&members), "access_token token_type expires_in");
}

#[tokio::test]
async fn only_registered_redirect_uri_is_accepted() {
    let sandbox = Sandbox::start().await.unwrap();
    let config = sandbox.config_toml();
    for line in [
        "redirect_uri = \"http://127.0.0.1:0/My_ITK_Application/index.html\"\n",
        "redirect_uri = \"http://127.0.0.1:0/callback\"\n",
    ] {
        assert_eq!(config.matches(line).count(), 1, "{line}");
    }
    let address = cisco(&sandbox);
    let id = sandbox.client("cisco").unwrap().field("client_id").unwrap().to_owned();
    let browser = Browser::logged_in(&sandbox, &address).await;
    let to = "http%3A%2F%2F127.0.0.1%3A4321%2FMy_ITK_Application%2Findex.html";
    for (registered, other, policy) in [
        ("http://[::1]:0/cb?a=1", "http%3A%2F%2F127.0.0.1%3A1%2Fcb%3Fa%3D1", " http:; "),
        ("https://app.example/cb", to, " https://app.example:*; "),
        ("http://localhost:8400/cb", "http%3A%2F%2Flocalhost%3A8401%2Fcb", " http://localhost:*; "),
    ] {
        let fields = json!({"client_id": id, "redirect_uri": registered});
        let input = json!({"provider": "cisco", "fields": fields});
        let made = control(&sandbox, "clients", &input).await.json();
        assert_eq!(made["fields"]["redirect_uri"], registered);
        let requested = registered.replace(":0/", ":4321/");
        let good = address.replace(to, &crate::redirect::percent_encode(&requested));
        let consent = browser.visit(&good).await;
        assert_eq!(consent.status, 200, "{}", consent.body);
        assert!(consent.header("content-security-policy").unwrap().contains(policy));
        assert_eq!(browser.visit(&address.replace(to, other)).await.status, 400, "{other}");
    }
    for wrong in ["/cb", "javascript:alert(1)", "https://app.example/#x", "https://a.example/ b"] {
        let input = json!({"provider": "cisco", "fields": {"redirect_uri": wrong}});
        let rejected = control(&sandbox, "clients", &input).await;
        assert_eq!(rejected.status, 400, "{wrong}");
        assert!(
            rejected.body.contains("redirect_uri must be an absolute URI"),
            "{}",
            rejected.body
        );
    }
}

#[tokio::test]
async fn new_registration_resets_consent() {
    let sandbox = Sandbox::start().await.unwrap();
    let address = cisco(&sandbox);
    let mut browser = Browser::logged_in(&sandbox, &address).await;
    read_redirect(&browser.decide(&address, "allow").await);
    let id = sandbox.client("cisco").unwrap().field("client_id").unwrap().to_owned();
    sandbox.add_client(NewClient::new("cisco").field("client_id", id)).unwrap();
    assert!(browser.visit(&address).await.body.contains(r#"id="allow""#));
}
