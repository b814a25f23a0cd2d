//! The optional `--` of `exec`: finds the program on the command line.

use std::ffi::{OsStr, OsString};

use clap::Command;

use crate::arguments;

/// The words of a command line, the program's name first.
pub(crate) struct Words {
    pub(crate) all: Vec<OsString>,
    /// Whether `--` was added before the program of `exec`.
    pub(crate) was_separated: bool,
}

/// Adds the optional `--` before the program of `exec`.
pub(crate) fn separate_program(root: &Command, mut all: Vec<OsString>) -> Words {
    let program = program_of_exec(root, &all);
    if let Some(at) = program {
        all.insert(at, OsString::from("--"));
        arguments::set_separated(&all);
    }
    Words { all, was_separated: program.is_some() }
}

/// Returns the position of the program of `exec`, if it follows the profiles without `--`.
///
/// The first argument is a profile, and each `NAME=ENV` after it is another one. If a `--` follows
/// later, the first argument without `=` is the program only if the arguments up to that `--` cannot
/// all be profiles and options.
fn program_of_exec(root: &Command, words: &[OsString]) -> Option<usize> {
    let exec = root.find_subcommand("exec")?;
    let (mut is_exec, mut profiles, mut program) = (false, 0, None);
    let mut at = 1;
    while let Some(word) = words.get(at) {
        let text = word.to_string_lossy();
        if text == "--" {
            return None;
        }
        if text.starts_with('-') && text.len() > 1 {
            let is_help = ["-h", "--help", "-V", "--version"].contains(&&*text);
            match value_words(&[exec, root], &text) {
                // After a word that may be the program, help and unknown options are the program's.
                Some(_) if is_help && program.is_some() => return program,
                Some(values) => at += 1 + values,
                None => return program,
            }
            continue;
        }
        if !is_exec {
            if text != "exec" {
                return None;
            }
            is_exec = true;
        } else {
            if profiles > 0 && !text.contains('=') && program.is_none() {
                program = Some(at);
            }
            if program.is_some() && !may_be_profile(word) {
                return program;
            }
            profiles += 1;
        }
        at += 1;
    }
    program
}

/// Returns whether a word is `NAME` or `NAME=ENV` with a valid name of a profile.
fn may_be_profile(word: &OsStr) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let name = word.to_str().map(|text| text.split('=').next().unwrap_or_default());
    name.is_some_and(|name| !name.is_empty() && name.bytes().all(is_plain))
}

/// Returns how many of the following words are the value of an option; `None` if no command has it.
fn value_words(commands: &[&Command], option: &str) -> Option<usize> {
    let find = |is_it: &dyn Fn(&clap::Arg) -> bool| {
        let mut all = commands.iter().flat_map(|command| command.get_arguments());
        all.find(|arg| is_it(arg)).map(|arg| arg.get_action().takes_values())
    };
    if let Some(long) = option.strip_prefix("--") {
        let (name, is_joined) = match long.split_once('=') {
            Some((name, _)) => (name, true),
            None => (long, false),
        };
        let is_help = ["help", "version"].contains(&name);
        let takes_value =
            find(&|arg| arg.get_long() == Some(name)).or_else(|| is_help.then_some(false))?;
        return Some(usize::from(takes_value && !is_joined));
    }
    let mut letters = option.chars().skip(1);
    while let Some(letter) = letters.next() {
        let is_help = matches!(letter, 'h' | 'V');
        if find(&|arg| arg.get_short() == Some(letter)).or_else(|| is_help.then_some(false))? {
            return Some(usize::from(letters.next().is_none()));
        }
    }
    Some(0)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::args::Args;

    #[test]
    fn program_of_exec_follows_the_profiles() {
        for (line, expected) in [
            ("exec cisco prog", "exec cisco -- prog"),
            ("exec cisco prog --help -- -v", "exec cisco -- prog --help -- -v"),
            ("exec cisco=A huawei=B prog x=y", "exec cisco=A huawei=B -- prog x=y"),
            ("exec cisco=A prog", "exec cisco=A -- prog"),
            (
                "exec cisco --wait 5s huawei=B -qv prog -q",
                "exec cisco --wait 5s huawei=B -qv -- prog -q",
            ),
            ("exec --wait=5s --config c cisco prog", "exec --wait=5s --config c cisco -- prog"),
            ("--config c -q exec cisco prog", "--config c -q exec cisco -- prog"),
            ("exec cisco --file t --mode 0640 prog a", "exec cisco --file t --mode 0640 -- prog a"),
            ("exec cisco sh -c x -- y", "exec cisco -- sh -c x -- y"),
            ("exec cisco ./prog -- y", "exec cisco -- ./prog -- y"),
            ("exec cisco prog /a -- y", "exec cisco -- prog /a -- y"),
            ("exec cisco -", "exec cisco -- -"),
            // Separated already.
            ("exec cisco -- prog", ""),
            ("exec cisco huawei -- prog", ""),
            ("exec cisco huawei --wait 5s -- prog", ""),
            ("exec cisco --env -- prog", "exec cisco --env -- -- prog"),
            // No program without `--`.
            ("exec", ""),
            ("exec cisco", ""),
            ("exec cisco=A huawei=B", ""),
            ("exec --no-such cisco prog", ""),
            ("exec cisco --no-such prog", ""),
            ("exec --help", ""),
            ("token exec cisco prog", ""),
            ("--no-such exec cisco prog", ""),
        ] {
            let words = |line: &str| -> Vec<OsString> {
                ["gatepass"].into_iter().chain(line.split(' ')).map(OsString::from).collect()
            };
            let line_words = words(line);
            let program = program_of_exec(&Args::command(), &line_words);
            let mut separated = line_words.clone();
            program.iter().for_each(|at| separated.insert(*at, OsString::from("--")));
            let expected = if expected.is_empty() { line_words } else { words(expected) };
            assert_eq!(separated, expected);
        }
    }
}
