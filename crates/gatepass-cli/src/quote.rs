//! Commands for the user to copy into a shell.

use std::path::Path;

/// Returns a path as one argument of a shell command: unquoted if no shell treats any of its
/// characters specially, else in single quotation marks.
pub(crate) fn shell_argument(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+:@%".contains(&byte);
    match !text.is_empty() && text.bytes().all(is_plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// Returns a command of gatepass for the user to copy, with the config file of this run.
pub(crate) fn command_line<A: AsRef<str>>(arguments: &[A], config: Option<&Path>) -> String {
    let words = arguments.iter().map(|word| shell_argument(Path::new(word.as_ref())));
    let option = config.map(|path| format!("--config {}", shell_argument(path)));
    let words = std::iter::once(String::from("gatepass")).chain(words).chain(option);
    words.collect::<Vec<_>>().join(" ")
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
