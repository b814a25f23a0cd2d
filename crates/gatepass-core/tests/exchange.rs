//! Tests of `ExchangeContext::run`: warnings, hints and redaction around a provider's functions.

#![expect(clippy::unwrap_used, reason = "a failed assumption fails the test")]

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use gatepass_core::{
    Clock, Credential, Endpoint, ErrorKind, ExchangeContext, HttpSend, Provider, Request, Response,
    Result, Token, TokenRules, async_trait, oauth2,
};

const TOKEN: &str = r#"{"access_token":"t-1","token_type":"Bearer","expires_in":60}"#;

#[derive(Debug)]
struct Vendor {
    status: u16,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
    is_secret_in_url: bool,
}

const VENDOR: Vendor = Vendor { status: 200, headers: &[], body: TOKEN, is_secret_in_url: false };

impl Provider for Vendor {
    fn id(&self) -> &str {
        "vendor"
    }

    fn token_request(&self, credential: &Credential) -> Result<Request> {
        let request = Request::post(Endpoint::parse("https://vendor.example.com/token")?);
        let pair = ("client_secret", credential.secret("client_secret")?.expose_secret());
        Ok(if self.is_secret_in_url { request.secret_query([pair]) } else { request.form([pair]) })
    }

    fn read_token(&self, response: &Response, sent: SystemTime) -> Result<Token> {
        oauth2::read_token(response, sent)
    }
}

#[async_trait]
impl HttpSend for Vendor {
    async fn send(&self, _: Request) -> Result<Response> {
        let headers = self.headers.iter();
        let response = headers
            .fold(http::Response::builder().status(self.status), |response, header| {
                response.header(header.0, header.1)
            });
        Ok(response.body(self.body.into()).unwrap().into())
    }
}

/// A clock in the year 2000.
#[derive(Debug)]
struct Y2K;

impl Clock for Y2K {
    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(946_684_800)
    }

    fn boot(&self) -> Duration {
        Duration::from_secs(1)
    }
}

/// Runs an exchange. The fake vendor never waits, so one poll is enough.
fn exchange(vendor: &Vendor) -> Result<Token> {
    let (credential, token_rules) =
        (Credential::client("app-1", "purple-cow"), TokenRules::default());
    let cx = ExchangeContext::new(vendor, &Y2K, &token_rules);
    let mut running = pin!(cx.run(vendor, &credential));
    match running.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => unreachable!("the fake vendor waits"),
    }
}

#[test]
fn clock_skew_is_a_warning_or_hint() {
    let late = &[("date", "Sat, 01 Jan 2000 01:00:00 GMT")];
    let token = exchange(&Vendor { headers: late, ..VENDOR }).unwrap();
    let warning = "differ by 60 minutes";
    assert!(token.warnings().any(|text| text.contains(warning)));
    let error = exchange(&Vendor { headers: late, body: "{}", ..VENDOR }).unwrap_err();
    assert!(error.hints()[0].text().contains(warning), "{error:?}");
    let on_time = &[("date", "Sat, 01 Jan 2000 00:05:00 GMT")];
    assert_eq!(exchange(&Vendor { headers: on_time, ..VENDOR }).unwrap().warnings().count(), 0);
}

#[test]
fn repeated_secret_is_redacted_in_text_and_code() {
    let body = r#"{"error":"purple-cow","error_description":"no purple-cow here"}"#;
    let error = exchange(&Vendor { status: 401, body, ..VENDOR }).unwrap_err();
    assert_eq!((error.kind(), error.vendor_code()), (ErrorKind::Denied, None));
    assert_eq!(error.vendor_text(), Some("no [redacted] here"));
}

#[test]
fn secret_in_url_is_a_warning() {
    let token = exchange(&Vendor { is_secret_in_url: true, ..VENDOR }).unwrap();
    assert!(token.warnings().any(|warning| warning.contains("in the URL")));
    assert_eq!(exchange(&VENDOR).unwrap().warnings().count(), 0);
}

#[test]
fn error_hides_redirect_with_user_name() {
    let headers = &[("location", "https://purple:cow@elsewhere.example.com/")];
    let error = exchange(&Vendor { status: 302, headers, ..VENDOR }).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    let shown = format!("{error:?}");
    assert!(!shown.contains("purple") && !shown.contains("elsewhere"), "{shown}");
}
