//! The gate: the token sources of one config, by profile name.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gatepass_core::{Error, HttpSend, Result};
use gatepass_engine::{TokenSource, TokenStore};
use gatepass_http::HttpClient;

use crate::config::{Config, Profile};
use crate::provider::Registry;

/// All profiles of one config, each with one shared [`TokenSource`].
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
    /// The client, with its connections, of all profiles without HTTP settings of their own.
    http: Arc<HttpClient>,
    store: Option<Arc<dyn TokenStore>>,
}

impl Gate {
    /// Loads the profiles of one file, for the providers that are linked into this program.
    ///
    /// Errors as of [`Config::load`] and [`Registry::linked`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Self::new(Config::load(path)?, Registry::linked()?)
    }

    /// Loads the profiles of the user's own config file, or of the environment.
    ///
    /// Errors as of [`Config::find`] and [`Registry::linked`]. A missing file is not an error.
    pub fn find() -> Result<Self> {
        Self::new(Config::find()?, Registry::linked()?)
    }

    /// Makes a gate from a config and a registry. No secret is read and no request is sent.
    ///
    /// Errors as of [`HttpClient::new`].
    pub fn new(config: Config, registry: Registry) -> Result<Self> {
        let http = Arc::new(HttpClient::new()?);
        Ok(Self { config, registry, sources: Mutex::default(), http, store: None })
    }

    /// Adds a store, where other processes find the tokens. Tokens that the provider or the profile
    /// (`persist = false`) restricts to memory are not stored.
    pub fn with_store(mut self, store: impl TokenStore + 'static) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// Returns the names of the profiles.
    pub fn names(&self) -> Vec<String> {
        self.config.names(&self.registry)
    }

    /// Returns the config.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Returns the providers.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Returns the source of a profile. All callers get the same source, so that they share one
    /// token.
    ///
    /// `Config` for an unknown profile, or a mistake in the profile. No token request is sent. The
    /// first call resolves the references of fields that are not secret, so it may run a command.
    pub fn source(&self, profile: &str) -> Result<TokenSource> {
        if let Some(source) = self.sources().get(profile) {
            return Ok(source.clone());
        }
        // Resolve references before taking the lock: they may run a command or read a file.
        let source = self.profile(profile).open()?;
        Ok(self.sources().entry(profile.to_owned()).or_insert(source).clone())
    }

    fn sources(&self) -> MutexGuard<'_, HashMap<String, TokenSource>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Selects a profile, to replace single keys of it or to read it.
    ///
    /// ```no_run
    /// # fn run() -> gatepass::Result<()> {
    /// let gate = gatepass::Gate::find()?;
    /// let patient = gate.profile("cisco").set("timeout", "60s").open()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn profile<'a>(&'a self, name: &'a str) -> ProfileSelection<'a> {
        ProfileSelection { gate: self, name, set: Vec::new() }
    }

    /// Returns the HTTP client for a profile: its own if it has a CA, a time limit or plain http,
    /// else the shared one. `Config` if the CA is not PEM.
    pub(crate) fn http(&self, profile: &Profile) -> Result<Arc<HttpClient>> {
        let options = &profile.options;
        if options.ca_pem.is_none() && options.timeout.is_none() && !options.allow_plain_http {
            return Ok(self.http.clone());
        }
        let mut http = HttpClient::builder().allow_plain_http(options.allow_plain_http);
        if let Some(timeout) = options.timeout {
            http = http.timeout(timeout);
            if timeout > RESPONSE_TIMEOUT {
                http = http.response_timeout(timeout).idle_timeout(timeout);
            }
        }
        if let Some(pem) = &options.ca_pem {
            http = http.ca_pem(pem)?;
        }
        Ok(Arc::new(http.build()?))
    }

    /// Makes a new source for a profile.
    ///
    /// `Config` for a mistake in the profile. No secret is read and no request is sent.
    pub fn open(&self, profile: &Profile) -> Result<TokenSource> {
        let named =
            |error: Error| error.with_provider(&profile.info().id).with_profile(&profile.name);
        let http: Arc<dyn HttpSend> = self.http(profile).map_err(named)?;
        let mut builder = TokenSource::builder(profile.provider()?, profile.clone())
            .name(&profile.name)
            .http(http)
            .api_origins(profile.api_origins())
            .timeout(source_timeout(profile))
            .token_rules(profile.options.token_rules.clone())
            .settings_digest(profile.digest())
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

/// A profile of a [`Gate`], with single keys replaced.
pub struct ProfileSelection<'a> {
    gate: &'a Gate,
    name: &'a str,
    set: Vec<(String, String)>,
}

impl ProfileSelection<'_> {
    /// Replaces one key. [`read`](Self::read) fails for a secret or an address.
    pub fn set(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.set.push((key.into(), value.into()));
        self
    }

    /// Reads and checks the profile.
    ///
    /// Errors as of [`Config::profile`].
    pub fn read(self) -> Result<Profile> {
        self.gate.config.profile(self.name, &self.gate.registry, &self.set)
    }

    /// Makes a new source for the profile. [`Gate::source`] returns the shared one instead, without
    /// replaced keys.
    ///
    /// Errors as of [`Config::profile`] and [`Gate::open`].
    pub fn open(self) -> Result<TokenSource> {
        let gate = self.gate;
        gate.open(&self.read()?)
    }
}

/// Shows the keys that are replaced and not their values: a caller may pass a secret by mistake.
impl fmt::Debug for ProfileSelection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&str> = self.set.iter().map(|(key, _)| key.as_str()).collect();
        f.debug_struct("ProfileSelection").field("name", &self.name).field("set", &keys).finish()
    }
}

/// Returns the source's time limit for an exchange. It exceeds the client's, and the user's time to
/// unlock a secret is added to it: the client's error names the address, so it must come first.
fn source_timeout(profile: &Profile) -> Duration {
    let request = profile.options.timeout.unwrap_or(REQUEST_TIMEOUT);
    request.saturating_add(TIMEOUT_MARGIN).saturating_add(profile.read_timeout())
}

/// The default time limit of a token request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// The HTTP client's default time limit for the head of a response.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// How much longer the source waits than the HTTP client.
const TIMEOUT_MARGIN: Duration = Duration::from_millis(250);

#[cfg(all(test, feature = "cisco"))]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    #[tokio::test]
    async fn client_times_out_before_source() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        // Ends when the client disconnects.
        thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            let _ = client.read(&mut [0; 4096]);
            let _ = client.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n");
            while client.write_all(b" ").is_ok() {
                thread::sleep(Duration::from_millis(50));
            }
        });
        let config = Config::from_toml(&format!(
            "[profiles.slow]\nprovider = \"cisco\"\nenvironment = \"id\"\nclient_id = \"app-1\"\n\
             client_secret = \"made-up\"\ntimeout = \"1s\"\nbase_url = \"{address}\"\n"
        ));
        let gate = Gate::new(config.unwrap(), Registry::linked().unwrap()).unwrap();
        let error = gate.source("slow").unwrap().token().await.unwrap_err();
        assert_eq!(error.message(), format!("no complete response in 1 s from {address}"));
    }

    #[test]
    fn slow_profile_does_not_delay_others() {
        let folder = tempfile::tempdir().unwrap();
        let (started, finished) = (folder.path().join("started"), folder.path().join("finished"));
        let wait = format!(
            "echo > {}; until [ -e {} ]; do sleep 0.01; done; echo app-1",
            started.display(),
            finished.display()
        );
        let config = Config::from_toml(&format!(
            "[profiles.slow]\nprovider = \"cisco\"\nenvironment = \"id\"\nclient_secret = \"made-up\"\n\
             client_id = {{ command = [\"sh\", \"-c\", \"{wait}\"] }}\n\
             [profiles.quick]\nprovider = \"cisco\"\nenvironment = \"id\"\nclient_secret = \"made-up\"\n\
             client_id = \"app-2\"\n"
        ));
        let gate = Gate::new(config.unwrap(), Registry::linked().unwrap()).unwrap();
        let (done, opened) = mpsc::channel();
        thread::scope(|scope| {
            let slow = scope.spawn(|| gate.source("slow"));
            while !started.exists() {
                thread::yield_now();
            }
            scope.spawn(|| done.send(gate.source("quick")));
            let quick = opened.recv_timeout(Duration::from_secs(10));
            std::fs::write(&finished, "").unwrap();
            slow.join().unwrap().unwrap();
            quick.expect("it waits for the slow profile").unwrap();
        });
    }
}
