//! Tests of the addresses to which a token may be sent.

use gatepass_core::{Endpoint, ErrorKind};
use gatepass_engine::TokenSource;
use gatepass_http::{HttpClient, SendWith};
use http::StatusCode;
use provider_cisco::{Cisco, Environment};

use super::{ADAPTERS, builder, client, gatepass_error, source, vendor};
use crate::server::{Server, ok};

#[tokio::test]
async fn other_origin_receives_no_request() {
    let (api, other) = (Server::responding(ok("api")), Server::responding(ok("other")));
    for adapter in ADAPTERS {
        let vendor = vendor();
        let source = source(&api.origin(), &vendor);
        let port = other.address().port();
        for origin in [
            other.origin(),
            format!("http://localhost:{port}"),
            format!("http://127.0.0.1.nip.example:{port}"),
            format!("https://127.0.0.1:{}", api.address().port()),
            "http://10.0.0.1".to_owned(),
        ] {
            let url = format!("{origin}/CNRYpath?q=CNRYquery");
            let error = gatepass_error(adapter.get(&client(), &source, &url).await.unwrap_err());
            assert_eq!(error.kind(), ErrorKind::Config, "{adapter:?} {url}");
            let text = format!("cisco: the token must not go to {origin}");
            assert_eq!(error.to_string(), text, "{adapter:?}");
            let hint = format!("allowed: {}; add others to api_origins", api.origin());
            assert_eq!(error.hints()[0].text(), hint, "{adapter:?}");
            assert!(!format!("{error:?}").contains("CNRY"), "{error:?}");
        }
        assert_eq!(
            (other.connections(), vendor.count()),
            (0, 0),
            "{adapter:?}: no token request either"
        );
    }
}

#[tokio::test]
async fn additional_api_origins_are_allowed() {
    let (api, other) = (Server::responding(ok("api")), Server::responding(ok("other")));
    let cisco = Cisco::new(Environment::Id).base_url(Endpoint::parse(&api.origin()).unwrap());
    let also = Endpoint::parse(&format!("{}/v1", other.origin())).unwrap();
    let source = builder(cisco, &vendor()).api_origins([also]).build().unwrap();
    for adapter in ADAPTERS {
        for server in [&api, &other] {
            let response = adapter.get(&client(), &source, &server.origin()).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK, "{adapter:?}");
        }
    }
    assert!(other.received().contains("authorization: Bearer token-0"));
}

#[tokio::test]
async fn token_endpoint_is_rejected_before_first_request() {
    let api = Server::responding(ok("api"));
    for adapter in ADAPTERS {
        let vendor = vendor();
        let source = source(&api.origin(), &vendor);
        let url = format!("{}/oauth2/default/v1/token?x=CNRYquery", api.origin());
        let error = gatepass_error(adapter.get(&client(), &source, &url).await.unwrap_err());
        assert_eq!(error.to_string(), "cisco: the token must not go to the token endpoint");
        assert_eq!((api.connections(), vendor.count()), (0, 1), "{adapter:?}");
    }
}

#[tokio::test]
async fn address_with_user_name_is_rejected() {
    let api = Server::responding(ok("api"));
    let source = source(&api.origin(), &vendor());
    // reqwest converts it to Basic authentication, which the token replaces.
    let url = format!("http://user:CNRYword@{}/", api.address());
    client().get(&url).send_with(&source).await.unwrap();
    assert!(!api.received().contains("Basic"), "{}", api.received());
    let request = reqwest::Request::new(http::Method::GET, url.parse().unwrap());
    let builder = reqwest::RequestBuilder::from_parts(client(), request);
    let error = builder.send_with(&source).await.unwrap_err();
    assert_eq!(error.message(), "the address must not contain a user name or password");
}

#[cfg(feature = "tower")]
#[tokio::test]
async fn layer_requires_a_complete_address() {
    use tower::{Layer, ServiceExt};

    let source = source("http://127.0.0.1:1", &vendor());
    let layer = gatepass_http::TokenLayer::<bytes::Bytes>::new(source);
    let service = layer.layer(super::tower_client(&client()));
    let error = service.oneshot(super::get("/users")).await.unwrap_err();
    assert_eq!(gatepass_error(error).message(), "the request has no host");
}

#[tokio::test]
async fn fixed_token_is_sent_to_loopback_only() {
    let api = Server::responding(ok("api"));
    let source = TokenSource::fixed("token-1");
    client().get(api.origin()).send_with(&source).await.unwrap();
    assert!(api.received().contains("authorization: Bearer token-1"));
    let error = client().get("https://api.example.com/").send_with(&source).await.unwrap_err();
    assert_eq!(error.hints()[0].text(), "allowed: this machine; add others to api_origins");
}

#[tokio::test]
async fn transport_error_has_reqwest_source() {
    HttpClient::new().unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let origin = format!("http://{closed}");
    let source = source(&origin, &vendor());
    let url = format!("{origin}/CNRYpath?q=CNRYquery");
    let error = client().get(url).send_with(&source).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(error.message(), format!("connection refused by {origin}"));
    let cause = std::error::Error::source(&error).unwrap();
    assert!(cause.downcast_ref::<reqwest::Error>().unwrap().is_connect());
    assert!(!format!("{error:?} {cause:?} {cause}").contains("CNRY"));
}

#[tokio::test]
async fn caller_timeout_error_names_no_limit() {
    let silent = Server::plain(|peer| {
        peer.request();
        peer.wait_for_close();
    });
    let source = source(&silent.origin(), &vendor());
    let limit = std::time::Duration::from_millis(50);
    let error = client().get(silent.origin()).timeout(limit).send_with(&source).await.unwrap_err();
    assert_eq!(error.message(), format!("no response in time from {}", silent.origin()));
}
