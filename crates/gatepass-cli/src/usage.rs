//! Reports mistakes on the command line without repeating what may be a secret.
//!
//! clap's messages repeat the argument that it does not understand, so the messages here are our
//! own. They repeat a value only if [`arguments::quoted`] accepts it.

use std::process::ExitCode;

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use gatepass::Hint;

use crate::args::Args;
use crate::arguments::TypedArguments;
use crate::error::{CommandError, usage};
use crate::options::DurationError;
use crate::{arguments, exit, output, suggestion};

/// Prints the help that the user requested, or reports a mistake and returns its exit code.
pub(crate) fn report(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        return match error.print() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => output::fail_before_start(&error.into(), None),
        };
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // The user typed nothing: the help goes to stderr and is not a success.
        let _ = error.print();
        return ExitCode::from(exit::USAGE);
    }
    let message = message(error);
    let mut hints = hints(error).into_iter();
    let first = hints.next().unwrap_or_else(help_hint);
    let is_exec = command().as_deref() == Some("exec");
    let unknown_word = error.kind() == ErrorKind::UnknownArgument && option(error).is_none();
    let first = match is_exec && unknown_word {
        true => {
            Hint::run("put the program after --", ["gatepass", "exec", "PROFILE", "--", "PROGRAM"])
        }
        false => first,
    };
    let reported = hints.fold(usage(message, first), CommandError::hint);
    // `exec` reserves 125: exit code 2 would be its program's.
    let reported = if is_exec { reported.with_exit_code(exit::EXEC_FAILED) } else { reported };
    output::fail_before_start(&reported, typed().config.as_deref())
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
        (ErrorKind::ArgumentConflict, _) => match names(error, ContextKind::PriorArg) {
            other if other.is_empty() || other == named => {
                format!("{named} cannot be given twice")
            }
            other => format!("{named} cannot be used with {other}"),
        },
        (ErrorKind::MissingSubcommand, _) => String::from("no command given"),
        (ErrorKind::InvalidUtf8, _) => String::from("an argument is not UTF-8"),
        _ => format!("invalid use of {named}"),
    }
}

/// Returns what to type instead, if that can be known.
fn hints(error: &clap::Error) -> Vec<Hint> {
    let is_unknown = error.kind() == ErrorKind::UnknownArgument;
    let option = option(error);
    if is_unknown && option.as_deref().is_some_and(arguments::announces_secret) {
        return vec![Hint::new(
            "no option takes a secret, because every user of this machine can read arguments: use \
             a variable, a file or a command (see the config file's { env = … } { file = … } \
             { command = … })",
        )];
    }
    let typed = typed();
    let suggested = match (error.kind(), option.as_deref()) {
        (ErrorKind::UnknownArgument, Some(option)) => suggestion::for_option(option, &typed),
        (ErrorKind::UnknownArgument, None) => suggestion::for_unexpected(&typed),
        (ErrorKind::MissingRequiredArgument, _)
            if argument_names(error).starts_with("<PROFILE>") =>
        {
            suggestion::for_missing_profile(&typed)
        }
        (ErrorKind::ValueValidation, _) => duration_hint(error, &typed),
        (ErrorKind::InvalidSubcommand, _) => {
            let unknown = unknown_command(error, typed);
            if !unknown.is_empty() {
                return unknown;
            }
            None
        }
        _ => None,
    };
    let list = |kind, before: &str| {
        let values = error.get(kind).map(texts).filter(|values| !values.is_empty())?;
        Some(Hint::new(format!("{before}{}", values.join(", "))))
    };
    let hint = suggested
        .or_else(|| list(ContextKind::SuggestedArg, "did you mean "))
        .or_else(|| list(ContextKind::SuggestedSubcommand, "did you mean "))
        .or_else(|| list(ContextKind::ValidValue, "possible values: "));
    vec![hint.unwrap_or_else(help_hint)]
}

/// Returns the hints for a command that does not exist, at the top level or below another one.
fn unknown_command(error: &clap::Error, mut typed: TypedArguments) -> Vec<Hint> {
    let unknown = text(error, ContextKind::InvalidSubcommand);
    let position = typed.words.iter().position(|word| Some(word) == unknown.as_ref());
    let words = typed.words.split_off(position.unwrap_or(typed.words.len()));
    let parent = std::mem::replace(&mut typed.words, words).pop();
    let hints = suggestion::for_unknown(parent.as_deref(), &typed);
    if !hints.is_empty() || parent.is_some() {
        return hints;
    }
    let similar = error.get(ContextKind::SuggestedSubcommand).map(texts).unwrap_or_default();
    similar.first().and_then(|one| suggestion::for_similar(one, &typed)).into_iter().collect()
}

/// Returns the hint for a duration whose unit is missing or unknown.
fn duration_hint(error: &clap::Error, typed: &TypedArguments) -> Option<Hint> {
    let source = std::error::Error::source(error)?.downcast_ref::<DurationError>()?;
    let value = source.suggestion()?;
    Some(suggestion::for_duration(&argument_names(error), &value, typed))
}

/// Takes this process's arguments apart.
fn typed() -> TypedArguments {
    let mut options = suggestion::value_options();
    add_value_options(&Args::command(), &mut options);
    TypedArguments::new(&arguments::own(), &options)
}

/// Adds the options of a command and of its subcommands that take a value.
fn add_value_options(command: &clap::Command, options: &mut Vec<String>) {
    for arg in command.get_arguments().filter(|arg| arg.get_action().takes_values()) {
        options.extend(arg.get_long().map(|name| format!("--{name}")));
        options.extend(arg.get_short().map(|name| format!("-{name}")));
    }
    command.get_subcommands().for_each(|one| add_value_options(one, options));
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
    typed().words.into_iter().next()
}

/// Returns the hint to read the help of the command that was misused.
fn help_hint() -> Hint {
    let known = command().filter(|word| Args::command().find_subcommand(word).is_some());
    let words = [Some(String::from("gatepass")), known, Some(String::from("--help"))];
    Hint::run("see the help", words.into_iter().flatten())
}

/// Returns the names of the arguments that an error is about, without values.
fn argument_names(error: &clap::Error) -> String {
    names(error, ContextKind::InvalidArg)
}

fn names(error: &clap::Error, kind: ContextKind) -> String {
    let names = error.get(kind).map(texts).unwrap_or_default();
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
