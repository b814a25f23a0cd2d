//! Tests of `gatepass init` and `gatepass profile`: prompts and written files.

mod bound;
mod keyring;
mod leftovers;
mod remove;
mod script;
mod terminal;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use gatepass_testkit::{Canary, find_leak};
use gatepass_tests::{Home, Reply, Server, vendor};

const CONFIG: &str = "config/gatepass/config.toml";

/// A Cisco server that returns a token for every request.
fn cisco() -> Server {
    Server::responding([Reply::json(200, vendor("cisco").token_response("token-1"))])
}

fn mode(path: impl AsRef<Path>) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Returns the sorted names of all files below a folder of the home.
fn files(home: &Home, folder: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(home.path(folder)) else { return Vec::new() };
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Fails if a file of the home other than these contains the secret.
#[track_caller]
fn assert_only_in(home: &Home, secret: &Canary, allowed: &[&str]) {
    for folder in ["config/gatepass", "state", "tmp", "work"] {
        for name in files(home, folder) {
            let text = fs::read(home.path(folder).join(&name)).unwrap_or_default();
            let leak = find_leak(&String::from_utf8_lossy(&text), std::slice::from_ref(secret));
            assert_eq!(leak.is_some(), allowed.contains(&name.as_str()), "{folder}/{name}");
        }
    }
}
