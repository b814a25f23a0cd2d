//! Output formats of `gatepass token`. Pure: no I/O.

mod aws;
mod bazel;
mod context;
mod credential_helper;
mod curl;
mod docker;
mod dotenv;
mod git;
mod kubernetes;
mod shell;

pub(crate) use self::aws::aws;
pub(crate) use self::context::{FormatContext, SecretString, raw};
pub(crate) use self::credential_helper::{
    CredentialHelper, HelperError, HelperOperation, HelperRequest, MAX_REQUEST_BYTES,
};
pub(crate) use self::curl::{curl, header};
pub(crate) use self::dotenv::{dotenv, env};
pub(crate) use self::kubernetes::{EXEC_INFO, ExecApiVersion, kubernetes};
pub(crate) use self::shell::{fish, powershell, sh};

/// The text that `--format netrc-note` prints. In a .netrc file, every line is a comment.
pub(crate) const NETRC_NOTE: &str = "\
# A netrc file cannot hold this token: programs send its contents as Basic, never as Bearer.
# To pass the token without an argument or a file:
#   gatepass token PROFILE --format curl | curl -K - URL
#   gatepass token PROFILE --format header | curl -H @- URL
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn netrc_note_contains_only_comments() {
        assert!(NETRC_NOTE.lines().all(|line| line.starts_with("# ")));
    }
}
