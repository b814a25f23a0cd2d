//! TLS configuration: the user's own CA, the platform's roots and the crypto provider.

use std::fmt;
use std::sync::{Arc, OnceLock};

use gatepass_core::{Error, Result};
use reqwest::Certificate;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};
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

/// Returns the TLS configuration that reqwest would use with these roots in addition to the
/// platform's. The platform's roots are loaded only if a server's certificate needs them.
pub(crate) fn config(roots: &[CertificateDer<'static>]) -> Result<ClientConfig> {
    install_crypto();
    let crypto = CryptoProvider::get_default().cloned();
    let crypto = crypto.ok_or_else(|| Error::internal("no crypto provider is installed"))?;
    let setup_error = |cause: &dyn fmt::Display| {
        Error::config(format!("cannot set up TLS with the profile's CA: {cause}"))
    };
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

/// A verifier with the user's own CA, and a second one with all roots.
///
/// The second accepts every certificate that the first accepts. A certificate that the first rejects
/// is decided by the second, which has both sets, so that its error refers to the relevant CA.
struct RootVerifier {
    own: Arc<WebPkiServerVerifier>,
    all: OnceLock<Verifier>,
    load: Box<dyn Fn() -> Verified<Verifier> + Send + Sync>,
}

impl RootVerifier {
    fn new(roots: &[CertificateDer<'static>], crypto: Arc<CryptoProvider>) -> Verified<Self> {
        let mut store = RootCertStore::empty();
        roots.iter().try_for_each(|der| store.add(der.clone()))?;
        let own = WebPkiServerVerifier::builder_with_provider(Arc::new(store), crypto.clone())
            .build()
            .map_err(|cause| rustls::Error::General(cause.to_string()))?;
        let roots = roots.to_vec();
        let load = move || {
            roots::check(of_process)
                .map_err(|error| rustls::Error::Other(OtherError(Arc::new(error))))?;
            Verifier::new_with_extra_roots(roots.iter().cloned(), crypto.clone())
        };
        Ok(Self { own, all: OnceLock::new(), load: Box::new(load) })
    }

    fn all(&self) -> Verified<&Verifier> {
        match self.all.get() {
            Some(all) => Ok(all),
            // A failure is not cached: the roots may become readable later.
            None => (self.load)().map(|all| self.all.get_or_init(|| all)),
        }
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
        self.own
            .verify_server_cert(leaf, intermediates, name, ocsp, now)
            .or_else(|_| self.all()?.verify_server_cert(leaf, intermediates, name, ocsp, now))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Verified<HandshakeSignatureValid> {
        self.own.verify_tls12_signature(message, leaf, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Verified<HandshakeSignatureValid> {
        self.own.verify_tls13_signature(message, leaf, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.own.supported_verify_schemes()
    }
}

impl fmt::Debug for RootVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RootVerifier").field("own", &self.own).finish_non_exhaustive()
    }
}

/// Returns Mozilla's roots.
#[cfg(feature = "webpki-roots")]
pub(crate) fn bundled_roots() -> Vec<Certificate> {
    let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS;
    roots.iter().filter_map(|der| Certificate::from_der(der).ok()).collect()
}

/// Installs ring as the process's crypto provider unless one is installed.
pub(crate) fn install_crypto() {
    if CryptoProvider::get_default().is_none() {
        // An error means that another thread has installed one at the same time.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

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

    #[test]
    fn platform_roots_are_loaded_once_if_needed() {
        let [(own, own_leaf), (other, other_leaf)] = [ca(), ca()];
        let crypto = Arc::new(rustls::crypto::ring::default_provider());
        let loads = Arc::new(AtomicUsize::new(0));
        let mut verifier = RootVerifier::new(std::slice::from_ref(&own), crypto.clone()).unwrap();
        verifier.load = Box::new({
            let loads = loads.clone();
            move || {
                loads.fetch_add(1, Ordering::Relaxed);
                // The other CA is a root of this test's platform.
                Verifier::new_with_extra_roots([own.clone(), other.clone()], crypto.clone())
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
