//! Shell completion: the scripts that `gatepass completions` prints, and the candidates that a
//! script requests while the user types: commands, options, profiles and vendors.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::{Arg, Command};
use clap_complete::Shell;
use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter, CompletionCandidate};
use clap_complete::env::Shells;
use gatepass::config::{Config, Env};
use gatepass::provider::Registry;
use gatepass_sandbox::Fault;

use crate::error::CommandError;
use crate::options::unused;
use crate::output::Output;
use crate::program;

#[derive(Debug, clap::Args)]
#[command(args = unused(&["config", "set", "quiet", "verbose"]), after_help = "\
Examples:
  source <(gatepass completions bash)                    in ~/.bashrc or, for zsh, ~/.zshrc
  gatepass completions bash > ~/.local/share/bash-completion/completions/gatepass
  gatepass completions fish > ~/.config/fish/completions/gatepass.fish
  gatepass completions zsh > ~/.zfunc/_gatepass          a folder of $fpath
  eval (gatepass completions elvish | slurp)             in ~/.config/elvish/rc.elv
  gatepass completions powershell | Out-String | Invoke-Expression      in $PROFILE

A folder has to be there: mkdir -p ~/.local/share/bash-completion/completions
The script asks gatepass for the names, which reads the config file but no secret and no token.")]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// The variable that the printed script sets to the shell's name.
const VARIABLE: &str = "_GATEPASS_COMPLETE";

pub(crate) fn run(args: &CompletionsArgs, output: &Output) -> Result<ExitCode, CommandError> {
    output.bytes(&script(&args.shell.to_string())?)?;
    Ok(ExitCode::SUCCESS)
}

/// Completes the command line of a shell, if this process was started for that.
///
/// Errors are not printed: they would appear in the line that the user is typing.
pub(crate) fn complete(command: impl FnOnce() -> Command) -> Option<ExitCode> {
    let shell = Env::process().get(VARIABLE).filter(|shell| !shell.is_empty())?;
    let words: Vec<OsString> =
        std::env::args_os().skip_while(|word| word != "--").skip(1).collect();
    let mut candidates = Vec::new();
    let done = Shells::builtins().completer(&shell).map(|shell| {
        let dir = std::env::current_dir().ok();
        let mut command = with_candidates(command(), config_option(&words));
        shell.write_complete(&mut command, words, dir.as_deref(), &mut candidates)
    });
    let is_done = matches!(done, Some(Ok(()))) && std::io::stdout().write_all(&candidates).is_ok();
    Some(if is_done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Returns the script for a shell, which runs the command of the `PATH`.
fn script(shell: &str) -> std::io::Result<Vec<u8>> {
    let mut script = Vec::new();
    let shells = Shells::builtins();
    let Some(shell) = shells.completer(shell) else {
        return Err(std::io::ErrorKind::Unsupported.into());
    };
    let name = program::name();
    shell.write_registration(VARIABLE, name, name, name, &mut script)?;
    if shell.name() == "zsh" {
        // zsh loads a script from a directory of $fpath at the first Tab. The script must complete
        // that first Tab as well.
        let function = name.replace('-', "_");
        writeln!(
            script,
            "\n[[ $funcstack[1] = _{name} ]] && _clap_dynamic_completer_{function} \"$@\""
        )?;
    }
    Ok(script)
}

/// Adds the candidates of profiles, vendors and faults to the command line's arguments.
fn with_candidates(command: Command, config: Option<OsString>) -> Command {
    let commands: Vec<String> =
        command.get_subcommands().map(|one| one.get_name().to_owned()).collect();
    map_arguments(command, &|arg: Arg| match arg.get_id().as_str() {
        "topic" => {
            let names = commands.clone();
            let candidates = move || names.iter().map(CompletionCandidate::new).collect();
            arg.add(ArgValueCandidates::new(candidates))
        }
        "profile" => {
            let config = config.clone();
            arg.add(ArgValueCandidates::new(move || profiles(config.as_deref())))
        }
        "provider" => arg.add(ArgValueCandidates::new(providers)),
        "fault" => arg.add(ArgValueCompleter::new(faults)),
        _ => arg,
    })
}

/// Applies `map` to each argument of a command and of its subcommands.
fn map_arguments(command: Command, map: &impl Fn(Arg) -> Arg) -> Command {
    let command = command.mut_args(map);
    let names: Vec<String> =
        command.get_subcommands().map(|one| one.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| {
        command.mut_subcommand(name, |command| map_arguments(command, map))
    })
}

/// Returns the value of `--config` on the command line so far.
fn config_option(words: &[OsString]) -> Option<OsString> {
    let own = words.iter().take_while(|word| *word != "--");
    let mut own = own.skip_while(|word| !word.to_string_lossy().starts_with("--config"));
    let word = own.next()?.to_str()?;
    match word.strip_prefix("--config")? {
        "" => own.next().cloned(),
        glued => glued.strip_prefix('=').map(OsString::from),
    }
}

/// Lists the profiles that the config file and the environment define.
fn profiles(config: Option<&OsStr>) -> Vec<CompletionCandidate> {
    let config = match config {
        Some(path) => Config::load(Path::new(path)),
        None => Config::find(),
    };
    let (Ok(config), Ok(registry)) = (config, Registry::linked()) else { return Vec::new() };
    config.names(&registry).into_iter().map(CompletionCandidate::new).collect()
}

fn providers() -> Vec<CompletionCandidate> {
    let linked = Registry::linked();
    let infos = linked.iter().flat_map(Registry::iter);
    infos
        .map(|info| {
            let title = info.title.to_string();
            CompletionCandidate::new(info.id.to_string()).help(Some(title.into()))
        })
        .collect()
}

/// Lists candidates for `[VENDOR:]NAME`: vendors and faults, and after a vendor's colon the faults.
fn faults(current: &OsStr) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    let (vendor, typed) = match current.rsplit_once(':') {
        Some((vendor, typed)) => (format!("{vendor}:"), typed),
        None => (String::new(), &*current),
    };
    let vendors = providers().into_iter().filter(|_| vendor.is_empty());
    let vendors = vendors
        .map(|one| (format!("{}:", one.get_value().to_string_lossy()), one.get_help().cloned()));
    let faults = Fault::all().map(|fault| (fault.name.to_owned(), Some(fault.help.into())));
    let all = vendors.chain(faults).filter(|(name, _)| name.starts_with(typed));
    all.map(|(name, help)| CompletionCandidate::new(format!("{vendor}{name}")).help(help)).collect()
}
