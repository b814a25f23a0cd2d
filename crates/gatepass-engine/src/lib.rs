//! Acquires, caches and refreshes access tokens: cache, single flight and stores for gatepass.
//!
//! A [`TokenSource`] is the token of one identity. While a usable token is cached,
//! [`TokenSource::token`] returns it immediately; otherwise all callers wait for one token request.
//! A [`TokenPool`] does the same for many identities, and a [`TokenStore`] shares tokens between
//! processes.
//!
//! ```
//! # use gatepass_engine::TokenSource;
//! # use gatepass_testkit::{FakeResponse, FakeHttp, example::Example};
//! # use gatepass_core::{Credential, Result};
//! # async fn run() -> Result<()> {
//! # let http = FakeHttp::returning([FakeResponse::token("token-1", 3600)]);
//! let source = TokenSource::builder(Example::new(), Credential::client("app-1", "hunter2"))
//!     .http(http)
//!     .build()?;
//! let token = source.token().await?;
//! assert_eq!(token.authorization(), "Bearer token-1");
//! # Ok(())
//! # }
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
//! # runtime.unwrap().block_on(run()).unwrap();
//! ```
//!
//! # Features
//!
//! | feature | adds |
//! |-|-|
//! | `file-store` | `FileStore`: an encrypted store in a folder that processes share |
//! | `sealed` | `SealingKeys` and the encoding of records, for a store of your own |
//! | `metrics` | the metrics below |
//!
//! # Metrics
//!
//! With the feature `metrics`, the engine sends metrics to the recorder that the program installs
//! for the `metrics` crate; without it they cost nothing. Labels are the provider's id, the
//! profile's name (both from the configuration) and the outcome (an error kind's code, or `token`).
//! A pool uses an empty `profile` and no expiry gauge, because it may have a million keys.
//!
//! | name | kind | labels | value |
//! |-|-|-|-|
//! | `gatepass_token_requests_total` | counter | provider, profile, outcome | completed flights |
//! | `gatepass_token_request_seconds` | histogram | provider, profile | duration of a flight |
//! | `gatepass_wait_seconds` | histogram | provider, profile | how long a caller waited for a flight |
//! | `gatepass_in_flight_requests` | gauge | provider, profile | flights in progress |
//! | `gatepass_lease_total` | counter | provider, profile, outcome | leases of the store: `granted`, `found` (another process's record), `busy` (waited in vain), `late` (lost during the request), `forgotten` |
//! | `gatepass_cooldown_seconds` | histogram | provider, profile, outcome | cool-downs after failures |
//! | `gatepass_token_expiry_seconds` | gauge | provider, profile | expiry of the cached token, in seconds since 1970 |
//!
//! A flight is one acquisition for all callers that wait; it makes one or two token requests.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod acquisition;
mod allowed_origins;
mod budget;
mod builder;
mod cache;
mod cache_state;
mod cached_token;
mod clock;
mod cooldown;
mod credential_history;
mod exchange;
mod exchange_failure;
mod fingerprint;
mod flight;
mod flight_handle;
mod freshness;
mod login;
mod metrics;
mod pending_login;
mod persistence;
mod policy;
mod pool;
mod prefetch;
mod rejection;
mod rt;
mod shared_failures;
mod source;
mod source_config;
mod status;
mod store;
mod watch;

pub use crate::builder::TokenSourceBuilder;
pub use crate::clock::SystemClock;
pub use crate::login::Login;
pub use crate::pool::{PoolKey, PoolStatus, TokenPool, TokenPoolBuilder};
pub use crate::source::TokenSource;
pub use crate::status::{State, Status};
#[cfg(feature = "file-store")]
pub use crate::store::FileStore;
#[cfg(all(feature = "__fuzzing", unix))]
#[doc(hidden)]
pub use crate::store::fuzzing;
pub use crate::store::{
    Circumstances, CredentialRecord, FailureRecord, HistoryEntry, Lease, LeaseOutcome, MemoryStore,
    NextStep, ProcessInfo, ProfileKey, Record, RecordRequirement, SaveOutcome, StoreKey,
    TokenStore,
};
#[cfg(feature = "sealed")]
pub use crate::store::{OpenError, Opened, SealingKeys};
pub use crate::watch::Watch;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
