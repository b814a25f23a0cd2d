//! Guard: whether a request is for this server, and from whom it may come.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{CONTENT_TYPE, HOST, HeaderName, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use subtle::ConstantTimeEq as _;

/// Why a request is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) why: &'static str,
}

/// The one name this server goes by.
#[derive(Debug)]
pub(super) struct Guard {
    /// `host:port`.
    authority: String,
    /// The name alone, where the port is http's own and may be left out.
    bare: Option<String>,
    /// As browsers write it.
    origin: String,
}

impl Guard {
    pub(super) fn new(host: &str, port: u16) -> Self {
        let authority = format!("{host}:{port}");
        let bare = (port == 80).then(|| host.to_owned());
        let origin = format!("http://{}", bare.as_ref().unwrap_or(&authority));
        Self { authority, bare, origin }
    }

    /// Where it is, without a slash at the end.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether a request is for this server. A page whose name somebody points at this machine
    /// has the same origin as what it asks for, and only `Host` tells (DNS rebinding).
    pub(super) fn is_addressed(&self, head: &Parts) -> Result<(), Refusal> {
        let is_mine = |name: &[u8]| {
            name == self.authority.as_bytes()
                || self.bare.as_ref().is_some_and(|bare| name == bare.as_bytes())
        };
        match only(&head.headers, HOST) {
            Some(host) if is_mine(host) => {}
            Some(_) => return Err(refused(StatusCode::FORBIDDEN, "it was meant for another host")),
            None => return Err(refused(StatusCode::BAD_REQUEST, "it had not exactly one Host")),
        }
        match head.uri.authority() {
            None => Ok(()),
            Some(named) if is_mine(named.as_str().as_bytes()) => Ok(()),
            Some(_) => Err(refused(StatusCode::BAD_REQUEST, "its target was on another host")),
        }
    }

    /// Whether a person's browser comes here to look at a page, as opposed to another page that
    /// loads this one as something else, or a browser that fetches ahead what is worth one fetch.
    pub(super) fn is_visit(head: &Parts) -> Result<(), Refusal> {
        let is = |name, wanted: &str| {
            !head.headers.contains_key(name)
                || only(&head.headers, HeaderName::from_static(name)) == Some(wanted.as_bytes())
        };
        if !is("sec-fetch-mode", "navigate") || !is("sec-fetch-dest", "document") {
            return Err(refused(StatusCode::FORBIDDEN, "another page tried to load it"));
        }
        match head.headers.contains_key("sec-purpose") {
            true => Err(refused(StatusCode::FORBIDDEN, "the browser tried to load it ahead")),
            false => Ok(()),
        }
    }

    /// Whether a delivery comes from a page of this server. No form and no `no-cors` request can
    /// have this content type, and nothing here ever allows a preflight.
    pub(super) fn is_delivery(&self, head: &Parts) -> Result<(), Refusal> {
        let headers = &head.headers;
        if only(headers, ORIGIN) != Some(self.origin.as_bytes()) {
            return Err(refused(StatusCode::FORBIDDEN, "it came from another origin"));
        }
        let site = HeaderName::from_static("sec-fetch-site");
        if headers.contains_key(&site) && only(headers, site) != Some(b"same-origin") {
            return Err(refused(StatusCode::FORBIDDEN, "it came from another site"));
        }
        if only(headers, CONTENT_TYPE) != Some(ANSWER_TYPE.as_bytes()) {
            let why = "it was not what the landing page sends";
            return Err(refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, why));
        }
        Ok(())
    }
}

pub(super) fn refused(status: StatusCode, why: &'static str) -> Refusal {
    Refusal { status, why }
}

/// The value of a header that is there exactly once.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&[u8]> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    values.next().is_none().then_some(first.as_bytes())
}

/// What the landing page sends: the text of an answer, as it is.
pub(super) const ANSWER_TYPE: &str = "application/vnd.gatepass.answer";

/// `/` and 128 random bits.
#[derive(Clone)]
pub(super) struct Ticket(String);

impl Ticket {
    pub(super) fn draw() -> io::Result<Self> {
        Ok(Self(format!("/{}", random()?)))
    }

    pub(super) fn path(&self) -> &str {
        &self.0
    }

    /// Takes as long for a path that is nearly right as for one that is not.
    pub(super) fn is(&self, path: &str) -> bool {
        self.0.as_bytes().ct_eq(path.as_bytes()).into()
    }
}

/// 128 bits of the system's, in base64url.
pub(super) fn random() -> io::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
