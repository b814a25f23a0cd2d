//! Options that several commands share, output formats, and parsers of option values.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

/// What every command takes.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Common {
    /// The config file [default: $GATEPASS_CONFIG, else gatepass/config.toml in the user's
    /// configuration folder]
    #[arg(long, global = true, value_name = "FILE", help_heading = COMMON_HEADING)]
    pub(crate) config: Option<PathBuf>,
    /// Replaces one key of the profile for this run; a secret or an address cannot be replaced so
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = key_value, help_heading = COMMON_HEADING)]
    pub(crate) set: Vec<(String, String)>,
    /// How to print the result
    #[arg(long, global = true, value_name = "FORMAT", help_heading = COMMON_HEADING)]
    pub(crate) format: Option<Format>,
    /// No warnings and no progress
    #[arg(long, short, global = true, help_heading = COMMON_HEADING)]
    pub(crate) quiet: bool,
    /// Says on stderr what happens; -vv says more
    #[arg(long, short, global = true, action = clap::ArgAction::Count, help_heading = COMMON_HEADING)]
    pub(crate) verbose: u8,
}

pub(crate) const COMMON_HEADING: &str = "Common options";

/// How a result is printed. What `token` alone has, only its own help lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// For programs: one JSON value
    Json,
    /// The token alone: the default
    #[value(hide = true)]
    Raw,
    /// Every header the vendor wants, for `curl -H @-`
    #[value(hide = true)]
    Header,
    /// The same as a config of curl's, for `curl -K -`
    #[value(hide = true)]
    Curl,
    /// GATEPASS_TOKEN=…
    #[value(hide = true)]
    Env,
    /// The token and its end, for `eval "$(…)"` in sh, bash or zsh
    #[value(hide = true)]
    Sh,
    /// The same for `… | source` in fish
    #[value(hide = true)]
    Fish,
    /// The same for `… | Out-String | Invoke-Expression` in PowerShell
    #[value(hide = true)]
    Powershell,
    /// The same as lines of a .env file
    #[value(hide = true)]
    Dotenv,
    /// An ExecCredential, for `users[].user.exec` of a kubeconfig
    #[value(hide = true)]
    Kubernetes,
    /// For git's `credential.<url>.helper`
    #[value(hide = true)]
    Git,
    /// For docker's `credHelpers`, from a script docker-credential-NAME
    #[value(hide = true)]
    Docker,
    /// For `credential_process`; for servers that read the token as the session token
    #[value(hide = true)]
    Aws,
    /// For `--credential_helper` of Bazel, from a script
    #[value(hide = true)]
    Bazel,
    /// Why .netrc cannot carry a token, and what does
    #[value(hide = true)]
    NetrcNote,
}

impl Format {
    /// What `token` has, the default first.
    pub(crate) fn of_token() -> Vec<Self> {
        let has = Self::value_variants().iter().copied().filter(|it| *it != Self::Text);
        let (raw, others): (Vec<_>, Vec<_>) = has.partition(|it| *it == Self::Raw);
        [raw, others].concat()
    }

    /// Its name on the command line.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct WaitArgs {
    /// How long to go on when the vendor throttles or is down, at most 4 tries
    #[arg(long, value_name = "DURATION", value_parser = duration_or_zero, default_value = "20s")]
    pub(crate) wait: Duration,
}

pub(crate) fn key_value(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as KEY=VALUE"),
    }
}

pub(crate) fn duration_or_zero(text: &str) -> Result<Duration, &'static str> {
    let parsed = text.parse::<jiff::SignedDuration>().ok();
    let zero = matches!(text, "0").then_some(Duration::ZERO);
    zero.or_else(|| Duration::try_from(parsed?).ok()).ok_or("write it like 90s, 10m or 1h30m")
}

pub(crate) fn duration(text: &str) -> Result<Duration, &'static str> {
    duration_or_zero(text)
        .and_then(|it| if it.is_zero() { Err("must not be zero") } else { Ok(it) })
}
