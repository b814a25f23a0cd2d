//! Routes an HTTP request to a vendor, applies faults, counts and logs it.

use std::{net::IpAddr, sync::Arc};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::any,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Uri, header, uri::Authority};

use crate::{
    clock, control,
    faults::Target,
    response::{Delivery, SandboxResponse},
    state::Memory,
    vendor_request::VendorRequest,
    vendors::Vendor,
};

/// The state that every request needs: the memory and the port of the sandbox.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) memory: Arc<Memory>,
    pub(crate) port: u16,
}

pub(crate) fn router(app: App) -> Router {
    Router::new()
        .route("/_sandbox/{what}", any(control::respond))
        .fallback(respond)
        .layer(from_fn_with_state(app.clone(), guard))
        .with_state(app)
}

/// Rejects requests from web pages. A page that resolves its own name to loopback (DNS rebinding)
/// sends that name in `Host`; a page that posts to the sandbox sends its `Origin`.
async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    if !is_local_request(request.uri(), request.headers(), app.port) {
        let text = "the Host header must be the loopback address and port of the sandbox";
        return SandboxResponse::json(403, [("error", text.into())]).into_response();
    }
    let is_control = request.uri().path().starts_with("/_sandbox");
    if is_control && request.headers().contains_key(header::ORIGIN) {
        let text = "web pages must not control the sandbox";
        return SandboxResponse::json(403, [("error", text.into())]).into_response();
    }
    next.run(request).await
}

fn is_local_request(uri: &Uri, headers: &HeaderMap, port: u16) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let host = host.to_str().ok().and_then(|text| text.parse().ok());
    host.is_some_and(|host| is_loopback(&host, port))
        && uri.authority().is_none_or(|host| is_loopback(host, port))
}

fn is_loopback(authority: &Authority, port: u16) -> bool {
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    let is_loopback = name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let is_bare = authority.port().is_none() && matches!(port, 80 | 443);
    is_loopback
        && !authority.as_str().contains('@')
        && (is_bare || authority.port_u16() == Some(port))
}

async fn respond(State(app): State<App>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let prefix = parts.uri.path().split('/').nth(1).unwrap_or_default();
    let vendors = app.memory.lock().known.clone();
    let vendor = match vendors.named(prefix) {
        Ok(vendor) => vendor,
        Err(error) => {
            return SandboxResponse::json(404, [("error", error.to_string().into())])
                .into_response();
        }
    };
    let flight = RequestGuard::begin(&app, vendor);
    let read = to_bytes(body, MAX_BODY).await;
    let is_too_large = read.is_err();
    let body: Bytes = read.unwrap_or_default();
    let call = VendorRequest::new(parts.method, &parts.uri, prefix, parts.headers, body);

    let response = {
        let mut state = app.memory.lock();
        // Faults of a login apply to the final redirect only; the code that sends it takes them.
        let target = vendor.implementation.target(&call);
        let armed = match target {
            Target::Login => None,
            target => state.faults.take(&vendor.id, target),
        };
        let mut cx = state.vendor(&vendor.id);
        let now = cx.now;
        let mut regular = || match is_too_large {
            true => SandboxResponse::json(413, [("message", "request entity too large".into())]),
            false if target == Target::Token => vendor.implementation.token(&call, &mut cx),
            false => vendor.implementation.api(&call, &mut cx),
        };
        let response = match &armed {
            Some(fault) => fault.apply(&call, &vendor.id, now, regular),
            None => regular(),
        };
        let status = match response.delivery {
            Delivery::Never => None,
            _ => Some(response.status),
        };
        let fault = armed.as_ref().map(|fault| fault.name()).or(response.fault);
        state.record(&vendor.id, target, &call, status, response.issued, fault);
        response.with("date", clock::http_date(now))
    };
    match response.delivery {
        Delivery::Late(wait) => tokio::time::sleep(wait).await,
        Delivery::Never => std::future::pending().await,
        Delivery::Whole | Delivery::Raw(_) => {}
    }
    drop(flight);
    response.into_response()
}

/// Counts a request as in flight until the response is sent or the client disconnects.
struct RequestGuard {
    app: App,
    vendor: Arc<Vendor>,
}

impl RequestGuard {
    fn begin(app: &App, vendor: &Arc<Vendor>) -> Self {
        app.memory.lock().begin(&vendor.id);
        Self { app: app.clone(), vendor: Arc::clone(vendor) }
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        self.app.memory.lock().end(&self.vendor.id);
    }
}

/// Reads the body of a control request; `None` for a body over the limit.
pub(crate) async fn small_body(body: Body) -> Option<Bytes> {
    to_bytes(body, MAX_BODY).await.ok()
}

/// Returns a JSON response of the sandbox itself.
pub(crate) fn own_response(status: u16, value: &serde_json::Value) -> Response {
    let mut response = SandboxResponse::json_text(status, value.to_string()).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

const MAX_BODY: usize = 64 << 10;
