//! The extension trait that sends a reqwest request with a token.

use bytes::Bytes;
use gatepass_core::{Authorize, Error, Result};
use http::{HeaderMap, StatusCode, Uri};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Request, RequestBuilder, Response, ResponseBuilderExt};

use crate::middleware::{self, Transport};
use crate::whole_body::WholeBody;
use crate::{error, tls};

/// Sends a request with a token.
///
/// ```no_run
/// use gatepass_http::SendWith;
///
/// # async fn example(iam: impl gatepass_core::Authorize) -> Result<(), Box<dyn std::error::Error>> {
/// let api = gatepass_http::api_client_builder().user_agent("acme/1").build()?;
/// let response = api.get("https://api.example.com/users").send_with(&iam).await?;
/// # Ok(())
/// # }
/// ```
pub trait SendWith: Sized {
    /// Sends the request with all headers that the vendor requires, in place of the caller's headers
    /// of the same names.
    ///
    /// If the API rejects the token, as the provider decides, exactly that token is forgotten, and
    /// the request is sent once more with a new one, provided that its body can be copied (a stream
    /// cannot). A second rejection is returned like every other response. If only the body shows
    /// the rejection, up to 64 KiB of it are read first; the returned body still contains them.
    ///
    /// # Errors
    ///
    /// - `Config` if the token must not be sent to that address: only the API's origin and those of
    ///   `api_origins` are allowed. The request is not sent.
    /// - The errors of acquiring a token, also of the second one; a hint then states that the API
    ///   rejected the first.
    /// - Without a response, an error of the matching kind; its source is the `reqwest::Error`
    ///   without its address.
    /// - `Config` if the client followed a redirect to another origin with a header that contains a
    ///   secret. Clients of [`api_client_builder`] do not.
    fn send_with<A: Authorize + ?Sized>(
        self,
        source: &A,
    ) -> impl Future<Output = Result<Response>> + Send;
}

impl SendWith for RequestBuilder {
    async fn send_with<A: Authorize + ?Sized>(self, source: &A) -> Result<Response> {
        let (mut client, request) = self.build_split();
        let request = request.map_err(|cause| {
            Error::config("cannot build the request").with_source(cause.without_url())
        })?;
        middleware::call(&mut client, source, request).await
    }
}

impl Transport for Client {
    type Request = Request;
    type Response = Response;
    type Error = Error;

    fn target(request: &Request) -> Result<Uri> {
        target(request)
    }

    fn headers(request: &mut Request) -> &mut HeaderMap {
        request.headers_mut()
    }

    fn set_target(request: &mut Request, to: &Uri) -> Result<()> {
        set_target(request, to)
    }

    fn try_clone(&self, request: &Request) -> Option<Request> {
        request.try_clone()
    }

    async fn send(&mut self, request: Request) -> Result<Response> {
        self.execute(request).await.map_err(error::from_api)
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

    fn error(error: Error) -> Error {
        error
    }
}

/// Returns the address as reqwest has parsed it.
pub(crate) fn target(request: &Request) -> Result<Uri> {
    let uri = request.url().as_str().parse();
    uri.map_err(|_| Error::config("the address is not a URL like https://host/path"))
}

pub(crate) fn set_target(request: &mut Request, to: &Uri) -> Result<()> {
    let url = reqwest::Url::parse(&to.to_string());
    *request.url_mut() = url.map_err(|_| Error::internal("a changed query is not valid"))?;
    Ok(())
}

pub(crate) fn final_address(response: &Response) -> Option<Uri> {
    response.url().as_str().parse().ok()
}

pub(crate) async fn read_prefix(response: Response) -> (Response, Bytes) {
    // Only this extension restores the response's address.
    let url = http::Response::builder().url(response.url().clone()).body(()).unwrap_or_default();
    let (mut parts, body) = http::Response::<reqwest::Body>::from(response).into_parts();
    parts.extensions.extend(url.into_parts().0.extensions);
    let (whole, prefix) = WholeBody::new(body).read_prefix().await;
    (http::Response::from_parts(parts, reqwest::Body::wrap(whole)).into(), prefix)
}

/// Returns a builder of API clients, which follow redirects within one origin only.
///
/// reqwest's default policy removes `Authorization` at a redirect to another host, but not other
/// headers such as a vendor's subscription key. A client of this builder returns such a redirect as
/// the response. It sends no `Referer`.
///
/// The client uses HTTP/1.1 and this crate's TLS configuration: rustls with the crypto provider that
/// the program has installed, or ring, and the platform's roots. For reqwest's own TLS, with its
/// settings of roots and client certificates, call `tls_backend_rustls()` or `tls_backend_native()`;
/// reqwest then needs one of its TLS features. All other settings are reqwest's defaults.
pub fn api_client_builder() -> ClientBuilder {
    let within_one_origin = Policy::custom(|attempt| {
        let from = attempt.previous().first().map(reqwest::Url::origin);
        match from {
            Some(from)
                if from == attempt.url().origin() && attempt.previous().len() < MAX_REDIRECTS =>
            {
                attempt.follow()
            }
            _ => attempt.stop(),
        }
    });
    let builder = Client::builder().redirect(within_one_origin).referer(false);
    match tls::config(&[]) {
        Ok(tls) => builder.tls_backend_preconfigured(tls),
        // The program's provider has no cipher suite of TLS 1.2 or later; reqwest reports that.
        Err(_) => builder,
    }
}

/// The maximum number of redirects, the same as reqwest's.
const MAX_REDIRECTS: usize = 10;
