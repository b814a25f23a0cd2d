//! Middleware: a token on a request, and one fresh one where the API refuses it; the same for all.

use bytes::Bytes;
use gatepass_core::{ApiRequest, ApiResponse, Authorize, Error, Result, Token, TokenVerdict};
use http::header::{AUTHORIZATION, COOKIE, HeaderName, PROXY_AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode, Uri};

/// Whatever sends requests.
pub(crate) trait Transport: Send {
    type Request: Send;
    type Answer: Send;
    type Error;

    /// Where the request goes, as the client will read it.
    fn target(request: &Self::Request) -> Result<Uri>;

    fn headers(request: &mut Self::Request) -> &mut HeaderMap;

    /// Changes the request's address: the provider has added to its query.
    fn set_target(request: &mut Self::Request, to: &Uri) -> Result<()>;

    /// The same request once more, if its body can be sent twice.
    fn spare(&self, request: &Self::Request) -> Option<Self::Request>;

    fn send(
        &mut self,
        request: Self::Request,
    ) -> impl Future<Output = Result<Self::Answer, Self::Error>> + Send;

    fn head(answer: &Self::Answer) -> (StatusCode, &HeaderMap);

    /// Where the answer comes from, if the transport follows redirects by itself.
    fn landed(answer: &Self::Answer) -> Option<Uri>;

    /// The beginning of the answer's body, and the answer with its body whole.
    fn looked_at(answer: Self::Answer) -> impl Future<Output = (Self::Answer, Bytes)> + Send;

    fn error(error: Error) -> Self::Error;
}

/// Sends a request with a token of this source on it; refused, once more with a fresh one.
pub(crate) async fn call<T: Transport, A: Authorize + ?Sized>(
    transport: &mut T,
    source: &A,
    mut request: T::Request,
) -> Result<T::Answer, T::Error> {
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
        "the API refuses the token",
    );
    let Some(mut request) = spare else { return Ok(answer) };
    drop(answer);
    let authorized = authorize::<T, A>(source, &to, &mut request).await.map_err(|error| {
        T::error(error.hint(format!("the API had refused the token before ({status})")))
    })?;
    let answer = transport.send(request).await?;
    authorized.stayed(source, T::landed(&answer)).map_err(T::error)?;
    Ok(answer)
}

/// What was put on a request.
struct Authorized {
    token: Token,
    to: Uri,
    /// A header that reqwest takes along when it follows a redirect to another host.
    clinging: Option<HeaderName>,
}

impl Authorized {
    /// Whether the client kept the vendor's headers to the origins that may see them.
    ///
    /// When not, the harm is done; an error is what makes somebody look.
    fn stayed<A: Authorize + ?Sized>(&self, source: &A, landed: Option<Uri>) -> Result<()> {
        let (Some(landed), Some(name)) = (landed, &self.clinging) else { return Ok(()) };
        if origin(&landed) == origin(&self.to) {
            return Ok(());
        }
        source.check(&landed).map_err(|_| {
            let text = format!("a redirect took {name} from {} to {}", origin(&self.to), origin(&landed));
            tracing::warn!(from = %origin(&self.to), to = %origin(&landed), header = %name, "a secret went to another origin");
            Error::config(text).hint(
                "make the client with gatepass_http::api_client_builder(), which follows no \
                 redirect to another origin; and renew what that header holds",
            )
        })
    }
}

/// Puts the token on the request, with everything else the vendor wants, in place of the caller's.
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

/// Whether the answer refuses the token, by its head or, where only that tells, by its body.
async fn judged<T: Transport, A: Authorize + ?Sized>(
    source: &A,
    token: &Token,
    answer: T::Answer,
) -> (T::Answer, bool) {
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

/// Scheme, host and port, as they may be printed: addresses with a user's name are refused before.
fn origin(uri: &Uri) -> String {
    let scheme = uri.scheme_str().unwrap_or_default();
    format!("{scheme}://{}", uri.authority().map_or("", |authority| authority.as_str()))
}

/// What reqwest takes off when it follows a redirect to another host.
const LET_GO: [HeaderName; 4] = [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, WWW_AUTHENTICATE];
