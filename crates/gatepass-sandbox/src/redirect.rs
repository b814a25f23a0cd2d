//! The redirect at the end of a login: its address, the members in it, and redirect URI rules.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::response::Members;

/// A token response in the address of a redirect (RFC 6749 section 4.2.2).
pub(crate) struct LoginRedirect {
    /// The client's validated redirect URI.
    pub(crate) to: String,
    pub(crate) members: Members,
    /// Whether the members are in the query, which proxies and logs see, instead of the fragment.
    pub(crate) is_in_query: bool,
}

impl LoginRedirect {
    pub(crate) fn new(to: &str, members: Members) -> Self {
        Self { to: to.to_owned(), members, is_in_query: false }
    }

    pub(crate) fn location(&self) -> String {
        let separator = match (self.is_in_query, self.to.contains('?')) {
            (false, _) => '#',
            (true, false) => '?',
            (true, true) => '&',
        };
        format!(
            "{}{separator}{}",
            self.to,
            encode_members(self.members.iter().map(|(n, v)| (n.as_str(), v)))
        )
    }
}

fn encode_members<'a>(members: impl Iterator<Item = (&'a str, &'a Value)>) -> String {
    let pairs = members.map(|(name, value)| match value {
        Value::String(text) => format!("{}={}", percent_encode(name), percent_encode(text)),
        other => format!("{}={}", percent_encode(name), percent_encode(&other.to_string())),
    });
    pairs.collect::<Vec<_>>().join("&")
}

/// Percent-encodes text for a query or a fragment.
pub(crate) fn percent_encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Returns whether a redirect URI matches the registered one: byte for byte, except that a
/// registered loopback URI with port 0 matches any port (RFC 8252 section 7.3).
pub(crate) fn is_registered(registered: &str, requested: &str) -> bool {
    for host in LOOPBACK {
        if let Some(rest) = port_and_path(registered, host).and_then(|rest| rest.strip_prefix('0'))
            && (rest.is_empty() || rest.starts_with(['/', '?']))
        {
            let port = port_and_path(requested, host).and_then(|tail| tail.strip_suffix(rest));
            return port.is_some_and(is_port);
        }
    }
    registered == requested
}

fn port_and_path<'a>(uri: &'a str, host: &str) -> Option<&'a str> {
    uri.strip_prefix("http://")?.strip_prefix(host)?.strip_prefix(':')
}

fn is_port(text: &str) -> bool {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    is_number && text.parse::<u16>().is_ok()
}

/// Returns whether a URI can be registered: absolute, without a fragment, valid in a header.
pub(crate) fn is_redirect_uri(text: &str) -> bool {
    let is_clean = text.bytes().all(|b| b.is_ascii_graphic() && !b"\"#'<>\\^`{|}".contains(&b));
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let is_web = matches!(scheme, "http" | "https");
    let script_schemes = ["javascript", "data", "blob", "vbscript", "file"];
    is_clean
        && scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b))
        && !script_schemes.contains(&scheme)
        && rest.len() > 2
        && (!is_web || rest.strip_prefix("//").is_some_and(|host| !host.starts_with(['/', '?'])))
}

/// Returns the CSP source expression of an address. CSP has no syntax for IPv6 addresses, so these
/// yield the scheme.
pub(crate) fn policy_source(redirect_uri: &str) -> String {
    let (scheme, rest) = redirect_uri.split_once(':').unwrap_or_default();
    let authority = rest.strip_prefix("//").and_then(|rest| rest.split(['/', '?']).next());
    let host = authority.map(|authority| authority.split(':').next().unwrap_or_default());
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    match host {
        Some(host) if scheme.starts_with("http") && host.chars().all(is_name) => {
            format!("{scheme}://{host}:*")
        }
        _ => format!("{scheme}:"),
    }
}

const LOOPBACK: [&str; 3] = ["127.0.0.1", "[::1]", "localhost"];

const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_redirect_with_port_zero_matches_any_port() {
        for (registered, asked) in [
            ("http://127.0.0.1:0/cb", "http://127.0.0.1:1/cb"),
            ("http://127.0.0.1:0/cb", "http://127.0.0.1:65535/cb"),
            ("http://127.0.0.1:0", "http://127.0.0.1:8080"),
            ("http://localhost:0/cb?a=1", "http://localhost:8080/cb?a=1"),
            ("http://[::1]:0/cb", "http://[::1]:8080/cb"),
            ("http://127.0.0.1:8080/cb", "http://127.0.0.1:8080/cb"),
            ("https://app.example/cb", "https://app.example/cb"),
        ] {
            assert!(is_registered(registered, asked), "{registered} {asked}");
        }
        for (registered, asked) in [
            ("http://127.0.0.1:0/cb", "http://127.0.0.1:0/cb"),
            ("http://127.0.0.1:0/cb", "http://127.0.0.1/cb"),
            ("http://127.0.0.1:0/cb", "http://127.0.0.1:/cb"),
            ("http://127.0.0.1:0/cb", "http://127.0.0.1:080/cb"),
            ("http://127.0.0.1:0/cb", "http://127.0.0.1:+80/cb"),
            ("http://127.0.0.1:0/cb", "http://127.0.0.1:65536/cb"),
            ("http://127.0.0.1:0/cb", "http://127.0.0.1:80/cb/"),
            ("http://127.0.0.1:0/cb", "http://127.0.0.1:80/x/cb"),
            ("http://127.0.0.1:0/cb", "http://127.0.0.1:80@evil.example/cb"),
            ("http://127.0.0.1:0/cb", "http://127.0.0.1:80/cb#x"),
            ("http://127.0.0.1:0/cb", "https://127.0.0.1:80/cb"),
            ("http://127.0.0.1:0/cb", "http://localhost:80/cb"),
            ("http://127.0.0.1:0/cb", "http://127.0.0.2:80/cb"),
            ("http://127.0.0.1:0", "http://127.0.0.1:80.evil.example"),
            ("http://127.0.0.1:0evil/cb", "http://127.0.0.1:80evil/cb"),
            ("http://127.0.0.1:8080/cb", "http://127.0.0.1:8081/cb"),
            ("https://app.example:0/cb", "https://app.example:8080/cb"),
            ("https://app.example/cb", "https://app.example/cb?x"),
            ("https://app.example/cb", "https://APP.example/cb"),
        ] {
            assert!(!is_registered(registered, asked), "{registered} {asked}");
        }
    }

    #[test]
    fn invalid_redirect_uris_are_rejected() {
        for good in ["http://127.0.0.1:0/cb", "https://app.example", "com.example.app:/cb"] {
            assert!(is_redirect_uri(good), "{good}");
        }
        for bad in [
            "",
            "cb",
            "/cb",
            "http:",
            "http:/cb",
            "http:///cb",
            "https://a/#x",
            "https://a/ b",
            "https://a/\"",
            "javascript:alert(1)",
            "data:text/html,x",
            "HTTP://a/",
            "https://ü/",
        ] {
            assert!(!is_redirect_uri(bad), "{bad}");
        }
    }

    #[test]
    fn policy_source_names_the_redirect_origin() {
        assert_eq!(policy_source("http://127.0.0.1:80/cb"), "http://127.0.0.1:*");
        assert_eq!(policy_source("https://app.example/cb;x"), "https://app.example:*");
        assert_eq!(policy_source("http://[::1]:80/cb"), "http:");
        assert_eq!(policy_source("https://a;b/cb"), "https:");
        assert_eq!(policy_source("com.example.app:/cb"), "com.example.app:");
    }

    #[test]
    fn members_are_percent_encoded() {
        let members = || vec![("a b".to_owned(), "#&=é".into()), ("n".to_owned(), 5.into())];
        let mut login_redirect = LoginRedirect::new("http://localhost:1/cb?x=1", members());
        assert_eq!(
            login_redirect.location(),
            "http://localhost:1/cb?x=1#a%20b=%23%26%3D%C3%A9&n=5"
        );
        login_redirect.is_in_query = true;
        assert_eq!(
            login_redirect.location(),
            "http://localhost:1/cb?x=1&a%20b=%23%26%3D%C3%A9&n=5"
        );
    }
}
