//! Made-up profiles: values for every field of a provider, secrets among them.

use gatepass_core::{Credential, Endpoint, Field, FieldKind, Provider, ProviderInfo, Settings};

use crate::{Canary, canary};

/// A profile with the fields it must have, and secrets that can be recognised.
pub(crate) struct SampleProfile {
    pub(crate) settings: Settings,
    pub(crate) credential: Credential,
    pub(crate) canaries: Vec<Canary>,
}

impl SampleProfile {
    pub(crate) fn of(info: &ProviderInfo) -> Self {
        let canaries: Vec<Canary> = info
            .fields
            .iter()
            .filter(|field| field.is_secret())
            .map(|field| canary(&field.name))
            .collect();
        let settings = with_environment(info, settings(required(info)));
        let credential = credential(info, &canaries, "");
        Self { settings, credential, canaries }
    }

    /// The provider of this profile, at its own address.
    pub(crate) fn provider(&self, info: &ProviderInfo) -> Box<dyn Provider> {
        built(info, &self.settings)
    }

    /// The provider of this profile, at [`base_url`].
    pub(crate) fn provider_at_base_url(&self, info: &ProviderInfo) -> Box<dyn Provider> {
        built(info, &self.settings.clone().with_base_url(base_url()))
    }

    /// Its credential without the field `left_out`.
    pub(crate) fn credential_without(&self, info: &ProviderInfo, left_out: &str) -> Credential {
        credential(info, &self.canaries, left_out)
    }
}

/// Every profile worth building, by what is special in it; of each, one with the required fields
/// alone and one with all, since a choice may need a field that is optional otherwise.
pub(crate) fn variants(info: &ProviderInfo) -> Vec<(String, [Settings; 2])> {
    let all = info.fields.iter().filter(|field| !is_choice(field));
    let both =
        [settings(required(info)), settings(all)].map(|settings| with_environment(info, settings));
    let mut variants = vec![(String::from("the example"), both.clone())];
    let mut add = |name: &str, value: &str| {
        let changed = both.clone().map(|settings| settings.with(name, value));
        variants.push((format!("{name} = {value}"), changed));
    };
    for environment in &*info.environments {
        add("environment", &environment.name);
    }
    for field in &*info.fields {
        if let FieldKind::Choice(choices) = &field.kind {
            choices.iter().for_each(|choice| add(&field.name, choice));
        }
    }
    variants
}

/// An address at which nobody listens, with a path of its own.
pub(crate) fn base_url() -> Endpoint {
    Endpoint::parse("http://127.0.0.1:9/base").expect("a constant address")
}

/// Settings with a made-up value for each of these fields.
pub(crate) fn settings<'a>(fields: impl Iterator<Item = &'a Field>) -> Settings {
    fields.filter(|field| !field.is_secret()).fold(Settings::new(), |settings, field| {
        settings.with(field.name.to_string(), made_up(field))
    })
}

/// Adds the first environment, if a profile must choose one.
pub(crate) fn with_environment(info: &ProviderInfo, settings: Settings) -> Settings {
    match info.environments.first() {
        Some(first) if info.is_environment_required => {
            settings.with("environment", first.name.to_string())
        }
        _ => settings,
    }
}

/// The fields that a profile of nothing but defaults must have.
pub(crate) fn required(info: &ProviderInfo) -> impl Iterator<Item = &Field> {
    let nothing = Settings::new();
    info.fields.iter().filter(move |field| info.requires(field, &nothing))
}

fn credential(info: &ProviderInfo, canaries: &[Canary], left_out: &str) -> Credential {
    let texts = required(info).filter(|field| !field.is_secret());
    let credential = texts
        .filter(|field| field.name != left_out)
        .fold(Credential::new(), |credential, field| {
            credential.with_text(field.name.clone(), made_up(field))
        });
    canaries
        .iter()
        .filter(|canary| canary.name() != left_out)
        .fold(credential, |credential, canary| {
            credential.with_secret(canary.name().to_owned(), canary.text())
        })
}

fn built(info: &ProviderInfo, settings: &Settings) -> Box<dyn Provider> {
    info.provider(settings)
        .unwrap_or_else(|error| panic!("{}: the example does not build: {error:?}", info.id))
}

fn is_choice(field: &Field) -> bool {
    matches!(field.kind, FieldKind::Choice(_))
}

fn made_up(field: &Field) -> String {
    match &field.kind {
        FieldKind::Address => String::from("vendor.example.com"),
        FieldKind::RedirectUri => String::from("http://127.0.0.1:0/callback"),
        FieldKind::Addresses => String::from("https://vendor.example.com"),
        FieldKind::Choice(choices) => choices.first().unwrap_or_default().to_owned(),
        FieldKind::Flag => String::from("true"),
        FieldKind::Duration => String::from("90s"),
        _ => format!("example-{}", field.name),
    }
}
