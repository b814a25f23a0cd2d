//! Tests of rejected tokens: the request is repeated once with a new token.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use gatepass_core::{Endpoint, ErrorKind};
use gatepass_testkit::{FakeHttp, FakeResponse};
use http::StatusCode;
use provider_celerdata::CelerData;
use tokio::sync::mpsc;

use super::{WAYS, builder, client, ours, post, source, text, vendor};
use crate::server::{Server, answer_all};

/// Starts a server that sends these responses in order and repeats the last one.
fn answering(answers: &[&str]) -> Server {
    let answers: Vec<String> = answers.iter().map(|&answer| answer.to_owned()).collect();
    let next = Arc::new(AtomicUsize::new(0));
    Server::plain(move |peer| {
        while peer.request().is_some() {
            let n = next.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
            if peer.send(&answers[n]).is_err() {
                break;
            }
        }
    })
}

fn answer(status: &str, fields: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{fields}Content-Length: {}\r\n\r\n{body}", body.len())
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Returns the tokens of the received requests in order.
fn tokens(server: &Server) -> Vec<String> {
    let seen = server.seen().to_ascii_lowercase();
    let values = seen.lines().filter_map(|line| line.strip_prefix("authorization: bearer "));
    values.map(str::to_owned).collect()
}

#[tokio::test]
async fn cisco_403_rejects_the_token_by_error_code() {
    let by_code = answer("403 Forbidden", "X-Mashery-Error-Code: ERR_403_NOT_AUTHORIZED\r\n", "");
    let by_page = answer("403 Forbidden", "", "<h1>Not Authorized</h1>");
    let limit = "X-Mashery-Error-Code: ERR_403_DEVELOPER_OVER_QPS\r\n";
    let over_limit = answer("403 Forbidden", limit, "<h1>Developer Over Qps</h1>");
    let other_page = answer("403 Forbidden", "", "<h1>Developer Over Rate</h1>");
    for way in WAYS {
        for refused in [&by_code, &by_page] {
            let (server, vendor) = (answering(&[refused, OK]), vendor());
            let source = source(&server.origin(), &vendor);
            let answer = way.get(&client(), &source, &server.origin()).await.unwrap();
            assert_eq!((answer.status(), vendor.count()), (StatusCode::OK, 2), "{way:?}");
            assert_eq!(tokens(&server), ["token-0", "token-1"], "{way:?}");
        }
        for other in [&over_limit, &other_page] {
            let (server, vendor) = (answering(&[other]), vendor());
            let source = source(&server.origin(), &vendor);
            let answer = way.get(&client(), &source, &server.origin()).await.unwrap();
            assert_eq!((answer.status(), vendor.count()), (StatusCode::FORBIDDEN, 1), "{way:?}");
            assert!(other.ends_with(&format!("\r\n\r\n{}", text(answer).await)), "{way:?}");
            assert_eq!(tokens(&server), ["token-0"], "{way:?}");
        }
    }
}

#[tokio::test]
async fn celerdata_code_in_a_200_response_rejects_the_token() {
    let json = "Content-Type: application/json\r\n";
    let refused = answer("200 OK", json, r#"{"code":40100,"message":"invalid access token"}"#);
    let good = answer("200 OK", json, r#"{"code":20000,"data":{}}"#);
    for way in WAYS {
        let (server, vendor) = (answering(&[&refused, &good]), vendor());
        let celerdata = CelerData::new().base_url(Endpoint::parse(&server.origin()).unwrap());
        let source = builder(celerdata, &vendor).build().unwrap();
        let answer = way.get(&client(), &source, &server.origin()).await.unwrap();
        assert_eq!(text(answer).await, r#"{"code":20000,"data":{}}"#, "{way:?}");
        assert_eq!((tokens(&server).len(), vendor.count()), (2, 2), "{way:?}");
    }
}

#[tokio::test]
async fn second_rejection_is_returned() {
    let refused = answer("401 Unauthorized", "WWW-Authenticate: Bearer\r\n", "you may not");
    for way in WAYS {
        let (server, vendor) = (Server::plain(answer_all(refused.clone())), vendor());
        let source = source(&server.origin(), &vendor);
        let answer = way.get(&client(), &source, &server.origin()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{way:?}");
        assert_eq!(answer.headers()["www-authenticate"], "Bearer", "{way:?}");
        assert_eq!(text(answer).await, "you may not", "{way:?}");
        assert_eq!(tokens(&server), ["token-0", "token-1"], "{way:?}");
        // The new token was not reported: a forbidden call causes one token request, not two.
        assert_eq!(source.peek().unwrap().expose_secret(), "token-1", "{way:?}");
        assert_eq!(vendor.count(), 2, "{way:?}");
    }
}

#[tokio::test]
async fn missing_second_token_returns_its_error() {
    let refused = answer("401 Unauthorized", "", "");
    for way in WAYS {
        let server = Server::plain(answer_all(refused.clone()));
        let vendor = FakeHttp::answering([
            FakeResponse::token("token-0", 3600),
            FakeResponse::json(401, r#"{"error":"invalid_client"}"#),
        ]);
        let source = source(&server.origin(), &vendor);
        let error = way.get(&client(), &source, &server.origin()).await.unwrap_err();
        let error = ours(error);
        assert_eq!(error.kind(), ErrorKind::Denied, "{way:?}");
        let hint = error.hints().last().unwrap().text();
        assert!(hint.ends_with("the API rejected the previous token (401)"), "{way:?}: {hint}");
        assert_eq!(tokens(&server), ["token-0"], "{way:?}");
    }
}

#[tokio::test]
async fn copyable_body_is_sent_twice() {
    let refused = answer("401 Unauthorized", "", "");
    for way in WAYS {
        let (server, vendor) = (answering(&[&refused, OK]), vendor());
        let source = source(&server.origin(), &vendor);
        let mut request = post(&format!("{}/orders?x=1", server.origin()), "name=four+words");
        request.headers_mut().insert("x-order", "seven".parse().unwrap());
        let answer = way.send(&client(), &source, request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{way:?}");
        let seen = server.seen();
        for part in
            ["POST /orders?x=1 HTTP/1.1\r\n", "x-order: seven\r\n", "\r\n\r\nname=four+words"]
        {
            assert_eq!(seen.matches(part).count(), 2, "{way:?} {seen}");
        }
    }
}

/// A body that cannot be copied.
fn stream() -> reqwest::Body {
    reqwest::Body::wrap(http_body_util::Full::new(bytes::Bytes::from_static(b"once")))
}

#[tokio::test]
async fn stream_is_sent_once_and_next_token_is_new() {
    use gatepass_http::SendWith;

    let refused = answer("401 Unauthorized", "", "no");
    let (server, vendor) = (answering(&[&refused, OK]), vendor());
    let source = source(&server.origin(), &vendor);
    let api = client();
    let answer = api.post(server.origin()).body(stream()).send_with(&source).await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(answer.text().await.unwrap(), "no");
    assert_eq!((tokens(&server).len(), vendor.count()), (1, 1));
    let answer = api.post(server.origin()).body(stream()).send_with(&source).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(tokens(&server), ["token-0", "token-1"]);
}

#[cfg(feature = "tower")]
#[tokio::test]
async fn layer_replays_bodies_with_the_given_function() {
    use gatepass_http::TokenLayer;
    use tower::{Layer, ServiceExt};

    let refused = answer("401 Unauthorized", "", "no");
    for (replay, tries) in [(true, 2), (false, 1)] {
        let (server, vendor) = (answering(&[&refused, OK]), vendor());
        let source = source(&server.origin(), &vendor);
        let layer = match replay {
            true => TokenLayer::with_replay(source, |body: &bytes::Bytes| Some(body.clone())),
            false => TokenLayer::with_replay(source, |_| None),
        };
        let service = layer.layer(super::tower_client(&client()));
        let answer = service.oneshot(super::get(&server.origin())).await.unwrap();
        assert_eq!(answer.status().is_success(), replay);
        assert_eq!((tokens(&server).len(), vendor.count()), (tries, tries));
    }
}

#[tokio::test]
async fn late_rejection_of_an_old_token_is_ignored() {
    let refused = answer("401 Unauthorized", "", "");
    for way in WAYS {
        let (arrived, mut has_arrived) = mpsc::unbounded_channel();
        let (go, may_go) = std::sync::mpsc::channel();
        let (refused, may_go) = (refused.clone(), Mutex::new(may_go));
        let server = Server::plain(move |peer| {
            while let Some(request) = peer.request() {
                let is_old = request.contains("token-0");
                if is_old {
                    arrived.send(()).unwrap();
                    may_go.lock().unwrap().recv().unwrap();
                }
                let _ = peer.send(if is_old { &refused } else { OK });
            }
        });
        let vendor = vendor();
        let source = source(&server.origin(), &vendor);
        let (client, origin) = (client(), server.origin());
        let call = way.get(&client, &source, &origin);
        let meanwhile = async {
            has_arrived.recv().await.unwrap();
            source.invalidate(&source.peek().unwrap());
            source.token().await.unwrap();
            go.send(()).unwrap();
        };
        let (answer, ()) = tokio::join!(call, meanwhile);
        assert_eq!((answer.unwrap().status(), vendor.count()), (StatusCode::OK, 2), "{way:?}");
    }
}
