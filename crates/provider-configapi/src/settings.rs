//! What a profile of the Configuration API says besides its secret, with its defaults.

use gatepass_core::{Endpoint, Result};

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) base: Endpoint,
    pub(crate) scope: String,
    pub(crate) api_version: ApiVersion,
}

/// One of the two token endpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApiVersion {
    /// `/configapi/v2/oauth/token`.
    #[default]
    V2,
    /// `/configapi/v3/oauth/token`, for list management.
    V3,
}

impl Settings {
    pub(crate) fn read(profile: &gatepass_core::Settings) -> Result<Self> {
        let base = profile.base_or_host("host")?;
        let scope = match (profile.optional_text("scope"), profile.optional_text("host")) {
            (Some(scope), _) if !scope.is_empty() => scope.to_owned(),
            // The tenant is the host that was named, even where base_url leads elsewhere.
            (_, Some(host)) if profile.base_url().is_some() => named(host)?.host_name().to_owned(),
            _ => base.host_name().to_owned(),
        };
        Ok(Self {
            base,
            scope,
            api_version: profile
                .choice("api_version", &[("v2", ApiVersion::V2), ("v3", ApiVersion::V3)])?,
        })
    }
}

/// A host that gives its name only: nothing is sent there.
fn named(host: &str) -> Result<Endpoint> {
    if host.contains("://") { Endpoint::parse_plain_http(host) } else { Endpoint::host(host) }
}
