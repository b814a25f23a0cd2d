//! Faults of the way back from a login: what the client finds in the address, or that nobody comes.

use serde_json::Value;

use super::{Scene, act::token_of};
use crate::{
    authorize, page, random,
    redirect::LoginRedirect,
    response::{Content, SandboxResponse},
};

pub(super) fn wrong_state(_: &Scene<'_>, mut answer: SandboxResponse) -> SandboxResponse {
    let other = random::text(random::MIXED, 22);
    if let Some(members) = answer.members_mut() {
        members.retain(|(name, _)| name != "state");
        members.push(("state".to_owned(), other.into()));
    }
    answer
}

pub(super) fn no_state(_: &Scene<'_>, mut answer: SandboxResponse) -> SandboxResponse {
    if let Some(members) = answer.members_mut() {
        members.retain(|(name, _)| name != "state");
    }
    answer
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
    let answer = authorize::error(scene.call, "access_denied", "a fault of the sandbox");
    in_query(scene, answer)
}

pub(super) fn in_query(_: &Scene<'_>, mut answer: SandboxResponse) -> SandboxResponse {
    if let Content::LoginRedirect(landing) = &mut answer.content {
        landing.is_in_query = true;
    }
    answer
}

pub(super) fn refresh_token(_: &Scene<'_>, answer: SandboxResponse) -> SandboxResponse {
    with(answer, "refresh_token", random::marked(random::MARK, random::MIXED, 28).into())
}

pub(super) fn twice(_: &Scene<'_>, answer: SandboxResponse) -> SandboxResponse {
    if token_of(&answer).is_empty() {
        return answer;
    }
    with(answer, "access_token", random::marked(random::MARK, random::MIXED, 28).into())
}

pub(super) fn long(scene: &Scene<'_>, mut answer: SandboxResponse) -> SandboxResponse {
    let bytes = scene.count("bytes", 64 << 10).min(1 << 20);
    for at in 0..bytes.div_ceil(PIECE) {
        answer = with(answer, &format!("extra_{at}"), "x".repeat(PIECE).into());
    }
    answer
}

/// Adds a member to an answer that hands out a token.
fn with(mut answer: SandboxResponse, name: &str, value: Value) -> SandboxResponse {
    if answer.issued
        && let Some(members) = answer.members_mut()
    {
        members.push((name.to_owned(), value));
    }
    answer
}

const PIECE: usize = 1 << 10;
