//! Faults below HTTP: raw bytes on the socket, and connections that end early.

use super::{Scene, act::raw};
use crate::response::{Delivery, End, Raw, SandboxResponse};

pub(super) fn huge_length(_: &Scene<'_>, response: SandboxResponse) -> SandboxResponse {
    let first = [response.head(Some(10_000_000_000)), response.body()].concat();
    raw(response, first)
}

pub(super) fn endless_body(_: &Scene<'_>, response: SandboxResponse) -> SandboxResponse {
    let response = response.also("transfer-encoding", "chunked");
    let size = format!("{:x}\r\n", 1 << 16);
    let chunk = [size.as_bytes(), &[b' '; 1 << 16], b"\r\n"].concat();
    let first = [response.head(None), chunk.repeat(64)].concat();
    raw(response, first)
}

pub(super) fn many_headers(scene: &Scene<'_>, response: SandboxResponse) -> SandboxResponse {
    let name = |at| format!("x-filler-{at}");
    let count = scene.count("count", 1_000).min(20_000);
    let response =
        (0..count).fold(response, |response, at| response.also(&name(at), "x".repeat(16)));
    whole(response)
}

pub(super) fn big_header(scene: &Scene<'_>, response: SandboxResponse) -> SandboxResponse {
    whole(response.also("x-filler", "x".repeat(scene.count("bytes", 1 << 20))))
}

pub(super) fn two_lengths(_: &Scene<'_>, response: SandboxResponse) -> SandboxResponse {
    let longer = response.body().len() + 1;
    whole(response.also("content-length", longer.to_string()))
}

pub(super) fn bad_length(_: &Scene<'_>, response: SandboxResponse) -> SandboxResponse {
    let response = response.also("content-length", "-1");
    let first = [response.head(None), response.body()].concat();
    raw(response, first)
}

pub(super) fn bad_chunk(_: &Scene<'_>, response: SandboxResponse) -> SandboxResponse {
    let response = response.also("transfer-encoding", "chunked");
    let (head, body) = (response.head(None), response.body());
    raw(response, [head.as_slice(), b"zz\r\n", &body, b"\r\n0\r\n\r\n"].concat())
}

pub(super) fn informational(scene: &Scene<'_>, response: SandboxResponse) -> SandboxResponse {
    let hint = b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n";
    let flood = hint.repeat(scene.count("count", 100).min(100_000));
    let body = response.body();
    let first = [flood, response.head(Some(body.len())), body].concat();
    raw(response, first)
}

pub(super) fn short_body(_: &Scene<'_>, response: SandboxResponse) -> SandboxResponse {
    let body = response.body();
    let first = [response.head(Some(body.len() + 100)), body].concat();
    raw(response, first)
}

pub(super) fn long_body(_: &Scene<'_>, response: SandboxResponse) -> SandboxResponse {
    let body = response.body();
    let head = response.head(Some(body.len()));
    let second = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
    raw(response, [head.as_slice(), &body, second].concat())
}

pub(super) fn not_http(_: &Scene<'_>) -> SandboxResponse {
    raw(nothing(), b"SSH-2.0-OpenSSH_9.6\r\n".to_vec())
}

pub(super) fn close(_: &Scene<'_>) -> SandboxResponse {
    raw(nothing(), Vec::new())
}

pub(super) fn reset(_: &Scene<'_>) -> SandboxResponse {
    let raw = Raw { end: End::Reset, ..Raw::default() };
    SandboxResponse { delivery: Delivery::Raw(raw), ..nothing() }
}

pub(super) fn reset_mid_body(scene: &Scene<'_>, response: SandboxResponse) -> SandboxResponse {
    let body = response.body();
    let mut first = [response.head(Some(body.len())), body.clone()].concat();
    first.truncate(scene.count("bytes", first.len() - body.len() / 2));
    let raw = Raw { first, end: End::Reset, ..Raw::default() };
    SandboxResponse { delivery: Delivery::Raw(raw), ..response }
}

pub(super) fn slow_head(scene: &Scene<'_>, response: SandboxResponse) -> SandboxResponse {
    let body = response.body();
    let rest = [response.head(Some(body.len())), body].concat();
    let raw = Raw { rest, pause: scene.pause(), ..Raw::default() };
    SandboxResponse { delivery: Delivery::Raw(raw), ..response }
}

pub(super) fn slow_body(scene: &Scene<'_>, response: SandboxResponse) -> SandboxResponse {
    let rest = response.body();
    let first = response.head(Some(rest.len()));
    let raw = Raw { first, rest, pause: scene.pause(), ..Raw::default() };
    SandboxResponse { delivery: Delivery::Raw(raw), ..response }
}

pub(super) fn late(scene: &Scene<'_>, response: SandboxResponse) -> SandboxResponse {
    SandboxResponse { delivery: Delivery::Late(scene.pause()), ..response }
}

pub(super) fn hang(_: &Scene<'_>) -> SandboxResponse {
    SandboxResponse { delivery: Delivery::Never, ..nothing() }
}

/// Returns the response as raw bytes in the format of an HTTP library.
fn whole(response: SandboxResponse) -> SandboxResponse {
    let body = response.body();
    let first = [response.head(Some(body.len())), body].concat();
    raw(response, first)
}

/// Returns a response for connections that end without one.
fn nothing() -> SandboxResponse {
    SandboxResponse::json_text(200, "")
}
