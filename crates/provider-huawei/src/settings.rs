//! What a profile of Huawei OneAccess says besides its secret, with its defaults.

use gatepass_core::{BasicEncoding, Endpoint, RedirectUri, Result};

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) base: Endpoint,
    pub(crate) client_auth: ClientAuth,
    pub(crate) basic_encoding: BasicEncoding,
    pub(crate) use_token: UseToken,
    /// Where the implicit grant's answer goes; without one the grant is client credentials.
    pub(crate) implicit: Option<RedirectUri>,
}

/// Where client id and secret go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientAuth {
    /// Into the form.
    #[default]
    Form,
    /// Into HTTP Basic, which BambooCloud requires.
    Basic,
}

/// Which part of the answer is the token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum UseToken {
    /// `access_token`, for OneAccess's own API.
    #[default]
    AccessToken,
    /// `id_token`, for enterprise APIs behind OneAccess.
    IdToken,
}

impl Settings {
    pub(crate) fn read(profile: &gatepass_core::Settings) -> Result<Self> {
        let is_implicit =
            profile.choice("grant", &[("client_credentials", false), ("implicit", true)])?;
        Ok(Self {
            base: profile.base_or_host("domain")?,
            client_auth: profile.choice(
                "client_auth",
                &[("form", ClientAuth::Form), ("basic", ClientAuth::Basic)],
            )?,
            basic_encoding: profile.choice(
                "basic_encoding",
                &[("form", BasicEncoding::Form), ("raw", BasicEncoding::Raw)],
            )?,
            use_token: profile.choice(
                "use_token",
                &[("access_token", UseToken::AccessToken), ("id_token", UseToken::IdToken)],
            )?,
            implicit: is_implicit.then(|| profile.redirect_uri("redirect_uri")).transpose()?,
        })
    }
}
