//! Tests of retries: `--wait` applies to throttling and outages, never to denials.

use std::time::{Duration, Instant};

use gatepass_tests::{Home, Reply, Run, Server, VENDORS, Vendor, vendor};

use super::faulty;

/// Runs `token` against these replies, one for each request.
fn attempts(vendor: &Vendor, replies: Vec<Reply>, more: &[&str]) -> (Run, usize) {
    let server = Server::responding(replies);
    let home = Home::with_config(&vendor.profile(&server.url(), ""));
    let args = ["token", vendor.id].into_iter().chain(more.iter().copied());
    let run = home.gatepass(args).run();
    (run, server.requests().len())
}

fn good(vendor: &Vendor) -> Reply {
    Reply::json(200, vendor.token_response("token-1"))
}

/// Returns a vendor's rejection; a 401 or 403 without a code would be a gateway's.
fn denied(status: u16) -> Reply {
    Reply::json(status, r#"{"error":"invalid_client","message":"refused"}"#)
}

#[test]
fn denial_is_not_retried() {
    for vendor in &VENDORS {
        for status in [401, 403] {
            let (run, requests) = attempts(vendor, vec![denied(status)], &["--wait", "60s"]);
            run.failed(3);
            assert_eq!(requests, 1, "{} {status}", vendor.id);
        }
    }
}

#[test]
fn config_error_is_not_retried() {
    let (run, requests) = attempts(vendor("cisco"), vec![Reply::empty(404)], &[]);
    run.failed(2);
    assert_eq!(requests, 1);
}

#[test]
fn outage_is_retried_until_it_ends() {
    for vendor in &VENDORS {
        let (run, requests) = attempts(vendor, vec![Reply::empty(503), good(vendor)], &[]);
        assert_eq!((run.ok(), requests), ("token-1\n", 2), "{}", vendor.id);
    }
    let (run, requests) =
        attempts(vendor("cisco"), vec![Reply::close(), good(vendor("cisco"))], &[]);
    assert_eq!((run.ok(), requests), ("token-1\n", 2));
}

#[test]
fn lasting_outage_is_tried_until_the_deadline() {
    let started = Instant::now();
    let (run, requests) = attempts(vendor("cisco"), vec![Reply::empty(500)], &["--wait", "4s"]);
    assert!(run.failed(6).contains("the vendor returned a server error (500)"), "{run:#?}");
    assert!((4..=20).contains(&requests), "{requests}");
    assert!(started.elapsed() >= Duration::from_secs(3), "{:?}", started.elapsed());
}

#[test]
fn zero_wait_sends_one_request() {
    for reply in [Reply::empty(503), Reply::empty(429), Reply::close(), Reply::json(200, "")] {
        let (run, requests) = attempts(vendor("cisco"), vec![reply], &["--wait", "0s"]);
        assert!(matches!(run.code, Some(5 | 6)), "{run:#?}");
        assert_eq!(requests, 1);
    }
}

#[test]
fn retry_after_is_respected() {
    let vendor = vendor("celerdata");
    for status in [429, 503] {
        let replies = vec![Reply::empty(status).with("retry-after", "1"), good(vendor)];
        let started = Instant::now();
        let (run, requests) = attempts(vendor, replies, &[]);
        assert_eq!((run.ok(), requests), ("token-1\n", 2));
        assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());
    }
}

#[test]
fn retry_after_beyond_wait_fails_at_once() {
    let vendor = vendor("celerdata");
    for (status, code) in [(429, 5), (503, 6)] {
        let reply = Reply::empty(status).with("retry-after", "3600");
        let started = Instant::now();
        let (run, requests) = attempts(vendor, vec![reply], &[]);
        assert!(run.failed(code).contains("not before 20"), "{run:#?}");
        assert_eq!(requests, 1);
        assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    }
}

#[test]
fn retries_print_one_json_error() {
    let vendor = vendor("celerdata");
    let again = Reply::empty(429).with("retry-after", "1");
    let (text, _) = attempts(vendor, vec![again.clone(), denied(401)], &[]);
    assert!(text.failed(3).contains("next try in "), "{text:#?}");
    let more = ["--format", "json"];
    let (json, requests) = attempts(vendor, vec![again, denied(401)], &more);
    assert_eq!(json.error(3)["code"], "denied");
    assert_eq!((json.stderr.lines().count(), requests), (1, 2), "{json:#?}");
}

#[test]
fn unreadable_response_is_retried_once() {
    let vendor = vendor("cisco");
    let (run, requests) = attempts(vendor, vec![Reply::json(200, "<"), good(vendor)], &[]);
    assert_eq!((run.ok(), requests), ("token-1\n", 2));
    let (run, requests) = attempts(vendor, vec![Reply::json(200, "<")], &[]);
    run.failed(6);
    assert_eq!(requests, 2);
}

#[test]
fn unsafe_token_is_not_retried() {
    let vendor = vendor("cisco");
    let response = vendor.token_response(r"token-1\r\nX-Evil: 1");
    let (run, requests) = attempts(vendor, vec![Reply::json(200, response)], &[]);
    run.failed(6);
    assert_eq!(requests, 1);
}

#[test]
fn silent_server_times_out() {
    let (server, home) = faulty(vendor("huawei"), Reply::silence());
    let started = Instant::now();
    let args = ["token", "huawei", "--wait", "0s", "--set", "timeout=300ms"];
    let run = home.gatepass(args).run();
    assert!(run.failed(6).contains("0.3 s"), "{run:#?}");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn refused_connection_error_names_the_address() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let home = Home::with_config(&vendor("cisco").profile(&format!("http://{free}"), ""));
    let run = home.gatepass(["token", "cisco", "--wait", "0s"]).run();
    assert!(run.failed(6).contains(&format!("connection refused by http://{free}")), "{run:#?}");
}

#[test]
fn list_inspect_and_call_report_faults_like_token() {
    let (server, home) = faulty(vendor("cisco"), denied(401));
    home.gatepass(["list"]).run().ok();
    home.gatepass(["inspect", "cisco"]).run().ok();
    assert_eq!(server.connections(), 0);
    assert_eq!(
        home.gatepass(["inspect", "cisco", "--fresh", "--format", "json"]).run().error(3)["code"],
        "denied"
    );
    home.forget_all();
    let run = home.gatepass(["call", "cisco", "/hello", "--format", "json"]).run();
    assert_eq!(run.error(3)["code"], "denied");
    assert_eq!(server.requests().len(), 2);
}
