//! The text of a config file, and each of its profiles.

use gatepass::config::{Config, Env};
use gatepass::provider::Registry;

use super::canary::{self, CANARY};

/// Reads the text, and its profiles if they contain literal values only.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if canary::shows(text) {
        return;
    }
    let text = planted(text);
    let config = match Config::from_toml(&text) {
        Ok(config) => config.with_env(Env::fixed([("SET", CANARY), ("EMPTY", "")])),
        Err(error) => return canary::check(&error),
    };
    assert!(!canary::shows(&format!("{config:?}")), "a config shows a secret");
    let registry = Registry::linked().expect("provider ids are unique");
    let names = config.names(&registry);
    assert!(names.len() <= text.len());
    if refers(&text) {
        return;
    }
    for name in names {
        profile(&config, &registry, &name);
    }
}

pub(crate) fn profile(config: &Config, registry: &Registry, name: &str) {
    let profile = match config.profile(name, registry, &[]) {
        Ok(profile) => profile,
        Err(error) => return canary::check(&error),
    };
    assert_eq!(profile.name, name);
    assert!(!canary::shows(&format!("{profile:?}")), "a profile shows a secret");
    let provider = profile.provider().expect("a profile that was read has a provider");
    let addresses = ["/users?a=1", "https://vendor.example.com/x", "http://127.0.0.1:1/x", ".."];
    for address in addresses {
        if let Err(error) = profile.api_endpoint(provider.as_ref(), address) {
            canary::check(&error);
        }
    }
    assert!(profile.api_origins().len() <= 2 + profile.options.api_origins.len());
}

/// Inserts the secret in lines that assign the placeholder to a key.
fn planted(text: &str) -> String {
    let lines = text.split('\n').map(|line| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_-. ".contains(c);
        match line.split_once('=') {
            Some((key, value)) if key.chars().all(plain) && value.starts_with(" \"{SECRET}") => {
                format!("{key}={}", value.replacen("{SECRET}", CANARY, 1))
            }
            _ => line.to_owned(),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns whether a profile may refer to a file or command, which the fuzzer must not read or run. An
/// escape could hide the key, so a backslash counts too.
fn refers(text: &str) -> bool {
    ["command", "file", "keyring", "stdin", "systemd", "\\"].iter().any(|word| text.contains(word))
}
