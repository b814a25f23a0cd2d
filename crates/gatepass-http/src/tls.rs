//! Whom TLS trusts: the user's own CA, and the crypto provider that checks it.

use gatepass_core::{Error, Result};
use reqwest::Certificate;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Reads the certificates of a PEM file.
///
/// `Config` if it has none, or one that cannot be a root.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<Certificate>> {
    let wrong = |what: &'static str| {
        Error::config(what)
            .with_hint("it should hold blocks like -----BEGIN CERTIFICATE-----, as PEM files do")
    };
    let mut roots = RootCertStore::empty();
    let mut certificates = Vec::new();
    for der in CertificateDer::pem_slice_iter(pem) {
        let der = der.map_err(|_| wrong("the CA file is not well-formed PEM"))?;
        certificates.push(
            Certificate::from_der(&der)
                .map_err(|_| wrong("the CA file has a certificate that cannot be read"))?,
        );
        roots.add(der).map_err(|_| wrong("the CA file has a certificate that cannot be read"))?;
    }
    if certificates.is_empty() {
        return Err(wrong("the CA file holds no certificate"));
    }
    Ok(certificates)
}

/// Mozilla's roots.
#[cfg(feature = "webpki-roots")]
pub(crate) fn bundled() -> Vec<Certificate> {
    let roots = webpki_root_certs::TLS_SERVER_ROOT_CERTS;
    roots.iter().filter_map(|der| Certificate::from_der(der).ok()).collect()
}

/// Makes sure that the process has a crypto provider: the one already chosen, else ring's.
pub(crate) fn install_crypto() {
    if CryptoProvider::get_default().is_none() {
        // An error means that another thread has just installed one, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}
