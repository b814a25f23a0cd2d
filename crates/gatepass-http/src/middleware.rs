//! The logic of all middleware: add a token, and repeat once with a new one if it is rejected.

use bytes::Bytes;
use gatepass_core::{ApiRequest, ApiResponse, Authorize, Error, Result, Token, TokenVerdict};
use http::header::{AUTHORIZATION, COOKIE, HeaderName, PROXY_AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode, Uri};

/// A transport that sends requests.
pub(crate) trait Transport: Send {
    type Request: Send;
    type Response: Send;
    type Error;

    /// Returns the request's address as the client interprets it.
    fn target(request: &Self::Request) -> Result<Uri>;

    fn headers(request: &mut Self::Request) -> &mut HeaderMap;

    /// Sets the request's address, to which the provider has added query parameters.
    fn set_target(request: &mut Self::Request, to: &Uri) -> Result<()>;

    /// Returns a copy of the request if its body can be sent twice.
    fn spare(&self, request: &Self::Request) -> Option<Self::Request>;

    fn send(
        &mut self,
        request: Self::Request,
    ) -> impl Future<Output = Result<Self::Response, Self::Error>> + Send;

    fn head(answer: &Self::Response) -> (StatusCode, &HeaderMap);

    /// Returns the response's address if the transport follows redirects.
    fn landed(answer: &Self::Response) -> Option<Uri>;

    /// Returns the beginning of the response's body and the response with its complete body.
    fn looked_at(answer: Self::Response) -> impl Future<Output = (Self::Response, Bytes)> + Send;

    fn error(error: Error) -> Self::Error;
}

/// Sends a request with a token of this source; if the token is rejected, once more with a new one.
pub(crate) async fn call<T: Transport, A: Authorize + ?Sized>(
    transport: &mut T,
    source: &A,
    mut request: T::Request,
) -> Result<T::Response, T::Error> {
    let to = T::target(&request).map_err(T::error)?;
    let spare = transport.spare(&request);
    let authorized = authorize::<T, A>(source, &to, &mut request).await.map_err(T::error)?;
    let answer = transport.send(request).await?;
    authorized.stayed(source, T::landed(&answer)).map_err(T::error)?;
    let (answer, is_refused) = judged::<T, A>(source, &authorized.token, answer).await;
    if !is_refused {
        return Ok(answer);
    }
    let status = T::head(&answer).0.as_u16();
    tracing::debug!(
        origin = %origin(&to),
        status,
        again = spare.is_some(),
        "the API rejects the token",
    );
    let Some(mut request) = spare else { return Ok(answer) };
    drop(answer);
    let authorized = authorize::<T, A>(source, &to, &mut request).await.map_err(|error| {
        T::error(error.hint(format!("the API rejected the previous token ({status})")))
    })?;
    let answer = transport.send(request).await?;
    authorized.stayed(source, T::landed(&answer)).map_err(T::error)?;
    Ok(answer)
}

/// The token and headers that were added to a request.
struct Authorized {
    token: Token,
    to: Uri,
    /// The headers that reqwest forwards when it follows a redirect to another host.
    clinging: Option<HeaderName>,
}

impl Authorized {
    /// Checks that the client sent the vendor's headers only to allowed origins.
    ///
    /// Otherwise the secret has been disclosed already; the error makes the user notice.
    fn stayed<A: Authorize + ?Sized>(&self, source: &A, landed: Option<Uri>) -> Result<()> {
        let (Some(landed), Some(name)) = (landed, &self.clinging) else { return Ok(()) };
        if origin(&landed) == origin(&self.to) {
            return Ok(());
        }
        source.check(&landed).map_err(|_| {
            let text = format!("a redirect forwarded {name} from {} to {}", origin(&self.to), origin(&landed));
            tracing::warn!(from = %origin(&self.to), to = %origin(&landed), header = %name, "a secret was sent to another origin");
            Error::config(text).hint(
                "make the client with gatepass_http::api_client_builder(), which follows no \
                 redirect to another origin; and renew what that header holds",
            )
        })
    }
}

/// Adds the token and the vendor's further headers to the request, in place of the caller's.
async fn authorize<T: Transport, A: Authorize + ?Sized>(
    source: &A,
    to: &Uri,
    request: &mut T::Request,
) -> Result<Authorized> {
    let mut uri = to.clone();
    let mut authorized = ApiRequest::new(&mut uri, T::headers(request));
    let token = source.authorize_request(&mut authorized).await?;
    authorized.check_no_client_certificate()?;
    let clinging = authorized.header_names().iter().find(|name| !LET_GO.contains(name)).cloned();
    if uri != *to {
        T::set_target(request, &uri)?;
    }
    Ok(Authorized { token, to: to.clone(), clinging })
}

/// Returns whether the response rejects the token, by its head or, if necessary, by its body.
async fn judged<T: Transport, A: Authorize + ?Sized>(
    source: &A,
    token: &Token,
    answer: T::Response,
) -> (T::Response, bool) {
    let (status, headers) = T::head(&answer);
    let refusal = source.report_response(token, &ApiResponse::new(status, headers));
    if refusal != TokenVerdict::NeedsBody {
        return (answer, refusal == TokenVerdict::Rejected);
    }
    let (answer, begun) = T::looked_at(answer).await;
    let (status, headers) = T::head(&answer);
    let refusal =
        source.report_response(token, &ApiResponse::new(status, headers).with_body(&begun));
    (answer, refusal == TokenVerdict::Rejected)
}

/// Returns scheme, host and port in printable form; addresses with a user name were rejected before.
fn origin(uri: &Uri) -> String {
    let scheme = uri.scheme_str().unwrap_or_default();
    format!("{scheme}://{}", uri.authority().map_or("", |authority| authority.as_str()))
}

/// The headers that reqwest removes when it follows a redirect to another host.
const LET_GO: [HeaderName; 4] = [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, WWW_AUTHENTICATE];
