//! Acme Cloud's access tokens: a complete provider in about fifty lines.

use std::time::SystemTime;

use gatepass_core::{
    Credential, Endpoint, EnvironmentInfo, Field, Provider, ProviderInfo, Request, Response, Result,
    Token, oauth2, register,
};

/// The facts of this provider.
pub const INFO: ProviderInfo = ProviderInfo::new("acme", "Acme Cloud")
    .docs("https://acme.example/docs/token")
    .environments(const { &[EnvironmentInfo::new("prod", "production", &[("base_url", "https://api.acme.example")])] })
    .fields(const { &[
        Field::text("tenant", "the first label of your console's host"),
        Field::text("client_id", "Console > Keys"),
        Field::secret("client_secret", "shown once, when the key is created"),
    ] })
    .build(|settings| Ok(Box::new(Acme::new(settings.base(&INFO)?, settings.text("tenant")?)?)));
register!(INFO);

/// Acme's token endpoint.
#[derive(Clone, Debug)]
pub struct Acme {
    base: Endpoint,
    endpoint: Endpoint,
}

impl Acme {
    /// Returns the token endpoint of a tenant.
    pub fn new(base: Endpoint, tenant: &str) -> Result<Self> {
        let path = format!("/{}/v1/token", gatepass_core::percent_encode(tenant));
        Ok(Self { endpoint: base.join(&path)?, base })
    }
}

impl Provider for Acme {
    fn id(&self) -> &str {
        "acme"
    }

    fn token_request(&self, credential: &Credential) -> Result<Request> {
        Request::post(self.endpoint.clone()).json([
            ("key", credential.text("client_id")?),
            ("secret", credential.secret("client_secret")?.expose_secret()),
        ])
    }

    fn read_token(&self, response: &Response, sent: SystemTime) -> Result<Token> {
        let body = oauth2::read_json(response, sent)?;
        Token::builder(body.secret("/data/jwt")?, sent)
            .date(response.date())
            .expires_in(body.seconds("/data/ttl")?)
            .build()
    }

    /// Acme's API has the origin of its token endpoint.
    fn api(&self, _: Option<&Token>) -> Option<Endpoint> {
        Some(self.base.clone())
    }

    /// A cheap request that any token may send; `gatepass doctor` sends it.
    fn probe(&self, _: &Credential) -> Result<Option<String>> {
        Ok(Some(String::from("/v1/whoami")))
    }
}

#[cfg(test)]
gatepass_testkit::conformance!(super::INFO, "fixtures");
