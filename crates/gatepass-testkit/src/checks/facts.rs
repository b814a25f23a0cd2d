//! Checks of a provider's facts, and of the providers that are built from them.

use std::collections::BTreeSet;
use std::path::Path;

use gatepass_core::{ErrorKind, Field, FieldKind, ProviderInfo, Result, Settings};

use super::{assert_no_leak, format_error};
use crate::profile::{SampleProfile, base_url, in_each_environment, required, settings, variants};
use crate::{Canary, canary};

/// Checks that the facts are complete and consistent.
///
/// They have an id, a title, a documentation page and one line of help per field. Names are unique.
/// The provider returns the same id.
pub fn info_is_complete(info: &ProviderInfo, _: &Path) {
    let id = &info.id;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    assert!(
        id.starts_with(|c: char| c.is_ascii_lowercase()) && id.chars().all(plain),
        "`{id}` is not like [a-z][a-z0-9-]*"
    );
    assert!(!info.title.is_empty() && !info.vendor.is_empty(), "{id}: no title or vendor");
    assert!(info.docs.starts_with("https://"), "{id}: `docs` is not an https address");
    let mut seen = BTreeSet::new();
    for field in &*info.fields {
        let (name, help) = (&*field.name, &*field.help);
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        assert!(!name.is_empty() && name.chars().all(plain), "{id}: `{name}` is not snake_case");
        assert!(seen.insert(name), "{id}: the field `{name}` is listed twice");
        assert!(
            !help.trim().is_empty() && !help.contains('\n'),
            "{id}: the help of `{name}` is not one line"
        );
        if let FieldKind::Choice(choices) = &field.kind {
            let different: BTreeSet<_> = choices.iter().collect();
            assert!(
                choices.first().is_some() && different.len() == choices.iter().count(),
                "{id}: the choices of `{name}` are not different"
            );
            assert!(
                field.default.as_ref().is_none_or(|default| choices.contains(default)),
                "{id}: the default of `{name}` is not one of its choices"
            );
        }
        let other = field.unless.as_deref().unwrap_or("base_url");
        assert!(
            other == "base_url" || info.field(other).is_some(),
            "{id}: `{name}` is required unless `{other}` is set, which is not a field"
        );
        if let Some((other, value)) = &field.only_with {
            let choices = info.field(other).map(|other| &other.kind);
            assert!(
                matches!(choices, Some(FieldKind::Choice(choices)) if choices.contains(value)),
                "{id}: `{name}` requires {other} = {value}, which is not a choice"
            );
        }
    }
    let mut seen = BTreeSet::new();
    for environment in &*info.environments {
        assert!(
            seen.insert(&*environment.name),
            "{id}: the environment `{}` is listed twice",
            environment.name
        );
        assert!(
            !environment.label.is_empty(),
            "{id}: the environment `{}` has no label",
            environment.name
        );
        let base_url = environment.base_url().unwrap_or("https://");
        assert!(
            base_url.starts_with("https://"),
            "{id}: the base URL of an environment is not https"
        );
    }
    let provider = SampleProfile::new(info).provider(info);
    assert_eq!(
        provider.id(),
        &**id,
        "`Provider::id` differs from the id of the facts: override it"
    );
}

/// Checks that profiles with made-up values build, for each choice and environment.
pub fn sample_profile_builds_a_provider(info: &ProviderInfo, _: &Path) {
    for variant in variants(info) {
        for base_url in [None, Some(&base_url())] {
            if let Err(error) = variant.provider(info, base_url) {
                panic!("{}: {} does not build: {error:?}", info.id, variant.name);
            }
        }
    }
}

/// Checks that an unknown setting is `Config` and that the error names it.
pub fn error_names_an_unknown_setting(info: &ProviderInfo, _: &Path) {
    let value = canary("setting");
    let settings = SampleProfile::new(info).settings.with("no_such_setting", value.text());
    assert_error_names_field(info, info.provider(&settings), "no_such_setting", &[value]);
}

/// Checks that a missing required setting is `Config` and that the error names it. For an
/// environment it also names each one.
pub fn error_names_a_missing_setting(info: &ProviderInfo, _: &Path) {
    let names = || required(info).filter(|field| !field.is_secret());
    for omitted in names() {
        let others = names().filter(|field| field.name != omitted.name);
        let settings = in_each_environment(info, settings(others)).swap_remove(0);
        assert_error_names_field(info, info.provider(&settings), &omitted.name, &[]);
    }
    if info.is_environment_required {
        for settings in [Settings::new(), Settings::new().with_base_url(base_url())] {
            let outcome = info.provider(&settings);
            let hints = outcome.as_ref().map_or_else(format_error, |_| String::new());
            for environment in &*info.environments {
                assert!(
                    hints.contains(&*environment.name) && hints.contains(&*environment.label),
                    "{}: the error about a missing environment does not explain `{}`",
                    info.id,
                    environment.name
                );
            }
            assert_error_names_field(info, outcome, "environment", &[]);
        }
    }
}

/// Checks that a credential without a required field is `Config` and that the error names it.
pub fn error_names_a_missing_secret(info: &ProviderInfo, _: &Path) {
    let profile = SampleProfile::new(info);
    let provider = profile.provider(info);
    for field in required(info) {
        let credential = profile.credential_without(info, &field.name);
        let request = provider.token_request(&credential);
        // A field that is not secret may be a setting that the token request does not need.
        if request.is_err() || (field.is_secret() && field.unless.is_none()) {
            assert_error_names_field(info, request, &field.name, &profile.canaries);
        }
    }
}

/// Checks that an invalid choice is `Config`, and that the error names the field without the value.
pub fn error_about_a_wrong_choice_omits_its_value(info: &ProviderInfo, _: &Path) {
    let is_choice = |field: &&Field| matches!(field.kind, FieldKind::Choice(_));
    let choices = info.fields.iter().filter(is_choice).map(|field| &*field.name);
    for name in choices.chain(["environment"]) {
        let value = canary("choice");
        let settings = SampleProfile::new(info).settings.with(name, value.text());
        assert_error_names_field(info, info.provider(&settings), name, &[value]);
    }
}

/// Panics unless `outcome` is a `Config` error that names the field and shows no secret.
fn assert_error_names_field<T>(
    info: &ProviderInfo,
    outcome: Result<T>,
    name: &str,
    secrets: &[Canary],
) {
    let Err(error) = outcome else { panic!("{}: `{name}` causes no error", info.id) };
    assert_eq!(error.kind(), ErrorKind::Config, "{}: `{name}`: {error:?}", info.id);
    assert_eq!(
        error.field(),
        Some(name),
        "{}: the error does not name `{name}`: {error:?}",
        info.id
    );
    assert_no_leak(info, &format!("the error about `{name}`"), &format_error(&error), secrets);
}
