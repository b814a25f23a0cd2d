//! SendWith: a reqwest request, sent with a token.

use bytes::Bytes;
use gatepass_core::{Authorize, Error, Result};
use http::{HeaderMap, StatusCode, Uri};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Request, RequestBuilder, Response, ResponseBuilderExt};

use crate::middleware::{self, Transport};
use crate::whole::WholeBody;
use crate::{error, tls};

/// Sends a request with a token.
///
/// ```no_run
/// use gatepass_http::SendWith;
///
/// # async fn example(iam: impl gatepass_core::Authorize) -> Result<(), Box<dyn std::error::Error>> {
/// let api = gatepass_http::api_client_builder().user_agent("acme/1").build()?;
/// let answer = api.get("https://api.example.com/users").send_with(&iam).await?;
/// # Ok(())
/// # }
/// ```
pub trait SendWith: Sized {
    /// Sends it with every header the vendor wants, in place of the caller's of the same names.
    ///
    /// If the API refuses the token (the provider knows how), exactly that token is forgotten, and
    /// the request is sent once more with a fresh one, provided that its body can be: a stream
    /// cannot. A second refusal, like every other answer, is the caller's. Of an answer whose body
    /// alone tells, up to 64 KiB are read before it is returned, and are in its body all the same.
    ///
    /// # Errors
    ///
    /// - `Config` if the token must not go to that address: only the API's origin and those of
    ///   `api_origins` may see it. Nothing is sent then.
    /// - Whatever acquiring a token brings, the second one as well: the API has refused the first
    ///   then, which the hint says, and without another there is nothing to try.
    /// - If there is no answer, an error of the kind that fits, with the `reqwest::Error`, rid of
    ///   its address, as its source.
    /// - `Config` if the client followed a redirect to another origin and took along a header that
    ///   holds a secret. [`api_client_builder`] makes clients that do not.
    fn send_with<A: Authorize + ?Sized>(
        self,
        source: &A,
    ) -> impl Future<Output = Result<Response>> + Send;
}

impl SendWith for RequestBuilder {
    async fn send_with<A: Authorize + ?Sized>(self, source: &A) -> Result<Response> {
        let (mut client, request) = self.build_split();
        let request = request.map_err(|cause| {
            Error::config("the request could not be made").with_source(cause.without_url())
        })?;
        middleware::call(&mut client, source, request).await
    }
}

impl Transport for Client {
    type Request = Request;
    type Answer = Response;
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

    fn spare(&self, request: &Request) -> Option<Request> {
        request.try_clone()
    }

    async fn send(&mut self, request: Request) -> Result<Response> {
        let origin = request.url().origin().ascii_serialization();
        self.execute(request).await.map_err(|cause| error::from_api(cause, &origin))
    }

    fn head(answer: &Response) -> (StatusCode, &HeaderMap) {
        (answer.status(), answer.headers())
    }

    fn landed(answer: &Response) -> Option<Uri> {
        landed(answer)
    }

    async fn looked_at(answer: Response) -> (Response, Bytes) {
        looked_at(answer).await
    }

    fn error(error: Error) -> Error {
        error
    }
}

/// Where reqwest will really go: its address, as it has read it.
pub(crate) fn target(request: &Request) -> Result<Uri> {
    let uri = request.url().as_str().parse();
    uri.map_err(|_| Error::config("the address is not a URL like https://host/path"))
}

pub(crate) fn set_target(request: &mut Request, to: &Uri) -> Result<()> {
    let url = reqwest::Url::parse(&to.to_string());
    *request.url_mut() = url.map_err(|_| Error::internal("a changed query is not valid"))?;
    Ok(())
}

pub(crate) fn landed(answer: &Response) -> Option<Uri> {
    answer.url().as_str().parse().ok()
}

pub(crate) async fn looked_at(answer: Response) -> (Response, Bytes) {
    // The only way to give the answer its address back is such an extension.
    let url = http::Response::builder().url(answer.url().clone()).body(()).unwrap_or_default();
    let (mut parts, body) = http::Response::<reqwest::Body>::from(answer).into_parts();
    parts.extensions.extend(url.into_parts().0.extensions);
    let (whole, begun) = WholeBody::new(body).look().await;
    (http::Response::from_parts(parts, reqwest::Body::wrap(whole)).into(), begun)
}

/// A builder of clients for APIs, which follow redirects within one origin and no other.
///
/// reqwest's own policy takes `Authorization` off when a redirect leads to another host, but no
/// other header: a vendor's subscription key, say, would go along. A client of this builder
/// returns such a redirect as the answer. It sends no `Referer`, and everything else is reqwest's.
pub fn api_client_builder() -> ClientBuilder {
    tls::install_crypto();
    let within_one_origin = Policy::custom(|attempt| {
        let from = attempt.previous().first().map(reqwest::Url::origin);
        match from {
            Some(from)
                if from == attempt.url().origin() && attempt.previous().len() < REDIRECTS =>
            {
                attempt.follow()
            }
            _ => attempt.stop(),
        }
    });
    Client::builder().redirect(within_one_origin).referer(false)
}

/// As many as reqwest follows.
const REDIRECTS: usize = 10;
