//! Tests of system calls: started programs, resolved names and created files.

mod files;
mod names;
mod programs;

use gatepass_testkit::{Canary, canary};
use gatepass_tests::{Home, Reply, Server, Terminal, Trace, vendor};

/// A Cisco server with canaries as secret and token, and a home whose secret comes from a program.
struct Stage {
    server: Server,
    home: Home,
    secret: Canary,
    token: Canary,
}

impl Stage {
    fn new(more: &str) -> Self {
        let (secret, token) = (canary("secret"), canary("token"));
        let response = vendor("cisco").token_response(token.text());
        let server = Server::new(move |_, request| match request.path() {
            "/as/token.oauth2" => Reply::json(200, response.clone()),
            _ => Reply::json(200, "{}"),
        });
        let home = Home::new();
        let secret_file = home.write("kept/secret", secret.text());
        let reference = format!("{{ command = [\"cat\", \"{}\"] }}", secret_file.display());
        let config = vendor("cisco").profile_with(&server.url(), more, |_| reference.clone());
        home.write("config/gatepass/config.toml", &config);
        Self { server, home, secret, token }
    }

    /// Returns a folder for the trace of one run.
    fn trace(&self, name: &str) -> Trace {
        Trace::in_folder(self.home.path("traces").join(name))
    }

    fn canaries(&self) -> [Canary; 2] {
        [self.secret.clone(), self.token.clone()]
    }
}

/// The lines of a login profile.
const IMPLICIT: &str = "grant = \"implicit\"\nredirect_uri = \"http://127.0.0.1:0/callback\"\n";

/// Pastes the redirect's address and returns the login's `state`.
fn paste(terminal: &mut Terminal<'_>, token: &Canary) -> Canary {
    let screen = terminal.wait_for("address: ");
    terminal.wait_until_hidden();
    let url = screen.lines().find(|line| line.contains("response_type=")).unwrap();
    let value = |name: &str| {
        let (_, after) = url.split_once(&format!("{name}=")).unwrap();
        let value = after.trim().split('&').next().unwrap();
        percent_encoding::percent_decode_str(value).decode_utf8().unwrap().into_owned()
    };
    let (state, redirect_uri) = (value("state"), value("redirect_uri"));
    let token = token.text();
    terminal.line(&format!(
        "{redirect_uri}#access_token={token}&token_type=Bearer&expires_in=3599&state={state}"
    ));
    Canary::new("state", &state)
}
