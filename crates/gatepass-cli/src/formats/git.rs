//! The credential helper protocol of git: lines of `key=value`.
//!
//! <https://git-scm.com/docs/git-credential#IOFMT>

use zeroize::Zeroizing;

use super::context::{FormatContext, SecretString};
use crate::output::unix_seconds;

/// The attributes of the server that git needs a credential for.
#[derive(Default)]
pub(super) struct GitRequest {
    protocol: String,
    host: String,
    username: Option<String>,
    /// git 2.46 or later can send a bearer token.
    supports_bearer: bool,
    /// The token that the server rejected.
    pub(super) rejected_token: Option<SecretString>,
}

impl GitRequest {
    pub(super) fn parse(text: &str) -> Self {
        let mut request = Self::default();
        for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
            match key {
                "protocol" => value.clone_into(&mut request.protocol),
                "host" => value.clone_into(&mut request.host),
                // git rejects a reply that contains a control character.
                "username" if !value.contains(char::is_control) => {
                    request.username = Some(value.to_owned());
                }
                "capability[]" => request.supports_bearer |= value == "authtype",
                "password" | "credential" => {
                    request.rejected_token = Some(Zeroizing::new(value.to_owned()));
                }
                _ => {}
            }
        }
        request
    }

    /// Returns the server's address. Returns `None` if the host is missing or contains anything
    /// that a URL parser could read as more than a host: git decodes `%2f` in it.
    pub(super) fn address(&self) -> Option<String> {
        let is_plain = |text: &str, extra: &[u8]| {
            !text.is_empty()
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || extra.contains(&b))
        };
        let is_valid = is_plain(&self.protocol, b"+") && is_plain(&self.host, b"-._:[]");
        is_valid.then(|| format!("{}://{}/", self.protocol, self.host))
    }

    /// Formats a bearer token that other helpers must not store, or a password for an older git.
    pub(super) fn reply(&self, context: &FormatContext<'_>) -> SecretString {
        let (secret, expires) = (context.secret, unix_seconds(context.use_until));
        Zeroizing::new(if self.supports_bearer {
            format!(
                "capability[]=authtype\nauthtype=Bearer\ncredential={secret}\nephemeral=1\n\
                 password_expiry_utc={expires}\n"
            )
        } else {
            let username = self.username.as_deref().unwrap_or(USERNAME);
            format!("username={username}\npassword={secret}\npassword_expiry_utc={expires}\n")
        })
    }
}

/// The username for protocols that require one, if the request has none.
pub(super) const USERNAME: &str = "x-token";

/// The reply to `capability`.
pub(super) const CAPABILITIES: &str = "version 0\ncapability authtype\n";

/// Makes git stop instead of asking the user for a password.
pub(super) const QUIT: &str = "quit=1\n";

#[cfg(test)]
mod tests {
    use super::super::context::sample_context;
    use super::*;

    #[test]
    fn new_git_gets_a_bearer_token() {
        let request = GitRequest::parse(
            "capability[]=authtype\ncapability[]=state\nprotocol=https\nhost=git.example:8443\n\
             wwwauth[]=Bearer realm=\"x=y\"\n",
        );
        assert_eq!(request.address().as_deref(), Some("https://git.example:8443/"));
        let expected = "capability[]=authtype\nauthtype=Bearer\ncredential=a'b\nephemeral=1\n\
                        password_expiry_utc=1795183190\n";
        assert_eq!(*request.reply(&sample_context("a'b")), expected);
    }

    #[test]
    fn older_git_gets_a_password_for_its_user() {
        let named =
            [("", "x-token"), ("username=ann=b\n", "ann=b"), ("username=a\rb\n", "x-token")];
        for (username_line, username) in named {
            let request =
                GitRequest::parse(&format!("protocol=https\nhost=git.example\n{username_line}"));
            let expected =
                format!("username={username}\npassword=t\npassword_expiry_utc=1795183190\n");
            assert_eq!(*request.reply(&sample_context("t")), expected);
        }
    }

    #[test]
    fn invalid_host_has_no_address() {
        for text in [
            "",
            "protocol=https\n",
            "protocol=cert\nhost=\npath=/x\n",
            // How git passes on https://good.example%2f@evil.example.
            "protocol=https\nhost=good.example/@evil.example\n",
            "protocol=https\nhost=me@good.example\n",
            "protocol=https\nhost=good.example?x\n",
            "protocol=https://good.example/\nhost=evil.example\n",
        ] {
            assert_eq!(GitRequest::parse(text).address(), None, "{text}");
        }
    }

    #[test]
    fn rejected_token_is_read_in_both_forms() {
        for key in ["password", "credential"] {
            let request = GitRequest::parse(&format!("{key}=a=b\n"));
            assert_eq!(request.rejected_token.unwrap().as_str(), "a=b");
        }
    }
}
