//! Sandbox: a running set of vendors, and the builder that starts it.

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
    server::{self, Opening},
    state::{LogEntry, Memory, Snapshot},
    vendor,
};

/// The five vendors on loopback, until dropped or shut down.
pub struct Sandbox {
    memory: Arc<Memory>,
    url: String,
    port: u16,
    ca_pem: Option<String>,
    stop: watch::Sender<bool>,
    server: Option<JoinHandle<()>>,
}

/// How a [`Sandbox`] starts.
#[derive(Debug)]
#[must_use = "a builder does nothing until it is started"]
pub struct SandboxBuilder {
    listen: SocketAddr,
    lifetime: Option<Duration>,
    clients: Vec<NewClient>,
    faults: Vec<Fault>,
    #[cfg(feature = "tls")]
    tls: bool,
}

impl Sandbox {
    /// Starts on a free port of 127.0.0.1, with a made-up client for every vendor.
    ///
    /// [`Listen`](ErrorKind::Listen) if there is no port to be had.
    pub async fn start() -> Result<Self> {
        Self::builder().start().await
    }

    /// Starts with choices.
    pub fn builder() -> SandboxBuilder {
        SandboxBuilder {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            lifetime: None,
            clients: Vec::new(),
            faults: Vec::new(),
            #[cfg(feature = "tls")]
            tls: false,
        }
    }

    /// Where it listens: `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What a profile of this provider has as its `base_url`.
    pub fn base_url(&self, provider: &str) -> String {
        format!("{}/{provider}", self.url)
    }

    /// The clients it started with, one for every provider, or more if the builder was told so.
    pub fn clients(&self) -> Vec<Client> {
        self.memory.lock().first_clients().to_vec()
    }

    /// The first client of a provider.
    pub fn client(&self, provider: &str) -> Option<Client> {
        self.clients().into_iter().find(|client| client.provider() == provider)
    }

    /// A config with a profile for every provider, and `cloudneeti-account` beside `cloudneeti`.
    ///
    /// The secrets in it are made up, but literal: write it readable by its owner alone. With TLS
    /// its profiles name `ca.pem` as their `ca_file`; write [`Sandbox::ca_pem`] there, beside it.
    pub fn config_toml(&self) -> String {
        let mut text = "# Made-up clients of a gatepass sandbox; they end with it.\n".to_owned();
        for vendor in vendor::ALL {
            let Some(client) = self.client(vendor.id) else { continue };
            for (profile, left_out) in vendor.profiles {
                let base_url = self.base_url(vendor.id);
                let mut lines = vec![("provider", vendor.id), ("base_url", &base_url)];
                lines.extend(self.ca_pem.iter().map(|_| ("ca_file", "ca.pem")));
                lines.extend(client.fields().filter(|(name, _)| !left_out.contains(name)));
                text.push_str(&format!("\n[profiles.{profile}]\n"));
                for (name, value) in lines {
                    text.push_str(&format!("{name} = {}\n", quoted(value)));
                }
            }
        }
        text
    }

    /// The CA of this run, in PEM, if it speaks TLS.
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// The counters, now.
    pub fn state(&self) -> Snapshot {
        self.memory.lock().snapshot()
    }

    /// The last 1,000 requests to the vendors, oldest first, without any value.
    pub fn requests(&self) -> Vec<LogEntry> {
        self.memory.lock().log()
    }

    /// Lets a fault happen to the requests that come.
    ///
    /// [`Usage`](ErrorKind::Usage) for an unknown fault, provider or parameter.
    pub fn inject(&self, fault: Fault) -> Result<()> {
        fault.check()?;
        self.memory.lock().faults.add(fault);
        Ok(())
    }

    /// Forgets every fault that is waiting.
    pub fn clear_faults(&self) {
        self.memory.lock().faults.clear();
    }

    /// Puts the sandbox's clock forward: tokens end, and rate limits pass.
    pub fn advance(&self, by: Duration) {
        self.memory.lock().clock.advance(by);
    }

    /// Revokes every live token of a provider and says how many there were.
    ///
    /// [`Usage`](ErrorKind::Usage) for an unknown provider.
    pub fn revoke_all(&self, provider: &str) -> Result<usize> {
        self.memory.lock().revoke_all(provider)
    }

    /// Adds a client. One with the same id replaces the old one, which is how a secret rotates.
    ///
    /// [`Usage`](ErrorKind::Usage) for an unknown provider or field.
    pub fn add_client(&self, client: NewClient) -> Result<Client> {
        let client = client.build()?;
        self.memory.lock().add_client(client.clone());
        Ok(client)
    }

    /// Back to how it started: no tokens, counters or added clients, and the clock as it was.
    pub fn reset(&self) {
        self.memory.lock().reset();
    }

    /// Stops: no new connections, a moment for the running answers, then the end of the rest.
    pub async fn shutdown(mut self) {
        // Nobody may be left to hear it.
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
    /// Listens here instead; anything but loopback is refused at the start.
    pub fn listen(mut self, address: impl Into<SocketAddr>) -> Self {
        self.listen = address.into();
        self
    }

    /// How long every token lives, instead of what each vendor is used to.
    pub fn ttl(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// Starts with this client; it takes the place of its provider's made-up one.
    pub fn client(mut self, client: NewClient) -> Self {
        self.clients.push(client);
        self
    }

    /// Starts with this fault waiting.
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Speaks https, with a certificate made for this run.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: bool) -> Self {
        self.tls = tls;
        self
    }

    /// Starts serving, on the Tokio runtime this is called from.
    ///
    /// [`Listen`](ErrorKind::Listen) where it cannot listen, or the address is not loopback;
    /// [`Usage`](ErrorKind::Usage) for a fault or client that is none.
    pub async fn start(self) -> Result<Sandbox> {
        if !self.listen.ip().is_loopback() {
            return Err(Error::new(
                ErrorKind::Listen,
                format!("{} is not loopback, and the sandbox serves no other", self.listen.ip()),
            ));
        }
        let mut clients = Vec::new();
        for client in self.clients {
            clients.push(client.build()?);
        }
        for vendor in vendor::ALL {
            if !clients.iter().any(|client: &Client| client.provider() == vendor.id) {
                clients.push(Client::made_up(vendor));
            }
        }
        let memory = Arc::new(Memory::new(self.lifetime, clients, self.faults)?);

        #[cfg(feature = "tls")]
        let (opening, ca_pem) = match self.tls {
            true => crate::tls::make().map(|(tls, pem)| (Opening::Tls(tls), Some(pem)))?,
            false => (Opening::Plain, None),
        };
        #[cfg(not(feature = "tls"))]
        let (opening, ca_pem) = (Opening::Plain, None);

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
        let server = tokio::spawn(server::run(listener, opening, router, stopped));
        let url = format!("{scheme}://{address}");
        Ok(Sandbox { memory, url, port, ca_pem, stop, server: Some(server) })
    }
}

/// A basic string of TOML.
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
