//! What a shell asks while somebody types: commands, options, and the names of profiles and vendors.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::{Arg, Command, CommandFactory};
use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter, CompletionCandidate};
use clap_complete::env::Shells;
use gatepass::{Config, Env, Registry};
use gatepass_sandbox::Fault;

use crate::args::Args;

/// Set by the script that `gatepass completions` prints, to the shell's name.
const VARIABLE: &str = "_GATEPASS_COMPLETE";

/// Answers a shell, if one asks. Nothing is said of an error: it would stand in the line that
/// somebody types.
pub(crate) fn answer() -> Option<ExitCode> {
    let shell = Env::process().get(VARIABLE).filter(|shell| !shell.is_empty())?;
    let words: Vec<OsString> =
        std::env::args_os().skip_while(|word| word != "--").skip(1).collect();
    let mut answer = Vec::new();
    let done = Shells::builtins().completer(&shell).map(|shell| {
        let folder = std::env::current_dir().ok();
        shell.write_complete(&mut command(&words), words, folder.as_deref(), &mut answer)
    });
    let told = matches!(done, Some(Ok(()))) && std::io::stdout().write_all(&answer).is_ok();
    Some(if told { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The script for a shell, by the shell's name: it asks `gatepass` of the `PATH`.
pub(crate) fn script(shell: &str) -> std::io::Result<Vec<u8>> {
    let mut script = Vec::new();
    let shells = Shells::builtins();
    let Some(shell) = shells.completer(shell) else {
        return Err(std::io::ErrorKind::Unsupported.into());
    };
    shell.write_registration(VARIABLE, "gatepass", "gatepass", "gatepass", &mut script)?;
    if shell.name() == "zsh" {
        // From a folder of $fpath the script runs at the first Tab, and is to answer that one too.
        script.extend_from_slice(
            b"\n[[ $funcstack[1] = _gatepass ]] && _clap_dynamic_completer_gatepass \"$@\"\n",
        );
    }
    Ok(script)
}

/// The command line, with what its arguments may be.
fn command(words: &[OsString]) -> Command {
    let config = config_of(words);
    let known = |arg: Arg| match arg.get_id().as_str() {
        "profile" => {
            let config = config.clone();
            arg.add(ArgValueCandidates::new(move || profiles(config.as_deref())))
        }
        "provider" => arg.add(ArgValueCandidates::new(providers)),
        "fault" => arg.add(ArgValueCompleter::new(faults)),
        _ => arg,
    };
    with_values(Args::command(), &known)
}

/// A command and those below it, with this done to each argument.
fn with_values(command: Command, known: &impl Fn(Arg) -> Arg) -> Command {
    let command = command.mut_args(known);
    let names: Vec<String> =
        command.get_subcommands().map(|one| one.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| {
        command.mut_subcommand(name, |command| with_values(command, known))
    })
}

/// The file behind `--config` among the words typed so far.
fn config_of(words: &[OsString]) -> Option<OsString> {
    let own = words.iter().take_while(|word| *word != "--");
    let mut own = own.skip_while(|word| !word.to_string_lossy().starts_with("--config"));
    let word = own.next()?.to_str()?;
    match word.strip_prefix("--config")? {
        "" => own.next().cloned(),
        glued => glued.strip_prefix('=').map(OsString::from),
    }
}

/// The names of the profiles that the config file and the environment define.
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
    infos.map(|info| CompletionCandidate::new(info.id).help(Some(info.title.into()))).collect()
}

/// `[VENDOR:]NAME`: the vendors, the faults, and behind a vendor's colon the faults once more.
fn faults(current: &OsStr) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    let (vendor, begun) = match current.rsplit_once(':') {
        Some((vendor, begun)) => (format!("{vendor}:"), begun),
        None => (String::new(), &*current),
    };
    let vendors = providers().into_iter().filter(|_| vendor.is_empty());
    let vendors = vendors
        .map(|one| (format!("{}:", one.get_value().to_string_lossy()), one.get_help().cloned()));
    let faults = Fault::all().map(|fault| (fault.name.to_owned(), Some(fault.help.into())));
    let all = vendors.chain(faults).filter(|(name, _)| name.starts_with(begun));
    all.map(|(name, help)| CompletionCandidate::new(format!("{vendor}{name}")).help(help)).collect()
}
