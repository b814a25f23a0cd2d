//! API requests that a token is put on, and API responses that may reject it.

use std::cell::Cell;
use std::fmt;

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};

use crate::{Error, Result, Secret, percent_encode};

/// An API request, as far as a provider needs it to put a token on it.
///
/// It borrows the address and the header fields of the HTTP client's own request, so that changes
/// need no copy. `Debug` shows origin and header names.
///
/// ```
/// # use gatepass_core::{ApiRequest, Secret};
/// # use http::{HeaderMap, HeaderName, Uri};
/// let mut uri: Uri = "https://api.example.com/users?page=2".parse().unwrap();
/// let mut headers = HeaderMap::new();
/// let mut request = ApiRequest::new(&mut uri, &mut headers);
/// let name = HeaderName::from_static("x-api-key");
/// request.set_header(name.clone(), Secret::from("k-1").to_header(&name)?);
/// request.add_query([("key", "k 2")])?;
/// assert_eq!(uri, "https://api.example.com/users?page=2&key=k%202");
/// assert!(headers["x-api-key"].is_sensitive());
/// # Ok::<(), gatepass_core::Error>(())
/// ```
pub struct ApiRequest<'a> {
    uri: &'a mut Uri,
    headers: &'a mut HeaderMap,
    header_names: Vec<HeaderName>,
    client_certificate: Option<Secret>,
    is_query_changed: bool,
    is_inspected: Cell<bool>,
}

impl<'a> ApiRequest<'a> {
    /// A request with this address and these header fields.
    pub fn new(uri: &'a mut Uri, headers: &'a mut HeaderMap) -> Self {
        Self {
            uri,
            headers,
            header_names: Vec::new(),
            client_certificate: None,
            is_query_changed: false,
            is_inspected: Cell::new(false),
        }
    }

    /// The address.
    pub fn uri(&self) -> &Uri {
        self.is_inspected.set(true);
        self.uri
    }

    /// The header fields, those of the caller included.
    pub fn headers(&self) -> &HeaderMap {
        self.is_inspected.set(true);
        self.headers
    }

    /// Sets a header field, in place of the caller's of the same name, and marks its value
    /// sensitive.
    pub fn set_header(&mut self, name: HeaderName, mut value: HeaderValue) {
        value.set_sensitive(true);
        if !self.header_names.contains(&name) {
            self.header_names.push(name.clone());
        }
        self.headers.insert(name, value);
    }

    /// Adds parameters to the query. They may be secret.
    ///
    /// # Errors
    ///
    /// `Config` if the address cannot have a query, as `*` of an `OPTIONS` request.
    pub fn add_query<'p>(
        &mut self,
        pairs: impl IntoIterator<Item = (&'p str, &'p str)>,
    ) -> Result<()> {
        *self.uri = append_query(self.uri, pairs)?;
        self.is_query_changed = true;
        Ok(())
    }

    /// Requires a TLS client certificate: its chain and its private key, as PEM.
    ///
    /// A client that cannot present one returns an error of kind `Config` and sends nothing.
    pub fn require_client_certificate(&mut self, pem: Secret) {
        self.client_certificate = Some(pem);
    }

    /// The TLS client certificate that the request must be sent with.
    pub fn client_certificate(&self) -> Option<&Secret> {
        self.client_certificate.as_ref()
    }

    /// The names of the header fields that were set.
    pub fn header_names(&self) -> &[HeaderName] {
        &self.header_names
    }

    /// Whether all changes are header fields that fit every other request as well, because neither
    /// the address nor the header fields were looked at. A source then sets them again from its
    /// cache and does not read the credential.
    pub fn has_only_fixed_headers(&self) -> bool {
        !self.is_inspected.get() && !self.is_query_changed && self.client_certificate.is_none()
    }

    /// Refuses what a client can send that knows no more than header fields and an address.
    ///
    /// # Errors
    ///
    /// `Config` if the provider requires a client certificate.
    pub fn check_no_client_certificate(&self) -> Result<()> {
        match self.client_certificate {
            None => Ok(()),
            Some(_) => Err(Error::config("the API requires a TLS client certificate")
                .hint("this HTTP client cannot present one for a single request")),
        }
    }
}

impl fmt::Debug for ApiRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.keys().map(HeaderName::as_str).collect();
        f.debug_struct("ApiRequest")
            .field("host", &self.uri.host())
            .field("headers", &names)
            .finish_non_exhaustive()
    }
}

/// An API's response, as far as it shows whether the token was rejected. `Debug` shows its status.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct ApiResponse<'a> {
    /// The status.
    pub status: StatusCode,
    /// The header fields.
    pub headers: &'a HeaderMap,
    /// The body, if it was read.
    pub body: Option<&'a [u8]>,
}

impl<'a> ApiResponse<'a> {
    /// A response whose body has not been read.
    pub fn new(status: StatusCode, headers: &'a HeaderMap) -> Self {
        Self { status, headers, body: None }
    }

    /// Adds the body, or its beginning.
    pub fn with_body(mut self, body: &'a [u8]) -> Self {
        self.body = Some(body);
        self
    }

    /// Returns a header field's value as a string.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns the string at a top-level member of a JSON body; a number as its digits.
    pub fn json_member(&self, name: &str) -> Option<String> {
        crate::json::Json::read(self.body?).ok()?.member_text(name)
    }
}

impl fmt::Debug for ApiResponse<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiResponse").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Whether an API response rejects the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenVerdict {
    /// The token is rejected: another one may help.
    Rejected,
    /// The token is not rejected, even if the request failed.
    NotRejected,
    /// Only the body can show it.
    NeedsBody,
}

impl TokenVerdict {
    /// [`Rejected`](Self::Rejected) if `is_rejected`, otherwise
    /// [`NotRejected`](Self::NotRejected).
    pub fn rejected_if(is_rejected: bool) -> Self {
        if is_rejected { Self::Rejected } else { Self::NotRejected }
    }
}

fn append_query<'p>(uri: &Uri, pairs: impl IntoIterator<Item = (&'p str, &'p str)>) -> Result<Uri> {
    let no_query = || Error::config("the request's address cannot have a query");
    let mut parts = uri.clone().into_parts();
    let mut text = parts.path_and_query.as_ref().map_or("/", PathAndQuery::as_str).to_owned();
    if !text.starts_with('/') {
        return Err(no_query());
    }
    for (name, value) in pairs {
        match text.find('?') {
            None => text.push('?'),
            Some(_) if text.ends_with(['?', '&']) => {}
            Some(_) => text.push('&'),
        }
        text.extend([&percent_encode(name), "=", &percent_encode(value)]);
    }
    parts.path_and_query = Some(text.parse().map_err(|_| no_query())?);
    Uri::from_parts(parts).map_err(|_| no_query())
}

#[cfg(test)]
mod tests {
    use http::header::AUTHORIZATION;

    use super::*;

    #[test]
    fn request_counts_as_inspected_once_it_was_read() {
        let (mut uri, mut headers) = (Uri::default(), HeaderMap::new());
        let mut request = ApiRequest::new(&mut uri, &mut headers);
        for _ in 0..2 {
            request.set_header(AUTHORIZATION, HeaderValue::from_static("Bearer t-1"));
        }
        assert!(request.has_only_fixed_headers());
        assert_eq!(request.header_names(), [AUTHORIZATION]);
        let _ = request.headers();
        assert!(!request.has_only_fixed_headers());

        let request = ApiRequest::new(&mut uri, &mut headers);
        let _ = request.uri();
        assert!(!request.has_only_fixed_headers());
        let mut request = ApiRequest::new(&mut uri, &mut headers);
        request.add_query([("a", "b")]).unwrap();
        assert!(!request.has_only_fixed_headers());
    }

    #[test]
    fn required_certificate_is_refused_and_not_shown() {
        let (mut uri, mut headers) = (Uri::default(), HeaderMap::new());
        let mut request = ApiRequest::new(&mut uri, &mut headers);
        assert!(request.check_no_client_certificate().is_ok());
        request.require_client_certificate("CNRY-pem".into());
        assert!(!request.has_only_fixed_headers());
        assert_eq!(
            request.check_no_client_certificate().unwrap_err().kind(),
            crate::ErrorKind::Config
        );
        assert!(!format!("{request:?}").contains("CNRY"));
    }

    #[test]
    fn query_is_added_to_any_address() {
        for (before, after) in [
            ("https://a.example", "https://a.example/?k=v%26"),
            ("https://a.example/p", "https://a.example/p?k=v%26"),
            ("https://a.example/p?", "https://a.example/p?k=v%26"),
            ("https://a.example/p?x=1", "https://a.example/p?x=1&k=v%26"),
            ("/p?x=1", "/p?x=1&k=v%26"),
        ] {
            let (mut uri, mut headers) = (before.parse().unwrap(), HeaderMap::new());
            ApiRequest::new(&mut uri, &mut headers).add_query([("k", "v&")]).unwrap();
            assert_eq!(uri.to_string(), after);
        }
    }
}
