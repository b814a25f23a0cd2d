//! The reader of a proxy's address, as `HTTPS_PROXY` has it.

use gatepass_core::{Error, Result};
use http::Uri;
use percent_encoding::percent_decode_str;
use reqwest::Url;
use zeroize::Zeroizing;

use crate::environment::{Variable, not_understood};

/// A proxy's address and credential.
#[derive(Clone)]
pub(super) struct ProxyServer {
    pub(super) variable: &'static str,
    /// The address for reqwest, without user name and password.
    pub(super) url: Url,
    /// The same address, to show.
    pub(super) address: Uri,
    pub(super) credential: Option<(Zeroizing<String>, Zeroizing<String>)>,
}

impl ProxyServer {
    /// Reads `[http[s]://][user[:password]@]host[:port][/]`, with or without white space around it.
    ///
    /// User name and password end at the last `@` before the first `/`, as for curl, so that an `@`
    /// in a password needs no encoding.
    pub(super) fn parse(variable: &Variable) -> Result<Self> {
        let name = variable.name;
        let wrong = |problem: &str| not_understood(name, problem);
        let Some(text) = variable.value.to_str().map(str::trim) else {
            return Err(wrong("is not UTF-8").hint(FORM));
        };
        if text.starts_with(['"', '\'']) || text.ends_with(['"', '\'']) {
            let hint = "an env file keeps quotes: remove them";
            return Err(wrong("has quotes around its value").hint(hint));
        }
        if text.contains(|c: char| c.is_control() || c.is_whitespace()) {
            let hint = "in a user name or password write white space percent-encoded: %20";
            return Err(wrong("has white space or a control character in its value").hint(hint));
        }
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let scheme = scheme.to_ascii_lowercase();
        if scheme.starts_with("socks") {
            return Err(wrong("names a SOCKS proxy, not one with http:// or https://").hint(
                "SOCKS is not supported: set the variable to an HTTP proxy, or name the vendor's \
                 host in NO_PROXY",
            ));
        }
        if !["http", "https"].contains(&scheme.as_str()) {
            return Err(wrong("begins with neither http:// nor https://").hint(FORM));
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if path.contains('@') {
            let hint = "in a user name or password write them percent-encoded: %2F, %3F, %23";
            return Err(wrong("has a /, ? or # before the @").hint(hint));
        }
        if !["", "/"].contains(&path) {
            return Err(wrong("has a path or a query: it must name a proxy only").hint(FORM));
        }
        let (userinfo, host_port) = match authority.rsplit_once('@') {
            Some((userinfo, host_port)) => (userinfo, host_port),
            None => ("", authority),
        };
        let (url, address) = address(&scheme, host_port)
            .ok_or_else(|| wrong("has no valid host and port").hint(FORM))?;
        let credential = match userinfo {
            "" => None,
            userinfo => Some(credential(userinfo, &wrong)?),
        };
        Ok(Self { variable: name, url, address, credential })
    }
}

fn credential(
    userinfo: &str,
    wrong: &dyn Fn(&str) -> Error,
) -> Result<(Zeroizing<String>, Zeroizing<String>)> {
    let (user, password) = userinfo.split_once(':').unwrap_or((userinfo, ""));
    let decode = |text: &str| {
        if !text.split('%').skip(1).all(begins_with_two_digits) {
            let problem = "has a % in the user name or password that encodes nothing";
            return Err(wrong(problem).hint("write the % itself as %25"));
        }
        let bytes: Zeroizing<Vec<u8>> = Zeroizing::new(percent_decode_str(text).collect());
        match std::str::from_utf8(&bytes) {
            Ok(text) if !text.contains(char::is_control) => Ok(Zeroizing::new(text.to_owned())),
            Ok(_) => Err(wrong("has a control character in the user name or password")),
            Err(_) => Err(wrong("has a user name or password that is not UTF-8")),
        }
    };
    let (user, password) = (decode(user)?, decode(password)?);
    if user.contains(':') {
        return Err(wrong("has a colon in the user name, which HTTP does not allow"));
    }
    Ok((user, password))
}

fn begins_with_two_digits(text: &str) -> bool {
    text.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

/// Returns the address of a proxy, if host and port are valid.
fn address(scheme: &str, host_port: &str) -> Option<(Url, Uri)> {
    let (host, port) = match host_port.rsplit_once(':') {
        Some((host, port)) if !host_port.ends_with(']') => (host, Some(port)),
        _ => (host_port, None),
    };
    let is_ipv6 = host.starts_with('[') && host.ends_with(']');
    let is_name = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c) || !c.is_ascii();
    if host.is_empty() || !(is_ipv6 || host.chars().all(is_name)) {
        return None;
    }
    let is_port = |port: &str| port.bytes().all(|b| b.is_ascii_digit());
    if port.is_some_and(|port| !is_port(port) || port.parse::<u16>().unwrap_or(0) == 0) {
        return None;
    }
    let url = Url::parse(&format!("{scheme}://{host_port}/")).ok()?;
    let address = url.as_str().parse().ok()?;
    Some((url, address))
}

const FORM: &str = "write it like http://user:password@proxy.example:3128";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: &str) -> Result<(String, Option<(String, String)>)> {
        let server = ProxyServer::parse(&Variable { name: "HTTPS_PROXY", value: value.into() })?;
        let credential = server.credential.map(|(a, b)| (a.to_string(), b.to_string()));
        Ok((server.address.to_string(), credential))
    }

    #[test]
    fn address_of_proxy_is_understood_as_a_whole() {
        for (value, address, credential) in [
            ("http://proxy:3128", "http://proxy:3128/", None),
            ("proxy:3128", "http://proxy:3128/", None),
            ("proxy", "http://proxy/", None),
            (" http://proxy:3128/\r\n", "http://proxy:3128/", None),
            ("HTTPS://Proxy.Example", "https://proxy.example/", None),
            ("http://[::1]:3128", "http://[::1]:3128/", None),
            ("http://[::1]", "http://[::1]/", None),
            ("http://10.0.0.1:3128", "http://10.0.0.1:3128/", None),
            ("http://user:p@ss@proxy:1", "http://proxy:1/", Some(("user", "p@ss"))),
            ("user:p:w@proxy:1", "http://proxy:1/", Some(("user", "p:w"))),
            ("http://us%40er:p%40%2fss@proxy", "http://proxy/", Some(("us@er", "p@/ss"))),
            ("http://corp\\user:pass@proxy:1", "http://proxy:1/", Some(("corp\\user", "pass"))),
            ("http://user@proxy:1", "http://proxy:1/", Some(("user", ""))),
            ("http://user:p\u{e4}ss@proxy:1", "http://proxy:1/", Some(("user", "p\u{e4}ss"))),
            ("http://@proxy:1", "http://proxy:1/", None),
        ] {
            let credential = credential.map(|(a, b): (&str, &str)| (a.to_owned(), b.to_owned()));
            assert_eq!(parse(value).unwrap(), (address.to_owned(), credential), "{value:?}");
        }
    }

    #[test]
    fn address_that_is_not_understood_names_its_variable() {
        for value in [
            "\"http://proxy:3128\"",
            "'http://proxy:3128'",
            "http://user:pa ss@proxy:3128",
            "http://user:pa\nss@proxy:3128",
            "http://user:pa%ss@proxy:3128",
            "http://user:100%@proxy:3128",
            "http://user:pa/ss@proxy:3128",
            "http://user:pa#ss@proxy:3128",
            "http://user:pa?ss@proxy:3128",
            "http://us%3Aer:pass@proxy:3128",
            "http://user:pa%0Ass@proxy:3128",
            "http://user:pa%FFss@proxy:3128",
            "http://proxy:3128/proxy.pac",
            "http://proxy:3128?x",
            "http://proxy:99999",
            "http://proxy:0",
            "http://proxy:",
            "http://proxy:port",
            "http://proxy:+80",
            "http://::1:3128",
            "http://[::1",
            "http://pro|xy:1",
            "http://",
            "http:///proxy",
            "//proxy:3128",
            "socks5://proxy:1080",
            "SOCKS5h://proxy:1080",
            "ftp://proxy:21",
            "file:///etc/passwd",
            "http:proxy:3128",
        ] {
            let error = parse(value).unwrap_err();
            assert!(error.message().starts_with("HTTPS_PROXY "), "{value:?}: {error}");
            let shown = format!("{error:?}");
            assert!(!shown.contains("pa ss") && !shown.contains(".pac"), "{shown}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn address_that_is_not_utf8_is_an_error() {
        use std::os::unix::ffi::OsStringExt;

        let value = std::ffi::OsString::from_vec(b"http://u:\xff@proxy".to_vec());
        let error = ProxyServer::parse(&Variable { name: "ALL_PROXY", value }).err().unwrap();
        assert_eq!(error.message(), "ALL_PROXY is not UTF-8");
    }
}
