//! Rows of timing and connection (F94 to F104) and TLS (F105 to F109).

use std::time::Duration;

use super::*;

#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    Row::new("F94", "a connection without a response", UNAVAILABLE, || vec![Step::Request, Step::Stall]).with(SHORT),
    Row::new("F94", "a server that does not read", UNAVAILABLE, || vec![Step::Stall]).with(SHORT).without_request(),
    Row::new("F95", "a head sent byte by byte", UNAVAILABLE, || vec![Step::Request, Step::send("HTTP/1.1 200 OK\r\nx-slow: "), drip()]).with(SHORT),
    Row::new("F96", "a body sent byte by byte", UNAVAILABLE, || vec![Step::Request, Step::send("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n"), drip()]).with(SHORT),
    Row::new("F97", "a reset instead of a response", UNAVAILABLE, || vec![Step::Request, Step::Reset]),
    Row::new("F97", "a reset within the head", UNAVAILABLE, || vec![Step::Request, Step::send("HTTP/1.1 200 OK\r\ncontent-"), Step::Reset]),
    Row::new("F97", "a connection closed within the body", UNAVAILABLE, || bytes(with_fields("200 OK", "", GOOD).trim_end_matches('}'))),
    Row::new("F98", "a reset within the request", UNAVAILABLE, || vec![Step::Read(20), Step::Reset]).without_request(),
    Row::new("F98", "a reset before the request", UNAVAILABLE, || vec![Step::Reset]).without_request(),
    Row::new("F102", "HTTP/0.9", PROTOCOL_ONCE, || text(GOOD)),
    Row::new("F102", "HTTP/1.0", Token, || text(&good_after("HTTP/1.0 200 OK\r\n"))),
    Row::new("F102", "HTTP/2, which the client did not offer", PROTOCOL_ONCE, || bytes(b"\0\0\0\x04\0\0\0\0\0".to_vec())),
    Row::new("F102", "an SSH banner", PROTOCOL_ONCE, || bytes("SSH-2.0-OpenSSH_9.9\r\n")),
    Row::new("F102", "TLS on an http port", PROTOCOL_ONCE, || bytes(alert(22))),
    Row::new("F102", "plain HTTP on an https port", PROTOCOL_ONCE, || vec![Step::Read(1), Step::send("HTTP/1.1 400 Bad Request\r\n\r\n"), Step::Finish]).https(),
    Row::new("F104", "two responses for one request", Token, || text(&with_fields("200 OK", "", GOOD).repeat(2))),

    Row::new("F105", "an expired certificate", UNTRUSTED, || ok(GOOD)).tls(Certificate::Expired).without_request(),
    Row::new("F105", "a certificate that is not valid yet", UNTRUSTED, || ok(GOOD)).tls(Certificate::NotYetValid).without_request(),
    Row::new("F105", "a certificate for another name", UNTRUSTED, || ok(GOOD)).tls(Certificate::WrongName).without_request(),
    Row::new("F105", "a certificate without a name", UNTRUSTED, || ok(GOOD)).tls(Certificate::Nameless).without_request(),
    Row::new("F105", "a certificate for another use", UNTRUSTED, || ok(GOOD)).tls(Certificate::WrongUsage).without_request(),
    Row::new("F105", "a self-signed certificate", UNTRUSTED, || ok(GOOD)).tls(Certificate::SelfSigned).without_request(),
    Row::new("F105", "a certificate of an unknown CA", UNTRUSTED, || ok(GOOD)).tls(Certificate::UnknownCa).without_request(),
    Row::new("F106", "a server that offers less than TLS 1.2", UNTRUSTED, || vec![Step::Read(1), Step::send(alert(70)), Step::Finish]).https(),
    Row::new("F106", "a server that shares no cipher", UNTRUSTED, || vec![Step::Read(1), Step::send(alert(40)), Step::Finish]).https(),
    Row::new("F107", "a server that asks for a client certificate", CONFIG, || ok(GOOD)).tls(Certificate::ClientCertificateRequired).without_request(),
    Row::new("F108", "a handshake that stalls", UNAVAILABLE, || vec![Step::Stall]).https().with(SHORT),
    Row::new("F108", "a handshake that is cut off", UNAVAILABLE, || vec![Step::Read(1), Step::Finish]).https(),
    Row::new("F108", "a handshake that is cut off within a record", UNAVAILABLE, || vec![Step::Read(1), Step::send([0x16, 3, 3, 0, 42, 2, 0]), Step::Finish]).https(),
    Row::new("F108", "a handshake that ends in an alert", UNAVAILABLE, || vec![Step::Read(1), Step::send(alert(80)), Step::Finish]).https(),
    Row::new("F109", "TLS closed without close_notify, with a length", Token, || ok(GOOD)).tls(Certificate::Good),
    Row::new("F109", "TLS closed without close_notify, without a length", UNAVAILABLE, || text(&format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{GOOD}"))).tls(Certificate::Good),
];

/// The timeout of a try.
const SHORT: &str = "timeout = \"700ms\"";

fn drip() -> Step {
    Step::Drip(b'x', Duration::from_millis(20))
}

/// A fatal TLS alert.
fn alert(applies: u8) -> [u8; 7] {
    [0x15, 3, 1, 0, 2, 2, applies]
}
