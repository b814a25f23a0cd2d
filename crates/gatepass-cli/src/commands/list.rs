//! `gatepass list`: the profiles and the cached state of each.

mod rows;
mod table;
mod watch;

use std::process::ExitCode;

use self::rows::List;
use crate::error::CommandError;
use crate::options::{Common, Format};
use crate::output::Output;
use crate::session::{warn_of_unused_variables, warn_of_variables};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gatepass list
  gatepass list cisco
  gatepass list --watch              show each change until Ctrl-C
  gatepass list --format json | jq -r '.[].profile'

--watch redraws the screen on a terminal. Otherwise, or with --format json, it prints the whole list
again after each change: a table, or one JSON line.")]
pub(crate) struct ListArgs {
    /// The profile [default: all]
    profile: Option<String>,
    /// Keep running, and show each change
    #[arg(long, short)]
    watch: bool,
}

pub(crate) async fn run(
    args: &ListArgs,
    common: &Common,
    output: &Output,
) -> Result<ExitCode, CommandError> {
    let format = output.format(&[Format::Text, Format::Json])?;
    if args.watch {
        return watch::run(args.profile.as_deref(), format, common, output).await;
    }
    let list = List::read(args.profile.as_deref(), common, output).await?;
    warn_of_unused_variables(&list.gate, output);
    for row in &list.rows {
        warn_of_variables(&list.gate, &row.name, output);
    }
    match format {
        Format::Json => output.json(&list.json())?,
        _ if list.rows.is_empty() => output.status(&list.advice(common)),
        _ => output.styled(&table::text(&list, output.width()))?,
    }
    Ok(ExitCode::SUCCESS)
}
