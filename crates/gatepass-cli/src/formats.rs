//! Hand-out: a token in the words of whoever asked for it. Pure: text in, text out.

mod aws;
mod bazel;
mod credential_helper;
mod curl;
mod docker;
mod dotenv;
mod git;
mod kubernetes;
mod shell;

use std::time::{Duration, SystemTime};

use gatepass::Token;
use http::HeaderMap;
use zeroize::Zeroizing;

pub(crate) use self::aws::aws;
pub(crate) use self::credential_helper::{Asked, Asker, LIMIT, NoToken, Request};
pub(crate) use self::curl::{curl, header};
pub(crate) use self::dotenv::{dotenv, env};
pub(crate) use self::kubernetes::{ApiVersion, EXEC_INFO, kubernetes};
pub(crate) use self::shell::{fish, powershell, sh};

/// A text with a token in it, wiped after use.
pub(crate) type Text = Zeroizing<String>;

/// What is handed out of a token: nothing else of it, and nothing of the credential.
pub(crate) struct HandOut<'a> {
    pub(crate) profile: &'a str,
    pub(crate) secret: &'a str,
    /// When the token ends.
    pub(crate) expires_at: SystemTime,
    /// Until when to use it: programs that ask again at the stated second would send it too late.
    pub(crate) use_until: SystemTime,
}

impl<'a> HandOut<'a> {
    pub(crate) fn new(profile: &'a str, token: &'a Token, now: SystemTime) -> Self {
        let early = (token.remaining(now) / 10).min(LEEWAY);
        let expires_at = token.expires_at();
        let use_until = expires_at.checked_sub(early).unwrap_or(expires_at);
        Self { profile, secret: token.expose_secret(), expires_at, use_until }
    }
}

/// The token alone.
pub(crate) fn raw(it: &HandOut<'_>) -> Text {
    Zeroizing::new(format!("{}\n", it.secret))
}

/// What is said in the place of a .netrc. Every line is a comment there.
pub(crate) const NETRC_NOTE: &str = "\
# A netrc file cannot carry this token: programs send what it holds as Basic, never as Bearer.
# Without a token in an argument or a file:
#   gatepass token PROFILE --format curl | curl -K - URL
#   gatepass token PROFILE --format header | curl -H @- URL
";

/// How early before a token's end a program is to ask again; a tenth of a short life.
const LEEWAY: Duration = Duration::from_secs(10);

/// A text as JSON writes it, quotation marks included.
fn quoted(text: &str) -> Text {
    // A string is always JSON.
    Zeroizing::new(serde_json::to_string(text).unwrap_or_default())
}

/// The header fields as people write them.
fn fields(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers.iter().map(|(name, value)| {
        let name = if name == "authorization" { "Authorization" } else { name.as_str() };
        (name, value.to_str().unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use gatepass::Secret;

    use super::*;

    /// Ends, in UTC, at 2026-11-20T14:00:00Z, and is to be used until ten seconds before.
    pub(super) fn hand_out(secret: &str) -> HandOut<'_> {
        let expires_at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_183_200);
        HandOut { profile: "cisco", secret, expires_at, use_until: expires_at - LEEWAY }
    }

    #[test]
    fn a_program_is_told_to_ask_again_before_the_end() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        for (life, early) in [(3_600, 10), (100, 10), (50, 5), (0, 0)] {
            let ends = now + Duration::from_secs(life);
            let token = Token::builder(Secret::from("token-1"), now - Duration::from_secs(60));
            let token = token.expires_at(ends).build().unwrap();
            let it = HandOut::new("cisco", &token, now);
            assert_eq!(it.expires_at, ends);
            assert_eq!(it.use_until, ends - Duration::from_secs(early), "{life}");
        }
    }

    #[test]
    fn raw_is_one_line() {
        assert_eq!(*raw(&hand_out("a'b")), "a'b\n");
    }

    #[test]
    fn the_note_about_netrc_is_nothing_but_comments() {
        assert!(NETRC_NOTE.lines().all(|line| line.starts_with("# ")));
    }
}
