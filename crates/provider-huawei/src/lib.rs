//! Huawei OneAccess API tokens, and those of BambooCloud's EIAM, which is the same service: the
//! client credentials grant of RFC 6749 section 4.4 at the tenant's own domain, and the implicit
//! grant of section 4.2 for a user with a browser.
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

use std::time::SystemTime;

use gatepass_core::oauth2::{self, ClientAuth, ClientCredentials, Implicit, TokenResponse};
use gatepass_core::{
    ApiResponse, AuthorizationRequest, CacheKey, Credential, Endpoint, Error, ErrorKind, Field,
    Interactive, Provider, ProviderInfo, RedirectUri, RefreshHints, Request, Response, Result,
    Settings, Token, TokenVerdict, register,
};

/// The facts of this provider.
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
                Field::client_id("the application's ClientId"),
                Field::grant(
                    "how the token is requested; implicit: the user logs in with a browser",
                ),
                Field::client_secret("the ClientSecret of the same application")
                    .only_with("grant", "client_credentials"),
                Field::redirect_uri(
                    "redirect_uri",
                    "the application's redirect URI, as registered",
                )
                .only_with("grant", "implicit"),
                Field::client_auth(&["form", "basic"]),
                Field::basic_encoding(&["form", "raw"]),
                Field::choice(
                    "use_token",
                    &["access_token", "id_token"],
                    "which token of the response the API accepts; id_token for enterprise APIs",
                ),
            ]
        },
    )
    .build(|settings| Ok(Box::new(Huawei::from_settings(settings)?)));
register!(INFO);

/// The token endpoint of a Huawei OneAccess tenant.
#[derive(Clone, Debug)]
pub struct Huawei {
    base: Endpoint,
    client: ClientCredentials,
    /// Whether `id_token` is the token, not `access_token`.
    uses_id_token: bool,
    /// For the implicit grant.
    redirect_uri: Option<RedirectUri>,
}

impl Huawei {
    /// The tenant at this domain: `[http[s]://]name[:port]`; http is for loopback only.
    ///
    /// # Errors
    ///
    /// `Config` if `domain` is not a host.
    pub fn new(domain: &str) -> Result<Self> {
        Self::from_settings(&Settings::new().with("domain", domain))
    }

    fn from_settings(settings: &Settings) -> Result<Self> {
        let tokens = [("access_token", false), ("id_token", true)];
        Ok(Self {
            base: settings.base_or_host("domain")?,
            client: ClientCredentials::from_settings(settings, &INFO)?,
            uses_id_token: settings.choice("use_token", &tokens)?,
            redirect_uri: Implicit::redirect_uri(settings)?,
        })
    }

    /// Replaces scheme, host and port.
    pub fn base_url(mut self, base_url: Endpoint) -> Self {
        self.base = base_url;
        self
    }

    /// Chooses how the client authenticates, and a scope.
    pub fn client(mut self, client: ClientCredentials) -> Self {
        self.client = client;
        self
    }

    /// Uses the response's `id_token` as the token, for enterprise APIs behind OneAccess.
    pub fn use_id_token(mut self) -> Self {
        self.uses_id_token = true;
        self
    }

    /// Chooses the implicit grant: the user logs in with a browser, which returns to this address.
    pub fn implicit(mut self, redirect_uri: RedirectUri) -> Self {
        self.redirect_uri = Some(redirect_uri);
        self
    }

    /// Returns the part of the response that the profile uses as its token.
    fn chosen(&self, body: &TokenResponse, sent: SystemTime) -> Result<Token> {
        if !self.uses_id_token {
            return body.token("/access_token", sent)?.build();
        }
        let access_token = body.optional_secret("/access_token");
        body.token("/id_token", sent)?.extra("access_token", access_token).build()
    }
}

impl Provider for Huawei {
    fn id(&self) -> &str {
        "huawei"
    }

    fn token_request(&self, credential: &Credential) -> Result<Request> {
        match self.redirect_uri {
            Some(_) => Err(Implicit::login_required()),
            None => self.client.request(self.base.join("/api/v2/tenant/token")?, credential),
        }
    }

    /// `expires_in` is the remaining lifetime of a token that an earlier request may have brought.
    fn read_token(&self, response: &Response, sent: SystemTime) -> Result<Token> {
        self.chosen(&oauth2::read_json(response, sent)?, sent)
    }

    fn cache_key(&self, credential: &Credential) -> Result<CacheKey> {
        let used: &[u8] = if self.uses_id_token { b"id_token" } else { b"access_token" };
        Ok(CacheKey::from_provider(self, credential)?.with("use_token", used))
    }

    /// An expired token is status 400 here, as is every other error; the body distinguishes them:
    /// <https://open.bccastle.com/en/development/standard-protocol/oauth2/oauth-error-list.html>
    fn token_verdict(&self, response: &ApiResponse<'_>) -> TokenVerdict {
        oauth2::reject_on_json(response, &[400], "error", |error| error == "invalid_token")
    }

    fn explain(&self, credential: &Credential, error: Error) -> Error {
        let is_refused =
            error.kind() == ErrorKind::Denied || error.vendor_code() == Some("invalid_request");
        match self.client.auth {
            ClientAuth::Form if is_refused && matches!(error.status(), Some(400 | 401)) => {
                error.hint("some tenants accept Basic only: client_auth = \"basic\"")
            }
            _ => self.client.explain(credential, error),
        }
    }

    fn interactive(&self) -> Option<&dyn Interactive> {
        self.redirect_uri.is_some().then_some(self)
    }

    fn hints(&self) -> RefreshHints {
        RefreshHints::new().same_token_until_end()
    }

    fn api(&self, _: Option<&Token>) -> Option<Endpoint> {
        Some(self.base.clone())
    }

    fn probe(&self, _: &Credential) -> Result<Option<String>> {
        Ok(Some(String::from("/api/v2/tenant/users?org_id=&offset=0&limit=10")))
    }
}

impl Interactive for Huawei {
    /// <https://support.huaweicloud.com/api-oneaccess/IssueOIDCImplicitAuthCode.html>
    fn authorization_request(&self, credential: &Credential) -> Result<AuthorizationRequest> {
        let redirect_uri = self.redirect_uri.clone().ok_or_else(Implicit::no_login)?;
        let implicit = Implicit::new(self.base.join("/api/v1/oauth2/authorize")?, redirect_uri);
        let request = implicit.authorization_request(credential)?;
        Ok(request.response_type("id_token token").scope("openid"))
    }

    fn read_redirect(&self, response: &TokenResponse, sent: SystemTime) -> Result<Token> {
        self.chosen(response, sent)
    }
}

#[cfg(test)]
mod tests;
