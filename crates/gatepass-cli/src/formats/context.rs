//! The values that the output formats print, and how they are quoted in JSON.

use std::time::{Duration, SystemTime};

use gatepass::Token;
use zeroize::Zeroizing;

/// A string that contains a secret and is zeroed after use.
pub(crate) type SecretString = Zeroizing<String>;

/// The values that a format may print. They include neither the rest of the token nor the
/// credential.
pub(crate) struct FormatContext<'a> {
    pub(crate) profile: &'a str,
    pub(crate) secret: &'a str,
    /// When the token expires.
    pub(crate) expires_at: SystemTime,
    /// The expiry to give to programs that ask again at exactly the given second: slightly early,
    /// so that they do not send an expired token.
    pub(crate) use_until: SystemTime,
}

impl<'a> FormatContext<'a> {
    pub(crate) fn new(profile: &'a str, token: &'a Token, now: SystemTime) -> Self {
        let margin = (token.remaining(now) / 10).min(MAX_MARGIN);
        let expires_at = token.expires_at();
        let use_until = expires_at.checked_sub(margin).unwrap_or(expires_at);
        Self { profile, secret: token.expose_secret(), expires_at, use_until }
    }
}

/// Formats the token alone.
pub(crate) fn raw(context: &FormatContext<'_>) -> SecretString {
    Zeroizing::new(format!("{}\n", context.secret))
}

/// Returns a string as JSON writes it, with its quotation marks.
pub(super) fn json_string(text: &str) -> SecretString {
    // Serializing a string cannot fail.
    Zeroizing::new(serde_json::to_string(text).unwrap_or_default())
}

/// The largest margin of `use_until`; for a short remaining lifetime it is a tenth of that.
const MAX_MARGIN: Duration = Duration::from_secs(10);

/// Returns a context that expires at 2026-11-20T14:00:00Z, with the largest margin.
#[cfg(test)]
pub(super) fn sample_context(secret: &str) -> FormatContext<'_> {
    let expires_at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_183_200);
    FormatContext { profile: "cisco", secret, expires_at, use_until: expires_at - MAX_MARGIN }
}

#[cfg(test)]
mod tests {
    use gatepass::Secret;

    use super::*;

    #[test]
    fn use_until_is_a_little_before_expiry() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        for (lifetime, margin) in [(3_600, 10), (100, 10), (50, 5), (0, 0)] {
            let expires_at = now + Duration::from_secs(lifetime);
            let token = Token::builder(Secret::from("token-1"), now - Duration::from_secs(60));
            let token = token.expires_at(expires_at).build().unwrap();
            let context = FormatContext::new("cisco", &token, now);
            assert_eq!(context.expires_at, expires_at);
            assert_eq!(context.use_until, expires_at - Duration::from_secs(margin), "{lifetime}");
        }
    }

    #[test]
    fn raw_is_one_line() {
        assert_eq!(*raw(&sample_context("a'b")), "a'b\n");
    }
}
