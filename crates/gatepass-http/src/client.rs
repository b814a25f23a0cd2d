//! The HTTP client for token requests: reqwest with the rules that a request with a secret needs.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use gatepass_core::{Error, HttpSend, Request, Response, Result, Secret, async_trait};
use http::{Uri, Version};
use reqwest::{ClientBuilder, Url, redirect, retry};
use rustls::pki_types::CertificateDer;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::body::{Body, BodyLog};
use crate::environment::of_process;
use crate::limits::{self, Limits};
use crate::proxy::{self, HTTPS_PORT, ProxyRoute, ProxyRules};
use crate::{error, roots, tls};

/// A client that sends requests to vendors. Clones are cheap and share connections.
///
/// Connections belong to the runtime on which they were opened. On another runtime the client opens
/// new ones.
#[derive(Clone)]
pub struct HttpClient(Arc<Inner>);

struct Inner {
    limits: Limits,
    plain_http: bool,
    /// The proxies of the environment, unless this client ignores them.
    proxies: Option<Arc<ProxyRules>>,
    /// Whether the proxies are those of a reqwest builder instead.
    has_base: bool,
    roots: Vec<CertificateDer<'static>>,
    https: OnceLock<reqwest::Client>,
    http: OnceLock<reqwest::Client>,
}

impl HttpClient {
    /// Creates a client with the default limits. Root certificates are loaded at the first request.
    ///
    /// # Errors
    ///
    /// None at present; the result allows for checks of later versions.
    pub fn new() -> Result<Self> {
        Self::builder().build()
    }

    /// Returns a builder for a client with other limits, roots or proxies.
    pub fn builder() -> HttpClientBuilder {
        HttpClientBuilder {
            limits: Limits::default(),
            plain_http: false,
            proxy: true,
            roots: Vec::new(),
            base: None,
        }
    }

    /// Creates a client from a reqwest builder: see [`HttpClientBuilder::from_builder`].
    ///
    /// # Errors
    ///
    /// `Config` if the builder does not build.
    pub fn from_builder(base: ClientBuilder) -> Result<Self> {
        Self::builder().from_builder(base).build()
    }

    /// Sends any request and returns the response as soon as its head has arrived.
    ///
    /// Differs from [`HttpSend::send`] in three ways: the request is any `http::Request`, the body
    /// has any size unless [limited](ApiSend::max_body), and only the pauses of the body are timed,
    /// not its total. All other rules of this crate apply.
    ///
    /// ```no_run
    /// # async fn example(http: &gatepass_http::HttpClient) -> gatepass_core::Result<()> {
    /// let request = http::Request::get("https://api.example.com/users").body(bytes::Bytes::new());
    /// let response = http.send_api(request.unwrap()).max_body(1 << 20).await?;
    /// println!("{}", response.status());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// `Config` for an address that is not allowed, `Unavailable` without a response, `Protocol` for
    /// an invalid response or a `Content-Length` over the limit.
    pub fn send_api(&self, request: http::Request<Bytes>) -> ApiSend<'_> {
        ApiSend { client: self, request, max_body: None }
    }

    async fn send_limited(
        &self,
        request: http::Request<Bytes>,
        limit: Option<usize>,
    ) -> Result<http::Response<Body>> {
        let origin = origin(request.uri())?;
        let mut log = BodyLog::new(request.method().clone(), origin);
        let request = check_request(request, self.0.plain_http)?;
        self.check_proxy(request.url())?;
        let limits = self.0.limits;
        // Lets the runtime process connections that servers have closed. On a single-threaded runtime
        // that has been idle since the last request, hyper would write to a closed connection and
        // could not tell whether the request was read. After the yield it opens a new one.
        tokio::task::yield_now().await;
        let mut response = timeout(limits.response, self.client(request.url())?.execute(request))
            .await
            .map_err(|_| error::no_response(&log.origin, limits.response))?
            .map_err(|cause| error::from_reqwest(cause, &log.origin, &limits))?;
        log.status = Some(response.status());
        limits::check_head(response.headers(), &log.origin)
            .map_err(|error| error.with_status(response.status().as_u16()))?;

        let (status, version) = (response.status(), response.version());
        let headers = std::mem::take(response.headers_mut());
        let mut streamed = http::Response::new(Body::new(response, limit, limits, log)?);
        *streamed.status_mut() = status;
        *streamed.version_mut() = version;
        *streamed.headers_mut() = headers;
        Ok(streamed)
    }

    /// Returns whether the proxy of the environment (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`) is used
    /// for a request to this address. Plain http never uses a proxy.
    ///
    /// # Errors
    ///
    /// `Config` if that depends on a variable that is not understood.
    pub fn proxy_route(&self, uri: &Uri) -> Result<ProxyRoute> {
        match (&self.0.proxies, uri.scheme_str(), uri.host()) {
            (Some(proxies), Some("https"), Some(host)) => {
                proxies.route(host, uri.port_u16().unwrap_or(HTTPS_PORT))
            }
            _ => Ok(ProxyRoute::Direct),
        }
    }

    /// Returns the variables of this process that decide how the client's requests reach their
    /// servers and which roots it trusts, as text for a digest. The text contains the proxy's
    /// password.
    pub fn network_settings(&self) -> Secret {
        let mut text = match &self.0.proxies {
            Some(_) => proxy::digest_text(of_process),
            None => Zeroizing::default(),
        };
        for (name, path) in self.root_variables() {
            let path = path.as_os_str().as_encoded_bytes().escape_ascii();
            text.push_str(&format!("{name} {path}\n"));
        }
        Secret::from(text.as_str())
    }

    /// Returns the variables that replace the platform's root certificates, each with the path that
    /// it names.
    pub fn root_variables(&self) -> Vec<(&'static str, PathBuf)> {
        roots::variables(of_process)
    }

    /// `Config` if a request must not be sent because a proxy's variable is not understood.
    fn check_proxy(&self, url: &Url) -> Result<()> {
        match &self.0.proxies {
            Some(proxies) if url.scheme() == "https" && !self.0.has_base => {
                let port = url.port_or_known_default().unwrap_or(HTTPS_PORT);
                proxies.route(url.host_str().unwrap_or_default(), port).map(drop)
            }
            _ => Ok(()),
        }
    }

    fn client(&self, url: &Url) -> Result<&reqwest::Client> {
        let inner = &*self.0;
        let (cell, make): (_, fn(&Inner) -> Result<reqwest::Client>) = match url.scheme() {
            "http" => (&inner.http, Inner::make_http),
            _ => (&inner.https, Inner::make_https),
        };
        match cell.get() {
            Some(client) => Ok(client),
            // A failure is not cached: the file of roots may become readable later.
            None => make(inner).map(|client| cell.get_or_init(|| client)),
        }
    }
}

/// An API request that is sent when it is awaited; made by [`HttpClient::send_api`].
#[must_use = "an API request is sent when it is awaited"]
pub struct ApiSend<'a> {
    client: &'a HttpClient,
    request: http::Request<Bytes>,
    max_body: Option<usize>,
}

impl ApiSend<'_> {
    /// Limits the size of the response's body, in bytes.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = Some(bytes);
        self
    }
}

impl<'a> IntoFuture for ApiSend<'a> {
    type Output = Result<http::Response<Body>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.client.send_limited(self.request, self.max_body))
    }
}

impl fmt::Debug for ApiSend<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiSend").field("max_body", &self.max_body).finish_non_exhaustive()
    }
}

#[async_trait]
impl HttpSend for HttpClient {
    async fn send(&self, request: Request) -> Result<Response> {
        let limits = self.0.limits;
        let origin = request.endpoint().origin().to_owned();
        let exchange = async {
            let response = self.send_limited(request.try_into()?, Some(limits.body)).await?;
            let (head, body) = response.into_parts();
            Ok(Response::from(http::Response::from_parts(head, body.bytes().await?)))
        };
        match timeout(limits.total, exchange).await {
            Ok(result) => result,
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
            // Always replaces reqwest's own reader of the environment.
            let builder = builder.no_proxy();
            let builder = match self.proxies.as_ref().and_then(ProxyRules::to_reqwest) {
                Some(proxy) => builder.proxy(proxy),
                None => builder,
            };
            with_rules(builder, &self.limits).https_only(true)
        };
        if !self.roots.is_empty() {
            let tls = tls::config(&self.roots)?;
            return base().tls_backend_preconfigured(tls).build().map_err(error::from_build);
        }
        roots::check(of_process)?;
        let built = base().build();
        #[cfg(feature = "webpki-roots")]
        let built = built.or_else(|_| base().tls_certs_only(tls::bundled_roots()).build());
        built.map_err(error::from_build)
    }

    /// Builds the client for plain http: without roots, because it does not use TLS, and without a
    /// proxy, which would see the secret.
    fn make_http(&self) -> Result<reqwest::Client> {
        let builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .pool_idle_timeout(POOL_IDLE)
            .tls_backend_rustls()
            .tls_certs_only(std::iter::empty())
            .no_proxy();
        with_rules(builder, &self.limits).build().map_err(error::from_build)
    }
}

/// A builder of [`HttpClient`].
#[must_use = "a builder does nothing until it is built"]
pub struct HttpClientBuilder {
    limits: Limits,
    plain_http: bool,
    proxy: bool,
    roots: Vec<CertificateDer<'static>>,
    base: Option<ClientBuilder>,
}

impl HttpClientBuilder {
    /// Sets the total time limit of a token request; the default is 15 s. The body of
    /// [`send_api`](HttpClient::send_api) does not count.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.limits.total = limit;
        self
    }

    /// Sets the time limit of DNS, connection and TLS handshake; the default is 5 s.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.limits.connect = limit;
        self
    }

    /// Sets the time limit until the response head, counted from the start; the default is 10 s.
    pub fn response_timeout(mut self, limit: Duration) -> Self {
        self.limits.response = limit;
        self
    }

    /// Sets the longest pause within a body; the default is 5 s.
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.limits.idle = limit;
        self
    }

    /// Trusts the certificates of this PEM file in addition, for this client only.
    ///
    /// # Errors
    ///
    /// `Config` if the file contains no certificate, or an unreadable one.
    pub fn ca_pem(mut self, pem: &[u8]) -> Result<Self> {
        self.roots.append(&mut tls::certificates(pem)?);
        Ok(self)
    }

    /// Allows plain http to other machines; to this machine it is always allowed.
    pub fn allow_plain_http(mut self, allow: bool) -> Self {
        self.plain_http = allow;
        self
    }

    /// Ignores the proxies of the environment.
    pub fn no_proxy(mut self) -> Self {
        self.proxy = false;
        self
    }

    /// Uses this reqwest builder for `https`. Its proxies (or reqwest's reading of the environment),
    /// resolver, user agent, roots and client
    /// identity are kept. The rules of this crate are applied on top: no redirects, no `Referer`, no
    /// decompression, no HTTP/2, no retries, no key log, no verbose log, certificate checks, and the
    /// limits.
    ///
    /// Plain http uses a separate client, because a builder's proxies can only be removed or kept
    /// together. Some settings of the builder cannot be undone; leave them out: a cookie store,
    /// default headers with a secret, a preconfigured TLS without certificate checks.
    pub fn from_builder(mut self, base: ClientBuilder) -> Self {
        self.base = Some(base);
        self
    }

    /// Builds the client.
    ///
    /// # Errors
    ///
    /// `Config` if the reqwest builder does not build.
    pub fn build(self) -> Result<HttpClient> {
        let https = OnceLock::new();
        let has_base = self.base.is_some();
        if let Some(base) = self.base {
            tls::install_crypto();
            let base = if self.proxy { base } else { base.no_proxy() };
            let base = if self.roots.is_empty() {
                base
            } else {
                base.tls_certs_merge(tls::reqwest_certificates(&self.roots)?)
            };
            let base = with_rules(base, &self.limits)
                .https_only(true)
                .tls_danger_accept_invalid_certs(false)
                .tls_danger_accept_invalid_hostnames(false);
            let _ = https.set(base.build().map_err(error::from_build)?);
        }
        let proxies = self.proxy.then(|| Arc::new(ProxyRules::read(of_process)));
        Ok(HttpClient(Arc::new(Inner {
            limits: self.limits,
            plain_http: self.plain_http,
            proxies,
            has_base,
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

/// Applies the rules of this crate. Some switches have no effect in this build; they are set because
/// another crate may enable the corresponding feature of reqwest.
fn with_rules(builder: ClientBuilder, limits: &Limits) -> ClientBuilder {
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

/// Returns scheme, host and port in printable form.
fn origin(uri: &Uri) -> Result<String> {
    match (uri.scheme_str(), uri.authority()) {
        // reqwest would send user name and password as Basic authentication.
        (_, Some(authority)) if authority.as_str().contains('@') => {
            Err(Error::config("the address must not contain a user name or password"))
        }
        (Some(scheme), Some(authority)) => {
            Ok(format!("{scheme}://{}", authority.as_str().to_ascii_lowercase()))
        }
        _ => Err(Error::config("the address is not a URL like https://host/path")),
    }
}

/// Converts the request for reqwest and checks the address to which reqwest would send it.
fn check_request(mut request: http::Request<Bytes>, plain_http: bool) -> Result<reqwest::Request> {
    *request.version_mut() = Version::HTTP_11;
    request.extensions_mut().clear();
    let request = reqwest::Request::try_from(request)
        .map_err(|_| Error::config("the address is not a URL like https://host/path"))?;
    let host = request.url().host_str().unwrap_or_default();
    match request.url().scheme() {
        "https" => Ok(request),
        "http" if plain_http || is_loopback(host) => Ok(request),
        "http" => Err(Error::config("plain http is allowed to this machine only")
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

/// The idle time after which pooled connections are closed: shorter than that of usual servers and
/// load balancers.
const POOL_IDLE: Duration = Duration::from_secs(30);
