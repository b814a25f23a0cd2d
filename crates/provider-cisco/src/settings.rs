//! What a profile of Cisco says besides its secret, with its defaults.

use gatepass_core::{BasicEncoding, Endpoint, Error, RedirectUri, Result};

#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) environment: Environment,
    pub(crate) base_url: Option<Endpoint>,
    pub(crate) client_auth: ClientAuth,
    pub(crate) basic_encoding: BasicEncoding,
    /// Where the implicit grant's answer goes; without one the grant is client credentials.
    pub(crate) implicit: Option<RedirectUri>,
}

/// One of Cisco's token services.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Environment {
    /// `cloudsso.cisco.com`, for clients registered before 2023.
    #[default]
    Cloudsso,
    /// `id.cisco.com`, for clients registered since.
    Id,
}

/// Where client id and secret go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientAuth {
    /// Into the form.
    #[default]
    Form,
    /// Into HTTP Basic.
    Basic,
    /// Into the URL, as Cisco's Postman example does. Servers and proxies log URLs: every token
    /// got this way carries a warning.
    Query,
}

impl Settings {
    pub(crate) fn read(profile: &gatepass_core::Settings) -> Result<Self> {
        let is_implicit =
            profile.choice("grant", &[("client_credentials", false), ("implicit", true)])?;
        let environment = profile.choice(
            "environment",
            &[("cloudsso", Environment::Cloudsso), ("id", Environment::Id)],
        )?;
        if is_implicit && environment == Environment::Id {
            return Err(Error::config("id.cisco.com has no implicit grant")
                .with_field("grant")
                .hint("use grant = \"client_credentials\", or environment = \"cloudsso\""));
        }
        Ok(Self {
            environment,
            base_url: profile.base_url().cloned(),
            client_auth: profile.choice(
                "client_auth",
                &[
                    ("form", ClientAuth::Form),
                    ("basic", ClientAuth::Basic),
                    ("query", ClientAuth::Query),
                ],
            )?,
            basic_encoding: profile.choice(
                "basic_encoding",
                &[("form", BasicEncoding::Form), ("raw", BasicEncoding::Raw)],
            )?,
            implicit: is_implicit.then(|| profile.redirect_uri("redirect_uri")).transpose()?,
        })
    }

    pub(crate) fn token_endpoint(&self) -> Result<Endpoint> {
        match self.environment {
            Environment::Cloudsso => {
                self.at("https://cloudsso.cisco.com")?.join("/as/token.oauth2")
            }
            Environment::Id => self.at("https://id.cisco.com")?.join("/oauth2/default/v1/token"),
        }
    }

    /// The old token service's: the new one has no implicit grant.
    pub(crate) fn authorization_endpoint(&self) -> Result<Endpoint> {
        self.at("https://cloudsso.cisco.com")?.join("/as/authorization.oauth2")
    }

    pub(crate) fn api(&self) -> Result<Endpoint> {
        self.at(match self.environment {
            Environment::Cloudsso => "https://api.cisco.com",
            Environment::Id => "https://apix.cisco.com",
        })
    }

    fn at(&self, host: &str) -> Result<Endpoint> {
        self.base_url.clone().map_or_else(|| Endpoint::parse(host), Ok)
    }
}
