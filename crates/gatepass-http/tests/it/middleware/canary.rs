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

use super::{ADAPTERS, builder_with, client, get};
use crate::canary::{CANARY, Log};
use crate::server::{Server, ok, respond_all};

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
    let rejected = format!("HTTP/1.1 401 No\r\nContent-Length: 8\r\n\r\n{CANARY}");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let other = Server::responding(ok("other"));
    let redirect = format!("HTTP/1.1 307 Go\r\nLocation: {}/x\r\n\r\n", other.origin());
    let servers = [
        Server::responding(ok(CANARY)),
        Server::plain(respond_all(rejected)),
        Server::responding(redirect),
        Server::plain(|peer| {
            peer.request();
            peer.close();
        }),
    ];
    let mut origins: Vec<String> = servers.iter().map(Server::origin).collect();
    origins.push(format!("http://{closed}"));
    let permissive = reqwest::redirect::Policy::default();
    let permissive = gatepass_http::api_client_builder().no_proxy().redirect(permissive);
    let clients = [client(), permissive.build().unwrap()];

    let (log, _guard) = Log::capture();
    let (mut errors, mut debugs) = (String::new(), String::new());
    for origin in &origins {
        for client in &clients {
            for adapter in ADAPTERS {
                let http = FakeHttp::new(token);
                let base = Endpoint::parse(origin).unwrap();
                let source =
                    builder_with(Cloudneeti::new("L").unwrap().base_url(base), &http, credential())
                        .build()
                        .unwrap();
                let request = get(&format!("{origin}/users"));
                debugs.push_str(&format!("{source:?} {adapter:?}"));
                match adapter.send(client, &source, request).await {
                    Ok(response) => debugs.push_str(&format!("{:?}", response.body())),
                    Err(error) => errors.push_str(&render(&*error)),
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
    assert!(
        other.received().contains(&format!("{CANARY}-key")),
        "the server must receive the secrets"
    );

    let text = log.text();
    assert_eq!(text.lines().find(|line| line.contains(CANARY)), None);
    assert!(text.contains("the API rejects the token"));
    assert!(text.contains("a secret was sent to another origin"));
}

/// A source that adds a header without marking it as sensitive.
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

    fn report_response(&self, token: &Token, response: &ApiResponse<'_>) -> TokenVerdict {
        Authorize::report_response(&self.0, token, response)
    }
}

#[tokio::test]
async fn added_headers_are_marked_sensitive() {
    let server = Server::responding(ok("ok"));
    let source = Careless(TokenSource::fixed("token-1"));
    client().get(server.origin()).send_with(&source).await.unwrap();
    assert!(server.received().contains(CANARY));

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
        let response = layer.layer(inner).oneshot(get("http://127.0.0.1:1/")).await.unwrap();
        let shown = super::text(response.map(reqwest::Body::wrap)).await;
        assert!(shown.contains("x-key") && !shown.contains(CANARY), "{shown}");
    }
}

fn render(error: &(dyn StdError + 'static)) -> String {
    let mut text = format!("{error} {error:?} {error:#?}\n");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!("{error} {error:?} {error:#?}\n"));
        cause = error.source();
    }
    text
}
