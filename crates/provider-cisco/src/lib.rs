//! Cisco API tokens: the client credentials grant of RFC 6749 section 4.4, and the implicit grant
//! of section 4.2 for a person in a browser.
//!
//! Cisco has two token services. `cloudsso` (PingFederate) is the older one and the default here;
//! `id` (Okta) is where clients registered since 2023 live. A client of one is unknown to the
//! other.
//!
//! ```
//! use gatepass_core::{Credential, Provider};
//! use provider_cisco::{Cisco, Environment};
//!
//! let cisco = Cisco::new().environment(Environment::Id);
//! let request = cisco.token_request(&Credential::client("app-1", "hunter2"))?;
//! assert_eq!(request.endpoint().as_str(), "https://id.cisco.com/oauth2/default/v1/token");
//! # Ok::<(), gatepass_core::Error>(())
//! ```

mod settings;
mod wire;

use std::time::SystemTime;

use gatepass_core::{
    ApiResponse, AuthorizationRequest, BasicEncoding, Credential, Endpoint, EnvironmentInfo, Error,
    Field, Interactive, Provider, ProviderInfo, RedirectUri, RefreshHints, Request, Response,
    Result, Token, TokenVerdict, register,
};

use crate::settings::Settings;
pub use crate::settings::{ClientAuth, Environment};

/// What this provider is.
pub const INFO: ProviderInfo = ProviderInfo::new("cisco", "Cisco")
    .aliases(&["cloudsso", "cisco systems"])
    .docs("https://developer.cisco.com/docs/support-apis/authentication")
    .environments(
        const {
            &[
                EnvironmentInfo::new(
                    "cloudsso",
                    "applications registered before March 2023, and logins by browser",
                    &[("base_url", "https://cloudsso.cisco.com")],
                ),
                EnvironmentInfo::new(
                    "id",
                    "applications registered since March 2023",
                    &[("base_url", "https://id.cisco.com")],
                ),
            ]
        },
    )
    .fields(
        const {
            &[
                Field::text("client_id", "the key of your application in the API console"),
                Field::choice(
                    "grant",
                    &["client_credentials", "implicit"],
                    "how the token is asked for; implicit: a person logs in, at cloudsso only",
                ),
                Field::secret("client_secret", "the client secret of the same application")
                    .only_with("grant", "client_credentials"),
                Field::redirect_uri(
                    "redirect_uri",
                    "the application's redirect URI, as registered",
                )
                .only_with("grant", "implicit"),
                Field::choice(
                    "client_auth",
                    &["form", "basic", "query"],
                    "where id and secret go; query puts them into the URL, which servers log",
                ),
                Field::choice(
                    "basic_encoding",
                    &["form", "raw"],
                    "how id and secret are written with client_auth = \"basic\"",
                ),
            ]
        },
    )
    .build(|profile| Ok(Box::new(Cisco { settings: Settings::read(profile)? })));
register!(INFO);

/// Cisco's token endpoint.
#[derive(Clone, Debug, Default)]
pub struct Cisco {
    settings: Settings,
}

impl Cisco {
    /// The older token service, with id and secret in the form.
    pub fn new() -> Self {
        Self::default()
    }

    /// Chooses the token service.
    pub fn environment(mut self, environment: Environment) -> Self {
        self.settings.environment = environment;
        self
    }

    /// Replaces scheme, host and port of token endpoint and API; the environment keeps the path.
    pub fn base_url(mut self, base_url: Endpoint) -> Self {
        self.settings.base_url = Some(base_url);
        self
    }

    /// Chooses where id and secret go.
    pub fn client_auth(mut self, client_auth: ClientAuth) -> Self {
        self.settings.client_auth = client_auth;
        self
    }

    /// Chooses how [`ClientAuth::Basic`] writes id and secret.
    pub fn basic_encoding(mut self, encoding: BasicEncoding) -> Self {
        self.settings.basic_encoding = encoding;
        self
    }

    /// Chooses the implicit grant: a person logs in with a browser, which then comes to this
    /// address. It exists at [`Environment::Cloudsso`] only.
    pub fn implicit(mut self, redirect_uri: RedirectUri) -> Self {
        self.settings.implicit = Some(redirect_uri);
        self
    }
}

impl Provider for Cisco {
    fn id(&self) -> &str {
        "cisco"
    }

    fn token_request(&self, credential: &Credential) -> Result<Request> {
        wire::request(&self.settings, credential)
    }

    fn read_token(&self, response: &Response, sent: SystemTime) -> Result<Token> {
        wire::token(response, sent)
    }

    fn token_verdict(&self, answer: &ApiResponse<'_>) -> TokenVerdict {
        wire::refusal(answer)
    }

    fn explain(&self, credential: &Credential, error: Error) -> Error {
        wire::explain(&self.settings, credential, error)
    }

    fn interactive(&self) -> Option<&dyn Interactive> {
        self.settings.implicit.is_some().then_some(self)
    }

    fn hints(&self) -> RefreshHints {
        match self.settings.implicit {
            Some(_) => RefreshHints::new().same_token_until_end(),
            None => RefreshHints::new(),
        }
    }

    fn api(&self, _: Option<&Token>) -> Option<Endpoint> {
        self.settings.api().ok()
    }

    fn probe(&self, _: &Credential) -> Result<Option<String>> {
        Ok(Some(String::from("/hello")))
    }
}

impl Interactive for Cisco {
    fn authorization_request(&self, credential: &Credential) -> Result<AuthorizationRequest> {
        wire::authorization_request(&self.settings, credential)
    }
}

#[cfg(test)]
gatepass_testkit::conformance!(super::INFO, "fixtures");
