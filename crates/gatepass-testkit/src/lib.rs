//! Asks a gatepass provider the questions every provider must answer.
//!
//! In a provider crate, beside the provider (`fixtures` is a folder of the crate, see [`Fixture`]):
//!
//! ```ignore
//! #[cfg(test)]
//! gatepass_testkit::conformance!(super::INFO, "fixtures");
//! ```
//!
//! [`conform`] asks the same of any [`ProviderInfo`](gatepass_core::ProviderInfo), for whoever
//! walks a registry. Besides, the crate has what tests of token code need: [`FakeHttp`] answers
//! when told, [`TestClock`] keeps wall and boot time apart, [`canary`] and [`find_leak`] find
//! secrets where none belongs, and [`example::Example`] is a provider without a vendor.
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
    reason = "a failed check fails the test of whoever called it"
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
pub use crate::fake_http::{FakeHttp, FakeResponse, Recorded};
pub use crate::fixture::Fixture;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
