//! The options of a token file: its permissions and its group.

use crate::atomic_file::Access;
use crate::error::{CommandError, internal, usage};

/// The options of a token file that `exec --file` and `keep` share.
#[derive(Debug, clap::Args)]
pub(crate) struct FileArgs {
    /// Give the file these permissions, in octal [default: 0600]
    #[arg(long, value_name = "MODE", value_parser = mode, requires = "file")]
    mode: Option<u32>,
    /// Give the file to this group, by name or number
    #[arg(long, value_name = "GROUP", requires = "file")]
    group: Option<String>,
}

impl FileArgs {
    /// Returns who may use the file.
    ///
    /// `Config` if there is no such group.
    pub(crate) fn access(&self) -> Result<Access, CommandError> {
        let group = self.group.as_deref().map(find_group).transpose()?;
        Ok(Access { mode: self.mode.unwrap_or(Access::PRIVATE.mode), group })
    }
}

/// Parses permissions of a file in octal: reading for its owner, and nothing that lets all users
/// replace the token.
fn mode(text: &str) -> Result<u32, &'static str> {
    let is_octal = |byte: u8| matches!(byte, b'0'..=b'7');
    if !matches!(text.len(), 3 | 4) || !text.bytes().all(is_octal) {
        return Err(
            "expected three or four octal digits such as 0640; symbolic modes such as u=rw are \
                    not supported",
        );
    }
    let mode = u32::from_str_radix(text, 8).unwrap_or_default();
    match mode {
        _ if mode & !0o666 != 0 => Err("expected only permissions to read and write, such as 0640"),
        _ if mode & 0o400 == 0 => {
            Err("expected a mode that lets the owner read the file, such as 0640")
        }
        _ if mode & 0o002 != 0 => Err("expected a mode that does not let all users write the file"),
        mode => Ok(mode),
    }
}

/// Finds a group by its name, or else by its number.
fn find_group(name: &str) -> Result<u32, CommandError> {
    let found = nix::unistd::Group::from_name(name)
        .map_err(|error| internal("--group: cannot read the groups", &error.into()))?;
    let number = || name.parse().ok().filter(|number| *number != u32::MAX);
    found.map(|group| group.gid.as_raw()).or_else(number).ok_or_else(|| {
        let shown = crate::arguments::quoted(name);
        usage(format!("--group: no such group{shown}"), "list the groups: getent group")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mode_is_octal_and_private_enough() {
        for (text, expected) in [
            ("0600", Some(0o600)),
            ("600", Some(0o600)),
            ("0640", Some(0o640)),
            ("440", Some(0o440)),
            ("0660", Some(0o660)),
            ("0644", Some(0o644)),
            ("u=rw", None),
            ("0o640", None),
            ("+640", None),
            ("", None),
            ("64", None),
            ("00640", None),
            ("0700", None),
            ("4600", None),
            ("0040", None),
            ("0200", None),
            ("0666", None),
            ("0800", None),
        ] {
            assert_eq!(mode(text).ok(), expected, "{text}");
        }
    }
}
