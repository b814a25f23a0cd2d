//! The reader of `NO_PROXY`: the forms that curl and Go take.
//!
//! An entry is `*`, a host, `.domain` or `*.domain`, an address or a CIDR range, with or without a
//! port and with or without brackets around an IPv6 address. Entries are separated by commas or
//! white space. A domain exempts its subdomains as well, and a dot at its beginning or end changes
//! nothing. As curl does, and unlike Go, `.domain` exempts the domain itself too.

use std::net::IpAddr;

use gatepass_core::Result;
use ipnet::IpNet;
use reqwest::Url;

use crate::environment::{Variable, not_understood};

/// The entries of `NO_PROXY`.
#[derive(Default)]
pub(super) struct NoProxy {
    variable: &'static str,
    entries: Vec<Entry>,
    /// The problem of the first entry that is not understood.
    problem: Option<String>,
}

struct Entry {
    text: String,
    hosts: Hosts,
    port: Option<u16>,
}

enum Hosts {
    All,
    Network(IpNet),
    /// A domain in lower case, without dots at its ends, and its subdomains.
    Domain(String),
}

impl NoProxy {
    pub(super) fn parse(variable: &Variable) -> Self {
        let mut read = Self { variable: variable.name, ..Self::default() };
        let Some(text) = variable.value.to_str() else {
            read.problem = Some(String::from("is not UTF-8"));
            return read;
        };
        let entries = text.split(|c: char| c == ',' || c.is_whitespace());
        for (at, text) in entries.filter(|entry| !entry.is_empty()).enumerate() {
            match Entry::parse(text) {
                Some(entry) => read.entries.push(entry),
                None => {
                    let problem =
                        || format!("has an entry that is not understood (no. {})", at + 1);
                    read.problem.get_or_insert_with(problem);
                }
            }
        }
        read
    }

    /// Returns the variable and the entry that exempts this host and port.
    ///
    /// `Config` if no entry does and one of them is not understood.
    pub(super) fn find(&self, host: &str, port: u16) -> Result<Option<(&'static str, String)>> {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let address = host.parse::<IpAddr>().ok().map(|address| address.to_canonical());
        let is_match = |entry: &&Entry| {
            let is_host = match (&entry.hosts, address) {
                (Hosts::All, _) => true,
                (Hosts::Network(network), Some(address)) => network.contains(&address),
                (Hosts::Domain(domain), None) => is_in(&host, domain),
                _ => false,
            };
            is_host && entry.port.is_none_or(|one| one == port)
        };
        match (self.entries.iter().find(is_match), &self.problem) {
            (Some(entry), _) => Ok(Some((self.variable, entry.text.clone()))),
            (None, None) => Ok(None),
            (None, Some(problem)) => Err(not_understood(self.variable, problem).hint(
                "an entry is a host, .domain, an address or a range such as 10.0.0.0/8, with or \
                 without :port; commas separate entries",
            )),
        }
    }
}

/// Returns whether the host is the domain or below it.
fn is_in(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

impl Entry {
    fn parse(text: &str) -> Option<Self> {
        let entry = |hosts, port| Some(Self { text: text.to_owned(), hosts, port });
        if text == "*" {
            return entry(Hosts::All, None);
        }
        if let Some(network) = network(text) {
            return entry(Hosts::Network(network), None);
        }
        if let Some(rest) = text.strip_prefix('[') {
            let (inside, after) = rest.split_once(']')?;
            let port = match after.strip_prefix(':') {
                Some(port) => Some(self::port(port)?),
                None if after.is_empty() => None,
                // The length of a range may be outside the brackets.
                None => return entry(Hosts::Network(network(&format!("{inside}{after}"))?), None),
            };
            return entry(Hosts::Network(network(inside)?), port);
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(self::port(port)?)),
            None => (text, None),
        };
        if let Some(network) = network(host) {
            return entry(Hosts::Network(network), port);
        }
        let domain = host.strip_prefix("*.").or_else(|| host.strip_prefix('.')).unwrap_or(host);
        let domain = domain.strip_suffix('.').unwrap_or(domain);
        entry(Hosts::Domain(self::domain(domain)?), port)
    }
}

/// Parses an address or a range. An IPv4 address written as IPv6 counts as IPv4.
fn network(text: &str) -> Option<IpNet> {
    match text.parse::<IpAddr>() {
        Ok(address) => Some(IpNet::from(address.to_canonical())),
        Err(_) => text.parse().ok(),
    }
}

fn port(text: &str) -> Option<u16> {
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|port| is_number && *port > 0)
}

/// Returns a domain in the form that a request's host has: lower case, and in ASCII.
fn domain(text: &str) -> Option<String> {
    let is_label = |label: &str| {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c) || !c.is_ascii();
        !label.is_empty() && label.chars().all(is_allowed)
    };
    // A name that ends in a number is an incomplete address, such as `192.168`.
    let ends_in_number = text.rsplit('.').next()?.bytes().all(|b| b.is_ascii_digit());
    if ends_in_number || !text.split('.').all(is_label) {
        return None;
    }
    match text.is_ascii() {
        true => Some(text.to_ascii_lowercase()),
        false => Url::parse(&format!("https://{text}/")).ok()?.host_str().map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(value: &str, host: &str, port: u16) -> Result<Option<String>> {
        let variable = Variable { name: "no_proxy", value: value.into() };
        Ok(NoProxy::parse(&variable).find(host, port)?.map(|(_, entry)| entry))
    }

    #[test]
    fn entry_exempts_hosts_that_it_names() {
        for (value, host) in [
            ("*", "api.vendor.test"),
            ("other.test,*", "10.0.0.1"),
            ("vendor.test", "vendor.test"),
            ("vendor.test", "api.vendor.test"),
            (".vendor.test", "api.vendor.test"),
            (".vendor.test", "vendor.test"),
            ("*.vendor.test", "api.vendor.test"),
            ("VENDOR.test.", "Api.Vendor.Test"),
            ("vendor.test", "api.vendor.test."),
            ("a.test vendor.test", "vendor.test"),
            ("a.test,,\tvendor.test\n", "vendor.test"),
            ("vendor.test:443", "vendor.test"),
            (".vendor.test:443", "api.vendor.test"),
            ("b\u{fc}cher.test", "xn--bcher-kva.test"),
            ("my_host", "my_host"),
            ("127.0.0.1", "127.0.0.1"),
            ("127.0.0.1:443", "127.0.0.1"),
            ("127.0.0.0/8", "127.9.9.9"),
            ("10.1.2.3/8", "10.9.9.9"),
            ("::1", "[::1]"),
            ("[::1]", "[::1]"),
            ("[::1]:443", "::1"),
            ("fd00::/8", "[fd12::1]"),
            ("[fd00::/8]", "[fd12::1]"),
            ("[fd00::]/8", "[fd12::1]"),
            ("0:0:0:0:0:0:0:1", "[::1]"),
            ("::ffff:10.0.0.1", "10.0.0.1"),
            ("10.0.0.1", "[::ffff:10.0.0.1]"),
            ("10.0.0.0/8", "[::ffff:10.0.0.1]"),
        ] {
            assert!(find(value, host, 443).unwrap().is_some(), "{value:?} {host}");
        }
    }

    #[test]
    fn entry_exempts_no_other_hosts() {
        for (value, host) in [
            ("", "vendor.test"),
            ("vendor.test", "myvendor.test"),
            (".vendor.test", "myvendor.test"),
            ("api.vendor.test", "vendor.test"),
            ("vendor.test:8443", "vendor.test"),
            ("127.0.0.1:80", "127.0.0.1"),
            ("127.0.0.0/8", "128.0.0.1"),
            ("10.0.0.0/8", "10.vendor.test"),
            ("[::1]:80", "::1"),
            ("localhost", "127.0.0.1"),
        ] {
            assert_eq!(find(value, host, 443).unwrap(), None, "{value:?} {host}");
        }
    }

    #[test]
    fn entry_that_is_not_understood_is_an_error() {
        for value in [
            "ven*.test",
            "*vendor.test",
            "*.*",
            "10.*",
            "10.0.0",
            "10.",
            "192.168.1.256",
            "10.0.0.0/33",
            "10.0.0.0/255.0.0.0",
            "10.0.0.1-10.0.0.9",
            "a.test;b.test",
            "http://vendor.test",
            "vendor.test/",
            "vendor.test:",
            "vendor.test:https",
            "vendor.test:0",
            "vendor.test:99999",
            "\"vendor.test\"",
            "<local>",
            "a..test",
            ".",
            "[::1",
            "[vendor.test]",
            "::1%lo",
            "*:443",
            "vendor.test:+443",
        ] {
            let error = find(value, "other.test", 443).unwrap_err();
            assert!(error.message().starts_with("no_proxy has an entry"), "{value:?}: {error}");
        }
        // A host that another entry exempts needs no other entry.
        assert!(find("10.*,vendor.test", "vendor.test", 443).unwrap().is_some());
    }
}
