//! TLS configuration: the user's own CA, the platform's roots and the crypto provider.

use std::fmt;
use std::sync::{Arc, OnceLock};

use gatepass_core::{Error, Result};
use reqwest::Certificate;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore,
    SignatureScheme,
};
use rustls_platform_verifier::Verifier;

use crate::environment::of_process;
use crate::{error, roots};

type Verified<T> = Result<T, rustls::Error>;

/// Reads the certificates of a PEM file.
///
/// Returns `Config` if the file has no certificate, or one that cannot be a root.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let invalid = |message: &'static str| {
        Error::config(message)
            .hint("the file should contain PEM blocks such as -----BEGIN CERTIFICATE-----")
    };
    let mut roots = RootCertStore::empty();
    let mut certificates = Vec::new();
    for der in CertificateDer::pem_slice_iter(pem) {
        let der = der.map_err(|_| invalid("the CA file is not well-formed PEM"))?;
        certificates.push(der.clone());
        roots.add(der).map_err(|_| invalid("the CA file has a certificate that cannot be read"))?;
    }
    if certificates.is_empty() {
        return Err(invalid("the CA file contains no certificate"));
    }
    Ok(certificates)
}

/// Converts certificates for a reqwest builder.
pub(crate) fn reqwest_certificates(roots: &[CertificateDer<'_>]) -> Result<Vec<Certificate>> {
    roots.iter().map(|der| Certificate::from_der(der).map_err(error::from_build)).collect()
}

/// Returns a TLS configuration for HTTP/1.1 with these roots in addition to the platform's, which are
/// loaded only if a server's certificate needs them.
///
/// The configuration is passed to reqwest, so that no provider is installed for the whole process:
/// that would change the program's own reqwest clients, and panic if the program installs another one
/// later.
pub(crate) fn config(roots: &[CertificateDer<'static>]) -> Result<ClientConfig> {
    let crypto = crypto_provider();
    let setup_error =
        |cause: &dyn fmt::Display| Error::config(format!("cannot set up TLS: {cause}"));
    let verifier = RootVerifier::new(roots, crypto.clone()).map_err(|cause| setup_error(&cause))?;
    let mut config = ClientConfig::builder_with_provider(crypto)
        .with_safe_default_protocol_versions()
        .map_err(|cause| setup_error(&cause))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Returns the provider that the program has installed, else ring.
fn crypto_provider() -> Arc<CryptoProvider> {
    CryptoProvider::get_default().cloned().unwrap_or_else(|| Arc::new(ring::default_provider()))
}

/// A verifier with the user's own CA, and a second one with all roots.
///
/// The second accepts every certificate that the first accepts. A certificate that the first rejects
/// is decided by the second, which has both sets, so that its error refers to the relevant CA.
struct RootVerifier {
    /// The certificates of the user's file.
    listed: Vec<CertificateDer<'static>>,
    own: Option<Arc<WebPkiServerVerifier>>,
    all: OnceLock<Arc<dyn ServerCertVerifier>>,
    load: Box<dyn Fn() -> Verified<Arc<dyn ServerCertVerifier>> + Send + Sync>,
    crypto: Arc<CryptoProvider>,
}

impl RootVerifier {
    fn new(roots: &[CertificateDer<'static>], crypto: Arc<CryptoProvider>) -> Verified<Self> {
        let own = if roots.is_empty() { None } else { Some(webpki_verifier(roots, &crypto)?) };
        let listed = roots.to_vec();
        let (roots, provider) = (listed.clone(), crypto.clone());
        let load = move || load_all(&roots, &provider);
        Ok(Self { listed, own, all: OnceLock::new(), load: Box::new(load), crypto })
    }

    fn all(&self) -> Verified<&Arc<dyn ServerCertVerifier>> {
        match self.all.get() {
            Some(all) => Ok(all),
            // A failure is not cached: the roots may become readable later.
            None => (self.load)().map(|all| self.all.get_or_init(|| all)),
        }
    }

    /// Returns whether this is exactly a certificate of the user's file, and valid for the name, given
    /// why webpki rejected it.
    ///
    /// The certificate that `openssl req -x509` makes for a server is marked as a CA, and webpki accepts
    /// no CA as a server. Other clients trust it if the user lists it. webpki finds these reasons after
    /// it has checked the period of validity.
    fn is_listed(
        &self,
        leaf: &CertificateDer<'_>,
        name: &ServerName<'_>,
        cause: &rustls::Error,
    ) -> bool {
        let is_valid = match cause {
            rustls::Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::BadSignature,
            ) => true,
            rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(cause))) => {
                cause.downcast_ref() == Some(&webpki::Error::CaUsedAsEndEntity)
            }
            _ => false,
        };
        is_valid
            && self.listed.iter().any(|listed| listed == leaf)
            && is_for_servers(leaf)
            && ParsedCertificate::try_from(leaf)
                .is_ok_and(|parsed| verify_server_name(&parsed, name).is_ok())
    }
}

/// Returns whether the certificate has no extended key usage, or one that includes servers. webpki
/// checks this after it has rejected a CA.
fn is_for_servers(leaf: &CertificateDer<'_>) -> bool {
    let has = |oid: &[u8]| leaf.windows(oid.len()).any(|bytes| bytes == oid);
    !has(EXTENDED_KEY_USAGE) || has(SERVER_AUTH) || has(ANY_KEY_USAGE)
}

// DER of the object identifiers 2.5.29.37, 1.3.6.1.5.5.7.3.1 and 2.5.29.37.0.
const EXTENDED_KEY_USAGE: &[u8] = &[6, 3, 0x55, 0x1d, 0x25];
const SERVER_AUTH: &[u8] = &[6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1];
const ANY_KEY_USAGE: &[u8] = &[6, 4, 0x55, 0x1d, 0x25, 0];

fn webpki_verifier(
    roots: &[CertificateDer<'static>],
    crypto: &Arc<CryptoProvider>,
) -> Verified<Arc<WebPkiServerVerifier>> {
    let mut store = RootCertStore::empty();
    roots.iter().try_for_each(|der| store.add(der.clone()))?;
    WebPkiServerVerifier::builder_with_provider(Arc::new(store), crypto.clone())
        .build()
        .map_err(|cause| rustls::Error::General(cause.to_string()))
}

/// Loads the platform's roots, or the bundled ones if it has none, and adds the user's.
fn load_all(
    roots: &[CertificateDer<'static>],
    crypto: &Arc<CryptoProvider>,
) -> Verified<Arc<dyn ServerCertVerifier>> {
    let own_error = |error| rustls::Error::Other(OtherError(Arc::new(error)));
    roots::check(of_process).map_err(own_error)?;
    match Verifier::new_with_extra_roots(roots.iter().cloned(), crypto.clone()) {
        Ok(verifier) => Ok(Arc::new(verifier)),
        #[cfg(feature = "webpki-roots")]
        Err(_) => {
            let bundled = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned();
            let roots: Vec<_> = bundled.chain(roots.iter().cloned()).collect();
            Ok(webpki_verifier(&roots, crypto)?)
        }
        #[cfg(not(feature = "webpki-roots"))]
        Err(cause) => Err(own_error(error::no_roots().with_source(cause))),
    }
}

impl ServerCertVerifier for RootVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Verified<ServerCertVerified> {
        if let Some(own) = &self.own {
            match own.verify_server_cert(leaf, intermediates, name, ocsp, now) {
                Err(cause) if self.is_listed(leaf, name, &cause) => {
                    return Ok(ServerCertVerified::assertion());
                }
                Err(_) => {}
                verified => return verified,
            }
        }
        self.all()?.verify_server_cert(leaf, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Verified<HandshakeSignatureValid> {
        let algorithms = &self.crypto.signature_verification_algorithms;
        verify_tls12_signature(message, leaf, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Verified<HandshakeSignatureValid> {
        let algorithms = &self.crypto.signature_verification_algorithms;
        verify_tls13_signature(message, leaf, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.crypto.signature_verification_algorithms.supported_schemes()
    }
}

impl fmt::Debug for RootVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RootVerifier").field("own", &self.own).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use rcgen::{
        BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
        date_time_ymd,
    };

    use super::*;

    /// Returns a CA and a certificate that it has issued for `vendor.test`.
    fn ca() -> (CertificateDer<'static>, CertificateDer<'static>) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap();
        let leaf = CertificateParams::new(vec!["vendor.test".to_owned()]).unwrap();
        let leaf =
            leaf.signed_by(&KeyPair::generate().unwrap(), &Issuer::new(params, key)).unwrap();
        (root.der().clone(), leaf.der().clone())
    }

    /// Returns a self-signed certificate for `vendor.test`.
    fn self_signed(
        is_ca: bool,
        change: impl Fn(&mut CertificateParams),
    ) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(vec!["vendor.test".to_owned()]).unwrap();
        if is_ca {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        change(&mut params);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    fn verified(
        listed: &[CertificateDer<'static>],
        leaf: &CertificateDer<'_>,
        name: &str,
    ) -> Verified<ServerCertVerified> {
        let crypto = Arc::new(ring::default_provider());
        let mut verifier = RootVerifier::new(listed, crypto).unwrap();
        let listed = listed.to_vec();
        // The platform of the tests has no roots.
        verifier.load =
            Box::new(move || Ok(webpki_verifier(&listed, &Arc::new(ring::default_provider()))?));
        let name = ServerName::try_from(name.to_owned()).unwrap();
        verifier.verify_server_cert(leaf, &[], &name, &[], UnixTime::now())
    }

    #[test]
    fn listed_server_certificate_is_trusted_for_its_names() {
        for is_ca in [true, false] {
            let own = self_signed(is_ca, |_| {});
            verified(std::slice::from_ref(&own), &own, "vendor.test").unwrap();
            verified(std::slice::from_ref(&own), &own, "other.test").unwrap_err();
            // One with the same names that is not listed.
            let other = self_signed(is_ca, |_| {});
            verified(&[own], &other, "vendor.test").unwrap_err();
        }
        // A server's certificate without its CA.
        let (_, leaf) = ca();
        verified(std::slice::from_ref(&leaf), &leaf, "vendor.test").unwrap();
        verified(std::slice::from_ref(&leaf), &leaf, "other.test").unwrap_err();
    }

    #[test]
    fn unusable_listed_certificate_is_rejected() {
        for is_ca in [true, false] {
            let old = self_signed(is_ca, |params| params.not_after = date_time_ymd(2020, 1, 1));
            let early = self_signed(is_ca, |params| params.not_before = date_time_ymd(3000, 1, 1));
            let client = self_signed(is_ca, |params| {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            });
            for own in [old, early, client] {
                verified(std::slice::from_ref(&own), &own, "vendor.test").unwrap_err();
            }
            let server = self_signed(is_ca, |params| {
                params.extended_key_usages =
                    vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
            });
            verified(std::slice::from_ref(&server), &server, "vendor.test").unwrap();
        }
    }

    #[test]
    fn platform_roots_are_loaded_once_if_needed() {
        let [(own, own_leaf), (other, other_leaf)] = [ca(), ca()];
        let crypto = Arc::new(ring::default_provider());
        let loads = Arc::new(AtomicUsize::new(0));
        let mut verifier = RootVerifier::new(std::slice::from_ref(&own), crypto.clone()).unwrap();
        verifier.load = Box::new({
            let loads = loads.clone();
            move || {
                loads.fetch_add(1, Ordering::Relaxed);
                // The other CA is a root of this test's platform.
                let roots = [own.clone(), other.clone()];
                Ok(Arc::new(Verifier::new_with_extra_roots(roots, crypto.clone())?))
            }
        });
        let check = |leaf: &CertificateDer<'_>, name: &str| {
            let name = ServerName::try_from(name.to_owned()).unwrap();
            verifier.verify_server_cert(leaf, &[], &name, &[], UnixTime::now())
        };
        check(&own_leaf, "vendor.test").unwrap();
        assert_eq!(loads.load(Ordering::Relaxed), 0);
        check(&other_leaf, "vendor.test").unwrap();
        check(&ca().1, "vendor.test").unwrap_err();
        check(&own_leaf, "other.test").unwrap_err();
        assert_eq!(loads.load(Ordering::Relaxed), 1);
    }
}
