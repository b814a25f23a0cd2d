//! Tests of connections that end after each byte (F97 and F98).

use gatepass::{ErrorKind, Gate, Retry};
use gatepass_tests::{Home, Server, Step, runtime, vendor};

use super::rows::{CANARIES, GOOD, with_fields};

/// Sends one token request with the library for each n to a server that runs these steps on
/// connection n, and returns the outcomes.
fn outcomes(
    count: usize,
    steps: impl Fn(usize) -> Vec<Step> + Send + Sync + 'static,
) -> Vec<Result<(), (ErrorKind, Retry)>> {
    let server = Server::with_steps(steps);
    let home = Home::new();
    let path = home.write("config.toml", &vendor("cisco").profile(&server.url(), ""));
    let gate = Gate::load(path).unwrap();
    let runtime = runtime();
    let outcomes = (0..count).map(|n| {
        // A new source each time, so that no cool-down is active.
        let source = gate.profile("cisco").open().unwrap();
        let outcome = runtime.block_on(source.token());
        assert_eq!(server.connections(), n + 1, "asked once each");
        outcome.map(drop).map_err(|error| (error.kind(), error.retry()))
    });
    outcomes.collect()
}

const TEMPORARY: Result<(), (ErrorKind, Retry)> = Err((ErrorKind::Unavailable, Retry::Later));

#[test]
fn truncated_response_is_unavailable() {
    let response = with_fields("200 OK", "", GOOD).into_bytes();
    let length = response.len();
    let cut = move |n: usize| vec![Step::Request, Step::send(&response[..n]), Step::Finish];
    let outcomes = outcomes(length + 1, cut);
    for (n, outcome) in outcomes[..length].iter().enumerate() {
        assert_eq!(*outcome, TEMPORARY, "after {n} bytes");
    }
    assert_eq!(outcomes[length], Ok(()));
}

#[test]
fn reset_response_is_unavailable() {
    let response = with_fields("200 OK", "", GOOD).into_bytes();
    let length = response.len();
    let cut = move |n: usize| vec![Step::Request, Step::send(&response[..n]), Step::Reset];
    for (n, outcome) in outcomes(length, cut).into_iter().enumerate() {
        assert_eq!(outcome, TEMPORARY, "after {n} bytes");
    }
}

#[test]
fn reset_request_is_unavailable() {
    for (n, outcome) in outcomes(200, |n| vec![Step::Read(n), Step::Reset]).into_iter().enumerate()
    {
        assert_eq!(outcome, TEMPORARY, "after {n} bytes");
    }
}

#[test]
fn command_treats_truncation_like_the_library() {
    let response = with_fields("200 OK", "", GOOD).into_bytes();
    for n in (0..response.len()).step_by(17) {
        let part = response[..n].to_vec();
        let server = Server::following([Step::Request, Step::Send(part), Step::Reset]);
        let home = Home::with_config(&vendor("cisco").profile(&server.url(), ""));
        let run = home.gatepass(["token", "cisco", "--wait", "0s", "--format", "json"]).run();
        let error = run.error(6);
        assert_eq!(error["code"], "unavailable", "after {n} bytes: {error}");
        assert_eq!(server.requests().len(), 1);
        assert!(!run.all().contains(&CANARIES[0].text()[..12]), "{run:#?}");
    }
}
