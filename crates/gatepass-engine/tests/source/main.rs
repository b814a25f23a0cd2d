//! Tests of `TokenSource` with a fake clock and a fake vendor.

#![expect(clippy::unwrap_used, reason = "a failed assumption fails the test")]

mod causes;
mod cooldown;
mod expiry;
mod faults;
mod flights;
mod headers;
mod history;
mod invalidation;
mod login;
mod memory_only;
mod refresh;
mod store;
mod watch;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use gatepass_core::{Credential, CredentialSource, Error, Result, Token};
use gatepass_engine::{TokenSource, TokenSourceBuilder};
use gatepass_testkit::example::Example;
use gatepass_testkit::{FakeHttp, FakeResponse, TestClock};

/// A vendor that issues `token-0`, `token-1`, … with this lifetime in seconds.
fn vendor(lifetime: u64) -> FakeHttp {
    FakeHttp::new(move |n| FakeResponse::token(&format!("token-{n}"), lifetime))
}

fn builder(http: &FakeHttp, clock: &TestClock) -> TokenSourceBuilder {
    builder_with(http, clock, Credential::client("client", "the secret"))
}

fn builder_with(
    http: &FakeHttp,
    clock: &TestClock,
    credential: impl CredentialSource + 'static,
) -> TokenSourceBuilder {
    TokenSource::builder(Example::new(), credential)
        .http(http.clone())
        .clock(clock.clone())
        .name("prod")
}

fn source(http: &FakeHttp, clock: &TestClock) -> TokenSource {
    builder(http, clock).build().unwrap()
}

fn text(outcome: Result<Token>) -> std::result::Result<String, Error> {
    outcome.map(|token| token.expose_secret().to_owned())
}

/// Polls all tasks until they are idle: the runtime has one thread and polls tasks in turn.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

fn poll<T>(future: &mut Pin<Box<impl Future<Output = T> + ?Sized>>) -> Poll<T> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}
