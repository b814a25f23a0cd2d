//! Tests of `SendWith`, `TokenMiddleware` and `TokenLayer`, which behave the same.

mod bodies;
mod canary;
mod debug;
mod redirects;
mod rejections;
mod targets;
mod vendors;

use std::error::Error as StdError;

use bytes::Bytes;
use gatepass_core::{Credential, Endpoint, Error, Provider};
use gatepass_engine::{TokenSource, TokenSourceBuilder};
use gatepass_http::{SendWith, api_client_builder};
use gatepass_testkit::{FakeHttp, FakeResponse};
use http::{Method, Request, Response};
use provider_cisco::{Cisco, Environment};
use reqwest::Client;

/// The three adapters that send a request with a token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Adapter {
    SendWith,
    #[cfg(feature = "reqwest-middleware")]
    Middleware,
    #[cfg(feature = "tower")]
    Tower,
}

pub(crate) const ADAPTERS: &[Adapter] = &[
    Adapter::SendWith,
    #[cfg(feature = "reqwest-middleware")]
    Adapter::Middleware,
    #[cfg(feature = "tower")]
    Adapter::Tower,
];

pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;

impl Adapter {
    /// Sends a request whose body can be sent twice.
    pub(crate) async fn send(
        self,
        client: &Client,
        source: &TokenSource,
        request: Request<Bytes>,
    ) -> Result<Response<reqwest::Body>, BoxError> {
        match self {
            Self::SendWith => {
                let request = reqwest::Request::try_from(request)?;
                let builder = reqwest::RequestBuilder::from_parts(client.clone(), request);
                Ok(builder.send_with(source).await?.into())
            }
            #[cfg(feature = "reqwest-middleware")]
            Self::Middleware => {
                let api = reqwest_middleware::ClientBuilder::new(client.clone())
                    .with(gatepass_http::TokenMiddleware::new(source.clone()))
                    .build();
                Ok(api.execute(request.try_into()?).await?.into())
            }
            #[cfg(feature = "tower")]
            Self::Tower => {
                use tower::{Layer, ServiceExt};

                let layer = gatepass_http::TokenLayer::<Bytes>::new(source.clone());
                let response = layer.layer(tower_client(client)).oneshot(request).await?;
                Ok(response.map(reqwest::Body::wrap))
            }
        }
    }

    pub(crate) async fn get(
        self,
        client: &Client,
        source: &TokenSource,
        url: &str,
    ) -> Result<Response<reqwest::Body>, BoxError> {
        self.send(client, source, get(url)).await
    }
}

/// Returns a tower service over reqwest.
#[cfg(feature = "tower")]
pub(crate) fn tower_client(
    client: &Client,
) -> impl tower::Service<
    Request<Bytes>,
    Response = Response<reqwest::Body>,
    Error = reqwest::Error,
    Future: Send,
> + Clone
+ Send
+ use<> {
    let client = client.clone();
    tower::service_fn(move |request: Request<Bytes>| {
        let client = client.clone();
        async move { Ok(client.execute(request.try_into()?).await?.into()) }
    })
}

pub(crate) fn get(url: &str) -> Request<Bytes> {
    Request::get(url).body(Bytes::new()).unwrap()
}

pub(crate) fn post(url: &str, body: impl Into<Bytes>) -> Request<Bytes> {
    Request::builder().method(Method::POST).uri(url).body(body.into()).unwrap()
}

pub(crate) fn client() -> Client {
    api_client_builder().no_proxy().build().unwrap()
}

pub(crate) async fn text(response: Response<reqwest::Body>) -> String {
    use http_body_util::BodyExt;

    let body = response.into_body().collect().await.unwrap();
    String::from_utf8(body.to_bytes().to_vec()).unwrap()
}

/// Returns the gatepass error inside a middleware error.
pub(crate) fn gatepass_error(error: BoxError) -> Error {
    #[cfg(feature = "reqwest-middleware")]
    let error = match error.downcast::<reqwest_middleware::Error>() {
        Ok(wrapped) => match *wrapped {
            reqwest_middleware::Error::Middleware(error) => return error.downcast().unwrap(),
            reqwest_middleware::Error::Reqwest(error) => error.into(),
        },
        Err(error) => error,
    };
    *error.downcast::<Error>().unwrap()
}

/// Starts a vendor with the tokens token-0, token-1, ….
pub(crate) fn vendor() -> FakeHttp {
    FakeHttp::new(|n| FakeResponse::token(&format!("token-{n}"), 3600))
}

/// Returns a source with this provider.
pub(crate) fn builder(provider: impl Provider + 'static, http: &FakeHttp) -> TokenSourceBuilder {
    let credential =
        Credential::client("app-1", "hunter2").with_secret("subscription_key", "key-1");
    builder_with(provider, http, credential)
}

/// Returns a source with this provider and credential.
pub(crate) fn builder_with(
    provider: impl Provider + 'static,
    http: &FakeHttp,
    credential: Credential,
) -> TokenSourceBuilder {
    TokenSource::builder(provider, credential).http(http.clone())
}

/// Returns a source for the API at this origin, which rejects tokens with 401 or 403.
pub(crate) fn source(origin: &str, http: &FakeHttp) -> TokenSource {
    let cisco = Cisco::new(Environment::Id).base_url(Endpoint::parse(origin).unwrap());
    builder(cisco, http).build().unwrap()
}
