//! Registry: cargo-http-registry on a free port, in a folder of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// A registry that runs until these tests end; cargo knows it as `local`.
#[derive(Debug)]
pub(crate) struct Registry {
    process: Child,
    folder: PathBuf,
    url: String,
}

impl Registry {
    /// An empty one.
    pub(crate) fn start(folder: &Path) -> Self {
        // What cargo keeps of the one before, nobody will ask for again.
        if let Some(url) = api(folder) {
            forget(&url);
        }
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder).unwrap();
        let program = std::env::var_os("CARGO_HTTP_REGISTRY");
        // It ends with our end of the pipe, which ends with this process however that ends.
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

    /// Where it serves, which it says in the index alone, once it listens.
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

    /// Lets a program of cargo's know it.
    pub(crate) fn known_to<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("CARGO_REGISTRIES_LOCAL_INDEX", format!("{}/git", self.url))
            // It asks for none, but cargo wants one.
            .env("CARGO_REGISTRIES_LOCAL_TOKEN", "nobody")
            // It serves its index as plain files, which cargo's own git does not read.
            .env("CARGO_NET_GIT_FETCH_WITH_CLI", "true")
    }

    /// A name for each time that a crate was published in this version, sorted.
    pub(crate) fn published(&self, version: &str) -> Vec<String> {
        let mut names = Vec::new();
        let mut folders = vec![self.folder.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                let (path, kind) = (entry.path(), entry.file_type().unwrap());
                if kind.is_file() {
                    // Of the files only the index has lines of JSON.
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

/// Where the registry of this folder is, or was.
fn api(folder: &Path) -> Option<String> {
    let config = fs::read_to_string(folder.join("config.json")).ok()?;
    Some(serde_json::from_str::<Value>(&config).ok()?["api"].as_str()?.to_owned())
}

/// The crates that a file of the index names in this version.
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
