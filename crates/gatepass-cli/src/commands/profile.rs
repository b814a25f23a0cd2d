//! `gatepass init` and `gatepass profile add`: a profile is asked for, written and tried.
//! `gatepass profile allow`: its secrets may go where it goes now. `gatepass profile remove`: it goes.

mod add;
mod allow;
mod config_file;
mod edit;
#[cfg(feature = "__fuzzing")]
mod fuzzing;
mod prompts;
mod remove;
mod secret_refs;
mod secrets;

use std::path::PathBuf;
use std::process::ExitCode;

use gatepass::Env;

use self::add::Task;
#[cfg(feature = "__fuzzing")]
pub use self::fuzzing::NewProfile;
use self::secrets::Keep;
use crate::error::{CommandError, usage};
use crate::options::{Common, WaitArgs, key_value};
use crate::output::Output;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gatepass init                       asks for everything, the vendor too
  gatepass init cisco --dry-run       shows what it would write
  pass show cisco | gatepass init cisco --field client_id=abc --secret-stdin client_secret")]
pub(crate) struct InitArgs {
    /// The vendor: an id that `gatepass providers` lists [default: asks]
    provider: Option<String>,
    #[command(flatten)]
    how: How,
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
    /// Adds a profile to the config: asks for what the vendor needs, and tries it
    #[command(after_help = "\
Examples:
  gatepass profile add celerdata --name lake-prod
  gatepass profile add huawei --field domain=acme.huaweioneaccess.com --field client_id=abc \\
    --secret-stdin client_secret < secret")]
    Add {
        /// The vendor: an id that `gatepass providers` lists
        provider: String,
        #[command(flatten)]
        how: How,
    },
    /// Lets a profile's stored secrets go to the addresses that it has now
    #[command(after_help = "\
Examples:
  gatepass profile allow lake              shows the addresses, and asks
  gatepass profile allow lake --yes        in a script

A secret that `init` or `profile add` stored is kept for the addresses that the profile had then.
Where base_url, host, environment or the like lead elsewhere, it is not sent until you allow that.")]
    Allow {
        /// The profile
        profile: String,
        /// Does not ask
        #[arg(long)]
        yes: bool,
    },
    /// Removes a profile from the config, with its tokens and the secrets stored for it
    #[command(after_help = "\
Examples:
  gatepass profile remove lake             shows what goes, and asks
  gatepass profile remove lake --yes       in a script
  gatepass forget lake                     forgets its token alone

A secret goes if `init` or `profile add` stored it for this profile and no other one refers to it.
Comments directly above the profile and in it go too; all else in the file stays as it is.")]
    Remove {
        /// The profile
        profile: String,
        /// Does not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, clap::Args)]
struct How {
    /// The profile's name [default: the vendor's id, or with -2, -3 … behind it]
    #[arg(long)]
    name: Option<String>,
    /// Answers a question: a key of the profile that is no secret
    #[arg(long = "field", value_name = "KEY=VALUE", value_parser = key_value)]
    fields: Vec<(String, String)>,
    /// Reads this secret from standard input
    #[arg(long, value_name = "FIELD", conflicts_with = "secrets_stdin")]
    secret_stdin: Option<String>,
    /// Reads secrets from standard input: a line FIELD=VALUE for each
    #[arg(long)]
    secrets_stdin: bool,
    /// Where secrets are kept [default: keyring, or file where no keyring answers]
    #[arg(long, value_name = "WHERE")]
    secrets: Option<Keep>,
    /// Asks also for what the profile may do without
    #[arg(long)]
    all: bool,
    /// Replaces a profile of that name without asking
    #[arg(long)]
    force: bool,
    /// Prints what would be written, and writes nothing
    #[arg(long)]
    dry_run: bool,
    /// Asks the vendor for no token afterwards
    #[arg(long)]
    no_test: bool,
    #[command(flatten)]
    wait: WaitArgs,
}

pub(crate) async fn init(
    args: &InitArgs,
    common: &Common,
    output: &Output,
) -> Result<ExitCode, CommandError> {
    add::interruptible(Task { how: &args.how, common, output }, args.provider.as_deref()).await
}

pub(crate) async fn run(
    args: &ProfileArgs,
    common: &Common,
    output: &Output,
) -> Result<ExitCode, CommandError> {
    match &args.command {
        ProfileCommand::Add { provider, how } => {
            add::interruptible(Task { how, common, output }, Some(provider)).await
        }
        ProfileCommand::Allow { profile, yes } => allow::run(profile, *yes, common, output).await,
        ProfileCommand::Remove { profile, yes } => remove::run(profile, *yes, common, output).await,
    }
}

/// Where the other commands look for profiles.
fn config_path(common: &Common) -> Result<PathBuf, CommandError> {
    let env = Env::process();
    let named = env.get("GATEPASS_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
    let path = common.config.clone().or(named).or_else(|| env.default_config_path());
    path.ok_or_else(|| usage("there is no folder for a config file", "name one: --config FILE"))
}
