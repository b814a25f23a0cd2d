//! Tests of redirects, which can forward a vendor's headers to another host.

use std::error::Error as StdError;

use gatepass_core::{Endpoint, ErrorKind};
use gatepass_engine::TokenSource;
use gatepass_http::api_client_builder;
use http::StatusCode;
use provider_cloudneeti::Cloudneeti;
use reqwest::redirect::Policy;

use super::{ADAPTERS, Adapter, builder_with, client, gatepass_error, vendor};
use crate::server::{Server, ok};

/// Returns a source with two headers, one of which reqwest forwards at every redirect.
fn two_headers(origin: &str) -> TokenSource {
    let base = Endpoint::parse(origin).unwrap();
    let cloudneeti = Cloudneeti::new("L").unwrap().base_url(base);
    let token =
        gatepass_testkit::FakeResponse::json(200, r#"{"token":"token-0","statusCode":200}"#);
    let http = gatepass_testkit::FakeHttp::returning([token]);
    let credential = gatepass_core::Credential::new()
        .with_text("api_application_id", "app-1")
        .with_secret("api_application_secret", "hunter2")
        .with_secret("subscription_key", "key-1");
    builder_with(cloudneeti, &http, credential).build().unwrap()
}

/// Starts a server that redirects `/` to an address and serves `/here`.
fn redirecting(status: u16, to: String) -> Server {
    Server::plain(move |peer| {
        while let Some(request) = peer.request() {
            let response = match request.contains(" /here ") {
                true => ok("here"),
                false => format!(
                    "HTTP/1.1 {status} Moved\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n"
                ),
            };
            let _ = peer.send(response);
        }
    })
}

#[tokio::test]
async fn api_client_follows_redirects_within_one_origin() {
    for adapter in ADAPTERS {
        for status in [301, 302, 303, 307, 308] {
            let other = Server::responding(ok("other"));
            let api = redirecting(status, format!("{}/x", other.origin()));
            let source = two_headers(&api.origin());
            let response = adapter.get(&client(), &source, &api.origin()).await.unwrap();
            assert_eq!(response.status(), status, "{adapter:?}: the redirect is returned");
            assert!(response.headers()["location"].to_str().unwrap().starts_with(&other.origin()));
            assert_eq!(other.connections(), 0, "{adapter:?} {status}");

            let api = redirecting(status, "/here".to_owned());
            let source = two_headers(&api.origin());
            let response = adapter.get(&client(), &source, &api.origin()).await.unwrap();
            assert_eq!(super::text(response).await, "here", "{adapter:?} {status}");
            assert_eq!(api.received().matches("key-1").count(), 2, "{adapter:?}: in both requests");
        }
    }
}

#[tokio::test]
async fn redirect_loop_ends_after_ten_redirects() {
    let api = redirecting(302, "/".to_owned());
    let source = two_headers(&api.origin());
    for adapter in ADAPTERS {
        let response = adapter.get(&client(), &source, &api.origin()).await.unwrap();
        assert_eq!(response.status(), StatusCode::FOUND, "{adapter:?}");
    }
    assert_eq!(api.received().matches("GET / ").count(), 10 * ADAPTERS.len());
}

#[tokio::test]
async fn client_without_redirects_returns_them() {
    let client = api_client_builder().redirect(Policy::none()).no_proxy().build().unwrap();
    for adapter in ADAPTERS {
        let api = redirecting(302, "/here".to_owned());
        let source = two_headers(&api.origin());
        let response = adapter.get(&client, &source, &api.origin()).await.unwrap();
        assert_eq!(response.status(), StatusCode::FOUND, "{adapter:?}");
    }
}

/// Shows the behaviour of reqwest's default policy, the reason for `api_client_builder`.
#[tokio::test]
async fn forwarded_secret_header_is_an_error() {
    let permissive = api_client_builder().redirect(Policy::default()).no_proxy().build().unwrap();
    for adapter in ADAPTERS {
        let other = Server::responding(ok("other"));
        let api = redirecting(307, format!("{}/CNRYpath?q=CNRYquery", other.origin()));
        let source = two_headers(&api.origin());
        let response = adapter.get(&permissive, &source, &api.origin()).await;
        let received = other.received();
        assert!(received.contains("ocp-apim-subscription-key: key-1"), "{received}");
        assert!(!received.contains("authorization"), "{received}");
        if hides_final_address(*adapter) {
            response.unwrap();
            continue;
        }
        let error = gatepass_error(response.unwrap_err());
        let text = format!(
            "a redirect forwarded ocp-apim-subscription-key from {} to {}",
            api.origin(),
            other.origin()
        );
        assert_eq!(
            (error.kind(), error.message()),
            (ErrorKind::Config, text.as_str()),
            "{adapter:?}"
        );
        assert!(!format!("{error:?} {:?}", error.source()).contains("CNRY"), "{error:?}");

        // A bearer token alone is not forwarded, so redirects to downloads work.
        let api = redirecting(307, other.origin());
        let source = super::source(&api.origin(), &vendor());
        let response = adapter.get(&permissive, &source, &api.origin()).await.unwrap();
        assert_eq!(super::text(response).await, "other", "{adapter:?}");
        assert!(!other.received().contains("authorization"));
    }
}

/// Returns whether the adapter does not know the final address, as a tower service does not.
fn hides_final_address(adapter: Adapter) -> bool {
    #[cfg(feature = "tower")]
    if adapter == Adapter::Tower {
        return true;
    }
    let _ = adapter;
    false
}
