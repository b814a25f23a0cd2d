//! Tests of faults of the network and of this machine.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use gatepass_tests::{Home, Reply, Server, gatepass_binary, vendor};

/// Connections that fill a listener's queue, so that further ones get no response.
fn fill(address: &SocketAddr) -> Vec<TcpStream> {
    let next = || TcpStream::connect_timeout(address, Duration::from_millis(300)).ok();
    std::iter::from_fn(next).take(8192).collect()
}

#[test]
fn unresponsive_server_times_out() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let waiting = fill(&address);
    assert!(waiting.len() < 8192, "the queue has no end");
    let base_url = format!("http://{address}");
    let home = Home::with_config(&vendor("cisco").profile(&base_url, "timeout = \"700ms\""));
    gatepass_binary();
    let started = Instant::now();
    let run = home.gatepass(["token", "cisco", "--wait", "0s", "--format", "json"]).run();
    let error = run.error(6);
    assert_eq!(error["code"], "unavailable", "{error}");
    assert!(error["message"].as_str().unwrap().contains(&base_url), "{error}");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[test]
fn exhausted_file_descriptors_are_an_error() {
    let vendor = vendor("cisco");
    let response = Reply::json(200, vendor.token_response("token-1"));
    let server = Server::responding([response]);
    let home = Home::with_config(&vendor.profile(&server.url(), ""));
    let binary = gatepass_binary().to_str().unwrap();
    // With fewer descriptors the loader fails.
    for handles in 5..24 {
        home.forget_all();
        let script = format!("ulimit -n {handles}; exec {binary} token cisco --wait 0s");
        let run = home.program("/bin/sh".as_ref(), ["-c", &script]).run();
        let is_usual = matches!(run.code, Some(0 | 1 | 2 | 6));
        assert!(is_usual && !run.stderr.contains("internal error at"), "{handles}: {run:#?}");
        assert_eq!(run.code == Some(0), run.stdout == "token-1\n", "{handles}: {run:#?}");
    }
}

#[test]
fn narrower_scope_warns_or_fails() {
    let vendor = vendor("configapi");
    let response = vendor.token_response("token-1").replace("acme.brightpattern.com", "elsewhere");
    let server = Server::responding([Reply::json(200, response)]);
    let home = Home::with_config(&vendor.profile(&server.url(), ""));
    let run = home.gatepass(["token", "configapi"]).run();
    assert_eq!(run.ok(), "token-1\n");
    assert!(run.stderr.contains("another scope"), "{run:#?}");

    let home = Home::with_config(&vendor.profile(&server.url(), "require_scope = true"));
    let run = home.gatepass(["token", "configapi"]).run();
    assert!(run.failed(2).contains("less than the requested scope"), "{run:#?}");
    assert_eq!(server.requests().len(), 2);
}
