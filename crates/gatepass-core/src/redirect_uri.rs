//! The redirect URI, to which a vendor sends the browser after a login.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use http::Uri;

use crate::endpoint::is_host_and_port;
use crate::{Error, Result};

/// A registered redirect URI: an absolute address without userinfo and fragment (RFC 6749 section
/// 3.1.2), sent exactly as it was registered (RFC 9700 section 4.1.3).
///
/// A loopback address uses plain http. Port 0 means any free port, for vendors that let the port of
/// a loopback address vary (RFC 8252 section 7.3).
///
/// ```
/// # use gatepass_core::RedirectUri;
/// let registered = RedirectUri::parse("http://127.0.0.1:0/callback")?;
/// assert_eq!(registered.with_port(4711).as_str(), "http://127.0.0.1:4711/callback");
/// # Ok::<(), gatepass_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct RedirectUri {
    text: String,
    uri: Uri,
}

impl RedirectUri {
    /// Parses a redirect URI; returns `Config` for an address that cannot be registered.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |what: &'static str| {
            Err(Error::config(what).hint(
                "write the redirect URI exactly as it is registered with the vendor, such as \
                 http://localhost/app/index.html or http://127.0.0.1:8400/callback",
            ))
        };
        if text.contains('#') {
            return wrong("the redirect URI must not have a fragment (#…)");
        }
        let Ok(uri) = Uri::from_str(text) else {
            return wrong("the redirect URI is not an absolute address");
        };
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return wrong("the redirect URI is not an absolute address");
        };
        if authority.as_str().contains('@') {
            return wrong("the redirect URI must not contain a user name or password");
        }
        if !is_host_and_port(authority) {
            return wrong("the redirect URI has no valid host and port");
        }
        let read = Self { text: text.to_owned(), uri: uri.clone() };
        match scheme {
            "https" if authority.port_u16() == Some(0) => {
                wrong("only a loopback redirect URI may have port 0")
            }
            "http" if !read.is_loopback() => {
                wrong("a plain http redirect URI is allowed on this machine only")
            }
            "http" | "https" => Ok(read),
            _ => wrong("the redirect URI must begin with http:// or https://"),
        }
    }

    /// Returns the redirect URI with another port, if it was registered with port 0.
    pub fn with_port(&self, port: u16) -> Self {
        let host = self.host();
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        let text = format!("{}://{host}:{port}{path}", self.uri.scheme_str().unwrap_or("http"));
        match Uri::from_str(&text) {
            Ok(uri) => Self { text, uri },
            Err(_) => self.clone(),
        }
    }

    /// Returns the complete address as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the host as it was written; an IPv6 address is in brackets.
    pub fn host(&self) -> &str {
        self.uri.host().unwrap_or_default()
    }

    /// Returns the port, or the scheme's default. 0 means any.
    pub fn port(&self) -> u16 {
        let default = if self.uri.scheme_str() == Some("https") { 443 } else { 80 };
        self.uri.port_u16().unwrap_or(default)
    }

    /// Returns the path and the query, if there is one.
    pub fn path(&self) -> &str {
        self.uri.path_and_query().map_or("/", |path| path.as_str())
    }

    /// Returns whether this is an `http` address of this machine, on which a program can listen.
    pub fn is_loopback(&self) -> bool {
        !self.addresses().is_empty()
    }

    /// Returns the addresses to listen on: both loopback addresses for `localhost`, none for another
    /// host or for `https`.
    pub fn addresses(&self) -> Vec<IpAddr> {
        if self.uri.scheme_str() != Some("http") {
            return Vec::new();
        }
        let host = self.host();
        if host.eq_ignore_ascii_case("localhost") {
            return vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        }
        let host = host.trim_start_matches('[').trim_end_matches(']');
        host.parse().into_iter().filter(IpAddr::is_loopback).collect()
    }

    /// Returns whether `address` is this redirect URI, ignoring query and fragment.
    pub fn is_reached_by(&self, address: &str) -> bool {
        let place = |text: &str| {
            let uri = Uri::from_str(text.split('#').next().unwrap_or_default()).ok()?;
            let (host, scheme) = (uri.host()?.to_ascii_lowercase(), uri.scheme_str()?.to_owned());
            let port = uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
            Some((scheme, host, port, uri.path().to_owned()))
        };
        place(address).is_some_and(|reached| place(&self.text) == Some(reached))
    }
}

impl fmt::Debug for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedirectUri").field(&self.text).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_redirect_uris_are_rejected_by_parse() {
        for bad in [
            "",
            "/callback",
            "localhost",
            "http://",
            "http://localhost:99999/",
            "http://localhost:/x#y",
            "http://localhost/#",
            "http://user@localhost/",
            "http://acme.example.com/callback",
            "http://127.0.0.1.acme.example.com/",
            "https://acme.example.com:0/",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "http://local host/",
            "http://[::1]x:80/",
            "http://[::1x]/",
        ] {
            let error = RedirectUri::parse(bad).expect_err(bad);
            assert!(
                error.hints().first().is_some_and(|hint| hint.text().contains("registered")),
                "{bad}"
            );
        }
    }

    #[test]
    fn redirect_uri_is_sent_unchanged() {
        for text in [
            "http://localhost/My_ITK_Application/index.html",
            "http://LOCALHOST:80/x",
            "http://[::1]:8400/a?b=c",
            "https://acme.example.com/callback/",
        ] {
            assert_eq!(RedirectUri::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn localhost_has_two_listen_addresses() {
        let addresses = |text| RedirectUri::parse(text).unwrap().addresses();
        assert_eq!(addresses("http://localhost/x").len(), 2);
        assert_eq!(addresses("http://127.0.0.1:0/x"), [IpAddr::from(Ipv4Addr::LOCALHOST)]);
        assert_eq!(addresses("http://[::1]/x"), [IpAddr::from(Ipv6Addr::LOCALHOST)]);
        for elsewhere in ["https://acme.example.com/x", "https://127.0.0.10/", "https://localhost/"]
        {
            assert_eq!(addresses(elsewhere), Vec::<IpAddr>::new(), "{elsewhere}");
            assert!(!RedirectUri::parse(elsewhere).unwrap().is_loopback(), "{elsewhere}");
        }
        assert_eq!(RedirectUri::parse("http://localhost/x").unwrap().port(), 80);
    }

    #[test]
    fn equivalent_addresses_match() {
        let uri = RedirectUri::parse("http://localhost:80/app/index.html").unwrap();
        assert!(uri.is_reached_by("http://localhost/app/index.html#access_token=x"));
        assert!(uri.is_reached_by("http://LocalHost:80/app/index.html?error=x"));
        for other in [
            "http://localhost:81/app/index.html",
            "https://localhost:80/app/index.html",
            "http://localhost/app/",
            "http://evil.example.com/app/index.html",
            "not an address",
            "",
        ] {
            assert!(!uri.is_reached_by(other), "{other}");
        }
    }
}
