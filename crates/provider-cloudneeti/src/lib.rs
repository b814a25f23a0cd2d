//! Cloudneeti API tokens, today Zscaler's CSPM: an application's id and secret as JSON, and the
//! gateway's subscription key beside them, on the token request and on every API request.
//!
//! A license token opens the calls of a license, an account token those of one cloud account.
//!
//! ```
//! use gatepass_core::{Credential, Provider};
//! use provider_cloudneeti::Cloudneeti;
//!
//! let cspm = Cloudneeti::new("license-1")?.environment("trial")?;
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

use std::time::SystemTime;

use gatepass_core::oauth2;
use gatepass_core::{
    ApiRequest, Credential, Endpoint, EnvironmentInfo, Error, ErrorKind, Field, Provider,
    ProviderInfo, RefreshHints, Request, Response, Result, Settings, Token, percent_encode,
    register,
};
use http::HeaderName;
use http::header::AUTHORIZATION;

/// The facts of this provider.
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
                Field::text("path_prefix", "the path before /authorize; \"\" for today's hosts")
                    .default_value("/api"),
                Field::text(
                    "api_application_id",
                    "the API application's id in the license's settings",
                ),
                Field::secret(
                    "api_application_secret",
                    "shown once, when the application is created",
                ),
                Field::secret("subscription_key", "primary or secondary key in the API portal"),
            ]
        },
    )
    .build(|settings| Ok(Box::new(Cloudneeti::from_settings(settings)?)));
register!(INFO);

/// Cloudneeti's token endpoint.
#[derive(Clone, Debug)]
pub struct Cloudneeti {
    base: Endpoint,
    license_id: String,
    account_id: Option<String>,
    path_prefix: String,
}

impl Cloudneeti {
    /// The tokens of a license, at the host for production.
    ///
    /// # Errors
    ///
    /// `Config` for an id that is empty, `.` or `..`.
    pub fn new(license_id: &str) -> Result<Self> {
        Self::from_settings(&Settings::new().with("license_id", license_id))
    }

    fn from_settings(settings: &Settings) -> Result<Self> {
        let account_id = settings.optional_text("account_id");
        Self {
            base: settings.base(&INFO)?,
            license_id: id("license_id", settings.text("license_id")?)?,
            account_id: account_id.map(|account| id("account_id", account)).transpose()?,
            path_prefix: String::new(),
        }
        .path_prefix(settings.text_or_default("path_prefix", &INFO).unwrap_or_default())
    }

    /// Requests the token of a cloud account instead.
    ///
    /// # Errors
    ///
    /// `Config` for an id that is empty, `.` or `..`.
    pub fn account_id(mut self, account_id: &str) -> Result<Self> {
        self.account_id = Some(id("account_id", account_id)?);
        Ok(self)
    }

    /// Chooses the host of an environment in [`INFO`], such as `trial`.
    ///
    /// # Errors
    ///
    /// `Config` for another environment.
    pub fn environment(self, name: &str) -> Result<Self> {
        Ok(self.base_url(Settings::new().with("environment", name).base(&INFO)?))
    }

    /// Replaces scheme, host and port.
    pub fn base_url(mut self, base_url: Endpoint) -> Self {
        self.base = base_url;
        self
    }

    /// Replaces `/api` before the vendor's paths; `""` for today's hosts.
    ///
    /// # Errors
    ///
    /// `Config` if it is not a path.
    pub fn path_prefix(mut self, path_prefix: &str) -> Result<Self> {
        self.path_prefix = checked_prefix(path_prefix)?;
        Ok(self)
    }

    fn base(&self) -> Result<Endpoint> {
        match self.path_prefix.as_str() {
            "" => Ok(self.base.clone()),
            prefix => self.base.join(prefix),
        }
    }
}

impl Provider for Cloudneeti {
    fn id(&self) -> &str {
        "cloudneeti"
    }

    fn token_request(&self, credential: &Credential) -> Result<Request> {
        let path = format!("/authorize/license/{}/token", percent_encode(&self.license_id));
        let account = self.account_id.as_deref().map(|account| ("accountId", account));
        let secret = credential.secret("api_application_secret")?;
        Request::post(self.base()?.join(&path)?.with_query(account))
            .json([
                ("APIApplicationId", credential.text("api_application_id")?),
                ("Secret", secret.expose_secret()),
            ])?
            .secret_header(KEY_HEADER, credential.secret("subscription_key")?)
    }

    /// The response deviates from RFC 6749: the body has a status of its own, the token is in an
    /// envelope (<https://help.zscaler.com/userGuide/tokenAPI> lists it flat), and there is neither
    /// type nor expiry.
    fn read_token(&self, response: &Response, sent: SystemTime) -> Result<Token> {
        let body = oauth2::read_json_with_status(response, "/statusCode", sent)?;
        let token = match (body.secret("/result/token"), body.secret("/token")) {
            (Ok(one), Ok(other)) if one.expose_secret() != other.expose_secret() => {
                return Err(Error::unsafe_token("the response has two tokens, and they differ"));
            }
            (Err(error), _) | (_, Err(error)) if error.kind() == ErrorKind::UnsafeToken => {
                return Err(error);
            }
            (Ok(token), _) => token,
            (Err(_), flat) => flat?,
        };
        if body.optional_text("/token_type")?.is_some() {
            body.require_bearer()?;
        }
        Token::builder(token, sent).date(response.date()).build()
    }

    fn authorize(
        &self,
        credential: &Credential,
        token: &Token,
        request: &mut ApiRequest<'_>,
    ) -> Result<()> {
        let key = credential.secret("subscription_key")?.to_header(&KEY_HEADER)?;
        request.set_header(AUTHORIZATION, token.authorization().clone());
        request.set_header(KEY_HEADER, key);
        Ok(())
    }

    fn explain(&self, _: &Credential, error: Error) -> Error {
        let is_of_gateway =
            error.vendor_text().is_some_and(|text| text.contains("subscription key"));
        match error.status() {
            Some(401) if is_of_gateway => error.with_hints([
                "the gateway rejects the subscription key: check subscription_key, not the secret"
                    .into(),
            ]),
            Some(404) if !self.path_prefix.is_empty() => {
                error.hint("today's hosts have no /api in their paths: try path_prefix = \"\"")
            }
            _ => error,
        }
    }

    fn hints(&self) -> RefreshHints {
        RefreshHints::new().memory_only()
    }

    fn api(&self, _: Option<&Token>) -> Option<Endpoint> {
        self.base().ok()
    }

    /// The two kinds of token allow different calls; an account's `rescan` is not harmless.
    fn probe(&self, _: &Credential) -> Result<Option<String>> {
        let license = percent_encode(&self.license_id);
        Ok(Some(match &self.account_id {
            None => format!("/onboarding/license/{license}/licenseAccounts"),
            Some(account) => {
                let account = percent_encode(account);
                format!("/audit/license/{license}/account/{account}/benchmark/CSBP/summary")
            }
        }))
    }
}

/// Returns an id that is one segment of a path: not empty, and not a step within the path.
fn id(field: &str, text: &str) -> Result<String> {
    match text {
        "" | "." | ".." => Err(Error::config("not an id").with_field(field.to_owned())),
        id => Ok(id.to_owned()),
    }
}

fn checked_prefix(text: &str) -> Result<String> {
    let prefix = text.trim_end_matches('/');
    let in_path = |c: char| c.is_ascii_alphanumeric() || "/-._~".contains(c);
    let is_step = |part: &str| part == "." || part == "..";
    let is_path = prefix.is_empty() || prefix.starts_with('/');
    if !is_path || !prefix.chars().all(in_path) || prefix.split('/').any(is_step) {
        return Err(Error::config("not a path")
            .with_field("path_prefix")
            .hint("it is \"\", or begins with / as in \"/api\", without % . or .. parts"));
    }
    Ok(prefix.to_owned())
}

const KEY_HEADER: HeaderName = HeaderName::from_static("ocp-apim-subscription-key");

#[cfg(test)]
mod tests;
