//! Gate: the token sources of one config, by profile name.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gatepass_core::{HttpSend, Result};
use gatepass_engine::{TokenSource, TokenStore};
use gatepass_http::HttpClient;

use crate::{Config, Profile, Registry};

/// All profiles of one config, each a [`TokenSource`] once it is asked for.
///
/// ```no_run
/// # async fn run() -> gatepass::Result<()> {
/// let gate = gatepass::Gate::load("/etc/acme/gatepass.toml")?;
/// let cisco = gate.source("cisco")?;
/// let token = cisco.token().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Gate {
    config: Config,
    registry: Registry,
    sources: Mutex<HashMap<String, TokenSource>>,
    /// What profiles without a CA of their own share, connections included.
    http: Arc<HttpClient>,
    store: Option<Arc<dyn TokenStore>>,
}

impl Gate {
    /// The profiles of one file, with the providers linked into this program.
    ///
    /// Errors as of [`Config::load`] and [`Registry::linked`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Self::new(Config::load(path)?, Registry::linked()?)
    }

    /// The profiles of the user's own config file, or of the environment.
    ///
    /// Errors as of [`Config::find`] and [`Registry::linked`]; no file is none.
    pub fn find() -> Result<Self> {
        Self::new(Config::find()?, Registry::linked()?)
    }

    /// These profiles with these providers. Nothing is read or sent yet.
    ///
    /// Errors as of [`HttpClient::new`]: none today.
    pub fn new(config: Config, registry: Registry) -> Result<Self> {
        let http = Arc::new(HttpClient::new()?);
        Ok(Self { config, registry, sources: Mutex::default(), http, store: None })
    }

    /// Keeps tokens in a store, where other processes find them: all but those that a vendor or a
    /// profile (`persist = false`) wants in memory only.
    pub fn with_store(mut self, store: impl TokenStore + 'static) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// The profiles' names.
    pub fn names(&self) -> Vec<String> {
        self.config.names(&self.registry)
    }

    /// The config.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The providers.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// A profile's source: the same one each time, so that all its users share one token.
    ///
    /// `Config` for an unknown profile or one with a mistake in it. No request is made yet; what
    /// its texts (no secrets) refer to is read now, the first time, and a command may take a while.
    pub fn source(&self, profile: &str) -> Result<TokenSource> {
        if let Some(source) = self.sources().get(profile) {
            return Ok(source.clone());
        }
        // Not under the lock: what a text refers to may be a command's to say, or a disk's.
        let source = self.open(&self.profile(profile, &[])?)?;
        Ok(self.sources().entry(profile.to_owned()).or_insert(source).clone())
    }

    fn sources(&self) -> MutexGuard<'_, HashMap<String, TokenSource>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A profile, with single keys replaced.
    ///
    /// Errors as of [`Config::profile`].
    pub fn profile(&self, name: &str, set: &[(String, String)]) -> Result<Profile> {
        self.config.profile(name, &self.registry, set)
    }

    /// The HTTP client for a profile: its own if it has a CA, a time limit or plain http of its
    /// own, and else the shared one.
    ///
    /// `Config` if the CA is not PEM.
    pub fn http(&self, profile: &Profile) -> Result<Arc<HttpClient>> {
        let options = &profile.options;
        if options.ca_pem.is_none() && options.timeout.is_none() && !options.allow_plain_http {
            return Ok(self.http.clone());
        }
        let mut http = HttpClient::builder().allow_plain_http(options.allow_plain_http);
        if let Some(timeout) = options.timeout {
            http = http.timeout(timeout);
            if timeout > ANSWER {
                http = http.response_timeout(timeout).idle_timeout(timeout);
            }
        }
        if let Some(pem) = &options.ca_pem {
            http = http.ca_pem(pem)?;
        }
        Ok(Arc::new(http.build()?))
    }

    /// A source of its own for a profile.
    ///
    /// `Config` for a mistake in the profile. Nothing is read or sent yet.
    pub fn open(&self, profile: &Profile) -> Result<TokenSource> {
        let named = |error: gatepass_core::Error| {
            error.with_provider(profile.info.id).with_profile(&profile.name)
        };
        let http: Arc<dyn HttpSend> = self.http(profile).map_err(named)?;
        let mut builder = TokenSource::builder(profile.provider()?, profile.clone())
            .name(&profile.name)
            .http(http)
            .api_origins(profile.api_origins())
            .timeout(limit(profile))
            .token_rules(profile.options.token_rules.clone())
            .keep_warm(profile.options.keep_warm)
            .persist(profile.options.persist);
        if let Some(store) = &self.store {
            builder = builder.store(store.clone());
        }
        if let Some(leeway) = profile.options.leeway {
            builder = builder.leeway(leeway);
        }
        builder.build()
    }
}

/// How long an exchange may take. The client ends each request before, however long a person takes
/// to unlock a secret: its error knows the address, and is noted.
fn limit(profile: &Profile) -> Duration {
    let request = profile.options.timeout.unwrap_or(TIMEOUT);
    request.saturating_add(MARGIN).saturating_add(profile.read_timeout())
}

/// How long a request may take where the profile says nothing.
const TIMEOUT: Duration = Duration::from_secs(15);

/// How long the HTTP client waits for the head of an answer where the profile says nothing.
const ANSWER: Duration = Duration::from_secs(10);

/// By how much the client's time is up before the source's.
const MARGIN: Duration = Duration::from_millis(250);

#[cfg(all(test, feature = "cisco"))]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    #[tokio::test]
    async fn the_client_gives_a_request_up_before_the_source_does() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        // Ends when the client goes.
        thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            let _ = client.read(&mut [0; 4096]);
            let _ = client.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n");
            while client.write_all(b" ").is_ok() {
                thread::sleep(Duration::from_millis(50));
            }
        });
        let config = Config::from_toml(&format!(
            "[profiles.slow]\nprovider = \"cisco\"\nclient_id = \"app-1\"\n\
             client_secret = \"made-up\"\ntimeout = \"1s\"\nbase_url = \"{address}\"\n"
        ));
        let gate = Gate::new(config.unwrap(), Registry::linked().unwrap()).unwrap();
        let error = gate.source("slow").unwrap().token().await.unwrap_err();
        assert_eq!(error.message(), format!("no complete answer in 1 s from {address}"));
    }

    #[test]
    fn a_profile_that_takes_long_to_read_holds_up_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let (begun, over) = (folder.path().join("begun"), folder.path().join("over"));
        let wait = format!(
            "echo > {}; until [ -e {} ]; do sleep 0.01; done; echo app-1",
            begun.display(),
            over.display()
        );
        let config = Config::from_toml(&format!(
            "[profiles.slow]\nprovider = \"cisco\"\nclient_secret = \"made-up\"\n\
             client_id = {{ command = [\"sh\", \"-c\", \"{wait}\"] }}\n\
             [profiles.quick]\nprovider = \"cisco\"\nclient_secret = \"made-up\"\n\
             client_id = \"app-2\"\n"
        ));
        let gate = Gate::new(config.unwrap(), Registry::linked().unwrap()).unwrap();
        let (done, opened) = mpsc::channel();
        thread::scope(|scope| {
            let slow = scope.spawn(|| gate.source("slow"));
            while !begun.exists() {
                thread::yield_now();
            }
            scope.spawn(|| done.send(gate.source("quick")));
            let quick = opened.recv_timeout(Duration::from_secs(10));
            std::fs::write(&over, "").unwrap();
            slow.join().unwrap().unwrap();
            quick.expect("it waits for the other one").unwrap();
        });
    }
}
