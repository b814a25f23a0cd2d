//! Tests of the exact token requests that each documented configuration sends.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatepass_tests::{Home, Received, Reply, Server, Vendor, vendor};
use serde_json::json;

/// Returns the token request of a profile with `more` lines; the command gets a token.
#[track_caller]
fn token_request(vendor: &Vendor, more: &str) -> Received {
    token_request_below(vendor, "", more)
}

/// Returns the token request of a profile whose `base_url` has a path.
#[track_caller]
fn token_request_below(vendor: &Vendor, prefix: &str, more: &str) -> Received {
    let server = Server::responding([Reply::json(200, vendor.token_response("token-1"))]);
    let home = Home::with_config(&vendor.profile(&format!("{}{prefix}", server.url()), more));
    assert_eq!(home.gatepass(["token", vendor.id]).run().ok(), "token-1\n");
    server.request()
}

/// Returns the token request of a complete profile with `BASE` as placeholder of the address.
#[track_caller]
fn token_request_for(profile: &str, config: &str) -> Received {
    let response = vendor(profile).token_response("token-1");
    let server = Server::responding([Reply::json(200, response)]);
    let home = Home::with_config(&config.replace("BASE", &server.url()));
    assert_eq!(home.gatepass(["token", profile]).run().ok(), "token-1\n");
    server.request()
}

fn basic(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

fn equals(pairs: &[(String, String)], expected: &[(&str, &str)]) -> bool {
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    pairs == expected
}

#[track_caller]
fn assert_form(request: &Received, expected: &[(&str, &str)]) {
    assert!(equals(&request.form(), expected), "{request:#?}");
}

#[test]
fn token_request_is_a_post_with_user_agent() {
    for vendor in &gatepass_tests::VENDORS {
        let request = token_request(vendor, "");
        assert_eq!((request.method.as_str(), request.path()), ("POST", vendor.token_path));
        assert_eq!(request.header("accept"), Some("application/json"));
        let agent = request.header("user-agent").unwrap();
        assert!(agent.starts_with("gatepass/"), "{agent}");
        for absent in ["accept-encoding", "cookie", "referer", "origin", "traceparent"] {
            assert_eq!(request.header(absent), None, "{}: {absent}", vendor.id);
        }
    }
}

#[test]
fn base_url_path_precedes_the_vendors_path() {
    for vendor in &gatepass_tests::VENDORS {
        for prefix in ["/behind/a-proxy", "/behind/a-proxy/"] {
            let request = token_request_below(vendor, prefix, "");
            assert_eq!(request.path(), format!("/behind/a-proxy{}", vendor.token_path));
        }
    }
}

#[test]
fn cisco_sends_id_and_secret_in_a_form() {
    let request = token_request(vendor("cisco"), "");
    assert_eq!(request.target, "/as/token.oauth2");
    assert_eq!(request.header("authorization"), None);
    assert_form(
        &request,
        &[
            ("grant_type", "client_credentials"),
            ("client_id", "app-1"),
            ("client_secret", "client_secret-of-the-tests"),
        ],
    );
    assert_eq!(token_request(vendor("cisco"), "client_auth = \"form\"").body, request.body);
}

#[test]
fn cisco_environment_sets_the_path_with_base_url() {
    assert_eq!(
        token_request(vendor("cisco"), "environment = \"cloudsso\"").target,
        "/as/token.oauth2"
    );
    let okta = token_request(vendor("cisco"), "environment = \"id\"");
    assert_eq!(okta.target, "/oauth2/default/v1/token");
    assert_eq!(okta.form().len(), 3);
}

#[test]
fn cisco_basic_sends_the_secret_in_the_header_only() {
    let request = token_request(vendor("cisco"), "client_auth = \"basic\"");
    let expected = basic("app-1:client_secret-of-the-tests");
    assert_eq!(request.header("authorization"), Some(expected.as_str()));
    assert_form(&request, &[("grant_type", "client_credentials")]);
}

#[test]
fn cisco_query_sends_an_empty_body() {
    let request = token_request(vendor("cisco"), "client_auth = \"query\"");
    let expected = [
        ("grant_type", "client_credentials"),
        ("client_id", "app-1"),
        ("client_secret", "client_secret-of-the-tests"),
    ];
    assert!(equals(&request.query(), &expected), "{request:#?}");
    assert_eq!((request.body.len(), request.header("authorization")), (0, None));
}

#[test]
fn cloudneeti_sends_json_and_the_subscription_key() {
    let request = token_request(vendor("cloudneeti"), "");
    assert_eq!(request.target, "/api/authorize/license/license-1/token");
    assert_eq!(request.header("ocp-apim-subscription-key"), Some("subscription_key-of-the-tests"));
    assert_eq!(request.header("authorization"), None);
    let expected =
        json!({"APIApplicationId": "app-1", "Secret": "api_application_secret-of-the-tests"});
    assert_eq!(request.json(), expected);
}

#[test]
fn cloudneeti_account_id_requests_an_account_token() {
    let request = token_request(vendor("cloudneeti"), "account_id = \"account 1\"");
    assert_eq!(request.path(), "/api/authorize/license/license-1/token");
    assert!(equals(&request.query(), &[("accountId", "account 1")]), "{request:#?}");
}

#[test]
fn cloudneeti_path_prefix_is_configurable() {
    let path = |more: &str| token_request(vendor("cloudneeti"), more).target;
    assert_eq!(path("path_prefix = \"\""), "/authorize/license/license-1/token");
    assert_eq!(path("path_prefix = \"/api\""), "/api/authorize/license/license-1/token");
    let request = token_request_below(vendor("cloudneeti"), "/cloudneeti/", "path_prefix = \"\"");
    assert_eq!(request.target, "/cloudneeti/authorize/license/license-1/token");
}

#[test]
fn ids_in_paths_are_encoded() {
    let config = "[profiles.cloudneeti]\nbase_url = \"BASE\"\nlicense_id = \"a/b?c\"\n\
                  api_application_id = \"q\\\"\"\napi_application_secret = \"s\\\"\\\\\"\n\
                  subscription_key = \"k\"\n";
    let request = token_request_for("cloudneeti", config);
    assert_eq!(request.target, "/api/authorize/license/a%2Fb%3Fc/token");
    assert_eq!(request.json(), json!({"APIApplicationId": "q\"", "Secret": "s\"\\"}));
}

#[test]
fn celerdata_sends_basic_and_grant_type_in_query() {
    let request = token_request(vendor("celerdata"), "");
    assert_eq!(request.target, "/api/1.0/token?grant_type=client_credentials");
    let expected = basic("app-1:client_secret-of-the-tests");
    assert_eq!(request.header("authorization"), Some(expected.as_str()));
    assert_eq!(request.body.len(), 0);
}

#[test]
fn celerdata_grant_type_in_body_sends_a_scope() {
    let more = "grant_type_in = \"body\"\nscope = \"all-apis\"";
    let request = token_request(vendor("celerdata"), more);
    assert_eq!(request.target, "/api/1.0/token");
    assert_form(&request, &[("grant_type", "client_credentials"), ("scope", "all-apis")]);
    let without = token_request(vendor("celerdata"), "grant_type_in = \"body\"");
    assert_form(&without, &[("grant_type", "client_credentials")]);
}

#[test]
fn huawei_sends_id_and_secret_by_form_or_basic() {
    let request = token_request(vendor("huawei"), "");
    assert_eq!(request.target, "/api/v2/tenant/token");
    assert_eq!(request.header("authorization"), None);
    assert_form(
        &request,
        &[
            ("grant_type", "client_credentials"),
            ("client_id", "app-1"),
            ("client_secret", "client_secret-of-the-tests"),
        ],
    );
    let request = token_request(vendor("huawei"), "client_auth = \"basic\"");
    let expected = basic("app-1:client_secret-of-the-tests");
    assert_eq!(request.header("authorization"), Some(expected.as_str()));
    assert_form(&request, &[("grant_type", "client_credentials")]);
}

#[test]
fn huawei_use_token_returns_the_id_token() {
    let vendor = vendor("huawei");
    let server = Server::responding([Reply::json(200, vendor.token_response("token-1"))]);
    let home = Home::with_config(&vendor.profile(&server.url(), "use_token = \"id_token\""));
    assert_eq!(home.gatepass(["token", "huawei"]).run().ok(), "ID-7Q\n");
}

#[test]
fn configapi_scope_defaults_to_the_host_name() {
    let form = |scope| {
        [
            ("grant_type", "client_credentials"),
            ("client_id", "sheila.thomas"),
            ("client_secret", "client_secret-of-the-tests"),
            ("scope", scope),
        ]
    };
    let request = token_request(vendor("configapi"), "");
    assert_eq!(request.target, "/configapi/v2/oauth/token");
    assert_eq!(request.header("authorization"), None);
    assert_form(&request, &form("acme.brightpattern.com"));
    let request = token_request(vendor("configapi"), "scope = \"other.example.com\"");
    assert_form(&request, &form("other.example.com"));
    let v3 = token_request(vendor("configapi"), "api_version = \"v3\"");
    assert_eq!(v3.target, "/configapi/v3/oauth/token");
}

#[test]
fn configapi_scope_has_no_port() {
    for (host, scope) in [
        ("acme.brightpattern.com:8443", "acme.brightpattern.com"),
        ("https://acme.brightpattern.com:8443", "acme.brightpattern.com"),
    ] {
        let config = format!(
            "[profiles.configapi]\nbase_url = \"BASE\"\nhost = \"{host}\"\n\
             client_id = \"a\"\nclient_secret = \"b\"\n"
        );
        let request = token_request_for("configapi", &config);
        assert!(request.form().contains(&("scope".into(), scope.into())), "{host}: {request:#?}");
    }
    // Without `host` the name in `base_url` is used.
    let config =
        "[profiles.configapi]\nbase_url = \"BASE\"\nclient_id = \"a\"\nclient_secret = \"b\"\n";
    let request = token_request_for("configapi", config);
    assert!(request.form().contains(&("scope".into(), "127.0.0.1".into())), "{request:#?}");
}

#[test]
fn configapi_host_needs_no_base_url() {
    let vendor = vendor("configapi");
    let server = Server::responding([Reply::json(200, vendor.token_response("token-1"))]);
    let config = format!(
        "[profiles.callcenter]\nprovider = \"configapi\"\nhost = \"{}\"\nclient_id = \"a\"\n\
         client_secret = \"b\"\n",
        server.url()
    );
    let home = Home::with_config(&config);
    assert_eq!(home.gatepass(["token", "callcenter"]).run().ok(), "token-1\n");
    assert_eq!(server.request().target, "/configapi/v2/oauth/token");
}

/// An id and a secret with characters that servers decode differently.
const SPECIAL: (&str, &str) = ("app+1 %/ü", "s+e c%26&=/:ü");
const SPECIAL_ENCODED: &str = "app%2B1%20%25%2F%C3%BC:s%2Be%20c%2526%26%3D%2F%3A%C3%BC";

fn special_profile(provider: &str, more: &str) -> String {
    let (id, secret) = SPECIAL;
    format!(
        "[profiles.{provider}]\nbase_url = \"BASE\"\nclient_id = \"{id}\"\n\
         client_secret = \"{secret}\"\n{more}\n"
    )
}

#[test]
fn basic_encoding_is_raw_or_form() {
    let (id, secret) = SPECIAL;
    let (raw, form) = (basic(&format!("{id}:{secret}")), basic(SPECIAL_ENCODED));
    let by_basic = "client_auth = \"basic\"";
    let at_cisco = "environment = \"id\"\nclient_auth = \"basic\"";
    for (provider, more, raw_by_default) in
        [("celerdata", "", true), ("cisco", at_cisco, false), ("huawei", by_basic, false)]
    {
        let header = |encoding: &str| {
            let config = special_profile(provider, &format!("{more}\n{encoding}"));
            token_request_for(provider, &config).headers["authorization"].clone()
        };
        assert_eq!(header("basic_encoding = \"raw\""), raw, "{provider}");
        assert_eq!(header("basic_encoding = \"form\""), form, "{provider}");
        let default = if raw_by_default { &raw } else { &form };
        assert_eq!(&header(""), default, "{provider}");
    }
}

#[test]
fn special_characters_reach_the_vendor_unchanged() {
    let (id, secret) = SPECIAL;
    for (provider, more) in [
        ("cisco", "environment = \"id\""),
        ("huawei", ""),
        ("configapi", "scope = \"s\""),
        ("cisco", "environment = \"cloudsso\"\nclient_auth = \"query\""),
    ] {
        let request = token_request_for(provider, &special_profile(provider, more));
        let fields = if request.body.is_empty() { request.query() } else { request.form() };
        assert!(fields.contains(&("client_id".into(), id.into())), "{provider}: {request:#?}");
        assert!(fields.contains(&("client_secret".into(), secret.into())), "{provider}");
        // Servers decode `+` as a space or as itself, so it is never sent.
        assert!(!request.text().contains('+') && !request.target.contains('+'), "{request:#?}");
    }
}

#[test]
fn raw_basic_id_with_colon_is_rejected() {
    let server = Server::responding([Reply::empty(500)]);
    let config = format!(
        "[profiles.celerdata]\nbase_url = \"{}\"\nclient_id = \"a:b\"\nclient_secret = \"c\"\n",
        server.url()
    );
    let run = Home::with_config(&config).gatepass(["token", "celerdata"]).run();
    assert!(run.failed(2).contains("basic_encoding"), "{run:#?}");
    assert_eq!(server.connections(), 0);
}
