//! The rules that every token must satisfy before it is used.

use std::time::Duration;

use super::charset::is_b64token;
use super::{Expiry, Token};
use crate::{CacheKey, Credential, Error, Result, redact};

/// The allowed characters of a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenCharset {
    /// `b64token` of RFC 6750 section 2.1.
    #[default]
    B64Token,
    /// All visible ASCII characters, for vendors that need it, without space and control characters.
    VisibleAscii,
}

/// The rules that every token must satisfy before it is used, independent of its provider.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct TokenRules {
    /// The allowed characters.
    pub charset: TokenCharset,
    /// Whether a scope narrower than the requested one is an error instead of a warning.
    pub require_scope: bool,
    /// The lifetime of a token whose response has none, and the upper bound of every other.
    pub lifetime: Option<Duration>,
}

impl TokenRules {
    /// Sets the allowed characters.
    pub fn with_charset(mut self, charset: TokenCharset) -> Self {
        self.charset = charset;
        self
    }

    /// Makes a narrower scope an error.
    pub fn with_required_scope(mut self, required: bool) -> Self {
        self.require_scope = required;
        self
    }

    /// Sets the lifetime of a token whose response has none, and the upper bound of every other.
    pub fn with_lifetime(mut self, lifetime: Option<Duration>) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Adds these rules to a cache key: a token that other rules accepted must not be reused.
    pub fn add_to_key(&self, key: CacheKey) -> CacheKey {
        let charset: &[u8] = match self.charset {
            TokenCharset::B64Token => b"b64token",
            TokenCharset::VisibleAscii => b"vschar-no-space",
        };
        let key = key
            .with("token_charset", charset)
            .with("require_scope", if self.require_scope { b"true" } else { b"false" });
        match self.lifetime {
            Some(lifetime) => key.with("lifetime", &lifetime.as_nanos().to_be_bytes()),
            None => key,
        }
    }

    /// Validates a token before it is used: its characters; that it is not the credential in some
    /// encoding; its scope, which is removed if it repeats a secret. Applies the profile's `lifetime`
    /// if the response has none or a longer one.
    ///
    /// # Errors
    ///
    /// `UnsafeToken`; `Config` for a scope that is narrower than required.
    pub fn validate(
        &self,
        mut token: Token,
        credential: &Credential,
        asked_scope: Option<&str>,
    ) -> Result<Token> {
        let text = token.expose_secret();
        if self.charset == TokenCharset::B64Token && !is_b64token(text) {
            return Err(Error::unsafe_token(
                "the token has characters that a bearer token must not have",
            )
            .hint(
                "if the vendor's tokens have such characters, set token_charset = \"vschar-no-space\"",
            ));
        }
        let same = |secret: &str| secret == text;
        if credential.secrets().any(|(_, secret)| same(secret.expose_secret()))
            || credential.texts().any(|(_, plain)| same(plain))
            || (text.len() <= longest(credential)
                && redact::redact_credential(text, credential) == redact::REDACTED)
        {
            return Err(Error::unsafe_token(
                "the response contains the credential instead of a token",
            ));
        }
        let narrower = match (asked_scope, token.scope()) {
            (Some(asked), Some(granted)) => {
                let granted: Vec<&str> = granted.split(' ').collect();
                asked.split_whitespace().any(|one| !granted.contains(&one))
            }
            _ => false,
        };
        if narrower && self.require_scope {
            return Err(Error::config("the vendor granted less than the requested scope")
                .hint("request less in `scope`, or set require_scope = false"));
        }
        if narrower {
            token = token.with_warning("the vendor granted another scope than the requested one");
        }
        // A scope is shown to users and written to places without secrets.
        let repeats = |scope: &str| {
            let text = token.expose_secret();
            (text.len() >= MIN_MATCH && scope.contains(text))
                || redact::redact_credential(scope, credential) != scope
        };
        if token.scope().is_some_and(repeats) {
            token = token.without_scope("the vendor's scope repeats a secret: left out");
        }
        if let Some(lifetime) = self.lifetime
            && (token.expiry() == Expiry::Assumed || lifetime < token.lifetime())
        {
            token = token.with_lifetime(lifetime, Expiry::Configured);
        }
        Ok(token)
    }
}

/// The maximum length of a token that is searched for the credential: longer than the credential in
/// any encoding. The search costs time for each byte.
fn longest(credential: &Credential) -> usize {
    let secrets = credential.secrets().map(|(_, secret)| secret.expose_secret().len());
    8 * secrets.chain(credential.texts().map(|(_, text)| text.len())).sum::<usize>()
}

/// The minimum length of a match; shorter ones may be coincidental.
const MIN_MATCH: usize = 8;

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::ErrorKind;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    #[test]
    fn scope_with_a_secret_is_left_out() {
        let credential = Credential::client("client-1", "made-up-secret-1".to_owned());
        let admitted = |scope: &str| {
            let token = Token::builder("made-up-token-1".into(), NOW);
            let token = token.scope(Some(scope)).build().unwrap();
            TokenRules::default().validate(token, &credential, None).unwrap()
        };
        for scope in ["read made-up-secret-1", "made-up-token-1", "x:bWFkZS11cC1zZWNyZXQtMQ=="] {
            let token = admitted(scope);
            assert_eq!(token.scope(), None, "{scope}");
            assert!(token.warnings().any(|it| it.contains("repeats a secret")), "{scope}");
        }
        let token = admitted("read https://api.vendor.example/client-1.all");
        assert_eq!(token.scope(), Some("read https://api.vendor.example/client-1.all"));
        assert!(!token.warnings().any(|it| it.contains("repeats")));
    }

    #[test]
    fn encoded_credential_is_not_a_token() {
        let credential = Credential::client("client-1", "made-up-secret-1".to_owned());
        let kind = |text: &str| {
            let token = Token::builder(text.into(), NOW).build().unwrap();
            TokenRules::default().validate(token, &credential, None).err().map(|error| error.kind())
        };
        let hex: String = "made-up-secret-1".bytes().map(|byte| format!("{byte:02x}")).collect();
        let encoded = |text: &str| STANDARD.encode(text);
        let (secret, pair) = (encoded("made-up-secret-1"), encoded("client-1:made-up-secret-1"));
        for text in ["made-up-secret-1", "client-1", &hex, &secret, &pair] {
            assert_eq!(kind(text), Some(ErrorKind::UnsafeToken), "{text}");
        }
        assert_eq!(kind("made-up-token-1"), None);
        // A token that contains more than the secret is a separate value.
        assert_eq!(kind("v1.made-up-secret-1.of-a-vendor"), None);
        assert_eq!(kind(&hex.repeat(9)), None);
    }

    #[test]
    fn configured_lifetime_replaces_an_assumed_one_and_bounds_others() {
        let seconds = Duration::from_secs;
        let admitted = |stated: Option<u64>, configured: u64| {
            let token = Token::builder("made-up-token-1".into(), NOW);
            let token = match stated {
                Some(stated) => token.expires_in(seconds(stated).into()),
                None => token,
            };
            let rules = TokenRules::default().with_lifetime(Some(seconds(configured)));
            let credential = Credential::client("client-1", "made-up-secret-1".to_owned());
            let token = rules.validate(token.build().unwrap(), &credential, None).unwrap();
            (token.lifetime().as_secs(), token.expiry())
        };
        assert_eq!(admitted(None, 60), (60, Expiry::Configured));
        assert_eq!(admitted(None, 3600), (3600, Expiry::Configured));
        assert_eq!(admitted(Some(3600), 60), (60, Expiry::Configured));
        assert_eq!(admitted(Some(60), 3600), (60, Expiry::Vendor));
    }

    #[test]
    fn each_rule_changes_the_cache_key() {
        let rules = TokenRules::default;
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let keys = [
            rules(),
            rules().with_charset(TokenCharset::VisibleAscii),
            rules().with_required_scope(true),
            rules().with_lifetime(seconds(60)),
            rules().with_lifetime(seconds(61)),
        ]
        .map(|rules| rules.add_to_key(CacheKey::from_parts([])));
        for (at, one) in keys.iter().enumerate() {
            assert!(keys.iter().skip(at + 1).all(|other| other != one), "{at}");
        }
    }

    #[test]
    fn short_token_keeps_the_scope() {
        let token = Token::builder("t-1".into(), NOW).scope(Some("t-1")).build();
        let admitted = TokenRules::default().validate(
            token.unwrap(),
            &Credential::client("a", "b".to_owned()),
            None,
        );
        assert_eq!(admitted.unwrap().scope(), Some("t-1"));
    }
}
