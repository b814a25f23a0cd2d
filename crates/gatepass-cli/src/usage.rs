//! Mistakes on the command line, told without repeating what may be a secret.

use std::process::ExitCode;

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::args::Args;
use crate::error::usage;
use crate::{exit, output};

/// Prints clap's help as it is, and its errors in our own words: clap repeats the argument it does
/// not understand, and that may be a secret.
pub(crate) fn report(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        return match error.print() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => output::fail_before_start(&error.into()),
        };
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // Help for somebody who typed nothing: on stderr, and not a success.
        let _ = error.print();
        return ExitCode::from(exit::USAGE);
    }
    let named = error.get(ContextKind::InvalidArg).map(shown).unwrap_or_default();
    let message = match error.kind() {
        ErrorKind::UnknownArgument if named.is_empty() => String::from("an argument too many"),
        ErrorKind::UnknownArgument => format!("there is no option {named}"),
        ErrorKind::InvalidSubcommand => String::from("there is no such command"),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation | ErrorKind::NoEquals => {
            format!("{named} has a value it does not take")
        }
        ErrorKind::MissingRequiredArgument => {
            // `call` takes one or two, of which clap names the first as what is missing.
            format!("{} is missing", named.replace("<METHOD> [URL-OR-PATH]...", "<URL-OR-PATH>"))
        }
        ErrorKind::ArgumentConflict => format!("{named} cannot be used twice or with another"),
        ErrorKind::MissingSubcommand => String::from("a command is missing"),
        ErrorKind::InvalidUtf8 => String::from("an argument is not UTF-8"),
        _ => format!("{named} is used wrongly"),
    };
    let secretive = ["secret", "password", "token", "key"].iter().any(|word| named.contains(word));
    let hint = if secretive && error.kind() == ErrorKind::UnknownArgument {
        String::from(
            "no option takes a secret, since every user of this machine can read arguments: use a \
             variable, a file or a command (see the config file's { env = … } { file = … } \
             { command = … })",
        )
    } else {
        hint(error)
    };
    let failure = match (is_exec(), error.kind()) {
        (false, _) => usage(message, hint),
        (true, ErrorKind::UnknownArgument) if named.is_empty() => {
            usage(message, "the program stands behind --: gatepass exec PROFILE -- PROGRAM")
                .with_exit_code(exit::EXEC_FAILED)
        }
        (true, _) => usage(message, hint).with_exit_code(exit::EXEC_FAILED),
    };
    output::fail_before_start(&failure)
}

/// Whether the command is `exec`, whose exit code 2 is its program's.
fn is_exec() -> bool {
    command().is_some_and(|command| command == "exec")
}

/// The word that stands where the command does.
fn command() -> Option<String> {
    let mut words = output::own_words().into_iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            // Before the command stand common options alone, and these take a value.
            "--config" | "--set" | "--format" => drop(words.next()),
            option if option.starts_with('-') => {}
            _ => return Some(word),
        }
    }
    None
}

/// The command whose help tells how it is used.
fn help() -> String {
    let known = command().filter(|word| Args::command().find_subcommand(word).is_some());
    let command = known.map(|word| format!("{word} ")).unwrap_or_default();
    format!("see gatepass {command}--help")
}

fn hint(error: &clap::Error) -> String {
    let list = |kind, what: &str| {
        let values = error.get(kind).map(all).filter(|values| !values.is_empty())?;
        Some(format!("{what}{}", values.join(", ")))
    };
    list(ContextKind::SuggestedArg, "did you mean ")
        .or_else(|| list(ContextKind::SuggestedSubcommand, "did you mean "))
        .or_else(|| list(ContextKind::ValidValue, "it is one of: "))
        .or_else(|| {
            // The messages of args.rs's own parsers: they repeat nothing.
            std::error::Error::source(error).map(ToString::to_string)
        })
        .unwrap_or_else(help)
}

/// An option's name without its value; nothing for an argument that is no option.
fn shown(value: &ContextValue) -> String {
    let names = all(value).into_iter().filter_map(|text| {
        let name = text.split(['=', ' ']).next().unwrap_or_default().to_owned();
        let ours = text.starts_with('<') || text.starts_with('[');
        if ours { Some(text) } else { name.starts_with("--").then_some(name) }
    });
    names.collect::<Vec<_>>().join(", ")
}

fn all(value: &ContextValue) -> Vec<String> {
    match value {
        ContextValue::String(text) => vec![text.clone()],
        ContextValue::Strings(texts) => texts.clone(),
        _ => Vec::new(),
    }
}
