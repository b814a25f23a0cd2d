//! The profiles of one `exec`, and the variables that their tokens are put in.

use gatepass::{Error, Gate, Hint, cli_support};

use crate::arguments::quoted;
use crate::error::{CommandError, usage};
use crate::exit;

/// The variable that holds the token of a single profile.
pub(super) const TOKEN: &str = "GATEPASS_TOKEN";
/// The variable that holds the expiry of the token in [`TOKEN`].
pub(super) const EXPIRES_AT: &str = "GATEPASS_TOKEN_EXPIRES_AT";
/// The variable that holds the path of the token file.
pub(super) const TOKEN_FILE: &str = "GATEPASS_TOKEN_FILE";

/// What the command line has about the profiles.
#[derive(Clone, Copy)]
pub(super) struct ProfileWords<'a> {
    /// `NAME` or `NAME=ENV`, in order.
    pub(super) profiles: &'a [String],
    /// The variables of `--env`.
    pub(super) env: &'a [String],
    pub(super) has_file: bool,
    /// Whether the user wrote `--`.
    pub(super) has_separator: bool,
}

/// A profile, and the variables of its token.
#[derive(Debug)]
pub(super) struct TokenTarget {
    pub(super) profile: String,
    pub(super) variables: Vec<String>,
}

/// Reads the profiles of the command line.
///
/// `Config` if a profile does not exist (without `--` with the exit code of a usage error), if a variable has no valid name, and if two tokens would be
/// put in one variable.
pub(super) fn targets(
    words: ProfileWords<'_>,
    gate: &Gate,
) -> Result<Vec<TokenTarget>, CommandError> {
    let named: Vec<(&str, Option<&str>)> = words
        .profiles
        .iter()
        .map(|word| word.split_once('=').map_or((&**word, None), |(name, env)| (name, Some(env))))
        .collect();
    for (at, (name, _)) in named.iter().enumerate() {
        if !cli_support::is_defined(gate, name) {
            let may_be_program = at > 0 || !words.has_separator;
            let error = unknown_profile(gate, name, may_be_program);
            return Err(match words.has_separator {
                true => error,
                false => error.with_exit_code(exit::USAGE),
            });
        }
    }
    let is_single = named.len() == 1;
    if !is_single {
        for (option, is_given) in [("--env", !words.env.is_empty()), ("--file", words.has_file)] {
            if is_given {
                return Err(usage(
                    format!("{option} is for one profile only"),
                    "name each profile's variable: PROFILE=ENV",
                ));
            }
        }
    }
    let mut targets = Vec::new();
    for (name, env) in named {
        let mut variables = words.env.to_vec();
        match env {
            Some(env) => variables.push(env.to_owned()),
            None if !is_single => variables.push(default_variable(name)?),
            None if !words.has_file && variables.is_empty() => variables.push(TOKEN.to_owned()),
            None => {}
        }
        if let Some(invalid) = variables.iter().find(|name| !is_variable(name)) {
            return Err(usage(
                format!("invalid name of a variable{}: {VARIABLE}", quoted(invalid)),
                Hint::new("write PROFILE=ENV, or --env NAME"),
            ));
        }
        targets.push(TokenTarget { profile: name.to_owned(), variables });
    }
    check_unique(&targets)?;
    Ok(targets)
}

/// Returns the variable of a profile without a name, if there are several profiles.
fn default_variable(profile: &str) -> Result<String, CommandError> {
    let variable = format!("{TOKEN}_{}", cli_support::variable_part(profile));
    match variable.as_str() {
        EXPIRES_AT | TOKEN_FILE => Err(usage(
            format!("{profile}: {variable} has another meaning"),
            format!("name the variable: {profile}=ENV"),
        )),
        _ => Ok(variable),
    }
}

fn check_unique(targets: &[TokenTarget]) -> Result<(), CommandError> {
    for (at, target) in targets.iter().enumerate() {
        for other in targets.iter().skip(at + 1) {
            if let Some(variable) =
                target.variables.iter().find(|variable| other.variables.contains(variable))
            {
                return Err(usage(
                    format!(
                        "{} and {} use one variable: {variable}",
                        target.profile, other.profile
                    ),
                    "name each profile's variable: PROFILE=ENV",
                ));
            }
        }
    }
    Ok(())
}

/// Makes the error of a profile that does not exist.
fn unknown_profile(gate: &Gate, name: &str, may_be_program: bool) -> CommandError {
    let error = match gate.profile(name).read() {
        Err(error) => CommandError::from(error),
        Ok(_) => Error::config("the profile has appeared just now").into(),
    };
    match may_be_program {
        false => error,
        true => error.hint(Hint::run(
            "if it is not meant as a profile, write -- before the program",
            ["gatepass", "exec", "PROFILE", "--", "PROGRAM"],
        )),
    }
}

/// Parses a variable's name as a shell does, and refuses `NAME=value`.
pub(super) fn variable(text: &str) -> Result<String, &'static str> {
    if is_variable(text) { Ok(text.to_owned()) } else { Err(VARIABLE) }
}

fn is_variable(name: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let starts = name.bytes().next().is_some_and(|first| !first.is_ascii_digit());
    starts && name.bytes().all(is_word)
}

const VARIABLE: &str = "expected letters, digits and _, without a digit at the start";
