//! Faults of a login's redirect: a changed address, or no redirect at all.

use serde_json::Value;

use super::{Scene, act::token_of};
use crate::{
    authorize, page, random,
    redirect::LoginRedirect,
    response::{Content, SandboxResponse},
};

pub(super) fn wrong_state(_: &Scene<'_>, mut response: SandboxResponse) -> SandboxResponse {
    let other = random::text(random::MIXED, 22);
    if let Some(members) = response.members_mut() {
        members.retain(|(name, _)| name != "state");
        members.push(("state".to_owned(), other.into()));
    }
    response
}

pub(super) fn no_state(_: &Scene<'_>, mut response: SandboxResponse) -> SandboxResponse {
    if let Some(members) = response.members_mut() {
        members.retain(|(name, _)| name != "state");
    }
    response
}

pub(super) fn empty_fragment(scene: &Scene<'_>) -> SandboxResponse {
    let to = scene.call.query("redirect_uri").unwrap_or_default();
    SandboxResponse::landing(LoginRedirect::new(to, Vec::new()))
}

pub(super) fn never(_: &Scene<'_>) -> SandboxResponse {
    page::done()
}

pub(super) fn error(scene: &Scene<'_>) -> SandboxResponse {
    authorize::error(scene.call, "server_error", "a fault of the sandbox")
}

pub(super) fn error_in_query(scene: &Scene<'_>) -> SandboxResponse {
    let response = authorize::error(scene.call, "access_denied", "a fault of the sandbox");
    in_query(scene, response)
}

pub(super) fn in_query(_: &Scene<'_>, mut response: SandboxResponse) -> SandboxResponse {
    if let Content::LoginRedirect(landing) = &mut response.content {
        landing.is_in_query = true;
    }
    response
}

pub(super) fn refresh_token(_: &Scene<'_>, response: SandboxResponse) -> SandboxResponse {
    with(response, "refresh_token", random::marked(random::MARK, random::MIXED, 28).into())
}

pub(super) fn twice(_: &Scene<'_>, response: SandboxResponse) -> SandboxResponse {
    if token_of(&response).is_empty() {
        return response;
    }
    with(response, "access_token", random::marked(random::MARK, random::MIXED, 28).into())
}

pub(super) fn long(scene: &Scene<'_>, mut response: SandboxResponse) -> SandboxResponse {
    let bytes = scene.count("bytes", 64 << 10).min(1 << 20);
    for at in 0..bytes.div_ceil(PIECE) {
        response = with(response, &format!("extra_{at}"), "x".repeat(PIECE).into());
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

const PIECE: usize = 1 << 10;
