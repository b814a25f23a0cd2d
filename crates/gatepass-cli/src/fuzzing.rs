//! Entry points for fuzzing: the readers and writers of the command, without a process.

use std::time::{Duration, SystemTime};

use gatepass::Token;
use http::HeaderMap;
use zeroize::Zeroizing;

pub use crate::callback::Connections;
pub use crate::commands::inspect::describe_claims;
pub use crate::commands::profile::NewProfile;
use crate::formats::{self, ApiVersion, CredentialHelper, FormatContext, HelperOperation};

/// What a program asks: where its token goes, and how it is answered.
#[derive(Debug)]
#[non_exhaustive]
pub enum Question {
    /// A token is wanted, for one of these addresses; the reply to it.
    Token(Vec<String>, String),
    /// This token is to be forgotten.
    Forget(Option<String>),
    /// No token is needed.
    Told(&'static str),
}

/// Reads what git, docker or bazel (by the format's name) asks on standard input; its reply has
/// this token.
pub fn asked(
    program: &str,
    operation: Option<&str>,
    input: &str,
    token: &Token,
) -> Option<Question> {
    let helper = match program {
        "git" => CredentialHelper::Git,
        "docker" => CredentialHelper::Docker,
        "bazel" => CredentialHelper::Bazel,
        _ => return None,
    };
    Some(match helper.read_operation(operation, || Ok(Zeroizing::new(input.to_owned()))).ok()? {
        HelperOperation::Token(request) => {
            let reply = request.reply(&FormatContext::new("cisco", token, SystemTime::UNIX_EPOCH));
            Question::Token(request.addresses, reply.to_string())
        }
        HelperOperation::Forget(refused) => Question::Forget(refused.map(|text| text.to_string())),
        HelperOperation::Respond(answer) => Question::Told(answer),
    })
}

/// A token in every format that needs no question, by the format's name.
pub fn hand_outs(profile: &str, token: &Token) -> Vec<(&'static str, String)> {
    let it = FormatContext::new(profile, token, SystemTime::UNIX_EPOCH);
    let mut headers = HeaderMap::new();
    headers.insert(http::header::AUTHORIZATION, token.authorization().clone());
    let kubernetes =
        ApiVersion::from_exec_info(None).map(|version| formats::kubernetes(&it, version));
    [
        ("raw", formats::raw(&it)),
        ("header", formats::header(&headers)),
        ("curl", formats::curl(&headers)),
        ("env", formats::env(&it)),
        ("sh", formats::sh(&it)),
        ("fish", formats::fish(&it)),
        ("powershell", formats::powershell(&it)),
        ("dotenv", formats::dotenv(&it)),
        ("kubernetes", kubernetes.unwrap_or_default()),
        ("aws", formats::aws(&it)),
    ]
    .map(|(format, text)| (format, text.to_string()))
    .into()
}

/// Whether `KUBERNETES_EXEC_INFO` asks for something that is known.
pub fn is_exec_info(text: &str) -> bool {
    ApiVersion::from_exec_info(Some(text)).is_some()
}

/// A JSON text as a terminal shows it.
pub fn indented(json: &[u8]) -> Option<String> {
    crate::json_text::indented(json)
}

/// The value of `--set`.
pub fn key_value(text: &str) -> Option<(String, String)> {
    crate::options::key_value(text).ok()
}

/// The value of `--min-ttl` and others.
pub fn duration(text: &str) -> Option<Duration> {
    crate::options::duration(text).ok()
}
