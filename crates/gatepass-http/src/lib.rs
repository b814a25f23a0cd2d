//! The HTTP client of gatepass: [`HttpClient`] sends token requests and nothing else on its own.
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
//! `webpki-roots`: where the platform has no roots at all, as in an image from scratch, Mozilla's
//! are used. Where it has some, nothing changes.

mod body;
mod client;
mod error;
mod limits;
mod tls;

pub use crate::body::Body;
pub use crate::client::{HttpClient, HttpClientBuilder};
