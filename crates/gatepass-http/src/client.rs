//! The HTTP client for token requests: reqwest with the rules that a request with a secret needs.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use gatepass_core::__private::digest;
use gatepass_core::{Endpoint, Error, HttpSend, Request, Response, Result, Secret, async_trait};
use http::{Uri, Version};
use reqwest::{ClientBuilder, Url};
use rustls::pki_types::CertificateDer;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::body::{Body, BodyLog};
use crate::clients::{Clients, Purpose};
use crate::environment::of_process;
use crate::limits::{self, Limits};
use crate::proxy::{self, HTTPS_PORT, ProxyRoute, ProxyRules};
use crate::{error, roots, tls};

/// A client that sends requests to vendors. Clones are cheap and share connections.
///
/// The connections of token requests are closed 1 s after the last token request, because the buffers
/// of an idle connection still contain the credential. Those of API requests are kept for 30 s.
/// A client with a [custom builder](HttpClientBuilder::from_builder) has one pool for both, whose
/// connections are closed after 1 s at the latest.
///
/// Connections belong to the runtime on which they were opened. On another runtime the client opens
/// new ones.
#[derive(Clone)]
pub struct HttpClient(Arc<Inner>);

struct Inner {
    plain_http: bool,
    clients: Clients,
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
        purpose: Purpose,
    ) -> Result<http::Response<Body>> {
        let origin = origin(request.uri())?;
        let mut log = BodyLog::new(request.method().clone(), origin);
        let request = check_request(request, self.0.plain_http)?;
        let (limits, is_https) = (self.0.clients.limits, request.url().scheme() == "https");
        let proxy = self.check_proxy(request.url())?;
        // Lets the runtime process connections that servers have closed. On a single-threaded runtime
        // that has been idle since the last request, hyper would write to a closed connection and
        // could not tell whether the request was read. After the yield it opens a new one.
        tokio::task::yield_now().await;
        let handle = self.0.clients.handle(is_https, purpose)?;
        let mut response = timeout(limits.response, handle.client().execute(request))
            .await
            .map_err(|_| {
                error::through_proxy(error::no_response(&log.origin, limits.response), proxy)
            })?
            .map_err(|cause| error::from_reqwest(cause, &log.origin, &limits, proxy))?;
        log.status = Some(response.status());
        limits::check_head(response.headers(), &log.origin)
            .map_err(|error| error.with_status(response.status().as_u16()))?;

        let (status, version) = (response.status(), response.version());
        let headers = std::mem::take(response.headers_mut());
        let mut streamed = http::Response::new(Body::new(response, limit, limits, log, handle)?);
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
        match (&self.0.clients.proxies, uri.scheme_str(), uri.host()) {
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
        let mut text = match &self.0.clients.proxies {
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

    /// Returns the variable that names the proxy for this address, if there is one.
    ///
    /// `Config` if a request must not be sent because a proxy's variable is not understood.
    fn check_proxy(&self, url: &Url) -> Result<Option<&'static str>> {
        match &self.0.clients.proxies {
            Some(proxies) if url.scheme() == "https" && !self.0.clients.is_custom() => {
                let port = url.port_or_known_default().unwrap_or(HTTPS_PORT);
                Ok(match proxies.route(url.host_str().unwrap_or_default(), port)? {
                    ProxyRoute::Proxy { variable, .. } => Some(variable),
                    ProxyRoute::Direct | ProxyRoute::Exempt { .. } => None,
                })
            }
            _ => Ok(None),
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
        Box::pin(self.client.send_limited(self.request, self.max_body, Purpose::Api))
    }
}

impl fmt::Debug for ApiSend<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiSend").field("max_body", &self.max_body).finish_non_exhaustive()
    }
}

#[async_trait]
impl HttpSend for HttpClient {
    fn route(&self, _: &Endpoint) -> [u8; 32] {
        let settings = self.network_settings();
        // A file of roots may be replaced under the same path.
        let stamps: Vec<[u8; 24]> =
            self.root_variables().iter().map(|(_, path)| stamp(path)).collect();
        let parts = [settings.expose_secret().as_bytes(), &[u8::from(self.0.plain_http)]];
        let roots = self.0.clients.roots().iter().map(AsRef::as_ref);
        let parts = parts.into_iter().chain(stamps.iter().map(<[u8; 24]>::as_slice)).chain(roots);
        *digest("gatepass http: route, version 1", parts)
    }

    async fn send(&self, request: Request) -> Result<Response> {
        let limits = self.0.clients.limits;
        let origin = request.endpoint().origin().to_owned();
        let exchange = async {
            let response =
                self.send_limited(request.try_into()?, Some(limits.body), Purpose::Token).await?;
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
        f.debug_struct("HttpClient").field("limits", &self.0.clients.limits).finish_non_exhaustive()
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
    /// resolver, user agent, roots and client identity are kept. The rules of this crate are applied
    /// on top: no redirects, no `Referer`, no decompression, no HTTP/2, no retries, no key log, no
    /// verbose log, certificate checks, and the limits.
    ///
    /// Begin with [`api_client_builder`](crate::api_client_builder), which has this crate's TLS, unless
    /// the builder needs roots or a client identity of its own. Then TLS is reqwest's, so reqwest needs
    /// a TLS feature or a crypto provider that the program has installed, and the certificates of
    /// [`ca_pem`](Self::ca_pem) are added to its roots.
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
        let proxies = self.proxy.then(|| ProxyRules::read(of_process));
        let clients = Clients::new(self.limits, proxies, self.roots, self.base)?;
        Ok(HttpClient(Arc::new(Inner { plain_http: self.plain_http, clients })))
    }
}

impl fmt::Debug for HttpClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClientBuilder").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// Returns the length and the time of change of a file, to notice that it was replaced.
fn stamp(path: &Path) -> [u8; 24] {
    let mut stamp = [0; 24];
    let Ok(meta) = std::fs::metadata(path) else { return stamp };
    let changed = meta.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let changed = changed.unwrap_or_default().as_nanos();
    let (length, time) = stamp.split_at_mut(8);
    length.copy_from_slice(&meta.len().to_le_bytes());
    time.copy_from_slice(&changed.to_le_bytes());
    stamp
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
