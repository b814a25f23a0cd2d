//! Tokens of Bright Pattern's Configuration API: the client credentials grant of RFC 6749 section
//! 4.4 with a user's login name as the client, and the host's name as the scope.
//!
//! ```
//! use gatepass_core::{Credential, Provider};
//! use provider_configapi::ConfigApi;
//!
//! let center = ConfigApi::new("acme.brightpattern.com")?;
//! let request = center.token_request(&Credential::client("jane.doe", "hunter2"))?;
//! assert_eq!(
//!     request.endpoint().as_str(),
//!     "https://acme.brightpattern.com/configapi/v2/oauth/token",
//! );
//! assert_eq!(center.scope(), Some("acme.brightpattern.com"));
//! # Ok::<(), gatepass_core::Error>(())
//! ```

mod settings;
mod wire;

use std::time::SystemTime;

use gatepass_core::{
    Credential, Endpoint, Error, Field, Provider, ProviderInfo, Request, Response, Result, Token,
    register,
};

pub use crate::settings::ApiVersion;
use crate::settings::Settings;

/// What this provider is.
pub const INFO: ProviderInfo = ProviderInfo::new("configapi", "Bright Pattern Configuration API")
    .vendor("Bright Pattern")
    .aliases(&["brightpattern", "bright pattern", "bright-pattern", "bpcc"])
    .docs("https://help.brightpattern.com/5.2:User-management-api-specification/RequestAccessToken")
    .fields(
        const {
            &[
                Field::address("host", "the contact center's host, such as acme.brightpattern.com")
                    .unless("base_url"),
                Field::text("client_id", "a user's login name"),
                Field::secret("client_secret", "the API secret made on that user's page"),
                Field::text("scope", "the tenant's domain; by default the host's name").optional(),
                Field::choice(
                    "api_version",
                    &["v2", "v3"],
                    "which token endpoint; v3 for list management",
                ),
            ]
        },
    )
    .build(|profile| Ok(Box::new(ConfigApi { settings: Settings::read(profile)? })));
register!(INFO);

/// The token endpoint of Bright Pattern's Configuration API.
#[derive(Clone, Debug)]
pub struct ConfigApi {
    settings: Settings,
}

impl ConfigApi {
    /// The contact center at `[http[s]://]name[:port]`; http for loopback only. `Config` for what
    /// is no host.
    pub fn new(host: &str) -> Result<Self> {
        let profile = gatepass_core::Settings::new().with("host", host);
        Ok(Self { settings: Settings::read(&profile)? })
    }

    /// Replaces scheme, host and port; the scope stays.
    pub fn base_url(mut self, base_url: Endpoint) -> Self {
        self.settings.base = base_url;
        self
    }

    /// Asks for another scope than the host's name.
    pub fn with_scope(mut self, scope: impl Into<String>) -> Self {
        self.settings.scope = scope.into();
        self
    }

    /// Chooses the token endpoint.
    pub fn api_version(mut self, version: ApiVersion) -> Self {
        self.settings.api_version = version;
        self
    }
}

impl Provider for ConfigApi {
    fn id(&self) -> &str {
        "configapi"
    }

    fn token_request(&self, credential: &Credential) -> Result<Request> {
        wire::request(&self.settings, credential)
    }

    fn read_token(&self, response: &Response, sent: SystemTime) -> Result<Token> {
        wire::token(response, sent)
    }

    fn explain(&self, _: &Credential, error: Error) -> Error {
        wire::explain(error)
    }

    fn scope(&self) -> Option<&str> {
        Some(&self.settings.scope)
    }

    fn api(&self, _: Option<&Token>) -> Option<Endpoint> {
        Some(self.settings.base.clone())
    }

    fn probe(&self, _: &Credential) -> Result<Option<String>> {
        Ok(Some(String::from("/configapi/v2/phone/user")))
    }
}

#[cfg(test)]
gatepass_testkit::conformance!(super::INFO, "fixtures");
