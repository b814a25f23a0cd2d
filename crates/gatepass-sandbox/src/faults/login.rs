//! Faults of a login's redirect: a changed address, or no redirect at all.

use serde_json::Value;

use super::{FaultContext, act::token_of};
use crate::{
    authorize, page, random,
    redirect::LoginRedirect,
    response::{Content, SandboxResponse},
};

pub(super) fn wrong_state(_: &FaultContext<'_>, mut response: SandboxResponse) -> SandboxResponse {
    let other = random::text(random::MIXED, 22);
    if let Some(members) = response.members_mut() {
        members.retain(|(name, _)| name != "state");
        members.push(("state".to_owned(), other.into()));
    }
    response
}

pub(super) fn no_state(_: &FaultContext<'_>, mut response: SandboxResponse) -> SandboxResponse {
    if let Some(members) = response.members_mut() {
        members.retain(|(name, _)| name != "state");
    }
    response
}

pub(super) fn empty_fragment(context: &FaultContext<'_>) -> SandboxResponse {
    let redirect_uri = context.call.query("redirect_uri").unwrap_or_default();
    SandboxResponse::login_redirect(LoginRedirect::new(redirect_uri, Vec::new()))
}

pub(super) fn no_redirect(_: &FaultContext<'_>) -> SandboxResponse {
    page::login_finished()
}

pub(super) fn error(context: &FaultContext<'_>) -> SandboxResponse {
    authorize::error(context.call, "server_error", "a fault of the sandbox")
}

pub(super) fn error_in_query(context: &FaultContext<'_>) -> SandboxResponse {
    let response = authorize::error(context.call, "access_denied", "a fault of the sandbox");
    in_query(context, response)
}

pub(super) fn in_query(_: &FaultContext<'_>, mut response: SandboxResponse) -> SandboxResponse {
    if let Content::LoginRedirect(login_redirect) = &mut response.content {
        login_redirect.is_in_query = true;
    }
    response
}

pub(super) fn refresh_token(_: &FaultContext<'_>, response: SandboxResponse) -> SandboxResponse {
    with(response, "refresh_token", random::marked(random::MARK, random::MIXED, 28).into())
}

pub(super) fn twice(_: &FaultContext<'_>, response: SandboxResponse) -> SandboxResponse {
    if token_of(&response).is_empty() {
        return response;
    }
    with(response, "access_token", random::marked(random::MARK, random::MIXED, 28).into())
}

pub(super) fn long(context: &FaultContext<'_>, mut response: SandboxResponse) -> SandboxResponse {
    let bytes = context.count("bytes", 64 << 10).min(1 << 20);
    for n in 0..bytes.div_ceil(MEMBER_LENGTH) {
        response = with(response, &format!("extra_{n}"), "x".repeat(MEMBER_LENGTH).into());
    }
    response
}

/// Adds a member to a response with a token.
fn with(mut response: SandboxResponse, name: &str, value: Value) -> SandboxResponse {
    if response.issued
        && let Some(members) = response.members_mut()
    {
        members.push((name.to_owned(), value));
    }
    response
}

const MEMBER_LENGTH: usize = 1 << 10;
