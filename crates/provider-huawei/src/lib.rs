//! Huawei OneAccess API tokens, and those of BambooCloud's EIAM, which is the same service: the
//! client credentials grant of RFC 6749 section 4.4 at the tenant's own domain, and the implicit
//! grant of section 4.2 for a person in a browser.
//!
//! ```
//! use gatepass_core::{Credential, Provider};
//! use provider_huawei::Huawei;
//!
//! let iam = Huawei::new("acme.huaweioneaccess.com")?;
//! let request = iam.token_request(&Credential::client("app-1", "hunter2"))?;
//! assert_eq!(
//!     request.endpoint().as_str(),
//!     "https://acme.huaweioneaccess.com/api/v2/tenant/token",
//! );
//! # Ok::<(), gatepass_core::Error>(())
//! ```

mod settings;
mod wire;

use std::time::SystemTime;

use gatepass_core::{
    ApiResponse, AuthorizationRequest, BasicEncoding, CacheKey, Credential, Endpoint, Error, Field,
    Interactive, Provider, ProviderInfo, RedirectUri, RefreshHints, Request, Response, Result,
    Token, TokenVerdict, oauth2, register,
};

use crate::settings::Settings;
pub use crate::settings::{ClientAuth, UseToken};

/// What this provider is.
pub const INFO: ProviderInfo = ProviderInfo::new("huawei", "Huawei OneAccess")
    .vendor("Huawei")
    .aliases(&["oneaccess", "bamboocloud", "eiam"])
    .docs("https://support.huaweicloud.com/intl/en-us/api-oneaccess/oneaccess_04_0001.html")
    .fields(
        const {
            &[
                Field::address(
                    "domain",
                    "the user access domain, such as acme.huaweioneaccess.com",
                )
                .unless("base_url"),
                Field::text("client_id", "the application's ClientId"),
                Field::choice(
                    "grant",
                    &["client_credentials", "implicit"],
                    "how the token is asked for; implicit: a person logs in",
                ),
                Field::secret("client_secret", "the ClientSecret of the same application")
                    .only_with("grant", "client_credentials"),
                Field::redirect_uri(
                    "redirect_uri",
                    "the application's redirect URI, as registered",
                )
                .only_with("grant", "implicit"),
                Field::choice("client_auth", &["form", "basic"], "where id and secret go"),
                Field::choice(
                    "basic_encoding",
                    &["form", "raw"],
                    "how id and secret are written with client_auth = \"basic\"",
                ),
                Field::choice(
                    "use_token",
                    &["access_token", "id_token"],
                    "which part of the answer the API takes; id_token for enterprise APIs",
                ),
            ]
        },
    )
    .build(|profile| Ok(Box::new(Huawei { settings: Settings::read(profile)? })));
register!(INFO);

/// Huawei OneAccess's token endpoint.
#[derive(Clone, Debug)]
pub struct Huawei {
    settings: Settings,
}

impl Huawei {
    /// The tenant of this user access domain. `Config` for what is no domain.
    pub fn new(domain: &str) -> Result<Self> {
        let profile = gatepass_core::Settings::new().with("domain", domain);
        Ok(Self { settings: Settings::read(&profile)? })
    }

    /// Replaces scheme, host and port.
    pub fn base_url(mut self, base_url: Endpoint) -> Self {
        self.settings.base = base_url;
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

    /// Chooses which part of the answer is the token.
    pub fn use_token(mut self, use_token: UseToken) -> Self {
        self.settings.use_token = use_token;
        self
    }

    /// Chooses the implicit grant: a person logs in with a browser, which then comes to this
    /// address.
    pub fn implicit(mut self, redirect_uri: RedirectUri) -> Self {
        self.settings.implicit = Some(redirect_uri);
        self
    }
}

impl Provider for Huawei {
    fn id(&self) -> &str {
        "huawei"
    }

    fn token_request(&self, credential: &Credential) -> Result<Request> {
        wire::request(&self.settings, credential)
    }

    fn read_token(&self, response: &Response, sent: SystemTime) -> Result<Token> {
        wire::token(&self.settings, response, sent)
    }

    fn cache_key(&self, credential: &Credential) -> Result<CacheKey> {
        let use_token = match self.settings.use_token {
            UseToken::AccessToken => "access_token",
            UseToken::IdToken => "id_token",
        };
        Ok(CacheKey::from_provider(self, credential)?.with("use_token", use_token.as_bytes()))
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
        RefreshHints::new().same_token_until_end()
    }

    fn api(&self, _: Option<&Token>) -> Option<Endpoint> {
        Some(self.settings.base.clone())
    }

    fn probe(&self, _: &Credential) -> Result<Option<String>> {
        Ok(Some(String::from("/api/v2/tenant/users?org_id=&offset=0&limit=10")))
    }
}

impl Interactive for Huawei {
    fn authorization_request(&self, credential: &Credential) -> Result<AuthorizationRequest> {
        wire::authorization_request(&self.settings, credential)
    }

    fn read_redirect(&self, answer: &oauth2::TokenResponse, sent: SystemTime) -> Result<Token> {
        wire::chosen(&self.settings, answer, sent)
    }
}

#[cfg(test)]
gatepass_testkit::conformance!(super::INFO, "fixtures");
