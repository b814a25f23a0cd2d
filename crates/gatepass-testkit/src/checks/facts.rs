//! Checks of the facts, and of what is made from them.

use std::collections::BTreeSet;
use std::path::Path;

use gatepass_core::{ErrorKind, Field, FieldKind, ProviderInfo, Result, Settings};

use super::{no_leak, printed};
use crate::profile::{SampleProfile, base_url, required, settings, variants, with_environment};
use crate::{Canary, canary};

/// The facts have an id, a title, a page, a line of help for each field, and nothing twice; the
/// provider says the same id.
pub fn info_is_complete(info: &ProviderInfo, _: &Path) {
    let id = &info.id;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    assert!(
        id.starts_with(|c: char| c.is_ascii_lowercase()) && id.chars().all(plain),
        "`{id}` is not like [a-z][a-z0-9-]*"
    );
    assert!(!info.title.is_empty() && !info.vendor.is_empty(), "{id}: no title or vendor");
    assert!(info.docs.starts_with("https://"), "{id}: `docs` is no https address");
    let mut seen = BTreeSet::new();
    for field in &*info.fields {
        let (name, help) = (&*field.name, &*field.help);
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        assert!(!name.is_empty() && name.chars().all(plain), "{id}: `{name}` is not snake_case");
        assert!(seen.insert(name), "{id}: `{name}` is there twice");
        assert!(
            !help.trim().is_empty() && !help.contains('\n'),
            "{id}: `{name}` wants one line of help"
        );
        if let FieldKind::Choice(choices) = &field.kind {
            let different: BTreeSet<_> = choices.iter().collect();
            assert!(
                choices.first().is_some() && different.len() == choices.iter().count(),
                "{id}: `{name}` wants different choices"
            );
            assert!(
                field.default.as_ref().is_none_or(|default| choices.contains(default)),
                "{id}: the default of `{name}` is none of its choices"
            );
        }
        let other = field.unless.as_deref().unwrap_or("base_url");
        assert!(
            other == "base_url" || info.field(other).is_some(),
            "{id}: `{name}` is there unless `{other}` is, which is no field"
        );
        if let Some((other, value)) = &field.only_with {
            let choices = info.field(other).map(|other| &other.kind);
            assert!(
                matches!(choices, Some(FieldKind::Choice(choices)) if choices.contains(value)),
                "{id}: `{name}` goes with {other} = {value}, which is no choice"
            );
        }
    }
    let mut seen = BTreeSet::new();
    for environment in &*info.environments {
        assert!(seen.insert(&*environment.name), "{id}: `{}` is there twice", environment.name);
        assert!(!environment.label.is_empty(), "{id}: `{}` has no label", environment.name);
        let base_url = environment.base_url().unwrap_or("https://");
        assert!(base_url.starts_with("https://"), "{id}: an environment is not https");
    }
    let provider = SampleProfile::of(info).provider(info);
    assert_eq!(
        provider.id(),
        &**id,
        "the provider's own `id` is not that of its facts: override it"
    );
}

/// A profile with made-up values builds, with each choice and environment in turn.
pub fn the_example_profile_builds(info: &ProviderInfo, _: &Path) {
    for (what, settings) in variants(info) {
        for base_url in [None, Some(base_url())] {
            let build = |settings: &Settings| match base_url.clone() {
                None => info.provider(settings),
                Some(base_url) => info.provider(&settings.clone().with_base_url(base_url)),
            };
            let [least, most] = &settings;
            if let Err(error) = build(least).or_else(|_| build(most)) {
                panic!("{}: {what} does not build: {error:?}", info.id);
            }
        }
    }
}

/// A setting that no field names is `Config`, and the error names it.
pub fn an_unknown_setting_is_refused_by_name(info: &ProviderInfo, _: &Path) {
    let value = canary("setting");
    let settings = SampleProfile::of(info).settings.with("no_such_setting", value.text());
    refused_by_name(info, info.provider(&settings), "no_such_setting", &[value]);
}

/// A profile without a required setting is `Config`, and the error names it.
pub fn a_missing_setting_is_refused_by_name(info: &ProviderInfo, _: &Path) {
    let wanted = || required(info).filter(|field| !field.is_secret());
    for left_out in wanted() {
        let others = wanted().filter(|field| field.name != left_out.name);
        let settings = with_environment(info, settings(others));
        refused_by_name(info, info.provider(&settings), &left_out.name, &[]);
    }
}

/// A credential without what it must have is `Config`, and the error names it.
pub fn a_missing_secret_is_refused_by_name(info: &ProviderInfo, _: &Path) {
    let profile = SampleProfile::of(info);
    let provider = profile.provider(info);
    for field in required(info) {
        let credential = profile.credential_without(info, &field.name);
        let request = provider.token_request(&credential);
        // A text may be a setting alone, of which the request needs no credential.
        if request.is_err() || (field.is_secret() && field.unless.is_none()) {
            refused_by_name(info, request, &field.name, &profile.canaries);
        }
    }
}

/// A word that is none of a field's choices is `Config`; the error names the field, not the word.
pub fn a_wrong_choice_is_refused_without_its_value(info: &ProviderInfo, _: &Path) {
    let is_choice = |field: &&Field| matches!(field.kind, FieldKind::Choice(_));
    let choices = info.fields.iter().filter(is_choice).map(|field| &*field.name);
    for name in choices.chain(["environment"]) {
        let value = canary("choice");
        let settings = SampleProfile::of(info).settings.with(name, value.text());
        refused_by_name(info, info.provider(&settings), name, &[value]);
    }
}

fn refused_by_name<T>(info: &ProviderInfo, outcome: Result<T>, name: &str, secrets: &[Canary]) {
    let Err(error) = outcome else { panic!("{}: `{name}` is not refused", info.id) };
    assert_eq!(error.kind(), ErrorKind::Config, "{}: `{name}`: {error:?}", info.id);
    assert_eq!(error.field(), Some(name), "{}: `{name}` is not named: {error:?}", info.id);
    no_leak(info, &format!("the error about `{name}`"), &printed(&error), secrets);
}
