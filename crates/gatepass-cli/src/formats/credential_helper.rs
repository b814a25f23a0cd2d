//! Credential helpers: what git, docker and Bazel ask, and in whose words they are answered.

use super::{HandOut, Text, bazel, docker, git};
use crate::error::{CommandError, usage};
use crate::options::Format;

/// A program that runs the command whenever it needs a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    Git,
    Docker,
    Bazel,
}

/// What it asks.
pub(crate) enum Asked {
    /// A token.
    Token(Request),
    /// To forget this token, which the server refused; where it does not say which, any.
    Forget(Option<Text>),
    /// What needs no token: this is the answer.
    Told(&'static str),
}

/// A question for a token.
pub(crate) struct Request {
    /// Where the token is going to be sent; more than one where the program leaves that open.
    pub(crate) addresses: Vec<String>,
    reply: Reply,
}

/// Why a program gets no token.
pub(crate) enum NoToken {
    /// It must not go there; another helper may have what is right for that place.
    Here(CommandError),
    /// There is none.
    AtAll(CommandError),
}

impl From<CommandError> for NoToken {
    fn from(failure: CommandError) -> Self {
        Self::AtAll(failure)
    }
}

enum Reply {
    Git(git::Request),
    Docker(String),
    Bazel,
}

impl Asker {
    /// The program that this format is for, if it is one that asks.
    pub(crate) fn of(format: Format) -> Option<Self> {
        match format {
            Format::Git => Some(Self::Git),
            Format::Docker => Some(Self::Docker),
            Format::Bazel => Some(Self::Bazel),
            _ => None,
        }
    }

    /// Reads what it asks: an argument, and what `input` gives it.
    pub(crate) fn asked(
        self,
        operation: Option<&str>,
        input: impl FnOnce() -> Result<Text, CommandError>,
    ) -> Result<Asked, CommandError> {
        match (self, operation) {
            (_, None) => Err(usage(
                "this format answers a program that says what it wants",
                format!("let it run gatepass: {}", self.wiring()),
            )),
            (_, Some("get")) => self.request(&input()?).map(Asked::Token),
            (Self::Git, Some("erase")) => Ok(Asked::Forget(git::Request::read(&input()?).refused)),
            (Self::Git, Some("capability")) => Ok(Asked::Told(git::CAPABILITIES)),
            (Self::Docker, Some("list")) => Ok(Asked::Told("{}\n")),
            (Self::Docker, Some("version")) => {
                Ok(Asked::Told(concat!("gatepass ", env!("CARGO_PKG_VERSION"), "\n")))
            }
            // What it wants kept we keep already; git wants unknown operations ignored.
            (Self::Git, Some(_)) | (Self::Docker, Some("store" | "erase")) => {
                input().map(|_| Asked::Told(""))
            }
            _ => Err(usage("there is no such operation", self.wiring())),
        }
    }

    fn request(self, input: &str) -> Result<Request, CommandError> {
        let (address, reply) = match self {
            Self::Git => {
                let request = git::Request::read(input);
                (request.address(), Reply::Git(request))
            }
            Self::Docker => {
                let server = input.trim().to_owned();
                let is_some = !server.is_empty();
                (is_some.then(|| server.clone()), Reply::Docker(server))
            }
            Self::Bazel => (bazel::address(input), Reply::Bazel),
        };
        let address = address
            .ok_or_else(|| usage("stdin does not say where the token goes", self.wiring()))?;
        let addresses = match address.contains("://") {
            true => vec![address],
            // A registry: over https, or http for one that may be asked so.
            false => ["https", "http"].map(|scheme| format!("{scheme}://{address}")).into(),
        };
        Ok(Request { addresses, reply })
    }

    /// What stdout says where there is no token, in the program's words.
    pub(crate) fn refusal(self, why: &NoToken) -> String {
        match (self, why) {
            (Self::Docker, NoToken::Here(_)) => String::from(docker::NOT_FOUND),
            (Self::Docker, NoToken::AtAll(failure)) => format!("{}\n", failure.message()),
            (Self::Git, NoToken::AtAll(_)) => String::from(git::QUIT),
            _ => String::new(),
        }
    }

    fn wiring(self) -> &'static str {
        match self {
            Self::Git => {
                "git config credential.https://git.example.helper \
                 '!gatepass token PROFILE --format git'"
            }
            Self::Docker => {
                "a script docker-credential-NAME with \
                 exec gatepass token PROFILE --format docker \"$@\""
            }
            Self::Bazel => {
                "a script for --credential_helper with \
                 exec gatepass token PROFILE --format bazel \"$@\""
            }
        }
    }
}

impl Request {
    /// The token as the program reads it.
    pub(crate) fn reply(&self, it: &HandOut<'_>) -> Text {
        match &self.reply {
            Reply::Git(request) => request.reply(it),
            Reply::Docker(server) => docker::reply(it, server),
            Reply::Bazel => bazel::reply(it),
        }
    }
}

/// As much as a request has.
pub(crate) const LIMIT: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn asked(asker: Asker, operation: &str, input: &str) -> Result<Asked, CommandError> {
        asker.asked(Some(operation), || Ok(Zeroizing::new(input.to_owned())))
    }

    fn addresses(asker: Asker, input: &str) -> Vec<String> {
        match asked(asker, "get", input) {
            Ok(Asked::Token(request)) => request.addresses,
            _ => panic!("{asker:?} did not ask for a token"),
        }
    }

    #[test]
    fn each_says_where_the_token_goes() {
        let git = "protocol=https\nhost=git.example\npath=a/b\n";
        assert_eq!(addresses(Asker::Git, git), ["https://git.example/"]);
        let uri = "{\"uri\":\"https://x.example/a\"}";
        assert_eq!(addresses(Asker::Bazel, uri), ["https://x.example/a"]);
        let both = ["https://r.example:5000", "http://r.example:5000"];
        assert_eq!(addresses(Asker::Docker, "r.example:5000\n"), both);
        assert_eq!(addresses(Asker::Docker, "https://r.example/v1/"), ["https://r.example/v1/"]);
    }

    #[test]
    fn who_does_not_say_where_gets_nothing() {
        for asker in [Asker::Git, Asker::Docker, Asker::Bazel] {
            assert!(asked(asker, "get", "\n").is_err(), "{asker:?}");
            assert!(asker.asked(None, || unreachable!()).is_err(), "{asker:?}");
        }
    }

    #[test]
    fn other_operations_are_answered_without_a_token() {
        let told = |asker, operation| match asked(asker, operation, "password=x\n") {
            Ok(Asked::Told(answer)) => Some(answer),
            _ => None,
        };
        assert_eq!(told(Asker::Git, "store"), Some(""));
        assert_eq!(told(Asker::Git, "of-a-later-git"), Some(""));
        assert_eq!(told(Asker::Git, "capability"), Some("version 0\ncapability authtype\n"));
        assert_eq!(told(Asker::Git, "erase"), None);
        assert_eq!(told(Asker::Docker, "store"), Some(""));
        assert_eq!(told(Asker::Docker, "erase"), Some(""));
        assert_eq!(told(Asker::Docker, "list"), Some("{}\n"));
        assert!(told(Asker::Docker, "version").is_some());
        assert_eq!(told(Asker::Docker, "other"), None);
        assert_eq!(told(Asker::Bazel, "store"), None);
    }
}
