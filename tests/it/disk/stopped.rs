//! Tests of commands that wait for another one that is stopped or killed during its token request.

use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use gatepass_tests::{Home, Reply, Running, Server, vendor};
use rustix::process::Signal;

use super::files_with_suffix;

/// A server whose first response waits until it is released, and a home with its profile.
struct Vendor {
    server: Server,
    home: Home,
    arrived: Receiver<()>,
    release: Sender<()>,
}

fn vendor_that_waits(timeout: &str) -> Vendor {
    let (release, released) = mpsc::channel();
    let (arrival, arrived) = mpsc::channel();
    let first = Mutex::new((arrival, released));
    let server = Server::new(move |n, _| {
        if n == 0 {
            let (arrival, released) = &*first.lock().unwrap();
            arrival.send(()).unwrap();
            let _ = released.recv_timeout(Duration::from_secs(60));
        }
        Reply::json(200, vendor("cisco").token_response(&format!("token-{}", n + 1)))
    });
    let profile = vendor("cisco").profile(&server.url(), &format!("timeout = \"{timeout}\""));
    let home = Home::with_config(&profile);
    Vendor { server, home, arrived, release }
}

impl Vendor {
    /// Starts a command and stops it during its token request.
    fn stopped(&self, args: &[&str]) -> Running<'_> {
        let running = self.home.gatepass(args.iter().copied()).spawn();
        self.arrived.recv_timeout(Duration::from_secs(60)).unwrap();
        running.signal(Signal::STOP);
        running
    }
}

#[test]
fn stopped_command_has_one_successor() {
    let vendor = vendor_that_waits("4s");
    let stopped = vendor.stopped(&["token", "cisco"]);
    let Vendor { server, home, release, .. } = &vendor;
    release.send(()).unwrap();
    let token = || home.gatepass(["token", "cisco", "--wait", "30s"]);
    let waiting: Vec<_> = (0..20).map(|_| token().spawn()).collect();
    for running in waiting {
        assert_eq!(running.finish().ok(), "token-2\n");
    }
    assert_eq!(server.requests().len(), 2);

    // The command continues. It has its own token, or that of its successor after its timeout.
    stopped.signal(Signal::CONT);
    let run = stopped.finish();
    assert!(["token-1\n", "token-2\n"].contains(&run.ok()), "{run:#?}");
    assert_eq!(token().run().ok(), "token-2\n");
    assert_eq!(server.requests().len(), 2);
    assert!(files_with_suffix(home, ".lock").is_empty());
}

#[test]
fn late_token_is_printed_and_not_stored() {
    let vendor = vendor_that_waits("1s");
    // The other commands have a shorter timeout, so the command continues within its own.
    let slow = vendor.stopped(&["token", "cisco", "--set", "timeout=60s"]);
    let Vendor { server, home, release, .. } = &vendor;
    assert_eq!(home.gatepass(["token", "cisco"]).run().ok(), "token-2\n");
    release.send(()).unwrap();
    slow.signal(Signal::CONT);
    assert_eq!(slow.finish().ok(), "token-1\n");
    assert_eq!(home.gatepass(["token", "cisco"]).run().ok(), "token-2\n");
    let why = home.gatepass(["why", "cisco"]).run();
    assert!(why.ok().contains("the token was used once and not cached"), "{why:#?}");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn killed_command_is_succeeded_at_once() {
    let vendor = vendor_that_waits("30s");
    let killed = vendor.stopped(&["token", "cisco"]);
    let Vendor { server, home, release, .. } = &vendor;
    let waiting: Vec<_> = (0..10).map(|_| home.gatepass(["token", "cisco"]).spawn()).collect();
    let started = Instant::now();
    drop(killed);
    release.send(()).unwrap();
    for running in waiting {
        assert_eq!(running.finish().ok(), "token-2\n");
    }
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn command_with_a_short_wait_sends_nothing() {
    let vendor = vendor_that_waits("3s");
    let stopped = vendor.stopped(&["token", "cisco"]);
    let Vendor { server, home, .. } = &vendor;
    let started = Instant::now();
    let waiting: Vec<_> = ["0s", "1s"]
        .map(|wait| home.gatepass(["token", "cisco", "--format", "json", "--wait", wait]).spawn())
        .into();
    for running in waiting {
        let run = running.finish();
        let error = run.error(6);
        assert_eq!(error["code"], "unavailable");
        assert!(error["message"].as_str().unwrap().contains("another process is requesting"));
        assert!(error["retry_at"].is_string() || error["retry_at"].is_number(), "{error}");
    }
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    assert_eq!(server.requests().len(), 1);
    drop(stopped);
}
