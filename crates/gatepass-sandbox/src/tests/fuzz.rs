//! Property test: every request gets an HTTP response.

use std::sync::{Arc, LazyLock};

use axum::{Router, body::Body};
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use proptest::prelude::*;
use tower::Service as _;

use crate::{
    client::Client,
    router::{self, App},
    state::Memory,
    vendors::Vendors,
};

static ROUTER: LazyLock<Router> = LazyLock::new(|| {
    let vendors = Vendors::built_in();
    let clients = vendors.iter().map(Client::generated).collect();
    let memory = Memory::new(vendors, None, clients, Vec::new()).unwrap();
    router::router(App { memory: Arc::new(memory), port: 8480 })
});

const ROUTES: &[&str] = &[
    "/celerdata/api/1.0/token",
    "/celerdata/api/1.0/clusters",
    "/celerdata/api/1.0/clusters/x/state",
    "/cisco/as/token.oauth2",
    "/cisco/as/authorization.oauth2",
    "/cisco/oauth2/default/v1/token",
    "/cisco/hello",
    "/cloudneeti/api/authorize/license/x/token",
    "/cloudneeti/onboarding/license/x/licenseAccounts",
    "/cloudneeti/compliance/license/x/account/y/rescan",
    "/cloudneeti/audit/license/x/account/y/benchmark/CSBP/summary",
    "/configapi/configapi/v2/oauth/token",
    "/configapi/configapi/v2/phone/user",
    "/configapi/configapi/v2/user/x",
    "/huawei/api/v2/tenant/token",
    "/huawei/api/v2/tenant/users",
    "/huawei/api/v1/oauth2/authorize",
    "/_sandbox/state",
    "/_sandbox/clients",
    "/_sandbox/time",
    "/_sandbox/revoke",
    "/_sandbox/reset",
    "/_sandbox/requests",
];

const HEADERS: &[&str] =
    &["authorization", "content-type", "ocp-apim-subscription-key", "origin", "cookie"];

const VALUES: &[&str] = &[
    "Bearer x",
    "Basic ",
    "Basic Og==",
    "Basic /w==",
    "Basic eDp5",
    "application/json",
    "application/x-www-form-urlencoded",
];

fn any_request() -> impl Strategy<Value = Option<Request<Body>>> {
    let path = prop_oneof![
        8 => prop::sample::select(ROUTES).prop_map(str::to_owned),
        1 => "/[!-~]{0,40}",
        1 => "/(cisco|huawei|cloudneeti|_sandbox)(/[a-z0-9.%]{0,9}){0,9}",
    ];
    let value = prop_oneof![
        prop::sample::select(VALUES).prop_map(|value| value.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..40),
    ];
    let header = (prop::sample::select(HEADERS), value);
    let body = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        "[a-z_]{1,13}=[ -~]{0,20}(&[a-z_]{1,13}=[ -~]{0,20}){0,4}".prop_map(String::into_bytes),
        r#"\{"(provider|fields|advance_seconds|Secret)":("x"|\{\}|null|[0-9]{1,20}|-1|1e400)\}"#
            .prop_map(String::into_bytes),
    ];
    let method = prop_oneof!["GET", "POST", "[A-Z!#]{1,9}"];
    (method, path, "([?][!-~]{0,40})?", prop::collection::vec(header, 0..4), body).prop_map(
        |(method, path, query, headers, body)| {
            let uri: Uri = format!("{path}{query}").parse().ok()?;
            let mut request = Request::new(Body::from(body));
            *request.method_mut() = Method::from_bytes(method.as_bytes()).ok()?;
            *request.uri_mut() = uri;
            request.headers_mut().insert("host", HeaderValue::from_static("127.0.0.1:8480"));
            for (name, value) in headers {
                let value = HeaderValue::from_bytes(&value).ok()?;
                request.headers_mut().append(HeaderName::from_static(name), value);
            }
            Some(request)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn any_request_gets_an_http_response(request in any_request()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        if let Some(request) = request {
            let response = runtime.block_on(ROUTER.clone().call(request)).unwrap();
            prop_assert!((200..500).contains(&response.status().as_u16()));
        }
    }
}
