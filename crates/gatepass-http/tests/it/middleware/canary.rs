//! Tests that the middleware's output and logs show no secret.

use std::error::Error as StdError;

use gatepass_core::{
    AccessToken, ApiRequest, ApiResponse, Authorize, Credential, Endpoint, Result, Token,
    TokenVerdict, async_trait,
};
use gatepass_engine::TokenSource;
use gatepass_http::SendWith;
use gatepass_testkit::{FakeHttp, FakeResponse};
use http::{HeaderName, HeaderValue, Uri};
use provider_cloudneeti::Cloudneeti;

use super::{WAYS, builder_with, client, get};
use crate::canary::{CANARY, Log};
use crate::server::{Server, answer_all, ok};

#[tokio::test]
async fn logs_errors_and_debug_show_no_canary() {
    let token = |n| {
        FakeResponse::json(200, format!(r#"{{"token":"{CANARY}-token-{n}","statusCode":200}}"#))
    };
    let credential = || {
        Credential::new()
            .with_text("api_application_id", "app-1")
            .with_secret("api_application_secret", format!("{CANARY}-secret"))
            .with_secret("subscription_key", format!("{CANARY}-key"))
    };
    let refused = format!("HTTP/1.1 401 No\r\nContent-Length: 8\r\n\r\n{CANARY}");
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let other = Server::answering(ok("other"));
    let elsewhere = format!("HTTP/1.1 307 Go\r\nLocation: {}/x\r\n\r\n", other.origin());
    let servers = [
        Server::answering(ok(CANARY)),
        Server::plain(answer_all(refused)),
        Server::answering(elsewhere),
        Server::plain(|peer| {
            peer.request();
            peer.close();
        }),
    ];
    let mut origins: Vec<String> = servers.iter().map(Server::origin).collect();
    origins.push(format!("http://{gone}"));
    let careless = reqwest::redirect::Policy::default();
    let careless = gatepass_http::api_client_builder().no_proxy().redirect(careless);
    let clients = [client(), careless.build().unwrap()];

    let (log, _guard) = Log::capture();
    let (mut errors, mut debugs) = (String::new(), String::new());
    for origin in &origins {
        for client in &clients {
            for way in WAYS {
                let http = FakeHttp::new(token);
                let base = Endpoint::parse(origin).unwrap();
                let source =
                    builder_with(Cloudneeti::new("L").unwrap().base_url(base), &http, credential())
                        .build()
                        .unwrap();
                let request = get(&format!("{origin}/users"));
                debugs.push_str(&format!("{source:?} {way:?}"));
                match way.send(client, &source, request).await {
                    Ok(answer) => debugs.push_str(&format!("{:?}", answer.body())),
                    Err(error) => errors.push_str(&whole(&*error)),
                }
                #[cfg(feature = "tower")]
                {
                    use tower::Layer;
                    let layer = gatepass_http::TokenLayer::<bytes::Bytes>::new(source.clone());
                    let service = layer.layer(super::tower_client(client));
                    debugs.push_str(&format!("{layer:?} {service:?}"));
                }
                #[cfg(feature = "reqwest-middleware")]
                debugs.push_str(&format!("{:?}", gatepass_http::TokenMiddleware::new(source)));
            }
        }
    }
    assert!(errors.contains("a redirect forwarded") && errors.contains("refused by"), "{errors}");
    assert!(!errors.contains(CANARY), "{errors}");
    assert!(!debugs.contains(CANARY), "{debugs}");
    assert!(other.seen().contains(&format!("{CANARY}-key")), "the secrets were there to be seen");

    let text = log.text();
    assert_eq!(text.lines().find(|line| line.contains(CANARY)), None);
    assert!(text.contains("the API rejects the token"));
    assert!(text.contains("a secret was sent to another origin"));
}

/// Returns a source whose provider does not mark its header as sensitive.
#[derive(Debug)]
struct Careless(TokenSource);

#[async_trait]
impl AccessToken for Careless {
    async fn token(&self) -> Result<Token> {
        self.0.token().await
    }
}

#[async_trait]
impl Authorize for Careless {
    fn check(&self, to: &Uri) -> Result<()> {
        self.0.check(to)
    }

    async fn authorize_request(&self, request: &mut ApiRequest<'_>) -> Result<Token> {
        let key = HeaderValue::from_static("CNRY7f3a-key");
        request.set_header(HeaderName::from_static("x-key"), key);
        self.0.authorize_request(request).await
    }

    fn report_response(&self, token: &Token, answer: &ApiResponse<'_>) -> TokenVerdict {
        Authorize::report_response(&self.0, token, answer)
    }
}

#[tokio::test]
async fn added_headers_are_marked_sensitive() {
    let server = Server::answering(ok("ok"));
    let source = Careless(TokenSource::fixed("token-1"));
    client().get(server.origin()).send_with(&source).await.unwrap();
    assert!(server.seen().contains(CANARY));

    #[cfg(feature = "tower")]
    {
        use bytes::Bytes;
        use http_body_util::Full;
        use tower::{Layer, ServiceExt};

        let inner = tower::service_fn(|request: http::Request<Bytes>| {
            let shown = format!("{request:?}");
            async { Ok::<_, std::io::Error>(http::Response::new(Full::new(Bytes::from(shown)))) }
        });
        let layer = gatepass_http::TokenLayer::<Bytes>::new(source);
        let answer = layer.layer(inner).oneshot(get("http://127.0.0.1:1/")).await.unwrap();
        let shown = super::text(answer.map(reqwest::Body::wrap)).await;
        assert!(shown.contains("x-key") && !shown.contains(CANARY), "{shown}");
    }
}

fn whole(error: &(dyn StdError + 'static)) -> String {
    let mut text = format!("{error} {error:?} {error:#?}\n");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!("{error} {error:?} {error:#?}\n"));
        cause = error.source();
    }
    text
}
