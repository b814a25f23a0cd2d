//! The registry: the providers of this program, by id.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use gatepass_core::{Error, ProviderInfo, Registration, Result};

/// The providers of this program: those that are linked into it, and those that it adds.
///
/// ```
/// # use gatepass::provider::Registry;
/// let registry = Registry::linked()?;
/// assert!(registry.get("no-such-vendor").is_err());
/// # Ok::<(), gatepass::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Registry {
    providers: BTreeMap<String, Entry>,
}

/// One provider of a registry, and the crate it comes from.
#[derive(Clone, Debug)]
struct Entry {
    info: Arc<ProviderInfo>,
    package: Cow<'static, str>,
    version: Cow<'static, str>,
}

/// The vendors' features of this crate, each with other names of its vendor.
const FEATURES: &[(&str, &[&str])] = &[
    ("celerdata", &["starrocks", "celerdata cloud"]),
    ("cisco", &["cloudsso", "cisco systems"]),
    ("cloudneeti", &["zscaler", "zcspm", "cspm", "zscaler cspm"]),
    ("configapi", &["brightpattern", "bright pattern", "bpcc", "bright-pattern"]),
    ("huawei", &["oneaccess", "huawei oneaccess", "bamboocloud", "eiam"]),
];

impl Registry {
    /// A registry without providers, for a program that adds its own by [`with`](Self::with).
    pub fn empty() -> Self {
        Self { providers: BTreeMap::new() }
    }

    /// All providers that are linked into this program. `Config` if two crates register one id.
    pub fn linked() -> Result<Self> {
        let mut all: Vec<&Registration> = Registration::all().collect();
        all.sort_by_key(|registration| (&registration.info.id, registration.package));
        all.into_iter().try_fold(Self::empty(), |registry, one| registry.with(*one))
    }

    /// Adds a provider of a crate. `Config` if its id is registered already; the error names both
    /// crates.
    pub fn with(self, registration: Registration) -> Result<Self> {
        let Registration { info, package, version, .. } = registration;
        let info = Arc::new(info.clone());
        self.with_entry(Entry { info, package: package.into(), version: version.into() })
    }

    /// Adds a provider whose facts were made at run time. `origin` says in an error where they come
    /// from.
    ///
    /// ```
    /// # use gatepass::Error;
    /// # use gatepass::provider::{Field, FieldKind, ProviderInfo, Registry};
    /// let mut info = ProviderInfo::owned("acme", "Acme Cloud");
    /// info.fields = vec![Field::owned("api_key", FieldKind::Secret, "Console > Keys")].into();
    /// let info = info.build_with(|_| Err(Error::internal("make the provider here")));
    /// let registry = Registry::empty().with_info(info, "vendors.json")?;
    /// assert_eq!(registry.get("acme")?.title, "Acme Cloud");
    /// # Ok::<(), gatepass::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Config` if the id is registered already.
    pub fn with_info(
        self,
        info: impl Into<Arc<ProviderInfo>>,
        origin: impl Into<String>,
    ) -> Result<Self> {
        let (package, version) = (Cow::Owned(origin.into()), Cow::Borrowed(""));
        self.with_entry(Entry { info: info.into(), package, version })
    }

    fn with_entry(mut self, entry: Entry) -> Result<Self> {
        let id = entry.info.id.to_string();
        let origin =
            |entry: &Entry| format!("{} {}", entry.package, entry.version).trim().to_owned();
        let new = origin(&entry);
        match self.providers.insert(id.clone(), entry) {
            None => Ok(self),
            Some(other) => Err(Error::config(format!(
                "two registrations of the provider `{id}`: {} and {new}",
                origin(&other)
            ))
            .hint("depend on only one of them")),
        }
    }

    /// Returns the provider with this id. The error for an unknown id lists the known ones, and the
    /// hint explains how to add the one that was probably meant.
    pub fn get(&self, id: &str) -> Result<Arc<ProviderInfo>> {
        match self.providers.get(id) {
            Some(entry) => Ok(Arc::clone(&entry.info)),
            None => Err(self.unknown(id)),
        }
    }

    /// Iterates over all providers, sorted by id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<ProviderInfo>> {
        self.providers.values().map(|entry| &entry.info)
    }

    /// Returns all ids, sorted.
    pub fn ids(&self) -> Vec<&str> {
        self.providers.keys().map(String::as_str).collect()
    }

    fn unknown(&self, id: &str) -> Error {
        let ids = self.ids();
        let has = if ids.is_empty() { String::from("none") } else { ids.join(", ") };
        let name = quoted_name(id);
        let error = Error::config(format!("no provider {name} in this build, which has: {has}"));
        let wanted = id.to_lowercase();
        let meant = self.iter().find(|info| {
            let names = [&info.id, &info.title, &info.vendor];
            names.iter().any(|name| name.to_lowercase() == wanted) || info.aliases.contains(&wanted)
        });
        if let Some(info) = meant {
            return error.hint(format!("did you mean provider = \"{}\"?", info.id));
        }
        let feature = FEATURES.iter().find(|(feature, aliases)| {
            (*feature == wanted || aliases.contains(&wanted.as_str()))
                && !self.providers.contains_key(*feature)
        });
        if let Some((feature, _)) = feature {
            return error.hint(format!("build with the feature `{feature}` to add it"));
        }
        match nearest(&wanted, ids.into_iter().chain(FEATURES.iter().map(|(feature, _)| *feature)))
        {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint(
                "a provider of another crate is linked only if some code names it: \
                 `use provider_acme as _;`",
            ),
        }
    }
}

/// Quotes a name for an error: without unusual characters, 64 characters at most. It may be a secret
/// or contain control sequences, if only by mistake.
pub(crate) fn quoted_name(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._- ".contains(c);
    let short: String = name.chars().filter(|c| plain(*c)).take(64).collect();
    format!("`{short}`")
}

/// Returns the candidate that was most likely meant by a mistyped word.
pub(crate) fn nearest<'a>(
    typed: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    #[cfg(feature = "config")]
    {
        let scored = candidates.into_iter().map(|one| (strsim::jaro_winkler(typed, one), one));
        let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
        (best.0 >= 0.75).then_some(best.1)
    }
    #[cfg(not(feature = "config"))]
    {
        candidates.into_iter().find(|one| one.starts_with(typed) || typed.starts_with(one))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static ACME: ProviderInfo =
        ProviderInfo::new("acme", "Acme Cloud").aliases(&["acme cloud inc"]);

    fn registry() -> Registry {
        Registry::empty().with(Registration::new(&ACME, "provider-acme", "1.0.0")).unwrap()
    }

    #[test]
    fn error_of_duplicate_id_names_both_crates() {
        let error = registry().with(Registration::new(&ACME, "acme-fork", "2.0.0")).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("provider-acme 1.0.0") && text.contains("acme-fork 2.0.0"), "{text}");
    }

    #[cfg(feature = "all-providers")]
    #[test]
    fn features_know_all_aliases_of_their_providers() {
        for info in Registry::linked().unwrap().iter() {
            let (_, aliases) = FEATURES.iter().find(|(feature, _)| *feature == info.id).unwrap();
            let missing: Vec<_> = info.aliases.iter().filter(|it| !aliases.contains(it)).collect();
            assert!(missing.is_empty(), "{}: {missing:?}", info.id);
        }
    }

    #[test]
    fn hint_for_unknown_provider_explains_how_to_add_it() {
        let hint = |id| registry().get(id).unwrap_err().hints()[0].to_string();
        assert!(hint("Acme Cloud").contains("provider = \"acme\""));
        assert!(hint("acme cloud inc").contains("provider = \"acme\""));
        assert!(hint("huawei").contains("feature `huawei`"));
        assert!(hint("brightpattern").contains("feature `configapi`"));
        assert!(hint("zscaler").contains("feature `cloudneeti`"));
        assert!(hint("xyzzy").contains("use provider_acme as _;"));
        let text = registry().get("xyzzy").unwrap_err().to_string();
        assert_eq!(text, "no provider `xyzzy` in this build, which has: acme");
    }
}
