//! Sample profiles: made-up values, including secrets, for every field of a provider.

use gatepass_core::{
    Credential, Endpoint, Field, FieldKind, Provider, ProviderInfo, Result, Settings,
};

use crate::{Canary, canary};

/// A profile with made-up values for the required fields and a canary for each secret.
pub(crate) struct SampleProfile {
    pub(crate) settings: Settings,
    pub(crate) credential: Credential,
    pub(crate) canaries: Vec<Canary>,
}

impl SampleProfile {
    /// Creates a profile of the provider with these facts.
    pub(crate) fn new(info: &ProviderInfo) -> Self {
        let canaries: Vec<Canary> = info
            .fields
            .iter()
            .filter(|field| field.is_secret())
            .map(|field| canary(&field.name))
            .collect();
        let settings = in_each_environment(info, settings(required(info))).swap_remove(0);
        let credential = credential(info, &canaries, "");
        Self { settings, credential, canaries }
    }

    /// Builds the provider of this profile with its default address.
    pub(crate) fn provider(&self, info: &ProviderInfo) -> Box<dyn Provider> {
        build_provider(info, &self.settings)
    }

    /// Builds the provider of this profile at [`base_url`].
    pub(crate) fn provider_at_base_url(&self, info: &ProviderInfo) -> Box<dyn Provider> {
        build_provider(info, &self.settings.clone().with_base_url(base_url()))
    }

    /// Returns the credential without the field `omitted`.
    pub(crate) fn credential_without(&self, info: &ProviderInfo, omitted: &str) -> Credential {
        credential(info, &self.canaries, omitted)
    }
}

/// A profile with one environment or choice, in several forms.
///
/// A choice may require a field that is optional otherwise, or one of several environments. So there
/// is a form with the required fields and one with all fields, for each environment if a profile must
/// choose one. At least one of the forms is a valid profile.
pub(crate) struct Variant {
    pub(crate) name: String,
    pub(crate) forms: Vec<Settings>,
}

impl Variant {
    /// Builds the provider of the first form that is valid.
    pub(crate) fn provider(
        &self,
        info: &ProviderInfo,
        base_url: Option<&Endpoint>,
    ) -> Result<Box<dyn Provider>> {
        let build = |form: &Settings| match base_url {
            None => info.provider(form),
            Some(base_url) => info.provider(&form.clone().with_base_url(base_url.clone())),
        };
        let first = build(&self.forms[0]);
        self.forms.iter().skip(1).fold(first, |built, form| built.or_else(|_| build(form)))
    }
}

/// Returns the variants of every environment and choice.
pub(crate) fn variants(info: &ProviderInfo) -> Vec<Variant> {
    let all = info.fields.iter().filter(|field| !is_choice(field));
    let forms = [settings(required(info)), settings(all)];
    let forms: Vec<_> =
        forms.into_iter().flat_map(|form| in_each_environment(info, form)).collect();
    let mut variants =
        vec![Variant { name: String::from("the sample profile"), forms: forms.clone() }];
    let mut add = |name: &str, value: &str| {
        let forms = forms.iter().map(|form| form.clone().with(name, value)).collect();
        variants.push(Variant { name: format!("{name} = {value}"), forms });
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

/// Returns a base URL with a path, on a port without a server.
pub(crate) fn base_url() -> Endpoint {
    Endpoint::parse("http://127.0.0.1:9/base").expect("a constant URL")
}

/// Returns settings with a made-up value for each of these fields.
pub(crate) fn settings<'a>(fields: impl Iterator<Item = &'a Field>) -> Settings {
    fields.filter(|field| !field.is_secret()).fold(Settings::new(), |settings, field| {
        settings.with(field.name.to_string(), made_up_value(field))
    })
}

/// Returns the settings with each environment, or unchanged if a profile need not choose one.
pub(crate) fn in_each_environment(info: &ProviderInfo, settings: Settings) -> Vec<Settings> {
    if !info.is_environment_required {
        return vec![settings];
    }
    let environments = info.environments.iter();
    environments.map(|one| settings.clone().with("environment", one.name.to_string())).collect()
}

/// Returns the fields that a profile with default settings requires.
pub(crate) fn required(info: &ProviderInfo) -> impl Iterator<Item = &Field> {
    let defaults = Settings::new();
    info.fields.iter().filter(move |field| info.requires(field, &defaults))
}

fn credential(info: &ProviderInfo, canaries: &[Canary], omitted: &str) -> Credential {
    let texts = required(info).filter(|field| !field.is_secret());
    let credential =
        texts.filter(|field| field.name != omitted).fold(Credential::new(), |credential, field| {
            credential.with_text(field.name.clone(), made_up_value(field))
        });
    canaries
        .iter()
        .filter(|canary| canary.name() != omitted)
        .fold(credential, |credential, canary| {
            credential.with_secret(canary.name().to_owned(), canary.text())
        })
}

fn build_provider(info: &ProviderInfo, settings: &Settings) -> Box<dyn Provider> {
    info.provider(settings)
        .unwrap_or_else(|error| panic!("{}: the sample profile does not build: {error:?}", info.id))
}

fn is_choice(field: &Field) -> bool {
    matches!(field.kind, FieldKind::Choice(_))
}

fn made_up_value(field: &Field) -> String {
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
