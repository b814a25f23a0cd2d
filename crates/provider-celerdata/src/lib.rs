//! CelerData Cloud API tokens: the client credentials grant of RFC 6749 section 4.4, with the
//! client in HTTP Basic and the grant type in the query.
//!
//! ```
//! use gatepass_core::{Credential, Provider};
//! use provider_celerdata::CelerData;
//!
//! let lake = CelerData::new();
//! let request = lake.token_request(&Credential::client("app-1", "hunter2"))?;
//! assert_eq!(
//!     request.endpoint().as_str(),
//!     "https://cloud-api.celerdata.com/api/1.0/token?grant_type=client_credentials",
//! );
//! # Ok::<(), gatepass_core::Error>(())
//! ```

use std::time::SystemTime;

use gatepass_core::oauth2::{self, ClientAuth, ClientCredentials};
use gatepass_core::{
    ApiResponse, BasicEncoding, Credential, Endpoint, Error, Field, Provider, ProviderInfo,
    RefreshHints, Request, Response, Result, Settings, Token, TokenVerdict, register,
};

/// The facts of this provider.
pub const INFO: ProviderInfo = ProviderInfo::new("celerdata", "CelerData Cloud")
    .vendor("CelerData")
    .aliases(&["celerdata cloud", "starrocks"])
    .docs(concat!(
        "https://docs.celerdata.com/BYOC/docs/API/actions/identity_and_access_management/tokens/",
        "create_access_token"
    ))
    .fields(
        const {
            &[
                Field::client_id("the id of an application key or service account"),
                Field::client_secret("its secret, shown once, when it is made"),
                Field::basic_encoding(&["raw", "form"]),
                Field::choice("grant_type_in", &["query", "body"], "where the grant type goes"),
                Field::text("scope", "such as all-apis; only with grant_type_in = \"body\"")
                    .optional(),
            ]
        },
    )
    .build(|settings| Ok(Box::new(CelerData::from_settings(settings)?)));
register!(INFO);

/// CelerData's token endpoint.
#[derive(Clone, Debug)]
pub struct CelerData {
    base_url: Option<Endpoint>,
    client: ClientCredentials,
    /// Whether grant type and scope are in the form, not in the query.
    is_in_body: bool,
}

impl CelerData {
    /// The token service as CelerData documents it.
    pub fn new() -> Self {
        let client = ClientCredentials::new().auth(ClientAuth::Basic).encoding(BasicEncoding::Raw);
        Self { base_url: None, client, is_in_body: false }
    }

    fn from_settings(settings: &Settings) -> Result<Self> {
        let client = ClientCredentials::from_settings(settings, &INFO)?.auth(ClientAuth::Basic);
        let is_in_body = settings.choice("grant_type_in", &[("query", false), ("body", true)])?;
        if !client.scope.is_empty() && !is_in_body {
            return Err(Error::config("needs grant_type_in = \"body\"")
                .with_field("scope")
                .hint("set grant_type_in = \"body\", or remove scope"));
        }
        Ok(Self { base_url: settings.base_url().cloned(), client, is_in_body })
    }

    /// Replaces scheme, host and port.
    pub fn base_url(mut self, base_url: Endpoint) -> Self {
        self.base_url = Some(base_url);
        self
    }

    /// Chooses how HTTP Basic encodes client id and secret.
    pub fn basic_encoding(mut self, encoding: BasicEncoding) -> Self {
        self.client.encoding = encoding;
        self
    }

    /// Sends the grant type and a scope, such as `all-apis`, in the form, as CelerData's own client
    /// does. The scope may be empty.
    pub fn in_body(mut self, scope: impl Into<String>) -> Self {
        self.client.scope = scope.into();
        self.is_in_body = true;
        self
    }

    fn base(&self) -> Result<Endpoint> {
        self.base_url.clone().map_or_else(|| Endpoint::parse("https://cloud-api.celerdata.com"), Ok)
    }
}

impl Provider for CelerData {
    fn id(&self) -> &str {
        "celerdata"
    }

    fn token_request(&self, credential: &Credential) -> Result<Request> {
        let endpoint = self.base()?.join("/api/1.0/token")?;
        if self.is_in_body {
            return self.client.request(endpoint, credential);
        }
        // RFC 6749 section 4.4.2 puts the grant type into the body, CelerData into the query:
        // https://docs.celerdata.com/BYOC/docs/API/actions/identity_and_access_management/tokens/create_access_token
        let endpoint = endpoint.with_query([("grant_type", "client_credentials")]);
        let (id, secret) = (credential.text("client_id")?, credential.secret("client_secret")?);
        Request::post(endpoint).basic(id, secret, self.client.encoding)
    }

    /// The refresh token beside the token is kept as an extra and never needed.
    fn read_token(&self, response: &Response, sent: SystemTime) -> Result<Token> {
        oauth2::read_token(response, sent)
    }

    /// The API may send 200 with a code of its own in the body. The code for a rejected token is not
    /// documented: codes that begin as HTTP's 401 (40100 to 40199) count.
    fn token_verdict(&self, response: &ApiResponse<'_>) -> TokenVerdict {
        let is_json = response.header("content-type").is_some_and(|kind| kind.contains("json"));
        let statuses: &[u16] =
            if is_json || response.body.is_some() { &[200, 400, 403] } else { &[] };
        oauth2::reject_on_json(response, statuses, "code", |code| {
            code.parse().is_ok_and(|code: u32| (40_100..=40_199).contains(&code))
        })
    }

    fn explain(&self, credential: &Credential, error: Error) -> Error {
        match error.vendor_code() {
            Some("unsupported_grant_type") => error
                .with_hints(["set grant_type_in in the profile to \"body\" or \"query\"".into()]),
            _ => self.client.explain(credential, error),
        }
    }

    fn hints(&self) -> RefreshHints {
        RefreshHints::new().requests_per_minute(600)
    }

    fn scope(&self) -> Option<&str> {
        Some(self.client.scope.as_str()).filter(|scope| !scope.is_empty())
    }

    fn api(&self, _: Option<&Token>) -> Option<Endpoint> {
        self.base().ok()
    }

    fn probe(&self, _: &Credential) -> Result<Option<String>> {
        Ok(Some(String::from("/api/1.0/clusters")))
    }
}

impl Default for CelerData {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
