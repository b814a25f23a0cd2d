//! Options that several commands share, output formats, and parsers of option values.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Arg, Args, Command, ValueEnum};
use tokio::time::Instant;

/// The options that are valid for every command, unless [`unused`] excludes them.
#[derive(Clone, Debug, Args)]
pub(crate) struct Common {
    /// Read this config file [default: $GATEPASS_CONFIG, else gatepass/config.toml in the user's
    /// configuration directory or in /etc]
    #[arg(long, global = true, value_name = "FILE", help_heading = COMMON_HEADING)]
    pub(crate) config: Option<PathBuf>,
    /// Override one profile setting for this run (not secrets or URLs)
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = key_value, help_heading = COMMON_HEADING)]
    pub(crate) set: Vec<(String, String)>,
    /// Select the output format
    #[arg(long, global = true, value_name = "FORMAT", help_heading = COMMON_HEADING)]
    pub(crate) format: Option<Format>,
    /// Print no warnings and no progress
    #[arg(long, short, global = true, help_heading = COMMON_HEADING)]
    pub(crate) quiet: bool,
    /// Show token requests and the state of the cache on stderr; -vv logs more
    #[arg(long, short, global = true, action = clap::ArgAction::Count, help_heading = COMMON_HEADING)]
    pub(crate) verbose: u8,
}

pub(crate) const COMMON_HEADING: &str = "Common options";

/// Returns the named common options for a command in which they mean nothing, so that its help does
/// not list them.
///
/// An option of a command replaces the global option of the same name, so the command cannot
/// inherit it.
pub(crate) fn unused(names: &[&str]) -> Vec<Arg> {
    let common = Common::augment_args(Command::new("common"));
    let named = common.get_arguments().filter(|arg| names.contains(&arg.get_id().as_str()));
    named.map(|arg| arg.clone().global(false).hide(true)).collect()
}

/// `--wait` of the commands that make a token request.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct WaitArgs {
    /// Keep trying for this long while the vendor is down or limits the rate; 0 tries once
    #[arg(long, value_name = "DURATION", value_parser = duration_or_zero, default_value = "20s")]
    wait: Duration,
}

impl WaitArgs {
    /// Returns the deadline, counted from now.
    pub(crate) fn deadline(self) -> Deadline {
        Deadline::after(self.wait)
    }
}

/// The time until which a command tries again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// Returns the deadline of `--wait`, which starts now.
    pub(crate) fn after(wait: Duration) -> Self {
        Self(Instant::now() + wait.min(MAX_WAIT))
    }

    /// Returns the time until the deadline.
    pub(crate) fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

/// The longest `--wait` that is added to the clock without an overflow.
const MAX_WAIT: Duration = Duration::from_secs(365 * 24 * 3600);

/// An output format. The help of `token` lists the formats that only `token` has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Plain text
    Text,
    /// One JSON value
    Json,
    /// The token alone (default)
    #[value(hide = true)]
    Raw,
    /// Every header that the vendor requires, for `curl -H @-`
    #[value(hide = true)]
    Header,
    /// The same headers as a curl config file, for `curl -K -`
    #[value(hide = true)]
    Curl,
    /// GATEPASS_TOKEN=…
    #[value(hide = true)]
    Env,
    /// The token and its expiry, for `eval "$(…)"` in sh, bash or zsh
    #[value(hide = true)]
    Sh,
    /// The token and its expiry, for `… | source` in fish
    #[value(hide = true)]
    Fish,
    /// The token and its expiry, for `… | Out-String | Invoke-Expression` in PowerShell
    #[value(hide = true)]
    Powershell,
    /// The token and its expiry, as lines of a .env file
    #[value(hide = true)]
    Dotenv,
    /// An ExecCredential, for `users[].user.exec` of a kubeconfig
    #[value(hide = true)]
    Kubernetes,
    /// A credential helper for git's `credential.<url>.helper`
    #[value(hide = true)]
    Git,
    /// A credential helper for docker's `credHelpers`, called by a script docker-credential-NAME
    #[value(hide = true)]
    Docker,
    /// `credential_process` output, for servers that read the session token as the token
    #[value(hide = true)]
    Aws,
    /// A credential helper for Bazel's `--credential_helper`, called by a script
    #[value(hide = true)]
    Bazel,
    /// An explanation why .netrc cannot hold a token, and what to use instead
    #[value(hide = true)]
    NetrcNote,
}

impl Format {
    /// Returns the formats of `token`, the default first.
    pub(crate) fn of_token() -> Vec<Self> {
        let formats = Self::value_variants().iter().copied().filter(|one| *one != Self::Text);
        let (raw, others): (Vec<_>, Vec<_>) = formats.partition(|one| *one == Self::Raw);
        [raw, others].concat()
    }

    /// Returns the output of an evaluated format if no token was acquired: commands that
    /// unset the variables of an earlier token, and fail.
    pub(crate) fn failure(self) -> Option<&'static str> {
        match self {
            Self::Sh | Self::Env | Self::Dotenv => {
                Some("unset GATEPASS_TOKEN GATEPASS_TOKEN_EXPIRES_AT; false\n")
            }
            Self::Fish => Some("set -e GATEPASS_TOKEN; set -e GATEPASS_TOKEN_EXPIRES_AT; false\n"),
            Self::Powershell => Some(
                "Remove-Item Env:GATEPASS_TOKEN, Env:GATEPASS_TOKEN_EXPIRES_AT -ErrorAction \
                 SilentlyContinue; throw 'gatepass: no token'\n",
            ),
            _ => None,
        }
    }

    /// Returns the name on the command line.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// Returns a `--format` that replaces the common option, for a command with formats of its own.
pub(crate) fn format_arg(formats: &[Format], help: &'static str) -> Arg {
    let values = formats.iter().filter_map(ValueEnum::to_possible_value);
    let parser = PossibleValuesParser::new(values.map(|value| value.hide(false)))
        .try_map(|name| Format::from_str(&name, false));
    Arg::new("format")
        .long("format")
        .value_name("FORMAT")
        .help_heading(COMMON_HEADING)
        .help(help)
        .value_parser(parser)
}

// The messages of these parsers do not repeat the value, which may be a secret.

/// Parses `KEY=VALUE`.
pub(crate) fn key_value(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE"),
    }
}

/// The error for a value that is not a duration.
#[derive(Debug)]
pub(crate) struct DurationError {
    suggestion: Option<String>,
}

impl DurationError {
    /// Makes the error of a value. The usual mistake is a number without a unit.
    fn new(text: &str) -> Self {
        let number = |digits: &str| -> Option<u32> {
            let is_number = digits.len() <= 6 && digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse().ok().filter(|_| is_number)
        };
        // Days and weeks are not units, because they are not always 24 hours long.
        let hours =
            [("d", 24), ("days", 24), ("day", 24), ("w", 168), ("weeks", 168), ("week", 168)];
        let hours = hours.into_iter().find_map(|(unit, hours)| {
            Some(format!("{}h", number(text.strip_suffix(unit)?.trim_end())? * hours))
        });
        Self { suggestion: number(text).map(|number| format!("{number}s")).or(hours) }
    }

    /// Returns what the user probably meant.
    pub(crate) fn suggestion(&self) -> Option<String> {
        self.suggestion.clone()
    }
}

impl fmt::Display for DurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let example = self.suggestion.as_deref().unwrap_or("90s");
        write!(f, "expected a duration such as {example}, 10m or 1h30m")
    }
}

impl std::error::Error for DurationError {}

/// Parses a duration: `90s`, `10m`, `1h30m` or `0`.
pub(crate) fn duration_or_zero(text: &str) -> Result<Duration, DurationError> {
    let parsed = text.parse::<jiff::SignedDuration>().ok();
    let zero = matches!(text, "0").then_some(Duration::ZERO);
    zero.or_else(|| Duration::try_from(parsed?).ok()).ok_or_else(|| DurationError::new(text))
}

/// Parses a duration that is not zero.
pub(crate) fn duration(text: &str) -> Result<Duration, Box<dyn std::error::Error + Send + Sync>> {
    match duration_or_zero(text)? {
        Duration::ZERO => Err("expected a duration of more than zero".into()),
        duration => Ok(duration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_of_duration_suggests_its_unit() {
        let suggestion = |text| duration_or_zero(text).unwrap_err().suggestion();
        for (text, wanted) in [
            ("120", Some("120s")),
            ("1d", Some("24h")),
            ("2 weeks", Some("336h")),
            ("007", Some("7s")),
        ] {
            assert_eq!(suggestion(text).as_deref(), wanted, "{text}");
        }
        for text in ["", "soon", "-1s", "1234567", "d", "1.5.2"] {
            assert_eq!(suggestion(text), None, "{text}");
        }
    }
}
