//! A cargo-http-registry on a free port with its own folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// A registry that runs until the tests end; its name in cargo is `local`.
#[derive(Debug)]
pub(crate) struct Registry {
    process: Child,
    folder: PathBuf,
    url: String,
}

impl Registry {
    /// Starts an empty registry.
    pub(crate) fn start(folder: &Path) -> Self {
        // cargo's copies of the previous registry are not needed again.
        if let Some(url) = api(folder) {
            forget(&url);
        }
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder).unwrap();
        let program = std::env::var_os("CARGO_HTTP_REGISTRY");
        // The registry ends when the pipe closes, which happens at any end of this process.
        let process = Command::new("sh")
            .args(["-c", "trap : INT; \"$0\" \"$1\" & cat; kill $!"])
            .arg(program.unwrap_or_else(|| "cargo-http-registry".into()))
            .arg(folder)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut registry = Self { process, folder: folder.to_owned(), url: String::new() };
        registry.url = registry.address();
        registry
    }

    /// Returns the registry's address, which appears only in the index, after the start.
    fn address(&mut self) -> String {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(url) = api(&self.folder) {
                return url;
            }
            let ended = self.process.try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < until,
                "no registry, which `cargo xtask ci --only release` installs"
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Configures the registry for a cargo command.
    pub(crate) fn configure<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("CARGO_REGISTRIES_LOCAL_INDEX", format!("{}/git", self.url))
            // The registry requires no token, but cargo does.
            .env("CARGO_REGISTRIES_LOCAL_TOKEN", "unused")
            // The index is served by the dumb HTTP protocol, which cargo's built-in git does not support.
            .env("CARGO_NET_GIT_FETCH_WITH_CLI", "true")
    }

    /// Returns the sorted names of the crates published with this version, one per publication.
    pub(crate) fn published(&self, version: &str) -> Vec<String> {
        let mut names = Vec::new();
        let mut folders = vec![self.folder.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                let (path, kind) = (entry.path(), entry.file_type().unwrap());
                if kind.is_file() {
                    // Only index files contain lines of JSON.
                    names.extend(entries(&path, version));
                } else if kind.is_dir() && !path.ends_with(".git") {
                    folders.push(path);
                }
            }
        }
        names.sort();
        names
    }
}

/// Returns the address of the registry in this folder.
fn api(folder: &Path) -> Option<String> {
    let config = fs::read_to_string(folder.join("config.json")).ok()?;
    Some(serde_json::from_str::<Value>(&config).ok()?["api"].as_str()?.to_owned())
}

/// Returns the crates with this version in an index file.
fn entries(path: &Path, version: &str) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .filter(|entry| entry["vers"] == version)
        .map(|entry| entry["name"].as_str().unwrap().to_owned())
        .collect()
}

/// Removes cargo's copies of the registry at `url`.
fn forget(url: &str) {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let Some(home) = home.or_else(|| Some(std::env::home_dir()?.join(".cargo"))) else { return };
    let registry = home.join("registry");
    for index in fs::read_dir(registry.join("index")).into_iter().flatten().flatten() {
        let fetched = fs::read_to_string(index.path().join(".git/FETCH_HEAD"))
            .or_else(|_| fs::read_to_string(index.path().join("FETCH_HEAD")));
        if fetched.is_ok_and(|fetched| fetched.contains(url)) {
            for kind in ["index", "cache", "src"] {
                let _ = fs::remove_dir_all(registry.join(kind).join(index.file_name()));
            }
        }
    }
}
