//! Tests that public types implement `Debug`, `Send` and `Sync`, and shared ones `Clone`.

use std::fmt::Debug;
use std::future::Future;

use gatepass::clock::SystemClock;
use gatepass::login::{AuthorizationRequest, Login, RedirectUri};
use gatepass::provider::{
    ApiOrigins, EnvironmentInfo, ExchangeContext, Expiry, Field, Provider, ProviderInfo,
    RefreshHints, Registration, Registry, Request, Response, Settings, TokenBuilder, TokenRules,
};
use gatepass::status::{PoolStatus, Status, Watch};
use gatepass::store::{
    FailureRecord, HistoryEntry, Lease, MemoryStore, NextStep, ProcessInfo, ProfileKey, Record,
    StoreKey, TokenStore,
};
use gatepass::{
    Credential, CredentialFn, Endpoint, Error, Secret, Token, TokenPool, TokenPoolBuilder,
    TokenSource, TokenSourceBuilder,
};

fn assert_owned<T: Debug + Send + Sync + Unpin>() {}
fn assert_shared<T: Clone + Debug + Send + Sync + Unpin + 'static>() {}
fn assert_send<F: Future + Send>(_: impl Fn() -> F) {}

#[test]
fn shared_types_are_clone_send_and_debug() {
    assert_shared::<TokenSource>();
    assert_shared::<TokenPool>();
    assert_shared::<Token>();
    assert_shared::<Secret>();
    assert_shared::<Credential>();
    assert_shared::<Endpoint>();
    assert_shared::<Error>();
    assert_shared::<Registry>();
    assert_shared::<Settings>();
    assert_shared::<Status>();
    assert_shared::<MemoryStore>();
    assert_shared::<Record>();
    assert_shared::<FailureRecord>();
    assert_shared::<HistoryEntry>();
    assert_shared::<(ProcessInfo, ProfileKey, StoreKey, NextStep, PoolStatus)>();
    assert_shared::<(ApiOrigins, AuthorizationRequest, RedirectUri, TokenRules, Expiry)>();
    assert_shared::<(ProviderInfo, Field, EnvironmentInfo, RefreshHints, SystemClock)>();
    assert_shared::<CredentialFn<fn()>>();
}

#[test]
fn owned_types_are_send_and_debug() {
    assert_owned::<(Request, Response, Registration, ExchangeContext<'_>)>();
    assert_owned::<(TokenSourceBuilder, TokenPoolBuilder, TokenBuilder)>();
    assert_owned::<(Login, Watch)>();
    assert_owned::<Box<dyn Provider>>();
    assert_owned::<Box<dyn TokenStore>>();
    assert_send(|| async { drop(None::<Box<dyn Lease>>) });
}

#[cfg(feature = "config")]
#[test]
fn config_types_are_send_and_debug() {
    assert_owned::<(gatepass::config::Config, gatepass::Gate)>();
    assert_shared::<(
        gatepass::config::Env,
        gatepass::config::Profile,
        gatepass::config::ProfileOptions,
    )>();
}

#[cfg(feature = "http")]
#[test]
fn http_types_are_send_and_debug() {
    assert_shared::<gatepass::HttpClient>();
    assert_owned::<(gatepass::http::HttpClientBuilder, gatepass::http::Body)>();
}

#[test]
fn token_future_is_send() {
    assert_send(|| async {
        let source = TokenSource::fixed("token-1");
        source.prefetch().await?;
        let token = source.token().await?;
        source.headers().await?;
        source.close().await;
        Ok::<Token, Error>(token)
    });
}
