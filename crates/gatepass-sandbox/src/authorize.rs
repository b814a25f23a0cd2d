//! The implicit grant (RFC 6749 section 4.2): login page, consent page and redirect to the client.

use std::borrow::Cow;

use crate::{
    client::Client,
    faults::Target,
    page::{self, Page},
    redirect::{self, LoginRedirect},
    response::{Members, SandboxResponse},
    session::SessionState,
    vendor_request::{VendorRequest, find},
    vendor_state::VendorContext,
};

/// A vendor's rules for the implicit grant.
pub(crate) struct Grant {
    pub(crate) provider: &'static str,
    pub(crate) title: &'static str,
    /// The accepted values of `response_type`; a value of several words matches in any order.
    pub(crate) response_types: &'static [&'static [&'static str]],
    pub(crate) scopes: &'static [&'static str],
    /// The redirect URI of a client that registered none.
    pub(crate) redirect_uri: &'static str,
    /// Issues the token and returns the members of the redirect.
    pub(crate) token_members: fn(&AuthorizationQuery<'_>, &mut VendorContext<'_>) -> Members,
}

/// A valid authorization request of a known client and its registered redirect URI.
pub(crate) struct AuthorizationQuery<'a> {
    pub(crate) request: &'a VendorRequest,
    pub(crate) client: Client,
    pub(crate) redirect_uri: &'a str,
    grant: &'a Grant,
}

/// Serves the pages of the login. Their forms post to the same address.
pub(crate) fn respond(
    grant: &Grant,
    request: &VendorRequest,
    vendor: &mut VendorContext<'_>,
) -> SandboxResponse {
    let query = match AuthorizationQuery::read(grant, request, vendor) {
        Ok(query) => query,
        Err(text) => return page::refused(grant.title, 400, &text),
    };
    if request.method != "POST" {
        return match query.problem() {
            Some((code, text)) => error(request, code, text),
            None => query.visit(vendor),
        };
    }
    if !is_own_page(request) {
        return page::refused(grant.title, 403, "This form was sent by another site.");
    }
    let form = request.form();
    match (query.problem(), find(&form, "decision")) {
        (Some((code, text)), _) => error(request, code, text),
        (None, None) => query.login(&form, vendor),
        (None, Some(decision)) => {
            query.decide(decision, find(&form, "form_token").unwrap_or_default(), vendor)
        }
    }
}

/// Redirects the browser with an error (RFC 6749 section 4.2.2.1). The redirect URI was checked.
pub(crate) fn error(request: &VendorRequest, code: &str, description: &str) -> SandboxResponse {
    let members = vec![
        ("error".to_owned(), code.into()),
        ("error_description".to_owned(), description.into()),
    ];
    let redirect_uri = request.query("redirect_uri").unwrap_or_default();
    SandboxResponse::login_redirect(LoginRedirect::new(redirect_uri, with_state(members, request)))
}

impl<'a> AuthorizationQuery<'a> {
    /// Reads the request. An error is shown on a page, because the redirect URI is not trusted.
    fn read(
        grant: &'a Grant,
        request: &'a VendorRequest,
        vendor: &VendorContext<'_>,
    ) -> Result<Self, Cow<'static, str>> {
        if let Some(name) = PARAMETERS
            .into_iter()
            .find(|name| request.query.iter().filter(|(known, _)| known == name).count() > 1)
        {
            return Err(format!("The request has more than one {name}.").into());
        }
        if request.query.iter().any(|(name, value)| name.len() + value.len() > MAX_PARAMETER_LENGTH)
        {
            return Err(format!("A parameter is longer than {MAX_PARAMETER_LENGTH} bytes.").into());
        }
        let Some(id) = request.query("client_id").filter(|id| !id.is_empty()) else {
            return Err("The request has no client_id.".into());
        };
        let Some(client) = vendor.client(|client| client.get("client_id") == id) else {
            return Err(format!("No client is called {}.", printable(id)).into());
        };
        let registered = client.get("redirect_uri");
        match request.query("redirect_uri").filter(|uri| !uri.is_empty()) {
            None => Err("The request has no redirect_uri.".into()),
            Some(uri) if !redirect::is_registered(registered, uri) => {
                Err(format!("The redirect_uri {} is not the registered one.", printable(uri))
                    .into())
            }
            Some(redirect_uri) => Ok(Self { request, client, redirect_uri, grant }),
        }
    }

    /// Returns the error that the client receives in the redirect.
    fn problem(&self) -> Option<(&'static str, &'static str)> {
        let response_types = self.values("response_type");
        let is_known = |known: &&[&str]| {
            known.len() == response_types.len()
                && known.iter().all(|word| response_types.contains(word))
        };
        if !self.grant.response_types.iter().any(is_known) {
            return Some(("unsupported_response_type", "the response_type is not supported"));
        }
        let scopes = self.values("scope");
        if scopes.iter().any(|word| !self.grant.scopes.contains(word)) {
            return Some(("invalid_scope", "the scope is unknown"));
        }
        if response_types.contains(&"id_token") && !scopes.contains(&"openid") {
            return Some(("invalid_scope", "an id_token requires the scope openid"));
        }
        None
    }

    fn values(&self, name: &str) -> Vec<&'a str> {
        self.request.query(name).unwrap_or_default().split_ascii_whitespace().collect()
    }

    /// Returns whether `response_type` contains this word.
    pub(crate) fn wants(&self, response_type: &str) -> bool {
        self.values("response_type").contains(&response_type)
    }

    fn cookie(&self) -> Option<&'a str> {
        self.request.cookie(COOKIE)
    }

    fn page(&self) -> Page<'_> {
        Page { vendor: self.grant.title, redirect_uri: self.redirect_uri }
    }

    /// Handles a visit: shows the login page, the consent page, or redirects.
    fn visit(&self, vendor: &mut VendorContext<'_>) -> SandboxResponse {
        let has_consent = vendor.state.consents.contains(&self.client.key());
        match vendor.state.sessions.lookup(self.cookie(), vendor.now) {
            SessionState::Valid(_) if has_consent => self.redirect_back(true, vendor),
            SessionState::Valid(_) | SessionState::Expired | SessionState::Missing => {
                self.show_page(None, vendor)
            }
        }
    }

    /// Returns the page that the user has to complete first.
    fn show_page(&self, message: Option<&str>, vendor: &mut VendorContext<'_>) -> SandboxResponse {
        let key = self.client.key();
        match vendor.state.sessions.lookup(self.cookie(), vendor.now) {
            SessionState::Valid(session) => {
                let form_token = session.form_token(&key);
                self.page().consent(self.client.get("client_id"), &form_token, message)
            }
            SessionState::Expired => self.page().login(Some(EXPIRED)),
            SessionState::Missing => self.page().login(message),
        }
    }

    fn login(&self, form: &[(String, String)], vendor: &mut VendorContext<'_>) -> SandboxResponse {
        let field = |name| find(form, name).unwrap_or_default();
        if field("username") != page::TEST_USER || field("password") != page::TEST_USER {
            return self.page().login(Some("The user name or password is wrong."));
        }
        let id = vendor.state.sessions.begin(vendor.now);
        let provider = self.grant.provider;
        let cookie = format!("{COOKIE}={id}; Path=/{provider}; HttpOnly; SameSite=Lax");
        let query: Vec<String> = self
            .request
            .query
            .iter()
            .map(|(name, value)| {
                format!("{}={}", redirect::percent_encode(name), redirect::percent_encode(value))
            })
            .collect();
        let address = format!("/{provider}{}?{}", self.request.path, query.join("&"));
        self.page().see_other(&address).with("set-cookie", cookie)
    }

    fn decide(
        &self,
        decision: &str,
        form_token: &str,
        vendor: &mut VendorContext<'_>,
    ) -> SandboxResponse {
        let key = self.client.key();
        let is_fresh = match vendor.state.sessions.lookup(self.cookie(), vendor.now) {
            SessionState::Valid(session) => session.redeem(form_token, &key),
            SessionState::Expired | SessionState::Missing => return self.show_page(None, vendor),
        };
        match (is_fresh, decision) {
            (true, "allow") => self.redirect_back(true, vendor),
            (true, "deny") => self.redirect_back(false, vendor),
            (true, _) => self.show_page(Some("Please allow or deny."), vendor),
            (false, _) => {
                let text = "This page was submitted before, or is not from this sandbox. Please decide again.";
                SandboxResponse { status: 403, ..self.show_page(Some(text), vendor) }
            }
        }
    }

    /// Redirects to the client with the user's decision, changed by a fault if one is armed.
    fn redirect_back(&self, is_allowed: bool, vendor: &mut VendorContext<'_>) -> SandboxResponse {
        let fault = vendor.faults.take(self.grant.provider, Target::Login);
        let name = fault.as_ref().map(|fault| fault.name());
        if fault.as_ref().is_some_and(|fault| fault.ends_session()) {
            vendor.state.sessions.end(self.cookie(), vendor.now);
            return SandboxResponse { fault: name, ..self.show_page(None, vendor) };
        }
        let now = vendor.now;
        let mut regular = || match is_allowed {
            true => self.allowed(vendor),
            false => error(self.request, "access_denied", "the user denied the request"),
        };
        let response = match fault {
            Some(fault) => fault.apply(self.request, self.grant.provider, now, regular),
            None => regular(),
        };
        SandboxResponse { fault: name, ..response }
    }

    fn allowed(&self, vendor: &mut VendorContext<'_>) -> SandboxResponse {
        vendor.state.consents.insert(self.client.key());
        let members = with_state((self.grant.token_members)(self, vendor), self.request);
        let response =
            SandboxResponse::login_redirect(LoginRedirect::new(self.redirect_uri, members));
        SandboxResponse { issued: true, ..response }
    }
}

fn with_state(mut members: Members, request: &VendorRequest) -> Members {
    if let Some(state) = request.query("state") {
        members.push(("state".to_owned(), state.into()));
    }
    members
}

/// Browsers send the origin of a form in `Origin`; other clients do not.
fn is_own_page(request: &VendorRequest) -> bool {
    let Some(origin) = request.headers.get(http::header::ORIGIN) else { return true };
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    origin.is_some_and(|(_, host)| request.header("host") == Some(host))
}

/// Returns the part of a request that a page may repeat: short and without control characters.
fn printable(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_graphic() || c.is_alphanumeric() || c == ' ';
    text.chars().take(100).map(|c| if is_plain(c) { c } else { '\u{fffd}' }).collect()
}

/// Parameters that must not be repeated (RFC 6749 section 3.1).
const PARAMETERS: [&str; 6] =
    ["client_id", "redirect_uri", "response_type", "scope", "state", "nonce"];
const MAX_PARAMETER_LENGTH: usize = 2_048;
const COOKIE: &str = "gatepass_sandbox";
const EXPIRED: &str = "Your session has expired. Please log in again.";
