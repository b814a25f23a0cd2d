//! Access tokens from vendors' APIs: acquired once, kept fresh, never leaked.
//!
//! Pick the vendors by feature, make a [`TokenSource`], and ask it before every request: it
//! answers from memory while the token is good, and makes one exchange for everybody who waits
//! when it is not.
//!
//! ```
//! # #[cfg(all(feature = "huawei", feature = "http"))]
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use gatepass::huawei::Huawei;
//! use gatepass::{Credential, HttpClient, SendWith, TokenSource, api_client_builder};
//!
//! let huawei = Huawei::new("acme.huaweioneaccess.com")?;
//! let iam = TokenSource::builder(huawei, Credential::client("app-1", "hunter2"))
//!     .http(HttpClient::new()?)
//!     .build()?;
//!
//! let api = api_client_builder().build()?; // your own reqwest client
//! let users = "https://acme.huaweioneaccess.com/api/v2/tenant/users?org_id=&offset=0&limit=10";
//! let answer = api.get(users).send_with(&iam).await?;
//! # Ok(())
//! # }
//! ```
//!
//! [`SendWith`] puts every header the vendor wants on a request, and where the API
//! refuses the token it tries once more with a fresh one. The token goes to the origins of the
//! vendor's API and to those you add, and to no other.
//!
//! With a config file it is three lines, whatever the vendor: see [`Gate`]. The
//! [manual](https://github.com/gatepass/gatepass/blob/main/docs/README.md) has every key of it, what
//! each vendor wants, and what else a service may need.
//!
//! # Features
//!
//! No vendor is compiled in by default. A feature adds, and never changes what is there.
//!
//! | feature | adds |
//! |-|-|
//! | `http` | [`HttpClient`], a client of our own, and [`SendWith`] for yours; on by default |
//! | `config` | [`Gate`] and [`Config`]: profiles from a file or the environment; on by default |
//! | `all-providers` | the five vendors |
//! | `celerdata` | a vendor: CelerData Cloud |
//! | `cisco` | a vendor: Cisco |
//! | `cloudneeti` | a vendor: Cloudneeti (Zscaler CSPM) |
//! | `configapi` | a vendor: Bright Pattern's Configuration API |
//! | `huawei` | a vendor: Huawei OneAccess |
//! | `reqwest-middleware` | `TokenMiddleware`: what `SendWith` does, on every request of such a client |
//! | `tower` | `TokenLayer`: the same for a service over `http::Request` |
//! | `file-store` | `FileStore`: tokens in an encrypted folder that processes share, as the command's are |
//! | `keyring` | secrets from the machine's keyring, where a config says `{ keyring = "…" }` |
//! | `metrics` | figures for the recorder of the crate `metrics` that the program has installed |
//! | `webpki-roots` | Mozilla's roots, used where the platform has none |

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "config")]
mod config;
#[cfg(feature = "config")]
mod gate;
#[cfg(feature = "keyring")]
pub mod keyring;
mod registry;

// A provider crate that no code names is not linked, and its registration is silently gone: these
// lines are why the registry has them.
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
    AccessToken, ApiOrigins, ApiRequest, ApiResponse, AuthorizationRequest, Authorize,
    BasicEncoding, Clock, CoarseTime, ConfigPlace, Credential, CredentialFn, CredentialSource,
    Endpoint, EnvironmentInfo, Error, ErrorKind, ExchangeContext, Expiry, Field, FieldKind, Hint,
    HintArg, HttpSend, Interactive, Provider, ProviderInfo, RedirectUri, RefreshHints,
    Registration, Request, Response, Result, Retry, Secret, Settings, Token, TokenBuilder,
    TokenCharset, TokenRules, TokenVerdict, async_trait, credential_fn, oauth2, register,
    retry_after,
};
#[cfg(feature = "file-store")]
pub use gatepass_engine::FileStore;
pub use gatepass_engine::{
    FailureRecord, HistoryEntry, Lease, Login, MemoryStore, NextStep, PoolKey, PoolStatus,
    ProcessInfo, ProfileKey, Record, State, Status, StoreKey, SystemClock, TokenPool,
    TokenPoolBuilder, TokenSource, TokenSourceBuilder, TokenStore, Watch,
};
#[cfg(feature = "reqwest-middleware")]
pub use gatepass_http::TokenMiddleware;
#[cfg(feature = "http")]
pub use gatepass_http::{Body, HttpClient, HttpClientBuilder, SendWith, api_client_builder};
#[cfg(feature = "tower")]
pub use gatepass_http::{TokenLayer, TokenService, WholeBody};

#[cfg(feature = "config")]
pub use crate::config::{
    BoundSecret, COMMON_FIELDS, Config, Env, Profile, ProfileOptions, ProfileOrigin,
};
#[cfg(feature = "config")]
pub use crate::gate::Gate;
pub use crate::registry::Registry;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
