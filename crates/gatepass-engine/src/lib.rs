//! Keeps access tokens fresh: cache and single flight for gatepass.
//!
//! A [`TokenSource`] is one identity's token. It is cheap to clone and to ask: while a usable token
//! is held, [`TokenSource::token`] answers at once; otherwise all who ask wait for one exchange.
//!
//! ```
//! # use gatepass_engine::TokenSource;
//! # use gatepass_testkit::{Answer, FakeHttp, example::Example};
//! # use gatepass_core::{Credential, Result};
//! # async fn run() -> Result<()> {
//! # let http = FakeHttp::answering([Answer::token("token-1", 3600)]);
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

mod authorize;
mod budget;
mod builder;
mod cache;
mod clock;
mod exchange;
mod fixed;
mod flight;
mod glance;
mod policy;
mod pool;
mod rest;
mod source;
mod status;
mod store;
mod stored;
mod warm;
#[cfg(not(feature = "wrong-engines"))]
mod wrong;
#[cfg(feature = "wrong-engines")]
#[doc(hidden)]
pub mod wrong;

pub use crate::builder::TokenSourceBuilder;
pub use crate::clock::SystemClock;
pub use crate::pool::{PoolStatus, TokenPool, TokenPoolBuilder};
pub use crate::source::TokenSource;
pub use crate::status::{State, Status};
#[cfg(feature = "file-store")]
pub use crate::store::FileStore;
pub use crate::store::{Failure, Lease, MemoryStore, ProfileKey, Record, StoreKey, TokenStore};
pub use crate::warm::Watch;
