//! Arguments of the command line: `--set`, durations and fault names.

use gatepass::config::{Config, Env, Profile};
use gatepass::provider::{FieldKind, Registry, Settings};
use gatepass_cli::fuzzing::{duration, key_value};
use gatepass_core::ProviderInfo;
use gatepass_sandbox::Fault;

use super::canary;

/// The first line is a vendor; each other line is a value of `--set`, `--min-ttl` and `--fault`.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut lines = text.split('\n');
    let registry = Registry::linked().expect("provider ids are unique");
    let Ok(info) = registry.get(lines.next().unwrap_or_default()) else { return };
    let mut set = Vec::new();
    for word in lines.take(20) {
        if let Some(life) = duration(word) {
            assert!(!life.is_zero(), "{word} is zero");
        }
        match word.parse::<Fault>() {
            Ok(fault) => assert!(!format!("{fault:?}").contains('\u{1b}')),
            Err(error) => assert!(!error.to_string().contains(['\u{1b}', '\0', '\r']), "{error}"),
        }
        set.extend(key_value(word));
    }
    // The content of a file is not part of the input.
    if set.iter().any(|(key, _)| key == "ca_file") {
        return;
    }
    apply(&registry, &info, &set);
}

/// Checks that `--set` changes neither the secrets nor the address that receives them.
fn apply(registry: &Registry, info: &ProviderInfo, set: &[(String, String)]) {
    let text = made_up(info);
    let config = Config::from_toml(&text).expect("a config").with_env(Env::fixed([("NO", "NO")]));
    let whole = config.profile("p", registry, &[]).expect("the required keys are complete");
    let changed = match config.profile("p", registry, set) {
        Ok(changed) => changed,
        Err(error) => return canary::check(&error),
    };
    for (key, _) in set {
        let field = gatepass::cli_support::COMMON_FIELDS
            .iter()
            .chain(&*info.fields)
            .find(|field| field.name == *key);
        let kind = field.map(|field| &field.kind);
        let is_kept = kind.is_none_or(|kind| {
            matches!(
                kind,
                FieldKind::Secret
                    | FieldKind::Address
                    | FieldKind::Addresses
                    | FieldKind::RedirectUri
            )
        });
        assert!(!is_kept && key != "provider", "{key} was set for one run");
    }
    assert_eq!(
        gatepass::cli_support::secret_sources(&whole),
        gatepass::cli_support::secret_sources(&changed)
    );
    assert_eq!(whole.api_origins(), changed.api_origins());
    if !set.iter().any(|(key, _)| key == "environment") {
        let api = |profile: &Profile| Some(profile.provider().ok()?.api(None)?.origin().to_owned());
        assert_eq!(api(&whole), api(&changed), "the token is sent to another origin");
    }
}

/// A profile with the required keys.
fn made_up(info: &ProviderInfo) -> String {
    let mut text = format!("[profiles.p]\nprovider = \"{}\"\n", info.id);
    if let Some(first) = info.environments.first().filter(|_| info.is_environment_required) {
        text.push_str(&format!("environment = \"{}\"\n", first.name));
    }
    for field in &*info.fields {
        if field.is_secret() || info.requires(field, &Settings::new()) {
            let value = match field.kind {
                FieldKind::Address => "vendor.example.com",
                FieldKind::Secret => "sentSecret4711",
                _ => "someone",
            };
            text.push_str(&format!("{} = \"{value}\"\n", field.name));
        }
    }
    text
}
