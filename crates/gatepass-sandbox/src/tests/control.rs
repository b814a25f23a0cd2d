//! Tests of the control API, the counters and the log.

use std::{collections::BTreeSet, time::Duration};

use super::*;

#[tokio::test]
async fn other_addresses_than_loopback_are_rejected() {
    let error = Sandbox::builder().listen(([0, 0, 0, 0], 0)).start().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "0.0.0.0 is not a loopback address; the sandbox listens on loopback only"
    );
}

#[tokio::test]
async fn foreign_host_and_origin_are_rejected() {
    let sandbox = Sandbox::start().await.unwrap();
    let port = sandbox.port();
    for host in
        ["evil.example", "127.0.0.1", "127.0.0.1:1", "127.0.0.1.evil.example:80", "a@127.0.0.1"]
    {
        let text =
            format!("GET /_sandbox/state HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        let response = parse_reply(&send_raw(port, text.as_bytes()).await.unwrap());
        assert_eq!(response.status, 403, "{host}");
    }
    for host in [format!("localhost:{port}"), format!("[::1]:{port}"), format!("127.0.0.9:{port}")]
    {
        let text =
            format!("GET /_sandbox/state HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        let response = parse_reply(&send_raw(port, text.as_bytes()).await.unwrap());
        assert_eq!(response.status, 200, "{host}");
    }
    let origin = [("origin", "https://evil.example")];
    assert_eq!(send(&sandbox, "POST", "/_sandbox/reset", &origin, "").await.status, 403);
}

#[tokio::test]
async fn state_counts_requests() {
    let sandbox = Sandbox::start().await.unwrap();
    let token = cisco_token(&sandbox).await.token();
    get(&sandbox, "/cisco/hello", &token).await;
    get(&sandbox, "/cisco/hello", "nope").await;
    let state = send(&sandbox, "GET", "/_sandbox/state", &[], "").await.json();
    for counters in [&state, &state["providers"]["cisco"]] {
        assert_eq!(counters["requests"], 3);
        assert_eq!(counters["token_requests"], 1);
        assert_eq!(counters["issued"], 1);
        assert_eq!(counters["refused"], 1);
        assert_eq!(counters["in_flight"], 0);
        assert_eq!(counters["in_flight_max"], 1);
        assert_eq!(counters["live_tokens"], 1);
    }
    assert_eq!(state["providers"]["huawei"]["requests"], 0);
    assert_eq!(
        control(&sandbox, "revoke", &json!({"provider": "cisco"})).await.json()["revoked"],
        1
    );
    assert_eq!(sandbox.state().total.live_tokens, 0);
    assert_eq!(get(&sandbox, "/cisco/hello", &token).await.status, 403);
}

#[tokio::test]
async fn log_contains_names_but_no_values() {
    let sandbox = Sandbox::start().await.unwrap();
    let client = sandbox.client("cisco").unwrap();
    let secret = client.field("client_secret").unwrap();
    let token = cisco_token(&sandbox).await.token();
    let header = [(secret, "1"), ("authorization", &*format!("Bearer {token}"))];
    let path = format!("/cisco/{secret}/x?{secret}=1&a={secret}&token={token}");
    send(&sandbox, "GET", &path, &header, secret).await;
    send(&sandbox, "GET", &format!("/cisco/{token}"), &[], "").await;
    let log = send(&sandbox, "GET", "/_sandbox/requests", &[], "").await.body;
    assert!(!log.to_lowercase().contains(&secret.to_lowercase()), "{log}");
    assert!(!log.contains(&token), "{log}");
    assert!(log.contains("content-length"));
    assert_eq!(sandbox.state().total.secrets_in_url, 2);
    assert!(!format!("{sandbox:?}{client:?}").contains(secret));
}

#[tokio::test]
async fn added_client_replaces_old_secret() {
    let sandbox = Sandbox::start().await.unwrap();
    let input = json!({"provider": "cisco", "fields": {"client_id": "app-1"}, "ttl_seconds": 60});
    let old = control(&sandbox, "clients", &input).await.json();
    let new = control(&sandbox, "clients", &input).await.json();
    let form = |made: &Value| {
        let fields = &made["fields"];
        let (id, secret) =
            (fields["client_id"].as_str().unwrap(), fields["client_secret"].as_str().unwrap());
        format!("grant_type=client_credentials&client_id={id}&client_secret={secret}")
    };
    assert_eq!(post_form(&sandbox, "/cisco/as/token.oauth2", &form(&old)).await.status, 401);
    let response = post_form(&sandbox, "/cisco/as/token.oauth2", &form(&new)).await;
    assert_eq!(response.json()["expires_in"], 60);
    let all = control(&sandbox, "clients", &json!({})).await.json();
    assert_eq!(all["clients"].as_object().unwrap().len(), 5);
}

#[tokio::test]
async fn unknown_name_error_suggests_the_nearest() {
    let sandbox = Sandbox::start().await.unwrap();
    for (endpoint, input, expected) in [
        ("clients", json!({"provider": "cizco"}), "no provider cizco; did you mean cisco?"),
        ("clients", json!({"provider": "cisco", "fields": {"client_idd": "a"}}), "client_id?"),
        ("faults", json!({"fault": "status-505"}), "did you mean status-50"),
        ("faults", json!({"fault": "hang", "time": 3}), "did you mean times?"),
        ("faults", json!({"fault": "hang", "applies_to": "tokens"}), "did you mean token?"),
        ("time", json!({"advance_second": 3}), "did you mean advance_seconds?"),
        ("time", json!({"advance_seconds": -3}), "must be a whole number"),
    ] {
        let response = control(&sandbox, endpoint, &input).await;
        assert_eq!(response.status, 400);
        assert!(response.json()["error"].as_str().unwrap().contains(expected), "{}", response.body);
    }
}

#[tokio::test]
async fn fault_applies_the_requested_number_of_times() {
    let sandbox = Sandbox::start().await.unwrap();
    let input = json!({"provider": "cisco", "fault": "status-503", "times": 2, "retry_after": 9});
    assert_eq!(control(&sandbox, "faults", &input).await.status, 200);
    let first = cisco_token(&sandbox).await;
    assert_eq!((first.status, first.header("retry-after")), (503, Some("9")));
    assert_eq!(cisco_token(&sandbox).await.status, 503);
    assert_eq!(cisco_token(&sandbox).await.status, 200);
    let always = json!({"provider": "cisco", "fault": "over-rate", "times": null});
    control(&sandbox, "faults", &always).await;
    assert_eq!(cisco_token(&sandbox).await.status, 200);
    for _ in 0..3 {
        let response = get(&sandbox, "/cisco/hello", "x").await;
        assert_eq!(response.header("x-mashery-error-code"), Some("ERR_403_DEVELOPER_OVER_RATE"));
    }
    control(&sandbox, "faults", &json!({"clear": true})).await;
    assert_eq!(get(&sandbox, "/cisco/hello", "x").await.body, "<h1>Not Authorized</h1>");
    let state = sandbox.state().total;
    assert_eq!((state.faults, state.refused, state.issued), (5, 1, 2));
}

#[tokio::test]
async fn reset_restores_the_initial_state() {
    let fault = Fault::new("html").provider("cisco").times(1);
    let sandbox =
        Sandbox::builder().fault(fault).ttl(Duration::from_secs(5)).start().await.unwrap();
    for _ in 0..2 {
        assert!(cisco_token(&sandbox).await.body.starts_with("<!DOCTYPE html>"));
        assert_eq!(cisco_token(&sandbox).await.json()["expires_in"], 5);
        sandbox.advance(Duration::from_secs(3));
        assert_eq!(sandbox.state().advanced_seconds, 3);
        assert_eq!(control(&sandbox, "reset", &json!({})).await.status, 200);
        assert_eq!(sandbox.state().total, crate::Counters::default());
    }
}

#[tokio::test]
async fn config_has_a_profile_for_every_provider() {
    let sandbox = Sandbox::start().await.unwrap();
    let config = sandbox.config_toml();
    let profiles: BTreeSet<_> = config.lines().filter(|line| line.starts_with('[')).collect();
    let expected =
        ["celerdata", "cisco", "cloudneeti", "cloudneeti-account", "configapi", "huawei"];
    assert_eq!(
        profiles,
        expected
            .iter()
            .map(|name| format!("[profiles.{name}]"))
            .collect::<Vec<_>>()
            .iter()
            .map(String::as_str)
            .collect()
    );
    assert_eq!(config.matches("account_id = ").count(), 1);
    assert_eq!(
        config.matches(&format!("base_url = \"http://127.0.0.1:{}/", sandbox.port())).count(),
        6
    );
    assert!(config.contains("\nscope = "));
}

#[tokio::test]
async fn fault_for_an_unknown_vendor_is_rejected() {
    let fault = || "cizco:html".parse::<Fault>().unwrap();
    let expected = "no provider cizco; did you mean cisco?";
    let error = Sandbox::builder().fault(fault()).start().await.unwrap_err();
    assert_eq!(error.to_string(), expected);
    let sandbox = Sandbox::start().await.unwrap();
    assert_eq!(sandbox.inject(fault()).unwrap_err().to_string(), expected);
    let posted = control(&sandbox, "faults", &json!({"provider": "cizco", "fault": "html"})).await;
    assert_eq!((posted.status, posted.json()["error"].as_str()), (400, Some(expected)));
}

#[test]
fn fault_text_is_parsed() {
    let fault: Fault = "cisco:status-503*3,retry_after=7,on=both".parse().unwrap();
    let same = Fault::new("status-503").provider("cisco").times(3).param("retry_after", "7");
    assert_eq!(fault, same.on(crate::Target::Both));
    for wrong in ["nope", "html*x", "html,x=1", "expires-short,seconds=a", "html,x", ""] {
        assert!(wrong.parse::<Fault>().is_err(), "{wrong}");
    }
    let names: BTreeSet<_> = Fault::all().map(|fault| fault.name).collect();
    assert_eq!(names.len(), Fault::all().count(), "fault names must be unique");
}
