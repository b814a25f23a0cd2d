//! The command that a user of another tool probably meant, for the hints of usage errors.

use gatepass::Hint;
use gatepass::cli_support::COMMON_FIELDS;
use gatepass::config::Config;
use gatepass::provider::{FieldKind, Registry};

use crate::arguments::{self, PROFILE_OPTIONS, TypedArguments};
use crate::options::Format;

/// A word of other tools and the command that does it here. In a command, `PROFILE` is replaced by
/// the profile that the user named, and `[PROFILE]` is left out if the user named none.
struct Synonym {
    words: &'static [&'static str],
    text: &'static str,
    command: &'static [&'static str],
}

const fn synonym(
    words: &'static [&'static str],
    text: &'static str,
    command: &'static [&'static str],
) -> Synonym {
    Synonym { words, text, command }
}

const TOKEN: &[&str] = &["token", PROFILE];
const LIST: &[&str] = &["list", OPTIONAL_PROFILE];
const PROFILE: &str = "PROFILE";
const OPTIONAL_PROFILE: &str = "[PROFILE]";

/// How each command is used.
const USES: &[Synonym] = &[
    synonym(&["token"], "print a token", TOKEN),
    synonym(&["call"], "send an API request", &["call", PROFILE, "/PATH"]),
    synonym(&["exec"], "run a program with a token", &["exec", PROFILE, "--", "PROGRAM"]),
    synonym(&["keep"], "keep a token in a file", &["keep", PROFILE, "--file", "FILE"]),
    synonym(&["init"], "create a profile", &["init"]),
    synonym(&["profile"], "add or remove a profile", &["profile", "--help"]),
    synonym(&["config"], "check the config", &["config", "check"]),
    synonym(&["login"], "log in with a browser", &["login", PROFILE]),
    synonym(&["list"], "list the profiles", LIST),
    synonym(&["inspect"], "show a token's state", &["inspect", PROFILE]),
    synonym(&["why"], "show recent token requests", &["why", PROFILE]),
    synonym(&["doctor"], "check every step", &["doctor", OPTIONAL_PROFILE]),
    synonym(&["forget"], "remove cached tokens", &["forget", PROFILE]),
    synonym(&["providers"], "list the providers", &["providers"]),
    synonym(&["sandbox"], "run simulated vendors", &["sandbox"]),
    synonym(&["demo"], "try every provider", &["demo"]),
    synonym(&["completions"], "print a completion script", &["completions", "--help"]),
    synonym(&["man"], "print the man pages", &["man"]),
    synonym(&["help"], "show the help", &["help"]),
];

const SYNONYMS: &[Synonym] = &[
    synonym(
        &[
            "get",
            "fetch",
            "print",
            "print-token",
            "get-token",
            "print-access-token",
            "get-access-token",
            "access-token",
            "tokens",
            "acquire",
            "issue",
            "generate",
        ],
        "print a token",
        TOKEN,
    ),
    synonym(
        &["auth", "authenticate", "authorize", "oauth", "oauth2"],
        "a token needs no further command",
        TOKEN,
    ),
    synonym(
        &["signin", "sign-in", "log-in", "connect"],
        "log in with a browser",
        &["login", PROFILE],
    ),
    synonym(
        &["refresh", "renew", "rotate", "reissue", "update"],
        "request a new token",
        &["token", PROFILE, "--fresh"],
    ),
    synonym(
        &["logout", "log-out", "signout", "sign-out", "revoke"],
        "gatepass cannot revoke a token at the vendor; this removes it from the cache",
        &["forget", PROFILE],
    ),
    synonym(
        &["clear", "purge", "clean", "flush", "invalidate", "reset", "wipe"],
        "remove cached tokens",
        &["forget", PROFILE],
    ),
    synonym(&["status", "state", "ls", "profiles", "ps"], "list the profiles", LIST),
    synonym(&["watch", "monitor", "top"], "watch the profiles", &["list", "--watch"]),
    synonym(
        &["show", "describe", "info", "view", "cat", "whoami", "decode"],
        "show a token's state",
        &["inspect", PROFILE],
    ),
    synonym(
        &["history", "log", "logs", "audit", "explain", "events"],
        "show recent token requests",
        &["why", PROFILE],
    ),
    synonym(
        &["check", "test", "diagnose", "diagnostics", "verify", "ping", "health", "healthcheck"],
        "check every step",
        &["doctor", OPTIONAL_PROFILE],
    ),
    synonym(
        &["curl", "request", "api", "http", "send", "post"],
        "send an API request",
        &["call", PROFILE, "/PATH"],
    ),
    synonym(
        &["run", "with", "wrap", "env", "shell"],
        "run a program with a token",
        &["exec", PROFILE, "--", "PROGRAM"],
    ),
    synonym(
        &["add", "new", "create"],
        "add a profile of a provider",
        &["profile", "add", "PROVIDER"],
    ),
    synonym(
        &["remove", "rm", "delete", "del"],
        "remove a profile",
        &["profile", "remove", PROFILE],
    ),
    synonym(&["setup", "configure", "start", "quickstart"], "create a profile", &["init"]),
    synonym(&["validate", "lint"], "check the config", &["config", "check"]),
    synonym(&["schema"], "print the config's JSON Schema", &["config", "schema"]),
    synonym(&["provider", "vendor", "vendors", "plugins"], "list the providers", &["providers"]),
    synonym(
        &["mock", "fake", "serve", "server", "simulate"],
        "run simulated vendors",
        &["sandbox"],
    ),
    synonym(&["version"], "print the version", &["--version"]),
    synonym(
        &["completion", "complete", "autocomplete"],
        "print a completion script",
        &["completions", "--help"],
    ),
    synonym(&["manual", "manpage", "docs"], "print the man pages", &["man"]),
];

/// Words below a command that has subcommands, or below a word such as `auth`.
const NESTED: &[(&[&str], &[Synonym])] = &[
    (
        &["profile", "profiles", "account", "accounts"],
        &[
            synonym(&["list", "ls", "show", "status", "get", "view"], "list the profiles", LIST),
            synonym(
                &["edit", "set", "change", "modify", "update", "rename"],
                "edit the config file, which this command names",
                &["config", "check"],
            ),
            synonym(
                &["use", "switch", "select", "activate", "default", "current"],
                "gatepass has no current profile: name it with each command",
                TOKEN,
            ),
        ],
    ),
    (
        &["config"],
        &[
            synonym(
                &["list", "ls", "show", "get", "view", "print"],
                "list the profiles",
                &["list"],
            ),
            synonym(
                &["validate", "test", "lint", "verify"],
                "check the config",
                &["config", "check"],
            ),
            synonym(
                &["edit", "set", "path", "where", "file", "location"],
                "edit the config file, which this command names",
                &["config", "check"],
            ),
        ],
    ),
    (
        &["auth", "oauth", "oauth2"],
        &[synonym(&["status", "list", "ls"], "list the profiles", LIST)],
    ),
    (&["providers"], &[synonym(&["list", "ls"], "list the providers", &["providers"])]),
];

/// Returns hints for a command that does not exist. `typed` has the words from it on, and `parent` is
/// the command before it. Empty if the word is not known.
pub(crate) fn for_unknown(parent: Option<&str>, typed: &TypedArguments) -> Vec<Hint> {
    let known = KnownNames::read(typed);
    let words: Vec<&str> = typed.words.iter().map(String::as_str).collect();
    let Some((&word, rest)) = words.split_first() else { return Vec::new() };
    let next = rest.first().copied();
    let hint =
        |one: &Synonym, profile: Option<&str>| known.hint(one.command, profile, one.text, &[]);
    if let Some(parent) = parent {
        return below(parent, word).map(|one| hint(one, next)).into_iter().collect();
    }
    // A profile comes first: `cisco`, `cisco token`.
    if known.is_profile(word) {
        let used = next.and_then(anywhere).unwrap_or(&USES[0]);
        return vec![hint(used, Some(word))];
    }
    if let Some(one) = next.filter(|_| group(word).is_some()).and_then(|next| below(word, next)) {
        return vec![hint(one, rest.get(1).copied())];
    }
    if let Some(one) = find(SYNONYMS, word) {
        let is_login = one.command == TOKEN && group(word).is_some();
        let login = is_login.then(|| find(USES, "login")).flatten();
        return [Some(one), login].into_iter().flatten().map(|one| hint(one, next)).collect();
    }
    if known.providers.iter().any(|id| id == word) {
        return vec![Hint::gatepass("add a profile of this provider", ["init", word])];
    }
    Vec::new()
}

/// Returns the hint for a word after a command that takes no further words.
pub(crate) fn for_unexpected(typed: &TypedArguments) -> Option<Hint> {
    let known = KnownNames::read(typed);
    let [command, first, second, ..] = typed.words.as_slice() else { return None };
    if command == "config" {
        return Some(Hint::gatepass("name the file", ["config", first, "--config", "FILE"]));
    }
    let used = find(USES, command)?;
    // `token get cisco`
    if let Some(one) = find(SYNONYMS, first).filter(|_| !known.is_profile(first)) {
        return Some(known.hint(one.command, Some(second), one.text, &[]));
    }
    let is_second = used.command.contains(&PROFILE) && known.is_profile(second);
    is_second.then(|| known.hint(used.command, Some(second), "one profile at a time", &[]))
}

/// Returns the hint that shows how a command with a similar name is used.
pub(crate) fn for_similar(command: &str, typed: &TypedArguments) -> Option<Hint> {
    let known = KnownNames::read(typed);
    let used = find(USES, command)?;
    let profile = typed.words.get(1).map(String::as_str);
    Some(known.hint(used.command, profile, "did you mean", &[]))
}

/// Returns the hint for a missing profile: the profiles of the config.
pub(crate) fn for_missing_profile(typed: &TypedArguments) -> Option<Hint> {
    let known = KnownNames::read(typed);
    let used = find(USES, typed.words.first()?)?;
    let names: Vec<&str> = known.profiles.iter().take(MAX_NAMED).map(String::as_str).collect();
    let text = match (names.as_slice(), known.profiles.len() - names.len()) {
        ([], _) => return None,
        ([only], _) => format!("your only profile is {only}"),
        (some, 0) => format!("your profiles are {}", some.join(", ")),
        (some, more) => format!("your profiles are {} and {more} more", some.join(", ")),
    };
    Some(known.hint(used.command, names.first().copied(), &text, &[]))
}

/// How many profiles a hint names.
const MAX_NAMED: usize = 5;

/// Returns the hint for an option that the command does not have.
pub(crate) fn for_option(option: &str, typed: &TypedArguments) -> Option<Hint> {
    let known = KnownNames::read(typed);
    let (used, profile) = typed_command(typed);
    let with = |text: &str, more: &[&str]| known.hint(&used, profile, text, more);
    if PROFILE_OPTIONS.contains(&option) {
        return Some(with("the profile is an argument", &[]));
    }
    let is_adding = matches!(*used.as_slice(), ["init", ..] | ["profile", "add", ..]);
    let is_format = |name| Format::of_token().into_iter().any(|format| format.name() == name);
    Some(match option.trim_start_matches('-') {
        "provider" | "vendor" if is_adding => {
            Hint::gatepass("the provider is an argument", ["profile", "add", "PROVIDER"])
        }
        "output" | "o" | "out" | "output-format" | "fmt" | "f" => {
            with("select the output format", &["--format", "json"])
        }
        name if is_format(name) => with("select the output format", &["--format", name]),
        "force" | "refresh" | "force-refresh" | "no-cache" | "renew" => {
            known.hint(&["token", PROFILE, "--fresh"], profile, "request a new token", &[])
        }
        "ttl" | "min-lifetime" | "min-validity" | "valid-for" | "min-duration" => {
            known.hint(TOKEN, profile, "require a remaining lifetime", &["--min-ttl", "10m"])
        }
        "retry" | "retries" | "timeout" | "max-time" | "deadline" | "max-wait" => {
            known.hint(TOKEN, profile, "limit how long it retries", &["--wait", "60s"])
        }
        "conf" | "config-file" | "c" | "cfg" => with("name the file", &["--config", "FILE"]),
        "debug" | "trace" | "log-level" => with("log more", &["-v"]),
        "silent" | "s" | "no-progress" => with("print no warnings", &["--quiet"]),
        "w" | "follow" => Hint::gatepass("watch the profiles", ["list", "--watch"]),
        name => {
            let key = name.replace('-', "_");
            let value = format!("{key}=VALUE");
            match known.field_kind(&key)? {
                FieldKind::Secret | FieldKind::Key => return None,
                _ if is_adding => with("set this key", &["--field", &value]),
                FieldKind::Address | FieldKind::Addresses | FieldKind::RedirectUri => {
                    Hint::new(format!("write {key} into the profile: no option takes an address"))
                }
                _ => with("set this key", &["--set", &value]),
            }
        }
    })
}

/// Returns options of other tools that take a value, and those that are named like a key of a profile.
pub(crate) fn value_options() -> Vec<String> {
    let known = KnownNames::of_registry();
    let keys = known.fields.iter().map(|(key, _)| format!("--{}", key.replace('_', "-")));
    keys.chain(VALUE_OPTIONS.map(str::to_owned)).collect()
}

const VALUE_OPTIONS: [&str; 20] = [
    "--output",
    "-o",
    "--out",
    "--output-format",
    "--fmt",
    "-f",
    "--ttl",
    "--min-lifetime",
    "--min-validity",
    "--valid-for",
    "--min-duration",
    "--retry",
    "--retries",
    "--max-time",
    "--deadline",
    "--max-wait",
    "--conf",
    "--config-file",
    "-c",
    "--log-level",
];

/// Returns the hint for a duration without a known unit.
pub(crate) fn for_duration(option: &str, value: &str, typed: &TypedArguments) -> Hint {
    let (used, profile) = typed_command(typed);
    KnownNames::read(typed).hint(&used, profile, "write the unit", &[option, value])
}

/// Returns how the typed command is used, and the profile that was typed.
fn typed_command(typed: &TypedArguments) -> (Vec<&str>, Option<&str>) {
    let words: Vec<&str> = typed.words.iter().map(String::as_str).collect();
    let option = typed.profile.as_deref();
    match words.as_slice() {
        ["profile", "add", ..] => (vec!["profile", "add", "PROVIDER"], None),
        ["profile", sub @ ("remove" | "allow"), rest @ ..] => {
            (vec!["profile", sub, PROFILE], rest.first().copied().or(option))
        }
        [command, rest @ ..] => {
            let used = find(USES, command).unwrap_or(&USES[0]);
            (used.command.to_vec(), rest.first().copied().or(option))
        }
        [] => (TOKEN.to_vec(), option),
    }
}

fn find<'a>(all: &'a [Synonym], word: &str) -> Option<&'a Synonym> {
    all.iter().find(|one| one.words.contains(&word))
}

fn anywhere(word: &str) -> Option<&'static Synonym> {
    find(USES, word).or_else(|| find(SYNONYMS, word))
}

fn group(word: &str) -> Option<&'static [Synonym]> {
    NESTED.iter().find(|(groups, _)| groups.contains(&word)).map(|(_, all)| *all)
}

/// Returns what a word means after another one, as in `auth login` or `profile list`.
fn below(parent: &str, word: &str) -> Option<&'static Synonym> {
    group(parent).and_then(|all| find(all, word)).or_else(|| anywhere(word))
}

/// The names that a hint may repeat, and by which a profile is recognized.
#[derive(Default)]
struct KnownNames {
    profiles: Vec<String>,
    providers: Vec<String>,
    fields: Vec<(String, FieldKind)>,
}

impl KnownNames {
    fn of_registry() -> Self {
        let Ok(registry) = Registry::linked() else { return Self::default() };
        let fields = COMMON_FIELDS.iter().chain(registry.iter().flat_map(|info| &*info.fields));
        Self {
            profiles: Vec::new(),
            providers: registry.iter().map(|info| info.id.to_string()).collect(),
            fields: fields.map(|field| (field.name.to_string(), field.kind.clone())).collect(),
        }
    }

    /// Reads the config, if it can be read. Reads no secret.
    fn read(typed: &TypedArguments) -> Self {
        let config = match &typed.config {
            Some(path) => Config::load(path),
            None => Config::find(),
        };
        let names = config.and_then(|config| Ok(config.names(&Registry::linked()?)));
        Self { profiles: names.unwrap_or_default(), ..Self::of_registry() }
    }

    fn is_profile(&self, word: &str) -> bool {
        self.profiles.iter().any(|name| name == word)
    }

    fn field_kind(&self, key: &str) -> Option<&FieldKind> {
        self.fields.iter().find(|(name, _)| name == key).map(|(_, kind)| kind)
    }

    /// Makes a hint with the profile in the command, and `more` arguments before `--`. A word that may
    /// be a secret is not repeated.
    fn hint(&self, command: &[&str], profile: Option<&str>, text: &str, more: &[&str]) -> Hint {
        let is_shown = |word: &&str| self.is_profile(word) || arguments::is_repeated(word);
        let named = profile.filter(is_shown);
        let only = match self.profiles.as_slice() {
            [only] => Some(only.as_str()),
            _ => None,
        };
        let words = command.iter().filter_map(|word| match *word {
            PROFILE => named.or(only).or(Some(PROFILE)),
            OPTIONAL_PROFILE => named,
            word => Some(word),
        });
        let mut words: Vec<&str> = words.collect();
        let end = words.iter().position(|word| *word == "--").unwrap_or(words.len());
        words.splice(end..end, more.iter().copied());
        let reads_config = words.first().is_none_or(|first| !WITHOUT_CONFIG.contains(first));
        match reads_config && words != ["config", "schema"] && !more.contains(&"--config") {
            true => Hint::gatepass(text.to_owned(), words),
            false => Hint::run(text.to_owned(), [&["gatepass"], words.as_slice()].concat()),
        }
    }
}

/// Commands that read no config.
const WITHOUT_CONFIG: [&str; 7] =
    ["providers", "sandbox", "demo", "completions", "man", "help", "--version"];
