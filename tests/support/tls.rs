//! A private CA, and valid and invalid server certificates.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

/// A private CA.
#[derive(Debug)]
pub struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    der: CertificateDer<'static>,
}

/// The property of a server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Certificate {
    /// Valid.
    Good,
    /// Expired in 2020.
    Expired,
    /// Not valid before 3000.
    NotYetValid,
    /// For another host.
    WrongName,
    /// Without a host name.
    Nameless,
    /// For mail instead of servers.
    WrongUsage,
    /// Self-signed.
    SelfSigned,
    /// Signed by an untrusted CA.
    UnknownCa,
    /// Valid, and the server requires a client certificate.
    ClientCertificateRequired,
}

impl Ca {
    /// Generates a CA.
    pub fn new() -> Self {
        Self::named("the CA of the tests")
    }

    fn named(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let own = params.self_signed(&key).unwrap();
        Self { pem: own.pem(), der: own.der().clone(), issuer: Issuer::new(params, key) }
    }

    /// Returns the CA certificate for a profile's `ca_file`.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Returns the configuration of a server on 127.0.0.1 with this certificate.
    pub fn server(&self, certificate: Certificate) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let names = match certificate {
            Certificate::WrongName => vec![String::from("other.test")],
            Certificate::Nameless => Vec::new(),
            _ => vec![String::from("127.0.0.1")],
        };
        let mut params = CertificateParams::new(names).unwrap();
        match certificate {
            Certificate::Expired => params.not_after = date_time_ymd(2020, 3, 1),
            Certificate::NotYetValid => params.not_before = date_time_ymd(3000, 1, 1),
            Certificate::WrongUsage => {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::EmailProtection];
            }
            _ => {}
        }
        let leaf = match certificate {
            Certificate::SelfSigned => params.self_signed(&key),
            Certificate::UnknownCa => {
                params.signed_by(&key, &Self::named("an untrusted CA").issuer)
            }
            _ => params.signed_by(&key, &self.issuer),
        };
        let provider = Arc::new(ring::default_provider());
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let config = if certificate == Certificate::ClientCertificateRequired {
            let mut roots = RootCertStore::empty();
            roots.add(self.der.clone()).unwrap();
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            config.with_client_cert_verifier(verifier.unwrap())
        } else {
            config.with_no_client_auth()
        };
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        config.with_single_cert(vec![leaf.unwrap().der().clone()], key).unwrap()
    }
}

impl Default for Ca {
    fn default() -> Self {
        Self::new()
    }
}
