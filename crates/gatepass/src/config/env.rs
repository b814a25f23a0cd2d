//! Environment variables: their only reader, and the profiles that they define.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use gatepass_core::{ConfigPlace, Error, Field, ProviderInfo, Result, Secret};
use zeroize::Zeroizing;

use super::form;
use super::is_profile_name;
use super::profile::{COMMON_FIELDS, ProfileOrigin, list_keys};
use super::value::{ConfigEntry, RawProfile, ReadOptions, Reference, SecretSource, Value};
use super::variables;
use crate::provider::Registry;
use crate::registry::nearest;

/// Environment variables: the process's own, or a fixed set.
///
/// ```
/// use gatepass::config::Env;
///
/// let env = Env::fixed([("GATEPASS_CISCO_CLIENT_ID", "app-1")]);
/// assert_eq!(env.get("GATEPASS_CISCO_CLIENT_ID").as_deref(), Some("app-1"));
/// ```
#[derive(Clone, Default)]
pub struct Env(Option<BTreeMap<String, String>>);

impl std::fmt::Debug for Env {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Env(fixed)" } else { "Env(process)" })
    }
}

impl Env {
    /// The variables of the process.
    pub fn process() -> Self {
        Self(None)
    }

    /// Only these variables.
    pub fn fixed<K: Into<String>, V: Into<String>>(vars: impl IntoIterator<Item = (K, V)>) -> Self {
        Self(Some(vars.into_iter().map(|(key, value)| (key.into(), value.into())).collect()))
    }

    /// Returns the value of a variable, if it is set and UTF-8.
    pub fn get(&self, name: &str) -> Option<String> {
        self.os(name)?.into_string().ok()
    }

    /// Returns the value of a variable without a newline at its end, if it is set.
    ///
    /// `Config` if it is not UTF-8.
    pub(crate) fn text(&self, name: &str) -> Result<Option<Zeroizing<String>>> {
        let Some(bytes) = self.bytes(name) else { return Ok(None) };
        let text = form::to_text(&bytes).map_err(|problem| {
            Error::config(format!("the variable {name} {problem}")).hint(form::ENCODING)
        })?;
        Ok(Some(Zeroizing::new(form::drop_newline(&text).to_owned())))
    }

    /// Returns the variables of directories that are ignored, each with the reason.
    pub(crate) fn ignored_directories(&self) -> Vec<String> {
        let names = ["XDG_CONFIG_HOME", "XDG_STATE_HOME", "HOME"];
        let is_relative = |name: &&str| self.path(name).is_some_and(|path| !path.is_absolute());
        let ignored = names.into_iter().filter(is_relative);
        ignored.map(|name| format!("{name} is ignored: it is not an absolute path")).collect()
    }

    /// Returns the value of a variable as bytes, if it is set.
    pub(crate) fn bytes(&self, name: &str) -> Option<Zeroizing<Vec<u8>>> {
        self.os(name).map(|value| Zeroizing::new(value.into_encoded_bytes()))
    }

    /// Returns the path that a variable names, if it is set and not empty.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.os(name).filter(|path| !path.is_empty()).map(PathBuf::from)
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    fn os(&self, name: &str) -> Option<OsString> {
        match &self.0 {
            Some(vars) => vars.get(name).map(OsString::from),
            None => std::env::var_os(name),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    fn names(&self) -> Vec<String> {
        match &self.0 {
            Some(vars) => vars.keys().cloned().collect(),
            None => std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect(),
        }
    }

    /// Returns the default path of the config file: `$XDG_CONFIG_HOME/gatepass/config.toml`, or the
    /// platform's own directory for it.
    pub fn default_config_path(&self) -> Option<PathBuf> {
        Some(self.directory("XDG_CONFIG_HOME", ".config")?.join("config.toml"))
    }

    /// Returns the directory of the command's token store. `configured` is `path` of `[store]`.
    pub(crate) fn state_dir(&self, configured: Option<&Path>) -> Option<PathBuf> {
        self.path("GATEPASS_STATE_DIR")
            .or_else(|| configured.map(Path::to_owned))
            .or_else(|| self.directory("XDG_STATE_HOME", ".local/state"))
    }

    /// Returns gatepass's directory in the one that the variable names, or else in the home
    /// directory. On macOS both defaults are the same.
    fn directory(&self, variable: &str, in_home: &str) -> Option<PathBuf> {
        // The XDG specification requires that a relative path is ignored. It would lead into the
        // current directory, whose content may come from anyone.
        let absolute = |name: &str| self.path(name).filter(|path| path.is_absolute());
        let in_home =
            if cfg!(target_os = "macos") { "Library/Application Support" } else { in_home };
        let parent = absolute(variable).or_else(|| Some(absolute("HOME")?.join(in_home)))?;
        Some(parent.join("gatepass"))
    }
}

/// Returns `GATEPASS_<PROFILE>_`, with which the variables of a profile begin.
pub(crate) fn prefix(profile: &str) -> String {
    format!("GATEPASS_{}_", variable_part(profile))
}

/// Returns a profile's name as variables contain it.
pub(crate) fn variable_part(profile: &str) -> String {
    profile.to_uppercase().replace(['-', '.'], "_")
}

/// Returns the profile of this name, if variables define it.
pub(crate) fn profile(env: &Env, name: &str, registry: &Registry) -> Result<Option<RawProfile>> {
    let prefix = prefix(name);
    let all = candidates(env);
    let belongs = |variable: &String| {
        variable.starts_with(&prefix) && !is_of_a_longer_profile(&all, &prefix, variable)
    };
    let names: Vec<String> = all.iter().filter(|variable| belongs(variable)).cloned().collect();
    if names.is_empty() {
        return Ok(None);
    }
    let id = env.text(&format!("{prefix}PROVIDER")).map_err(|error| error.with_profile(name))?;
    let id = id.map_or_else(|| name.to_owned(), |id| id.to_string());
    let Ok(info) = &registry.get(&id) else {
        let named = names.iter().any(|variable| variable == &format!("{prefix}PROVIDER"));
        // Without a provider, the variables may belong to another profile.
        return if named { Err(registry_error(registry, &id, name)) } else { Ok(None) };
    };
    let mut entries = Vec::new();
    for variable in names {
        let key = variable.get(prefix.len()..).unwrap_or_default().to_lowercase();
        if let Some(field) = field(info, &key) {
            let value = env.text(&variable).map_err(|error| error.with_profile(name))?;
            let value = value.as_deref().map_or("", String::as_str);
            let value = SecretSource::Literal(Secret::from(value));
            entries.push(entry(field, value, variable));
        } else if let Some(field) = key.strip_suffix("_file").and_then(|key| field(info, key)) {
            let path = env.path(&variable).ok_or_else(|| {
                Error::config(format!("the variable {variable} has no path")).with_profile(name)
            })?;
            let value = SecretSource::Reference(Reference::File(path), ReadOptions::default());
            entries.push(entry(field, value, variable));
        } else if !is_of_a_longer_name(info, &key) {
            return Err(unknown_variable(info, &variable, &prefix, &key).with_profile(name));
        }
    }
    if let Some((a, b)) = entries
        .iter()
        .enumerate()
        .find_map(|(at, a)| Some((a, entries.iter().skip(at + 1).find(|b| b.key == a.key)?)))
    {
        return Err(Error::config(format!("{} and {} are both set", a.place, b.place))
            .hint("unset one of them")
            .with_profile(name));
    }
    Ok((!entries.is_empty()).then(|| RawProfile {
        name: name.to_owned(),
        origin: ProfileOrigin::Environment,
        folder: PathBuf::new(),
        private: true,
        place: ConfigPlace::Environment,
        entries,
    }))
}

fn entry(field: &Field, source: SecretSource, variable: String) -> ConfigEntry {
    let (key, place) = (field.name.to_string(), ConfigPlace::Variable(variable));
    ConfigEntry { key, value: Value::Source(source), place }
}

/// Returns the variables that may define a profile.
pub(crate) fn candidates(env: &Env) -> Vec<String> {
    let mut names = env.names();
    names.retain(|name| {
        name.starts_with(PREFIX) && !variables::defines_nothing(name, || env.get(name))
    });
    names
}

/// Returns whether the variable belongs to a profile with a longer prefix: one that has a provider.
fn is_of_a_longer_profile(all: &[String], prefix: &str, variable: &str) -> bool {
    all.iter().filter_map(|name| name.strip_suffix("PROVIDER")).any(|other| {
        other.len() > prefix.len()
            && other.ends_with('_')
            && other.starts_with(prefix)
            && variable.starts_with(other)
    })
}

/// Returns whether a profile of any provider may have this key, or the key with `_file`.
pub(crate) fn is_key(registry: &Registry, key: &str) -> bool {
    let is_field = |key: &str| all_fields(registry).any(|field| field.name == key);
    is_field(key) || key.strip_suffix("_file").is_some_and(is_field)
}

/// Returns whether the key is a name and a key of any provider.
pub(crate) fn is_behind_any_name(registry: &Registry, key: &str) -> bool {
    all_fields(registry).any(|field| is_behind_a_name(&field.name, key))
}

/// Returns whether the variable is a key of the profile `name`, known or not.
pub(crate) fn is_key_of(env: &Env, registry: &Registry, name: &str, variable: &str) -> bool {
    let prefix = prefix(name);
    let Some(key) = variable.strip_prefix(&prefix).map(str::to_lowercase) else { return false };
    is_key(registry, &key)
        || (!is_behind_any_name(registry, &key)
            && !is_of_a_longer_profile(&candidates(env), &prefix, variable))
}

fn all_fields(registry: &Registry) -> impl Iterator<Item = &Field> {
    COMMON_FIELDS.iter().chain(registry.iter().flat_map(|info| &*info.fields))
}

/// Returns the variables that define a field of any profile, even if the config file defines the
/// profile, and for any provider.
pub(crate) fn defining(env: &Env, registry: &Registry) -> Vec<String> {
    let fields: Vec<&Field> = all_fields(registry).collect();
    let mut names = candidates(env);
    names.retain(|variable| {
        let key = variable.strip_prefix(PREFIX).map(str::to_lowercase);
        key.is_some_and(|key| fields.iter().any(|field| is_behind_a_name(&field.name, &key)))
    });
    names
}

/// Returns the variables that are ignored because a config file defines the profile `name`. `all`
/// are the names of the file's profiles.
pub(crate) fn ignored(env: &Env, registry: &Registry, name: &str, all: &[&str]) -> Vec<String> {
    let own = prefix(name);
    let mut names = candidates(env);
    names.retain(|variable| {
        let Some(key) = variable.strip_prefix(&own).map(str::to_lowercase) else { return false };
        is_key(registry, &key)
            || (!is_behind_any_name(registry, &key)
                && !all.iter().any(|other| is_longer(&own, &prefix(other), variable)))
    });
    names.sort();
    names
}

/// Returns the variables that belong to no profile, each with the reason.
///
/// `all` are the names of all profiles.
pub(crate) fn unused(env: &Env, registry: &Registry, all: &[String]) -> Vec<(String, String)> {
    let mut names = candidates(env);
    names.retain(|variable| {
        !variables::is_own(variable)
            && !all.iter().any(|name| is_key_of(env, registry, name, variable))
    });
    names.sort();
    let reason = |variable: &str| match nearest(variable, variables::OWN) {
        Some(near) => format!("did you mean {near}?"),
        None => String::from("no profile has that name; GATEPASS_<NAME>_PROVIDER defines one"),
    };
    names.into_iter().map(|variable| (shown(&variable), reason(&variable))).collect()
}

/// Returns whether the variable belongs to a profile whose prefix is longer.
fn is_longer(prefix: &str, other: &str, variable: &str) -> bool {
    other.len() > prefix.len() && other.starts_with(prefix) && variable.starts_with(other)
}

fn registry_error(registry: &Registry, id: &str, profile: &str) -> Error {
    match registry.get(id) {
        Err(error) => error.with_profile(profile),
        Ok(_) => Error::internal("the registry has changed"),
    }
}

fn field<'a>(info: &'a ProviderInfo, key: &str) -> Option<&'a Field> {
    COMMON_FIELDS.iter().chain(&*info.fields).find(|field| field.name == key)
}

/// Returns whether the variable belongs to a profile with a longer name:
/// `GATEPASS_CISCO_PROD_CLIENT_ID` is a key of `cisco-prod`, not of `cisco`.
fn is_of_a_longer_name(info: &ProviderInfo, key: &str) -> bool {
    let fields = COMMON_FIELDS.iter().chain(&*info.fields).map(|field| &*field.name);
    fields.chain(["client_id", "client_secret"]).any(|field| is_behind_a_name(field, key))
}

/// Returns whether `key` is a name, `_`, and the field or the field's `_file`.
fn is_behind_a_name(field: &str, key: &str) -> bool {
    let is_name = |rest: &str| rest.ends_with('_') && rest.len() > 1;
    let of_file = key.strip_suffix("_file").and_then(|key| key.strip_suffix(field));
    key.strip_suffix(field).into_iter().chain(of_file).any(is_name)
}

fn unknown_variable(info: &ProviderInfo, variable: &str, prefix: &str, key: &str) -> Error {
    let variable = shown(variable);
    let known = || COMMON_FIELDS.iter().chain(&*info.fields).map(|field| &*field.name);
    let error =
        Error::config(format!("the variable {variable} is not a key of a {} profile", info.id));
    let of_file = key.strip_suffix("_file").and_then(|key| nearest(key, known()));
    let near = of_file.map(|near| format!("{near}_file"));
    match near.or_else(|| nearest(key, known()).map(str::to_owned)) {
        Some(near) => error.hint(format!("did you mean {prefix}{}?", near.to_uppercase())),
        None => error.hint(list_keys(info)),
    }
}

/// Returns a variable's name without control characters, which a terminal would obey.
fn shown(variable: &str) -> String {
    variable.chars().filter(|c| c.is_ascii_graphic()).take(MAX_SHOWN_NAME).collect()
}

/// The length of a variable's name that an error shows.
const MAX_SHOWN_NAME: usize = 160;

/// The beginning of all variables of profiles.
const PREFIX: &str = "GATEPASS_";

/// Returns the names of the profiles that variables define. Variables do not preserve names: these
/// are lower case, with `-` for `_`.
pub(crate) fn names(env: &Env, registry: &Registry) -> Vec<String> {
    let mut names = Vec::new();
    for variable in candidates(env) {
        let Some(rest) = variable.strip_prefix(PREFIX).map(str::to_lowercase) else { continue };
        let keys = registry.iter().flat_map(|info| &*info.fields).map(|field| &*field.name);
        let cut = keys.chain(["provider"]).find_map(|key| {
            let rest = rest.strip_suffix("_file").unwrap_or(&rest);
            rest.strip_suffix(key)?.strip_suffix('_')
        });
        // A misspelled key may belong to a profile that is named after its provider.
        let of_provider =
            || registry.iter().map(|info| &*info.id).find(|id| variable.starts_with(&prefix(id)));
        // A variable's name may contain characters that a profile's name must not have.
        let name = cut.or_else(of_provider).map(|name| name.replace('_', "-"));
        let Some(name) = name.filter(|name| is_profile_name(name)) else { continue };
        // A profile with a mistake is listed, with its error.
        let defined = !matches!(profile(env, &name, registry), Ok(None));
        if defined && !names.contains(&name) {
            names.push(name);
        }
    }
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use gatepass_core::Registration;

    use super::*;

    static ACME: ProviderInfo = ProviderInfo::new("acme", "Acme Cloud")
        .fields(const { &[Field::secret("client_secret", "a key")] });

    #[test]
    fn error_shows_no_control_characters_of_variable_names() {
        let env = Env::fixed([("GATEPASS_ACME_CLIENT\u{1b}[2J_SECRE", "x")]);
        let acme = Registration::new(&ACME, "provider-acme", "1.0.0");
        let error = profile(&env, "acme", &Registry::empty().with(acme).unwrap()).unwrap_err();
        assert!(error.message().contains("the variable GATEPASS_ACME_CLIENT[2J_SECRE is not"));
        assert!(!error.to_string().contains('\u{1b}'), "{error:?}");
    }

    #[test]
    fn config_is_never_read_from_current_directory() {
        let path = |vars: &[(&str, &str)]| Env::fixed(vars.iter().copied()).default_config_path();
        for (vars, wanted) in [
            ([("XDG_CONFIG_HOME", "/x"), ("HOME", "/me")], Some("/x/gatepass/config.toml")),
            ([("XDG_CONFIG_HOME", "x"), ("HOME", "me")], None),
            ([("XDG_CONFIG_HOME", ""), ("HOME", ".")], None),
        ] {
            assert_eq!(path(&vars), wanted.map(PathBuf::from), "{vars:?}");
        }
        let home = path(&[("HOME", "/me")]).unwrap();
        assert!(home.starts_with("/me") && home.ends_with("gatepass/config.toml"));
    }

    #[test]
    fn state_directory_is_the_first_that_is_set() {
        let dir = |variables: &[(&str, &str)]| {
            let found = Env::fixed(variables.iter().copied()).state_dir(None);
            found.map(|path| path.to_str().unwrap().to_owned())
        };
        let (own, xdg, home) =
            (("GATEPASS_STATE_DIR", "/own"), ("XDG_STATE_HOME", "/xdg"), ("HOME", "/me"));
        assert_eq!(dir(&[own, xdg, home]).unwrap(), "/own");
        assert_eq!(dir(&[xdg, home]).unwrap(), "/xdg/gatepass");
        let configured = |variables: [(&str, &str); 2]| {
            Env::fixed(variables).state_dir(Some(Path::new("/configured"))).unwrap()
        };
        assert_eq!(configured([own, xdg]), Path::new("/own"));
        assert_eq!(configured([xdg, home]), Path::new("/configured"));
        let of_home = match cfg!(target_os = "macos") {
            true => "/me/Library/Application Support/gatepass",
            false => "/me/.local/state/gatepass",
        };
        assert_eq!(dir(&[home]).unwrap(), of_home);
        assert_eq!(
            dir(&[("GATEPASS_STATE_DIR", ""), ("XDG_STATE_HOME", "x"), home]).unwrap(),
            of_home
        );
        assert_eq!(dir(&[("HOME", "x")]), None);
        assert_eq!(dir(&[]), None);
    }

    #[test]
    fn variable_with_invalid_profile_name_defines_no_profile() {
        let env = Env::fixed([
            ("GATEPASS_A\u{1b}[2J_PROVIDER", "acme"),
            ("GATEPASS_MY_LAKE_PROVIDER", "acme"),
            ("GATEPASS_-X_PROVIDER", "acme"),
        ]);
        let acme = Registration::new(&ACME, "provider-acme", "1.0.0");
        assert_eq!(names(&env, &Registry::empty().with(acme).unwrap()), ["my-lake"]);
    }

    #[test]
    fn variable_with_profile_and_field_defines_field() {
        let defining = [
            "GATEPASS_LAKE_CLIENT_SECRET",
            "GATEPASS_LAKE_CLIENT_SECRET_FILE",
            "GATEPASS_MY_LAKE_PROVIDER",
            "GATEPASS_LAKE_CA_FILE",
            "GATEPASS_LAKE_BASE_URL",
        ];
        let others = [
            "GATEPASS_TOKEN",
            "GATEPASS_TOKEN_FILE",
            "GATEPASS_CONFIG",
            "GATEPASS_STATE_DIR",
            "GATEPASS_PROVIDER",
            "LAKE_CLIENT_SECRET",
        ];
        let env = Env::fixed(defining.iter().chain(&others).map(|name| (*name, "x")));
        let acme = Registration::new(&ACME, "provider-acme", "1.0.0");
        let mut found = super::defining(&env, &Registry::empty().with(acme).unwrap());
        found.sort();
        let mut wanted = defining.to_vec();
        wanted.sort_unstable();
        assert_eq!(found, wanted);
    }
}
