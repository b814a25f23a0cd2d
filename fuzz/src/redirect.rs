//! Where a browser was sent after a login: the redirect URI, and the answer in its fragment.

use gatepass_core::{
    AuthorizationRequest, Credential, Endpoint, Interactive, LoginAttempt, RedirectUri, Result,
};
use percent_encoding::percent_decode_str;

use super::answer::sent;
use super::canary;

/// The first line is the redirect URI that is registered, the rest is where the browser went.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (registered, answer) = text.split_once('\n').unwrap_or((text, ""));
    // What is registered is no secret, and is shown, as long as its owner made it.
    if canary::shows(registered) || registered.len() > 1024 {
        return;
    }
    let uri = match RedirectUri::parse(registered) {
        Ok(uri) => uri,
        Err(error) => return canary::check(&error),
    };
    check_uri(&uri, registered);
    let Some(answer) = canary::planted(answer) else { return };
    read(uri, &answer);
}

fn check_uri(uri: &RedirectUri, registered: &str) {
    assert_eq!(uri.as_str(), registered);
    assert!(RedirectUri::parse(uri.as_str()).is_ok_and(|again| again == *uri));
    assert_eq!(uri.is_loopback(), !uri.addresses().is_empty());
    assert!(uri.addresses().iter().all(std::net::IpAddr::is_loopback));
    assert!(uri.is_reached_by(uri.as_str()), "it is not reached by itself");
    let elsewhere = uri.with_port(4711);
    assert_eq!((elsewhere.port(), elsewhere.host()), (4711, uri.host()));
    assert_eq!(elsewhere.path(), uri.path());
}

fn read(uri: RedirectUri, answer: &str) {
    let attempt = LoginAttempt::new([1; 48]);
    let answer = answer.replace("{STATE}", STATE);
    let endpoint = Endpoint::parse("https://vendor.example.com/authorize").expect("an address");
    let request = AuthorizationRequest::implicit(endpoint, "someone", uri);
    let spaced = answer.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8_lossy();
    match attempt.read(&request, &answer) {
        Err(error) => canary::check(&error),
        Ok(body) => {
            assert!(decoded.contains(STATE), "an answer without this login's state is taken");
            assert!(!canary::shows(&format!("{body:?}")), "the answer shows a secret");
            match Plain.read_redirect(&body, sent()) {
                Err(error) => canary::check(&error),
                Ok(token) => {
                    assert!(decoded.contains(token.expose_secret()), "a token from nowhere");
                    assert!(!canary::shows(&format!("{token:?}")), "a token shows itself");
                }
            }
        }
    }
}

/// The state of an attempt of ones.
const STATE: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE";

#[derive(Debug)]
struct Plain;

impl Interactive for Plain {
    fn authorization_request(&self, _: &Credential) -> Result<AuthorizationRequest> {
        Err(gatepass_core::Error::login_required("login needed"))
    }
}
