//! The options of `gatepass call`.

use std::path::PathBuf;
use std::time::Duration;

use crate::options::{WaitArgs, duration, key_value};

#[derive(Debug, clap::Args)]
#[command(
    override_usage = "gatepass call [OPTIONS] <PROFILE> [METHOD] <URL-OR-PATH>",
    after_help = "\
Examples:
  gatepass call cisco /hello                     a GET request; the body goes to stdout
  gatepass call lake GET /api/1.0/clusters --fail
  gatepass call iam /api/v2/tenant/users/user-by-username -d '{\"user_name\":\"ann\"}'
  gatepass call iam /big/export --timeout 5m -o export.csv
  gatepass call lake /api/1.0/clusters --query 'name=my cluster' --query size=3
  gatepass call lake /api/1.0/clusters --json '{\"name\":\"a\"}' --fail
  gatepass call cisco /login --form user=ann --form 'note=a & b'
  gatepass call lake PATCH /api/1.0/clusters/7/resume -H 'X-Trace: 1' -d @body.json

Exit codes with --fail, by the API's status:
  0 below 400   3 for 401 and 403   5 for 429 and other rate limits   6 from 500   9 for other 4xx"
)]
pub(crate) struct CallArgs {
    /// The profile
    pub(super) profile: String,
    /// The method (default: GET, or POST with -d), then a path of the vendor's API or a URL
    #[arg(value_names = ["METHOD", "URL-OR-PATH"], num_args = 1..=2, required = true)]
    pub(super) request: Vec<String>,
    /// Set the method, as in curl
    #[arg(short = 'X', long, alias = "request", value_name = "METHOD")]
    pub(super) method: Option<String>,
    /// Add a header: 'Name: value'
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    pub(super) headers: Vec<String>,
    /// Send a body: a string, @FILE, or @- for stdin; as JSON if it starts with { or [, else as a
    /// form, unless -H sets a Content-Type; repeatable, joined by &
    #[arg(short, long, value_name = "DATA", conflicts_with_all = ["json", "form"])]
    pub(super) data: Vec<String>,
    /// Send a JSON body: a string, @FILE, or @- for stdin; sets Content-Type and Accept, as in curl
    #[arg(long, value_name = "DATA", conflicts_with = "form")]
    pub(super) json: Vec<String>,
    /// Send a form field, encoded; repeatable
    #[arg(long, value_name = "NAME=VALUE", value_parser = name_value)]
    pub(super) form: Vec<(String, String)>,
    /// Add a parameter to the URL's query, encoded; repeatable
    #[arg(long, value_name = "NAME=VALUE", value_parser = name_value)]
    pub(super) query: Vec<(String, String)>,
    /// Write the response to this file, which is replaced only by a complete response
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Print status and headers before the body
    #[arg(short, long)]
    pub(super) include: bool,
    /// Exit with 3, 5, 6 or 9 if the status is 400 or above, and leave the file of -o unchanged
    #[arg(long)]
    pub(super) fail: bool,
    /// Limit the time until the response is complete, e.g. 2m [default: 10s until it starts, and 5s
    /// for each pause]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) timeout: Option<Duration>,
    #[command(flatten)]
    pub(super) wait: WaitArgs,
}

/// Parses `NAME=VALUE` of a form or a query.
fn name_value(text: &str) -> Result<(String, String), &'static str> {
    key_value(text).map_err(|_| "expected NAME=VALUE")
}
