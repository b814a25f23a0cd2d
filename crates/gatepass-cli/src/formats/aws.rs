//! `credential_process` of the AWS SDKs.
//!
//! No token of ours opens AWS itself. This is for servers that speak S3's dialect and take the
//! token in `X-Amz-Security-Token`. They know no secret key beside it, so the token is that as
//! well: who can read the one header can check the signature.

use zeroize::Zeroizing;

use super::{HandOut, Text, quoted};
use crate::output::rfc3339;

/// The object that an SDK reads from a process.
pub(crate) fn aws(it: &HandOut<'_>) -> Text {
    let (profile, secret) = (quoted(it.profile), quoted(it.secret));
    let ends = rfc3339(it.use_until);
    Zeroizing::new(format!(
        "{{\"Version\":1,\"AccessKeyId\":{},\"SecretAccessKey\":{},\"SessionToken\":{},\
         \"Expiration\":\"{ends}\"}}\n",
        *profile, *secret, *secret
    ))
}

#[cfg(test)]
mod tests {
    use super::super::tests::hand_out;
    use super::*;

    #[test]
    fn the_token_is_the_session_token_and_the_key() {
        let expected = "{\"Version\":1,\"AccessKeyId\":\"cisco\",\
                        \"SecretAccessKey\":\"a\\\"b\\\\c\",\"SessionToken\":\"a\\\"b\\\\c\",\
                        \"Expiration\":\"2026-11-20T13:59:50Z\"}\n";
        assert_eq!(*aws(&hand_out("a\"b\\c")), expected);
    }
}
