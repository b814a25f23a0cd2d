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
    fn try_clone(&self, request: &Self::Request) -> Option<Self::Request>;

    fn send(
        &mut self,
        request: Self::Request,
    ) -> impl Future<Output = Result<Self::Response, Self::Error>> + Send;

    fn head(response: &Self::Response) -> (StatusCode, &HeaderMap);

    /// Returns the response's address if the transport follows redirects.
    fn final_address(response: &Self::Response) -> Option<Uri>;

    /// Returns the beginning of the response's body and the response with its complete body.
    fn read_prefix(
        response: Self::Response,
    ) -> impl Future<Output = (Self::Response, Bytes)> + Send;

    fn error(error: Error) -> Self::Error;
}

/// Sends a request with a token of this source; if the token is rejected, once more with a new one.
pub(crate) async fn call<T: Transport, A: Authorize + ?Sized>(
    transport: &mut T,
    source: &A,
    mut request: T::Request,
) -> Result<T::Response, T::Error> {
    let to = T::target(&request).map_err(T::error)?;
    let copy = transport.try_clone(&request);
    let authorized = authorize::<T, A>(source, &to, &mut request).await.map_err(T::error)?;
    let response = transport.send(request).await?;
    authorized.check_redirect(source, || T::final_address(&response)).map_err(T::error)?;
    let (response, is_rejected) = report::<T, A>(source, &authorized.token, response).await;
    if !is_rejected {
        return Ok(response);
    }
    let status = T::head(&response).0.as_u16();
    tracing::debug!(
        origin = %origin(&to),
        status,
        again = copy.is_some(),
        "the API rejects the token",
    );
    let Some(mut request) = copy else { return Ok(response) };
    let rejected = authorized.token;
    let authorized = authorize::<T, A>(source, &to, &mut request).await.map_err(|error| {
        T::error(error.hint(format!("the API rejected the previous token ({status})")))
    })?;
    // The source does not replace a token that has just replaced a rejected one.
    if authorized.token.is_same_as(&rejected) {
        return Ok(response);
    }
    drop(response);
    let response = transport.send(request).await?;
    authorized.check_redirect(source, || T::final_address(&response)).map_err(T::error)?;
    Ok(response)
}

/// The token and headers that were added to a request.
struct Authorized {
    token: Token,
    to: Uri,
    /// A header that reqwest would forward to another host, if the provider added one.
    forwarded: Option<HeaderName>,
}

impl Authorized {
    /// Checks that the client sent the vendor's headers only to allowed origins.
    ///
    /// Otherwise the secret has been disclosed already; the error makes the user notice.
    fn check_redirect<A: Authorize + ?Sized>(
        &self,
        source: &A,
        address: impl FnOnce() -> Option<Uri>,
    ) -> Result<()> {
        let Some(name) = &self.forwarded else { return Ok(()) };
        let Some(address) = address() else { return Ok(()) };
        if origin(&address) == origin(&self.to) {
            return Ok(());
        }
        source.check(&address).map_err(|_| {
            let text = format!("a redirect forwarded {name} from {} to {}", origin(&self.to), origin(&address));
            tracing::warn!(from = %origin(&self.to), to = %origin(&address), header = %name, "a secret was sent to another origin");
            Error::config(text).hint(
                "make the client with gatepass_http::api_client_builder(), which follows no \
                 redirect to another origin; and replace the secret in that header",
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
    let forwarded =
        authorized.header_names().iter().find(|name| !REMOVED_ON_REDIRECT.contains(name)).cloned();
    if uri != *to {
        T::set_target(request, &uri)?;
    }
    Ok(Authorized { token, to: to.clone(), forwarded })
}

/// Reports the response to the source, and returns whether it rejects the token. The body is read
/// only if the head does not decide.
async fn report<T: Transport, A: Authorize + ?Sized>(
    source: &A,
    token: &Token,
    response: T::Response,
) -> (T::Response, bool) {
    let (status, headers) = T::head(&response);
    let verdict = source.report_response(token, &ApiResponse::new(status, headers));
    if verdict != TokenVerdict::NeedsBody {
        return (response, verdict == TokenVerdict::Rejected);
    }
    let (response, prefix) = T::read_prefix(response).await;
    let (status, headers) = T::head(&response);
    let verdict =
        source.report_response(token, &ApiResponse::new(status, headers).with_body(&prefix));
    (response, verdict == TokenVerdict::Rejected)
}

/// Returns scheme, host and port in printable form; addresses with a user name were rejected before.
fn origin(uri: &Uri) -> String {
    let scheme = uri.scheme_str().unwrap_or_default();
    format!("{scheme}://{}", uri.authority().map_or("", |authority| authority.as_str()))
}

/// The headers that reqwest removes when it follows a redirect to another host.
const REMOVED_ON_REDIRECT: [HeaderName; 4] =
    [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, WWW_AUTHENTICATE];
