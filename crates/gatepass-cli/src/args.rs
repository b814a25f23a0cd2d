//! The command line, as types.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

pub(crate) use crate::commands::{
    DemoArgs, DoctorArgs, ExecArgs, InitArgs, InspectArgs, LoginArgs, ManArgs, ProfileArgs, WhyArgs,
};
use crate::help;

/// A vendor's access token at a shell: acquired once, never leaked.
#[derive(Debug, Parser)]
#[command(name = "gatepass", version, max_term_width = 100, after_help = help::SHORT)]
#[command(after_long_help = help::long(), disable_help_subcommand = true, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Common {
    /// The config file [default: $GATEPASS_CONFIG, else gatepass/config.toml in the user's
    /// configuration folder]
    #[arg(long, global = true, value_name = "FILE", help_heading = COMMON)]
    pub(crate) config: Option<PathBuf>,
    /// Replaces one key of the profile for this run; a secret or an address cannot be replaced so
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = key_value, help_heading = COMMON)]
    pub(crate) set: Vec<(String, String)>,
    /// How to print the result
    #[arg(long, global = true, value_name = "FORMAT", help_heading = COMMON)]
    pub(crate) format: Option<Format>,
    /// No warnings and no progress
    #[arg(long, short, global = true, help_heading = COMMON)]
    pub(crate) quiet: bool,
    /// Says on stderr what happens; -vv says more
    #[arg(long, short, global = true, action = clap::ArgAction::Count, help_heading = COMMON)]
    pub(crate) verbose: u8,
}

const COMMON: &str = "Common options";

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

/// `--format` as `token` has it, in the place of the one that every command has.
fn format_of_token() -> clap::Arg {
    let values = Format::of_token().into_iter().filter_map(|it| it.to_possible_value());
    let parser = PossibleValuesParser::new(values.map(|value| value.hide(false)))
        .try_map(|name| Format::from_str(&name, false));
    clap::Arg::new("format")
        .long("format")
        .value_name("FORMAT")
        .help_heading(COMMON)
        .help("How to print the token")
        .value_parser(parser)
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Prints a profile's access token
    #[command(arg = format_of_token(), after_help = "\
Examples:
  gatepass token cisco
  gatepass token cisco --format json --min-ttl 10m
  GATEPASS_CISCO_CLIENT_ID=abc GATEPASS_CISCO_CLIENT_SECRET_FILE=cisco.secret gatepass token cisco")]
    Token(TokenArgs),
    /// Makes an API request with a fresh token; the body goes to stdout
    #[command(override_usage = "gatepass call [OPTIONS] <PROFILE> [METHOD] <URL-OR-PATH>")]
    #[command(after_help = "\
Examples:
  gatepass call cisco /hello
  gatepass call lake GET /api/1.0/clusters --fail
  gatepass call iam /api/v2/tenant/users/user-by-username -d '{\"user_name\":\"ann\"}'
  gatepass call iam /big/export --timeout 5m > export.csv
  gatepass call lake PATCH /api/1.0/clusters/7/resume -H 'X-Trace: 1' -d @body.json")]
    Call(CallArgs),
    /// Runs a program with the token in its environment, or in a file that is kept fresh
    #[command(after_help = "\
Examples:
  gatepass exec cisco -- ./report.sh                          the token is in $GATEPASS_TOKEN
  gatepass exec lake --env LAKE_TOKEN -- python load.py
  gatepass exec iam --file /run/user/1000/iam.token -- ./server --port 80

Exit codes:
  the program's own, or 128+N if signal N ended it   125 no token, or another failure of gatepass
  126 the program cannot be run   127 there is no such program")]
    Exec(ExecArgs),
    /// Writes your first profile: asks for what the vendor needs, and tries it
    #[command(after_help = "\
Examples:
  gatepass init                       asks for everything, the vendor too
  gatepass init cisco --dry-run       shows what it would write
  pass show cisco | gatepass init cisco --field client_id=abc --secret-stdin client_secret")]
    Init(InitArgs),
    /// Adds another profile, removes one, or lets its secrets go to changed addresses
    #[command(after_help = help::PROFILE)]
    Profile(ProfileArgs),
    /// Logs a person in with a browser, for profiles with grant = "implicit"
    #[command(after_help = "\
Examples:
  gatepass login cisco                the browser opens, you log in, the token is kept
  gatepass login cisco --paste        no port is opened: you paste the address you come to
  gatepass token cisco                prints the token, until it ends")]
    Login(LoginArgs),
    /// Lists the profiles, and what is kept of each: asks no vendor
    #[command(after_help = help::LIST)]
    List,
    /// Says what is known of a profile and its token, never the token
    Inspect(InspectArgs),
    /// Says what a profile's vendor answered lately when asked for a token, and what to do about it
    Why(WhyArgs),
    /// Checks one step after the other, from the config to the vendor's API, and says what to do
    Doctor(DoctorArgs),
    /// Forgets a profile's token, and what `why` knows of its vendor's answers
    #[command(after_help = "\
Examples:
  gatepass forget cisco
  gatepass token cisco --fresh       asks for another one instead")]
    Forget {
        /// The profile
        profile: String,
    },
    /// Lists the vendors compiled in, and every field of each
    #[command(after_help = help::PROVIDERS)]
    Providers,
    /// Runs the vendors on loopback, for tests in any language
    #[command(after_help = "\
Examples:
  gatepass sandbox
  gatepass sandbox --listen 127.0.0.1:8480 --ttl 30s --fault cisco:status-503*2 --format json
  gatepass token cisco --config /path/it/printed/config.toml")]
    Sandbox(SandboxArgs),
    /// Gets a token from every vendor of a sandbox of its own, and makes an API call with each
    #[command(after_help = "\
Examples:
  gatepass demo
  gatepass demo --login               you log in with your browser, to a made-up vendor")]
    Demo(DemoArgs),
    /// Prints a script that lets a shell complete commands, options and the names of profiles
    #[command(after_help = help::COMPLETIONS)]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Prints the manual as man pages
    #[command(after_help = help::MAN)]
    Man(ManArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct TokenArgs {
    /// The profile: a [profiles.NAME] of the config file, or defined by GATEPASS_NAME_… variables
    pub(crate) profile: String,
    /// What git, docker or Bazel ask of a credential helper; they add it themselves
    pub(crate) operation: Option<String>,
    /// The token must still live so long, such as 10m; exit 8 if the vendor gives a shorter one
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) min_ttl: Option<Duration>,
    /// Asks the vendor even if a good token is at hand
    #[arg(long)]
    pub(crate) fresh: bool,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct WaitArgs {
    /// How long to go on when the vendor throttles or is down, at most 4 tries
    #[arg(long, value_name = "DURATION", value_parser = duration_or_zero, default_value = "20s")]
    pub(crate) wait: Duration,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CallArgs {
    /// The profile
    pub(crate) profile: String,
    /// The method (default GET, or POST with -d), and a path of the vendor's API or an address
    #[arg(value_names = ["METHOD", "URL-OR-PATH"], num_args = 1..=2, required = true)]
    pub(crate) request: Vec<String>,
    /// The method, as curl takes it
    #[arg(short = 'X', long, alias = "request", value_name = "METHOD")]
    pub(crate) method: Option<String>,
    /// A header: 'Name: value'
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    pub(crate) headers: Vec<String>,
    /// The body: a text, @FILE, or @- for stdin; sent as JSON if it begins with { or [, else as a
    /// form, unless -H gives a Content-Type
    #[arg(short, long, value_name = "DATA")]
    pub(crate) data: Option<String>,
    /// Prints status and headers before the body
    #[arg(short, long)]
    pub(crate) include: bool,
    /// Exits with 3, 5 or 6 when the API answers 400 or above
    #[arg(long)]
    pub(crate) fail: bool,
    /// How long the API may take until its answer is complete, such as 2m [default: 10s until it
    /// begins, and 5s at each pause]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SandboxArgs {
    /// Where to listen: loopback only; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8480", value_name = "ADDRESS")]
    pub(crate) listen: SocketAddr,
    /// How long its tokens live, such as 1h [default: as long as each vendor's]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) ttl: Option<Duration>,
    /// A fault from the start: [VENDOR:]NAME[*TIMES][,PARAM=VALUE]; an unknown name lists them all
    #[arg(long, value_name = "FAULT")]
    pub(crate) fault: Vec<String>,
    /// Speaks https, with a certificate made for this run
    #[arg(long)]
    pub(crate) tls: bool,
}

pub(crate) fn key_value(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as KEY=VALUE"),
    }
}

fn duration_or_zero(text: &str) -> Result<Duration, &'static str> {
    let parsed = text.parse::<jiff::SignedDuration>().ok();
    let zero = matches!(text, "0").then_some(Duration::ZERO);
    zero.or_else(|| Duration::try_from(parsed?).ok()).ok_or("write it like 90s, 10m or 1h30m")
}

pub(crate) fn duration(text: &str) -> Result<Duration, &'static str> {
    duration_or_zero(text)
        .and_then(|it| if it.is_zero() { Err("must not be zero") } else { Ok(it) })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// Tests run every option that the help lists.
    fn assert_nothing_hidden(command: &clap::Command) {
        assert!(!command.is_hide_set(), "{}", command.get_name());
        for arg in command.get_arguments() {
            let hidden = arg.is_hide_set() || arg.is_hide_long_help_set();
            assert!(!hidden, "{} {}", command.get_name(), arg.get_id());
        }
        command.get_subcommands().for_each(assert_nothing_hidden);
    }

    #[test]
    fn no_command_and_no_option_is_hidden_from_the_help() {
        let mut command = Args::command();
        command.build();
        assert_nothing_hidden(&command);
    }
}
