//! Tests of the middleware's `Debug` output.

use bytes::Bytes;
use gatepass_engine::TokenSource;
use gatepass_testkit::{Canary, canary, find_leak};

#[test]
fn middleware_debug_shows_no_secret() {
    let secret = canary("token");
    let mut printed = String::new();
    #[cfg(feature = "reqwest-middleware")]
    {
        let middleware = gatepass_http::TokenMiddleware::new(TokenSource::fixed(secret.text()));
        printed += &format!("{middleware:?} {middleware:#?}");
    }
    #[cfg(feature = "tower")]
    {
        use tower::Layer as _;

        let layer = gatepass_http::TokenLayer::<Bytes>::new(TokenSource::fixed(secret.text()));
        let service = layer.layer(secret.text().to_owned());
        printed += &format!("{layer:?} {layer:#?} {service:?} {service:#?}");
    }
    let source = TokenSource::fixed(secret.text());
    printed += &format!("{source:?} {source:#?}");
    assert_eq!(find_leak(&printed, std::slice::from_ref(&secret)), None);
    // Positive control: a leak is found.
    let leaky: (&str, Bytes) = (secret.text(), Bytes::new());
    assert!(find_leak(&format!("{leaky:?}"), &[Canary::new("token", secret.text())]).is_some());
}
