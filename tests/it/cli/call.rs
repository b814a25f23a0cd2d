//! Tests of `gatepass call`: an API request with a token, the response on stdout.

use gatepass_tests::{Home, Received, Reply, Server, VENDORS, Vendor, vendor};

/// Starts a server with the tokens token-1, token-2, … that handles other requests with `api`, which
/// receives the number of earlier API requests.
pub(super) fn server(
    vendor: &'static Vendor,
    api: impl Fn(usize, &Received) -> Reply + Send + Sync + 'static,
) -> Server {
    let (tokens, calls) =
        (std::sync::atomic::AtomicUsize::new(0), std::sync::atomic::AtomicUsize::new(0));
    Server::new(move |_, request| {
        let count = |counter: &std::sync::atomic::AtomicUsize| {
            counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst)
        };
        if request.path() == vendor.token_path {
            return Reply::json(
                200,
                vendor.token_response(&format!("token-{}", 1 + count(&tokens))),
            );
        }
        api(count(&calls), request)
    })
}

pub(super) fn home(vendor: &Vendor, server: &Server, more: &str) -> Home {
    Home::with_config(&vendor.profile(&server.url(), more))
}

/// Returns the requests other than token requests.
pub(super) fn api_requests(server: &Server, vendor: &Vendor) -> Vec<Received> {
    server.requests().into_iter().filter(|one| one.path() != vendor.token_path).collect()
}

#[test]
fn call_joins_the_path_and_adds_all_headers() {
    for vendor in &VENDORS {
        let server =
            server(gatepass_tests::vendor(vendor.id), |_, _| Reply::json(200, "{\"a\": 1}"));
        let home = home(vendor, &server, "lifetime = \"1h\"");
        let run = home.gatepass(["call", vendor.id, vendor.api_path]).run();
        assert_eq!((run.ok(), run.stderr.as_str()), ("{\"a\": 1}", ""));
        let requests = server.requests();
        assert_eq!(requests.len(), 2, "{requests:#?}");
        let call = &requests[1];
        assert_eq!(call.method, "GET");
        assert!(call.target.ends_with(vendor.api_path), "{call:#?}");
        assert_eq!(call.header("authorization"), Some("Bearer token-1"));
        let key = (vendor.id == "cloudneeti").then_some("subscription_key-of-the-tests");
        assert_eq!(call.header("ocp-apim-subscription-key"), key);
        assert_eq!(call.header("accept"), Some("application/json"));
    }
}

#[test]
fn call_accepts_a_full_url_with_query() {
    let vendor = vendor("cisco");
    let server = server(vendor, |_, _| Reply::json(200, "{}"));
    let url = format!("{}/security/advisories?a=1%202&b=c", server.url());
    home(vendor, &server, "").gatepass(["call", "cisco", &url]).run().ok();
    assert_eq!(api_requests(&server, vendor)[0].target, "/security/advisories?a=1%202&b=c");
}

#[test]
fn call_sends_the_users_method_headers_and_body() {
    let vendor = vendor("celerdata");
    let server = server(vendor, |_, _| Reply::json(200, "{}"));
    let home = home(vendor, &server, "");
    home.write("work/body.json", "{\"from\": \"a file\"}");
    let run = |args: &[&str], stdin: &str| {
        let all = ["call", "celerdata"].into_iter().chain(args.iter().copied());
        home.gatepass(all).stdin(stdin).run().ok();
        let requests = api_requests(&server, vendor);
        requests.last().unwrap().clone()
    };
    let call = run(&["PATCH", "/api/1.0/x", "-H", "X-Trace: 1", "-H", "Accept: text/csv"], "");
    assert_eq!((call.method.as_str(), call.header("x-trace")), ("PATCH", Some("1")));
    assert_eq!(call.header("accept"), Some("text/csv"));
    assert_eq!(call.body, b"");

    let call = run(&["/x", "-d", "{\"a\": 1}"], "");
    assert_eq!((call.method.as_str(), call.text()), ("POST", "{\"a\": 1}"));
    assert_eq!(call.header("content-type"), Some("application/json"));

    let call = run(&["put", "/x", "-d", "@-", "-H", "Content-Type: text/plain"], "from stdin\n");
    assert_eq!((call.method.as_str(), call.text()), ("PUT", "from stdin\n"));
    assert_eq!(call.header("content-type"), Some("text/plain"));
    assert_eq!(run(&["/x", "-d", "@body.json"], "").text(), "{\"from\": \"a file\"}");
}

#[test]
fn call_replaces_user_headers_for_the_token() {
    let vendor = vendor("cloudneeti");
    let server = server(vendor, |_, _| Reply::json(200, "{}"));
    let args = [
        "call",
        "cloudneeti",
        "/x",
        "-H",
        "authorization: Basic eA==",
        "-H",
        "OCP-APIM-SUBSCRIPTION-KEY: x",
    ];
    home(vendor, &server, "").gatepass(args).run().ok();
    let call = &api_requests(&server, vendor)[0];
    assert_eq!(call.header("authorization"), Some("Bearer token-1"));
    assert_eq!(call.header("ocp-apim-subscription-key"), Some("subscription_key-of-the-tests"));
}

#[test]
fn include_prints_status_and_headers_first() {
    let vendor = vendor("cisco");
    let server = server(vendor, |_, _| Reply::json(404, "not found\n").with("x-trace", "7"));
    let run = home(vendor, &server, "").gatepass(["call", "cisco", "/x", "--include"]).run();
    let (head, body) = run.ok().split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 404"), "{head}");
    assert!(head.to_lowercase().contains("x-trace: 7"), "{head}");
    assert_eq!(body, "not found\n");
}

#[test]
fn response_status_sets_the_exit_code_only_with_fail() {
    let vendor = vendor("celerdata");
    for (status, code) in
        [(200, 0), (204, 0), (302, 0), (400, 9), (401, 3), (403, 3), (404, 9), (429, 5), (500, 6)]
    {
        let server = server(vendor, move |_, _| Reply::new(status, "text/plain", "the body"));
        let home = home(vendor, &server, "");
        let body = if status == 204 { "" } else { "the body" };
        assert_eq!(home.gatepass(["call", "celerdata", "/x"]).run().ok(), body, "{status}");
        let run = home.gatepass(["call", "celerdata", "/x", "--fail"]).run();
        assert_eq!((run.code, run.stdout.as_str()), (Some(code), body), "{status}");
        // The reason is printed even if the body is discarded.
        let prefix = "gatepass: celerdata/celerdata: the API";
        let is_reported =
            run.stderr.starts_with(prefix) && run.stderr.contains(&format!("({status})"));
        assert_eq!(is_reported, code != 0, "{run:#?}");
    }
}

#[test]
fn fail_reports_retry_at_in_json() {
    let vendor = vendor("celerdata");
    let server =
        server(vendor, |_, _| Reply::new(429, "text/plain", "slow").with("retry-after", "30"));
    let args = ["call", "celerdata", "/x", "--fail", "--format", "json"];
    let run = home(vendor, &server, "").gatepass(args).run();
    assert_eq!((run.code, run.stdout.as_str()), (Some(5), "slow"), "{run:#?}");
    let report: serde_json::Value = serde_json::from_str(&run.stderr).unwrap();
    let error = &report["error"];
    assert_eq!((&error["code"], &error["exit"]), (&"throttled".into(), &5.into()), "{error}");
    assert!(error["retry_at"].is_string(), "{error}");
}

/// Returns each vendor's API response to a rejected token.
fn rejection(id: &str) -> Reply {
    match id {
        "cisco" => Reply::new(403, "text/xml", "<h1>Not Authorized</h1>")
            .with("x-mashery-error-code", "ERR_403_NOT_AUTHORIZED"),
        "huawei" => Reply::json(
            400,
            r#"{"error":"invalid_token","error_description":"Access token expired:x"}"#,
        ),
        _ => Reply::json(401, "{}"),
    }
}

#[test]
fn rejected_token_is_replaced_and_request_repeated_once() {
    for one in &VENDORS {
        let vendor = vendor(one.id);
        let api = server(vendor, |_, request| match request.header("authorization") {
            Some("Bearer token-2") => Reply::json(200, "welcome"),
            _ => rejection(vendor.id),
        });
        let args = ["call", vendor.id, "/x", "-d", "a body"];
        let run = home(vendor, &api, "lifetime = \"1h\"").gatepass(args).run();
        assert_eq!((run.ok(), run.stderr.as_str()), ("welcome", ""), "{}", vendor.id);
        assert_eq!(api.requests().len(), 4, "{}", vendor.id);
        let calls = api_requests(&api, vendor);
        assert_eq!(calls.len(), 2, "{}", vendor.id);
        assert!(calls.iter().all(|call| call.text() == "a body" && call.method == "POST"));
    }
}

#[test]
fn second_rejection_is_returned_as_the_response() {
    for one in &VENDORS {
        let vendor = vendor(one.id);
        let api = server(vendor, |_, _| rejection(vendor.id));
        let run = home(vendor, &api, "").gatepass(["call", vendor.id, "/x", "--fail"]).run();
        let code = if vendor.id == "huawei" { 9 } else { 3 };
        assert_eq!(run.code, Some(code), "{run:#?}");
        assert!(!run.stdout.is_empty(), "{run:#?}");
        assert_eq!(api.requests().len(), 4, "{}", vendor.id);
    }
}

#[test]
fn rejected_request_does_not_reject_the_token() {
    for (id, reply) in [
        (
            "cisco",
            Reply::new(403, "text/xml", "<h1>Developer Over Qps</h1>")
                .with("x-mashery-error-code", "ERR_403_DEVELOPER_OVER_QPS"),
        ),
        (
            "huawei",
            Reply::json(400, r#"{"error_code":"USER.0002","error_msg":"org_id required."}"#),
        ),
        ("celerdata", Reply::json(404, r#"{"code":40004,"message":"not found"}"#)),
        ("configapi", Reply::json(403, r#"{"errorCode":3,"errorMessage":"privilege"}"#)),
        ("cloudneeti", Reply::json(403, r#"{"statusCode":403,"message":"another account"}"#)),
    ] {
        let vendor = vendor(id);
        let api = server(vendor, move |_, _| reply.clone());
        home(vendor, &api, "").gatepass(["call", id, "/x"]).run().ok();
        assert_eq!(api.requests().len(), 2, "{id}");
    }
}

#[test]
fn token_is_sent_to_the_vendors_origin_only() {
    let vendor = vendor("cisco");
    let (own, other) =
        (server(vendor, |_, _| Reply::empty(200)), Server::responding([Reply::empty(200)]));
    let home = home(vendor, &own, "");
    for url in [
        format!("{}/hello", other.url()),
        String::from("https://vendor.example.com/hello"),
        format!("{}@{}/hello", own.url(), other.url().trim_start_matches("http://")),
        own.url().replace("127.0.0.1", "localhost") + "/hello",
    ] {
        let run = home.gatepass(["call", "cisco", &url, "--format", "json"]).run();
        assert_eq!(run.error(2)["code"], "config", "{url}");
    }
    let hello = format!("{}/hello", other.url());
    let run = home.gatepass(["call", "cisco", &hello]).run();
    assert!(run.failed(2).contains("api_origins"), "{run:#?}");
    assert_eq!((own.connections(), other.connections()), (0, 0));
}

#[test]
fn api_origins_and_api_url_allow_further_origins() {
    let vendor = vendor("cisco");
    let (tokens, api) =
        (server(vendor, |_, _| Reply::empty(404)), Server::responding([Reply::json(200, "{}")]));
    let more = format!("api_origins = [\"{}\"]", api.url());
    let hello = format!("{}/hello", api.url());
    home(vendor, &tokens, &more).gatepass(["call", "cisco", &hello]).run().ok();
    let more = format!("api_url = \"{}/v9\"", api.url());
    home(vendor, &tokens, &more).gatepass(["call", "cisco", "/hello"]).run().ok();
    let targets: Vec<String> = api.requests().into_iter().map(|request| request.target).collect();
    assert_eq!(targets, ["/hello", "/v9/hello"]);
    assert!(api.requests().iter().all(|one| one.header("authorization") == Some("Bearer token-1")
        || one.header("authorization") == Some("Bearer token-2")));
}

#[test]
fn api_redirect_is_shown_and_not_followed() {
    let vendor = vendor("celerdata");
    let other = Server::responding([Reply::empty(200)]);
    let url = other.url();
    let api =
        server(vendor, move |_, _| Reply::new(307, "text/plain", "moved").with("location", &url));
    let run = home(vendor, &api, "").gatepass(["call", "celerdata", "/x", "-d", "{}"]).run();
    assert_eq!(run.ok(), "moved");
    assert!(run.stderr.contains("redirects (307)") && run.stderr.contains("-i"), "{run:#?}");
    assert_eq!((api.requests().len(), other.connections()), (2, 0));
}

#[test]
fn protocol_switch_is_a_warning() {
    let vendor = vendor("cisco");
    let head = "HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n";
    let api = server(vendor, move |_, _| Reply::raw(head));
    let run = home(vendor, &api, "").gatepass(["call", "cisco", "/x"]).run();
    assert_eq!(run.ok(), "");
    assert!(run.stderr.contains("switched protocols (101)"), "{run:#?}");
}

#[test]
fn long_response_is_complete() {
    let vendor = vendor("celerdata");
    let long = "0123456789abcde\n".repeat(64 * 1024);
    let sent = long.clone();
    let api = server(vendor, move |_, _| Reply::new(200, "text/plain", sent.clone()));
    let run = home(vendor, &api, "").gatepass(["call", "celerdata", "/x"]).run();
    assert!(run.ok() == long, "{} bytes of {}", run.stdout.len(), long.len());
}

#[test]
fn invalid_request_is_reported_before_it_is_sent() {
    let vendor = vendor("celerdata");
    let api = server(vendor, |_, _| Reply::empty(200));
    let home = home(vendor, &api, "");
    for args in [
        ["call", "celerdata", "no-slash"].as_slice(),
        &["call", "celerdata", "GE T", "/x"],
        &["call", "celerdata", "/x", "-H", "no colon"],
        &["call", "celerdata", "/x", "-d", "@missing.json"],
        &["call", "celerdata", "/../x"],
        &["call", "celerdata", "/x#fragment"],
        &["call", "celerdata", "/users?name=a b"],
        &["call", "celerdata"],
    ] {
        let run = home.gatepass(args.iter().copied()).run();
        assert!(!run.failed(2).contains("gatepass list"), "{run:#?}");
    }
    assert_eq!(api.connections(), 0);
}
