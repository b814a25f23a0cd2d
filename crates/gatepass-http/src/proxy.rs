//! The proxies of the environment: `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`.
//!
//! reqwest ignores a variable that it cannot parse, and sends the request without the proxy. A
//! request with a secret must not do that. So this file reads the variables, and each value is
//! either understood as a whole or is an error that names its variable. An error concerns only the
//! requests that need the value: a host in `NO_PROXY` needs no proxy.
//!
//! A CGI program (`REQUEST_METHOD` is set) must not trust `HTTP_PROXY`, which a client can set by
//! the header `Proxy`. That variable is never read here, because plain http never uses a proxy; the
//! others have no such header.

mod no_proxy;
mod server;

use std::ffi::OsString;
use std::fmt;
use std::sync::Arc;

use gatepass_core::Result;
use http::Uri;
use reqwest::Url;
use zeroize::Zeroizing;

use self::no_proxy::NoProxy;
use self::server::ProxyServer;
use crate::environment::Variable;

/// How a request reaches its server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyRoute {
    /// Directly, because no proxy is configured for it.
    Direct,
    /// Directly, because an entry of this variable exempts the host from the proxy.
    Exempt {
        /// The name of the variable.
        variable: &'static str,
        /// The entry.
        entry: String,
    },
    /// Through the proxy that this variable names.
    Proxy {
        /// The name of the variable.
        variable: &'static str,
        /// The address of the proxy, without user name and password.
        address: Uri,
    },
}

/// The variables, as read once.
pub(crate) struct ProxyRules {
    proxy: Option<Result<ProxyServer>>,
    no_proxy: NoProxy,
}

impl ProxyRules {
    /// Reads the variables. Upper case comes first, as for reqwest and Go.
    pub(crate) fn read(get: impl Fn(&str) -> Option<OsString>) -> Self {
        let proxy = Variable::first(PROXIES, &get).map(|variable| ProxyServer::parse(&variable));
        let no_proxy = Variable::first(EXEMPTIONS, &get);
        Self { proxy, no_proxy: no_proxy.as_ref().map(NoProxy::parse).unwrap_or_default() }
    }

    /// Returns how an https request to this host and port is sent.
    ///
    /// `Config` if that depends on a value that is not understood.
    pub(crate) fn route(&self, host: &str, port: u16) -> Result<ProxyRoute> {
        let Some(proxy) = &self.proxy else { return Ok(ProxyRoute::Direct) };
        if let Some((variable, entry)) = self.no_proxy.find(host, port)? {
            return Ok(ProxyRoute::Exempt { variable, entry });
        }
        let server = proxy.as_ref().map_err(Clone::clone)?;
        Ok(ProxyRoute::Proxy { variable: server.variable, address: server.address.clone() })
    }

    /// Returns the rules for reqwest. It asks them for requests that [`route`](Self::route) accepted.
    pub(crate) fn to_reqwest(self: &Arc<Self>) -> Option<reqwest::Proxy> {
        let server = match self.proxy.as_ref()? {
            Ok(server) => Some(server.clone()),
            Err(_) => None,
        };
        let (rules, url) = (self.clone(), server.as_ref().map(|server| server.url.clone()));
        let proxy = reqwest::Proxy::custom(move |target| {
            if target.scheme() != "https" {
                return None;
            }
            let host = target.host_str().unwrap_or_default();
            match rules.route(host, target.port_or_known_default().unwrap_or(HTTPS_PORT)) {
                Ok(ProxyRoute::Direct | ProxyRoute::Exempt { .. }) => None,
                // The request has been refused; it must not be sent directly either.
                Ok(ProxyRoute::Proxy { .. }) | Err(_) => {
                    url.clone().or_else(|| Url::parse("http://proxy.invalid").ok())
                }
            }
        });
        Some(match server.and_then(|server| server.credential) {
            Some((user, password)) => proxy.basic_auth(&user, &password),
            None => proxy,
        })
    }
}

impl fmt::Debug for ProxyRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = self.proxy.as_ref().and_then(|proxy| proxy.as_ref().ok());
        let address = server.map(|server| &server.address);
        f.debug_struct("ProxyRules").field("proxy", &address).finish_non_exhaustive()
    }
}

/// Returns the variables that decide how https requests reach their servers, as text for a digest.
pub(crate) fn digest_text(get: impl Fn(&str) -> Option<OsString>) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(4096));
    let proxy = Variable::first(PROXIES, &get);
    // Without a proxy, exemptions from it change nothing.
    let no_proxy = proxy.as_ref().and_then(|_| Variable::first(EXEMPTIONS, &get));
    for variable in [proxy, no_proxy].into_iter().flatten() {
        let value = variable.value.as_encoded_bytes();
        text.push_str(&format!("{} {}:", variable.name, value.len()));
        // Reversible, so that two values never have the same text.
        text.push_str(&value.escape_ascii().to_string());
        text.push('\n');
    }
    text
}

const PROXIES: &[&str] = &["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const EXEMPTIONS: &[&str] = &["NO_PROXY", "no_proxy"];
pub(crate) const HTTPS_PORT: u16 = 443;

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(variables: &[(&str, &str)]) -> ProxyRules {
        let variables: Vec<(String, OsString)> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), value.into())).collect();
        ProxyRules::read(|name| {
            variables.iter().find(|(one, _)| one == name).map(|(_, value)| value.clone())
        })
    }

    #[test]
    fn first_nonempty_variable_decides() {
        let named = |variables: &[(&str, &str)]| match rules(variables).route("a.test", 443) {
            Ok(ProxyRoute::Proxy { variable, address }) => {
                format!("{variable} {}", address.host().unwrap())
            }
            other => format!("{other:?}"),
        };
        let all = [
            ("HTTPS_PROXY", "http://one"),
            ("https_proxy", "http://two"),
            ("ALL_PROXY", "http://three"),
            ("all_proxy", "http://four"),
            ("HTTP_PROXY", "http://five"),
            ("REQUEST_METHOD", "GET"),
        ];
        assert_eq!(named(&all), "HTTPS_PROXY one");
        assert_eq!(named(&all[1..]), "https_proxy two");
        assert_eq!(named(&all[2..]), "ALL_PROXY three");
        assert_eq!(named(&all[3..]), "all_proxy four");
        assert_eq!(named(&all[4..]), "Ok(Direct)");
        let empty = [("HTTPS_PROXY", ""), ("https_proxy", "http://two")];
        assert_eq!(named(&empty), "https_proxy two");
    }

    #[test]
    fn exempt_host_needs_no_valid_proxy() {
        let rules = rules(&[("HTTPS_PROXY", "socks5://127.0.0.1:9"), ("NO_PROXY", "a.test, ?")]);
        let exempt = ProxyRoute::Exempt { variable: "NO_PROXY", entry: String::from("a.test") };
        assert_eq!(rules.route("a.test", 443).unwrap(), exempt);
        assert!(rules.route("b.test", 443).unwrap_err().message().contains("NO_PROXY"));
    }

    #[test]
    fn digest_text_changes_with_each_effective_value() {
        let text = |variables: &[(&str, &str)]| {
            let variables: Vec<(String, OsString)> =
                variables.iter().map(|(name, value)| ((*name).to_owned(), value.into())).collect();
            let get = |name: &str| {
                variables.iter().find(|(one, _)| one == name).map(|(_, value)| value.clone())
            };
            digest_text(get).to_string()
        };
        let (proxy, no) = (("HTTPS_PROXY", "http://u:p@one"), ("NO_PROXY", "a.test"));
        let all = [
            text(&[]),
            text(&[proxy]),
            text(&[proxy, no]),
            text(&[("HTTPS_PROXY", "http://u:q@one")]),
            text(&[("HTTPS_PROXY", "http://u:p@one\nNO_PROXY 6:a.test")]),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(all[at + 1..].iter().all(|other| other != one), "{one}");
        }
        assert_eq!(text(&[no, ("HTTP_PROXY", "http://x")]), text(&[]));
    }
}
