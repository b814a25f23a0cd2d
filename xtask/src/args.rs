//! The arguments of a task: flags, options with one value, and names.
//!
//! xflags declares the same in a macro, but each task here describes itself, with its help, in its
//! own file, and the rest is about fifty lines without a dependency.

use std::collections::BTreeMap;

use crate::error::{Error, Result};

/// The arguments of one task; all of them are known to it.
#[derive(Debug, Default)]
pub(crate) struct Args {
    flags: Vec<String>,
    options: BTreeMap<String, String>,
    names: Vec<String>,
}

impl Args {
    /// Reads `arguments`; every error ends with `help`.
    pub(crate) fn read(
        arguments: &[String],
        flags: &[&str],
        options: &[&str],
        help: &str,
    ) -> Result<Self> {
        let mut args = Self::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            if flags.contains(&argument.as_str()) || argument == "--help" {
                args.flags.push(argument.clone());
            } else if options.contains(&argument.as_str()) {
                let value = arguments
                    .next()
                    .ok_or_else(|| Error::usage(format!("`{argument}` needs a value\n\n{help}")))?;
                args.options.insert(argument.clone(), value.clone());
            } else if argument.starts_with('-') {
                return Err(Error::usage(format!("unexpected option `{argument}`\n\n{help}")));
            } else {
                args.names.push(argument.clone());
            }
        }
        Ok(args)
    }

    pub(crate) fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|f| f == flag)
    }

    pub(crate) fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    /// Returns the only name; an error if there is not exactly one.
    pub(crate) fn only_name(&self, help: &str) -> Result<&str> {
        match self.names.as_slice() {
            [name] => Ok(name),
            _ => Err(Error::usage(format!("expected exactly one name\n\n{help}"))),
        }
    }

    /// Returns the names.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns an error if there is a name, for tasks that take none.
    pub(crate) fn no_names(self, help: &str) -> Result<Self> {
        match self.names.first() {
            None => Ok(self),
            Some(name) => Err(Error::usage(format!("unexpected argument `{name}`\n\n{help}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn flags_options_and_names_are_distinguished() {
        let args = Args::read(&arguments("acme --check --from fmt"), &["--check"], &["--from"], "")
            .unwrap();
        assert!(args.has("--check"));
        assert_eq!(args.option("--from"), Some("fmt"));
        assert_eq!(args.only_name("").unwrap(), "acme");
    }

    #[test]
    fn unknown_option_is_wrong_usage() {
        let error = Args::read(&arguments("--chekc"), &["--check"], &[], "HELP").unwrap_err();
        assert!(matches!(&error, Error::Usage(message) if message.contains("--chekc")));
        assert!(error.to_string().contains("HELP"));
    }

    #[test]
    fn option_without_value_is_wrong_usage() {
        assert!(Args::read(&arguments("--from"), &[], &["--from"], "").is_err());
    }
}
