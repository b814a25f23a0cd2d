//! How a fault happens: which part of the vendor's answer it replaces or changes.

use serde_json::Value;

use super::{Act, ResponseField, Scene};
use crate::response::{Delivery, Members, Raw, SandboxResponse};

pub(super) fn happen(
    act: &Act,
    scene: &Scene<'_>,
    honest: impl FnOnce() -> SandboxResponse,
) -> SandboxResponse {
    match act {
        Act::Instead(make) => make(scene),
        Act::After(change) => change(scene, honest()),
        Act::Status(code) => bare(scene, *code),
        Act::Relabelled(code) => {
            let mut answer = honest();
            answer.status = *code;
            answer
        }
        Act::StatusLine(line) => {
            let answer = honest();
            let body = answer.body();
            let head = answer.head(Some(body.len()));
            let rest = head.iter().position(|byte| *byte == b'\n').unwrap_or_default();
            raw(answer, [line.as_bytes(), b"\r\n", &head[rest + 1..], &body].concat())
        }
        Act::OAuthError(status, code) => {
            SandboxResponse::oauth_error(*status, code, "refused by a fault of the sandbox")
        }
        Act::Redirect(code) => {
            let elsewhere = format!("/{}/elsewhere", scene.provider);
            bare(scene, *code).with("location", scene.text("target").unwrap_or(&elsewhere))
        }
        Act::Member(place, value) => {
            let value = serde_json::from_str(value).unwrap_or(Value::Null);
            with_member(honest(), *place, Some(value))
        }
        Act::Without(place) => with_member(honest(), *place, None),
        Act::EndsSession => honest(),
    }
}

/// A status with what the parameters say, and otherwise nothing.
pub(super) fn bare(scene: &Scene<'_>, status: u16) -> SandboxResponse {
    let body = scene.text("body").unwrap_or_default();
    let content_type = if body.starts_with('{') { "application/json" } else { "text/html" };
    let answer = SandboxResponse::new(status, content_type, body);
    match scene.text("retry_after") {
        Some(value) => answer.with("retry-after", value),
        None => answer,
    }
}

/// Sets or removes a member, if this is a token answer.
pub(super) fn with_member(
    mut answer: SandboxResponse,
    place: ResponseField,
    value: Option<Value>,
) -> SandboxResponse {
    if answer.issued
        && let Some(members) = answer.members_mut()
    {
        set(members, place, value);
    }
    answer
}

/// Finds the member where this vendor keeps it; a vendor that has none gets one.
fn set(members: &mut Members, place: ResponseField, value: Option<Value>) {
    let name = match place {
        ResponseField::Expiry => "expires_in",
        ResponseField::Type => "token_type",
        ResponseField::Token => {
            let nested = members.iter_mut().find(|(name, _)| name == "result");
            if let Some(Value::Object(result)) = nested.map(|(_, value)| value) {
                match value {
                    Some(value) => result.insert("token".to_owned(), value),
                    None => result.remove("token"),
                };
                return;
            }
            if members.iter().any(|(name, _)| name == "token") { "token" } else { "access_token" }
        }
    };
    let at = members.iter().position(|(known, _)| known == name);
    match (at, value) {
        (Some(at), Some(value)) => members[at].1 = value,
        (Some(at), None) => {
            members.remove(at);
        }
        (None, Some(value)) => members.push((name.to_owned(), value)),
        (None, None) => {}
    }
}

/// The token of a token answer.
pub(super) fn token_of(answer: &SandboxResponse) -> String {
    let Some(members) = answer.members() else { return String::new() };
    let place = |name: &str| members.iter().find(|(known, _)| known == name).map(|(_, v)| v);
    let token = place("access_token").or_else(|| place("token"));
    let token = token.or_else(|| place("result").and_then(|result| result.get("token")));
    token.and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// These bytes to the socket, and then the end of the connection.
pub(super) fn raw(mut answer: SandboxResponse, first: Vec<u8>) -> SandboxResponse {
    answer.delivery = Delivery::Raw(Raw { first, ..Raw::default() });
    answer
}

/// Changes the body as text, if this is a token answer.
pub(super) fn text(
    answer: SandboxResponse,
    change: impl FnOnce(String) -> String,
) -> SandboxResponse {
    if !answer.issued {
        return answer;
    }
    let body = String::from_utf8_lossy(&answer.body()).into_owned();
    answer.with_body(change(body))
}
