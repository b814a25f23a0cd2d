//! An address of a config: parsing, joining and comparing.

use gatepass_core::Endpoint;
use http::Uri;

use super::canary;

/// The lines are an address, a path to join, a query to add and another address.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut lines = text.split('\n');
    let mut next = || lines.next().unwrap_or_default();
    let (address, path, query, other) = (next(), next(), next(), next());
    for endpoint in [Endpoint::parse(address), Endpoint::parse_plain_http(address)] {
        match endpoint {
            Ok(endpoint) => check(&endpoint, path, query, other),
            Err(error) => canary::check(&error),
        }
    }
    if let Ok(endpoint) = Endpoint::host(address) {
        assert!(!endpoint.is_plain_http());
        check(&endpoint, path, query, other);
    }
}

fn check(base: &Endpoint, path: &str, query: &str, other: &str) {
    let text = base.as_str();
    let again = Endpoint::parse_plain_http(text);
    assert!(again.is_ok_and(|again| again == *base), "parsing the text gives another address");
    assert!(!text.contains(['?', '#']) && text.is_ascii() && !base.origin().contains('@'));
    assert_eq!(base.to_string(), text);
    let uri = base.to_uri().expect("a checked address");
    assert_eq!(uri.scheme_str() == Some("http"), base.is_plain_http());
    assert_eq!(uri.host().map(str::to_owned), Some(base.host_name().to_owned()));
    assert!(base.is_same_origin(&uri) && base.matches(&uri) && base.is_same_origin_as(base));
    if let Ok(other) = other.parse::<Uri>()
        && base.is_same_origin(&other)
    {
        let host = other.host().unwrap_or_default();
        assert!(host.eq_ignore_ascii_case(base.host_name()), "another host is the same origin");
        assert_eq!(other.scheme_str(), uri.scheme_str());
    }
    match base.join(path) {
        Ok(joined) => {
            check_joined(base, &joined);
            check_joined(base, &joined.with_query([(query, path), ("a", query)]));
            if let Ok(queried) = joined.join_query(query) {
                check_joined(base, &queried);
            }
        }
        Err(error) => canary::check(&error),
    }
}

/// Checks that joining keeps the origin, and that errors show the address only.
fn check_joined(base: &Endpoint, joined: &Endpoint) {
    let uri = joined.to_uri().expect("a checked address");
    assert!(base.is_same_origin(&uri) && base.is_same_origin_as(joined), "the origin has changed");
    assert_eq!(joined.origin(), base.origin());
    assert_eq!(uri.host(), Some(base.host_name()));
    assert!(joined.as_str().starts_with(base.as_str()));
    assert!(!joined.to_string().contains('?') && !format!("{joined:?}").contains('?'));
}
