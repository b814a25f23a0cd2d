//! What to type next: the commands of a message, with the config file that this one was given.

use std::path::Path;

use crate::quote::shell_argument;

/// `text` with `--config FILE` in each of our commands that reads that file: in those between
/// backticks, and in the one that the text ends with.
pub(crate) fn naming(text: &str, config: Option<&Path>) -> String {
    let Some(config) = config else { return text.to_owned() };
    let option = format!(" --config {}", shell_argument(config));
    let parts: Vec<&str> = text.split('`').collect();
    let named = parts.iter().enumerate().map(|(at, part)| {
        let command = match at % 2 {
            1 => part,
            _ if at + 1 == parts.len() => part.rsplit(": ").next().unwrap_or(part),
            _ => "",
        };
        if reads_config(command) { format!("{part}{option}") } else { (*part).to_owned() }
    });
    named.collect::<Vec<_>>().join("`")
}

fn reads_config(command: &str) -> bool {
    let word = command.strip_prefix("gatepass ").and_then(|rest| rest.split(' ').next());
    word.is_some_and(|word| CONFIGURED.contains(&word)) && !command.contains(" --config ")
}

/// The commands that hints tell of, and that read the config.
const CONFIGURED: [&str; 10] =
    ["call", "doctor", "forget", "init", "inspect", "list", "login", "profile", "token", "why"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_to_run_next_has_the_config_that_was_named() {
        let config = Some(Path::new("c.toml"));
        for (text, wanted) in [
            ("run: gatepass login a", "run: gatepass login a --config c.toml"),
            ("gatepass token a --wait 9s", "gatepass token a --wait 9s --config c.toml"),
            ("`gatepass list` or `x`", "`gatepass list --config c.toml` or `x`"),
            ("see `gatepass why a`; later", "see `gatepass why a --config c.toml`; later"),
            ("`a`: gatepass forget b", "`a`: gatepass forget b --config c.toml"),
        ] {
            assert_eq!(naming(text, config), wanted);
            assert_eq!(naming(text, None), text);
            assert_eq!(naming(wanted, config), wanted);
        }
        for text in [
            "`gatepass providers` lists all keys",
            "a fault of gatepass or of this machine: -vv says more",
            "a script: exec gatepass token PROFILE --format docker \"$@\"",
            "set GATEPASS_CONFIG",
        ] {
            assert_eq!(naming(text, config), text);
        }
    }
}
