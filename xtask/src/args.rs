//! Reads a task's arguments: flags, options with one value, and names.

use std::collections::BTreeMap;

use crate::failure::{Failure, Result};

/// The arguments of one task, after all of them proved known.
#[derive(Debug, Default)]
pub(crate) struct Args {
    flags: Vec<String>,
    options: BTreeMap<String, String>,
    names: Vec<String>,
}

impl Args {
    /// Reads `words`; `help` is shown with every complaint.
    pub(crate) fn read(
        words: &[String],
        flags: &[&str],
        options: &[&str],
        help: &str,
    ) -> Result<Self> {
        let mut args = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if flags.contains(&word.as_str()) || word == "--help" {
                args.flags.push(word.clone());
            } else if options.contains(&word.as_str()) {
                let value = words
                    .next()
                    .ok_or_else(|| Failure::usage(format!("`{word}` needs a value\n\n{help}")))?;
                args.options.insert(word.clone(), value.clone());
            } else if word.starts_with('-') {
                return Err(Failure::usage(format!("no option `{word}`\n\n{help}")));
            } else {
                args.names.push(word.clone());
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

    /// The only name, if exactly one was given.
    pub(crate) fn only_name(&self, help: &str) -> Result<&str> {
        match self.names.as_slice() {
            [name] => Ok(name),
            _ => Err(Failure::usage(format!("exactly one name is needed\n\n{help}"))),
        }
    }

    /// The names.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Refuses names, for tasks that take none.
    pub(crate) fn no_names(self, help: &str) -> Result<Self> {
        match self.names.first() {
            None => Ok(self),
            Some(name) => Err(Failure::usage(format!("`{name}` is not expected\n\n{help}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn flags_options_and_names_are_told_apart() {
        let args =
            Args::read(&words("acme --check --from fmt"), &["--check"], &["--from"], "").unwrap();
        assert!(args.has("--check"));
        assert_eq!(args.option("--from"), Some("fmt"));
        assert_eq!(args.only_name("").unwrap(), "acme");
    }

    #[test]
    fn an_unknown_option_is_wrong_usage() {
        let failure = Args::read(&words("--chekc"), &["--check"], &[], "HELP").unwrap_err();
        assert!(matches!(&failure, Failure::Usage(says) if says.contains("--chekc")));
        assert!(failure.to_string().contains("HELP"));
    }

    #[test]
    fn an_option_without_its_value_is_wrong_usage() {
        assert!(Args::read(&words("--from"), &[], &["--from"], "").is_err());
    }
}
