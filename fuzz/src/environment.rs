//! The environment, and the profiles that it defines.

use gatepass::{Config, Env, Registry};

use super::canary;
use super::config::profile;

/// A variable on each line, as `env` prints them.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut variables = Vec::new();
    for line in text.split('\n').filter(|line| !line.is_empty()) {
        let Some((name, value)) = line.split_once('=') else { return };
        let Some(value) = canary::planted(value) else { return };
        // Of a file, what is read is not in this text.
        if canary::shows(name) || name.to_uppercase().contains("_FILE") {
            return;
        }
        variables.push((name, value));
    }
    let env = Env::fixed(variables.iter().cloned());
    let config = Config::default().with_env(env);
    assert!(!canary::shows(&format!("{config:?}")), "a config shows a secret");
    let registry = Registry::linked().expect("no two providers of one id");
    let defining = config.variables(&registry);
    assert!(defining.iter().all(|name| variables.iter().any(|(given, _)| given == name)));
    let names = config.names(&registry);
    assert!(names.is_sorted() && names.len() <= variables.len(), "{} profiles", names.len());
    for name in names.iter().map(String::as_str).chain(registry.ids()) {
        profile(&config, &registry, name);
    }
}
