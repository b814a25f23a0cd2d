//! Every format of `gatepass token`, read by the program that it is for.

mod askers;
mod curl;
mod docker;
mod git;
mod python;
mod shells;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use gatepass_tests::{Gatepass, Home, Received, Reply, Server, gatepass_binary, vendor};

/// A vendor whose API is the program's other side, and a user of it.
struct Place {
    server: Server,
    home: Home,
}

impl Place {
    /// The vendor gives token-1, token-2 and so on, and answers other requests as `api` does.
    fn new(id: &str, api: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        let count = AtomicUsize::new(0);
        Self::giving(id, move || format!("token-{}", count.fetch_add(1, Ordering::SeqCst) + 1), api)
    }

    /// The vendor gives a token with all that means something to somebody.
    fn hostile(id: &str, api: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        Self::giving(id, || String::from(HOSTILE), api)
    }

    fn giving(
        id: &str,
        token: impl Fn() -> String + Send + Sync + 'static,
        api: impl Fn(&Received) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let vendor = vendor(id);
        let server = Server::new(move |_, request| match request.path() {
            path if path == vendor.token_path => {
                let token = token().replace('\\', "\\\\").replace('"', "\\\"");
                Reply::json(200, vendor.token_answer(&token))
            }
            _ => api(request),
        });
        let more = "token_charset = \"vschar-no-space\"";
        let home = Home::with_config(&vendor.profile(&server.url(), more));
        Self { server, home }
    }

    /// The program as a user runs it who has `gatepass`, and scripts of their own, in the PATH.
    fn program<'a>(&self, program: &str, args: impl IntoIterator<Item = &'a str>) -> Gatepass<'_> {
        let ours = gatepass_binary().parent().unwrap().display();
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{ours}:{path}", self.home.path("bin").display());
        self.home
            .program(Path::new(program), args)
            .env("PATH", path)
            .env("URL", self.server.url())
            .env("HOST", self.host())
    }

    fn host(&self) -> String {
        self.server.url().replace("http://", "")
    }

    /// The requests that were not for a token.
    fn api_requests(&self) -> Vec<Received> {
        let mut requests = self.server.requests();
        requests.retain(|request| request.method != "POST");
        requests
    }

    /// How many tokens the vendor was asked for.
    fn exchanges(&self) -> usize {
        self.server.requests().iter().filter(|request| request.method == "POST").count()
    }
}

/// A token that nobody quotes by accident.
const HOSTILE: &str = r##"a'b"c$HOME`echo`\d#e"##;
