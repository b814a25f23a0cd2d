//! The vendors of gatepass on loopback, with their quirks and faults.
//!
//! Start a [`Sandbox`], point a client at its addresses, and inspect its counters:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), gatepass_sandbox::Error> {
//! use gatepass_sandbox::{Fault, Sandbox};
//!
//! let sandbox = Sandbox::start().await?;
//! sandbox.inject(Fault::new("status-503").provider("cisco").times(2))?;
//! let base_url = sandbox.base_url("cisco"); // the token endpoint is /as/token.oauth2 below it
//! let client = sandbox.client("cisco"); // the generated client that it accepts
//! assert_eq!(sandbox.state().provider("cisco").issued, 0);
//! sandbox.shutdown().await;
//! # Ok(()) }
//! ```
//!
//! Each vendor is as strict as the real one: a wrong secret, a missing header or a wrong content
//! type is rejected with the vendor's own bytes, and its API accepts valid tokens only. All
//! credentials are generated for the run, and every token carries a mark (`Sandbox`, `SANDBOX`,
//! `5A4DB0C5`, or a claim `"sandbox": true`) that identifies it as a simulated one. The sandbox
//! listens on loopback only and rejects requests with another `Host`.
//!
//! | vendor | token endpoints, after `/<provider>` | API that accepts its tokens |
//! |-|-|-|
//! | `celerdata` | `POST /api/1.0/token` | `GET /api/1.0/clusters`, `…/clusters/{id}/state` |
//! | `cisco` | `POST /as/token.oauth2`, `POST /oauth2/default/v1/token` | `GET /hello` |
//! | `cloudneeti` | `POST [/api]/authorize/license/{license}/token` | `GET [/api]/onboarding/license/{license}/licenseAccounts`, `…/compliance/…/rescan`, `…/audit/…/summary` |
//! | `configapi` | `POST /configapi/v2/oauth/token`, `…/v3/…` | `GET /configapi/v2/phone/user`, `…/user/{name}` |
//! | `huawei` | `POST /api/v2/tenant/token` | `GET /api/v2/tenant/users?org_id=&offset=0&limit=10` |
//!
//! [`Sandbox::with`] adds a vendor of another crate: [`SandboxVendor`] has an example.
//!
//! Two vendors also have the implicit grant (RFC 6749 section 4.2): a login page, a consent page, and
//! the redirect to the client with the token in the fragment.
//!
//! | vendor | authorization pages, after `/<provider>` |
//! |-|-|
//! | `cisco` | `/as/authorization.oauth2?response_type=token&client_id=…&redirect_uri=…&state=…` |
//! | `huawei` | `/api/v1/oauth2/authorize?response_type=id_token token&client_id=…&redirect_uri=…&scope=openid&state=…&nonce=…` |
//!
//! The only user is `sandbox` with the password `sandbox`. A session lasts 15 minutes, and consent is
//! remembered per client. For automation the pages have the ids `username`, `password`, `login`,
//! `allow`, `deny` and `message`. The default `redirect_uri` of a client is
//! `http://127.0.0.1:0/My_ITK_Application/index.html` (`cisco`) or `http://127.0.0.1:0/callback`
//! (`huawei`), where port 0 means any port. Faults named `login-…` change the redirect; others do so
//! with `on=login`.
//!
//! The sandbox has its own clock: [`Sandbox::advance`] ends tokens, sessions and rate limits, so tests
//! do not sleep.
//!
//! # Features
//!
//! | feature | adds |
//! |-|-|
//! | `tls` | `SandboxBuilder::tls`: https on loopback, with a certificate generated for the run |
//!
//! # Control API
//!
//! JSON under `/_sandbox/`: `GET state`, `GET requests`, `GET faults`, `POST clients`
//! (`{"provider":"cisco","fields":{…},"ttl_seconds":60}`), `POST faults`
//! (`{"provider":"cisco","fault":"status-503","times":3}`, `{"clear":true}`), `POST time`
//! (`{"advance_seconds":60}`), `POST revoke` (`{"provider":"cisco"}`), `POST reset`. An unknown name
//! is a 400 that names the nearest known one.
//!
//! # Limits
//!
//! Not simulated: logins of added vendors, the authorization code grant, OpenID Connect parameters other than `nonce`, HTTP/2,
//! and faults of TLS, DNS and connection setup. Signatures of JWTs are random bytes.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod authorize;
mod built_in;
mod celerdata;
mod cisco;
mod client;
mod clock;
mod cloudneeti;
mod configapi;
mod control;
mod error;
mod faults;
#[cfg(feature = "__fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod huawei;
mod page;
mod random;
mod redirect;
mod response;
mod router;
mod sandbox;
mod server;
mod session;
mod state;
#[cfg(test)]
mod tests;
#[cfg(feature = "tls")]
mod tls;
mod vendor;
mod vendor_request;
mod vendor_state;
mod vendors;

pub use client::{Client, NewClient};
pub use error::{Error, ErrorKind, Result};
pub use faults::{Fault, FaultInfo, Target};
pub use response::SandboxResponse;
pub use sandbox::{Sandbox, SandboxBuilder};
pub use state::{Counters, LogEntry, Snapshot};
pub use vendor::{ClientField, SandboxVendor, VendorProfile};
pub use vendor_request::VendorRequest;
pub use vendor_state::VendorContext;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
