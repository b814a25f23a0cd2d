//! What an exchange adds to a provider's two functions: warnings, hints, and nothing of the secret.

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
        let answer = headers
            .fold(http::Response::builder().status(self.status), |answer, header| {
                answer.header(header.0, header.1)
            });
        Ok(answer.body(self.body.into()).unwrap().into())
    }
}

/// It is the year 2000.
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

/// Nothing here waits for anything.
fn ask(vendor: &Vendor) -> Result<Token> {
    let (credential, token_rules) =
        (Credential::client("app-1", "purple-cow"), TokenRules::default());
    let cx = ExchangeContext::new(vendor, &Y2K, &token_rules);
    let mut exchange = pin!(cx.run(vendor, &credential));
    match exchange.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => unreachable!("it waits"),
    }
}

#[test]
fn clocks_that_differ_are_a_warning_and_the_hint_for_an_odd_answer() {
    let late = &[("date", "Sat, 01 Jan 2000 01:00:00 GMT")];
    let token = ask(&Vendor { headers: late, ..VENDOR }).unwrap();
    let says = "differ by 60 minutes";
    assert!(token.warnings().any(|warning| warning.contains(says)));
    let error = ask(&Vendor { headers: late, body: "{}", ..VENDOR }).unwrap_err();
    assert!(error.hints()[0].text().contains(says), "{error:?}");
    let on_time = &[("date", "Sat, 01 Jan 2000 00:05:00 GMT")];
    assert_eq!(ask(&Vendor { headers: on_time, ..VENDOR }).unwrap().warnings().count(), 0);
}

#[test]
fn a_secret_that_the_vendor_repeats_as_its_words_or_its_code_is_left_out() {
    let body = r#"{"error":"purple-cow","error_description":"no purple-cow here"}"#;
    let error = ask(&Vendor { status: 401, body, ..VENDOR }).unwrap_err();
    assert_eq!((error.kind(), error.vendor_code()), (ErrorKind::Denied, None));
    assert_eq!(error.vendor_text(), Some("no [redacted] here"));
}

#[test]
fn a_secret_in_the_url_is_a_warning() {
    let token = ask(&Vendor { is_secret_in_url: true, ..VENDOR }).unwrap();
    assert!(token.warnings().any(|warning| warning.contains("in the URL")));
    assert_eq!(ask(&VENDOR).unwrap().warnings().count(), 0);
}

#[test]
fn a_redirect_with_a_users_name_in_it_is_not_shown() {
    let headers = &[("location", "https://purple:cow@elsewhere.example.com/")];
    let error = ask(&Vendor { status: 302, headers, ..VENDOR }).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    let shown = format!("{error:?}");
    assert!(!shown.contains("purple") && !shown.contains("elsewhere"), "{shown}");
}
