//! The `gatepass` command with a provider whose panic messages contain secrets.

use std::time::SystemTime;

use gatepass_core::{
    Credential, Endpoint, Field, Provider, ProviderInfo, Request, Response, Result, Settings, Token,
    register,
};

/// The facts of this provider.
pub const INFO: ProviderInfo = ProviderInfo::new("rash", "Rash Cloud")
    .fields(const { &[
        Field::text("client_id", "anything"),
        Field::secret("client_secret", "the value that the panic messages repeat"),
        Field::text("when", "request, response, thread or build"),
    ] })
    .build(|settings| Ok(Box::new(Rash::new(settings)?)));
register!(INFO);

/// A provider that panics at a chosen moment.
#[derive(Debug)]
struct Rash {
    endpoint: Endpoint,
    when: String,
}

impl Rash {
    fn new(settings: &Settings) -> Result<Self> {
        let (endpoint, when) = (settings.base(&INFO)?, settings.text("when")?.to_owned());
        assert!(when != "build", "the id is {:?}", settings.optional_text("client_id"));
        Ok(Self { endpoint, when })
    }
}

impl Provider for Rash {
    fn id(&self) -> &str {
        "rash"
    }

    fn token_request(&self, credential: &Credential) -> Result<Request> {
        let secret = credential.secret("client_secret")?.expose_secret();
        match self.when.as_str() {
            "request" => panic!("cannot encode {secret}"),
            "thread" => {
                let secret = secret.to_owned();
                let thread = std::thread::spawn(move || panic!("cannot encode {secret}"));
                // Repeats the panic of the other thread.
                if let Err(payload) = thread.join() {
                    std::panic::resume_unwind(payload);
                }
            }
            _ => {}
        }
        Ok(Request::post(self.endpoint.clone()).form([("client_secret", secret)]))
    }

    fn read_token(&self, response: &Response, _: SystemTime) -> Result<Token> {
        panic!("no token in {}", String::from_utf8_lossy(response.body()))
    }
}

fn main() -> std::process::ExitCode {
    gatepass_cli::main()
}
