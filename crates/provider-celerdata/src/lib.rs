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

mod settings;
mod wire;

use std::time::SystemTime;

use gatepass_core::{
    ApiResponse, BasicEncoding, Credential, Endpoint, Error, Field, Provider, ProviderInfo,
    RefreshHints, Request, Response, Result, Token, TokenVerdict, register,
};

pub use crate::settings::GrantTypeIn;
use crate::settings::Settings;

/// What this provider is.
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
                Field::text("client_id", "the id of an application key or service account"),
                Field::secret("client_secret", "its secret, shown once, when it is made"),
                Field::choice("basic_encoding", &["raw", "form"], "how Basic writes id and secret"),
                Field::choice("grant_type_in", &["query", "body"], "where the grant type goes"),
                Field::text("scope", "such as all-apis; only with grant_type_in = \"body\"")
                    .optional(),
            ]
        },
    )
    .build(|profile| Ok(Box::new(CelerData { settings: Settings::read(profile)? })));
register!(INFO);

/// CelerData's token endpoint.
#[derive(Clone, Debug, Default)]
pub struct CelerData {
    settings: Settings,
}

impl CelerData {
    /// The token service as CelerData documents it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces scheme, host and port.
    pub fn base_url(mut self, base_url: Endpoint) -> Self {
        self.settings.base_url = Some(base_url);
        self
    }

    /// Chooses how Basic writes id and secret.
    pub fn basic_encoding(mut self, encoding: BasicEncoding) -> Self {
        self.settings.basic_encoding = encoding;
        self
    }

    /// Chooses where the grant type goes.
    pub fn grant_type_in(mut self, place: GrantTypeIn) -> Self {
        self.settings.grant_type_in = place;
        self
    }
}

impl Provider for CelerData {
    fn id(&self) -> &str {
        "celerdata"
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

    fn hints(&self) -> RefreshHints {
        RefreshHints::new().requests_per_minute(600)
    }

    fn scope(&self) -> Option<&str> {
        self.settings.scope()
    }

    fn api(&self, _: Option<&Token>) -> Option<Endpoint> {
        self.settings.api().ok()
    }

    fn probe(&self, _: &Credential) -> Result<Option<String>> {
        Ok(Some(String::from("/api/1.0/clusters")))
    }
}

#[cfg(test)]
gatepass_testkit::conformance!(super::INFO, "fixtures");
