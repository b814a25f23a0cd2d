//! Faults of statuses, headers and bodies, which an HTTP library can produce.

use std::time::Duration;

use serde_json::Value;

use super::{
    FaultContext, ResponseField,
    act::{bare, text, token_of, with_member},
};
use crate::{
    cisco, clock, random,
    response::{Content, SandboxResponse, to_json},
};

pub(super) fn html(_: &FaultContext<'_>) -> SandboxResponse {
    let page = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head>\n\
                <body><h1>Sign in to continue</h1></body></html>\n";
    SandboxResponse::new(200, "text/html; charset=utf-8", page)
}

pub(super) fn empty(_: &FaultContext<'_>) -> SandboxResponse {
    SandboxResponse::json_text(200, "")
}

pub(super) fn array(_: &FaultContext<'_>) -> SandboxResponse {
    SandboxResponse::json_text(200, "[]")
}

pub(super) fn not_object(_: &FaultContext<'_>) -> SandboxResponse {
    SandboxResponse::json_text(200, "\"ok\"")
}

pub(super) fn null(_: &FaultContext<'_>) -> SandboxResponse {
    SandboxResponse::json_text(200, "null")
}

pub(super) fn oauth_error_in_200(_: &FaultContext<'_>) -> SandboxResponse {
    SandboxResponse::oauth_error(200, "invalid_client", "Client authentication failed")
}

pub(super) fn inner_status_401(_: &FaultContext<'_>) -> SandboxResponse {
    SandboxResponse::json(200, [("statusCode", 401.into()), ("message", "Unauthorized".into())])
}

pub(super) fn documented_error(context: &FaultContext<'_>) -> SandboxResponse {
    let code = context.text("code").unwrap_or("USER.0003");
    let message = "The client id or the client secret is wrong.";
    SandboxResponse::json(400, [("error_code", code.into()), ("error_msg", message.into())])
}

pub(super) fn documented_errors(
    _: &FaultContext<'_>,
    response: SandboxResponse,
) -> SandboxResponse {
    let Content::Members(members) = &response.content else { return response };
    let member = |name: &str| members.iter().find(|(known, _)| known == name).map(|m| m.1.clone());
    match (member("error"), member("error_description")) {
        (Some(code), Some(text)) => {
            SandboxResponse::json(400, [("error_code", code), ("error_msg", text)])
        }
        _ => response,
    }
}

pub(super) fn error_echoes_secret(context: &FaultContext<'_>) -> SandboxResponse {
    let secret = context.call.secret().unwrap_or_default();
    SandboxResponse::oauth_error(
        401,
        "invalid_client",
        &format!("the client secret {secret} is wrong"),
    )
}

pub(super) fn over_rate(_: &FaultContext<'_>) -> SandboxResponse {
    cisco::mashery(403, "Developer Over Rate", "ERR_403_DEVELOPER_OVER_RATE")
        .with("x-error-detail-header", "Account Over Rate Limit")
        .with("retry-after", "60")
}

pub(super) fn over_rate_429(context: &FaultContext<'_>) -> SandboxResponse {
    let mut response = over_rate(context);
    response.status = 429;
    response
}

pub(super) fn over_qps(_: &FaultContext<'_>) -> SandboxResponse {
    cisco::mashery(403, "Developer Over Qps", "ERR_403_DEVELOPER_OVER_QPS")
        .with("x-error-detail-header", "Account Over Queries Per Second Limit")
        .with("retry-after", "1")
}

pub(super) fn developer_inactive(_: &FaultContext<'_>) -> SandboxResponse {
    cisco::mashery(403, "Developer Inactive", "ERR_403_DEVELOPER_INACTIVE")
}

pub(super) fn not_authorized_page(_: &FaultContext<'_>) -> SandboxResponse {
    cisco::mashery(403, "Not Authorized", "ERR_403_NOT_AUTHORIZED")
        .with_body("<html><body><h1>Not Authorized</h1></body></html>")
}

pub(super) fn retry_after_seconds(context: &FaultContext<'_>) -> SandboxResponse {
    bare(context, 429).with("retry-after", context.number("seconds", 7).to_string())
}

pub(super) fn retry_after_date(context: &FaultContext<'_>) -> SandboxResponse {
    let time = context.now.saturating_add(Duration::from_secs(context.number("seconds", 30)));
    bare(context, 429).with("retry-after", clock::http_date(time))
}

pub(super) fn retry_after_past(context: &FaultContext<'_>) -> SandboxResponse {
    let time = context.now.saturating_sub(Duration::from_secs(3_600));
    bare(context, 429).with("retry-after", clock::http_date(time))
}

pub(super) fn retry_after_garbage(context: &FaultContext<'_>) -> SandboxResponse {
    bare(context, 429).with("retry-after", "soon, 1e9")
}

pub(super) fn retry_after_huge(context: &FaultContext<'_>) -> SandboxResponse {
    bare(context, 429).with("retry-after", "99999999999999999999")
}

pub(super) fn retry_after_two(context: &FaultContext<'_>) -> SandboxResponse {
    bare(context, 429).with("retry-after", "3").with_additional("retry-after", "9")
}

pub(super) fn expires_short(
    context: &FaultContext<'_>,
    response: SandboxResponse,
) -> SandboxResponse {
    with_member(response, ResponseField::Expiry, Some(context.number("seconds", 2).into()))
}

pub(super) fn expires_string(
    context: &FaultContext<'_>,
    response: SandboxResponse,
) -> SandboxResponse {
    let text = context.text("value").unwrap_or("3599").to_owned();
    with_member(response, ResponseField::Expiry, Some(text.into()))
}

pub(super) fn expires_date(
    context: &FaultContext<'_>,
    response: SandboxResponse,
) -> SandboxResponse {
    with_member(response, ResponseField::Expiry, Some((context.now.as_secs() + 3_600).into()))
}

pub(super) fn token_bearer_prefix(
    _: &FaultContext<'_>,
    response: SandboxResponse,
) -> SandboxResponse {
    let token = format!("Bearer {}", token_of(&response));
    with_member(response, ResponseField::Token, Some(token.into()))
}

pub(super) fn token_non_ascii(_: &FaultContext<'_>, response: SandboxResponse) -> SandboxResponse {
    let token = format!("{}\u{e9}\u{fc}", token_of(&response));
    with_member(response, ResponseField::Token, Some(token.into()))
}

pub(super) fn token_crlf(_: &FaultContext<'_>, response: SandboxResponse) -> SandboxResponse {
    let token = format!("{}\r\nX-Injected: 1", token_of(&response));
    with_member(response, ResponseField::Token, Some(token.into()))
}

pub(super) fn token_huge(context: &FaultContext<'_>, response: SandboxResponse) -> SandboxResponse {
    let token = "A".repeat(context.count("bytes", 20_000));
    with_member(response, ResponseField::Token, Some(token.into()))
}

pub(super) fn token_echoes_secret(
    context: &FaultContext<'_>,
    response: SandboxResponse,
) -> SandboxResponse {
    let secret = context.call.secret().unwrap_or_default();
    with_member(response, ResponseField::Token, Some(secret.into()))
}

pub(super) fn truncated(_: &FaultContext<'_>, response: SandboxResponse) -> SandboxResponse {
    let mut body = response.body();
    body.truncate(body.len() / 2);
    response.with_body(body)
}

pub(super) fn trailing_comma(_: &FaultContext<'_>, response: SandboxResponse) -> SandboxResponse {
    text(response, |body| format!("{},}}", without_closing_brace(&body)))
}

pub(super) fn trailing_text(_: &FaultContext<'_>, response: SandboxResponse) -> SandboxResponse {
    text(response, |body| format!("{body}{{}}"))
}

pub(super) fn bom(_: &FaultContext<'_>, response: SandboxResponse) -> SandboxResponse {
    text(response, |body| format!("\u{feff}{body}"))
}

pub(super) fn duplicate_key(_: &FaultContext<'_>, response: SandboxResponse) -> SandboxResponse {
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

pub(super) fn deep_json(context: &FaultContext<'_>, response: SandboxResponse) -> SandboxResponse {
    let depth = context.count("count", 100_000);
    text(response, |body| {
        format!(
            "{},\"deep\":{}{}}}",
            without_closing_brace(&body),
            "[".repeat(depth),
            "]".repeat(depth)
        )
    })
}

pub(super) fn many_members(_: &FaultContext<'_>, mut response: SandboxResponse) -> SandboxResponse {
    if response.issued
        && let Some(members) = response.members_mut()
    {
        members.extend((0..10_000).map(|n| (format!("extra_{n}"), n.into())));
    }
    response
}

pub(super) fn upper_case_keys(
    _: &FaultContext<'_>,
    mut response: SandboxResponse,
) -> SandboxResponse {
    if response.issued
        && let Some(members) = response.members_mut()
    {
        for (name, _) in members {
            *name = name.to_uppercase();
        }
    }
    response
}

pub(super) fn form_encoded(_: &FaultContext<'_>, response: SandboxResponse) -> SandboxResponse {
    let form = format!("access_token={}&token_type=bearer&expires_in=3599", token_of(&response));
    response.with("content-type", "application/x-www-form-urlencoded").with_body(form)
}

pub(super) fn invalid_utf8(_: &FaultContext<'_>, response: SandboxResponse) -> SandboxResponse {
    let mut body = response.body();
    body.truncate(body.len().saturating_sub(1));
    body.extend(b",\"note\":\"\xff\xfe\"}");
    response.with_body(body)
}

pub(super) fn utf_16(_: &FaultContext<'_>, response: SandboxResponse) -> SandboxResponse {
    let body = String::from_utf8_lossy(&response.body()).into_owned();
    let bytes: Vec<u8> = body.encode_utf16().flat_map(u16::to_le_bytes).collect();
    response.with("content-type", "application/json; charset=utf-16le").with_body(bytes)
}

pub(super) fn html_content_type(
    _: &FaultContext<'_>,
    response: SandboxResponse,
) -> SandboxResponse {
    response.with("content-type", "text/html")
}

pub(super) fn no_content_type(
    _: &FaultContext<'_>,
    mut response: SandboxResponse,
) -> SandboxResponse {
    response.headers.retain(|(name, _)| name != "content-type");
    response
}

pub(super) fn big_body(context: &FaultContext<'_>, response: SandboxResponse) -> SandboxResponse {
    let padding = Value::from("x".repeat(context.count("bytes", 1 << 20)));
    let padding = to_json(&[("padding".to_owned(), padding)]);
    text(response, |body| {
        format!(
            "{},{}",
            without_closing_brace(&body),
            padding.strip_prefix('{').unwrap_or_default()
        )
    })
}

pub(super) fn gzip(_: &FaultContext<'_>, response: SandboxResponse) -> SandboxResponse {
    let mut junk = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03".to_vec();
    junk.extend(random::bytes(200));
    response.with("content-encoding", "gzip").with_body(junk)
}

pub(super) fn cookies(_: &FaultContext<'_>, response: SandboxResponse) -> SandboxResponse {
    let cookie = |n| format!("c{n}={}; Path=/", random::text(random::HEX, 32));
    (0..50).fold(response, |response, n| response.with_additional("set-cookie", cookie(n)))
}

/// Returns an object's text without its closing brace.
fn without_closing_brace(body: &str) -> &str {
    body.strip_suffix('}').unwrap_or(body)
}
