//! The reqwest clients: for https and plain http, for token requests and API requests.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use gatepass_core::Result;
use reqwest::{Client, ClientBuilder, redirect, retry};
use rustls::ClientConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;

use crate::connections::{ClientHandle, TOKEN_IDLE, TokenConnections};
use crate::limits::Limits;
use crate::proxy::ProxyRules;
use crate::resolver::SystemResolver;
use crate::{error, tls};

/// The purpose of a request, which decides how long its connection may be idle.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    Token,
    Api,
}

/// The clients, each made at the first request that needs it.
pub(crate) struct Clients {
    pub(crate) limits: Limits,
    /// The proxies of the environment, unless this client ignores them.
    pub(crate) proxies: Option<Arc<ProxyRules>>,
    roots: Vec<CertificateDer<'static>>,
    tls: OnceLock<ClientConfig>,
    /// The client of a custom builder, for all https requests.
    custom: Option<Client>,
    token_https: TokenConnections,
    token_http: TokenConnections,
    api_https: OnceLock<Client>,
    api_http: OnceLock<Client>,
}

impl Clients {
    /// Makes the clients. With a custom builder, its client is made at once.
    pub(crate) fn new(
        limits: Limits,
        proxies: Option<ProxyRules>,
        roots: Vec<CertificateDer<'static>>,
        base: Option<ClientBuilder>,
    ) -> Result<Self> {
        let custom = match base {
            Some(base) => Some(build_custom(base, &limits, proxies.is_some(), &roots)?),
            None => None,
        };
        Ok(Self {
            limits,
            proxies: proxies.map(Arc::new),
            roots,
            tls: OnceLock::new(),
            custom,
            token_https: TokenConnections::default(),
            token_http: TokenConnections::default(),
            api_https: OnceLock::new(),
            api_http: OnceLock::new(),
        })
    }

    /// Returns the roots that are trusted in addition.
    pub(crate) fn roots(&self) -> &[CertificateDer<'static>] {
        &self.roots
    }

    /// Returns whether https requests use a custom builder.
    pub(crate) fn is_custom(&self) -> bool {
        self.custom.is_some()
    }

    /// Returns the client for one request.
    pub(crate) fn handle(&self, is_https: bool, purpose: Purpose) -> Result<ClientHandle> {
        let make = |idle| if is_https { self.make_https(idle) } else { self.make_http(idle) };
        match (&self.custom, purpose) {
            (Some(custom), _) if is_https => Ok(custom.clone().into()),
            (_, Purpose::Token) => {
                let connections = if is_https { &self.token_https } else { &self.token_http };
                connections.handle(|| make(TOKEN_IDLE))
            }
            (_, Purpose::Api) => {
                let cell = if is_https { &self.api_https } else { &self.api_http };
                match cell.get() {
                    Some(client) => Ok(client.clone().into()),
                    None => Ok(cell
                        .get_or_init({
                            let client = make(API_IDLE)?;
                            || client
                        })
                        .clone()
                        .into()),
                }
            }
        }
    }

    fn make_https(&self, idle: Duration) -> Result<Client> {
        let tls = match self.tls.get() {
            Some(tls) => tls,
            None => {
                let tls = tls::config(&self.roots)?;
                self.tls.get_or_init(|| tls)
            }
        };
        let builder = our_builder(idle, tls.clone()).https_only(true);
        let builder = match self.proxies.as_ref().and_then(ProxyRules::to_reqwest) {
            Some(proxy) => builder.proxy(proxy),
            None => builder,
        };
        with_rules(builder, &self.limits).build().map_err(error::from_build)
    }

    /// Makes a client for plain http: without a proxy, which would see the secret.
    fn make_http(&self, idle: Duration) -> Result<Client> {
        let builder = our_builder(idle, tls::config(&[])?);
        with_rules(builder, &self.limits).build().map_err(error::from_build)
    }
}

/// Returns a builder that ignores reqwest's own reading of the environment.
fn our_builder(idle: Duration, tls: ClientConfig) -> ClientBuilder {
    Client::builder()
        .user_agent(USER_AGENT)
        .pool_idle_timeout(idle)
        .tls_backend_preconfigured(tls)
        .dns_resolver(Arc::new(SystemResolver))
        .no_proxy()
}

fn build_custom(
    base: ClientBuilder,
    limits: &Limits,
    has_proxies: bool,
    roots: &[CertificateDer<'static>],
) -> Result<Client> {
    let base = if has_proxies { base } else { base.no_proxy() };
    let base = if roots.is_empty() {
        base
    } else {
        base.tls_certs_merge(tls::reqwest_certificates(roots)?)
    };
    let base = with_rules(base, limits)
        .https_only(true)
        .tls_danger_accept_invalid_certs(false)
        .tls_danger_accept_invalid_hostnames(false)
        // The pool closes a connection after up to twice this time.
        .pool_idle_timeout(TOKEN_IDLE / 2);
    // The builder's TLS is reqwest's, which panics without a provider of its own or of the program.
    // Whether it has one is a feature of reqwest that cannot be queried.
    let built = match CryptoProvider::get_default() {
        Some(_) => base.build(),
        None => catch_unwind(AssertUnwindSafe(|| base.build()))
            .map_err(|_| error::no_crypto_provider())?,
    };
    built.map_err(error::from_build)
}

/// Applies the rules of this crate. Some switches have no effect in this build; they are set because
/// another crate may enable the corresponding feature of reqwest.
fn with_rules(builder: ClientBuilder, limits: &Limits) -> ClientBuilder {
    builder
        .redirect(redirect::Policy::none())
        .referer(false)
        .no_gzip()
        .no_brotli()
        .no_deflate()
        .no_zstd()
        .retry(retry::never())
        .http1_only()
        .connection_verbose(false)
        .tls_sslkeylogfile(false)
        .connect_timeout(limits.connect)
}

const USER_AGENT: &str = concat!("gatepass/", env!("CARGO_PKG_VERSION"));

/// The idle time after which the connections of API requests are closed: shorter than that of usual
/// servers and load balancers.
const API_IDLE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use gatepass_core::ErrorKind;

    use super::*;

    #[test]
    fn no_crypto_provider_is_installed_or_needed() {
        let clients = Clients::new(Limits::default(), None, Vec::new(), None).unwrap();
        for (is_https, purpose) in [
            (true, Purpose::Token),
            (true, Purpose::Api),
            (false, Purpose::Token),
            (false, Purpose::Api),
        ] {
            clients.handle(is_https, purpose).unwrap();
        }
        crate::api_client_builder().build().unwrap();
        let base = Some(crate::api_client_builder());
        Clients::new(Limits::default(), None, Vec::new(), base).unwrap();
        assert!(CryptoProvider::get_default().is_none());
    }

    #[test]
    fn builder_without_crypto_provider_is_an_error() {
        let base = Some(Client::builder());
        let error = Clients::new(Limits::default(), None, Vec::new(), base).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
        assert!(error.message().contains("no crypto provider"), "{error}");
        assert!(error.hints()[0].text().contains("install_default"), "{error:?}");
    }
}
