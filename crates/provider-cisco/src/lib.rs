//! Cisco API tokens: the client credentials grant of RFC 6749 section 4.4, and the implicit grant
//! of section 4.2 for a user with a browser.
//!
//! Cisco has two token services, and a client of one is unknown to the other: `id` (Okta) has the
//! applications that were registered since March 2023, `cloudsso` (PingFederate) the older ones and
//! the implicit grant. So there is no default.
//!
//! ```
//! use gatepass_core::{Credential, Provider};
//! use provider_cisco::{Cisco, Environment};
//!
//! let cisco = Cisco::new(Environment::Id);
//! let request = cisco.token_request(&Credential::client("app-1", "hunter2"))?;
//! assert_eq!(request.endpoint().as_str(), "https://id.cisco.com/oauth2/default/v1/token");
//! # Ok::<(), gatepass_core::Error>(())
//! ```

use std::time::SystemTime;

use gatepass_core::oauth2::{self, ClientCredentials, Implicit};
use gatepass_core::{
    ApiResponse, AuthorizationRequest, Credential, Endpoint, EnvironmentInfo, Error, ErrorKind,
    Field, Interactive, Provider, ProviderInfo, RedirectUri, RefreshHints, Request, Response,
    Result, Settings, Token, TokenVerdict, register,
};

/// The facts of this provider.
pub const INFO: ProviderInfo = ProviderInfo::new("cisco", "Cisco")
    .aliases(&["cloudsso", "cisco systems"])
    .docs("https://developer.cisco.com/docs/support-apis/authentication")
    .environments(const {
        &[
            EnvironmentInfo::new(
                "id",
                "applications registered since March 2023",
                &[("base_url", "https://id.cisco.com"), ("api", "https://apix.cisco.com")],
            ),
            EnvironmentInfo::new(
                "cloudsso",
                "older applications, and the implicit grant",
                &[("base_url", "https://cloudsso.cisco.com"), ("api", "https://api.cisco.com")],
            ),
        ]
    })
    .environment_required()
    .fields(const {
        &[
            Field::client_id("the key of your application in the API console"),
            Field::grant(
                "how the token is requested; implicit: the user logs in with a browser, at cloudsso only",
            ),
            Field::client_secret("the client secret of the same application")
                .only_with("grant", "client_credentials"),
            Field::redirect_uri("redirect_uri", "the application's redirect URI, as registered")
                .only_with("grant", "implicit"),
            Field::client_auth(&["form", "basic", "query"]),
            Field::basic_encoding(&["form", "raw"]),
        ]
    })
    .build(|settings| Ok(Box::new(Cisco::from_settings(settings)?)));
register!(INFO);

/// Cisco's token endpoint.
#[derive(Clone, Debug)]
pub struct Cisco {
    environment: Environment,
    base_url: Option<Endpoint>,
    client: ClientCredentials,
    /// For the implicit grant.
    redirect_uri: Option<RedirectUri>,
}

/// One of Cisco's token services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Environment {
    /// `id.cisco.com`, for applications registered since March 2023.
    Id,
    /// `cloudsso.cisco.com`, for older applications and the implicit grant.
    Cloudsso,
}

impl Environment {
    fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Cloudsso => "cloudsso",
        }
    }
}

impl Cisco {
    /// This token service, with client id and secret in the form.
    pub fn new(environment: Environment) -> Self {
        let client = ClientCredentials::new();
        Self { environment, base_url: None, client, redirect_uri: None }
    }

    fn from_settings(settings: &Settings) -> Result<Self> {
        let environments = [Environment::Id, Environment::Cloudsso].map(|one| (one.name(), one));
        let cisco = Self {
            base_url: settings.base_url().cloned(),
            client: ClientCredentials::from_settings(settings, &INFO)?,
            ..Self::new(settings.choice("environment", &environments)?)
        };
        match Implicit::redirect_uri(settings)? {
            Some(redirect_uri) => cisco.implicit(redirect_uri),
            None => Ok(cisco),
        }
    }

    /// Replaces scheme, host and port of token endpoint and API; the environment keeps the path.
    pub fn base_url(mut self, base_url: Endpoint) -> Self {
        self.base_url = Some(base_url);
        self
    }

    /// Chooses how the client authenticates, and a scope.
    pub fn client(mut self, client: ClientCredentials) -> Self {
        self.client = client;
        self
    }

    /// Chooses the implicit grant: the user logs in with a browser, which returns to this address.
    ///
    /// # Errors
    ///
    /// `Config` for another environment than [`Environment::Cloudsso`].
    pub fn implicit(mut self, redirect_uri: RedirectUri) -> Result<Self> {
        if self.environment != Environment::Cloudsso {
            return Err(Error::config("id.cisco.com has no implicit grant")
                .with_field("grant")
                .hint("use grant = \"client_credentials\", or environment = \"cloudsso\""));
        }
        self.redirect_uri = Some(redirect_uri);
        Ok(self)
    }

    /// Returns `base_url`, or one of the environment's addresses.
    fn address(&self, value: &str) -> Result<Endpoint> {
        match (&self.base_url, INFO.environment(self.environment.name())) {
            (Some(base_url), _) => Ok(base_url.clone()),
            (None, Some(environment)) => environment.address(value),
            (None, None) => Err(Error::internal("an environment without facts")),
        }
    }
}

impl Provider for Cisco {
    fn id(&self) -> &str {
        "cisco"
    }

    fn token_request(&self, credential: &Credential) -> Result<Request> {
        if self.redirect_uri.is_some() {
            return Err(Implicit::login_required());
        }
        let path = match self.environment {
            Environment::Id => "/oauth2/default/v1/token",
            Environment::Cloudsso => "/as/token.oauth2",
        };
        self.client.request(self.address("base_url")?.join(path)?, credential)
    }

    fn read_token(&self, response: &Response, sent: SystemTime) -> Result<Token> {
        // The gateway states its rejections in a header, rate limits included, and sends a web page:
        // https://developer.cisco.com/docs/psirt/browsing-sorting-filterting-and-rate-limits
        if let Some(code) = response.header(GATEWAY_CODE)
            && !response.status().is_success()
        {
            return Err(oauth2::vendor_error(response, Some(code), None, sent));
        }
        oauth2::read_token(response, sent)
    }

    /// The gateway before the API rejects a token with 403, and other requests as well. Its code
    /// gives the reason, or its web page if it sends no code.
    fn token_verdict(&self, response: &ApiResponse<'_>) -> TokenVerdict {
        let rejected_if = TokenVerdict::rejected_if;
        match (response.status.as_u16(), response.header(GATEWAY_CODE), response.body) {
            (401, _, _) => TokenVerdict::Rejected,
            (403, Some(code), _) => rejected_if(code == "ERR_403_NOT_AUTHORIZED"),
            (403, None, None) => TokenVerdict::NeedsBody,
            (403, None, Some(body)) => {
                rejected_if(body.windows(NOT_AUTHORIZED.len()).any(|part| part == NOT_AUTHORIZED))
            }
            _ => TokenVerdict::NotRejected,
        }
    }

    fn explain(&self, credential: &Credential, error: Error) -> Error {
        let error = self.client.explain(credential, error);
        let is_elsewhere = matches!(
            (error.kind(), error.status()),
            (ErrorKind::Denied, Some(400 | 401)) | (_, Some(300..=399 | 404 | 410))
        );
        match self.environment {
            _ if !is_elsewhere || self.base_url.is_some() => error,
            Environment::Cloudsso => {
                error.hint("clients registered since March 2023 need environment = \"id\"")
            }
            Environment::Id => error.hint(
                "clients registered before March 2023 are unknown here: register again, or try \
                 environment = \"cloudsso\"",
            ),
        }
    }

    fn interactive(&self) -> Option<&dyn Interactive> {
        self.redirect_uri.is_some().then_some(self)
    }

    fn hints(&self) -> RefreshHints {
        match self.redirect_uri {
            Some(_) => RefreshHints::new().same_token_until_end(),
            None => RefreshHints::new(),
        }
    }

    fn api(&self, _: Option<&Token>) -> Option<Endpoint> {
        self.address("api").ok()
    }

    fn probe(&self, _: &Credential) -> Result<Option<String>> {
        Ok(Some(String::from("/hello")))
    }
}

impl Interactive for Cisco {
    /// Only the older service has the implicit grant:
    /// <https://docs.pingidentity.com/r/en-us/developer/zvn1601508083660>
    fn authorization_request(&self, credential: &Credential) -> Result<AuthorizationRequest> {
        let redirect_uri = self.redirect_uri.clone().ok_or_else(Implicit::no_login)?;
        let endpoint = self.address("base_url")?.join("/as/authorization.oauth2")?;
        Implicit::new(endpoint, redirect_uri).authorization_request(credential)
    }
}

const GATEWAY_CODE: &str = "x-mashery-error-code";
const NOT_AUTHORIZED: &[u8] = b"<h1>Not Authorized</h1>";

#[cfg(test)]
mod tests;
