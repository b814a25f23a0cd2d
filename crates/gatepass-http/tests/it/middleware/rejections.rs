//! Tests of rejected tokens: the request is repeated once with a new token.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use gatepass_core::{Endpoint, ErrorKind};
use gatepass_testkit::{FakeHttp, FakeResponse};
use http::StatusCode;
use provider_celerdata::CelerData;
use tokio::sync::mpsc;

use super::{ADAPTERS, builder, client, gatepass_error, post, source, text, vendor};
use crate::server::{Server, respond_all};

/// Starts a server that sends these responses in order and repeats the last one.
fn responding(responses: &[&str]) -> Server {
    let responses: Vec<String> = responses.iter().map(|&response| response.to_owned()).collect();
    let next = Arc::new(AtomicUsize::new(0));
    Server::plain(move |peer| {
        while peer.request().is_some() {
            let n = next.fetch_add(1, Ordering::SeqCst).min(responses.len() - 1);
            if peer.send(&responses[n]).is_err() {
                break;
            }
        }
    })
}

fn response(status: &str, fields: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{fields}Content-Length: {}\r\n\r\n{body}", body.len())
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Returns the tokens of the received requests in order.
fn tokens(server: &Server) -> Vec<String> {
    let received = server.received().to_ascii_lowercase();
    let values = received.lines().filter_map(|line| line.strip_prefix("authorization: bearer "));
    values.map(str::to_owned).collect()
}

#[tokio::test]
async fn cisco_403_rejects_the_token_by_error_code() {
    let by_code = response("403 Forbidden", "X-Mashery-Error-Code: ERR_403_NOT_AUTHORIZED\r\n", "");
    let by_page = response("403 Forbidden", "", "<h1>Not Authorized</h1>");
    let limit = "X-Mashery-Error-Code: ERR_403_DEVELOPER_OVER_QPS\r\n";
    let over_limit = response("403 Forbidden", limit, "<h1>Developer Over Qps</h1>");
    let other_page = response("403 Forbidden", "", "<h1>Developer Over Rate</h1>");
    for adapter in ADAPTERS {
        for rejected in [&by_code, &by_page] {
            let (server, vendor) = (responding(&[rejected, OK]), vendor());
            let source = source(&server.origin(), &vendor);
            let response = adapter.get(&client(), &source, &server.origin()).await.unwrap();
            assert_eq!((response.status(), vendor.count()), (StatusCode::OK, 2), "{adapter:?}");
            assert_eq!(tokens(&server), ["token-0", "token-1"], "{adapter:?}");
        }
        for other in [&over_limit, &other_page] {
            let (server, vendor) = (responding(&[other]), vendor());
            let source = source(&server.origin(), &vendor);
            let response = adapter.get(&client(), &source, &server.origin()).await.unwrap();
            assert_eq!(
                (response.status(), vendor.count()),
                (StatusCode::FORBIDDEN, 1),
                "{adapter:?}"
            );
            assert!(other.ends_with(&format!("\r\n\r\n{}", text(response).await)), "{adapter:?}");
            assert_eq!(tokens(&server), ["token-0"], "{adapter:?}");
        }
    }
}

#[tokio::test]
async fn celerdata_code_in_a_200_response_rejects_the_token() {
    let json = "Content-Type: application/json\r\n";
    let rejected = response("200 OK", json, r#"{"code":40100,"message":"invalid access token"}"#);
    let good = response("200 OK", json, r#"{"code":20000,"data":{}}"#);
    for adapter in ADAPTERS {
        let (server, vendor) = (responding(&[&rejected, &good]), vendor());
        let celerdata = CelerData::new().base_url(Endpoint::parse(&server.origin()).unwrap());
        let source = builder(celerdata, &vendor).build().unwrap();
        let response = adapter.get(&client(), &source, &server.origin()).await.unwrap();
        assert_eq!(text(response).await, r#"{"code":20000,"data":{}}"#, "{adapter:?}");
        assert_eq!((tokens(&server).len(), vendor.count()), (2, 2), "{adapter:?}");
    }
}

#[tokio::test]
async fn second_rejection_is_returned() {
    let rejected = response("401 Unauthorized", "WWW-Authenticate: Bearer\r\n", "you may not");
    for adapter in ADAPTERS {
        let (server, vendor) = (Server::plain(respond_all(rejected.clone())), vendor());
        let source = source(&server.origin(), &vendor);
        let response = adapter.get(&client(), &source, &server.origin()).await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{adapter:?}");
        assert_eq!(response.headers()["www-authenticate"], "Bearer", "{adapter:?}");
        assert_eq!(text(response).await, "you may not", "{adapter:?}");
        assert_eq!(tokens(&server), ["token-0", "token-1"], "{adapter:?}");
        // The new token was not reported: a forbidden call causes one token request, not two.
        assert_eq!(source.peek().unwrap().expose_secret(), "token-1", "{adapter:?}");
        assert_eq!(vendor.count(), 2, "{adapter:?}");
    }
}

#[tokio::test]
async fn missing_second_token_returns_its_error() {
    let rejected = response("401 Unauthorized", "", "");
    for adapter in ADAPTERS {
        let server = Server::plain(respond_all(rejected.clone()));
        let vendor = FakeHttp::returning([
            FakeResponse::token("token-0", 3600),
            FakeResponse::json(401, r#"{"error":"invalid_client"}"#),
        ]);
        let source = source(&server.origin(), &vendor);
        let error = adapter.get(&client(), &source, &server.origin()).await.unwrap_err();
        let error = gatepass_error(error);
        assert_eq!(error.kind(), ErrorKind::Denied, "{adapter:?}");
        let hint = error.hints().last().unwrap().text();
        assert!(hint.ends_with("the API rejected the previous token (401)"), "{adapter:?}: {hint}");
        assert_eq!(tokens(&server), ["token-0"], "{adapter:?}");
    }
}

#[tokio::test]
async fn copyable_body_is_sent_twice() {
    let rejected = response("401 Unauthorized", "", "");
    for adapter in ADAPTERS {
        let (server, vendor) = (responding(&[&rejected, OK]), vendor());
        let source = source(&server.origin(), &vendor);
        let mut request = post(&format!("{}/orders?x=1", server.origin()), "name=four+words");
        request.headers_mut().insert("x-order", "seven".parse().unwrap());
        let response = adapter.send(&client(), &source, request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{adapter:?}");
        let received = server.received();
        for part in
            ["POST /orders?x=1 HTTP/1.1\r\n", "x-order: seven\r\n", "\r\n\r\nname=four+words"]
        {
            assert_eq!(received.matches(part).count(), 2, "{adapter:?} {received}");
        }
    }
}

/// Returns a body that cannot be copied.
fn stream() -> reqwest::Body {
    reqwest::Body::wrap(http_body_util::Full::new(bytes::Bytes::from_static(b"once")))
}

#[tokio::test]
async fn stream_is_sent_once_and_token_is_replaced() {
    use gatepass_http::SendWith;

    let rejected = response("401 Unauthorized", "", "no");
    let (server, vendor) = (responding(&[&rejected, OK]), vendor());
    let source = source(&server.origin(), &vendor);
    let api = client();
    let response = api.post(server.origin()).body(stream()).send_with(&source).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(response.text().await.unwrap(), "no");
    assert_eq!((tokens(&server).len(), vendor.count()), (1, 1));
    let response = api.post(server.origin()).body(stream()).send_with(&source).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(tokens(&server), ["token-0", "token-1"]);
}

#[cfg(feature = "tower")]
#[tokio::test]
async fn layer_replays_bodies_with_the_given_function() {
    use gatepass_http::TokenLayer;
    use tower::{Layer, ServiceExt};

    let rejected = response("401 Unauthorized", "", "no");
    for (replay, tries) in [(true, 2), (false, 1)] {
        let (server, vendor) = (responding(&[&rejected, OK]), vendor());
        let source = source(&server.origin(), &vendor);
        let layer = match replay {
            true => TokenLayer::with_replay(source, |body: &bytes::Bytes| Some(body.clone())),
            false => TokenLayer::with_replay(source, |_| None),
        };
        let service = layer.layer(super::tower_client(&client()));
        let response = service.oneshot(super::get(&server.origin())).await.unwrap();
        assert_eq!(response.status().is_success(), replay);
        assert_eq!((tokens(&server).len(), vendor.count()), (tries, tries));
    }
}

#[tokio::test]
async fn late_rejection_of_an_old_token_is_ignored() {
    let rejected = response("401 Unauthorized", "", "");
    for adapter in ADAPTERS {
        let (arrived, mut has_arrived) = mpsc::unbounded_channel();
        let (release, released) = std::sync::mpsc::channel();
        let (rejected, released) = (rejected.clone(), Mutex::new(released));
        let server = Server::plain(move |peer| {
            while let Some(request) = peer.request() {
                let is_old = request.contains("token-0");
                if is_old {
                    arrived.send(()).unwrap();
                    released.lock().unwrap().recv().unwrap();
                }
                let _ = peer.send(if is_old { &rejected } else { OK });
            }
        });
        let vendor = vendor();
        let source = source(&server.origin(), &vendor);
        let (client, origin) = (client(), server.origin());
        let call = adapter.get(&client, &source, &origin);
        let while_waiting = async {
            has_arrived.recv().await.unwrap();
            source.invalidate(&source.peek().unwrap());
            source.token().await.unwrap();
            release.send(()).unwrap();
        };
        let (response, ()) = tokio::join!(call, while_waiting);
        assert_eq!(
            (response.unwrap().status(), vendor.count()),
            (StatusCode::OK, 2),
            "{adapter:?}"
        );
    }
}
