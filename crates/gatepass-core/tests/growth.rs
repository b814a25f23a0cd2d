//! Tests that buffers with secrets are allocated once, because growing leaves copies in memory.

use std::alloc::System;

use gatepass_core::{BasicEncoding, Endpoint, Request, Secret};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Returns how many reallocations a long secret causes.
fn growths<T>(act: impl Fn(&str) -> T) -> usize {
    let of = |secret: String| {
        let region = Region::new(ALLOCATOR);
        drop(act(&secret));
        region.change().reallocations
    };
    of("s/e+c\"\u{1}ä ".repeat(500)) - of("s".to_owned())
}

fn pairs(secret: &str) -> [(&str, &str); 2] {
    [("client_id", "app-1"), ("client_secret", secret)]
}

/// The only test of this program, because the allocator counts for all threads.
#[test]
fn buffers_with_secrets_do_not_grow() {
    let endpoint = Endpoint::parse("https://vendor.example.com/token").unwrap();
    let request = || Request::post(endpoint.clone());
    let roomy = |secret: &str| {
        let mut text = String::with_capacity(2 * secret.len());
        text.push_str(secret);
        Secret::from(text)
    };
    assert_eq!(growths(roomy), 0, "a string with spare capacity");
    assert_eq!(growths(|secret| request().form(pairs(secret))), 0, "a form");
    assert_eq!(growths(|secret| request().json(pairs(secret)).unwrap()), 0, "JSON");
    for encoding in [BasicEncoding::Raw, BasicEncoding::Form] {
        let basic = |secret: &str| request().basic("app-1", &secret.into(), encoding).unwrap();
        assert_eq!(growths(basic), 0, "Basic, {encoding:?}");
    }
}
