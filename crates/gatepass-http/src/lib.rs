//! The HTTP client of gatepass: [`HttpClient`] sends token requests and nothing else on its own;
//! [`SendWith`] puts tokens on the requests of your own client.
//!
//! It is [`HttpSend`](gatepass_core::HttpSend) over reqwest, with the rules that a request
//! with a secret in it needs:
//!
//! - no redirect is followed, since it would carry the secret along; no cookie, no `Referer`, no
//!   decompression, no HTTP/2, no retry;
//! - `https` only, except to this machine or where the user allows plain http; TLS 1.2 or later by
//!   rustls, with the platform's roots and the user's own CA;
//! - `HTTPS_PROXY` and `NO_PROXY` are honoured for `https`, by `CONNECT` only; a plain http
//!   request never goes through a proxy;
//! - bounded: 256 KiB of body, 100 header fields, 32 KiB of them; 5 s to connect, 10 s to answer,
//!   5 s between two pieces, 15 s in all;
//! - no error, event or `Debug` shows a path, query, header or body.
//!
//! ```no_run
//! use gatepass_core::{Endpoint, HttpSend, Request};
//! use gatepass_http::HttpClient;
//!
//! # async fn example() -> gatepass_core::Result<()> {
//! let http = HttpClient::new()?;
//! let endpoint = Endpoint::parse("https://vendor.example/oauth2/token")?;
//! let request = Request::post(endpoint).form([("grant_type", "client_credentials")]);
//! let response = http.send(request).await?;
//! println!("{}", response.status());
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! | feature | adds |
//! |-|-|
//! | `reqwest-middleware` | `TokenMiddleware`, for clients of the crate of that name |
//! | `tower` | `TokenLayer`, for services over `http::Request` |
//! | `webpki-roots` | Mozilla's roots, used where the platform has none at all, as in an image from scratch |

#![cfg_attr(docsrs, feature(doc_cfg))]

mod body;
mod client;
mod error;
mod limits;
mod middleware;
mod send_with;
mod tls;
#[cfg(feature = "tower")]
mod token_layer;
#[cfg(feature = "reqwest-middleware")]
mod token_middleware;
mod whole;

use std::sync::Arc;

use gatepass_core::__private::{DefaultHttp, inventory};

pub use crate::body::Body;
pub use crate::client::{HttpClient, HttpClientBuilder};
pub use crate::send_with::{SendWith, api_client_builder};
#[cfg(feature = "tower")]
pub use crate::token_layer::{TokenLayer, TokenService};
#[cfg(feature = "reqwest-middleware")]
pub use crate::token_middleware::TokenMiddleware;
#[cfg(feature = "tower")]
pub use crate::whole::WholeBody;

// The HTTP client of sources that were built without one.
inventory::submit! {
    DefaultHttp(|| Ok(Arc::new(HttpClient::new()?)))
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
