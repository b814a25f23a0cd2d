//! The command line, as types.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

/// A vendor's access token at a shell: acquired once, never leaked.
#[derive(Debug, Parser)]
#[command(name = "gatepass", version, max_term_width = 100, after_help = EXAMPLES)]
#[command(disable_help_subcommand = true, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  gatepass demo                                  every vendor, no configuration, no network
  gatepass token cisco                           the token alone on stdout
  gatepass token cisco --format header | curl -H @- https://api.cisco.com/hello
  gatepass call cisco /hello                     an API request with a fresh token

Exit codes:
  0 ok   1 internal   2 usage or config   3 refused by the vendor   4 login needed
  5 throttled   6 vendor or network down, or no usable answer   8 token shorter than --min-ttl";

/// What every command takes.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Common {
    /// The config file [default: $GATEPASS_CONFIG, else gatepass/config.toml in the user's
    /// configuration folder]
    #[arg(long, global = true, value_name = "FILE", help_heading = COMMON)]
    pub(crate) config: Option<PathBuf>,
    /// Replaces one key of the profile for this call: neither a secret nor an address
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = key_value, help_heading = COMMON)]
    pub(crate) set: Vec<(String, String)>,
    /// How to print the result
    #[arg(long, global = true, value_name = "FORMAT", help_heading = COMMON)]
    pub(crate) format: Option<Format>,
    /// No warnings and no progress
    #[arg(long, short, global = true, help_heading = COMMON)]
    pub(crate) quiet: bool,
    /// Says on stderr what happens; twice: more
    #[arg(long, short, global = true, action = clap::ArgAction::Count, help_heading = COMMON)]
    pub(crate) verbose: u8,
}

const COMMON: &str = "Common options";

/// How a result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// For programs: one JSON value
    Json,
    /// `token`: the token alone
    Raw,
    /// `token`: every header the vendor wants, for `curl -H @-`
    Header,
    /// `token`: GATEPASS_TOKEN=…
    Env,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Prints a profile's access token
    #[command(after_help = "\
Examples:
  gatepass token cisco
  gatepass token cisco --format json --min-ttl 10m
  GATEPASS_CISCO_CLIENT_ID=abc GATEPASS_CISCO_CLIENT_SECRET_FILE=/run/secrets/cisco gatepass token cisco")]
    Token(TokenArgs),
    /// Makes an API request with a fresh token; the body goes to stdout
    #[command(after_help = "\
Examples:
  gatepass call cisco /hello
  gatepass call lake GET /api/1.0/clusters --fail
  gatepass call iam POST /api/v2/tenant/users/user-by-username -d '{\"user_name\":\"ann\"}'
  gatepass call lake PATCH /api/1.0/clusters/7/resume -H 'X-Trace: 1' -d @body.json")]
    Call(CallArgs),
    /// Lists the profiles
    List,
    /// Says what is known of a profile and its token, never the token
    Inspect {
        /// The profile
        profile: String,
    },
    /// Forgets a profile's token, whatever its secret was
    #[command(after_help = "\
Examples:
  gatepass forget cisco
  gatepass token cisco --fresh       asks for another one instead")]
    Forget {
        /// The profile
        profile: String,
    },
    /// Lists the vendors compiled in, and every field of each
    Providers,
    /// Runs the vendors on loopback, for tests in any language
    #[command(after_help = "\
Examples:
  gatepass sandbox
  gatepass sandbox --listen 127.0.0.1:8480 --ttl 30s --fault cisco:status-503*2 --format json
  gatepass token cisco --config /path/it/printed/config.toml")]
    Sandbox(SandboxArgs),
    /// Gets a token from every vendor of a sandbox of its own, and makes an API call with each
    Demo,
    /// Prints a completion script
    #[command(after_help = "\
Examples:
  gatepass completions bash > /etc/bash_completion.d/gatepass
  gatepass completions fish > ~/.config/fish/completions/gatepass.fish")]
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct TokenArgs {
    /// The profile: a [profiles.NAME] of the config file, or defined by GATEPASS_NAME_… variables
    pub(crate) profile: String,
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
    /// A header: 'Name: value'
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    pub(crate) headers: Vec<String>,
    /// The body: a text, @FILE, or @- for stdin
    #[arg(short, long, value_name = "DATA")]
    pub(crate) data: Option<String>,
    /// Prints status and headers before the body
    #[arg(short, long)]
    pub(crate) include: bool,
    /// Exits with 3, 5 or 6 when the API answers 400 or above
    #[arg(long)]
    pub(crate) fail: bool,
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

fn key_value(text: &str) -> Result<(String, String), &'static str> {
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

fn duration(text: &str) -> Result<Duration, &'static str> {
    duration_or_zero(text)
        .and_then(|it| if it.is_zero() { Err("must not be zero") } else { Ok(it) })
}
