//! The HTTP client of gatepass, and middleware that adds tokens to requests.
//!
//! [`HttpClient`] sends token requests; [`SendWith`] adds tokens to the requests of your own client.
//! `HttpClient` implements [`HttpSend`](gatepass_core::HttpSend) with reqwest, under the rules that a
//! request with a secret needs:
//!
//! - redirects are not followed, because they would forward the secret; no cookies, no `Referer`, no
//!   decompression, no HTTP/2, no retries;
//! - `https` only, except to this machine or if the user allows plain http; TLS 1.2 or later with
//!   rustls, the platform's roots and the user's own CA;
//! - `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` apply to `https`, with `CONNECT` only; a value that is
//!   not understood is an error and never a direct request; plain http never uses a proxy;
//! - limits: 256 KiB of body, 100 header fields with 32 KiB in total; 5 s to connect, 10 s until the
//!   response head, 5 s between two chunks, 15 s in total;
//! - errors, events and `Debug` output contain no path, query, header or body.
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
//! | `webpki-roots` | Mozilla's roots, used if the platform has none, as in an image from scratch |

#![cfg_attr(docsrs, feature(doc_cfg))]

mod body;
mod client;
mod clients;
mod connections;
mod environment;
mod error;
mod limits;
mod middleware;
mod proxy;
mod resolver;
mod roots;
mod send_with;
mod tls;
#[cfg(feature = "tower")]
mod token_layer;
#[cfg(feature = "reqwest-middleware")]
mod token_middleware;
mod whole_body;

use std::sync::Arc;

use gatepass_core::__private::{DefaultHttp, inventory};

pub use crate::body::Body;
pub use crate::client::{ApiSend, HttpClient, HttpClientBuilder};
pub use crate::proxy::ProxyRoute;
pub use crate::send_with::{SendWith, api_client_builder};
#[cfg(feature = "tower")]
pub use crate::token_layer::{TokenLayer, TokenService};
#[cfg(feature = "reqwest-middleware")]
pub use crate::token_middleware::TokenMiddleware;
#[cfg(feature = "tower")]
pub use crate::whole_body::WholeBody;

// The HTTP client of sources that were built without one.
inventory::submit! {
    DefaultHttp(|| Ok(Arc::new(HttpClient::new()?)))
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
