//! Routes requests to the login callback server and accepts exactly one authorization response.
//!
//! Every program and every web page on the machine can connect to the port. The approach:
//!
//! - Each request passes `policy` before its path is looked at, and nothing of a request is logged
//!   or repeated in a page.
//! - The response is in the page's address, partly in the fragment, which a browser does not send.
//!   The callback page reads it with a script and posts it to a secret path. All pages post to the
//!   same path: with a path per page, a program that loads many pages could displace the path of
//!   the one that has the response.
//! - The first response with the login's `state` wins. Any page can open the address with another
//!   one, which is rejected while the login goes on. Requests after the response get 410, while the
//!   connection that brought it stays open until its page shows the result.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::request::Parts;
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use tokio::sync::{mpsc, oneshot};
use tokio::task;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::page::{self, LoginResultPage, PageResponse, PageState};
use super::policy::{PolicyViolation, RequestPolicy, SecretPath};

/// The registered address on this machine to which the vendor redirects the browser.
#[derive(Clone, Debug)]
pub(crate) struct CallbackAddress {
    /// `127.0.0.1`, `[::1]` or `localhost`.
    pub(crate) host: String,
    /// The port; 0 selects a free one.
    pub(crate) port: u16,
    /// Begins with `/`; may have a `?query`.
    pub(crate) path: String,
}

/// An event while a login waits for the browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallbackEvent {
    /// The browser fetched the start address.
    Opened,
    /// The page posted no response: the vendor sent none, or the user reloaded the page.
    EmptyResponse,
    /// The page posted a response that is not one to this login.
    ForeignResponse,
    /// A request was rejected, with the reason.
    Rejected(&'static str),
}

/// The authorization response of a login, and the connection that waits for the result.
pub(super) struct AuthorizationResponse {
    /// The query and the fragment of the page's address: `?…#…`.
    pub(super) parameters: Zeroizing<String>,
    pub(super) reply: oneshot::Sender<LoginResultPage>,
    pub(super) connection: task::Id,
}

/// Returns whether parameters (`?…#…`) are a response to the login.
pub(super) type ResponseCheck = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// The routes of one login and their state.
pub(super) struct CallbackHandler {
    policy: RequestPolicy,
    path: String,
    query: Option<String>,
    start: SecretPath,
    delivery: SecretPath,
    authorization_url: Option<HeaderValue>,
    is_expected: ResponseCheck,
    state: Mutex<CallbackState>,
    events: mpsc::Sender<CallbackEvent>,
    responses: mpsc::Sender<AuthorizationResponse>,
}

#[derive(Default)]
struct CallbackState {
    is_opened: bool,
    is_received: bool,
}

/// The action for a request.
enum Route {
    Respond(PageResponse),
    Deliver,
}

impl CallbackHandler {
    pub(super) fn new(
        address: &CallbackAddress,
        port: u16,
        events: mpsc::Sender<CallbackEvent>,
        responses: mpsc::Sender<AuthorizationResponse>,
    ) -> io::Result<Self> {
        let (path, query) = match address.path.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (address.path.as_str(), None),
        };
        Ok(Self {
            policy: RequestPolicy::new(&address.host, port),
            path: path.to_owned(),
            query,
            start: SecretPath::random()?,
            delivery: SecretPath::random()?,
            authorization_url: None,
            is_expected: Box::new(|_| false),
            state: Mutex::default(),
            events,
            responses,
        })
    }

    pub(super) fn start_url(&self) -> String {
        format!("{}{}", self.policy.origin(), self.start.as_str())
    }

    /// Sets the address of the vendor's page, and which responses belong to this login. Until then
    /// the server accepts none.
    pub(super) fn expect(&mut self, authorization_url: &str, is_expected: ResponseCheck) {
        self.authorization_url = HeaderValue::from_str(authorization_url).ok();
        self.is_expected = is_expected;
    }

    /// Serves one request. Neither a log nor a page repeats any part of it.
    pub(super) async fn handle(
        &self,
        request: Request<Incoming>,
        connection: task::Id,
    ) -> PageResponse {
        let (head, body) = request.into_parts();
        let result = match self.route(&head) {
            Ok(Route::Respond(response)) => Ok(response),
            Ok(Route::Deliver) => self.accept_response(body, connection).await,
            Err(violation) => Err(violation),
        };
        result.unwrap_or_else(|violation| {
            self.report(CallbackEvent::Rejected(violation.reason));
            page::error(violation.status)
        })
    }

    fn route(&self, head: &Parts) -> Result<Route, PolicyViolation> {
        self.policy.check_host(head)?;
        let (is_get, path) = (head.method == Method::GET, head.uri.path());
        let not_allowed = || Ok(Route::Respond(page::error(StatusCode::METHOD_NOT_ALLOWED)));
        if !is_get && head.method != Method::POST {
            return not_allowed();
        }
        let response = if self.is_callback(head) || self.start.matches(path) {
            if !is_get {
                return not_allowed();
            }
            RequestPolicy::check_navigation(head)?;
            match self.is_callback(head) {
                true => self.callback_page(),
                false => self.redirect_to_vendor()?,
            }
        } else if self.delivery.matches(path) {
            if is_get {
                return not_allowed();
            }
            self.policy.check_same_origin(head)?;
            // Reading the body may take a while, so check before it and after it.
            self.check_not_received()?;
            return Ok(Route::Deliver);
        } else {
            page::error(StatusCode::NOT_FOUND)
        };
        Ok(Route::Respond(response))
    }

    /// Returns whether a request is for the registered path. A registered query must come first,
    /// the vendor may append its own. A request without any query is a reloaded page, because the
    /// script removes the query from the address.
    fn is_callback(&self, head: &Parts) -> bool {
        let has_query = match (&self.query, head.uri.query()) {
            (None, _) | (_, None) => true,
            (Some(registered), Some(query)) => query
                .strip_prefix(registered.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('&')),
        };
        head.uri.path() == self.path && has_query
    }

    fn redirect_to_vendor(&self) -> Result<PageResponse, PolicyViolation> {
        let Some(url) = self.authorization_url.clone() else {
            let reason = "the start address has no target";
            return Err(PolicyViolation::new(StatusCode::INTERNAL_SERVER_ERROR, reason));
        };
        let mut state = self.state();
        if state.is_opened || state.is_received {
            let reason = "the start address was opened a second time";
            return Err(PolicyViolation::new(StatusCode::GONE, reason));
        }
        state.is_opened = true;
        drop(state);
        self.report(CallbackEvent::Opened);
        Ok(page::redirect_to(url))
    }

    fn callback_page(&self) -> PageResponse {
        match self.state().is_received {
            true => page::already_received(),
            false => page::callback(&self.delivery),
        }
    }

    fn check_not_received(&self) -> Result<(), PolicyViolation> {
        match self.state().is_received {
            false => Ok(()),
            true => Err(second_response()),
        }
    }

    async fn accept_response(
        &self,
        body: Incoming,
        connection: task::Id,
    ) -> Result<PageResponse, PolicyViolation> {
        let parameters = match timeout(BODY_TIMEOUT, read_body(body)).await {
            Ok(parameters) => parameters?,
            Err(_) => {
                let reason = "its body arrived too slowly";
                return Err(PolicyViolation::new(StatusCode::REQUEST_TIMEOUT, reason));
            }
        };
        if self.is_empty(&parameters) {
            self.report(CallbackEvent::EmptyResponse);
            let text = "This page’s address contains no response: either the page was reloaded, \
                        or the vendor sent none. The login still waits; see the terminal.";
            let title = "No response in this address";
            return Ok(page::result(StatusCode::OK, PageState::Empty, title, text));
        }
        if !(self.is_expected)(&parameters) {
            self.report(CallbackEvent::ForeignResponse);
            let text = "This page’s address contains a response to another login. The login still \
                        waits: close this window and finish the login in the window that gatepass \
                        opened.";
            let title = "The response was rejected";
            return Ok(page::result(StatusCode::BAD_REQUEST, PageState::Bad, title, text));
        }
        if std::mem::replace(&mut self.state().is_received, true) {
            return Err(second_response());
        }
        let (reply, result) = oneshot::channel();
        // `is_received` lets one response through, so the channel has room. If it is closed, the
        // login has ended.
        drop(self.responses.try_send(AuthorizationResponse { parameters, reply, connection }));
        match result.await {
            Ok(result) => {
                let state = if result.is_success { PageState::Good } else { PageState::Bad };
                Ok(page::result(StatusCode::OK, state, &result.title, &result.text))
            }
            Err(_) => Err(PolicyViolation::new(StatusCode::GONE, "the login had ended")),
        }
    }

    /// Returns whether the parameters contain only the registered query.
    fn is_empty(&self, parameters: &str) -> bool {
        let registered = self.query.as_deref().unwrap_or_default();
        let query = parameters.strip_prefix('?').unwrap_or(parameters);
        query.strip_prefix(registered).unwrap_or(query).trim_matches(['?', '&', '#']).is_empty()
    }

    /// Queues an event. Events beyond [`MAX_PENDING_EVENTS`] are dropped, so that flooding the
    /// port costs no memory.
    fn report(&self, event: CallbackEvent) {
        let _ = self.events.try_send(event);
    }

    fn state(&self) -> MutexGuard<'_, CallbackState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a body into one buffer that never moves and is zeroed after use.
async fn read_body(body: Incoming) -> Result<Zeroizing<String>, PolicyViolation> {
    let too_large = PolicyViolation::new(StatusCode::PAYLOAD_TOO_LARGE, "its body was too large");
    let cut_off = PolicyViolation::new(StatusCode::BAD_REQUEST, "its body was cut off");
    if body.size_hint().lower() > MAX_BODY_BYTES as u64 {
        return Err(too_large);
    }
    let mut body = Limited::new(body, MAX_BODY_BYTES);
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BODY_BYTES));
    while let Some(frame) = body.frame().await {
        let frame = frame
            .map_err(|error| if error.is::<LengthLimitError>() { too_large } else { cut_off })?;
        if let Some(data) = frame.data_ref() {
            bytes.extend_from_slice(data);
        }
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(PolicyViolation::new(StatusCode::BAD_REQUEST, "its body was not UTF-8")),
    }
}

fn second_response() -> PolicyViolation {
    PolicyViolation::new(StatusCode::GONE, "a response came a second time")
}

/// How many events may wait to be shown.
pub(super) const MAX_PENDING_EVENTS: usize = 16;
const MAX_BODY_BYTES: usize = 64 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
