//! What every program may rely on of the types it holds: they cross threads, and can be debugged.

use std::fmt::Debug;
use std::future::Future;

use gatepass::clock::{CoarseTime, SystemClock};
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

fn is_held_anywhere<T: Debug + Send + Sync + Unpin>() {}
fn is_shared<T: Clone + Debug + Send + Sync + Unpin + 'static>() {}
fn is_sent<F: Future + Send>(_: impl Fn() -> F) {}

#[test]
fn what_is_shared_is_cloned_crosses_threads_and_can_be_debugged() {
    is_shared::<TokenSource>();
    is_shared::<TokenPool>();
    is_shared::<Token>();
    is_shared::<Secret>();
    is_shared::<Credential>();
    is_shared::<Endpoint>();
    is_shared::<Error>();
    is_shared::<Registry>();
    is_shared::<Settings>();
    is_shared::<Status>();
    is_shared::<MemoryStore>();
    is_shared::<Record>();
    is_shared::<FailureRecord>();
    is_shared::<HistoryEntry>();
    is_shared::<(ProcessInfo, ProfileKey, StoreKey, NextStep, PoolStatus)>();
    is_shared::<(ApiOrigins, AuthorizationRequest, RedirectUri, TokenRules, Expiry, CoarseTime)>();
    is_shared::<(ProviderInfo, Field, EnvironmentInfo, RefreshHints, SystemClock)>();
    is_shared::<CredentialFn<fn()>>();
}

#[test]
fn what_is_held_crosses_threads_and_can_be_debugged() {
    is_held_anywhere::<(Request, Response, Registration, ExchangeContext<'_>)>();
    is_held_anywhere::<(TokenSourceBuilder, TokenPoolBuilder, TokenBuilder)>();
    is_held_anywhere::<(Login, Watch)>();
    is_held_anywhere::<Box<dyn Provider>>();
    is_held_anywhere::<Box<dyn TokenStore>>();
    is_sent(|| async { drop(None::<Box<dyn Lease>>) });
}

#[cfg(feature = "config")]
#[test]
fn a_config_and_its_gate_are_too() {
    is_held_anywhere::<(gatepass::config::Config, gatepass::Gate)>();
    is_shared::<(gatepass::config::Env, gatepass::config::Profile, gatepass::config::ProfileOptions)>(
    );
}

#[cfg(feature = "http")]
#[test]
fn the_client_is_too() {
    is_shared::<gatepass::HttpClient>();
    is_held_anywhere::<(gatepass::http::HttpClientBuilder, gatepass::http::Body)>();
}

#[test]
fn a_token_is_awaited_on_any_thread() {
    is_sent(|| async {
        let source = TokenSource::fixed("token-1");
        source.prefetch().await?;
        let token = source.token().await?;
        source.headers().await?;
        source.close().await;
        Ok::<Token, Error>(token)
    });
}
