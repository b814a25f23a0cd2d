//! Reports mistakes on the command line without repeating what may be a secret.
//!
//! clap's messages repeat the argument that it does not understand, so the messages here are our
//! own. They repeat a value only if [`arguments::quoted`] accepts it.

use std::process::ExitCode;

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use gatepass::Hint;

use crate::args::Args;
use crate::error::usage;
use crate::{arguments, exit, output};

/// Prints the help that the user requested, or reports a mistake and returns its exit code.
pub(crate) fn report(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        return match error.print() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => output::fail_before_start(&error.into()),
        };
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // The user typed nothing: the help goes to stderr and is not a success.
        let _ = error.print();
        return ExitCode::from(exit::USAGE);
    }
    let message = message(error);
    let error = match (command().as_deref(), error.kind()) {
        // `exec` reserves 125: exit code 2 would be its program's.
        (Some("exec"), ErrorKind::UnknownArgument) if option(error).is_none() => {
            let command = ["gatepass", "exec", "PROFILE", "--", "PROGRAM"];
            usage(message, Hint::run("put the program after --", command))
                .with_exit_code(exit::EXEC_FAILED)
        }
        (Some("exec"), _) => usage(message, hint(error)).with_exit_code(exit::EXEC_FAILED),
        _ => usage(message, hint(error)),
    };
    output::fail_before_start(&error)
}

fn message(error: &clap::Error) -> String {
    let named = argument_names(error);
    let quoted =
        |kind| text(error, kind).map(|value| arguments::quoted(&value)).unwrap_or_default();
    match (error.kind(), option(error)) {
        (ErrorKind::UnknownArgument, Some(option)) => format!("unexpected option '{option}'"),
        (ErrorKind::UnknownArgument, None) => {
            format!("unexpected argument{}", quoted(ContextKind::InvalidArg))
        }
        (ErrorKind::InvalidSubcommand, _) => {
            format!("unrecognized command{}", quoted(ContextKind::InvalidSubcommand))
        }
        (ErrorKind::InvalidValue | ErrorKind::ValueValidation | ErrorKind::NoEquals, _) => {
            match text(error, ContextKind::InvalidValue).filter(|value| !value.is_empty()) {
                None => format!("{named} requires a value"),
                Some(value) => {
                    let value = arguments::quoted(&value);
                    // The messages of the parsers in options.rs do not repeat the value.
                    let expected = std::error::Error::source(error).map(|it| format!(": {it}"));
                    format!("invalid value{value} for {named}{}", expected.unwrap_or_default())
                }
            }
        }
        (ErrorKind::MissingRequiredArgument, _) => {
            // `call` takes one or two arguments, and clap names the first as the missing one.
            let named = named.replace("<METHOD> [URL-OR-PATH]...", "<URL-OR-PATH>");
            format!("missing argument {named}")
        }
        (ErrorKind::ArgumentConflict, _) => {
            format!("{named} cannot be given twice or with another option")
        }
        (ErrorKind::MissingSubcommand, _) => String::from("no command given"),
        (ErrorKind::InvalidUtf8, _) => String::from("an argument is not UTF-8"),
        _ => format!("invalid use of {named}"),
    }
}

fn hint(error: &clap::Error) -> Hint {
    let is_unknown = error.kind() == ErrorKind::UnknownArgument;
    if is_unknown && option(error).is_some_and(|option| arguments::announces_secret(&option)) {
        return Hint::new(
            "no option takes a secret, because every user of this machine can read arguments: use \
             a variable, a file or a command (see the config file's { env = … } { file = … } \
             { command = … })",
        );
    }
    let list = |kind, before: &str| {
        let values = error.get(kind).map(texts).filter(|values| !values.is_empty())?;
        Some(Hint::new(format!("{before}{}", values.join(", "))))
    };
    list(ContextKind::SuggestedArg, "did you mean ")
        .or_else(|| list(ContextKind::SuggestedSubcommand, "did you mean "))
        .or_else(|| list(ContextKind::ValidValue, "possible values: "))
        .unwrap_or_else(help_hint)
}

/// Returns the option that clap rejected, without its value.
fn option(error: &clap::Error) -> Option<String> {
    let text = text(error, ContextKind::InvalidArg)?;
    match text.strip_prefix('-') {
        None | Some("") => None,
        Some(long) if long.starts_with('-') => {
            Some(text.split(['=', ' ']).next().unwrap_or_default().to_owned())
        }
        // Behind a short option's letter there may be its value.
        Some(short) => short.chars().next().map(|letter| format!("-{letter}")),
    }
}

/// Returns the first word that is not an option: the command.
fn command() -> Option<String> {
    let mut words = arguments::own().into_iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            // Only common options precede the command, and these take a value.
            "--config" | "--set" | "--format" => drop(words.next()),
            option if option.starts_with('-') => {}
            _ => return Some(word),
        }
    }
    None
}

/// Returns the hint to read the help of the command that was misused.
fn help_hint() -> Hint {
    let known = command().filter(|word| Args::command().find_subcommand(word).is_some());
    let words = [Some(String::from("gatepass")), known, Some(String::from("--help"))];
    Hint::run("see the help", words.into_iter().flatten())
}

/// Returns the names of the arguments that an error is about, without values.
fn argument_names(error: &clap::Error) -> String {
    let names = error.get(ContextKind::InvalidArg).map(texts).unwrap_or_default();
    let names = names.into_iter().filter_map(|text| {
        let is_placeholder = text.starts_with('<') || text.starts_with('[');
        let name = text.split(['=', ' ']).next().unwrap_or_default().to_owned();
        if is_placeholder { Some(text) } else { name.starts_with("--").then_some(name) }
    });
    names.collect::<Vec<_>>().join(", ")
}

fn text(error: &clap::Error, kind: ContextKind) -> Option<String> {
    error.get(kind).map(texts)?.into_iter().next()
}

fn texts(value: &ContextValue) -> Vec<String> {
    match value {
        ContextValue::String(text) => vec![text.clone()],
        ContextValue::Strings(texts) => texts.clone(),
        _ => Vec::new(),
    }
}
