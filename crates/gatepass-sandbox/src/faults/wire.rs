//! Faults below HTTP: raw bytes on the socket, and connections that end early.

use super::{FaultContext, act::raw};
use crate::response::{Delivery, End, Raw, SandboxResponse};

pub(super) fn huge_length(_: &FaultContext<'_>, response: SandboxResponse) -> SandboxResponse {
    let first = [response.head(Some(10_000_000_000)), response.body()].concat();
    raw(response, first)
}

pub(super) fn endless_body(_: &FaultContext<'_>, response: SandboxResponse) -> SandboxResponse {
    let response = response.with_additional("transfer-encoding", "chunked");
    let size = format!("{:x}\r\n", 1 << 16);
    let chunk = [size.as_bytes(), &[b' '; 1 << 16], b"\r\n"].concat();
    let first = [response.head(None), chunk.repeat(64)].concat();
    raw(response, first)
}

pub(super) fn many_headers(
    context: &FaultContext<'_>,
    response: SandboxResponse,
) -> SandboxResponse {
    let name = |n| format!("x-filler-{n}");
    let count = context.count("count", 1_000).min(20_000);
    let response =
        (0..count).fold(response, |response, n| response.with_additional(&name(n), "x".repeat(16)));
    as_raw(response)
}

pub(super) fn big_header(context: &FaultContext<'_>, response: SandboxResponse) -> SandboxResponse {
    as_raw(response.with_additional("x-filler", "x".repeat(context.count("bytes", 1 << 20))))
}

pub(super) fn two_lengths(_: &FaultContext<'_>, response: SandboxResponse) -> SandboxResponse {
    let longer = response.body().len() + 1;
    as_raw(response.with_additional("content-length", longer.to_string()))
}

pub(super) fn bad_length(_: &FaultContext<'_>, response: SandboxResponse) -> SandboxResponse {
    let response = response.with_additional("content-length", "-1");
    let first = [response.head(None), response.body()].concat();
    raw(response, first)
}

pub(super) fn bad_chunk(_: &FaultContext<'_>, response: SandboxResponse) -> SandboxResponse {
    let response = response.with_additional("transfer-encoding", "chunked");
    let (head, body) = (response.head(None), response.body());
    raw(response, [head.as_slice(), b"zz\r\n", &body, b"\r\n0\r\n\r\n"].concat())
}

pub(super) fn informational(
    context: &FaultContext<'_>,
    response: SandboxResponse,
) -> SandboxResponse {
    let hint = b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n";
    let flood = hint.repeat(context.count("count", 100).min(100_000));
    let body = response.body();
    let first = [flood, response.head(Some(body.len())), body].concat();
    raw(response, first)
}

pub(super) fn short_body(_: &FaultContext<'_>, response: SandboxResponse) -> SandboxResponse {
    let body = response.body();
    let first = [response.head(Some(body.len() + 100)), body].concat();
    raw(response, first)
}

pub(super) fn long_body(_: &FaultContext<'_>, response: SandboxResponse) -> SandboxResponse {
    let body = response.body();
    let head = response.head(Some(body.len()));
    let second = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
    raw(response, [head.as_slice(), &body, second].concat())
}

pub(super) fn not_http(_: &FaultContext<'_>) -> SandboxResponse {
    raw(no_response(), b"SSH-2.0-OpenSSH_9.6\r\n".to_vec())
}

pub(super) fn close(_: &FaultContext<'_>) -> SandboxResponse {
    raw(no_response(), Vec::new())
}

pub(super) fn reset(_: &FaultContext<'_>) -> SandboxResponse {
    let raw = Raw { end: End::Reset, ..Raw::default() };
    SandboxResponse { delivery: Delivery::Raw(raw), ..no_response() }
}

pub(super) fn reset_mid_body(
    context: &FaultContext<'_>,
    response: SandboxResponse,
) -> SandboxResponse {
    let body = response.body();
    let mut first = [response.head(Some(body.len())), body.clone()].concat();
    first.truncate(context.count("bytes", first.len() - body.len() / 2));
    let raw = Raw { first, end: End::Reset, ..Raw::default() };
    SandboxResponse { delivery: Delivery::Raw(raw), ..response }
}

pub(super) fn slow_head(context: &FaultContext<'_>, response: SandboxResponse) -> SandboxResponse {
    let body = response.body();
    let rest = [response.head(Some(body.len())), body].concat();
    let raw = Raw { rest, pause: context.pause(), ..Raw::default() };
    SandboxResponse { delivery: Delivery::Raw(raw), ..response }
}

pub(super) fn slow_body(context: &FaultContext<'_>, response: SandboxResponse) -> SandboxResponse {
    let rest = response.body();
    let first = response.head(Some(rest.len()));
    let raw = Raw { first, rest, pause: context.pause(), ..Raw::default() };
    SandboxResponse { delivery: Delivery::Raw(raw), ..response }
}

pub(super) fn late(context: &FaultContext<'_>, response: SandboxResponse) -> SandboxResponse {
    SandboxResponse { delivery: Delivery::Late(context.pause()), ..response }
}

pub(super) fn hang(_: &FaultContext<'_>) -> SandboxResponse {
    SandboxResponse { delivery: Delivery::Never, ..no_response() }
}

/// Returns the response as raw bytes in the format of an HTTP library.
fn as_raw(response: SandboxResponse) -> SandboxResponse {
    let body = response.body();
    let first = [response.head(Some(body.len())), body].concat();
    raw(response, first)
}

/// Returns a response for connections that end without one.
fn no_response() -> SandboxResponse {
    SandboxResponse::json_text(200, "")
}
