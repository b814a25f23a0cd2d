//! Applies a fault: replaces or changes a part of the vendor's response.

use serde_json::Value;

use super::{Act, FaultContext, ResponseField};
use crate::response::{Delivery, Members, Raw, SandboxResponse};

pub(super) fn apply(
    act: &Act,
    context: &FaultContext<'_>,
    regular: impl FnOnce() -> SandboxResponse,
) -> SandboxResponse {
    match act {
        Act::Replace(make) => make(context),
        Act::Modify(change) => change(context, regular()),
        Act::Status(code) => bare(context, *code),
        Act::ChangeStatus(code) => {
            let mut response = regular();
            response.status = *code;
            response
        }
        Act::StatusLine(line) => {
            let response = regular();
            let body = response.body();
            let head = response.head(Some(body.len()));
            let rest = head.iter().position(|byte| *byte == b'\n').unwrap_or_default();
            raw(response, [line.as_bytes(), b"\r\n", &head[rest + 1..], &body].concat())
        }
        Act::OAuthError(status, code) => {
            SandboxResponse::oauth_error(*status, code, "refused by a fault of the sandbox")
        }
        Act::Redirect(code) => {
            let other_path = format!("/{}/elsewhere", context.provider);
            bare(context, *code).with("location", context.text("target").unwrap_or(&other_path))
        }
        Act::SetMember(field, value) => {
            let value = serde_json::from_str(value).unwrap_or(Value::Null);
            with_member(regular(), *field, Some(value))
        }
        Act::RemoveMember(field) => with_member(regular(), *field, None),
        Act::EndsSession => regular(),
    }
}

/// Returns a response with a status and the headers of the parameters.
pub(super) fn bare(context: &FaultContext<'_>, status: u16) -> SandboxResponse {
    let body = context.text("body").unwrap_or_default();
    let content_type = if body.starts_with('{') { "application/json" } else { "text/html" };
    let response = SandboxResponse::new(status, content_type, body);
    match context.text("retry_after") {
        Some(value) => response.with("retry-after", value),
        None => response,
    }
}

/// Sets or removes a member of a token response.
pub(super) fn with_member(
    mut response: SandboxResponse,
    field: ResponseField,
    value: Option<Value>,
) -> SandboxResponse {
    let pointer = match field {
        ResponseField::Token => response.pointers.token.take(),
        ResponseField::Expiry => response.pointers.lifetime.take(),
        ResponseField::Type => None,
    };
    if response.issued
        && let Some(members) = response.members_mut()
    {
        match pointer {
            Some(pointer) => set_at(members, &pointer, value),
            None => set(members, field, value),
        }
    }
    response
}

/// Sets or removes the member at a JSON pointer of at least one part.
fn set_at(members: &mut Members, pointer: &str, value: Option<Value>) {
    let Some((parent, name)) = pointer.rsplit_once('/') else { return };
    let name = unescaped(name);
    if parent.is_empty() {
        return set_named(members, &name, value);
    }
    let (first, below) = split_first(parent);
    let member = members.iter_mut().find(|(known, _)| *known == first).map(|(_, value)| value);
    match (member.and_then(|member| member.pointer_mut(below)), value) {
        (Some(Value::Object(parent)), Some(value)) => {
            parent.insert(name, value);
        }
        (Some(Value::Object(parent)), None) => {
            parent.remove(&name);
        }
        _ => {}
    }
}

/// Returns the first part of a JSON pointer, and the pointer below it.
fn split_first(pointer: &str) -> (String, &str) {
    let pointer = pointer.strip_prefix('/').unwrap_or(pointer);
    let end = pointer.find('/').unwrap_or(pointer.len());
    (unescaped(&pointer[..end]), &pointer[end..])
}

fn unescaped(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

/// Sets or removes the member under this vendor's name.
fn set(members: &mut Members, field: ResponseField, value: Option<Value>) {
    let name = match field {
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
    set_named(members, name, value);
}

fn set_named(members: &mut Members, name: &str, value: Option<Value>) {
    let index = members.iter().position(|(known, _)| known == name);
    match (index, value) {
        (Some(index), Some(value)) => members[index].1 = value,
        (Some(index), None) => {
            members.remove(index);
        }
        (None, Some(value)) => members.push((name.to_owned(), value)),
        (None, None) => {}
    }
}

/// Returns the token of a token response.
pub(super) fn token_of(response: &SandboxResponse) -> String {
    let Some(members) = response.members() else { return String::new() };
    if let Some(pointer) = &response.pointers.token {
        let (first, below) = split_first(pointer);
        let member = members.iter().find(|(known, _)| *known == first);
        let token = member.and_then(|(_, value)| value.pointer(below));
        return token.and_then(Value::as_str).unwrap_or_default().to_owned();
    }
    let member = |name: &str| members.iter().find(|(known, _)| known == name).map(|(_, v)| v);
    let token = member("access_token").or_else(|| member("token"));
    let token = token.or_else(|| member("result").and_then(|result| result.get("token")));
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
