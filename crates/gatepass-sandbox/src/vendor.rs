//! What a vendor of the sandbox is: the trait, the fields of its clients, and its profiles.

use std::{borrow::Cow, fmt};

use crate::{
    faults::Target, random, response::SandboxResponse, vendor_request::VendorRequest,
    vendor_state::VendorContext,
};

/// A simulated vendor. The sandbox has five; [`Sandbox::with`](crate::Sandbox::with) adds others.
///
/// A vendor reads requests and builds responses. Everything else is the same for all vendors and
/// works without further code: generated clients, the expiry and revocation of tokens, `--ttl`, the
/// faults, the counters, the request log, the control API below `/_sandbox/`, and the generated config.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), gatepass_sandbox::Error> {
/// use gatepass_sandbox::{
///     ClientField, Sandbox, SandboxResponse, SandboxVendor, VendorContext, VendorRequest,
/// };
///
/// #[derive(Debug)]
/// struct Acme;
///
/// impl SandboxVendor for Acme {
///     fn id(&self) -> &str {
///         "acme"
///     }
///
///     fn fields(&self) -> Vec<ClientField> {
///         vec![ClientField::id("client_id"), ClientField::secret("client_secret")]
///     }
///
///     // POST /acme/v1/token
///     fn token(&self, request: &VendorRequest, vendor: &mut VendorContext<'_>) -> SandboxResponse {
///         let sent = |name: &str| request.form_field(name);
///         let is_sent = |client: &gatepass_sandbox::Client| {
///             ["client_id", "client_secret"]
///                 .iter()
///                 .all(|name| sent(name).as_deref() == client.field(name))
///         };
///         let Some(client) = vendor.client(is_sent) else {
///             return SandboxResponse::oauth_error(401, "invalid_client", "unknown client");
///         };
///         let lifetime = vendor.token_lifetime(&client, 900);
///         let token = vendor.issue(&client, lifetime);
///         SandboxResponse::token([
///             ("access_token", token.into()),
///             ("token_type", "Bearer".into()),
///             ("expires_in", lifetime.as_secs().into()),
///         ])
///     }
///
///     // GET /acme/v1/things
///     fn api(&self, request: &VendorRequest, vendor: &mut VendorContext<'_>) -> SandboxResponse {
///         match (request.method().as_str(), request.path(), vendor.client_of(request.bearer())) {
///             ("GET", "/v1/things", Some(_)) => SandboxResponse::json(200, [("count", 2.into())]),
///             ("GET", "/v1/things", None) => {
///                 SandboxResponse::oauth_error(401, "invalid_token", "not a valid token")
///             }
///             _ => SandboxResponse::not_found(),
///         }
///     }
/// }
///
/// let sandbox = Sandbox::with(Acme).start().await?;
/// let client = sandbox.client("acme").expect("every vendor has a client");
/// assert!(client.field("client_secret").is_some());
/// assert!(sandbox.config_toml().contains("[profiles.acme]"));
/// # sandbox.shutdown().await;
/// # Ok(()) }
/// ```
pub trait SandboxVendor: fmt::Debug + Send + Sync {
    /// Returns the id: the `provider` of a profile, and the first part of each path, `/<id>`. It has
    /// lower-case letters, digits, `-` and `_`.
    fn id(&self) -> &str;

    /// Returns the fields of a client, by their config keys.
    fn fields(&self) -> Vec<ClientField>;

    /// Returns the profiles of the generated config; by default one, which is named like the vendor.
    fn profiles(&self) -> Vec<VendorProfile> {
        vec![VendorProfile::new(self.id())]
    }

    /// Returns the kind of a request, which decides which faults apply and which method responds. By
    /// default a path whose last part is `token` is a [`Target::Token`], every other a [`Target::Api`].
    fn target(&self, request: &VendorRequest) -> Target {
        match request.segments().last() {
            Some(&"token") => Target::Token,
            _ => Target::Api,
        }
    }

    /// Returns the response to a token request.
    fn token(&self, request: &VendorRequest, vendor: &mut VendorContext<'_>) -> SandboxResponse;

    /// Returns the response to every other request. A protected path requires a token for which
    /// [`VendorContext::client_of`] returns a client.
    fn api(&self, request: &VendorRequest, vendor: &mut VendorContext<'_>) -> SandboxResponse;

    /// Removes state of the vendor's own: at the start, and when the sandbox is reset. The sandbox keeps
    /// clients, tokens and counters itself; a vendor without further state has nothing to do.
    fn reset(&self) {}
}

impl<T: SandboxVendor + ?Sized> SandboxVendor for &T {
    fn id(&self) -> &str {
        (**self).id()
    }

    fn fields(&self) -> Vec<ClientField> {
        (**self).fields()
    }

    fn profiles(&self) -> Vec<VendorProfile> {
        (**self).profiles()
    }

    fn target(&self, request: &VendorRequest) -> Target {
        (**self).target(request)
    }

    fn token(&self, request: &VendorRequest, vendor: &mut VendorContext<'_>) -> SandboxResponse {
        (**self).token(request, vendor)
    }

    fn api(&self, request: &VendorRequest, vendor: &mut VendorContext<'_>) -> SandboxResponse {
        (**self).api(request, vendor)
    }

    fn reset(&self) {
        (**self).reset();
    }
}

/// A field of a vendor's clients: its config key, and the source of its value.
#[derive(Clone, Debug)]
pub struct ClientField {
    pub(crate) name: Cow<'static, str>,
    pub(crate) is_secret: bool,
    /// Whether the field identifies the client: a new client with the same ids replaces the old one.
    pub(crate) is_id: bool,
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    Function(fn() -> String),
    Fixed(String),
}

impl ClientField {
    /// Creates a field that identifies a client, with a random value. A client that is added with the
    /// ids of another one replaces it, which rotates its secret.
    pub fn id(name: impl Into<Cow<'static, str>>) -> Self {
        let source = Source::Function(|| random::text(random::LOWER, 24));
        Self { name: name.into(), is_secret: false, is_id: true, source }
    }

    /// Creates a secret field with a random value. The request log never contains it.
    pub fn secret(name: impl Into<Cow<'static, str>>) -> Self {
        let source = Source::Function(|| random::text(random::MIXED, 40));
        Self { name: name.into(), is_secret: true, is_id: false, source }
    }

    /// Creates a field that has this value in every generated client.
    pub fn fixed(name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        let source = Source::Fixed(value.into());
        Self { name: name.into(), is_secret: false, is_id: false, source }
    }

    /// Sets the function that generates the value, for a vendor with a format of its own.
    #[must_use]
    pub fn generate(mut self, value: fn() -> String) -> Self {
        self.source = Source::Function(value);
        self
    }

    /// Creates a field of a vendor in this crate.
    pub(crate) const fn text(name: &'static str, value: fn() -> String) -> Self {
        let source = Source::Function(value);
        Self { name: Cow::Borrowed(name), is_secret: false, is_id: false, source }
    }

    /// Creates a secret field of a vendor in this crate.
    pub(crate) const fn secret_text(name: &'static str, value: fn() -> String) -> Self {
        let source = Source::Function(value);
        Self { name: Cow::Borrowed(name), is_secret: true, is_id: false, source }
    }

    pub(crate) fn value(&self) -> String {
        match &self.source {
            Source::Function(value) => value(),
            Source::Fixed(value) => value.clone(),
        }
    }
}

/// A profile of the generated config. It has the vendor's address and the fields of a client.
#[derive(Clone, Debug)]
pub struct VendorProfile {
    pub(crate) name: String,
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) left_out: Vec<String>,
}

impl VendorProfile {
    /// Creates a profile with all fields of the client.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), settings: Vec::new(), left_out: Vec::new() }
    }

    /// Adds a setting that is not a field of the client.
    #[must_use]
    pub fn setting(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((key.into(), value.into()));
        self
    }

    /// Leaves a field of the client out.
    #[must_use]
    pub fn without(mut self, field: impl Into<String>) -> Self {
        self.left_out.push(field.into());
        self
    }
}
