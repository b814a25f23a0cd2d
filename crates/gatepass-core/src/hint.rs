//! Hints: the next step after an error, as text and as a command to run.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

/// The next step after an error: a text and, where one helps, a command.
///
/// The command is a list of arguments, so that a program can run it or show it as JSON. `Display`
/// joins both for a terminal, with the arguments quoted for a POSIX shell.
///
/// ```
/// use std::path::Path;
/// use gatepass_core::Hint;
///
/// let hint = Hint::new("check the profile's credential");
/// assert_eq!(hint.to_string(), "check the profile's credential");
///
/// let hint = Hint::gatepass("log in again", ["login", "web app"]);
/// assert_eq!(hint.to_string(), "log in again: gatepass login 'web app'");
/// let hint = hint.with_config(Some(Path::new("my.toml")));
/// assert_eq!(hint.to_string(), "log in again: gatepass login 'web app' --config my.toml");
/// assert_eq!(hint.arguments().unwrap()[1..3], ["login", "web app"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint {
    text: Cow<'static, str>,
    command: Option<Vec<HintArg>>,
}

/// One argument of a [`Hint`]'s command.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HintArg {
    /// The argument itself.
    Text(String),
    /// The position of `--config FILE`. It becomes arguments if [`Hint::with_config`] names the file
    /// that the failed command was given.
    Config,
}

impl Hint {
    /// A hint without a command.
    pub fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Self { text: text.into(), command: None }
    }

    /// A hint with the command that does what `text` describes.
    pub fn run(
        text: impl Into<Cow<'static, str>>,
        command: impl IntoIterator<Item = impl Into<HintArg>>,
    ) -> Self {
        let command = command.into_iter().map(Into::into).collect();
        Self { text: text.into(), command: Some(command) }
    }

    /// A hint with a `gatepass` command that reads the config file.
    ///
    /// `arguments` follow the word `gatepass`. The position of `--config` is before the first `--`,
    /// or at the end.
    pub fn gatepass(
        text: impl Into<Cow<'static, str>>,
        arguments: impl IntoIterator<Item = impl Into<HintArg>>,
    ) -> Self {
        let mut command = vec![HintArg::from("gatepass")];
        command.extend(arguments.into_iter().map(Into::into));
        let is_end = |argument: &HintArg| matches!(argument, HintArg::Text(text) if text == "--");
        let position = command.iter().position(is_end).unwrap_or(command.len());
        command.insert(position, HintArg::Config);
        Self { text: text.into(), command: Some(command) }
    }

    /// Replaces `gatepass`, if the command begins with it: a command with further providers has
    /// another name.
    pub fn with_program(mut self, name: &str) -> Self {
        let program = self.command.as_mut().and_then(|command| command.first_mut());
        if let Some(HintArg::Text(program)) = program
            && program == "gatepass"
        {
            name.clone_into(program);
        }
        self
    }

    /// Puts `--config` and this file into the command, if it reads the config file.
    pub fn with_config(mut self, file: Option<&Path>) -> Self {
        let Some(file) = file else { return self };
        let arguments = self.command.take();
        self.command = arguments.map(|arguments| {
            let named = |argument| match argument {
                HintArg::Config => {
                    vec![HintArg::from("--config"), HintArg::from(file.display().to_string())]
                }
                text => vec![text],
            };
            arguments.into_iter().flat_map(named).collect()
        });
        self
    }

    /// Returns what to do, without the command.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the command, with the position of `--config`.
    pub fn command(&self) -> Option<&[HintArg]> {
        self.command.as_deref()
    }

    /// Returns the command as one line for a POSIX shell.
    pub fn command_line(&self) -> Option<String> {
        let words: Vec<_> = self.arguments()?.into_iter().map(quoted).collect();
        Some(words.join(" "))
    }

    /// Returns the command's arguments, as a program would run it.
    pub fn arguments(&self) -> Option<Vec<&str>> {
        Some(self.command.as_ref()?.iter().filter_map(HintArg::text).collect())
    }
}

impl HintArg {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Config => None,
        }
    }
}

impl From<String> for HintArg {
    fn from(argument: String) -> Self {
        Self::Text(argument)
    }
}

impl From<&str> for HintArg {
    fn from(argument: &str) -> Self {
        Self::Text(argument.to_owned())
    }
}

impl From<&String> for HintArg {
    fn from(argument: &String) -> Self {
        Self::Text(argument.clone())
    }
}

impl<T: Into<Cow<'static, str>>> From<T> for Hint {
    fn from(text: T) -> Self {
        Self::new(text)
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        match self.command_line() {
            Some(command) => write!(f, ": {command}"),
            None => Ok(()),
        }
    }
}

/// Quotes an argument for a POSIX shell, unless it has only characters that no shell interprets.
fn quoted(argument: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./_-".contains(c);
    // zsh expands a `=` at the beginning.
    let is_word = !argument.is_empty() && !argument.starts_with('=');
    match is_word && argument.chars().all(is_plain) {
        true => Cow::Borrowed(argument),
        false => Cow::Owned(format!("'{}'", argument.replace('\'', r"'\''"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn config_option_precedes_arguments_of_program() {
        let hint = Hint::gatepass("run it", ["exec", "cisco", "--", "make", "it's"]);
        assert_eq!(hint.to_string(), r"run it: gatepass exec cisco -- make 'it'\''s'");
        let hint = hint.with_config(Some(Path::new("a b.toml")));
        assert_eq!(hint.arguments().unwrap()[3..5], ["--config", "a b.toml"]);
        assert!(hint.to_string().contains("cisco --config 'a b.toml' -- make"), "{hint}");
        assert_eq!(hint.clone().with_config(Some(Path::new("other"))), hint);
    }

    #[test]
    fn only_commands_that_read_the_config_get_its_option() {
        for hint in [Hint::new("wait"), Hint::run("list them", ["gatepass", "providers"])] {
            assert_eq!(hint.clone().with_config(Some(Path::new("c.toml"))), hint);
        }
    }
}
