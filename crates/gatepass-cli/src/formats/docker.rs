//! The credential helper protocol of docker.

use zeroize::Zeroizing;

use super::context::{FormatContext, SecretString, json_string};

/// The output that makes docker continue without a credential.
pub(super) const NOT_FOUND: &str = "credentials not found in native keychain\n";

/// Formats the credential for a registry. The username must not be `<token>`: docker would then
/// exchange the secret for another one first.
pub(super) fn reply(context: &FormatContext<'_>, server: &str) -> SecretString {
    let (server, secret) = (json_string(server), json_string(context.secret));
    Zeroizing::new(format!(
        "{{\"ServerURL\":{},\"Username\":\"{}\",\"Secret\":{}}}\n",
        *server,
        super::git::USERNAME,
        *secret
    ))
}

#[cfg(test)]
mod tests {
    use super::super::context::sample_context;
    use super::*;

    #[test]
    fn reply_repeats_the_server_of_the_request() {
        let expected = "{\"ServerURL\":\"r.example:5000\",\"Username\":\"x-token\",\
                        \"Secret\":\"a\\\"b\"}\n";
        assert_eq!(*reply(&sample_context("a\"b"), "r.example:5000"), expected);
    }
}
