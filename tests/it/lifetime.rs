//! Tests of token lifetimes with clocks that differ from the vendor's.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatepass_tests::{Home, Reply, Server, vendor};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

const HOUR: i64 = 3600;

/// Returns a JWT with these claims.
fn jwt(claims: &str) -> String {
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.c2ln", encode(r#"{"alg":"RS256"}"#), encode(claims))
}

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// Starts a Cloudneeti whose clock differs by `skew` seconds and whose token has the claims that
/// `claims` makes of the vendor's time.
fn cloudneeti(
    skew: i64,
    has_date: bool,
    claims: impl Fn(i64) -> String + Send + Sync + 'static,
) -> Server {
    Server::new(move |_, _| {
        let now = now() + skew;
        let body = vendor("cloudneeti").token_response(&jwt(&claims(now)));
        let date = DateTimePrinter::new()
            .timestamp_to_rfc9110_string(&Timestamp::from_second(now).unwrap())
            .unwrap();
        let reply = Reply::json(200, body);
        if has_date { reply.with("date", date) } else { reply }
    })
}

/// Returns the lifetimes in seconds that `token` reports for a new token and for the cached one, and
/// the first call's messages.
fn lifetimes(server: &Server, more: &str) -> ([i64; 2], String) {
    let more = format!("persist = true\n{more}");
    let home = Home::with_config(&vendor("cloudneeti").profile(&server.url(), &more));
    let run = || home.gatepass(["token", "cloudneeti", "--format", "json"]).run();
    let seconds = |run: &gatepass_tests::Run| run.json()["expires_in"].as_i64().unwrap();
    let (first, second) = (run(), run());
    assert_eq!(second.json()["source"], "cache", "{second:#?}");
    ([seconds(&first), seconds(&second)], first.stderr)
}

#[test]
fn jwt_lifetime_is_the_difference_of_the_vendors_times() {
    let both = |now| format!(r#"{{"iat":{now},"exp":{}}}"#, now + 600);
    let only_exp = |now| format!(r#"{{"exp":{}}}"#, now + 600);
    for skew in [3 * HOUR, -3 * HOUR] {
        for (server, more) in [
            (cloudneeti(skew, true, both), ""),
            (cloudneeti(skew, false, both), "lifetime = \"2h\""),
            (cloudneeti(skew, true, only_exp), ""),
        ] {
            let (seconds, stderr) = lifetimes(&server, more);
            assert!(seconds.iter().all(|s| (540..=600).contains(s)), "{skew} {more} {seconds:?}");
            assert!(!stderr.contains("correct only if"), "{stderr}");
        }
    }
}

#[test]
fn local_clock_decides_with_a_warning() {
    let server = cloudneeti(0, false, |now| format!(r#"{{"exp":{}}}"#, now + 600));
    let (seconds, stderr) = lifetimes(&server, "");
    assert!(seconds.iter().all(|s| (540..=600).contains(s)), "{seconds:?}");
    assert!(stderr.contains("correct only if this machine's clock is"), "{stderr}");
}

#[test]
fn jwt_times_in_milliseconds_are_recognized() {
    let claims = |now| format!(r#"{{"iat":{now}123,"exp":{}123}}"#, now + HOUR);
    let (seconds, stderr) = lifetimes(&cloudneeti(0, false, claims), "");
    assert!(seconds.iter().all(|s| (3540..=3600).contains(s)), "{seconds:?}");
    assert_eq!(stderr, "");
}

#[test]
fn configured_lifetime_is_an_upper_bound() {
    let claims = |now| format!(r#"{{"iat":{now},"exp":{}}}"#, now + 2 * HOUR);
    let (seconds, _) = lifetimes(&cloudneeti(0, true, claims), "lifetime = \"10m\"");
    assert!(seconds.iter().all(|s| (540..=600).contains(s)), "{seconds:?}");

    let cisco = vendor("cisco");
    let server = Server::responding([Reply::json(200, cisco.token_response("token-1"))]);
    let home = Home::with_config(&cisco.profile(&server.url(), "lifetime = \"10m\""));
    let run = home.gatepass(["token", "cisco", "--format", "json"]).run();
    let seconds = run.json()["expires_in"].as_i64().unwrap();
    assert!((540..=600).contains(&seconds), "{seconds}");
}
