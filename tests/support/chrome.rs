//! A headless Chromium, driven over WebDriver.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use ureq::Agent;
use ureq::http::Response;

use crate::process::lines;

/// A browser with its own profile, which is removed on drop. It resolves only names of this machine
/// and `*.example`.
#[derive(Debug)]
pub struct Chrome {
    folder: TempDir,
    driver: Child,
    client: Agent,
    session: String,
    browser: Option<Pid>,
    /// Kept open, so that the driver can continue to write.
    log: Receiver<String>,
}

/// A tab of a browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tab(String);

/// The preferred colour scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scheme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Chrome {
    /// Starts a browser with an empty page.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a browser with a private window, which must not write to the profile.
    pub fn private() -> Self {
        Self::start_with(&["--incognito"])
    }

    fn start_with(more: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("gatepass-chrome-").tempdir().unwrap();
        let mut command = Command::new("chromedriver");
        command
            .arg("--port=0")
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("HOME", folder.path())
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut driver =
            command.spawn().unwrap_or_else(|error| panic!("{MISSING_BROWSER}: {error}"));
        let log = lines(driver.stdout.take().unwrap());
        let client = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(TIMEOUT * 3))
            .build()
            .into();
        // From here on the driver is killed with its owner.
        let mut chrome =
            Self { folder, driver, client, session: String::new(), browser: None, log };
        chrome.session = format!("http://127.0.0.1:{}/session", chrome.port());
        let response = chrome.post("", &chrome.capabilities(more));
        let response = response.unwrap_or_else(|error| panic!("{MISSING_BROWSER}: {error}"));
        chrome.session += &format!("/{}", response["sessionId"].as_str().unwrap());
        let id = response["capabilities"]["goog:processID"].as_i64().unwrap();
        chrome.browser = Pid::from_raw(i32::try_from(id).unwrap());
        chrome
    }

    /// Returns the port that the driver listens on.
    fn port(&self) -> u16 {
        let deadline = Instant::now() + TIMEOUT;
        while let Ok(line) =
            self.log.recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            // ChromeDriver was started successfully on port 43210.
            if let Some((_, port)) = line.trim_end().split_once("successfully on port ")
                && let Ok(port) = port.trim_end_matches('.').parse()
            {
                return port;
            }
        }
        panic!("chromedriver named no port")
    }

    fn capabilities(&self, more: &[&str]) -> Value {
        let profile = format!("--user-data-dir={}", self.profile().display());
        let args: Vec<&str> = ARGS.iter().chain(more).copied().chain([profile.as_str()]).collect();
        let wait = u64::try_from(TIMEOUT.as_millis()).unwrap();
        json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            // The element may appear a little later.
            "timeouts": { "implicit": wait, "pageLoad": wait, "script": wait },
            "goog:chromeOptions": { "args": args },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        } } })
    }

    /// Returns the folder of the browser's profile.
    pub fn profile(&self) -> PathBuf {
        self.folder.path().join("profile")
    }

    /// Returns the process id.
    pub fn process(&self) -> i32 {
        self.browser.unwrap().as_raw_nonzero().get()
    }

    /// Opens an address and waits until the page has loaded.
    #[track_caller]
    pub fn open(&self, url: &str) {
        self.try_open(url).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Opens an address where the server may have stopped.
    pub fn try_open(&self, url: &str) -> Result<(), String> {
        self.post("/url", &json!({ "url": url })).map(drop)
    }

    /// Returns the current address.
    #[track_caller]
    pub fn url(&self) -> String {
        text(self.expect(self.get("/url")))
    }

    /// Returns the page's title.
    #[track_caller]
    pub fn title(&self) -> String {
        text(self.expect(self.get("/title")))
    }

    /// Returns the page's current HTML.
    #[track_caller]
    pub fn source(&self) -> String {
        text(self.expect(self.get("/source")))
    }

    /// Returns the visible text of the first element that `css` selects; waits for the element.
    #[track_caller]
    pub fn text(&self, css: &str) -> String {
        text(self.expect(self.get(&format!("/element/{}/text", self.find(css)))))
    }

    /// Clicks the first element that `css` selects; waits for the element.
    #[track_caller]
    pub fn click(&self, css: &str) {
        let path = format!("/element/{}/click", self.find(css));
        self.expect(self.post(&path, &json!({})));
    }

    /// Types into the first element that `css` selects; waits for the element.
    #[track_caller]
    pub fn type_into(&self, css: &str, text: &str) {
        let path = format!("/element/{}/value", self.find(css));
        self.expect(self.post(&path, &json!({ "text": text })));
    }

    #[track_caller]
    fn find(&self, css: &str) -> String {
        let query = json!({ "using": "css selector", "value": css });
        let found = self.expect(self.post("/element", &query));
        text(found.as_object().unwrap().values().next().unwrap().clone())
    }

    /// Runs a function body in the page and returns its result; a promise is awaited.
    #[track_caller]
    pub fn run(&self, script: &str) -> Value {
        self.expect(self.post("/execute/sync", &json!({ "script": script, "args": [] })))
    }

    /// Goes back in the history.
    #[track_caller]
    pub fn back(&self) {
        self.expect(self.post("/back", &json!({})));
    }

    /// Reloads the page.
    #[track_caller]
    pub fn reload(&self) {
        self.expect(self.post("/refresh", &json!({})));
    }

    /// Returns the current tab, to which all other methods apply.
    #[track_caller]
    pub fn tab(&self) -> Tab {
        Tab(text(self.expect(self.get("/window"))))
    }

    /// Opens an empty tab; [`Self::switch_to`] selects it.
    #[track_caller]
    pub fn new_tab(&self) -> Tab {
        let opened = self.expect(self.post("/window/new", &json!({ "type": "tab" })));
        Tab(text(opened["handle"].clone()))
    }

    /// Selects a tab.
    #[track_caller]
    pub fn switch_to(&self, tab: &Tab) {
        self.expect(self.post("/window", &json!({ "handle": tab.0 })));
    }

    /// Waits until `condition` holds for the browser.
    #[track_caller]
    pub fn wait_until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + TIMEOUT;
        while !condition(self) {
            assert!(Instant::now() < deadline, "not {what}; at {}:\n{}", self.url(), self.source());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Returns the addresses of this tab's history, oldest first.
    #[track_caller]
    pub fn history(&self) -> Vec<String> {
        let history = self.devtools("Page.getNavigationHistory", &json!({}));
        let entries = history["entries"].as_array().unwrap().iter();
        entries.map(|entry| text(entry["url"].clone())).collect()
    }

    /// Returns the console messages of pages and browser since the last call.
    #[track_caller]
    pub fn console(&self) -> Vec<String> {
        self.entries("browser")
    }

    /// Returns the network and page events of the developer tools since the last call, in JSON.
    #[track_caller]
    pub fn events(&self) -> Vec<String> {
        self.entries("performance")
    }

    #[track_caller]
    fn entries(&self, kind: &str) -> Vec<String> {
        let entries = self.expect(self.post("/se/log", &json!({ "type": kind })));
        entries.as_array().unwrap().iter().map(|entry| text(entry["message"].clone())).collect()
    }

    /// Takes a screenshot with this colour scheme.
    #[track_caller]
    pub fn screenshot(&self, path: &Path, scheme: Scheme) {
        let value = if scheme == Scheme::Dark { "dark" } else { "light" };
        let feature = json!({ "name": "prefers-color-scheme", "value": value });
        self.devtools("Emulation.setEmulatedMedia", &json!({ "features": [feature] }));
        let picture = text(self.expect(self.get("/screenshot")));
        fs::write(path, STANDARD.decode(picture).unwrap()).unwrap();
    }

    /// Sends a command of the developer tools protocol.
    #[track_caller]
    pub fn devtools(&self, command: &str, params: &Value) -> Value {
        let body = json!({ "cmd": command, "params": params });
        self.expect(self.post("/goog/cdp/execute", &body))
    }

    /// Closes the browser. The profile folder remains until the value is dropped.
    pub fn quit(&mut self) {
        if let Some(browser) = self.browser.take() {
            let quit = self.client.delete(&self.session).call();
            // After a quit command the process has ended; otherwise it is killed here.
            if quit.is_err() {
                let _ = kill_process(browser, Signal::KILL);
            }
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }

    #[track_caller]
    fn expect(&self, outcome: Result<Value, String>) -> Value {
        outcome.unwrap_or_else(|error| panic!("{error}"))
    }

    fn get(&self, path: &str) -> Result<Value, String> {
        outcome(self.client.get(format!("{}{path}", self.session)).call())
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value, String> {
        let request = self.client.post(format!("{}{path}", self.session));
        let request = request.header("content-type", "application/json");
        outcome(request.send(body.to_string()))
    }
}

impl Drop for Chrome {
    fn drop(&mut self) {
        self.quit();
    }
}

/// Returns the response's value, or the first line of the driver's error.
fn outcome(response: Result<Response<ureq::Body>, ureq::Error>) -> Result<Value, String> {
    let mut response =
        response.map_err(|error| format!("no response from chromedriver: {error}"))?;
    let body = response.body_mut().with_config().limit(64 << 20).read_to_vec().unwrap();
    let mut body: Value = serde_json::from_slice(&body).unwrap();
    let value = body["value"].take();
    if response.status() == 200 {
        return Ok(value);
    }
    let message = value["message"].as_str().unwrap_or_default();
    Err(format!("{}: {}", value["error"], message.lines().next().unwrap_or_default()))
}

#[track_caller]
fn text(value: Value) -> String {
    let Value::String(text) = value else { panic!("not a string: {value}") };
    text
}

/// The time limit of each browser operation.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The message of a missing browser.
const MISSING_BROWSER: &str = "these tests need a browser and its driver, which are Debian's packages \
                        chromium and chromium-driver";

const ARGS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP *.example 127.0.0.1, MAP * ^NOTFOUND, EXCLUDE localhost, \
     EXCLUDE 127.0.0.1, EXCLUDE [::1]",
    "--window-size=900,700",
];
