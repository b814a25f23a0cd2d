//! Keeps access tokens fresh: cache and single flight for gatepass.
//!
//! A [`TokenSource`] is one identity's token. It is cheap to clone and to ask: while a usable token
//! is held, [`TokenSource::token`] answers at once; otherwise all who ask wait for one exchange.
//!
//! ```
//! # use gatepass_engine::TokenSource;
//! # use gatepass_testkit::{FakeResponse, FakeHttp, example::Example};
//! # use gatepass_core::{Credential, Result};
//! # async fn run() -> Result<()> {
//! # let http = FakeHttp::answering([FakeResponse::token("token-1", 3600)]);
//! let source = TokenSource::builder(Example::new())
//!     .credential(Credential::client("app-1", "hunter2"))
//!     .http(http)
//!     .build();
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
//! | `file-store` | `FileStore`: tokens in an encrypted folder that processes share |
//! | `metrics` | the figures below |
//!
//! # Metrics
//!
//! With the feature `metrics`, figures go to whatever recorder the program has installed for the
//! `metrics` crate; without it they cost nothing. Labels are the provider's id, the profile's name
//! (both from the configuration) and the outcome (an error kind's code, or `token`). What a pool
//! does is measured with an empty `profile`, and without the last figure: its keys may be a million.
//!
//! | name | kind | labels | what |
//! |-|-|-|-|
//! | `gatepass_token_requests_total` | counter | provider, profile, outcome | flights that ended |
//! | `gatepass_token_request_seconds` | histogram | provider, profile | from a flight's start to its end |
//! | `gatepass_wait_seconds` | histogram | provider, profile | how long a caller waited for one |
//! | `gatepass_in_flight_requests` | gauge | provider, profile | flights under way |
//! | `gatepass_cooldown_seconds` | histogram | provider, profile, outcome | cool-downs after failures |
//! | `gatepass_token_expiry_seconds` | gauge | provider, profile | the held token's end, in seconds since 1970 |

#![cfg_attr(docsrs, feature(doc_cfg))]

mod allowed_origins;
mod budget;
mod builder;
mod cache;
mod clock;
mod cooldown;
mod exchange;
mod fixed;
mod flight;
mod freshness;
mod login;
mod metrics;
mod noted;
mod persistence;
mod policy;
mod pool;
mod prefetch;
mod rt;
mod source;
mod status;
mod store;

pub use crate::builder::TokenSourceBuilder;
pub use crate::clock::SystemClock;
pub use crate::login::Login;
pub use crate::pool::{PoolStatus, TokenPool, TokenPoolBuilder};
pub use crate::prefetch::Watch;
pub use crate::source::TokenSource;
pub use crate::status::{State, Status};
#[cfg(feature = "file-store")]
pub use crate::store::FileStore;
#[cfg(all(feature = "__fuzzing", unix))]
#[doc(hidden)]
pub use crate::store::fuzzing;
pub use crate::store::{
    FailureRecord, HistoryEntry, Lease, MemoryStore, NextStep, ProcessInfo, ProfileKey, Record,
    StoreKey, TokenStore,
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
