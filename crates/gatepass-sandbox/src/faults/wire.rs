//! Faults no HTTP library writes: bytes that go to the socket by hand, and connections that end early.

use super::{Scene, act::raw};
use crate::response::{Delivery, End, Raw, SandboxResponse};

pub(super) fn huge_length(_: &Scene<'_>, answer: SandboxResponse) -> SandboxResponse {
    let first = [answer.head(Some(10_000_000_000)), answer.body()].concat();
    raw(answer, first)
}

pub(super) fn endless_body(_: &Scene<'_>, answer: SandboxResponse) -> SandboxResponse {
    let answer = answer.also("transfer-encoding", "chunked");
    let size = format!("{:x}\r\n", 1 << 16);
    let chunk = [size.as_bytes(), &[b' '; 1 << 16], b"\r\n"].concat();
    let first = [answer.head(None), chunk.repeat(64)].concat();
    raw(answer, first)
}

pub(super) fn many_headers(scene: &Scene<'_>, answer: SandboxResponse) -> SandboxResponse {
    let name = |at| format!("x-filler-{at}");
    let count = scene.count("count", 1_000).min(20_000);
    let answer = (0..count).fold(answer, |answer, at| answer.also(&name(at), "x".repeat(16)));
    whole(answer)
}

pub(super) fn big_header(scene: &Scene<'_>, answer: SandboxResponse) -> SandboxResponse {
    whole(answer.also("x-filler", "x".repeat(scene.count("bytes", 1 << 20))))
}

pub(super) fn two_lengths(_: &Scene<'_>, answer: SandboxResponse) -> SandboxResponse {
    let longer = answer.body().len() + 1;
    whole(answer.also("content-length", longer.to_string()))
}

pub(super) fn bad_length(_: &Scene<'_>, answer: SandboxResponse) -> SandboxResponse {
    let answer = answer.also("content-length", "-1");
    let first = [answer.head(None), answer.body()].concat();
    raw(answer, first)
}

pub(super) fn bad_chunk(_: &Scene<'_>, answer: SandboxResponse) -> SandboxResponse {
    let answer = answer.also("transfer-encoding", "chunked");
    let (head, body) = (answer.head(None), answer.body());
    raw(answer, [head.as_slice(), b"zz\r\n", &body, b"\r\n0\r\n\r\n"].concat())
}

pub(super) fn informational(scene: &Scene<'_>, answer: SandboxResponse) -> SandboxResponse {
    let hint = b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n";
    let flood = hint.repeat(scene.count("count", 100).min(100_000));
    let body = answer.body();
    let first = [flood, answer.head(Some(body.len())), body].concat();
    raw(answer, first)
}

pub(super) fn short_body(_: &Scene<'_>, answer: SandboxResponse) -> SandboxResponse {
    let body = answer.body();
    let first = [answer.head(Some(body.len() + 100)), body].concat();
    raw(answer, first)
}

pub(super) fn long_body(_: &Scene<'_>, answer: SandboxResponse) -> SandboxResponse {
    let body = answer.body();
    let head = answer.head(Some(body.len()));
    let second = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
    raw(answer, [head.as_slice(), &body, second].concat())
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

pub(super) fn reset_mid_body(scene: &Scene<'_>, answer: SandboxResponse) -> SandboxResponse {
    let body = answer.body();
    let mut first = [answer.head(Some(body.len())), body.clone()].concat();
    first.truncate(scene.count("bytes", first.len() - body.len() / 2));
    let raw = Raw { first, end: End::Reset, ..Raw::default() };
    SandboxResponse { delivery: Delivery::Raw(raw), ..answer }
}

pub(super) fn slow_head(scene: &Scene<'_>, answer: SandboxResponse) -> SandboxResponse {
    let body = answer.body();
    let rest = [answer.head(Some(body.len())), body].concat();
    let raw = Raw { rest, pause: scene.pause(), ..Raw::default() };
    SandboxResponse { delivery: Delivery::Raw(raw), ..answer }
}

pub(super) fn slow_body(scene: &Scene<'_>, answer: SandboxResponse) -> SandboxResponse {
    let rest = answer.body();
    let first = answer.head(Some(rest.len()));
    let raw = Raw { first, rest, pause: scene.pause(), ..Raw::default() };
    SandboxResponse { delivery: Delivery::Raw(raw), ..answer }
}

pub(super) fn late(scene: &Scene<'_>, answer: SandboxResponse) -> SandboxResponse {
    SandboxResponse { delivery: Delivery::Late(scene.pause()), ..answer }
}

pub(super) fn hang(_: &Scene<'_>) -> SandboxResponse {
    SandboxResponse { delivery: Delivery::Never, ..nothing() }
}

/// The answer written by hand, as a library would have, if it could.
fn whole(answer: SandboxResponse) -> SandboxResponse {
    let body = answer.body();
    let first = [answer.head(Some(body.len())), body].concat();
    raw(answer, first)
}

/// For connections that give no answer at all.
fn nothing() -> SandboxResponse {
    SandboxResponse::json_text(200, "")
}
