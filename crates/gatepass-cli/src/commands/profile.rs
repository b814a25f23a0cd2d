//! `gatepass init` and `gatepass profile`: add a profile, remove it, or allow its secrets new
//! addresses.

mod add;
mod allow;
mod config_file;
mod edit;
#[cfg(feature = "__fuzzing")]
mod fuzzing;
mod plan;
mod prompts;
mod remove;
mod secret_refs;
mod secrets;

use std::process::ExitCode;

use self::add::{AddCommand, AddOptions};
#[cfg(feature = "__fuzzing")]
pub use self::fuzzing::NewProfile;
use crate::error::CommandError;
use crate::options::Common;
use crate::output::Output;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gatepass init                       ask for everything, including the vendor
  gatepass init cisco --dry-run       show what it would write
  pass show cisco | gatepass init cisco --field environment=id --field client_id=abc \\
      --secret-stdin client_secret")]
pub(crate) struct InitArgs {
    /// The vendor: an id that `gatepass providers` lists [default: ask]
    provider: Option<String>,
    #[command(flatten)]
    options: AddOptions,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gatepass profile add celerdata --name lake-prod
  gatepass profile remove lake-prod
  gatepass profile allow lake-prod
  gatepass profile add --help")]
pub(crate) struct ProfileArgs {
    #[command(subcommand)]
    command: ProfileCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ProfileCommand {
    /// Add a profile to the config and test it
    #[command(after_help = "\
Examples:
  gatepass profile add celerdata --name lake-prod
  gatepass profile add huawei --field domain=acme.huaweioneaccess.com --field client_id=abc \\
    --secret-stdin client_secret < secret")]
    Add {
        /// The vendor: an id that `gatepass providers` lists
        provider: String,
        #[command(flatten)]
        options: AddOptions,
    },
    /// Allow a profile's stored secrets its current addresses
    #[command(after_help = "\
Examples:
  gatepass profile allow lake              show the addresses, and ask
  gatepass profile allow lake --yes        in a script

A secret that `init` or `profile add` stored is bound to the addresses that the profile had then.
If base_url, host, environment or a similar key leads to another address, the secret is not sent
there until you allow it.")]
    Allow {
        /// The profile
        profile: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Remove a profile, its tokens and its stored secrets
    #[command(after_help = "\
Examples:
  gatepass profile remove lake             show what will be removed, and ask
  gatepass profile remove lake --yes       in a script
  gatepass forget lake                     remove only its cached tokens

A secret is removed if `init` or `profile add` stored it for this profile and no other profile
refers to it. Comments in the profile and directly above it are removed as well. The rest of the
file does not change.")]
    Remove {
        /// The profile
        profile: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

pub(crate) async fn init(
    args: &InitArgs,
    common: &Common,
    output: &Output,
) -> Result<ExitCode, CommandError> {
    AddCommand { options: &args.options, common, output }.run(args.provider.as_deref()).await
}

pub(crate) async fn run(
    args: &ProfileArgs,
    common: &Common,
    output: &Output,
) -> Result<ExitCode, CommandError> {
    match &args.command {
        ProfileCommand::Add { provider, options } => {
            AddCommand { options, common, output }.run(Some(provider)).await
        }
        ProfileCommand::Allow { profile, yes } => allow::run(profile, *yes, common, output).await,
        ProfileCommand::Remove { profile, yes } => remove::run(profile, *yes, common, output).await,
    }
}
