//! Faults of statuses, headers and bodies, which an HTTP library can produce.

use std::time::Duration;

use serde_json::Value;

use super::{
    ResponseField, Scene,
    act::{bare, text, token_of, with_member},
};
use crate::{
    cisco, clock, random,
    response::{Content, SandboxResponse, rendered},
};

pub(super) fn html(_: &Scene<'_>) -> SandboxResponse {
    let page = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head>\n\
                <body><h1>Sign in to continue</h1></body></html>\n";
    SandboxResponse::new(200, "text/html; charset=utf-8", page)
}

pub(super) fn empty(_: &Scene<'_>) -> SandboxResponse {
    SandboxResponse::json_text(200, "")
}

pub(super) fn array(_: &Scene<'_>) -> SandboxResponse {
    SandboxResponse::json_text(200, "[]")
}

pub(super) fn not_object(_: &Scene<'_>) -> SandboxResponse {
    SandboxResponse::json_text(200, "\"ok\"")
}

pub(super) fn null(_: &Scene<'_>) -> SandboxResponse {
    SandboxResponse::json_text(200, "null")
}

pub(super) fn oauth_error_in_200(_: &Scene<'_>) -> SandboxResponse {
    SandboxResponse::oauth_error(200, "invalid_client", "Client authentication failed")
}

pub(super) fn inner_status_401(_: &Scene<'_>) -> SandboxResponse {
    SandboxResponse::json(200, [("statusCode", 401.into()), ("message", "Unauthorized".into())])
}

pub(super) fn documented_error(scene: &Scene<'_>) -> SandboxResponse {
    let code = scene.text("code").unwrap_or("USER.0003");
    let message = "The client id or the client secret is wrong.";
    SandboxResponse::json(400, [("error_code", code.into()), ("error_msg", message.into())])
}

pub(super) fn documented_errors(_: &Scene<'_>, response: SandboxResponse) -> SandboxResponse {
    let Content::Members(members) = &response.content else { return response };
    let said = |name: &str| members.iter().find(|(known, _)| known == name).map(|m| m.1.clone());
    match (said("error"), said("error_description")) {
        (Some(code), Some(text)) => {
            SandboxResponse::json(400, [("error_code", code), ("error_msg", text)])
        }
        _ => response,
    }
}

pub(super) fn error_echoes_secret(scene: &Scene<'_>) -> SandboxResponse {
    let secret = scene.call.secret().unwrap_or_default();
    SandboxResponse::oauth_error(
        401,
        "invalid_client",
        &format!("the client secret {secret} is wrong"),
    )
}

pub(super) fn over_rate(_: &Scene<'_>) -> SandboxResponse {
    cisco::mashery(403, "Developer Over Rate", "ERR_403_DEVELOPER_OVER_RATE")
        .with("x-error-detail-header", "Account Over Rate Limit")
        .with("retry-after", "60")
}

pub(super) fn over_rate_429(scene: &Scene<'_>) -> SandboxResponse {
    let mut response = over_rate(scene);
    response.status = 429;
    response
}

pub(super) fn over_qps(_: &Scene<'_>) -> SandboxResponse {
    cisco::mashery(403, "Developer Over Qps", "ERR_403_DEVELOPER_OVER_QPS")
        .with("x-error-detail-header", "Account Over Queries Per Second Limit")
        .with("retry-after", "1")
}

pub(super) fn developer_inactive(_: &Scene<'_>) -> SandboxResponse {
    cisco::mashery(403, "Developer Inactive", "ERR_403_DEVELOPER_INACTIVE")
}

pub(super) fn not_authorized_page(_: &Scene<'_>) -> SandboxResponse {
    cisco::mashery(403, "Not Authorized", "ERR_403_NOT_AUTHORIZED")
        .with_body("<html><body><h1>Not Authorized</h1></body></html>")
}

pub(super) fn retry_after_seconds(scene: &Scene<'_>) -> SandboxResponse {
    bare(scene, 429).with("retry-after", scene.number("seconds", 7).to_string())
}

pub(super) fn retry_after_date(scene: &Scene<'_>) -> SandboxResponse {
    let then = scene.now.saturating_add(Duration::from_secs(scene.number("seconds", 30)));
    bare(scene, 429).with("retry-after", clock::http_date(then))
}

pub(super) fn retry_after_past(scene: &Scene<'_>) -> SandboxResponse {
    let then = scene.now.saturating_sub(Duration::from_secs(3_600));
    bare(scene, 429).with("retry-after", clock::http_date(then))
}

pub(super) fn retry_after_garbage(scene: &Scene<'_>) -> SandboxResponse {
    bare(scene, 429).with("retry-after", "soon, 1e9")
}

pub(super) fn retry_after_huge(scene: &Scene<'_>) -> SandboxResponse {
    bare(scene, 429).with("retry-after", "99999999999999999999")
}

pub(super) fn retry_after_two(scene: &Scene<'_>) -> SandboxResponse {
    bare(scene, 429).with("retry-after", "3").also("retry-after", "9")
}

pub(super) fn expires_short(scene: &Scene<'_>, response: SandboxResponse) -> SandboxResponse {
    with_member(response, ResponseField::Expiry, Some(scene.number("seconds", 2).into()))
}

pub(super) fn expires_string(scene: &Scene<'_>, response: SandboxResponse) -> SandboxResponse {
    let text = scene.text("value").unwrap_or("3599").to_owned();
    with_member(response, ResponseField::Expiry, Some(text.into()))
}

pub(super) fn expires_date(scene: &Scene<'_>, response: SandboxResponse) -> SandboxResponse {
    with_member(response, ResponseField::Expiry, Some((scene.now.as_secs() + 3_600).into()))
}

pub(super) fn token_bearer_prefix(_: &Scene<'_>, response: SandboxResponse) -> SandboxResponse {
    let token = format!("Bearer {}", token_of(&response));
    with_member(response, ResponseField::Token, Some(token.into()))
}

pub(super) fn token_non_ascii(_: &Scene<'_>, response: SandboxResponse) -> SandboxResponse {
    let token = format!("{}\u{e9}\u{fc}", token_of(&response));
    with_member(response, ResponseField::Token, Some(token.into()))
}

pub(super) fn token_crlf(_: &Scene<'_>, response: SandboxResponse) -> SandboxResponse {
    let token = format!("{}\r\nX-Injected: 1", token_of(&response));
    with_member(response, ResponseField::Token, Some(token.into()))
}

pub(super) fn token_huge(scene: &Scene<'_>, response: SandboxResponse) -> SandboxResponse {
    let token = "A".repeat(scene.count("bytes", 20_000));
    with_member(response, ResponseField::Token, Some(token.into()))
}

pub(super) fn token_echoes_secret(scene: &Scene<'_>, response: SandboxResponse) -> SandboxResponse {
    let secret = scene.call.secret().unwrap_or_default();
    with_member(response, ResponseField::Token, Some(secret.into()))
}

pub(super) fn truncated(_: &Scene<'_>, response: SandboxResponse) -> SandboxResponse {
    let mut body = response.body();
    body.truncate(body.len() / 2);
    response.with_body(body)
}

pub(super) fn trailing_comma(_: &Scene<'_>, response: SandboxResponse) -> SandboxResponse {
    text(response, |body| format!("{},}}", opened(&body)))
}

pub(super) fn trailing_text(_: &Scene<'_>, response: SandboxResponse) -> SandboxResponse {
    text(response, |body| format!("{body}{{}}"))
}

pub(super) fn bom(_: &Scene<'_>, response: SandboxResponse) -> SandboxResponse {
    text(response, |body| format!("\u{feff}{body}"))
}

pub(super) fn duplicate_key(_: &Scene<'_>, response: SandboxResponse) -> SandboxResponse {
    let member = format!("\"{}\"", token_of(&response));
    let other = random::marked(random::MARK, random::MIXED, 28);
    text(response, |body| match body.split_once(&member) {
        Some((head, tail)) => {
            let name = if head.ends_with("\"access_token\":") { "access_token" } else { "token" };
            format!("{head}{member},\"{name}\":\"{other}\"{tail}")
        }
        None => body,
    })
}

pub(super) fn deep_json(scene: &Scene<'_>, response: SandboxResponse) -> SandboxResponse {
    let depth = scene.count("count", 100_000);
    text(response, |body| {
        format!("{},\"deep\":{}{}}}", opened(&body), "[".repeat(depth), "]".repeat(depth))
    })
}

pub(super) fn many_members(_: &Scene<'_>, mut response: SandboxResponse) -> SandboxResponse {
    if response.issued
        && let Some(members) = response.members_mut()
    {
        members.extend((0..10_000).map(|at| (format!("extra_{at}"), at.into())));
    }
    response
}

pub(super) fn upper_case_keys(_: &Scene<'_>, mut response: SandboxResponse) -> SandboxResponse {
    if response.issued
        && let Some(members) = response.members_mut()
    {
        for (name, _) in members {
            *name = name.to_uppercase();
        }
    }
    response
}

pub(super) fn form_encoded(_: &Scene<'_>, response: SandboxResponse) -> SandboxResponse {
    let form = format!("access_token={}&token_type=bearer&expires_in=3599", token_of(&response));
    response.with("content-type", "application/x-www-form-urlencoded").with_body(form)
}

pub(super) fn invalid_utf8(_: &Scene<'_>, response: SandboxResponse) -> SandboxResponse {
    let mut body = response.body();
    body.truncate(body.len().saturating_sub(1));
    body.extend(b",\"note\":\"\xff\xfe\"}");
    response.with_body(body)
}

pub(super) fn utf_16(_: &Scene<'_>, response: SandboxResponse) -> SandboxResponse {
    let body = String::from_utf8_lossy(&response.body()).into_owned();
    let bytes: Vec<u8> = body.encode_utf16().flat_map(u16::to_le_bytes).collect();
    response.with("content-type", "application/json; charset=utf-16le").with_body(bytes)
}

pub(super) fn html_content_type(_: &Scene<'_>, response: SandboxResponse) -> SandboxResponse {
    response.with("content-type", "text/html")
}

pub(super) fn no_content_type(_: &Scene<'_>, mut response: SandboxResponse) -> SandboxResponse {
    response.headers.retain(|(name, _)| name != "content-type");
    response
}

pub(super) fn big_body(scene: &Scene<'_>, response: SandboxResponse) -> SandboxResponse {
    let padding = Value::from("x".repeat(scene.count("bytes", 1 << 20)));
    let padding = rendered(&[("padding".to_owned(), padding)]);
    text(response, |body| {
        format!("{},{}", opened(&body), padding.strip_prefix('{').unwrap_or_default())
    })
}

pub(super) fn gzip(_: &Scene<'_>, response: SandboxResponse) -> SandboxResponse {
    let mut junk = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03".to_vec();
    junk.extend(random::bytes(200));
    response.with("content-encoding", "gzip").with_body(junk)
}

pub(super) fn cookies(_: &Scene<'_>, response: SandboxResponse) -> SandboxResponse {
    let cookie = |at| format!("c{at}={}; Path=/", random::text(random::HEX, 32));
    (0..50).fold(response, |response, at| response.also("set-cookie", cookie(at)))
}

/// Returns an object's text without its closing brace.
fn opened(body: &str) -> &str {
    body.strip_suffix('}').unwrap_or(body)
}
