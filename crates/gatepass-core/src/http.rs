//! Requests, responses, and the trait of HTTP clients.
//!
//! Core has its own [`Request`] instead of `http::Request<Bytes>`, because a token request holds the
//! client secret: its body is cleared on drop, its header values are marked sensitive, its `Debug`
//! shows names and sizes only, and its target is a checked [`Endpoint`]. `http::Request` prints all
//! header values, and `Bytes` is never cleared. [`Response`] reads header fields for providers and
//! never follows a redirect. Both convert to and from the types of the `http` crate.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use zeroize::Zeroizing;

use crate::endpoint::Origin;
use crate::retry_after::{date, delay, retry_after};
use crate::{Endpoint, Error, Result, Secret, percent_encode};

/// The maximum size of a response body, in bytes.
pub const MAX_BODY: usize = 256 * 1024;
/// The maximum number of header fields of a response.
pub const MAX_HEADERS: usize = 100;
/// The maximum size of all names and values of a response's header fields, in bytes.
pub const MAX_HEADER_BYTES: usize = 32 * 1024;

/// An HTTP client. Implement it to use your own.
///
/// An implementation must not follow redirects, keep cookies or decode content codings. It returns
/// the response for any status; `Err` means that there was no response.
///
/// ```
/// use gatepass_core::{Error, HttpSend, Request, Response, Result, async_trait};
///
/// #[derive(Debug)]
/// struct Offline;
///
/// #[async_trait]
/// impl HttpSend for Offline {
///     async fn send(&self, request: Request) -> Result<Response> {
///         let _request: http::Request<bytes::Bytes> = request.try_into()?;
///         Err(Error::unavailable("this client is offline"))
///     }
/// }
/// ```
#[async_trait]
pub trait HttpSend: fmt::Debug + Send + Sync {
    /// Sends one request and returns its response.
    async fn send(&self, request: Request) -> Result<Response>;

    /// Returns a digest of what decides, beside the request itself, whether a request reaches this
    /// address: the proxy, the trusted CAs, a client certificate, the limits.
    ///
    /// A source repeats a failure from its cache only while the digest is the same. The default is
    /// for a client without such settings.
    fn route(&self, to: &Endpoint) -> [u8; 32] {
        let _ = to;
        [0; 32]
    }
}

/// A token request. Its body is cleared on drop. `Debug` shows no body, no query and no header
/// values.
///
/// ```
/// use gatepass_core::{Endpoint, Request};
///
/// let endpoint = Endpoint::parse("https://vendor.example.com/token")?;
/// let request = Request::post(endpoint).form([("grant_type", "client_credentials"), ("scope", "")]);
/// assert_eq!(request.body(), b"grant_type=client_credentials");
/// # Ok::<(), gatepass_core::Error>(())
/// ```
pub struct Request {
    method: Method,
    endpoint: Endpoint,
    headers: HeaderMap,
    body: Zeroizing<Vec<u8>>,
    secret_in_url: bool,
}

/// How client id and secret are encoded for HTTP Basic, before base64. Two standards differ, and
/// each has servers that follow it.
///
/// ```
/// # use gatepass_core::BasicEncoding;
/// assert_eq!("raw".parse::<BasicEncoding>()?, BasicEncoding::Raw);
/// assert_eq!(BasicEncoding::default().to_string(), "form");
/// # Ok::<(), gatepass_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum BasicEncoding {
    /// Plain: `base64(id:secret)`, as in RFC 7617 and most vendors' documentation.
    Raw,
    /// Each percent-encoded first, as in RFC 6749 section 2.3.1.
    #[default]
    Form,
}

impl fmt::Display for BasicEncoding {
    /// Writes the word that [`from_str`](FromStr::from_str) reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Raw => "raw",
            Self::Form => "form",
        })
    }
}

impl FromStr for BasicEncoding {
    type Err = Error;

    /// Parses `raw` or `form`; `Config` for another word.
    fn from_str(word: &str) -> Result<Self> {
        match word {
            "raw" => Ok(Self::Raw),
            "form" => Ok(Self::Form),
            _ => Err(Error::config("unknown encoding").hint("use one of: raw, form")),
        }
    }
}

impl Request {
    /// A POST without a body.
    pub fn post(endpoint: Endpoint) -> Self {
        Self {
            method: Method::POST,
            endpoint,
            headers: HeaderMap::from_iter([(
                http::header::ACCEPT,
                HeaderValue::from_static("application/json"),
            )]),
            body: Zeroizing::default(),
            secret_in_url: false,
        }
    }

    /// Changes the method, for the few vendors that require another one.
    pub fn with_method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// Sets a form body. Parameters with an empty value are omitted (RFC 6749 section 3.2).
    pub fn form<'a>(mut self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let pairs: Vec<_> = pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        // Allocated once: a vector that grows leaves copies of a secret in memory.
        let capacity = pairs.iter().map(|(name, value)| 3 * (name.len() + value.len()) + 2).sum();
        self.body = Zeroizing::new(Vec::with_capacity(capacity));
        for (name, value) in pairs {
            let value = Zeroizing::new(percent_encode(value));
            for part in
                [if self.body.is_empty() { "" } else { "&" }, &percent_encode(name), "=", &value]
            {
                self.body.extend_from_slice(part.as_bytes());
            }
        }
        self.headers
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        self
    }

    /// Sets a JSON body: one object of strings.
    ///
    /// `Internal` if serde_json fails, which it does not for strings.
    pub fn json<'a>(mut self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self> {
        let members: std::collections::BTreeMap<&str, &str> = pairs.into_iter().collect();
        // JSON writes a byte as six at most.
        let capacity = members.iter().map(|(name, text)| 6 * (name.len() + text.len()) + 6).sum();
        let mut body = Zeroizing::new(Vec::with_capacity(capacity));
        serde_json::to_writer(&mut *body, &members)
            .map_err(|_| Error::internal("the request could not be written as JSON"))?;
        self.body = body;
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(self)
    }

    /// Adds HTTP Basic authentication (RFC 6749 section 2.3.1).
    ///
    /// `Config` if the encoding is raw and the id contains a `:`, because the server would split the
    /// pair there.
    pub fn basic(self, id: &str, secret: &Secret, encoding: BasicEncoding) -> Result<Self> {
        let text = secret.expose_secret();
        let pair = Zeroizing::new(match encoding {
            BasicEncoding::Raw if id.contains(':') => {
                return Err(Error::config("a client id with `:` cannot be sent as raw Basic")
                    .hint("set basic_encoding = \"form\" in the profile"));
            }
            BasicEncoding::Raw => [id, ":", text].concat(),
            BasicEncoding::Form => {
                [&percent_encode(id), ":", &Zeroizing::new(percent_encode(text))].concat()
            }
        });
        let encoded = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
        let value = Secret::from(["Basic ", &encoded].concat());
        self.secret_header(AUTHORIZATION, &value)
    }

    /// Adds a header with a secret value, which is marked sensitive.
    ///
    /// `Config` for a value that a header must not have.
    pub fn secret_header(mut self, name: HeaderName, value: &Secret) -> Result<Self> {
        let value = value.to_header(&name)?;
        self.headers.insert(name, value);
        Ok(self)
    }

    /// Adds secret parameters to the URL, where servers' logs record them. Only for a dialect that
    /// the user has chosen; the token then has a warning.
    pub fn secret_query<'a>(mut self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        self.endpoint = self.endpoint.with_query(pairs);
        self.secret_in_url = true;
        self
    }

    /// Returns the method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Returns the address.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Returns the header fields.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Returns the body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Returns whether the URL contains a secret.
    pub fn has_secret_in_url(&self) -> bool {
        self.secret_in_url
    }
}

/// Makes a header value that is marked sensitive; `None` if the text has control or non-ASCII
/// characters.
pub(crate) fn sensitive(text: &str) -> Option<HeaderValue> {
    let owned = Bytes::from_owner(Zeroizing::new(Box::<[u8]>::from(text.as_bytes())));
    let mut value = HeaderValue::from_maybe_shared(owned).ok().filter(|_| text.is_ascii())?;
    value.set_sensitive(true);
    Some(value)
}

impl TryFrom<Request> for http::Request<Bytes> {
    type Error = Error;

    fn try_from(request: Request) -> Result<Self> {
        let mut out = Self::new(Bytes::from_owner(request.body));
        *out.method_mut() = request.method;
        *out.uri_mut() = request.endpoint.to_uri()?;
        *out.headers_mut() = request.headers;
        Ok(out)
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.keys().map(HeaderName::as_str).collect();
        write!(f, "{} {} {names:?} and {} bytes", self.method, self.endpoint, self.body.len())
    }
}

/// A vendor's response. `Debug` shows status, header names and size.
///
/// ```
/// use gatepass_core::Response;
///
/// let response = http::Response::builder().status(204).body(bytes::Bytes::new()).unwrap();
/// assert_eq!(Response::from(response).status(), 204);
/// ```
pub struct Response {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Response {
    /// Returns the status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the header fields.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Returns a header's value as a string.
    pub fn header(&self, name: impl http::header::AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns the body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Returns the delay that the vendor requires before a retry; see [`retry_after`]. `sent` is the
    /// time when the request was sent.
    pub fn retry_after(&self, sent: SystemTime) -> Option<Duration> {
        retry_after(self.status, &self.headers, sent)
    }

    /// Returns the same delay for a response that reports a rate limit, with any status: the reset
    /// time of the limit counts too.
    pub fn rate_limit_delay(&self, sent: SystemTime) -> Option<Duration> {
        delay(&self.headers, sent, true)
    }

    /// Returns the vendor's time.
    pub fn date(&self) -> Option<SystemTime> {
        date(&self.headers)
    }

    /// Returns the difference of this machine's clock and the vendor's, by the response's `Date`, which
    /// has whole seconds. `sent` is the time when the request was sent.
    pub fn clock_skew(&self, sent: SystemTime) -> Option<Duration> {
        let date = self.date()?;
        Some(date.duration_since(sent).unwrap_or_else(|earlier| earlier.duration()))
    }

    /// Returns the error for a redirect. Redirects are never followed, because the secret would be
    /// sent along.
    pub(crate) fn redirect(&self, requested: &Endpoint) -> Option<Error> {
        if !self.status.is_redirection() || self.status == StatusCode::NOT_MODIFIED {
            return None;
        }
        let status = self.status.as_u16();
        let (target, from) = (self.header(LOCATION).unwrap_or_default(), requested.to_uri().ok()?);
        let moved = |to: &str| format!("the token endpoint has moved to {to}");
        let error = match target.parse::<Uri>() {
            // A path, but not `//host`, which is another machine.
            Ok(uri) if uri.authority().is_none() && !target.starts_with("//") => {
                Error::protocol(moved("another path of the same host"))
            }
            Ok(uri) if uri.authority().is_some_and(|a| a.as_str().contains('@')) => {
                Error::protocol("the response redirects to a malformed address")
            }
            Ok(uri) => match (Origin::of(&uri), Origin::of(&from)) {
                (Some(to), Some(from)) if to == from => {
                    Error::protocol(moved("another path of the same host"))
                }
                (Some(to), Some(_)) => Error::unsafe_token(moved(&to.to_string())),
                _ => Error::protocol("the response redirects to a malformed address"),
            },
            Err(_) => Error::protocol("the response redirects to a malformed address"),
        };
        Some(error.with_status(status).with_retry(crate::Retry::Never).hint(
            "redirects are not followed, because the secret would be sent along; if you trust the new \
             address, set base_url to it",
        ))
    }
}

impl From<http::Response<Bytes>> for Response {
    fn from(response: http::Response<Bytes>) -> Self {
        let (parts, body) = response.into_parts();
        Self { status: parts.status, headers: parts.headers, body }
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.keys().map(HeaderName::as_str).collect();
        write!(f, "{} {names:?} and {} bytes", self.status, self.body.len())
    }
}
