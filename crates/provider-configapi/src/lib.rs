//! Tokens of Bright Pattern's Configuration API: the client credentials grant of RFC 6749 section
//! 4.4 with a user's login name as the client id and the host's name as the scope.
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

use std::time::SystemTime;

use gatepass_core::oauth2::{self, ClientCredentials};
use gatepass_core::{
    Credential, Endpoint, Error, ErrorKind, Field, Provider, ProviderInfo, RefreshHints, Request,
    Response, Result, Settings, Token, register,
};

/// The facts of this provider.
pub const INFO: ProviderInfo = ProviderInfo::new("configapi", "Bright Pattern Configuration API")
    .vendor("Bright Pattern")
    .aliases(&["brightpattern", "bright pattern", "bright-pattern", "bpcc"])
    .docs("https://help.brightpattern.com/5.2:User-management-api-specification/RequestAccessToken")
    .fields(
        const {
            &[
                Field::address("host", "the contact center's host, such as acme.brightpattern.com")
                    .unless("base_url"),
                Field::client_id("a user's login name"),
                Field::client_secret("the API secret made on that user's page"),
                Field::text("scope", "the tenant's domain; by default the host's name").optional(),
                Field::choice(
                    "api_version",
                    &["v2", "v3"],
                    "which token endpoint; v3 for list management",
                ),
            ]
        },
    )
    .build(|settings| Ok(Box::new(ConfigApi::from_settings(settings)?)));
register!(INFO);

/// The token endpoint of Bright Pattern's Configuration API.
#[derive(Clone, Debug)]
pub struct ConfigApi {
    base: Endpoint,
    client: ClientCredentials,
    /// `v2` or `v3`, as in the path.
    api_version: &'static str,
}

impl ConfigApi {
    /// The contact center at `[http[s]://]name[:port]`; http is for loopback only.
    ///
    /// # Errors
    ///
    /// `Config` if `host` is not a host.
    pub fn new(host: &str) -> Result<Self> {
        Self::from_settings(&Settings::new().with("host", host))
    }

    fn from_settings(settings: &Settings) -> Result<Self> {
        let base = settings.base_or_host("host")?;
        let host = match settings.optional_text("host") {
            // Only its name is used: no request is sent there.
            Some(host) if host.contains("://") => Endpoint::parse_plain_http(host)?,
            Some(host) => Endpoint::host(host)?,
            None => base.clone(),
        };
        let mut client = ClientCredentials::from_settings(settings, &INFO)?;
        if client.scope.is_empty() {
            client.scope = host.host_name().to_owned();
        }
        let api_version = settings.choice("api_version", &[("v2", "v2"), ("v3", "v3")])?;
        Ok(Self { base, client, api_version })
    }

    /// Replaces scheme, host and port; the scope stays.
    pub fn base_url(mut self, base_url: Endpoint) -> Self {
        self.base = base_url;
        self
    }

    /// Requests another scope than the host's name.
    pub fn with_scope(mut self, scope: impl Into<String>) -> Self {
        self.client.scope = scope.into();
        self
    }

    /// Uses the token endpoint for list management, `/configapi/v3/oauth/token`.
    pub fn v3(mut self) -> Self {
        self.api_version = "v3";
        self
    }
}

impl Provider for ConfigApi {
    fn id(&self) -> &str {
        "configapi"
    }

    fn token_request(&self, credential: &Credential) -> Result<Request> {
        let path = format!("/configapi/{}/oauth/token", self.api_version);
        self.client.request(self.base.join(&path)?, credential)
    }

    /// The documented response has `expires_in` as a string and a trailing comma; both are read:
    /// <https://help.brightpattern.com/5.2:User-management-api-specification/RequestAccessToken>
    fn read_token(&self, response: &Response, sent: SystemTime) -> Result<Token> {
        let text = response.body().trim_ascii();
        // The vendor refuses in plain text; a web page is not its own:
        // https://help.brightpattern.com/5.2:User-management-api-specification/RequestAccessToken
        if response.status() == 401 && !text.is_empty() && !text.starts_with(b"<") {
            let text = std::str::from_utf8(text).ok().filter(|text| !text.starts_with('{'));
            if text.is_some() {
                return Err(oauth2::vendor_error(response, None, text, sent));
            }
        }
        oauth2::read_token(response, sent)
    }

    /// The vendor sends one response for every wrong parameter and for a locked account.
    fn explain(&self, _: &Credential, error: Error) -> Error {
        match error.status() {
            Some(401) if error.kind() == ErrorKind::Denied => error.with_hints([
                "check client_id, client_secret and scope, and whether the user is locked or \
                 disabled: each failed attempt counts, so gatepass does not retry"
                    .into(),
            ]),
            Some(404 | 410) => error.hint("list management needs api_version = \"v3\""),
            _ => error,
        }
    }

    fn scope(&self) -> Option<&str> {
        Some(&self.client.scope)
    }

    fn hints(&self) -> RefreshHints {
        RefreshHints::new().locks_account()
    }

    fn api(&self, _: Option<&Token>) -> Option<Endpoint> {
        Some(self.base.clone())
    }

    fn probe(&self, _: &Credential) -> Result<Option<String>> {
        Ok(Some(String::from("/configapi/v2/phone/user")))
    }
}

#[cfg(test)]
mod tests;
