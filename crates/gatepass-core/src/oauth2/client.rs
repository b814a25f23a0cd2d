//! Grant types that several vendors share: client credentials and implicit.

use std::str::FromStr;

use crate::oauth2::explain_basic;
use crate::{
    ApiResponse, AuthorizationRequest, BasicEncoding, Credential, Endpoint, Error, ProviderInfo,
    RedirectUri, Request, Result, Settings, TokenVerdict,
};

/// How a client authenticates at the token endpoint (RFC 6749 section 2.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientAuth {
    /// Client id and client secret in the form.
    #[default]
    Form,
    /// HTTP Basic.
    Basic,
    /// Client id and client secret in the URL, which servers and proxies log. Every token that is
    /// requested so carries a warning.
    Query,
}

impl FromStr for ClientAuth {
    type Err = Error;

    /// Parses `form`, `basic` or `query`; `Config` for another word.
    fn from_str(word: &str) -> Result<Self> {
        match word {
            "form" => Ok(Self::Form),
            "basic" => Ok(Self::Basic),
            "query" => Ok(Self::Query),
            _ => Err(Error::config("unknown value").hint("use one of: form, basic, query")),
        }
    }
}

/// The client credentials grant (RFC 6749 section 4.4).
///
/// ```
/// # use gatepass_core::{Credential, Endpoint, oauth2::ClientCredentials};
/// let endpoint = Endpoint::parse("https://vendor.example.com/token")?;
/// let client = ClientCredentials::new().scope("read");
/// let request = client.request(endpoint, &Credential::client("app-1", "hunter2"))?;
/// assert!(request.body().starts_with(b"grant_type=client_credentials&client_id=app-1&"));
/// # Ok::<(), gatepass_core::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ClientCredentials {
    /// How the client authenticates.
    pub auth: ClientAuth,
    /// How HTTP Basic encodes client id and client secret.
    pub encoding: BasicEncoding,
    /// The scope; none if empty.
    pub scope: String,
    /// Further parameters of the form.
    pub extra: Vec<(String, String)>,
}

impl ClientCredentials {
    /// Creates the grant with client id and client secret in the form, and no scope.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads `client_auth`, `basic_encoding` and `scope` from a profile, as far as `info` has these
    /// fields. A setting that the profile lacks has the default of its field.
    ///
    /// # Errors
    ///
    /// `Config` for an unknown value; the error names the field.
    pub fn from_settings(settings: &Settings, info: &ProviderInfo) -> Result<Self> {
        let word = |name| settings.text_or_default(name, info).unwrap_or_default();
        let mut client = Self::new().scope(word("scope"));
        if info.field("client_auth").is_some() {
            let auth = word("client_auth").parse::<ClientAuth>();
            client.auth = auth.map_err(|error| error.with_field("client_auth"))?;
        }
        if info.field("basic_encoding").is_some() {
            let encoding = word("basic_encoding").parse::<BasicEncoding>();
            client.encoding = encoding.map_err(|error| error.with_field("basic_encoding"))?;
        }
        Ok(client)
    }

    /// Sets how the client authenticates.
    pub fn auth(mut self, auth: ClientAuth) -> Self {
        self.auth = auth;
        self
    }

    /// Sets how HTTP Basic encodes client id and client secret.
    pub fn encoding(mut self, encoding: BasicEncoding) -> Self {
        self.encoding = encoding;
        self
    }

    /// Sets the scope.
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = scope.into();
        self
    }

    /// Builds the token request to this endpoint.
    ///
    /// # Errors
    ///
    /// `Config` if the credential has no `client_id` or `client_secret`, and those of
    /// [`Request::basic`].
    pub fn request(&self, endpoint: Endpoint, credential: &Credential) -> Result<Request> {
        let id = credential.text("client_id")?;
        let secret = credential.secret("client_secret")?;
        let grant = [("grant_type", "client_credentials")];
        let client = [("client_id", id), ("client_secret", secret.expose_secret())];
        let extra = self.extra.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let rest = [("scope", self.scope.as_str())].into_iter().chain(extra);
        let request = Request::post(endpoint);
        match self.auth {
            ClientAuth::Form => Ok(request.form(grant.into_iter().chain(client).chain(rest))),
            ClientAuth::Basic => {
                request.form(grant.into_iter().chain(rest)).basic(id, secret, self.encoding)
            }
            ClientAuth::Query => {
                Ok(request.form([]).secret_query(grant.into_iter().chain(client).chain(rest)))
            }
        }
    }

    /// Adds to an error the other [`BasicEncoding`], if it may be the reason.
    pub fn explain(&self, credential: &Credential, error: Error) -> Error {
        match self.auth {
            ClientAuth::Basic => explain_basic(error, credential, self.encoding),
            ClientAuth::Form | ClientAuth::Query => error,
        }
    }
}

/// The implicit grant (RFC 6749 section 4.2): the user logs in with a browser.
#[derive(Clone, Debug)]
pub struct Implicit {
    endpoint: Endpoint,
    redirect_uri: RedirectUri,
}

impl Implicit {
    /// Creates the grant for this authorization endpoint.
    pub fn new(endpoint: Endpoint, redirect_uri: RedirectUri) -> Self {
        Self { endpoint, redirect_uri }
    }

    /// Returns the redirect URI of a profile with `grant = "implicit"`; `None` for another grant.
    ///
    /// # Errors
    ///
    /// `Config` for an unknown grant, or a redirect URI that is missing or malformed.
    pub fn redirect_uri(settings: &Settings) -> Result<Option<RedirectUri>> {
        let grants = [("client_credentials", false), ("implicit", true)];
        let is_implicit = settings.choice("grant", &grants)?;
        is_implicit.then(|| settings.redirect_uri("redirect_uri")).transpose()
    }

    /// Builds the authorization request.
    ///
    /// # Errors
    ///
    /// `Config` if the credential has no `client_id`.
    pub fn authorization_request(&self, credential: &Credential) -> Result<AuthorizationRequest> {
        let (endpoint, redirect_uri) = (self.endpoint.clone(), self.redirect_uri.clone());
        let client_id = credential.text("client_id")?;
        Ok(AuthorizationRequest::implicit(endpoint, client_id, redirect_uri))
    }

    /// Returns the error of a login with another grant.
    pub fn no_login() -> Error {
        Error::config("this grant type needs no login")
    }

    /// Returns the error of a token request, which this grant does not have.
    pub fn login_required() -> Error {
        Error::login_required("login needed")
    }
}

/// Returns the verdict of an API that rejects tokens with status 401, or with one of `statuses` and
/// a JSON body whose top-level `member` satisfies `is_rejection`.
pub fn reject_on_json(
    response: &ApiResponse<'_>,
    statuses: &[u16],
    member: &str,
    is_rejection: impl FnOnce(&str) -> bool,
) -> TokenVerdict {
    let status = response.status.as_u16();
    match response.body {
        _ if status == 401 => TokenVerdict::Rejected,
        _ if !statuses.contains(&status) => TokenVerdict::NotRejected,
        None => TokenVerdict::NeedsBody,
        Some(_) => {
            let value = response.json_member(member);
            TokenVerdict::rejected_if(value.is_some_and(|value| is_rejection(&value)))
        }
    }
}
