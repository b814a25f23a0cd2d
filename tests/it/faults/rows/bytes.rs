//! Rows of size and content coding: F76 to F83.

use super::*;

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    Row::new("F76", "`Content-Length` of ten gigabytes", PROTOCOL, || vec![Step::Request, Step::send("HTTP/1.1 200 OK\r\ncontent-length: 10737418240\r\n\r\n"), Step::Flood(vec![b' '; 64 * 1024], 160 * 1024)]),
    Row::new("F77", "a chunked body of ten gigabytes", PROTOCOL, || vec![Step::Request, Step::send(CHUNKED), Step::Flood(chunk(0x10000), 160 * 1024)]),
    Row::new("F78", "gzip, which the request did not allow", PROTOCOL, || good_with("content-encoding: gzip\r\n")),
    Row::new("F78", "brotli, which the request did not allow", PROTOCOL, || good_with("content-encoding: br\r\n")),
    Row::new("F79", "a thousand header fields", PROTOCOL_ONCE, || good_with(&"x-field: 1\r\n".repeat(1000))),
    Row::new("F79", "a header field of 64 KiB", PROTOCOL_ONCE, || good_with(&format!("x-field: {}\r\n", "x".repeat(64 * 1024)))),
    Row::new("F79", "a header field of 1 MiB", PROTOCOL_ONCE, || good_with(&format!("x-field: {}\r\n", "x".repeat(1024 * 1024)))),
    Row::new("F79", "a header field that never ends", PROTOCOL_ONCE, || vec![Step::Request, Step::send("HTTP/1.1 200 OK\r\nx-field: "), Step::Flood(vec![b'x'; 64 * 1024], 160 * 1024)]),
    Row::new("F80", "`Content-Length` with chunked encoding", PROTOCOL_ONCE, || bytes("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")),
    Row::new("F80", "two different lengths", PROTOCOL_ONCE, || bytes("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{} ")),
    Row::new("F80", "a negative length", PROTOCOL_ONCE, || bytes("HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n{}")),
    Row::new("F81", "a flood of chunk extensions", PROTOCOL_ONCE, || vec![Step::Request, Step::send(CHUNKED), Step::Flood(fill("1;TOKEN=TOKEN\r\n{\r\n").into(), 64 * 1024)]),
    Row::new("F81", "a chunk with an invalid size", PROTOCOL_ONCE, || bytes(format!("{CHUNKED}zz\r\n{{}}\r\n0\r\n\r\n"))),
    Row::new("F81", "trailers of 1 MiB", PROTOCOL_ONCE, || bytes(format!("{CHUNKED}2\r\n{{}}\r\n0\r\nx-trailer: {}\r\n\r\n", "x".repeat(1024 * 1024)))),
    Row::new("F82", "a folded header field", PROTOCOL_ONCE, || good_with("x-field: a\r\n folded\r\n")),
    Row::new("F82", "a space before the colon of a header field", PROTOCOL_ONCE, || good_with("x-field : a\r\n")),
    Row::new("F82", "NUL in a header field", PROTOCOL_ONCE, || good_with("x-field: a\0b\r\n")),
    // RFC 9112 section 2.2 allows recipients to accept it; the response is not forwarded.
    Row::new("F82", "line endings without CR", Token, || text(&good_after("HTTP/1.1 200 OK\r\n").replace("\r\n", "\n"))),
    Row::new("F83", "cookies", Token, || good_with("set-cookie: a=TOKEN\r\nset-cookie: b=SECRET\r\n")),
    Row::new("F83", "a megabyte of cookies", PROTOCOL_ONCE, || good_with(&format!("set-cookie: a={}\r\n", "x".repeat(1024 * 1024)))),
];

const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

/// A chunk of spaces.
fn chunk(size: usize) -> Vec<u8> {
    format!("{size:x}\r\n{}\r\n", " ".repeat(size)).into_bytes()
}
