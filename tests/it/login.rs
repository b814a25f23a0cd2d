//! Tests of `gatepass login` with a real browser and a terminal.

mod attacks;
mod browser;
mod client;
mod endings;
mod faults;
mod opener;
mod paste;
mod support;

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;

use gatepass_testkit::{Canary, find_leak};
use gatepass_tests::{Chrome, Gatepass, Home, Run, Running, Vendors};

/// The simulated vendors and a home with login profiles for two of them.
struct Stage {
    vendors: Vendors,
    home: Home,
}

impl Stage {
    fn new() -> Self {
        let vendors = Vendors::start();
        let home = Home::with_config(&profiles(&vendors, ""));
        Self { vendors, home }
    }

    /// Starts a login to Cisco without opening a browser.
    fn login(&self, more: &[&str]) -> Login<'_> {
        Login::start(self.home.gatepass(["login", "cisco", "--no-browser"]).args(more.to_vec()))
    }

    /// Runs `token` for Cisco.
    fn token(&self) -> Run {
        self.home.gatepass(["token", "cisco"]).run()
    }

    /// Fails if a file of the home contains one of these values.
    #[track_caller]
    fn assert_files_clean(&self, canaries: &[Canary]) {
        for folder in ["state", "tmp", "work"] {
            assert_eq!(leaks_in(&self.home.path(folder), canaries), [""; 0]);
        }
    }
}

/// Returns login profiles for Cisco and Huawei, with `more` lines in Cisco's.
fn profiles(vendors: &Vendors, more: &str) -> String {
    let client_id = |vendor| {
        let client = vendors.sandbox.client(vendor).unwrap();
        client.fields().find(|(name, _)| *name == "client_id").unwrap().1.to_owned()
    };
    let environment = match more.contains("environment") {
        true => "",
        false => "environment = \"cloudsso\"\n",
    };
    let redirect_uri = match more.contains("redirect_uri") {
        true => "",
        false => "redirect_uri = \"http://127.0.0.1:0/My_ITK_Application/index.html\"\n",
    };
    format!(
        "[profiles.cisco]\n{environment}base_url = \"{}\"\nclient_id = \"{}\"\ngrant = \"implicit\"\n\
         {redirect_uri}{more}\n\n\
         [profiles.huawei]\nbase_url = \"{}\"\nclient_id = \"{}\"\ngrant = \"implicit\"\n\
         redirect_uri = \"http://127.0.0.1:0/callback\"\n",
        vendors.sandbox.base_url("cisco"),
        client_id("cisco"),
        vendors.sandbox.base_url("huawei"),
        client_id("huawei"),
    )
}

/// A command that waits for a login.
struct Login<'stage> {
    running: Running<'stage>,
    /// The authorization URL.
    url: String,
}

impl<'stage> Login<'stage> {
    fn start(command: Gatepass<'stage>) -> Self {
        let mut running = command.spawn();
        let url = running.wait_for_stderr("response_type=").trim().to_owned();
        Self { running, url }
    }

    /// Returns the redirect URI.
    fn callback_url(&self) -> String {
        parameter(&self.url, "redirect_uri")
    }

    fn port(&self) -> u16 {
        port_of(&self.callback_url())
    }

    /// Returns the `state` of the login.
    fn state(&self) -> Canary {
        Canary::new("state", &parameter(&self.url, "state"))
    }

    fn finish(self) -> Run {
        let port = self.port();
        let run = self.running.finish();
        assert!(is_closed(port), "port {port} is still open: {run:#?}");
        run
    }
}

/// Returns a query parameter of an address.
#[track_caller]
fn parameter(url: &str, expected: &str) -> String {
    let (_, query) = url.split_once(['?', '#']).unwrap();
    let mut pairs = query.split(['&', '#']).filter_map(|pair| pair.split_once('='));
    let pair = pairs.find(|(name, _)| *name == expected);
    assert!(pair.is_some(), "no {expected} in {url}");
    let (_, value) = pair.unwrap();
    percent_encoding::percent_decode_str(value).decode_utf8().unwrap().into_owned()
}

/// Returns the port of an address.
fn port_of(url: &str) -> u16 {
    url.split('/').nth(2).unwrap().rsplit(':').next().unwrap().parse().unwrap()
}

fn is_closed(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err()
}

/// Logs in at the vendor's pages and gives consent where it is requested.
fn allow(chrome: &Chrome, url: &str) {
    log_in(chrome, url);
    chrome.click("#allow");
}

fn log_in(chrome: &Chrome, url: &str) {
    chrome.open(url);
    chrome.type_into("#username", "sandbox");
    chrome.type_into("#password", "sandbox");
    chrome.click("#login");
}

/// Waits until the callback page shows the result in `data-state`.
#[track_caller]
fn wait_for_state(chrome: &Chrome, state: &str) {
    chrome.wait_until(state, |chrome| {
        let output = chrome.run("return document.querySelector('main')?.dataset.state ?? ''");
        output.as_str() == Some(state)
    });
}

/// Returns the files below a folder that contain one of these values, also in UTF-16.
fn leaks_in(folder: &Path, canaries: &[Canary]) -> Vec<String> {
    let mut leaks = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            leaks.extend(leaks_in(&path, canaries));
        } else if let Ok(mut bytes) = fs::read(&path) {
            bytes.retain(|byte| *byte != 0);
            if let Some(leak) = find_leak(&String::from_utf8_lossy(&bytes), canaries) {
                leaks.push(format!("{}: {leak}", path.display()));
            }
        }
    }
    leaks
}
