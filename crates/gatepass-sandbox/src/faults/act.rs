//! Applies a fault: replaces or changes a part of the vendor's response.

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
            let mut response = honest();
            response.status = *code;
            response
        }
        Act::StatusLine(line) => {
            let response = honest();
            let body = response.body();
            let head = response.head(Some(body.len()));
            let rest = head.iter().position(|byte| *byte == b'\n').unwrap_or_default();
            raw(response, [line.as_bytes(), b"\r\n", &head[rest + 1..], &body].concat())
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

/// Returns a response with a status and the headers of the parameters.
pub(super) fn bare(scene: &Scene<'_>, status: u16) -> SandboxResponse {
    let body = scene.text("body").unwrap_or_default();
    let content_type = if body.starts_with('{') { "application/json" } else { "text/html" };
    let response = SandboxResponse::new(status, content_type, body);
    match scene.text("retry_after") {
        Some(value) => response.with("retry-after", value),
        None => response,
    }
}

/// Sets or removes a member of a token response.
pub(super) fn with_member(
    mut response: SandboxResponse,
    place: ResponseField,
    value: Option<Value>,
) -> SandboxResponse {
    if response.issued
        && let Some(members) = response.members_mut()
    {
        set(members, place, value);
    }
    response
}

/// Returns the member under this vendor's name; a missing member is added.
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

/// Returns the token of a token response.
pub(super) fn token_of(response: &SandboxResponse) -> String {
    let Some(members) = response.members() else { return String::new() };
    let place = |name: &str| members.iter().find(|(known, _)| known == name).map(|(_, v)| v);
    let token = place("access_token").or_else(|| place("token"));
    let token = token.or_else(|| place("result").and_then(|result| result.get("token")));
    token.and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Returns a response that writes raw bytes and ends the connection.
pub(super) fn raw(mut response: SandboxResponse, first: Vec<u8>) -> SandboxResponse {
    response.delivery = Delivery::Raw(Raw { first, ..Raw::default() });
    response
}

/// Changes the body text of a token response.
pub(super) fn text(
    response: SandboxResponse,
    change: impl FnOnce(String) -> String,
) -> SandboxResponse {
    if !response.issued {
        return response;
    }
    let body = String::from_utf8_lossy(&response.body()).into_owned();
    response.with_body(change(body))
}
