//! Environment variables and the profiles that they define.

use gatepass::config::{Config, Env};
use gatepass::provider::Registry;

use super::canary;
use super::config::profile;

/// The input has a variable on each line, in the format of `env`.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut variables = Vec::new();
    for line in text.split('\n').filter(|line| !line.is_empty()) {
        let Some((name, value)) = line.split_once('=') else { return };
        let Some(value) = canary::planted(value) else { return };
        // The content of a file is not part of the input.
        if canary::shows(name) || name.to_uppercase().contains("_FILE") {
            return;
        }
        variables.push((name, value));
    }
    let env = Env::fixed(variables.iter().cloned());
    let config = Config::default().with_env(env);
    assert!(!canary::shows(&format!("{config:?}")), "a config shows a secret");
    let registry = Registry::linked().expect("provider ids are unique");
    let defining = config.variables(&registry);
    assert!(defining.iter().all(|name| variables.iter().any(|(given, _)| given == name)));
    let names = config.names(&registry);
    assert!(names.is_sorted() && names.len() <= variables.len(), "{} profiles", names.len());
    for name in names.iter().map(String::as_str).chain(registry.ids()) {
        profile(&config, &registry, name);
    }
}
