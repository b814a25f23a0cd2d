//! What a profile of CelerData says besides its secret, with its defaults.

use gatepass_core::{BasicEncoding, Endpoint, Error, Result};

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) base_url: Option<Endpoint>,
    pub(crate) basic_encoding: BasicEncoding,
    pub(crate) grant_type_in: GrantTypeIn,
}

/// Where the grant type goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum GrantTypeIn {
    /// Into the query, as CelerData's page says.
    #[default]
    Query,
    /// Into the form, as CelerData's own client does.
    Body {
        /// The scope beside it, such as `all-apis`.
        scope: Option<String>,
    },
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            base_url: None,
            basic_encoding: BasicEncoding::Raw,
            grant_type_in: GrantTypeIn::Query,
        }
    }
}

impl Settings {
    pub(crate) fn read(profile: &gatepass_core::Settings) -> Result<Self> {
        let scope = profile.optional_text("scope").filter(|scope| !scope.is_empty());
        let in_body = profile.choice("grant_type_in", &[("query", false), ("body", true)])?;
        Ok(Self {
            base_url: profile.base_url().cloned(),
            basic_encoding: profile.choice(
                "basic_encoding",
                &[("raw", BasicEncoding::Raw), ("form", BasicEncoding::Form)],
            )?,
            grant_type_in: match (in_body, scope) {
                (true, scope) => GrantTypeIn::Body { scope: scope.map(str::to_owned) },
                (false, None) => GrantTypeIn::Query,
                (false, Some(_)) => {
                    return Err(Error::config("needs grant_type_in = \"body\"")
                        .with_field("scope")
                        .hint("set grant_type_in = \"body\", or leave scope out"));
                }
            },
        })
    }

    pub(crate) fn scope(&self) -> Option<&str> {
        match &self.grant_type_in {
            GrantTypeIn::Body { scope } => scope.as_deref(),
            GrantTypeIn::Query => None,
        }
    }

    pub(crate) fn api(&self) -> Result<Endpoint> {
        self.base_url.clone().map_or_else(|| Endpoint::parse("https://cloud-api.celerdata.com"), Ok)
    }
}
