//! Cloudneeti API tokens, today Zscaler's CSPM: an application's id and secret as JSON, and the
//! gateway's subscription key beside them, on the token request and on every API request.
//!
//! A license token opens the calls of a license, an account token those of one cloud account.
//!
//! ```
//! use gatepass_core::{Credential, Provider};
//! use provider_cloudneeti::{Cloudneeti, Environment};
//!
//! let cspm = Cloudneeti::new("license-1")?.environment(Environment::Trial);
//! let application = Credential::new()
//!     .with_text("api_application_id", "app-1")
//!     .with_secret("api_application_secret", "hunter2")
//!     .with_secret("subscription_key", "key-1");
//! let request = cspm.token_request(&application)?;
//! assert_eq!(
//!     request.endpoint().as_str(),
//!     "https://trialapi.cloudneeti.com/api/authorize/license/license-1/token",
//! );
//! # Ok::<(), gatepass_core::Error>(())
//! ```

mod settings;
mod wire;

use std::time::SystemTime;

use gatepass_core::{
    ApiRequest, Credential, Endpoint, EnvironmentInfo, Error, Field, Provider, ProviderInfo,
    RefreshHints, Request, Response, Result, Token, register,
};

pub use crate::settings::Environment;
use crate::settings::Settings;

/// What this provider is.
pub const INFO: ProviderInfo = ProviderInfo::new("cloudneeti", "Cloudneeti")
    .vendor("Zscaler")
    .aliases(&["zscaler", "zscaler cspm", "zcspm", "cspm"])
    .docs("https://help.zscaler.com/zcspm/getting-started-zcspm-api")
    .environments(
        const {
            &[
                EnvironmentInfo::new(
                    "prod",
                    "production",
                    &[("base_url", "https://api.cloudneeti.com")],
                ),
                EnvironmentInfo::new(
                    "prod1",
                    "production, second region",
                    &[("base_url", "https://api1.cloudneeti.com")],
                ),
                EnvironmentInfo::new(
                    "trial",
                    "trial accounts",
                    &[("base_url", "https://trialapi.cloudneeti.com")],
                ),
                EnvironmentInfo::new(
                    "qa",
                    "the vendor's test systems",
                    &[("base_url", "https://qaapi.cloudneeti-devops.com")],
                ),
                EnvironmentInfo::new(
                    "dev",
                    "the vendor's development systems",
                    &[("base_url", "https://devapi.cloudneeti-devops.com")],
                ),
            ]
        },
    )
    .fields(
        const {
            &[
                Field::text("license_id", "the license's id, a GUID"),
                Field::text(
                    "account_id",
                    "a cloud account's id, for its token instead of the license's",
                )
                .optional(),
                Field::text("path_prefix", "what stands before /authorize; \"\" for today's paths")
                    .default_value("/api"),
                Field::text(
                    "api_application_id",
                    "the API application's id in the license's settings",
                ),
                Field::secret("api_application_secret", "shown once, when the application is made"),
                Field::secret("subscription_key", "primary or secondary key in the API portal"),
            ]
        },
    )
    .build(|profile| Ok(Box::new(Cloudneeti { settings: Settings::read(profile)? })));
register!(INFO);

/// Cloudneeti's token endpoint.
#[derive(Clone, Debug)]
pub struct Cloudneeti {
    settings: Settings,
}

impl Cloudneeti {
    /// A license's token. `Config` for an id that is empty, `.` or `..`.
    pub fn new(license_id: &str) -> Result<Self> {
        Ok(Self { settings: Settings::new(license_id)? })
    }

    /// A cloud account's token instead. `Config` for an id that is empty, `.` or `..`.
    pub fn account_id(mut self, account_id: &str) -> Result<Self> {
        self.settings.account_id = Some(settings::id("account_id", account_id)?);
        Ok(self)
    }

    /// Chooses the host.
    pub fn environment(mut self, environment: Environment) -> Self {
        self.settings.environment = environment;
        self
    }

    /// Replaces scheme, host and port.
    pub fn base_url(mut self, base_url: Endpoint) -> Self {
        self.settings.base_url = Some(base_url);
        self
    }

    /// Replaces `/api` before the vendor's paths; `""` for today's. `Config` for what is no path.
    pub fn path_prefix(mut self, path_prefix: &str) -> Result<Self> {
        self.settings.path_prefix = settings::path_prefix(path_prefix)?;
        Ok(self)
    }
}

impl Provider for Cloudneeti {
    fn id(&self) -> &str {
        "cloudneeti"
    }

    fn token_request(&self, credential: &Credential) -> Result<Request> {
        wire::request(&self.settings, credential)
    }

    fn read_token(&self, response: &Response, sent: SystemTime) -> Result<Token> {
        wire::token(response, sent)
    }

    fn authorize(
        &self,
        credential: &Credential,
        token: &Token,
        request: &mut ApiRequest<'_>,
    ) -> Result<()> {
        wire::authorize(credential, token, request)
    }

    fn explain(&self, _: &Credential, error: Error) -> Error {
        wire::explain(&self.settings, error)
    }

    fn hints(&self) -> RefreshHints {
        RefreshHints::new().memory_only()
    }

    fn api(&self, _: Option<&Token>) -> Option<Endpoint> {
        self.settings.api().ok()
    }

    fn probe(&self, _: &Credential) -> Result<Option<String>> {
        Ok(Some(wire::probe(&self.settings)))
    }
}

#[cfg(test)]
gatepass_testkit::conformance!(super::INFO, "fixtures");
