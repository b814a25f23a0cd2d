//! Entry points for fuzzing: the readers and writers of the command, without a process.

use std::time::{Duration, SystemTime};

use gatepass::Token;
use http::HeaderMap;
use zeroize::Zeroizing;

pub use crate::callback::Connections;
pub use crate::commands::inspect::describe_claims;
pub use crate::commands::profile::NewProfile;
use crate::formats::{self, CredentialHelper, ExecApiVersion, FormatContext, HelperOperation};

/// What gatepass does for a credential helper's request.
#[derive(Debug)]
#[non_exhaustive]
pub enum HelperOutcome {
    /// Prints this reply with a token, if the token may be sent to one of these addresses.
    Token(Vec<String>, String),
    /// Forgets this token, or any token.
    Forget(Option<String>),
    /// Prints this text.
    Respond(&'static str),
}

/// Reads the request that git, docker or bazel (by the format's name) writes to stdin. A reply
/// contains this token.
pub fn read_helper_request(
    program: &str,
    operation: Option<&str>,
    input: &str,
    token: &Token,
) -> Option<HelperOutcome> {
    let helper = match program {
        "git" => CredentialHelper::Git,
        "docker" => CredentialHelper::Docker,
        "bazel" => CredentialHelper::Bazel,
        _ => return None,
    };
    Some(match helper.read_operation(operation, || Ok(Zeroizing::new(input.to_owned()))).ok()? {
        HelperOperation::Token(request) => {
            let context = FormatContext::new("cisco", token, SystemTime::UNIX_EPOCH);
            HelperOutcome::Token(request.addresses.clone(), request.reply(&context).to_string())
        }
        HelperOperation::Forget { rejected, .. } => {
            HelperOutcome::Forget(rejected.map(|text| text.to_string()))
        }
        HelperOperation::Respond(text) => HelperOutcome::Respond(text),
    })
}

/// Formats a token in every format that needs no request, by the format's name.
pub fn all_formats(profile: &str, token: &Token) -> Vec<(&'static str, String)> {
    let context = FormatContext::new(profile, token, SystemTime::UNIX_EPOCH);
    let mut headers = HeaderMap::new();
    headers.insert(http::header::AUTHORIZATION, token.authorization().clone());
    let kubernetes =
        ExecApiVersion::from_exec_info(None).map(|version| formats::kubernetes(&context, version));
    [
        ("raw", formats::raw(&context)),
        ("header", formats::header(&headers)),
        ("curl", formats::curl(&headers)),
        ("env", formats::env(&context)),
        ("sh", formats::sh(&context)),
        ("fish", formats::fish(&context)),
        ("powershell", formats::powershell(&context)),
        ("dotenv", formats::dotenv(&context)),
        ("kubernetes", kubernetes.unwrap_or_default()),
        ("aws", formats::aws(&context)),
    ]
    .map(|(format, text)| (format, text.to_string()))
    .into()
}

/// Returns whether `KUBERNETES_EXEC_INFO` requests a known version.
pub fn is_exec_info(text: &str) -> bool {
    ExecApiVersion::from_exec_info(Some(text)).is_some()
}

/// Indents JSON for a terminal.
pub fn indented(json: &[u8]) -> Option<String> {
    crate::json_text::indented(json)
}

/// Parses the value of `--set`.
pub fn key_value(text: &str) -> Option<(String, String)> {
    crate::options::key_value(text).ok()
}

/// Parses the value of `--min-ttl` and similar options.
pub fn duration(text: &str) -> Option<Duration> {
    crate::options::duration(text).ok()
}
