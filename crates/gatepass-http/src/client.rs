//! HttpClient: reqwest under the rules that a request with a secret in it needs.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use gatepass_core::{Error, HttpSend, Request, Response, Result, async_trait};
use http::{Uri, Version};
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{ClientBuilder, Url, redirect, retry};
use rustls::pki_types::CertificateDer;
use tokio::time::timeout;

use crate::body::{Body, Record};
use crate::error;
use crate::limits::{self, Limits};
use crate::tls;

/// Sends requests to vendors. Cheap to clone: clones share their connections.
///
/// Connections belong to the runtime that they were made on; on another one the client simply
/// makes new ones.
#[derive(Clone)]
pub struct HttpClient(Arc<Inner>);

struct Inner {
    limits: Limits,
    plain_http: bool,
    proxy: bool,
    roots: Vec<CertificateDer<'static>>,
    https: OnceLock<reqwest::Client>,
    http: OnceLock<reqwest::Client>,
}

impl HttpClient {
    /// A client with the default limits. Nothing is loaded before the first request.
    ///
    /// # Errors
    ///
    /// None today.
    pub fn new() -> Result<Self> {
        Self::builder().build()
    }

    /// A client with settings of one's own.
    pub fn builder() -> HttpClientBuilder {
        HttpClientBuilder {
            limits: Limits::default(),
            plain_http: false,
            proxy: true,
            roots: Vec::new(),
            base: None,
        }
    }

    /// A client over the user's own builder: see [`HttpClientBuilder::base`].
    ///
    /// # Errors
    ///
    /// `Config` if the builder does not build.
    pub fn from_builder(base: ClientBuilder) -> Result<Self> {
        Self::builder().base(base).build()
    }

    /// Sends any request and gives the answer as soon as its head is there.
    ///
    /// The same rules hold as for a token request, except that the body may have any size up to
    /// `limit` (in bytes), or any at all, and that only its pauses are timed, not its whole.
    ///
    /// # Errors
    ///
    /// `Config` for an address that must not be asked, `Unavailable` if there is no answer,
    /// `Protocol` if it is none of HTTP or larger than `limit` by its own word.
    pub async fn call(
        &self,
        request: http::Request<Bytes>,
        limit: Option<usize>,
    ) -> Result<http::Response<Body>> {
        let origin = origin(request.uri())?;
        let mut record = Record::new(request.method().clone(), origin);
        let request = checked(request, self.0.plain_http)?;
        let limits = self.0.limits;
        // Lets the runtime hear of connections that their servers have closed. On one thread, where
        // nothing has run since the last request, hyper would write to a dead one and could not
        // tell whether that was read; when it knows, it makes a new one at once.
        tokio::task::yield_now().await;
        let mut response = timeout(limits.answer, self.client(request.url())?.execute(request))
            .await
            .map_err(|_| error::no_answer(&record.origin, limits.answer))?
            .map_err(|cause| error::from_reqwest(cause, &record.origin, &limits))?;
        record.status = Some(response.status());
        limits::check_head(response.headers(), &record.origin)
            .map_err(|error| error.with_status(response.status().as_u16()))?;

        let (status, version) = (response.status(), response.version());
        let headers = std::mem::take(response.headers_mut());
        let mut answer = http::Response::new(Body::new(response, limit, limits, record)?);
        *answer.status_mut() = status;
        *answer.version_mut() = version;
        *answer.headers_mut() = headers;
        Ok(answer)
    }

    /// The proxy that a request to this address goes through by the environment (`HTTPS_PROXY`,
    /// `ALL_PROXY`, `NO_PROXY`), without its user name and password. Plain http never has one.
    pub fn proxy_for(&self, uri: &Uri) -> Option<Uri> {
        if !self.0.proxy || uri.scheme_str() != Some("https") {
            return None;
        }
        // The very rules that reqwest goes by.
        let proxy = Matcher::from_system().intercept(uri)?.uri().clone();
        let bare = proxy.authority()?.as_str().rsplit('@').next()?.to_owned();
        let scheme = proxy.scheme_str().unwrap_or("http");
        Uri::builder().scheme(scheme).authority(bare).path_and_query("/").build().ok()
    }

    fn client(&self, url: &Url) -> Result<&reqwest::Client> {
        let inner = &*self.0;
        let (cell, make): (_, fn(&Inner) -> Result<reqwest::Client>) = match url.scheme() {
            "http" => (&inner.http, Inner::make_http),
            _ => (&inner.https, Inner::make_https),
        };
        match cell.get() {
            Some(client) => Ok(client),
            // A failure is not kept, so that an unreadable file of roots may become readable.
            None => make(inner).map(|client| cell.get_or_init(|| client)),
        }
    }
}

#[async_trait]
impl HttpSend for HttpClient {
    async fn send(&self, request: Request) -> Result<Response> {
        let limits = self.0.limits;
        let origin = request.endpoint().origin().to_owned();
        let whole = async {
            let answer = self.call(request.try_into()?, Some(limits.body)).await?;
            let (head, body) = answer.into_parts();
            Ok(Response::from(http::Response::from_parts(head, body.bytes().await?)))
        };
        match timeout(limits.total, whole).await {
            Ok(answer) => answer,
            Err(_) => Err(error::not_complete(&origin, limits.total)),
        }
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").field("limits", &self.0.limits).finish_non_exhaustive()
    }
}

impl Inner {
    fn make_https(&self) -> Result<reqwest::Client> {
        let base = || {
            let builder = reqwest::Client::builder()
                .user_agent(USER_AGENT)
                .pool_idle_timeout(POOL_IDLE)
                .tls_backend_rustls()
                .tls_version_min(reqwest::tls::Version::TLS_1_2);
            let builder = if self.proxy { builder } else { builder.no_proxy() };
            ruled(builder, &self.limits).https_only(true)
        };
        if !self.roots.is_empty() {
            let tls = tls::config(&self.roots)?;
            return base().tls_backend_preconfigured(tls).build().map_err(error::from_build);
        }
        let built = base().build();
        #[cfg(feature = "webpki-roots")]
        let built = built.or_else(|_| base().tls_certs_only(tls::bundled()).build());
        built.map_err(error::from_build)
    }

    /// Loads no roots, since nothing is encrypted, and knows no proxy, which would see everything.
    fn make_http(&self) -> Result<reqwest::Client> {
        let builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .pool_idle_timeout(POOL_IDLE)
            .tls_backend_rustls()
            .tls_certs_only(std::iter::empty())
            .no_proxy();
        ruled(builder, &self.limits).build().map_err(error::from_build)
    }
}

/// Makes a [`HttpClient`].
#[must_use = "a builder does nothing until it is built"]
pub struct HttpClientBuilder {
    limits: Limits,
    plain_http: bool,
    proxy: bool,
    roots: Vec<CertificateDer<'static>>,
    base: Option<ClientBuilder>,
}

impl HttpClientBuilder {
    /// How long a token request may take in all; 15 s unless set. A [`call`](HttpClient::call)'s
    /// body is not part of it.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.limits.total = limit;
        self
    }

    /// How long finding the name, connecting and the TLS handshake may take; 5 s unless set.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.limits.connect = limit;
        self
    }

    /// How long it may take until an answer's head is there, counted from the beginning; 10 s
    /// unless set.
    pub fn response_timeout(mut self, limit: Duration) -> Self {
        self.limits.answer = limit;
        self
    }

    /// How long a body may pause; 5 s unless set.
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.limits.idle = limit;
        self
    }

    /// Trusts the certificates of this PEM file as well, for this client alone.
    ///
    /// # Errors
    ///
    /// `Config` if it holds none, or one that cannot be read.
    pub fn ca_pem(mut self, pem: &[u8]) -> Result<Self> {
        self.roots.append(&mut tls::certificates(pem)?);
        Ok(self)
    }

    /// Whether plain http is allowed to other machines; to this one it always is.
    pub fn allow_plain_http(mut self, allow: bool) -> Self {
        self.plain_http = allow;
        self
    }

    /// Uses no proxy, whatever the environment says.
    pub fn no_proxy(mut self) -> Self {
        self.proxy = false;
        self
    }

    /// Begins with the user's own builder, for `https`: its proxies, resolver, name, roots and
    /// identity stay. The rules of this crate are put on top: no redirect, no `Referer`, no
    /// decompression, no HTTP/2, no retry, no key log, no verbose log, no unchecked certificate,
    /// and the limits.
    ///
    /// Plain http does not go through it but through a client of gatepass's own, since a
    /// builder's proxies can only be all removed or all kept. What the builder may have that
    /// cannot be taken away again is the user's to leave out: a cookie store, default headers
    /// with a secret, a preconfigured TLS that checks nothing.
    pub fn base(mut self, base: ClientBuilder) -> Self {
        self.base = Some(base);
        self
    }

    /// Builds the client.
    ///
    /// # Errors
    ///
    /// `Config` if a [`base`](Self::base) does not build.
    pub fn build(self) -> Result<HttpClient> {
        let https = OnceLock::new();
        if let Some(base) = self.base {
            tls::install_crypto();
            let base = if self.proxy { base } else { base.no_proxy() };
            let base = if self.roots.is_empty() {
                base
            } else {
                base.tls_certs_merge(tls::for_reqwest(&self.roots)?)
            };
            let base = ruled(base, &self.limits)
                .https_only(true)
                .tls_danger_accept_invalid_certs(false)
                .tls_danger_accept_invalid_hostnames(false);
            let _ = https.set(base.build().map_err(error::from_build)?);
        }
        Ok(HttpClient(Arc::new(Inner {
            limits: self.limits,
            plain_http: self.plain_http,
            proxy: self.proxy,
            roots: self.roots,
            https,
            http: OnceLock::new(),
        })))
    }
}

impl fmt::Debug for HttpClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClientBuilder").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// The rules that every client here obeys. Some switches have no counterpart in this build, and
/// are there all the same: another crate's features may bring the other half.
fn ruled(builder: ClientBuilder, limits: &Limits) -> ClientBuilder {
    tls::install_crypto();
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

/// Scheme, host and port, as it may be printed.
fn origin(uri: &Uri) -> Result<String> {
    match (uri.scheme_str(), uri.authority()) {
        // reqwest would send a user name and password along as Basic.
        (_, Some(authority)) if authority.as_str().contains('@') => {
            Err(Error::config("the address must not hold a user name or password"))
        }
        (Some(scheme), Some(authority)) => {
            Ok(format!("{scheme}://{}", authority.as_str().to_ascii_lowercase()))
        }
        _ => Err(Error::config("the address is not a URL like https://host/path")),
    }
}

/// The request as reqwest has it, if the address it would really go to may be asked.
fn checked(mut request: http::Request<Bytes>, plain_http: bool) -> Result<reqwest::Request> {
    *request.version_mut() = Version::HTTP_11;
    request.extensions_mut().clear();
    let request = reqwest::Request::try_from(request)
        .map_err(|_| Error::config("the address is not a URL like https://host/path"))?;
    let host = request.url().host_str().unwrap_or_default();
    match request.url().scheme() {
        "https" => Ok(request),
        "http" if plain_http || is_loopback(host) => Ok(request),
        "http" => Err(Error::config("the address is plain http and not on this machine")
            .hint("use https, or set allow_plain_http = true in the profile")),
        _ => Err(Error::config("the address must begin with https://")),
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

const USER_AGENT: &str = concat!("gatepass/", env!("CARGO_PKG_VERSION"));

/// Shorter than what servers and balancers wait before they close an unused connection.
const POOL_IDLE: Duration = Duration::from_secs(30);
