//! Conformance tests for gatepass providers and token stores, and fakes of the network and clock.
//!
//! In a provider crate, beside the provider (`fixtures` is a folder of the crate, see [`Fixture`]):
//!
//! ```ignore
//! #[cfg(test)]
//! gatepass_testkit::conformance!(super::INFO, "fixtures");
//! ```
//!
//! [`conform`] runs the same checks on any [`ProviderInfo`](gatepass_core::ProviderInfo), for tests
//! that iterate over a registry.
//!
//! The crate also contains tools for tests of code that uses tokens. [`FakeHttp`] returns the
//! test's responses at the test's command. [`TestClock`] has separate wall and boot time.
//! [`canary`] generates a secret, and [`find_leak`] searches output for it. [`example::Example`] is
//! a provider without a vendor.
//!
//! # Features
//!
//! | feature | adds |
//! | - | - |
//! | `store` | `store_contract!`, the tests of a token store |

#![cfg_attr(docsrs, feature(doc_cfg))]
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a failed check fails the test that called it"
)]

mod block_on;
mod canary;
mod clock;
mod fake_http;
mod fixture;
mod profile;

pub mod checks;
pub mod example;
#[cfg(feature = "store")]
pub mod store;

pub use crate::block_on::block_on;
pub use crate::canary::{Canary, Leak, canary, find_leak};
pub use crate::checks::conform;
pub use crate::clock::TestClock;
pub use crate::fake_http::{FakeHttp, FakeResponse, RecordedRequest};
pub use crate::fixture::Fixture;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
