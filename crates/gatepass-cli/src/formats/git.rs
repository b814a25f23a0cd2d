//! The credential helper protocol of git: lines of `key=value`.
//!
//! <https://git-scm.com/docs/git-credential#IOFMT>

use zeroize::Zeroizing;

use super::{HandOut, Text};
use crate::output::unix_seconds;

/// What git says of the place it needs a credential for.
#[derive(Default)]
pub(super) struct Request {
    protocol: String,
    host: String,
    username: Option<String>,
    /// git 2.46 or later: it can send a token as a bearer.
    takes_bearer: bool,
    /// What the server refused.
    pub(super) refused: Option<Text>,
}

impl Request {
    pub(super) fn read(text: &str) -> Self {
        let mut request = Self::default();
        for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
            match key {
                "protocol" => value.clone_into(&mut request.protocol),
                "host" => value.clone_into(&mut request.host),
                // git refuses an answer with a control character in it.
                "username" if !value.contains(char::is_control) => {
                    request.username = Some(value.to_owned());
                }
                "capability[]" => request.takes_bearer |= value == "authtype",
                "password" | "credential" => {
                    request.refused = Some(Zeroizing::new(value.to_owned()));
                }
                _ => {}
            }
        }
        request
    }

    /// Nothing where git names no host, or one that another reader could take for a longer
    /// address: git decodes `%2f` in it.
    pub(super) fn address(&self) -> Option<String> {
        let is_plain = |text: &str, more: &[u8]| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || more.contains(&b))
        };
        let is_place = is_plain(&self.protocol, b"+") && is_plain(&self.host, b"-._:[]");
        is_place.then(|| format!("{}://{}/", self.protocol, self.host))
    }

    /// The token as a bearer, not to be kept by other helpers; for an older git as a password.
    pub(super) fn reply(&self, it: &HandOut<'_>) -> Text {
        let (secret, ends) = (it.secret, unix_seconds(it.use_until));
        Zeroizing::new(if self.takes_bearer {
            format!(
                "capability[]=authtype\nauthtype=Bearer\ncredential={secret}\nephemeral=1\n\
                 password_expiry_utc={ends}\n"
            )
        } else {
            let username = self.username.as_deref().unwrap_or(USERNAME);
            format!("username={username}\npassword={secret}\npassword_expiry_utc={ends}\n")
        })
    }
}

/// The user where a protocol wants one beside the token and nobody has said which.
pub(super) const USERNAME: &str = "x-token";

/// What this helper can do.
pub(super) const CAPABILITIES: &str = "version 0\ncapability authtype\n";

/// Makes git give up rather than ask a person for a password that there is not.
pub(super) const QUIT: &str = "quit=1\n";

#[cfg(test)]
mod tests {
    use super::super::tests::hand_out;
    use super::*;

    #[test]
    fn a_git_that_can_gets_a_bearer() {
        let request = Request::read(
            "capability[]=authtype\ncapability[]=state\nprotocol=https\nhost=git.example:8443\n\
             wwwauth[]=Bearer realm=\"x=y\"\n",
        );
        assert_eq!(request.address().as_deref(), Some("https://git.example:8443/"));
        let expected = "capability[]=authtype\nauthtype=Bearer\ncredential=a'b\nephemeral=1\n\
                        password_expiry_utc=1795183190\n";
        assert_eq!(*request.reply(&hand_out("a'b")), expected);
    }

    #[test]
    fn an_older_git_gets_a_password_for_the_user_it_names() {
        let named =
            [("", "x-token"), ("username=ann=b\n", "ann=b"), ("username=a\rb\n", "x-token")];
        for (more, username) in named {
            let request = Request::read(&format!("protocol=https\nhost=git.example\n{more}"));
            let expected =
                format!("username={username}\npassword=t\npassword_expiry_utc=1795183190\n");
            assert_eq!(*request.reply(&hand_out("t")), expected);
        }
    }

    #[test]
    fn a_place_without_a_host_is_none() {
        for text in [
            "",
            "protocol=https\n",
            "protocol=cert\nhost=\npath=/x\n",
            // https://good.example%2f@evil.example, as git passes it on.
            "protocol=https\nhost=good.example/@evil.example\n",
            "protocol=https\nhost=me@good.example\n",
            "protocol=https\nhost=good.example?x\n",
            "protocol=https://good.example/\nhost=evil.example\n",
        ] {
            assert_eq!(Request::read(text).address(), None, "{text}");
        }
    }

    #[test]
    fn what_was_refused_is_read_in_both_forms() {
        for key in ["password", "credential"] {
            let request = Request::read(&format!("{key}=a=b\n"));
            assert_eq!(request.refused.unwrap().as_str(), "a=b");
        }
    }
}
