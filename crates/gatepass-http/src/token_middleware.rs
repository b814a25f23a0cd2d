//! The reqwest-middleware middleware that adds a token to every request.

use std::sync::Arc;

use bytes::Bytes;
use gatepass_core::{Authorize, Error, async_trait};
use http::{Extensions, HeaderMap, StatusCode, Uri};
use reqwest::{Request, Response};
use reqwest_middleware::{Middleware, Next};

use crate::middleware::{self, Transport};
use crate::send_with::{final_address, read_prefix, set_target, target};

/// Middleware that sends every request with a token of one source, as
/// [`SendWith`](crate::SendWith) does. Its own errors are [`gatepass_core::Error`]s in
/// [`reqwest_middleware::Error::Middleware`].
///
/// ```no_run
/// # fn example(iam: impl gatepass_core::Authorize + 'static) -> Result<(), reqwest::Error> {
/// let api = reqwest_middleware::ClientBuilder::new(gatepass_http::api_client_builder().build()?)
///     .with(gatepass_http::TokenMiddleware::new(iam))
///     .build();
/// # Ok(())
/// # }
/// ```
///
/// Middleware before it in the chain sees one request; middleware after it sees each attempt with its
/// token.
#[derive(Clone, Debug)]
pub struct TokenMiddleware(Arc<dyn Authorize>);

impl TokenMiddleware {
    /// Creates middleware for this source.
    pub fn new(source: impl Authorize + 'static) -> Self {
        Self(Arc::new(source))
    }
}

#[async_trait]
impl Middleware for TokenMiddleware {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        middleware::call(&mut Chain { extensions, next }, &*self.0, request).await
    }
}

/// The rest of the middleware chain.
struct Chain<'a> {
    extensions: &'a mut Extensions,
    next: Next<'a>,
}

impl Transport for Chain<'_> {
    type Request = Request;
    type Response = Response;
    type Error = reqwest_middleware::Error;

    fn target(request: &Request) -> Result<Uri, Error> {
        target(request)
    }

    fn headers(request: &mut Request) -> &mut HeaderMap {
        request.headers_mut()
    }

    fn set_target(request: &mut Request, to: &Uri) -> Result<(), Error> {
        set_target(request, to)
    }

    fn try_clone(&self, request: &Request) -> Option<Request> {
        request.try_clone()
    }

    async fn send(&mut self, request: Request) -> reqwest_middleware::Result<Response> {
        self.next.clone().run(request, self.extensions).await
    }

    fn head(response: &Response) -> (StatusCode, &HeaderMap) {
        (response.status(), response.headers())
    }

    fn final_address(response: &Response) -> Option<Uri> {
        final_address(response)
    }

    async fn read_prefix(response: Response) -> (Response, Bytes) {
        read_prefix(response).await
    }

    fn error(error: Error) -> Self::Error {
        reqwest_middleware::Error::middleware(error)
    }
}
