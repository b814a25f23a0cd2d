//! The tower layer that adds a token to every request.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use gatepass_core::{Authorize, Error, Result};
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use http_body::Body;
use tower::{BoxError, Layer, Service};

use crate::middleware::{self, Transport};
use crate::whole_body::WholeBody;

/// A layer that sends every request with a token of one source, as [`SendWith`](crate::SendWith)
/// does. Errors are those of the inner service or a [`gatepass_core::Error`].
///
/// ```
/// # fn example(iam: impl gatepass_core::Authorize + 'static) {
/// # use bytes::Bytes;
/// use gatepass_http::TokenLayer;
/// use tower::Layer;
///
/// # #[derive(Clone)] struct Client;
/// # let client = Client;
/// let service = TokenLayer::<Bytes>::new(iam).layer(client);
/// # }
/// ```
///
/// A request needs its complete address, so put a layer that adds scheme and host outside this one.
/// Put a layer that follows redirects outside as well; otherwise it would forward the token.
pub struct TokenLayer<B> {
    source: Arc<dyn Authorize>,
    replay: fn(&B) -> Option<B>,
}

impl<B: Clone> TokenLayer<B> {
    /// Creates a layer for requests with cloneable bodies, which can be sent twice.
    pub fn new(source: impl Authorize + 'static) -> Self {
        Self::with_replay(source, |body| Some(body.clone()))
    }
}

impl<B> TokenLayer<B> {
    /// Creates a layer for requests with any bodies. `replay` copies an unread body; if it returns
    /// `None`, as for a stream, the rejection is returned.
    pub fn with_replay(source: impl Authorize + 'static, replay: fn(&B) -> Option<B>) -> Self {
        Self { source: Arc::new(source), replay }
    }
}

impl<S, B> Layer<S> for TokenLayer<B> {
    type Service = TokenService<S, B>;

    fn layer(&self, inner: S) -> Self::Service {
        TokenService { inner, layer: self.clone() }
    }
}

/// The service of a [`TokenLayer`].
pub struct TokenService<S, B> {
    inner: S,
    layer: TokenLayer<B>,
}

impl<S, B, C> Service<Request<B>> for TokenService<S, B>
where
    S: Service<Request<B>, Response = Response<C>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Send + 'static,
    C: Body + Unpin + Send + 'static,
    C::Error: Send,
{
    type Response = Response<WholeBody<C>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // Move the service that `poll_ready` has prepared and keep the clone, which is not ready.
        let clone = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, clone);
        let TokenLayer { source, replay } = self.layer.clone();
        Box::pin(
            async move { middleware::call(&mut Inner { inner, replay }, &*source, request).await },
        )
    }
}

struct Inner<S, B> {
    inner: S,
    replay: fn(&B) -> Option<B>,
}

impl<S, B, C> Transport for Inner<S, B>
where
    S: Service<Request<B>, Response = Response<C>> + Send,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Send,
    C: Body + Unpin + Send,
    C::Error: Send,
{
    type Request = Request<B>;
    type Response = Response<WholeBody<C>>;
    type Error = BoxError;

    fn target(request: &Request<B>) -> Result<Uri> {
        match request.uri().authority() {
            Some(_) => Ok(request.uri().clone()),
            None => Err(Error::config("the request has no host")
                .hint("put the layer that adds scheme and host outside this one")),
        }
    }

    fn headers(request: &mut Request<B>) -> &mut HeaderMap {
        request.headers_mut()
    }

    fn set_target(request: &mut Request<B>, to: &Uri) -> Result<()> {
        *request.uri_mut() = to.clone();
        Ok(())
    }

    fn try_clone(&self, request: &Request<B>) -> Option<Request<B>> {
        let mut copy = Request::new((self.replay)(request.body())?);
        *copy.method_mut() = request.method().clone();
        *copy.uri_mut() = request.uri().clone();
        *copy.version_mut() = request.version();
        *copy.headers_mut() = request.headers().clone();
        *copy.extensions_mut() = request.extensions().clone();
        Some(copy)
    }

    async fn send(&mut self, request: Request<B>) -> Result<Self::Response, BoxError> {
        poll_fn(|cx| self.inner.poll_ready(cx)).await.map_err(Into::into)?;
        let response = self.inner.call(request);
        Ok(response.await.map_err(Into::into)?.map(WholeBody::new))
    }

    fn head(response: &Self::Response) -> (StatusCode, &HeaderMap) {
        (response.status(), response.headers())
    }

    fn final_address(_: &Self::Response) -> Option<Uri> {
        None
    }

    async fn read_prefix(response: Self::Response) -> (Self::Response, Bytes) {
        let (head, body) = response.into_parts();
        let (body, prefix) = body.read_prefix().await;
        (Response::from_parts(head, body), prefix)
    }

    fn error(error: Error) -> BoxError {
        error.into()
    }
}

impl<B> Clone for TokenLayer<B> {
    fn clone(&self) -> Self {
        Self { source: Arc::clone(&self.source), replay: self.replay }
    }
}

impl<S: Clone, B> Clone for TokenService<S, B> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), layer: self.layer.clone() }
    }
}

impl<B> fmt::Debug for TokenLayer<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenLayer").field("source", &self.source).finish_non_exhaustive()
    }
}

impl<S, B> fmt::Debug for TokenService<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenService").field("source", &self.layer.source).finish_non_exhaustive()
    }
}
