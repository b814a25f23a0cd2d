//! Registration of providers and of the default HTTP client at link time.

use std::sync::Arc;

use crate::{HttpSend, ProviderInfo, Result};

/// A provider that is linked into this program.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Registration {
    /// The provider's facts.
    pub info: &'static ProviderInfo,
    /// The name of the provider's crate.
    pub package: &'static str,
    /// The version of the provider's crate.
    pub version: &'static str,
}

impl Registration {
    /// Creates a registration; [`register!`](crate::register) is the usual way.
    pub const fn new(
        info: &'static ProviderInfo,
        package: &'static str,
        version: &'static str,
    ) -> Self {
        Self { info, package, version }
    }

    /// Returns all registrations in this program, in no particular order.
    ///
    /// A crate that no code names is not linked, and its registration is missing then. Write
    /// `use provider_acme as _;` to link it.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        inventory::iter::<Self>()
    }
}

inventory::collect!(Registration);

/// Makes the HTTP client of sources that were built without one. `gatepass-http` registers it.
#[derive(Clone, Copy, Debug)]
pub struct DefaultHttp(pub fn() -> Result<Arc<dyn HttpSend>>);

inventory::collect!(DefaultHttp);

/// Makes the default HTTP client, if one is linked into this program.
pub fn default_http() -> Option<Result<Arc<dyn HttpSend>>> {
    inventory::iter::<DefaultHttp>().next().map(|default| (default.0)())
}

/// Registers a provider's [`ProviderInfo`](crate::ProviderInfo), once in its crate.
///
/// ```
/// use gatepass_core::{ProviderInfo, Registration, register};
///
/// pub const INFO: ProviderInfo = ProviderInfo::new("acme", "Acme Cloud");
/// register!(INFO);
///
/// assert!(Registration::all().any(|registration| registration.info.id == "acme"));
/// ```
#[macro_export]
macro_rules! register {
    ($info:expr) => {
        $crate::__private::inventory::submit! {
            $crate::Registration::new(
                const { &$info },
                ::core::env!("CARGO_PKG_NAME"),
                ::core::env!("CARGO_PKG_VERSION"),
            )
        }
    };
}
