//! Host, Origin and Sec-Fetch checks of the callback server, and its unguessable paths.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{CONTENT_TYPE, HOST, HeaderName, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use subtle::ConstantTimeEq as _;

/// The reason why a request is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PolicyViolation {
    pub(super) status: StatusCode,
    pub(super) reason: &'static str,
}

impl PolicyViolation {
    pub(super) fn new(status: StatusCode, reason: &'static str) -> Self {
        Self { status, reason }
    }
}

/// The host and origin that requests must name.
#[derive(Debug)]
pub(super) struct RequestPolicy {
    /// `host:port`.
    authority: String,
    /// The host without a port, if the port is 80, which browsers leave out.
    bare_host: Option<String>,
    /// The origin as browsers write it.
    origin: String,
}

impl RequestPolicy {
    pub(super) fn new(host: &str, port: u16) -> Self {
        let authority = format!("{host}:{port}");
        let bare_host = (port == 80).then(|| host.to_owned());
        let origin = format!("http://{}", bare_host.as_ref().unwrap_or(&authority));
        Self { authority, bare_host, origin }
    }

    /// Returns the server's origin, without a slash at the end.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// Checks that a request names this server.
    ///
    /// This is the defence against DNS rebinding: a page whose host name was pointed at this
    /// machine is of the same origin as the server, and only `Host` gives it away.
    pub(super) fn check_host(&self, head: &Parts) -> Result<(), PolicyViolation> {
        let is_own = |name: &[u8]| {
            name == self.authority.as_bytes()
                || self.bare_host.as_ref().is_some_and(|host| name == host.as_bytes())
        };
        match single_value(&head.headers, HOST) {
            Some(host) if is_own(host) => {}
            Some(_) => {
                return Err(PolicyViolation::new(StatusCode::FORBIDDEN, "it named another host"));
            }
            None => {
                let reason = "it did not have exactly one Host header";
                return Err(PolicyViolation::new(StatusCode::BAD_REQUEST, reason));
            }
        }
        match head.uri.authority() {
            None => Ok(()),
            Some(authority) if is_own(authority.as_str().as_bytes()) => Ok(()),
            Some(_) => {
                Err(PolicyViolation::new(StatusCode::BAD_REQUEST, "its target named another host"))
            }
        }
    }

    /// Accepts top-level navigations only: rejects subresource loads and prefetches.
    pub(super) fn check_navigation(head: &Parts) -> Result<(), PolicyViolation> {
        let is_absent_or = |name, expected: &str| {
            !head.headers.contains_key(name)
                || single_value(&head.headers, HeaderName::from_static(name))
                    == Some(expected.as_bytes())
        };
        if !is_absent_or("sec-fetch-mode", "navigate")
            || !is_absent_or("sec-fetch-dest", "document")
        {
            let reason = "another page tried to load it";
            return Err(PolicyViolation::new(StatusCode::FORBIDDEN, reason));
        }
        match head.headers.contains_key("sec-purpose") {
            true => {
                Err(PolicyViolation::new(StatusCode::FORBIDDEN, "the browser tried to prefetch it"))
            }
            false => Ok(()),
        }
    }

    /// Checks that a page of this server sent the request. Neither a form nor a `no-cors` request
    /// can have [`RESPONSE_TYPE`] as its content type, and the server never allows a preflight.
    pub(super) fn check_same_origin(&self, head: &Parts) -> Result<(), PolicyViolation> {
        let headers = &head.headers;
        if single_value(headers, ORIGIN) != Some(self.origin.as_bytes()) {
            return Err(PolicyViolation::new(StatusCode::FORBIDDEN, "it came from another origin"));
        }
        let site = HeaderName::from_static("sec-fetch-site");
        if headers.contains_key(&site) && single_value(headers, site) != Some(b"same-origin") {
            return Err(PolicyViolation::new(StatusCode::FORBIDDEN, "it came from another site"));
        }
        if single_value(headers, CONTENT_TYPE) != Some(RESPONSE_TYPE.as_bytes()) {
            let reason = "its content type was not the callback page's";
            return Err(PolicyViolation::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason));
        }
        Ok(())
    }
}

/// An unguessable path: `/` and 128 random bits.
#[derive(Clone)]
pub(super) struct SecretPath(String);

impl SecretPath {
    pub(super) fn random() -> io::Result<Self> {
        Ok(Self(format!("/{}", random_id()?)))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Compares in constant time, so that response times do not reveal the path.
    pub(super) fn matches(&self, path: &str) -> bool {
        self.0.as_bytes().ct_eq(path.as_bytes()).into()
    }
}

/// Returns 128 bits from the system's random source, in base64url.
pub(super) fn random_id() -> io::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Returns the value of a header that occurs exactly once.
fn single_value(headers: &HeaderMap, name: HeaderName) -> Option<&[u8]> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    values.next().is_none().then_some(first.as_bytes())
}

/// The content type with which the callback page posts the authorization response.
pub(super) const RESPONSE_TYPE: &str = "application/vnd.gatepass.answer";
