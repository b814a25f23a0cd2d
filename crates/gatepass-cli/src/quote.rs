//! Commands for the user to copy into a shell.

use std::path::Path;

use gatepass::Hint;

use crate::program;

/// Returns a path as one argument of a shell command, quoted as in the command of a hint.
pub(crate) fn shell_argument(path: &Path) -> String {
    Hint::run("", [path.display().to_string()]).command_line().unwrap_or_default()
}

/// Returns a command of gatepass for the user to copy, with the config file of this run.
pub(crate) fn command_line<A: AsRef<str>>(arguments: &[A], config: Option<&Path>) -> String {
    let hint = Hint::gatepass("", arguments.iter().map(AsRef::as_ref));
    program::typed(hint, config).command_line().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn shell_reads_quoted_path_as_one_argument() {
        for path in ["/a/b-c_1.toml", "it's", "two words", "$(echo no)", "a;b", "~", "ü"] {
            let script = format!("printf %s {}", shell_argument(Path::new(path)));
            let output = Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), path);
        }
        assert_eq!(shell_argument(Path::new("/a/b-c_1.toml")), "/a/b-c_1.toml");
    }

    #[test]
    fn command_line_names_config_file() {
        let command = |config| command_line(&["token", "a", "--wait", "9s"], config);
        assert_eq!(command(None), "gatepass token a --wait 9s");
        assert_eq!(
            command(Some(Path::new("my config"))),
            "gatepass token a --wait 9s --config 'my config'"
        );
    }
}
