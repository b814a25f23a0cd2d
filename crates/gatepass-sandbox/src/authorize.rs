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
    /// The accepted values of `response_type`; the words of one value may come in any order.
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
    let asked = match AuthorizationQuery::read(grant, request, vendor) {
        Ok(asked) => asked,
        Err(text) => return page::refused(grant.title, 400, &text),
    };
    if request.method != "POST" {
        return match asked.problem() {
            Some((code, text)) => error(request, code, text),
            None => asked.visit(vendor),
        };
    }
    if !is_own_page(request) {
        return page::refused(grant.title, 403, "This form was sent by another site.");
    }
    let form = request.form();
    match (asked.problem(), find(&form, "decision")) {
        (Some((code, text)), _) => error(request, code, text),
        (None, None) => asked.login(&form, vendor),
        (None, Some(decision)) => {
            asked.decide(decision, find(&form, "form_token").unwrap_or_default(), vendor)
        }
    }
}

/// Redirects the browser with an error (RFC 6749 section 4.2.2.1). The redirect URI was checked.
pub(crate) fn error(request: &VendorRequest, code: &str, description: &str) -> SandboxResponse {
    let members = vec![
        ("error".to_owned(), code.into()),
        ("error_description".to_owned(), description.into()),
    ];
    let to = request.query("redirect_uri").unwrap_or_default();
    SandboxResponse::landing(LoginRedirect::new(to, with_state(members, request)))
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
        if request.query.iter().any(|(name, value)| name.len() + value.len() > LONGEST) {
            return Err(format!("A parameter is longer than {LONGEST} bytes.").into());
        }
        let Some(id) = request.query("client_id").filter(|id| !id.is_empty()) else {
            return Err("The request has no client_id.".into());
        };
        let Some(client) = vendor.client(|client| client.get("client_id") == id) else {
            return Err(format!("No client is called {}.", shown(id)).into());
        };
        let registered = client.get("redirect_uri");
        match request.query("redirect_uri").filter(|uri| !uri.is_empty()) {
            None => Err("The request has no redirect_uri.".into()),
            Some(uri) if !redirect::is_registered(registered, uri) => {
                Err(format!("The redirect_uri {} is not the registered one.", shown(uri)).into())
            }
            Some(redirect_uri) => Ok(Self { request, client, redirect_uri, grant }),
        }
    }

    /// Returns the error that the client receives in the redirect.
    fn problem(&self) -> Option<(&'static str, &'static str)> {
        let words = self.words("response_type");
        let is_known = |known: &&[&str]| {
            known.len() == words.len() && known.iter().all(|word| words.contains(word))
        };
        if !self.grant.response_types.iter().any(is_known) {
            return Some(("unsupported_response_type", "the response_type is not supported"));
        }
        let scopes = self.words("scope");
        if scopes.iter().any(|word| !self.grant.scopes.contains(word)) {
            return Some(("invalid_scope", "the scope is unknown"));
        }
        if words.contains(&"id_token") && !scopes.contains(&"openid") {
            return Some(("invalid_scope", "an id_token requires the scope openid"));
        }
        None
    }

    fn words(&self, name: &str) -> Vec<&'a str> {
        self.request.query(name).unwrap_or_default().split_ascii_whitespace().collect()
    }

    /// Returns whether `response_type` contains this word.
    pub(crate) fn wants(&self, response_type: &str) -> bool {
        self.words("response_type").contains(&response_type)
    }

    fn cookie(&self) -> Option<&'a str> {
        self.request.cookie(COOKIE)
    }

    fn page(&self) -> Page<'_> {
        Page { vendor: self.grant.title, redirect_uri: self.redirect_uri }
    }

    /// Handles a visit: shows the login page, the consent page, or redirects.
    fn visit(&self, vendor: &mut VendorContext<'_>) -> SandboxResponse {
        let is_let_in = vendor.state.consents.contains(&self.client.key());
        match vendor.state.sessions.seat(self.cookie(), vendor.now) {
            SessionState::Live(_) if is_let_in => self.back(true, vendor),
            SessionState::Live(_) | SessionState::Expired | SessionState::Nobody => {
                self.ask(None, vendor)
            }
        }
    }

    /// Returns the page that the user has to complete first.
    fn ask(&self, message: Option<&str>, vendor: &mut VendorContext<'_>) -> SandboxResponse {
        let key = self.client.key();
        match vendor.state.sessions.seat(self.cookie(), vendor.now) {
            SessionState::Live(session) => {
                let form_token = session.form_token(&key);
                self.page().consent(self.client.get("client_id"), &form_token, message)
            }
            SessionState::Expired => self.page().login(Some(EXPIRED)),
            SessionState::Nobody => self.page().login(message),
        }
    }

    fn login(&self, form: &[(String, String)], vendor: &mut VendorContext<'_>) -> SandboxResponse {
        let said = |name| find(form, name).unwrap_or_default();
        if said("username") != page::PERSON || said("password") != page::PERSON {
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
                format!("{}={}", redirect::encoded(name), redirect::encoded(value))
            })
            .collect();
        let here = format!("/{provider}{}?{}", self.request.path, query.join("&"));
        self.page().see_other(&here).with("set-cookie", cookie)
    }

    fn decide(
        &self,
        decision: &str,
        form_token: &str,
        vendor: &mut VendorContext<'_>,
    ) -> SandboxResponse {
        let key = self.client.key();
        let is_good = match vendor.state.sessions.seat(self.cookie(), vendor.now) {
            SessionState::Live(session) => session.redeem(form_token, &key),
            SessionState::Expired | SessionState::Nobody => return self.ask(None, vendor),
        };
        match (is_good, decision) {
            (true, "allow") => self.back(true, vendor),
            (true, "deny") => self.back(false, vendor),
            (true, _) => self.ask(Some("Please allow or deny."), vendor),
            (false, _) => {
                let text = "This page was submitted before, or is not from this sandbox. Please decide again.";
                SandboxResponse { status: 403, ..self.ask(Some(text), vendor) }
            }
        }
    }

    /// Redirects to the client with the user's decision, changed by a fault if one is armed.
    fn back(&self, is_allowed: bool, vendor: &mut VendorContext<'_>) -> SandboxResponse {
        let fault = vendor.faults.take(self.grant.provider, Target::Login);
        let name = fault.as_ref().map(|fault| fault.name());
        if fault.as_ref().is_some_and(|fault| fault.ends_session()) {
            vendor.state.sessions.end(self.cookie(), vendor.now);
            return SandboxResponse { fault: name, ..self.ask(None, vendor) };
        }
        let now = vendor.now;
        let mut honest = || match is_allowed {
            true => self.allowed(vendor),
            false => error(self.request, "access_denied", "the user denied the request"),
        };
        let response = match fault {
            Some(fault) => fault.happen(self.request, self.grant.provider, now, honest),
            None => honest(),
        };
        SandboxResponse { fault: name, ..response }
    }

    fn allowed(&self, vendor: &mut VendorContext<'_>) -> SandboxResponse {
        vendor.state.consents.insert(self.client.key());
        let members = with_state((self.grant.token_members)(self, vendor), self.request);
        let response = SandboxResponse::landing(LoginRedirect::new(self.redirect_uri, members));
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
fn shown(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_graphic() || c.is_alphanumeric() || c == ' ';
    text.chars().take(100).map(|c| if is_plain(c) { c } else { '\u{fffd}' }).collect()
}

/// Parameters that must not be repeated (RFC 6749 section 3.1).
const PARAMETERS: [&str; 6] =
    ["client_id", "redirect_uri", "response_type", "scope", "state", "nonce"];
const LONGEST: usize = 2_048;
const COOKIE: &str = "gatepass_sandbox";
const EXPIRED: &str = "Your session has expired. Please log in again.";
