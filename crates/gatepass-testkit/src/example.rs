//! Example: a provider without a vendor, for tests of code that is given one.

use std::time::SystemTime;

use gatepass_core::{
    Credential, Endpoint, EnvironmentInfo, Field, Provider, ProviderInfo, Request, Response,
    Result, Token, oauth2,
};

/// What [`Example`] is. It is in no registry.
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
                Field::text("client_id", "which client asks"),
                Field::secret("client_secret", "shown once, when the client is made"),
                Field::choice("client_auth", &["form", "basic"], "where the credential goes"),
            ]
        },
    )
    .build(|settings| {
        let basic = settings.optional_text("client_auth") == Some("basic");
        Ok(Box::new(Example { endpoint: settings.base(&INFO)?.join("/token")?, basic }))
    });

/// The client credentials grant of RFC 6749 section 4.4, at `https://vendor.example.com/token`.
#[derive(Clone, Debug)]
pub struct Example {
    endpoint: Endpoint,
    basic: bool,
}

impl Example {
    /// The example at its own address.
    pub fn new() -> Self {
        let endpoint = Endpoint::parse("https://vendor.example.com/token");
        Self { endpoint: endpoint.expect("a constant address"), basic: false }
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
