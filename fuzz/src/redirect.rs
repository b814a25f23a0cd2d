//! The redirect after a login: the redirect URI, and the response in its fragment.

use gatepass_core::{
    AuthorizationRequest, Credential, Endpoint, Interactive, LoginAttempt, RedirectUri, Result,
};
use percent_encoding::percent_decode_str;

use super::canary;
use super::token_response::sent;

/// The first line is the registered redirect URI, the rest is the address that the browser was sent to.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (registered, response) = text.split_once('\n').unwrap_or((text, ""));
    // The registered address is not secret, so errors show it, also if it is long.
    if canary::shows(registered) || registered.len() > 1024 {
        return;
    }
    let uri = match RedirectUri::parse(registered) {
        Ok(uri) => uri,
        Err(error) => return canary::check(&error),
    };
    check_uri(&uri, registered);
    let Some(response) = canary::planted(response) else { return };
    read(uri, &response);
}

fn check_uri(uri: &RedirectUri, registered: &str) {
    assert_eq!(uri.as_str(), registered);
    assert!(RedirectUri::parse(uri.as_str()).is_ok_and(|again| again == *uri));
    assert_eq!(uri.is_loopback(), !uri.addresses().is_empty());
    assert!(uri.addresses().iter().all(std::net::IpAddr::is_loopback));
    assert!(uri.is_reached_by(uri.as_str()), "the address does not match itself");
    let elsewhere = uri.with_port(4711);
    assert_eq!((elsewhere.port(), elsewhere.host()), (4711, uri.host()));
    assert_eq!(elsewhere.path(), uri.path());
}

fn read(uri: RedirectUri, response: &str) {
    let attempt = LoginAttempt::new([1; 48]);
    let response = response.replace("{STATE}", STATE);
    let endpoint = Endpoint::parse("https://vendor.example.com/authorize").expect("an address");
    let request = AuthorizationRequest::implicit(endpoint, "someone", uri);
    let spaced = response.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8_lossy();
    match attempt.read(&request, &response) {
        Err(error) => canary::check(&error),
        Ok(body) => {
            assert!(decoded.contains(STATE), "a response without this login's state is accepted");
            assert!(!canary::shows(&format!("{body:?}")), "the response shows a secret");
            match Plain.read_redirect(&body, sent()) {
                Err(error) => canary::check(&error),
                Ok(token) => {
                    assert!(
                        decoded.contains(token.expose_secret()),
                        "a token that is not in the response"
                    );
                    assert!(!canary::shows(&format!("{token:?}")), "a token shows itself");
                }
            }
        }
    }
}

/// The state of a login attempt whose random bytes are all 1.
const STATE: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";

#[derive(Debug)]
struct Plain;

impl Interactive for Plain {
    fn authorization_request(&self, _: &Credential) -> Result<AuthorizationRequest> {
        Err(gatepass_core::Error::login_required("login needed"))
    }
}
