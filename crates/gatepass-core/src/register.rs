//! Registration: how a provider crate makes itself known to whoever links it.

use std::sync::Arc;

use crate::{HttpSend, ProviderInfo, Result};

/// One provider linked into this program.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Registration {
    /// The facts.
    pub info: &'static ProviderInfo,
    /// The crate it comes from.
    pub package: &'static str,
    /// That crate's version.
    pub version: &'static str,
}

impl Registration {
    /// A registration by hand. [`register!`](crate::register) is the usual way.
    pub const fn new(
        info: &'static ProviderInfo,
        package: &'static str,
        version: &'static str,
    ) -> Self {
        Self { info, package, version }
    }

    /// All registrations in this program, in no particular order.
    ///
    /// A crate that no code names is not linked, and then its registration is not here: say
    /// `use provider_acme as _;` somewhere.
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
