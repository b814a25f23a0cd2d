//! `Example`, a provider without a vendor, for tests of code that takes a provider.

use std::time::SystemTime;

use gatepass_core::{
    Credential, Endpoint, EnvironmentInfo, Field, Provider, ProviderInfo, Request, Response,
    Result, Token, oauth2,
};

/// The facts of [`Example`], which is not in any registry.
pub const INFO: ProviderInfo = ProviderInfo::new("example", "Example")
    .docs("https://vendor.example.com/docs/token")
    .environments(
        const {
            &[EnvironmentInfo::new(
                "prod",
                "production",
                &[("base_url", "https://vendor.example.com")],
            )]
        },
    )
    .fields(
        const {
            &[
                Field::text("client_id", "the client's id"),
                Field::secret("client_secret", "shown once, when the client is created"),
                Field::choice(
                    "client_auth",
                    &["form", "basic"],
                    "the place of the credential in the request",
                ),
            ]
        },
    )
    .build(|settings| {
        let basic = settings.optional_text("client_auth") == Some("basic");
        Ok(Box::new(Example { endpoint: settings.base(&INFO)?.join("/token")?, basic }))
    });

/// A provider of the client credentials grant (RFC 6749 section 4.4) at `https://vendor.example.com/token`.
#[derive(Clone, Debug)]
pub struct Example {
    endpoint: Endpoint,
    basic: bool,
}

impl Example {
    /// Creates the provider with its default endpoint.
    pub fn new() -> Self {
        let endpoint = Endpoint::parse("https://vendor.example.com/token");
        Self { endpoint: endpoint.expect("a constant URL"), basic: false }
    }
}

impl Default for Example {
    fn default() -> Self {
        Self::new()
    }
}

impl Provider for Example {
    fn id(&self) -> &str {
        "example"
    }

    fn token_request(&self, credential: &Credential) -> Result<Request> {
        let request = Request::post(self.endpoint.clone());
        let grant = ("grant_type", "client_credentials");
        let (id, secret) = (credential.text("client_id")?, credential.secret("client_secret")?);
        if self.basic {
            return request.form([grant]).basic(id, secret, Default::default());
        }
        let secret = ("client_secret", secret.expose_secret());
        Ok(request.form([grant, ("client_id", id), secret]))
    }

    fn read_token(&self, response: &Response, sent: SystemTime) -> Result<Token> {
        oauth2::read_token(response, sent)
    }
}
