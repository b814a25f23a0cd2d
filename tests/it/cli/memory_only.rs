//! Tests of tokens that stay in memory: commands share denials and cool-downs, never the token.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gatepass::store::{FileStore, ProfileKey, Record, TokenStore};
use gatepass_testkit::block_on;
use gatepass_tests::{Home, Reply, Server, VENDORS, Vendor, vendor};

/// Returns a server that denies every credential until the flag is set, and the flag.
fn denying(vendor: &'static Vendor) -> (Server, Arc<AtomicBool>) {
    let accepts = Arc::new(AtomicBool::new(false));
    let accepted = accepts.clone();
    let server = Server::new(move |_, _| match accepted.load(Ordering::SeqCst) {
        true => Reply::json(200, vendor.token_response("token-of-the-tests-7Q")),
        false if vendor.id == "cloudneeti" => Reply::json(401, r#"{"message":"Unauthorized"}"#),
        false => Reply::json(401, r#"{"error":"invalid_client"}"#),
    });
    (server, accepts)
}

/// Checks that the state folder has no token: neither as a record nor in its bytes.
fn assert_no_token_is_stored(home: &Home, profile: &str) {
    let records = block_on(async {
        let store = FileStore::open(home.path("state")).unwrap();
        store.records(&ProfileKey::new(profile)).await.unwrap()
    });
    assert!(records.iter().all(|record| matches!(record, Record::Failure(_))), "{records:?}");
    for entry in fs::read_dir(home.path("state")).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("token-of-the-tests"));
    }
}

#[test]
fn denial_is_shared_and_the_next_secret_works() {
    for vendor in &VENDORS {
        let (server, accepts) = denying(vendor);
        let profile = vendor.profile(&server.url(), "persist = false");
        let home = Home::with_config(&profile);
        let token = || home.gatepass(["token", vendor.id, "--wait", "0s"]).run();
        for _ in 0..5 {
            token().failed(3);
        }
        assert_eq!(server.requests().len(), 1, "{}", vendor.id);
        assert_no_token_is_stored(&home, vendor.id);
        accepts.store(true, Ordering::SeqCst);
        let next = profile.replace("-of-the-tests\"", "-of-the-owner\"");
        let next = home.write("c.toml", &next);
        let changed = home.gatepass(["token", vendor.id]).config(&next).run();
        assert_eq!(changed.ok(), "token-of-the-tests-7Q\n", "{}", vendor.id);
        assert_eq!(server.requests().len(), 2, "{}", vendor.id);
        assert_no_token_is_stored(&home, vendor.id);
    }
}

#[test]
fn parallel_commands_share_the_first_denial() {
    let (server, _) = denying(vendor("cloudneeti"));
    let home = Home::with_config(&vendor("cloudneeti").profile(&server.url(), ""));
    let token = || home.gatepass(["token", "cloudneeti", "--wait", "0s"]).spawn();
    let running: Vec<_> = (0..10).map(|_| token()).collect();
    for running in running {
        running.finish().failed(3);
    }
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn fresh_token_ends_the_shared_denial() {
    let (server, accepts) = denying(vendor("cloudneeti"));
    let home = Home::with_config(&vendor("cloudneeti").profile(&server.url(), ""));
    let token = |more: &[&str]| {
        home.gatepass(["token", "cloudneeti"].into_iter().chain(more.iter().copied())).run()
    };
    token(&[]).failed(3);
    accepts.store(true, Ordering::SeqCst);
    token(&[]).failed(3);
    assert_eq!(token(&["--fresh"]).ok(), "token-of-the-tests-7Q\n");
    assert_eq!(token(&[]).ok(), "token-of-the-tests-7Q\n");
    assert_eq!(server.requests().len(), 3);
    assert_no_token_is_stored(&home, "cloudneeti");
}

#[test]
fn rate_limit_is_shared_by_call_and_exec() {
    let server = Server::new(|_, _| Reply::json(429, "{}").with("retry-after", "60"));
    let home = Home::with_config(&vendor("cloudneeti").profile(&server.url(), ""));
    let url = format!("{}{}", server.url(), vendor("cloudneeti").api_path);
    home.gatepass(["token", "cloudneeti", "--wait", "0s"]).run().failed(5);
    home.gatepass(["call", "cloudneeti", &url, "--wait", "0s"]).run().failed(5);
    home.gatepass(["exec", "cloudneeti", "--wait", "0s", "--", "true"]).run();
    let file = home.path("token");
    let file =
        ["exec", "cloudneeti", "--file", file.to_str().unwrap(), "--wait", "0s", "--", "true"];
    home.gatepass(file).run();
    assert_eq!(server.requests().len(), 1);
}
