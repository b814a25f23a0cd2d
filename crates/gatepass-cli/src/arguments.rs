//! This process's arguments, and which of them a message may repeat.
//!
//! An argument that gatepass does not understand may be a secret that the user put behind an option
//! of another program. A message repeats an argument only if it is short, consists of plain
//! characters and does not follow a word such as `secret`.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::OnceLock;

/// The arguments of this process, taken apart although its command line is wrong.
#[derive(Debug, Default)]
pub(crate) struct TypedArguments {
    /// The arguments that are neither options nor their values.
    pub(crate) words: Vec<String>,
    /// The value of an option that other tools have for a profile.
    pub(crate) profile: Option<String>,
    /// The value of `--config`.
    pub(crate) config: Option<PathBuf>,
}

/// Options of other tools whose value is an argument here.
pub(crate) const PROFILE_OPTIONS: [&str; 6] =
    ["--profile", "-p", "--profile-name", "--name", "-n", "--account"];

impl TypedArguments {
    /// Takes arguments apart; `with_value` are the options that take a value.
    pub(crate) fn new(arguments: &[String], with_value: &[String]) -> Self {
        let mut typed = Self::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            if !argument.starts_with('-') || argument == "-" {
                typed.words.push(argument.clone());
                continue;
            }
            let (option, joined) = match argument.split_once('=') {
                Some((option, value)) => (option, Some(value.to_owned())),
                None => (argument.as_str(), None),
            };
            let is_profile = PROFILE_OPTIONS.contains(&option);
            if !is_profile && !with_value.iter().any(|one| one == option) {
                continue;
            }
            let value = joined.or_else(|| rest.next().cloned());
            match option {
                "--config" => typed.config = value.map(PathBuf::from),
                _ if is_profile => typed.profile = value,
                _ => {}
            }
        }
        typed
    }
}

/// The arguments of this process with an added `--`.
static SEPARATED: OnceLock<Vec<OsString>> = OnceLock::new();

/// Sets the arguments of this process with the `--` that was added before the program of `exec`.
pub(crate) fn set_separated(words: &[OsString]) {
    // They are separated once.
    let _ = SEPARATED.set(words.to_vec());
}

/// Returns the arguments of this process up to `--`, which another program's arguments follow.
pub(crate) fn own() -> Vec<String> {
    let words = SEPARATED.get().cloned().unwrap_or_else(|| env::args_os().collect());
    let words = words.into_iter().skip(1).take_while(|word| word != "--");
    words.map(|word| word.to_string_lossy().into_owned()).collect()
}

/// Returns ` 'value'` for a message, or an empty string if the value may be a secret.
pub(crate) fn quoted(value: &str) -> String {
    if is_repeated(value) { format!(" '{value}'") } else { String::new() }
}

/// Returns whether a message may repeat a value.
pub(crate) fn is_repeated(value: &str) -> bool {
    is_shown(value, &own())
}

fn is_shown(value: &str, arguments: &[String]) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".:_-".contains(&byte);
    // Every position counts: a value that was typed twice may be a secret in one of them.
    let separate = arguments.windows(2).filter(|pair| pair[1] == value).map(|pair| &*pair[0]);
    let joined = arguments.iter().filter_map(|word| word.split_once('='));
    let joined = joined.filter(|(_, joined)| *joined == value).map(|(option, _)| option);
    value.len() <= MAX_SHOWN
        && value.bytes().all(is_plain)
        && !separate.chain(joined).any(|word| announces_secret(word) && word != "token")
}

/// The longest value that a message repeats. Most secrets are longer.
const MAX_SHOWN: usize = 16;

/// Returns whether a word such as `--client-secret` announces a secret.
pub(crate) fn announces_secret(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    ["secret", "password", "token", "key", "credential"].iter().any(|part| word.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_neither_options_nor_their_values() {
        let typed = |line: &str| {
            let arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let with_value = ["--config", "--wait"].map(str::to_owned);
            TypedArguments::new(&arguments, &with_value)
        };
        let all = typed("token --wait 5s --config=a.toml -v cisco --profile lake");
        assert_eq!(all.words, ["token", "cisco"]);
        assert_eq!(all.profile.as_deref(), Some("lake"));
        assert_eq!(all.config, Some(PathBuf::from("a.toml")));
        assert_eq!(typed("--config c.toml -p=lake get").profile.as_deref(), Some("lake"));
        assert_eq!(typed("--profile").words, [""; 0]);
    }

    #[test]
    fn only_short_plain_values_are_shown() {
        for (arguments, value, is_repeated) in [
            ("token cisco iam", "iam", true),
            ("token cisco --min-ttl 120", "120", true),
            ("token iam", "iam", true),
            ("token cisco --client-secret iam", "iam", false),
            ("token cisco --set client_secret iam", "iam", false),
            ("init cisco --secrets=iam", "iam", false),
            ("token cisco iam --password iam", "iam", false),
            ("token cisco pa$$word", "pa$$word", false),
            ("token cisco eyJhbGciOiJSUzI1NiJ9", "eyJhbGciOiJSUzI1NiJ9", false),
        ] {
            let arguments: Vec<String> = arguments.split(' ').map(str::to_owned).collect();
            assert_eq!(is_shown(value, &arguments), is_repeated, "{arguments:?}");
        }
    }
}
