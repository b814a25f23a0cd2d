//! `credential_process` of the AWS SDKs.
//!
//! The token is not a credential for AWS itself. The format is for servers that implement the S3
//! API and accept the token in `X-Amz-Security-Token`. Such a server has no secret key to check the
//! signature with, so the token is the secret key as well: a reader of the header can check the
//! signature.

use zeroize::Zeroizing;

use super::context::{FormatContext, SecretString, json_string};
use crate::output::rfc3339;

/// Formats the object that an SDK reads from a process.
pub(crate) fn aws(context: &FormatContext<'_>) -> SecretString {
    let (profile, secret) = (json_string(context.profile), json_string(context.secret));
    let expiration = rfc3339(context.use_until);
    Zeroizing::new(format!(
        "{{\"Version\":1,\"AccessKeyId\":{},\"SecretAccessKey\":{},\"SessionToken\":{},\
         \"Expiration\":\"{expiration}\"}}\n",
        *profile, *secret, *secret
    ))
}

#[cfg(test)]
mod tests {
    use super::super::context::sample_context;
    use super::*;

    #[test]
    fn token_is_session_token_and_secret_key() {
        let expected = "{\"Version\":1,\"AccessKeyId\":\"cisco\",\
                        \"SecretAccessKey\":\"a\\\"b\\\\c\",\"SessionToken\":\"a\\\"b\\\\c\",\
                        \"Expiration\":\"2026-11-20T13:59:50Z\"}\n";
        assert_eq!(*aws(&sample_context("a\"b\\c")), expected);
    }
}
