//! Checked addresses: https, or http on loopback.
//!
//! An address decides where secrets are sent, so our check and the HTTP client must agree on its
//! host. The parser is `http::Uri`, with a stricter check of host and port on top: `http` accepts
//! brackets anywhere in an authority, and characters in a name that other parsers read differently
//! (three inputs in `fuzz/regressions/endpoint` were found that way). After the check an address
//! is in the subset that `http` and the `url` crate of our HTTP client read in the same way.
//!
//! Rejected: `url` as the parser. It repairs what must be refused here: it reads `https:///x` as the
//! host `x`, `\` as `/`, and `127.1` as an IP address, and removes tabs and newlines. Core would also
//! gain some twenty crates for internationalized names, while an address must be ASCII anyway, and
//! each comparison with a `http::Uri` of a caller would parse again.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use http::Uri;
use http::uri::Authority;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::{Error, Result};

/// The address of requests: `https`, or `http` on this machine, without user, query or fragment.
///
/// ```
/// # use gatepass_core::Endpoint;
/// let endpoint = Endpoint::parse("https://cloudsso.cisco.com/")?.join("/as/token.oauth2")?;
/// assert_eq!(endpoint.as_str(), "https://cloudsso.cisco.com/as/token.oauth2");
/// assert!(Endpoint::parse("http://example.com").is_err());
/// # Ok::<(), gatepass_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    text: String,
    origin: usize,
}

impl Endpoint {
    /// Parses an address. `http` is accepted for loopback only (RFC 6749 section 3.2).
    ///
    /// `Config` for other schemes, and for an address with user, password, query or fragment.
    pub fn parse(text: &str) -> Result<Self> {
        Self::read(text, false)
    }

    /// Parses an address for which plain http is allowed (`allow_plain_http`).
    ///
    /// Errors as of [`parse`](Self::parse), except for http.
    pub fn parse_plain_http(text: &str) -> Result<Self> {
        Self::read(text, true)
    }

    /// Makes the https endpoint of `name[:port]`.
    ///
    /// `Config` for a scheme or a path.
    pub fn host(name: &str) -> Result<Self> {
        if name.contains("://") || name.contains('/') {
            return Err(Error::config("must be a host name without scheme or path"));
        }
        Self::parse(&format!("https://{name}"))
    }

    fn read(text: &str, plain_http: bool) -> Result<Self> {
        let wrong = |what: &'static str| Err(Error::config(what));
        let text = text.trim_end_matches('/');
        if !text.is_ascii() {
            return wrong("the address has non-ASCII characters: write the host in its xn-- form");
        }
        if text.contains('#') {
            return wrong("the address must not have a fragment (#…)");
        }
        if text.contains('?') {
            return wrong("the address must not have a query (?…)");
        }
        let Ok(uri) = Uri::from_str(text) else {
            return wrong("the address is not a URL like https://host/path");
        };
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return wrong("the address is not a URL like https://host/path");
        };
        if authority.as_str().contains('@') {
            return wrong("the address must not contain a user name or password").map_err(
                |error: Error| error.hint("credentials have their own keys in the profile"),
            );
        }
        let host = authority.host();
        if !is_host_and_port(authority) || authority.port_u16() == Some(0) {
            return wrong("the address has no valid host and port");
        }
        match scheme {
            "https" => {}
            "http" if plain_http || is_loopback(host) => {}
            "http" => {
                return Err(Error::config("plain http is allowed to this machine only")
                    .hint("use https, or set allow_plain_http = true in the profile"));
            }
            _ => return wrong("the address must begin with https://"),
        }
        if has_dot_segment(uri.path()) {
            return wrong("the address must not have . or .. in its path");
        }
        // Scheme and host are case-insensitive; a path is not.
        let origin = format!("{scheme}://{}", authority.as_str().to_ascii_lowercase());
        let path = uri.path().trim_end_matches('/');
        Ok(Self { text: format!("{origin}{path}"), origin: origin.len() })
    }

    /// Appends `path`, which begins with `/` and may end with a query. Parts that a user chose must be
    /// encoded with [`percent_encode`].
    ///
    /// `Config` for a path with a `.` or `..` segment, or with a character that is not allowed in a
    /// URL.
    pub fn join(&self, path: &str) -> Result<Self> {
        let text = format!("{}{path}", self.text);
        if !path.starts_with('/') || Uri::from_str(&text).is_err() || path.contains('#') {
            return Err(Error::config(
                "the path does not begin with / or contains a character that is not allowed in a URL",
            ));
        }
        if has_dot_segment(path.split('?').next().unwrap_or_default()) {
            return Err(Error::config("the path must not have . or .. segments"));
        }
        Ok(Self { text, origin: self.origin })
    }

    /// Adds query parameters. Those with an empty value are omitted (RFC 6749 section 3.2).
    pub fn with_query<'a>(&self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut text = self.text.clone();
        for (name, value) in pairs.into_iter().filter(|(_, value)| !value.is_empty()) {
            text.push(if text.contains('?') { '&' } else { '?' });
            text.push_str(&percent_encode(name));
            text.push('=');
            text.push_str(&percent_encode(value));
        }
        Self { text, origin: self.origin }
    }

    /// Returns the address without its query, which may contain a secret.
    pub fn without_query(&self) -> Self {
        let text = self.text.split('?').next().unwrap_or_default().to_owned();
        Self { text, origin: self.origin }
    }

    /// Returns the whole address. Do not print it: its query may contain a secret.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns scheme, host and port, which may be printed.
    pub fn origin(&self) -> &str {
        self.text.get(..self.origin).unwrap_or_default()
    }

    /// Returns the host without the port.
    pub fn host_name(&self) -> &str {
        let authority = self.origin().split_once("://").map_or("", |(_, rest)| rest);
        match authority.rfind(':') {
            Some(colon) if !authority.ends_with(']') => authority.get(..colon).unwrap_or_default(),
            _ => authority,
        }
    }

    /// Returns whether requests are unencrypted.
    pub fn is_plain_http(&self) -> bool {
        self.text.starts_with("http://")
    }

    /// Returns whether the host is this machine.
    pub fn is_loopback(&self) -> bool {
        is_loopback(self.host_name())
    }

    /// Returns whether `uri` has the same scheme, host and port.
    pub fn is_same_origin(&self, uri: &Uri) -> bool {
        Origin::of(uri).is_some_and(|other| other == self.origin_parts())
    }

    /// Returns whether `other` has the same scheme, host and port.
    pub fn is_same_origin_as(&self, other: &Self) -> bool {
        other.to_uri().is_ok_and(|uri| self.is_same_origin(&uri))
    }

    /// Returns whether `uri` has the same origin and the same path, as a lenient server may read it:
    /// case, `%2f`, `//` and dot segments are ignored.
    pub fn matches(&self, uri: &Uri) -> bool {
        let own = self.text.get(self.origin..).unwrap_or_default();
        let own = own.split('?').next().unwrap_or_default();
        self.is_same_origin(uri) && is_same_lenient_path(own, uri.path())
    }

    fn origin_parts(&self) -> Origin<'_> {
        let (scheme, authority) = self.origin().split_once("://").unwrap_or_default();
        let host = self.host_name();
        let port = authority.strip_prefix(host).and_then(|port| port.strip_prefix(':'));
        let port = port.and_then(|port| port.parse().ok()).or_else(|| default_port(scheme));
        Origin { scheme, host, port: port.unwrap_or_default() }
    }

    /// Adds a query that is already encoded.
    ///
    /// `Config` for a character that is not allowed in a URL.
    pub fn join_query(&self, query: &str) -> Result<Self> {
        let text = format!("{}?{query}", self.text);
        if query.contains('#') || Uri::from_str(&text).is_err() {
            return Err(Error::config(
                "the query contains a character that is not allowed in a URL",
            ));
        }
        Ok(Self { text, origin: self.origin })
    }

    /// Converts the address for an HTTP client.
    ///
    /// `Internal` if a checked address does not parse again, which would be a defect.
    pub fn to_uri(&self) -> Result<Uri> {
        Uri::from_str(&self.text).map_err(|_| Error::internal("a checked address did not parse"))
    }
}

/// Returns whether an authority is a name or an IP address, with an optional port. `http` accepts
/// `[…]` anywhere and with any content, and characters in names that other parsers read differently.
pub(crate) fn is_host_and_port(authority: &Authority) -> bool {
    let (text, host) = (authority.as_str(), authority.host());
    let port = text.strip_prefix(host).unwrap_or(text);
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    let is_host = match bare {
        Some(bare) => bare.parse::<Ipv6Addr>().is_ok(),
        None if ends_in_number(host) => host.parse::<Ipv4Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(is_name),
    };
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    let has_port = port.strip_prefix(':').is_some_and(is_port) && authority.port_u16().is_some();
    is_host && (port.is_empty() || has_port)
}

/// Returns whether the `url` crate reads a host as an IPv4 address: `127.1` and `0x7f.1` are the same
/// as `127.0.0.1` to it (<https://url.spec.whatwg.org/#ends-in-a-number-checker>).
fn ends_in_number(host: &str) -> bool {
    let last = host.strip_suffix('.').unwrap_or(host).rsplit('.').next().unwrap_or_default();
    let hex = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    let is_decimal = !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit());
    is_decimal || hex.is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Scheme, host and port of an address, which are compared without regard to case.
#[derive(Clone, Copy)]
pub(crate) struct Origin<'a> {
    scheme: &'a str,
    host: &'a str,
    port: u16,
}

impl<'a> Origin<'a> {
    /// Returns the origin of `uri`, with the scheme's default port if it has none.
    pub(crate) fn of(uri: &'a Uri) -> Option<Self> {
        let scheme = uri.scheme_str()?;
        let port = uri.port_u16().or_else(|| default_port(scheme))?;
        Some(Self { scheme, host: uri.host()?, port })
    }
}

impl PartialEq for Origin<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.port == other.port
            && self.scheme.eq_ignore_ascii_case(other.scheme)
            && self.host.eq_ignore_ascii_case(other.host)
    }
}

impl fmt::Display for Origin<'_> {
    /// Writes the origin in lower case, without the scheme's default port.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host) = (self.scheme.to_ascii_lowercase(), self.host.to_ascii_lowercase());
        match default_port(&scheme) {
            Some(port) if port == self.port => write!(f, "{scheme}://{host}"),
            _ => write!(f, "{scheme}://{host}:{}", self.port),
        }
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        _ if scheme.eq_ignore_ascii_case("https") => Some(443),
        _ if scheme.eq_ignore_ascii_case("http") => Some(80),
        _ => None,
    }
}

fn has_dot_segment(path: &str) -> bool {
    // HTTP clients read %2e as a dot.
    path.split('/')
        .any(|part| matches!(part.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | ".."))
}

/// Returns whether a lenient server may read both paths as the same one.
fn is_same_lenient_path(one: &str, other: &str) -> bool {
    let decoded = |path| percent_decode_str(path).decode_utf8_lossy();
    let (one, other) = (decoded(one), decoded(other));
    let (one, other) = (lenient_segments(&one), lenient_segments(&other));
    one.len() == other.len() && one.iter().zip(&other).all(|(a, b)| a.eq_ignore_ascii_case(b))
}

/// Returns a decoded path's segments as a lenient server reads them.
fn lenient_segments(path: &str) -> Vec<&str> {
    let mut segments = Vec::new();
    for part in path.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." => drop(segments.pop()),
            part => segments.push(part),
        }
    }
    segments
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl FromStr for Endpoint {
    type Err = Error;

    /// Parses an address as [`Endpoint::parse`] does.
    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text)
    }
}

impl fmt::Display for Endpoint {
    /// Writes the address without its query.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text.split('?').next().unwrap_or_default())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

/// Percent-encodes all characters except `A-Z a-z 0-9 * - . _`, for forms, queries and path segments.
///
/// A space becomes `%20` and not `+`, because both form decoders and percent decoders read it.
///
/// ```
/// assert_eq!(gatepass_core::percent_encode("a b/c"), "a%20b%2Fc");
/// ```
pub fn percent_encode(text: &str) -> String {
    // Allocated once: a string that grows leaves copies of a secret in memory.
    let mut encoded = String::with_capacity(3 * text.len());
    encoded.extend(utf8_percent_encode(text, ENCODED));
    encoded
}

const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'*').remove(b'-').remove(b'.').remove(b'_');

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_requires_loopback_or_permission() {
        for good in
            ["http://127.0.0.1:8480/cisco", "http://[::1]:1", "http://localhost/x", "https://h"]
        {
            Endpoint::parse(good).unwrap();
        }
        for bad in [
            "http://example.com",
            "http://127.1/",
            "http://localhost.evil.example",
            "http://10.0.0.1",
        ] {
            assert!(Endpoint::parse(bad).is_err(), "{bad}");
        }
        Endpoint::parse_plain_http("http://example.com").unwrap();
    }

    #[test]
    fn misleading_addresses_are_rejected() {
        for bad in [
            "https://u:p@h/",
            "https://u@h",
            "https://h/?a=b",
            "https://h/#f",
            "h/x",
            "",
            "/x",
            "ftp://h/",
            "https://",
            "https://h:0/",
            "https://h:99999/",
            "https://h:x/",
            "https://h/a/../b",
            "https://h/%2E%2e/b",
            "https://h/ü",
            "https://h /",
            "https:///x",
            "http://[::httqs0]1:1/a",
            "http://[::1]x:1/",
            "https://[::1x]/",
            "https://h[::1]:1/",
            "https://h[o:5]5:5/",
            "https://h:44x[:k]:1/",
            "https://h:+1/",
            "https://ex%61mple.com/",
            "https://h,i/",
            "https://127.1/",
            "https://0x7f.0.0.1/",
            "https://1.2.3.4.5/",
            "https://10.0.0.1./",
        ] {
            let error = Endpoint::parse_plain_http(bad).expect_err(bad);
            assert!(!error.to_string().contains("u:p"), "{error}");
        }
    }

    #[test]
    fn join_and_query_keep_the_base() {
        let base = Endpoint::parse("HTTPS://Example.com:8443/Base/").unwrap();
        let joined = base.join("/as/token?x=1").unwrap().with_query([("a b", "c&d"), ("e", "")]);
        assert_eq!(joined.as_str(), "https://example.com:8443/Base/as/token?x=1&a%20b=c%26d");
        assert_eq!(joined.to_string(), "https://example.com:8443/Base/as/token");
        assert_eq!(joined.origin(), "https://example.com:8443");
        assert_eq!(joined.host_name(), "example.com");
        assert!(base.join("/../x").is_err());
        assert!(base.join("//[/x").is_ok_and(|e| e.is_same_origin(&base.to_uri().unwrap())));
    }

    #[test]
    fn origins_compare_with_default_ports() {
        let base = Endpoint::parse("https://example.com/x").unwrap();
        assert!(base.is_same_origin(&Uri::from_static("https://EXAMPLE.com:443/y")));
        assert!(!base.is_same_origin(&Uri::from_static("http://example.com/x")));
        assert!(!base.is_same_origin(&Uri::from_static("https://example.com.evil.example/x")));
    }

    #[test]
    fn matching_ignores_spelling_of_path() {
        let place = Endpoint::parse("https://example.com/as/token.oauth2").unwrap();
        let place = place.with_query([("client_secret", "s")]);
        for same in ["", "/", "?x=1", "/.", "/x/.."] {
            let text = format!("https://example.com/as/token.oauth2{same}");
            assert!(place.matches(&text.parse().unwrap()), "{text}");
        }
        for same in [
            "/AS//Token.OAuth2",
            "/as%2Ftoken%2eoauth2",
            "/x/../as/token.oauth2",
            "/as\\token.oauth2",
        ] {
            let Ok(uri) = format!("https://example.com{same}").parse() else { continue };
            assert!(place.matches(&uri), "{same}");
        }
        for other in [
            "https://example.com/as",
            "https://example.com/as/token.oauth2/x",
            "https://example.org/as/token.oauth2",
        ] {
            assert!(!place.matches(&other.parse().unwrap()), "{other}");
        }
    }
}
