//! The errors of this crate: one sentence with the origin, never with a path or query.
//!
//! reqwest returns a chain of causes. Causes of rustls and of the system are distinguished by type,
//! those of hyper by their fixed texts, because its error types are private. Each text has a test
//! with a server that provokes it.

use std::error::Error as StdError;
use std::io;
use std::time::{Duration, UNIX_EPOCH};

use gatepass_core::{Error, Retry};
use rustls::CertificateError as Bad;
use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, PeerIncompatible};

use crate::limits::Limits;

/// Returns the error of a request without a response, or of an interrupted body. `through` is the
/// variable that names the request's proxy.
pub(crate) fn from_reqwest(
    cause: reqwest::Error,
    origin: &str,
    limits: &Limits,
    through: Option<&str>,
) -> Error {
    let cause = cause.without_url();
    let chain = Chain::new(&cause);
    if let Some(error) = proxy(&chain, origin) {
        return error.with_source(cause);
    }
    let limit = chain.find::<io::Error>();
    let limit = limit.and_then(|cause| Error::machine_limit(&cannot_connect(origin), cause));
    let error = if let Some(limit) = limit {
        limit
    } else if let Some(tls) = chain.find::<rustls::Error>() {
        from_tls(tls, origin)
    } else if cause.is_dns() {
        Error::unavailable(format!("name not found: {origin}"))
            .hint("check the address, and this machine's DNS")
    } else if cause.is_timeout() && cause.is_connect() {
        no_connection(origin, limits.connect)
    } else if cause.is_timeout() {
        no_response(origin, limits.response)
    } else if cause.is_builder() {
        Error::config(format!("cannot build the request to {origin}"))
    } else {
        from_http(&chain, origin)
            .or_else(|| from_io(&chain, origin))
            .unwrap_or_else(|| Error::unavailable(format!("cannot send the request to {origin}")))
    };
    through_proxy(error, through).with_source(cause)
}

/// Returns the error of an API request without a response, sent by the caller's own client.
pub(crate) fn from_api(cause: reqwest::Error) -> Error {
    let origin = cause.url().map(|url| url.origin().ascii_serialization());
    let origin = origin.as_deref().unwrap_or("the API");
    let cause = cause.without_url();
    let error = if cause.is_redirect() {
        Error::protocol(format!("{origin} redirects too often or to a forbidden address"))
    } else if cause.is_timeout() && cause.is_connect() {
        Error::unavailable(format!("no connection in time to {origin}"))
    } else if cause.is_timeout() {
        Error::unavailable(format!("no response in time from {origin}"))
    } else {
        return from_reqwest(cause, origin, &Limits::default(), None);
    };
    error.with_source(cause)
}

/// Returns the error of a client that cannot be built.
pub(crate) fn from_build(cause: reqwest::Error) -> Error {
    Error::config("cannot set up the HTTP client").with_source(cause.without_url())
}

/// Returns the error of a reqwest builder whose TLS has no crypto provider.
pub(crate) fn no_crypto_provider() -> Error {
    Error::config("the reqwest builder has no crypto provider for TLS").hint(
        "install one when the program starts, such as \
         rustls::crypto::ring::default_provider().install_default(), or enable reqwest's feature \
         rustls or native-tls",
    )
}

/// Returns the error of a machine without root certificates.
#[cfg(not(feature = "webpki-roots"))]
pub(crate) fn no_roots() -> Error {
    Error::config("this machine has no root certificates").hint(
        "install the system's package of CA certificates, set ca_file in the profile, \
         or build with the feature webpki-roots",
    )
}

/// Adds to an error that the connection goes through a proxy, which may be its cause.
pub(crate) fn through_proxy(error: Error, variable: Option<&str>) -> Error {
    match variable {
        Some(variable) => {
            error.hint(format!("the connection goes through the proxy that {variable} names"))
        }
        None => error,
    }
}

/// Returns the error of a connection timeout.
pub(crate) fn no_connection(origin: &str, limit: Duration) -> Error {
    Error::unavailable(format!("no connection in {} to {origin}", seconds(limit)))
        .hint("check the network, a firewall, and HTTPS_PROXY")
}

/// Returns the error of a response head timeout.
pub(crate) fn no_response(origin: &str, limit: Duration) -> Error {
    Error::unavailable(format!("no response in {} from {origin}", seconds(limit))).hint(SLOW_HINT)
}

/// Returns the error of a body that pauses for too long.
pub(crate) fn body_paused(origin: &str, limit: Duration) -> Error {
    Error::unavailable(format!("the response stopped for {}: {origin}", seconds(limit)))
        .hint(SLOW_HINT)
}

/// Returns the error of the total time limit.
pub(crate) fn not_complete(origin: &str, limit: Duration) -> Error {
    Error::unavailable(format!("no complete response in {} from {origin}", seconds(limit)))
        .hint(SLOW_HINT)
}

const SLOW_HINT: &str =
    "try again; for a slow vendor raise `timeout` in the profile, for a slow API `call --timeout`";

/// Returns the error of too many header fields, or too many bytes of them.
pub(crate) fn head_too_large(origin: &str) -> Error {
    Error::protocol(format!("the response has too many or too long header fields: {origin}"))
}

/// Returns the error of contradicting lengths or invalid chunks.
pub(crate) fn bad_framing(origin: &str) -> Error {
    Error::protocol(format!("the response is badly framed HTTP: {origin}"))
}

/// Returns the error of a body of more than `limit` bytes.
pub(crate) fn body_too_large(limit: usize) -> Error {
    let size = match limit {
        kib if kib >= 1024 && kib % 1024 == 0 => format!("{} KiB", kib / 1024),
        bytes => format!("{bytes} bytes"),
    };
    Error::protocol(format!("the response is larger than {size}")).with_retry(Retry::Never)
}

fn closed_early(origin: &str) -> Error {
    Error::unavailable(format!("connection closed early by {origin}"))
}

fn not_http(origin: &str) -> Error {
    let plain = origin.starts_with("http://");
    let error = Error::protocol(format!(
        "{origin} does not speak {}",
        if plain { "HTTP" } else { "HTTPS" }
    ));
    error.hint(if plain {
        "check the port, and whether the address should begin with https://"
    } else {
        "check the port, and whether the address should begin with http://"
    })
}

/// Returns the error of a failed proxy tunnel, by hyper-util's error texts.
fn proxy(chain: &Chain<'_>, origin: &str) -> Option<Error> {
    let hint = "check HTTPS_PROXY, or name the host in NO_PROXY";
    let error = match chain.after("tunnel error: ")? {
        // Only HTTP proxies are supported.
        "failed to create underlying connection" if chain.has("unsupported scheme") => {
            Error::config("the proxy in the environment is neither http:// nor https://").hint(
                "SOCKS is not supported: set HTTPS_PROXY to an HTTP proxy, or name the \
                     vendor's host in NO_PROXY",
            )
        }
        "proxy authorization required" => Error::unavailable(format!(
            "the proxy requires a user name and password for {origin} (407)"
        ))
        .with_retry(Retry::Never)
        .hint("put them into HTTPS_PROXY: http://user:password@proxy:port"),
        // hyper-util does not return the proxy's status. It may forbid the address, be down
        // temporarily, or not be a proxy.
        "unsuccessful" | "proxy response headers too long" => {
            Error::unavailable(format!("the proxy made no connection to {origin}")).hint(hint)
        }
        "failed to create underlying connection" if chain.find::<rustls::Error>().is_some() => {
            Error::unavailable(format!("the TLS connection to the proxy for {origin} failed"))
                .with_retry(Retry::Never)
                .hint(hint)
        }
        "failed to create underlying connection" => {
            Error::unavailable(format!("cannot reach the proxy for {origin}")).hint(hint)
        }
        _ => Error::unavailable(format!("connection closed early by the proxy to {origin}"))
            .hint(hint),
    };
    Some(error)
}

/// Returns the error of an invalid HTTP response, by hyper's error texts.
fn from_http(chain: &Chain<'_>, origin: &str) -> Option<Error> {
    if chain.has("message head is too large") {
        return Some(head_too_large(origin));
    }
    if chain.has("invalid HTTP version parsed") || chain.has("invalid HTTP status-code parsed") {
        return Some(not_http(origin));
    }
    let framing = [
        "invalid HTTP header parsed",
        "invalid content-length parsed",
        "unexpected transfer-encoding parsed",
        "received unexpected message from connection",
    ];
    if framing.into_iter().any(|text| chain.has(text)) {
        return Some(bad_framing(origin));
    }
    let closed = ["connection closed before message completed", "channel closed"];
    closed.into_iter().any(|text| chain.has(text)).then(|| closed_early(origin))
}

fn cannot_connect(origin: &str) -> String {
    format!("cannot connect to {origin}")
}

fn from_io(chain: &Chain<'_>, origin: &str) -> Option<Error> {
    use io::ErrorKind as Kind;

    Some(match chain.find::<io::Error>()?.kind() {
        Kind::ConnectionRefused => Error::unavailable(format!("connection refused by {origin}"))
            .hint("check the address and port; no server listens there"),
        Kind::ConnectionReset
        | Kind::ConnectionAborted
        | Kind::BrokenPipe
        | Kind::NotConnected
        | Kind::UnexpectedEof => closed_early(origin),
        Kind::InvalidData | Kind::InvalidInput => bad_framing(origin),
        Kind::NetworkUnreachable | Kind::HostUnreachable | Kind::AddrNotAvailable => {
            Error::unavailable(format!("no route to {origin}")).hint("check the network")
        }
        _ => return None,
    })
}

fn from_tls(cause: &rustls::Error, origin: &str) -> Error {
    let tls = |text: String| Error::unavailable(text).with_retry(Retry::Never);
    let version = || {
        tls(format!("{origin} supports no TLS version that is safe")).hint(
            "TLS 1.2 or later is required; the vendor or a proxy in between does not offer it",
        )
    };
    match cause {
        rustls::Error::InvalidCertificate(cause) => from_certificate(cause, origin),
        // The verifier's own error, such as a root certificate that cannot be read.
        rustls::Error::Other(cause) if cause.0.is::<Error>() => {
            cause.0.downcast_ref::<Error>().cloned().unwrap_or_else(|| closed_early(origin))
        }
        rustls::Error::InvalidMessage(_) | rustls::Error::InappropriateMessage { .. } => {
            not_http(origin)
        }
        // Under TLS 1.2 a server also sends this alert for a missing client certificate.
        rustls::Error::AlertReceived(AlertDescription::HandshakeFailure) => version().hint(
            "TLS 1.2 or later is required, with a safe cipher; or the server requires a client \
             certificate, which requires a custom client",
        ),
        rustls::Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13)
        | rustls::Error::AlertReceived(
            AlertDescription::ProtocolVersion | AlertDescription::InsufficientSecurity,
        ) => version(),
        rustls::Error::PeerIncompatible(_) => version(),
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
            Error::config(format!("{origin} asks for a client certificate"))
                .hint("client certificates require a custom client")
        }
        rustls::Error::AlertReceived(AlertDescription::UnrecognisedName) => {
            tls(format!("{origin} does not know this host name")).hint("check the address")
        }
        rustls::Error::AlertReceived(AlertDescription::CloseNotify) => closed_early(origin),
        _ => Error::unavailable(format!("the TLS connection to {origin} failed")),
    }
}

fn from_certificate(cause: &Bad, origin: &str) -> Error {
    let clock = "check this machine's clock; if the clock is right, contact the vendor";
    let (problem, hint) = match cause {
        Bad::UnknownIssuer => (
            "was issued by an untrusted CA".to_owned(),
            "for a private CA or a proxy that intercepts TLS, set ca_file in the profile",
        ),
        Bad::BadSignature => (
            "has an invalid signature".to_owned(),
            "is the CA in ca_file current? a replaced CA may keep its name; \
             an RSA key below 2048 bits is rejected, too",
        ),
        Bad::Expired => ("has expired".to_owned(), clock),
        Bad::ExpiredContext { not_after, .. } => {
            (format!("expired on {}", date(*not_after)), clock)
        }
        Bad::NotValidYet => ("is not valid yet".to_owned(), clock),
        Bad::NotValidYetContext { not_before, .. } => {
            (format!("is not valid before {}", date(*not_before)), clock)
        }
        Bad::NotValidForName => ("is for another name".to_owned(), NAME_HINT),
        Bad::NotValidForNameContext { presented, .. } => {
            (format!("is for another name{}", names(presented)), NAME_HINT)
        }
        Bad::Revoked => ("has been revoked".to_owned(), "contact the vendor"),
        Bad::UnsupportedSignatureAlgorithmContext { .. } => (
            "has an unsafe or unknown signature algorithm".to_owned(),
            "contact the vendor: SHA-1 and MD5 are too weak to trust",
        ),
        _ => (
            "is not acceptable".to_owned(),
            "a self-signed certificate, or one with a weak key? set ca_file in the profile to the \
             CA that issued it, or to the self-signed certificate itself",
        ),
    };
    Error::unavailable(format!("the certificate of {origin} {problem}"))
        .with_retry(Retry::Never)
        .hint(hint)
}

/// Returns the first names of a certificate that have the form of host names.
fn names(presented: &[String]) -> String {
    let name = |text: &String| {
        let name = text.split('"').nth(1).unwrap_or(text);
        let plain = |b: u8| b.is_ascii_alphanumeric() || b".-*:_".contains(&b);
        (name.len() < 254 && name.bytes().all(plain)).then(|| name.to_owned())
    };
    match presented.iter().filter_map(name).take(3).collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => none,
        some => format!(": {some}"),
    }
}

fn date(time: UnixTime) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(time.as_secs()))
}

fn seconds(limit: Duration) -> String {
    format!("{} s", limit.as_secs_f64())
}

/// An error and its causes, including those that `io::Error` wraps but does not return from `source`.
struct Chain<'a>(Vec<&'a (dyn StdError + 'static)>);

impl<'a> Chain<'a> {
    fn new(error: &'a (dyn StdError + 'static)) -> Self {
        let next = |last: &&'a (dyn StdError + 'static)| {
            let last: &'a (dyn StdError + 'static) = *last;
            match last.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
                Some(inner) => Some(inner as &'a (dyn StdError + 'static)),
                None => last.source(),
            }
        };
        Self(std::iter::successors(Some(error), next).take(32).collect())
    }

    /// Returns the innermost cause of this type.
    fn find<T: StdError + 'static>(&self) -> Option<&'a T> {
        self.0.iter().rev().find_map(|error| error.downcast_ref())
    }

    fn has(&self, text: &str) -> bool {
        self.0.iter().any(|error| error.to_string().contains(text))
    }

    /// Returns the rest of the first text with this prefix, if it is known.
    fn after(&self, prefix: &str) -> Option<&'static str> {
        let text = self.0.iter().map(ToString::to_string).find(|text| text.starts_with(prefix))?;
        let known = [
            "proxy authorization required",
            "unsuccessful",
            "proxy response headers too long",
            "failed to create underlying connection",
        ];
        Some(known.into_iter().find(|known| text.ends_with(known)).unwrap_or_default())
    }
}

const NAME_HINT: &str = "check the address; a proxy or a captive portal may have responded instead";
