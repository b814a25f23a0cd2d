//! Tests of the formats of `gatepass token` with the programs that read them.

mod credential_helpers;
mod curl;
mod docker;
mod git;
mod python;
mod shells;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use gatepass_tests::{Gatepass, Home, Received, Reply, Server, gatepass_binary, vendor};

/// A server for tokens and API, and a home with a profile for it.
struct Setup {
    server: Server,
    home: Home,
}

impl Setup {
    /// Starts a vendor with the tokens token-1, token-2, … and `api` for other requests.
    fn new(id: &str, api: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        let count = AtomicUsize::new(0);
        Self::with_tokens(
            id,
            move || format!("token-{}", count.fetch_add(1, Ordering::SeqCst) + 1),
            api,
        )
    }

    /// Starts a vendor whose token has characters that are special in a format.
    fn hostile(id: &str, api: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        Self::with_tokens(id, || String::from(HOSTILE), api)
    }

    fn with_tokens(
        id: &str,
        token: impl Fn() -> String + Send + Sync + 'static,
        api: impl Fn(&Received) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let vendor = vendor(id);
        let server = Server::new(move |_, request| match request.path() {
            path if path == vendor.token_path => {
                let token = token().replace('\\', "\\\\").replace('"', "\\\"");
                Reply::json(200, vendor.token_response(&token))
            }
            _ => api(request),
        });
        let more = "token_charset = \"vschar-no-space\"";
        let home = Home::with_config(&vendor.profile(&server.url(), more));
        Self { server, home }
    }

    /// Returns a program with `gatepass` and the user's scripts in PATH.
    fn program<'a>(&self, program: &str, args: impl IntoIterator<Item = &'a str>) -> Gatepass<'_> {
        let folder = gatepass_binary().parent().unwrap().display();
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{folder}:{path}", self.home.path("bin").display());
        self.home
            .program(Path::new(program), args)
            .env("PATH", path)
            .env("URL", self.server.url())
            .env("HOST", self.host())
    }

    fn host(&self) -> String {
        self.server.url().replace("http://", "")
    }

    /// Returns the requests other than token requests.
    fn api_requests(&self) -> Vec<Received> {
        let mut requests = self.server.requests();
        requests.retain(|request| request.method != "POST");
        requests
    }

    /// Returns the number of token requests.
    fn exchanges(&self) -> usize {
        self.server.requests().iter().filter(|request| request.method == "POST").count()
    }
}

/// A token that needs correct quoting.
const HOSTILE: &str = r##"a'b"c$HOME`echo`\d#e"##;
