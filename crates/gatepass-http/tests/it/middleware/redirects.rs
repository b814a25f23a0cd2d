//! Tests of redirects, which can forward a vendor's headers to another host.

use std::error::Error as StdError;

use gatepass_core::{Endpoint, ErrorKind};
use gatepass_engine::TokenSource;
use gatepass_http::api_client_builder;
use http::StatusCode;
use provider_cloudneeti::Cloudneeti;
use reqwest::redirect::Policy;

use super::{WAYS, Way, builder_with, client, ours, vendor};
use crate::server::{Server, ok};

/// Returns a source with two headers, one of which reqwest forwards at every redirect.
fn two_headers(origin: &str) -> TokenSource {
    let base = Endpoint::parse(origin).unwrap();
    let cloudneeti = Cloudneeti::new("L").unwrap().base_url(base);
    let token =
        gatepass_testkit::FakeResponse::json(200, r#"{"token":"token-0","statusCode":200}"#);
    let http = gatepass_testkit::FakeHttp::answering([token]);
    let credential = gatepass_core::Credential::new()
        .with_text("api_application_id", "app-1")
        .with_secret("api_application_secret", "hunter2")
        .with_secret("subscription_key", "key-1");
    builder_with(cloudneeti, &http, credential).build().unwrap()
}

/// Starts a server that redirects `/` to an address and serves `/here`.
fn moved(status: u16, to: String) -> Server {
    Server::plain(move |peer| {
        while let Some(request) = peer.request() {
            let answer = match request.contains(" /here ") {
                true => ok("here"),
                false => format!(
                    "HTTP/1.1 {status} Moved\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n"
                ),
            };
            let _ = peer.send(answer);
        }
    })
}

#[tokio::test]
async fn api_client_follows_redirects_within_one_origin() {
    for way in WAYS {
        for status in [301, 302, 303, 307, 308] {
            let other = Server::answering(ok("other"));
            let api = moved(status, format!("{}/x", other.origin()));
            let source = two_headers(&api.origin());
            let answer = way.get(&client(), &source, &api.origin()).await.unwrap();
            assert_eq!(answer.status(), status, "{way:?}: the redirect is the answer");
            assert!(answer.headers()["location"].to_str().unwrap().starts_with(&other.origin()));
            assert_eq!(other.connections(), 0, "{way:?} {status}");

            let api = moved(status, "/here".to_owned());
            let source = two_headers(&api.origin());
            let answer = way.get(&client(), &source, &api.origin()).await.unwrap();
            assert_eq!(super::text(answer).await, "here", "{way:?} {status}");
            assert_eq!(api.seen().matches("key-1").count(), 2, "{way:?}: both times");
        }
    }
}

#[tokio::test]
async fn redirect_loop_ends() {
    let api = moved(302, "/".to_owned());
    let source = two_headers(&api.origin());
    for way in WAYS {
        let answer = way.get(&client(), &source, &api.origin()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::FOUND, "{way:?}");
    }
    assert_eq!(api.seen().matches("GET / ").count(), 10 * WAYS.len());
}

#[tokio::test]
async fn client_without_redirects_returns_them() {
    let client = api_client_builder().redirect(Policy::none()).no_proxy().build().unwrap();
    for way in WAYS {
        let api = moved(302, "/here".to_owned());
        let source = two_headers(&api.origin());
        let answer = way.get(&client, &source, &api.origin()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::FOUND, "{way:?}");
    }
}

/// Shows the behaviour of reqwest's default policy, the reason for `api_client_builder`.
#[tokio::test]
async fn forwarded_secret_header_is_an_error() {
    let careless = api_client_builder().redirect(Policy::default()).no_proxy().build().unwrap();
    for way in WAYS {
        let other = Server::answering(ok("other"));
        let api = moved(307, format!("{}/CNRYpath?q=CNRYquery", other.origin()));
        let source = two_headers(&api.origin());
        let answer = way.get(&careless, &source, &api.origin()).await;
        let seen = other.seen();
        assert!(seen.contains("ocp-apim-subscription-key: key-1"), "{seen}");
        assert!(!seen.contains("authorization"), "{seen}");
        if is_deaf(*way) {
            answer.unwrap();
            continue;
        }
        let error = ours(answer.unwrap_err());
        let text = format!(
            "a redirect forwarded ocp-apim-subscription-key from {} to {}",
            api.origin(),
            other.origin()
        );
        assert_eq!((error.kind(), error.message()), (ErrorKind::Config, text.as_str()), "{way:?}");
        assert!(!format!("{error:?} {:?}", error.source()).contains("CNRY"), "{error:?}");

        // A bearer token alone is not forwarded, so redirects to downloads work.
        let api = moved(307, other.origin());
        let source = super::source(&api.origin(), &vendor());
        let answer = way.get(&careless, &source, &api.origin()).await.unwrap();
        assert_eq!(super::text(answer).await, "other", "{way:?}");
        assert!(!other.seen().contains("authorization"));
    }
}

/// A service does not provide the response's address.
fn is_deaf(way: Way) -> bool {
    #[cfg(feature = "tower")]
    if way == Way::Tower {
        return true;
    }
    let _ = way;
    false
}
