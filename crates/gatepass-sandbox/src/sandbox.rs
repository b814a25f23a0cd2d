//! A running sandbox and its builder.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::{
    client::{Client, NewClient},
    error::{Error, ErrorKind, Result},
    faults::Fault,
    router::{self, App},
    server::{self, ConnectionKind},
    state::{LogEntry, Memory, Snapshot},
    vendor::SandboxVendor,
    vendors::Vendors,
};

/// The simulated vendors on loopback. They run until the value is dropped or shut down.
pub struct Sandbox {
    memory: Arc<Memory>,
    url: String,
    port: u16,
    ca_pem: Option<String>,
    stop: watch::Sender<bool>,
    server: Option<JoinHandle<()>>,
}

/// Builder of a [`Sandbox`].
#[derive(Debug)]
#[must_use = "a builder does nothing until it is started"]
pub struct SandboxBuilder {
    listen: SocketAddr,
    lifetime: Option<Duration>,
    clients: Vec<NewClient>,
    faults: Vec<Fault>,
    vendors: Vec<Arc<dyn SandboxVendor>>,
    #[cfg(feature = "tls")]
    tls: bool,
}

impl Sandbox {
    /// Starts on a free port of 127.0.0.1, with a generated client for every vendor.
    ///
    /// # Errors
    ///
    /// [`Listen`](ErrorKind::Listen) if no port is free.
    pub async fn start() -> Result<Self> {
        Self::builder().start().await
    }

    /// Returns a builder with a vendor of another crate, in addition to the five of this one.
    pub fn with(vendor: impl SandboxVendor + 'static) -> SandboxBuilder {
        Self::builder().with(vendor)
    }

    /// Returns a builder.
    pub fn builder() -> SandboxBuilder {
        SandboxBuilder {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            lifetime: None,
            clients: Vec::new(),
            faults: Vec::new(),
            vendors: Vec::new(),
            #[cfg(feature = "tls")]
            tls: false,
        }
    }

    /// Returns the address, `http://127.0.0.1:PORT`, without a trailing slash.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the `base_url` for a profile of this provider.
    pub fn base_url(&self, provider: &str) -> String {
        format!("{}/{provider}", self.url)
    }

    /// Returns the initial clients: one for every provider, plus those of the builder.
    pub fn clients(&self) -> Vec<Client> {
        self.memory.lock().first_clients().to_vec()
    }

    /// Returns the first client of a provider.
    pub fn client(&self, provider: &str) -> Option<Client> {
        self.clients().into_iter().find(|client| client.provider() == provider)
    }

    /// Returns a config with a profile for every provider, and `cloudneeti-account` for an account.
    ///
    /// The secrets are generated, but literal: make the file readable by its owner only. With TLS the
    /// profiles name `ca.pem` as `ca_file`; write [`Sandbox::ca_pem`] to that file in the same folder.
    pub fn config_toml(&self) -> String {
        let mut text =
            "# Generated clients of a gatepass sandbox, valid while it runs.\n".to_owned();
        let vendors = self.memory.lock().known.clone();
        for vendor in vendors.iter() {
            let Some(client) = self.client(&vendor.id) else { continue };
            for profile in &vendor.profiles {
                let base_url = self.base_url(&vendor.id);
                let mut lines = vec![("provider", vendor.id.as_str()), ("base_url", &base_url)];
                lines.extend(profile.settings.iter().map(|(key, value)| (&**key, &**value)));
                lines.extend(self.ca_pem.iter().map(|_| ("ca_file", "ca.pem")));
                let is_left_out = |field: &str| profile.left_out.iter().any(|name| name == field);
                lines.extend(client.fields().filter(|(name, _)| !is_left_out(name)));
                text.push_str(&format!("\n[profiles.{}]\n", profile.name));
                for (name, value) in lines {
                    text.push_str(&format!("{name} = {}\n", quoted(value)));
                }
            }
        }
        text
    }

    /// Returns the CA certificate of this run in PEM, if TLS is on.
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// Returns the current counters.
    pub fn state(&self) -> Snapshot {
        self.memory.lock().snapshot()
    }

    /// Returns the last 1,000 requests to the vendors, oldest first, without any values.
    pub fn requests(&self) -> Vec<LogEntry> {
        self.memory.lock().log()
    }

    /// Arms a fault for the next requests.
    ///
    /// # Errors
    ///
    /// [`Usage`](ErrorKind::Usage) for an unknown fault, provider or parameter.
    pub fn inject(&self, fault: Fault) -> Result<()> {
        let mut state = self.memory.lock();
        fault.check(&state.known)?;
        state.faults.add(fault);
        Ok(())
    }

    /// Removes all armed faults.
    pub fn clear_faults(&self) {
        self.memory.lock().faults.clear();
    }

    /// Advances the sandbox's clock: tokens expire and rate limits pass.
    pub fn advance(&self, by: Duration) {
        self.memory.lock().clock.advance(by);
    }

    /// Revokes all valid tokens of a provider and returns their number.
    ///
    /// # Errors
    ///
    /// [`Usage`](ErrorKind::Usage) for an unknown provider.
    pub fn revoke_all(&self, provider: &str) -> Result<usize> {
        self.memory.lock().revoke_all(provider)
    }

    /// Adds a client. A client with the same id is replaced, which rotates its secret.
    ///
    /// # Errors
    ///
    /// [`Usage`](ErrorKind::Usage) for an unknown provider or field.
    pub fn add_client(&self, client: NewClient) -> Result<Client> {
        let mut state = self.memory.lock();
        let client = client.build(&state.known)?;
        state.add_client(client.clone());
        Ok(client)
    }

    /// Restores the initial state: no tokens, counters or added clients, and the clock not advanced.
    pub fn reset(&self) {
        self.memory.lock().reset();
    }

    /// Stops the sandbox: closes the listener, gives running responses a moment, then ends the rest.
    pub async fn shutdown(mut self) {
        // The receiver may have ended already.
        let _ = self.stop.send(true);
        if let Some(server) = self.server.take() {
            let _ = server.await;
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.abort();
        }
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("url", &self.url).finish_non_exhaustive()
    }
}

impl SandboxBuilder {
    /// Sets the address. Only loopback addresses are accepted at the start.
    pub fn listen(mut self, address: impl Into<SocketAddr>) -> Self {
        self.listen = address.into();
        self
    }

    /// Sets the lifetime of all tokens, in place of each vendor's own.
    pub fn ttl(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// Adds a vendor of another crate; its paths start with `/<id>`.
    pub fn with(mut self, vendor: impl SandboxVendor + 'static) -> Self {
        self.vendors.push(Arc::new(vendor));
        self
    }

    /// Adds a client, in place of its provider's generated one.
    pub fn client(mut self, client: NewClient) -> Self {
        self.clients.push(client);
        self
    }

    /// Arms a fault from the start.
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Serves https with a certificate generated for this run.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: bool) -> Self {
        self.tls = tls;
        self
    }

    /// Starts the sandbox on the current Tokio runtime.
    ///
    /// # Errors
    ///
    /// [`Listen`](ErrorKind::Listen) if the address is in use or is not loopback,
    /// [`Usage`](ErrorKind::Usage) for an unknown fault or client, and for a vendor whose id is in use.
    pub async fn start(self) -> Result<Sandbox> {
        if !self.listen.ip().is_loopback() {
            return Err(Error::new(
                ErrorKind::Listen,
                format!(
                    "{} is not a loopback address; the sandbox listens on loopback only",
                    self.listen.ip()
                ),
            ));
        }
        let vendors = Vendors::built_in().with(self.vendors)?;
        let mut clients = Vec::new();
        for client in self.clients {
            clients.push(client.build(&vendors)?);
        }
        for vendor in vendors.iter() {
            if !clients.iter().any(|client: &Client| client.provider() == vendor.id) {
                clients.push(Client::generated(vendor));
            }
        }
        let memory = Arc::new(Memory::new(vendors, self.lifetime, clients, self.faults)?);

        #[cfg(feature = "tls")]
        let (kind, ca_pem) = match self.tls {
            true => crate::tls::make().map(|(tls, pem)| (ConnectionKind::Tls(tls), Some(pem)))?,
            false => (ConnectionKind::Plain, None),
        };
        #[cfg(not(feature = "tls"))]
        let (kind, ca_pem) = (ConnectionKind::Plain, None);

        let failed = |error: std::io::Error| {
            let text = format!("cannot listen on {}: {}", self.listen, error.kind());
            Error::new(ErrorKind::Listen, text)
        };
        let listener = TcpListener::bind(self.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let scheme = if ca_pem.is_some() { "https" } else { "http" };
        let port = address.port();
        let router = router::router(App { memory: Arc::clone(&memory), port });
        let (stop, stopped) = watch::channel(false);
        let server = tokio::spawn(server::run(listener, kind, router, stopped));
        let url = format!("{scheme}://{address}");
        Ok(Sandbox { memory, url, port, ca_pem, stop, server: Some(server) })
    }
}

/// Returns a TOML basic string.
fn quoted(text: &str) -> String {
    let escaped: String = text
        .chars()
        .map(|c| match c {
            '"' => "\\\"".to_owned(),
            '\\' => "\\\\".to_owned(),
            c if c.is_control() => format!("\\u{:04X}", u32::from(c)),
            c => c.to_string(),
        })
        .collect();
    format!("\"{escaped}\"")
}
