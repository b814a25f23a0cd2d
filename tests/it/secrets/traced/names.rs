//! Tests of DNS queries, which resolvers and networks can read.

use gatepass_testkit::{Canary, canary, find_leak};
use gatepass_tests::{Home, Trace, VENDORS, vendor};

use super::Stage;

/// The strace option that prints all bytes in hex.
const SEND_CALLS: [&str; 3] = ["-xx", "-e", "trace=connect,sendto,sendmsg,sendmmsg"];

/// Returns the bytes of each string of a call.
fn sent_bytes(call: &str) -> Vec<Vec<u8>> {
    let texts = call.split('"').skip(1).step_by(2);
    let byte = |hex: &str| u8::from_str_radix(hex.get(..2)?, 16).ok();
    texts.map(|text| text.split("\\x").skip(1).filter_map(byte).collect()).collect()
}

/// Returns the name in a DNS query.
fn queried_name(message: &[u8]) -> Option<String> {
    // RFC 1035 section 4.1: twelve bytes, of which two count the questions; then labels.
    (message.get(4..6)? == [0, 1]).then_some(())?;
    let (mut rest, mut labels) = (message.get(12..)?, Vec::new());
    loop {
        let (length, after) = rest.split_first()?;
        if *length == 0 {
            return Some(labels.join("."));
        }
        let (label, after) = after.split_at_checked(usize::from(*length))?;
        labels.push(String::from_utf8_lossy(label).into_owned());
        rest = after;
    }
}

/// Returns the resolved names, and all sent bytes as text.
fn dns_queries(trace: &Trace) -> (Vec<String>, String) {
    let calls = trace.calls();
    let sent_bytes: Vec<Vec<u8>> = calls.iter().flat_map(|call| sent_bytes(call)).collect();
    let names = sent_bytes.iter().filter_map(|bytes| queried_name(bytes)).collect();
    (names, String::from_utf8_lossy(&sent_bytes.concat()).into_owned())
}

#[test]
fn only_the_vendors_host_is_resolved() {
    for one in &VENDORS {
        let (home, secret) = (Home::new(), canary("secret"));
        // A name that no resolver has (RFC 6761 section 6.4).
        let host = format!("{}.vendor.invalid", one.id);
        let quoted = |_: &str| format!("\"{}\"", secret.text());
        let config = vendor(one.id).profile_with(&format!("https://{host}"), "", quoted);
        home.write("config/gatepass/config.toml", &config);
        let trace = Trace::in_folder(home.path("trace"));
        let command = home.gatepass(["token", one.id, "--wait", "0s"]);
        // Disables glibc's search domains and shortens its timeout.
        let command = command.env("LOCALDOMAIN", "").env("RES_OPTIONS", "timeout:1 attempts:1");
        let run = command.traced(&trace, &SEND_CALLS).run();
        assert_eq!(run.code, Some(6), "{run:#?}");
        let (names, sent_bytes) = dns_queries(&trace);
        assert!(!names.is_empty(), "{}: no name was looked up: {run:#?}", one.id);
        assert!(names.iter().all(|name| *name == host), "{}: {names:?}", one.id);
        let canaries = [secret, Canary::new("client", "app-1")];
        assert_eq!(find_leak(&sent_bytes, &canaries), None, "{}", one.id);
    }
}

#[test]
fn addresses_are_not_resolved() {
    let stage = Stage::new("");
    for args in [["token", "cisco"].as_slice(), &["call", "cisco", "/hello"], &["list"]] {
        let trace = stage.trace(args[0]);
        stage.home.gatepass(args.iter().copied()).traced(&trace, &SEND_CALLS).run().ok();
        let calls = trace.folder().read_dir().unwrap();
        if calls.into_iter().any(|file| file.unwrap().metadata().unwrap().len() > 0) {
            assert_eq!(dns_queries(&trace).0, [""; 0], "{args:?}");
        }
    }
}

#[test]
fn dns_check_finds_a_secret() {
    let (home, secret) = (Home::new(), canary("secret"));
    let trace = Trace::in_folder(home.path("trace"));
    let name = format!("{}.vendor.invalid", secret.text());
    let command = home.program("getent".as_ref(), ["ahosts", &name]).env("LOCALDOMAIN", "");
    command.env("RES_OPTIONS", "timeout:1 attempts:1").traced(&trace, &SEND_CALLS).run();
    let (names, sent_bytes) = dns_queries(&trace);
    assert!(names.contains(&name), "{names:?}");
    assert!(find_leak(&sent_bytes, &[secret]).is_some());
}
