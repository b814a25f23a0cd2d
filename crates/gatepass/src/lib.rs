//! Access tokens from vendors' APIs: acquired once, kept fresh, never leaked.
//!
//! Enable the vendors' features, make a [`TokenSource`], and ask it for a token before every
//! request. It returns the cached token while that is usable. Otherwise it sends one token request
//! for all callers that wait.
//!
//! ```
//! # #[cfg(all(feature = "huawei", feature = "http"))]
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use gatepass::huawei::Huawei;
//! use gatepass::{Credential, HttpClient, SendWith, TokenSource, http};
//!
//! let huawei = Huawei::new("acme.huaweioneaccess.com")?;
//! let iam = TokenSource::builder(huawei, Credential::client("app-1", "hunter2"))
//!     .http(HttpClient::new()?)
//!     .build()?;
//!
//! let api = http::api_client_builder().build()?; // your own reqwest client
//! let users = "https://acme.huaweioneaccess.com/api/v2/tenant/users?org_id=&offset=0&limit=10";
//! let response = api.get(users).send_with(&iam).await?;
//! # Ok(())
//! # }
//! ```
//!
//! [`SendWith`] adds all headers that the vendor requires to a request. If the API rejects the
//! token, it tries once more with a fresh one. The token is sent to the origins of the vendor's API
//! and to those that you add, and to no other.
//!
//! With a config file it is three lines for any vendor: see [`Gate`]. The
//! [manual](https://github.com/gatepass/gatepass/blob/main/docs/README.md) lists all keys of that file,
//! the credentials of each vendor, and further topics for services.
//!
//! # Modules
//!
//! The root has what most programs use. [`provider`] is for providers of your own, [`store`] for
//! token stores, [`http`](mod@http) for HTTP clients and middleware, [`login`] for logins with a
//! browser, [`status`] and [`clock`] for services and tests.
//!
//! # Your own reqwest clients
//!
//! gatepass installs no crypto provider for the process. A `reqwest::Client` of your own works as
//! without gatepass, in any order, if your reqwest has a TLS feature (its default, `rustls`,
//! `native-tls`, or `rustls-no-provider` and a provider that you install). Without one, gatepass's
//! dependency gives your reqwest `rustls-no-provider`, and its own clients panic unless `main` begins
//! with this line (rustls 0.23 with the feature `ring`):
//!
//! ```ignore
//! rustls::crypto::ring::default_provider().install_default().expect("no other provider");
//! ```
//!
//! Clients of [`api_client_builder`](http::api_client_builder) never need it.
//!
//! # Features
//!
//! No vendor is enabled by default. A feature adds, and never changes existing behaviour.
//!
//! | feature | adds |
//! |-|-|
//! | `http` | [`HttpClient`], our HTTP client, and [`SendWith`] for yours; on by default |
//! | `config` | [`Gate`] and `config`: profiles from a file or the environment; on by default |
//! | `all-providers` | the five vendors |
//! | `celerdata` | a vendor: CelerData Cloud |
//! | `cisco` | a vendor: Cisco |
//! | `cloudneeti` | a vendor: Cloudneeti (Zscaler CSPM) |
//! | `configapi` | a vendor: Bright Pattern's Configuration API |
//! | `huawei` | a vendor: Huawei OneAccess |
//! | `reqwest-middleware` | `http::TokenMiddleware`: `SendWith` for every request of such a client |
//! | `tower` | `http::TokenLayer`: the same for a service over `http::Request` |
//! | `file-store` | `store::FileStore`: tokens in an encrypted directory, shared with the command |
//! | `keyring` | `keyring`: secrets from the machine's keyring, as in `{ keyring = "…" }` |
//! | `metrics` | metrics for the recorder of the crate `metrics` that the program has installed |
//! | `webpki-roots` | Mozilla's root certificates, if the platform has none |

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "config")]
mod blocking;
#[cfg(feature = "config")]
#[doc(hidden)]
pub mod cli_support;
#[cfg(feature = "config")]
pub mod config;
#[cfg(feature = "config")]
mod gate;
#[cfg(feature = "keyring")]
pub mod keyring;
mod registry;

// A provider crate that no code names is not linked, and its registration disappears without an
// error. These lines link the providers.
#[cfg(feature = "celerdata")]
pub use provider_celerdata as celerdata;
#[cfg(feature = "cisco")]
pub use provider_cisco as cisco;
#[cfg(feature = "cloudneeti")]
pub use provider_cloudneeti as cloudneeti;
#[cfg(feature = "configapi")]
pub use provider_configapi as configapi;
#[cfg(feature = "huawei")]
pub use provider_huawei as huawei;

pub use gatepass_core::{
    AccessToken, Authorize, Credential, CredentialFn, CredentialSource, Endpoint, Error, ErrorKind,
    Hint, HintArg, Result, Retry, Secret, Token, credential_fn,
};
pub use gatepass_engine::{PoolKey, TokenPool, TokenPoolBuilder, TokenSource, TokenSourceBuilder};
#[cfg(feature = "http")]
pub use gatepass_http::{HttpClient, SendWith};

#[cfg(feature = "config")]
pub use crate::gate::{Gate, ProfileSelection};

/// Providers: the trait, the facts about a vendor, and the parts that vendors share.
pub mod provider {
    pub use gatepass_core::{
        ApiOrigins, ApiRequest, ApiResponse, BasicEncoding, CacheKey, EnvironmentInfo,
        ExchangeContext, Expiry, Field, FieldKind, Provider, ProviderInfo, RefreshHints,
        Registration, Request, Response, Settings, StringList, TokenBuilder, TokenCharset,
        TokenRules, TokenVerdict, ValueList, async_trait, oauth2, register, retry_after,
    };

    pub use crate::registry::Registry;
}

/// Token stores: memory, files, and the trait for others.
pub mod store {
    pub use gatepass_engine::{
        Circumstances, CredentialRecord, FailureRecord, HistoryEntry, Lease, LeaseOutcome,
        MemoryStore, NextStep, ProcessInfo, ProfileKey, Record, RecordRequirement, SaveOutcome,
        StoreKey, TokenStore,
    };
    #[cfg(feature = "file-store")]
    pub use gatepass_engine::{FileStore, OpenError, Opened, SealingKeys};
}

/// HTTP: the trait for clients, our client, and middleware for other clients.
pub mod http {
    pub use gatepass_core::HttpSend;
    #[cfg(feature = "reqwest-middleware")]
    pub use gatepass_http::TokenMiddleware;
    #[cfg(feature = "http")]
    pub use gatepass_http::{ApiSend, Body, HttpClientBuilder, ProxyRoute, api_client_builder};
    #[cfg(feature = "tower")]
    pub use gatepass_http::{TokenLayer, TokenService, WholeBody};
}

/// Logins of a user with a browser.
pub mod login {
    pub use gatepass_core::{
        AuthorizationRequest, ExpectedState, Interactive, LoginAttempt, RedirectUri,
    };
    pub use gatepass_engine::Login;
}

/// The status of sources and pools.
pub mod status {
    pub use gatepass_engine::{PoolStatus, State, Status, Watch};
}

/// The clock of sources, stores and pools, which tests replace.
pub mod clock {
    pub use gatepass_core::Clock;
    #[doc(hidden)]
    pub use gatepass_engine::SystemClock;
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
