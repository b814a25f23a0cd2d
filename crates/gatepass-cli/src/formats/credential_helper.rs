//! Credential helpers: the protocols by which git, docker and Bazel call the command.

use super::context::{FormatContext, SecretString};
use super::{bazel, docker, git};
use crate::error::{CommandError, usage};
use crate::options::Format;

/// A program that runs the command when it needs a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CredentialHelper {
    Git,
    Docker,
    Bazel,
}

/// The operation that a program requests.
pub(crate) enum HelperOperation {
    /// Print a token.
    Token(HelperRequest),
    /// Forget the token that the server at one of these addresses rejected, or any token if the
    /// program does not name it. Without an address, every server is meant.
    Forget { rejected: Option<SecretString>, addresses: Vec<String> },
    /// Print this text; no token is needed.
    Respond(&'static str),
}

/// A request for a token.
pub(crate) struct HelperRequest {
    /// The addresses that the token may be sent to. There are two if the program leaves the scheme
    /// open.
    pub(crate) addresses: Vec<String>,
    reply: ReplyFormat,
}

/// The reason why a program gets no token.
pub(crate) enum HelperError {
    /// The token must not be sent to this address; another helper may have a credential for it.
    WrongAddress(CommandError),
    /// No token could be acquired.
    NotAcquired(CommandError),
}

impl From<CommandError> for HelperError {
    fn from(error: CommandError) -> Self {
        Self::NotAcquired(error)
    }
}

enum ReplyFormat {
    Git(git::GitRequest),
    Docker(String),
    Bazel,
}

impl CredentialHelper {
    /// Returns the program that a format is for, if the format is a helper protocol.
    pub(crate) fn from_format(format: Format) -> Option<Self> {
        match format {
            Format::Git => Some(Self::Git),
            Format::Docker => Some(Self::Docker),
            Format::Bazel => Some(Self::Bazel),
            _ => None,
        }
    }

    /// Reads the operation from the program's argument and, if it needs one, from `input`.
    pub(crate) fn read_operation(
        self,
        operation: Option<&str>,
        input: impl FnOnce() -> Result<SecretString, CommandError>,
    ) -> Result<HelperOperation, CommandError> {
        match (self, operation) {
            (_, None) => Err(usage(
                "this format needs an operation, which the calling program adds",
                format!("let the program run gatepass: {}", self.setup()),
            )),
            (_, Some("get")) => self.read_request(&input()?).map(HelperOperation::Token),
            (Self::Git, Some("erase")) => {
                let rejected = git::GitRequest::parse(&input()?).rejected_token;
                Ok(HelperOperation::Forget { rejected, addresses: Vec::new() })
            }
            // docker names the server, and not the token.
            (Self::Docker, Some("erase")) => {
                let server = input()?.trim().to_owned();
                let addresses = if server.is_empty() { Vec::new() } else { candidates(server) };
                Ok(HelperOperation::Forget { rejected: None, addresses })
            }
            (Self::Git, Some("capability")) => Ok(HelperOperation::Respond(git::CAPABILITIES)),
            (Self::Docker, Some("list")) => Ok(HelperOperation::Respond("{}\n")),
            (Self::Docker, Some("version")) => {
                Ok(HelperOperation::Respond(concat!("gatepass ", env!("CARGO_PKG_VERSION"), "\n")))
            }
            // gatepass has its own store, and git expects unknown operations to be ignored.
            (Self::Git, Some(_)) | (Self::Docker, Some("store")) => {
                input().map(|_| HelperOperation::Respond(""))
            }
            _ => Err(usage("unknown operation of a credential helper", self.setup())),
        }
    }

    fn read_request(self, input: &str) -> Result<HelperRequest, CommandError> {
        let (address, reply) = match self {
            Self::Git => {
                let request = git::GitRequest::parse(input);
                (request.address(), ReplyFormat::Git(request))
            }
            Self::Docker => {
                let server = input.trim().to_owned();
                let address = (!server.is_empty()).then(|| server.clone());
                (address, ReplyFormat::Docker(server))
            }
            Self::Bazel => (bazel::address(input), ReplyFormat::Bazel),
        };
        let address = address
            .ok_or_else(|| usage("stdin names no address to send the token to", self.setup()))?;
        Ok(HelperRequest { addresses: candidates(address), reply })
    }

    /// Returns the output that makes the program stop waiting for a token.
    pub(crate) fn error_reply(self, error: &HelperError) -> String {
        match (self, error) {
            (Self::Docker, HelperError::WrongAddress(_)) => String::from(docker::NOT_FOUND),
            (Self::Docker, HelperError::NotAcquired(error)) => format!("{}\n", error.message()),
            (Self::Git, HelperError::NotAcquired(_)) => String::from(git::QUIT),
            _ => String::new(),
        }
    }

    /// Returns how the program is set up to call gatepass.
    fn setup(self) -> &'static str {
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

impl HelperRequest {
    /// Formats the token as the program reads it.
    pub(crate) fn reply(&self, context: &FormatContext<'_>) -> SecretString {
        match &self.reply {
            ReplyFormat::Git(request) => request.reply(context),
            ReplyFormat::Docker(server) => docker::reply(context, server),
            ReplyFormat::Bazel => bazel::reply(context),
        }
    }
}

/// Returns the addresses that a program's server may have.
fn candidates(address: String) -> Vec<String> {
    match address.contains("://") {
        true => vec![address],
        // A registry name: docker uses https, or http for a registry that is configured so.
        false => ["https", "http"].map(|scheme| format!("{scheme}://{address}")).into(),
    }
}

/// The largest request that is read.
pub(crate) const MAX_REQUEST_BYTES: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    const HELPERS: [CredentialHelper; 3] =
        [CredentialHelper::Git, CredentialHelper::Docker, CredentialHelper::Bazel];

    fn read(
        helper: CredentialHelper,
        operation: &str,
        input: &str,
    ) -> Result<HelperOperation, CommandError> {
        helper.read_operation(Some(operation), || Ok(Zeroizing::new(input.to_owned())))
    }

    fn addresses(helper: CredentialHelper, input: &str) -> Vec<String> {
        match read(helper, "get", input) {
            Ok(HelperOperation::Token(request)) => request.addresses,
            _ => panic!("{helper:?} did not request a token"),
        }
    }

    #[test]
    fn request_names_addresses() {
        let git = "protocol=https\nhost=git.example\npath=a/b\n";
        assert_eq!(addresses(CredentialHelper::Git, git), ["https://git.example/"]);
        let uri = "{\"uri\":\"https://x.example/a\"}";
        assert_eq!(addresses(CredentialHelper::Bazel, uri), ["https://x.example/a"]);
        let both = ["https://r.example:5000", "http://r.example:5000"];
        assert_eq!(addresses(CredentialHelper::Docker, "r.example:5000\n"), both);
        let with_scheme = addresses(CredentialHelper::Docker, "https://r.example/v1/");
        assert_eq!(with_scheme, ["https://r.example/v1/"]);
    }

    #[test]
    fn request_without_address_is_an_error() {
        for helper in HELPERS {
            assert!(read(helper, "get", "\n").is_err(), "{helper:?}");
            assert!(helper.read_operation(None, || unreachable!()).is_err(), "{helper:?}");
        }
    }

    #[test]
    fn other_operations_need_no_token() {
        let response = |helper, operation| match read(helper, operation, "password=x\n") {
            Ok(HelperOperation::Respond(text)) => Some(text),
            _ => None,
        };
        let (git, docker) = (CredentialHelper::Git, CredentialHelper::Docker);
        assert_eq!(response(git, "store"), Some(""));
        assert_eq!(response(git, "of-a-later-git"), Some(""));
        assert_eq!(response(git, "capability"), Some("version 0\ncapability authtype\n"));
        assert_eq!(response(git, "erase"), None);
        assert_eq!(response(docker, "store"), Some(""));
        assert_eq!(response(docker, "erase"), None);
        assert_eq!(response(docker, "list"), Some("{}\n"));
        assert!(response(docker, "version").is_some());
        assert_eq!(response(docker, "other"), None);
        assert_eq!(response(CredentialHelper::Bazel, "store"), None);
    }
}
