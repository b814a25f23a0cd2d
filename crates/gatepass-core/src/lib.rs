//! The vocabulary of gatepass: what a vendor's access token is and how to ask for one.
//!
//! [`Provider`] is the one trait. A provider builds the vendor's token [`Request`] from a
//! [`Credential`] and reads the [`Response`] into a [`Token`]; it does no I/O. This crate has no
//! runtime, no HTTP client and no clock: with it, one provider crate and any HTTP client there is
//! a token already.
//!
//! ```
//! use std::time::SystemTime;
//! use gatepass_core::{Credential, Endpoint, Provider, Request, Response, Result, Token, oauth2};
//!
//! #[derive(Debug)]
//! struct Acme { endpoint: Endpoint }
//!
//! impl Provider for Acme {
//!     fn id(&self) -> &str {
//!         "acme"
//!     }
//!
//!     fn token_request(&self, credential: &Credential) -> Result<Request> {
//!         let secret = credential.secret("client_secret")?.expose_secret();
//!         Ok(Request::post(self.endpoint.join("/v1/token")?)
//!             .form([("client_id", credential.text("client_id")?), ("client_secret", secret)]))
//!     }
//!     fn read_token(&self, response: &Response, sent: SystemTime) -> Result<Token> {
//!         oauth2::read_token(response, sent)
//!     }
//! }
//! # fn main() {}
//! ```

mod access_token;
mod api;
mod authorize;
mod cache_key;
mod clock;
mod const_list;
mod credential;
mod digest;
mod endpoint;
mod error;
mod exchange;
mod hint;
mod http;
mod info;
mod json;
mod limits;
mod login;
mod pointer;
mod provider;
mod redact;
mod redirect_uri;
mod register;
mod retry_after;
mod secret;
mod settings;
mod token;

pub mod oauth2;

pub use async_trait::async_trait;

pub use crate::access_token::AccessToken;
pub use crate::api::{ApiRequest, ApiResponse, TokenVerdict};
pub use crate::authorize::{ApiOrigins, Authorize};
pub use crate::cache_key::CacheKey;
pub use crate::clock::Clock;
pub use crate::const_list::{StringList, ValueList};
pub use crate::credential::{Credential, CredentialFn, CredentialSource, credential_fn};
pub use crate::endpoint::{Endpoint, percent_encode};
pub use crate::error::{ConfigPlace, Error, ErrorKind, Result, Retry};
pub use crate::exchange::ExchangeContext;
pub use crate::hint::{Hint, HintArg};
pub use crate::http::{
    BasicEncoding, HttpSend, MAX_BODY, MAX_HEADER_BYTES, MAX_HEADERS, Request, Response,
};
pub use crate::info::{EnvironmentInfo, Field, FieldKind, ProviderInfo, RefreshHints};
pub use crate::login::{AuthorizationRequest, ExpectedState, Interactive, LoginAttempt};
pub use crate::provider::Provider;
pub use crate::redirect_uri::RedirectUri;
pub use crate::register::Registration;
pub use crate::retry_after::retry_after;
pub use crate::secret::Secret;
pub use crate::settings::Settings;
pub use crate::token::{
    ASSUMED_LIFETIME, Expiry, MAX_LIFETIME, MAX_TOKEN, Token, TokenBuilder, TokenCharset,
    TokenRules,
};

/// Items for the macros of this crate and for the other gatepass crates.
#[doc(hidden)]
pub mod __private {
    pub use inventory;

    pub use crate::digest::{Digest, digest, keyed_digest};
    pub use crate::limits::on_thread;
    pub use crate::register::{DefaultHttp, default_http};
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
