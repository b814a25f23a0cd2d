//! Tests of TLS: trusted roots, and the errors of untrusted certificates.

use std::sync::Arc;
use std::sync::Mutex;

use gatepass_core::{Error, ErrorKind, Retry};
use gatepass_http::{HttpClient, HttpClientBuilder};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use reqwest::redirect;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

use crate::server::{
    Peer, Server, custom_builder, ok, respond_all, send, send_err, short_timeouts, tls_config,
};

/// A private CA.
pub(crate) struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
    der: rustls::pki_types::CertificateDer<'static>,
}

impl Ca {
    pub(crate) fn new() -> Self {
        Self::named("the test's CA")
    }

    pub(crate) fn named(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let own = params.self_signed(&key).unwrap();
        Self { pem: own.pem(), der: own.der().clone(), issuer: Issuer::new(params, key) }
    }

    /// Returns a server's certificate and key.
    pub(crate) fn issue(&self, params: &CertificateParams) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        tls_config(vec![leaf.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
    }

    pub(crate) fn good(&self) -> ServerConfig {
        self.issue(&loopback())
    }

    pub(crate) fn client(&self) -> HttpClientBuilder {
        HttpClient::builder().no_proxy().ca_pem(self.pem.as_bytes()).unwrap()
    }
}

fn loopback() -> CertificateParams {
    CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap()
}

/// Returns the error for a server with this TLS configuration, which must not receive the request.
async fn rejected(ca: &Ca, config: ServerConfig) -> Error {
    let server = Server::tls(config, respond_all(ok("{}")));
    let error = send_err(&ca.client().build().unwrap(), &server.origin()).await;
    assert_eq!(server.received(), "", "{error}");
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Never), "{error:?}");
    assert!(error.message().contains(&server.origin()), "{error}");
    error
}

#[tokio::test]
async fn private_ca_is_trusted_by_its_client_only() {
    let ca = Ca::new();
    let server = Server::tls(ca.good(), respond_all(ok("{}")));
    let with = ca.client().build().unwrap();
    assert_eq!(send(&with, &server.origin()).await.unwrap().body(), b"{}");
    let received = server.received();

    let without = HttpClient::builder().no_proxy().build().unwrap();
    let other = Ca::named("another CA").client().build().unwrap();
    for client in [without, other] {
        let error = send_err(&client, &server.origin()).await;
        assert_eq!(error.retry(), Retry::Never);
        assert!(error.message().contains("untrusted CA"), "{error}");
        assert!(error.hints()[0].text().contains("ca_file"));
    }
    let error = send_err(&Ca::new().client().build().unwrap(), &server.origin()).await;
    assert!(error.message().contains("has an invalid signature"), "{error}");
    assert_eq!(server.received(), received);
}

#[tokio::test]
async fn f105_invalid_certificate_is_explained() {
    let ca = Ca::new();
    let mut expired = loopback();
    expired.not_after = date_time_ymd(2020, 3, 1);
    let error = rejected(&ca, ca.issue(&expired)).await;
    assert!(error.message().contains("expired on Sun, 01 Mar 2020"), "{error}");
    assert!(error.hints()[0].text().contains("clock"));

    let mut early = loopback();
    early.not_before = date_time_ymd(3000, 1, 1);
    let error = rejected(&ca, ca.issue(&early)).await;
    assert!(error.message().contains("not valid before Wed, 01 Jan 3000"), "{error}");
    assert!(error.hints()[0].text().contains("clock"));

    let other = CertificateParams::new(vec!["other.test".to_owned(), "*.b.test".to_owned()]);
    let error = rejected(&ca, ca.issue(&other.unwrap())).await;
    assert!(error.message().ends_with("is for another name: other.test, *.b.test"), "{error}");
    assert!(error.hints()[0].text().contains("address"));

    let nameless = CertificateParams::new(Vec::new()).unwrap();
    let error = rejected(&ca, ca.issue(&nameless)).await;
    assert!(error.message().ends_with("is for another name"), "{error}");

    let mut mail = loopback();
    mail.extended_key_usages = vec![ExtendedKeyUsagePurpose::EmailProtection];
    let error = rejected(&ca, ca.issue(&mail)).await;
    assert!(error.message().contains("is not acceptable"), "{error}");

    let key = KeyPair::generate().unwrap();
    let own = loopback().self_signed(&key).unwrap();
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let error = rejected(&ca, tls_config(vec![own.der().clone()], key)).await;
    assert!(error.message().contains("untrusted CA"), "{error}");
}

#[tokio::test]
async fn custom_builder_cannot_disable_certificate_checks() {
    let ca = Ca::new();
    let server = Server::tls(ca.good(), respond_all(ok("{}")));
    let permissive = || {
        custom_builder()
            .no_proxy()
            .user_agent("acme/1")
            .tls_danger_accept_invalid_certs(true)
            .tls_sslkeylogfile(true)
    };
    let error = send_err(&HttpClient::from_builder(permissive()).unwrap(), &server.origin()).await;
    assert!(error.message().contains("untrusted CA"), "{error}");

    // reqwest allows skipping the name check for custom roots; this crate does not.
    let redirect = CertificateParams::new(vec!["other.test".to_owned()]).unwrap();
    let other = Server::tls(ca.issue(&redirect), respond_all(ok("{}")));
    let own = reqwest::Certificate::from_pem(ca.pem.as_bytes()).unwrap();
    let nameless =
        custom_builder().no_proxy().tls_certs_only([own]).tls_danger_accept_invalid_hostnames(true);
    let error = send_err(&HttpClient::from_builder(nameless).unwrap(), &other.origin()).await;
    assert!(error.message().contains("is for another name"), "{error}");
    assert_eq!(other.received(), "");

    // The same builder with the CA works, keeps its user agent and uses HTTP/1.1 only.
    let client = ca.client().from_builder(permissive()).build().unwrap();
    send(&client, &server.origin()).await.unwrap();
    assert!(server.received().contains("user-agent: acme/1\r\n"), "{}", server.received());
}

#[tokio::test]
async fn custom_builder_cannot_disable_the_rules() {
    let ca = Ca::new();
    for status in [301, 302, 303, 307, 308] {
        let other = Server::tls(ca.good(), respond_all(ok("{}")));
        let server = Server::tls(
            ca.good(),
            respond_all(format!(
                "HTTP/1.1 {status} Moved\r\nLocation: {}\r\nSet-Cookie: a=b\r\n\
                 Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnone",
                other.origin()
            )),
        );
        let loose = custom_builder()
            .no_proxy()
            .redirect(redirect::Policy::limited(10))
            .referer(true)
            .retry(reqwest::retry::for_host("127.0.0.1").classify_fn(|sent| sent.retryable()))
            .gzip(true)
            .brotli(true)
            .deflate(true)
            .zstd(true);
        for client in [ca.client(), ca.client().from_builder(loose)] {
            let client = client.build().unwrap();
            for _ in 0..2 {
                let response = send(&client, &server.origin()).await.unwrap();
                assert_eq!(response.status().as_u16(), status);
                assert_eq!(response.header("content-encoding"), Some("gzip"));
                assert_eq!(response.body(), b"none");
            }
        }
        let received = server.received().to_lowercase();
        assert_eq!(received.matches("post /").count(), 4, "{status}");
        for field in ["accept-encoding", "cookie", "referer"] {
            assert!(!received.contains(field), "{received}");
        }
        assert_eq!(other.connections(), 0, "{status}");
    }
}

#[tokio::test]
async fn http_2_is_not_offered() {
    let ca = Ca::new();
    let mut config = ca.good();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let chosen = Arc::new(Mutex::new(Vec::new()));
    let server = Server::tls(config, {
        let chosen = Arc::clone(&chosen);
        move |peer: &mut Peer| {
            peer.request();
            chosen.lock().unwrap().push(peer.alpn());
            let _ = peer.send(ok("{}"));
            peer.wait_for_close();
        }
    });
    let base = custom_builder().no_proxy().http2_prior_knowledge();
    for client in [ca.client(), ca.client().from_builder(base)] {
        send(&client.build().unwrap(), &server.origin()).await.unwrap();
    }
    assert_eq!(*chosen.lock().unwrap(), vec![Some(b"http/1.1".to_vec()); 2]);
}

#[tokio::test]
async fn tls_1_2_and_1_3_are_supported() {
    let ca = Ca::new();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let server = Server::tls(only(&ca, version), respond_all(ok("{}")));
        send(&ca.client().build().unwrap(), &server.origin()).await.unwrap();
    }
}

fn only(ca: &Ca, version: &'static SupportedProtocolVersion) -> ServerConfig {
    let key = KeyPair::generate().unwrap();
    let leaf = loopback().signed_by(&key, &ca.issuer).unwrap();
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .unwrap()
}

#[tokio::test]
async fn requests_are_not_sent_as_early_data() {
    let ca = Ca::new();
    let mut config = ca.good();
    config.max_early_data_size = 16 * 1024;
    let server = Server::tls(config, |peer| {
        peer.request();
        let early = if peer.early_data() { "early" } else { "late" };
        let _ = peer.send(format!(
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{early}",
            early.len()
        ));
    });
    let client = ca.client().build().unwrap();
    for _ in 0..3 {
        assert_eq!(send(&client, &server.origin()).await.unwrap().body(), b"late");
    }
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn f106_unsafe_tls_version_is_rejected() {
    let client = HttpClient::builder().no_proxy().build().unwrap();
    // The alert of a server that requires TLS 1.1, and a ServerHello with TLS 1.1.
    let mut hello = vec![0x16, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2];
    hello.extend([7; 32]);
    hello.extend([0, 0, 0x2f, 0]);
    for bytes in [vec![0x15, 3, 1, 0, 2, 2, 70], vec![0x15, 3, 1, 0, 2, 2, 40], hello] {
        let server = Server::raw_https(move |peer| {
            let _ = peer.read(4096);
            let _ = peer.send(&bytes);
            peer.finish();
        });
        let error = send_err(&client, &server.origin()).await;
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Never));
        assert!(error.message().contains("supports no TLS version that is safe"), "{error:?}");
        assert!(error.hints()[0].text().contains("TLS 1.2"));
    }
}

#[tokio::test]
async fn f107_required_client_certificate_is_reported() {
    let ca = Ca::new();
    let mut roots = RootCertStore::empty();
    roots.add(ca.der.clone()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let key = KeyPair::generate().unwrap();
    let leaf = loopback().signed_by(&key, &ca.issuer).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .unwrap();
    let server = Server::tls(config, |peer| {
        peer.request();
        peer.wait_for_close();
    });
    let error = send_err(&ca.client().build().unwrap(), &server.origin()).await;
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Config, Retry::Never), "{error:?}");
    assert!(error.message().contains("client certificate"), "{error}");
}

#[tokio::test]
async fn f108_stalled_handshake_times_out() {
    let client = short_timeouts().no_proxy().response_timeout(std::time::Duration::from_secs(5));
    let client = client.timeout(std::time::Duration::from_secs(5)).build().unwrap();
    let server = Server::raw_https(Peer::wait_for_close);
    let error = send_err(&client, &server.origin()).await;
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Later));
    assert!(error.message().contains("no connection in 0.4 s"), "{error:?}");

    let server = Server::raw_https(|peer| {
        let _ = peer.read(4096);
        peer.finish();
    });
    let error = send_err(&client, &server.origin()).await;
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::Later));
    assert!(error.message().contains("closed early"), "{error:?}");
}

#[tokio::test]
async fn f109_missing_close_notify_is_an_error_without_length() {
    let ca = Ca::new();
    for (head, complete) in [("Content-Length: 2\r\n", true), ("", false)] {
        let response = format!("HTTP/1.1 200 OK\r\n{head}Connection: close\r\n\r\n{{}}");
        let server = Server::tls(ca.good(), move |peer| {
            peer.request();
            let _ = peer.send(&response);
        });
        let response = send(&ca.client().build().unwrap(), &server.origin()).await;
        if complete {
            assert_eq!(response.unwrap().body(), b"{}");
        } else {
            let error = response.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
            assert!(error.message().contains("closed early"), "{error}");
        }
    }
}

#[test]
fn ca_file_without_certificate_is_rejected() {
    let key = KeyPair::generate().unwrap().serialize_pem();
    let good = Ca::new().pem;
    let cut = good.lines().take(3).collect::<Vec<_>>().join("\n");
    let garbage = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
    let both = format!("{good}{garbage}");
    for pem in ["", "hello", &key, &cut, garbage, &both] {
        let error = HttpClient::builder().ca_pem(pem.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{pem}");
        assert!(error.hints()[0].text().contains("BEGIN CERTIFICATE"));
    }
    let _ = HttpClient::builder().ca_pem(format!("# ours\n{good}{good}").as_bytes()).unwrap();
}
