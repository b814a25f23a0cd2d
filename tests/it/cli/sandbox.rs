//! Tests of `gatepass sandbox` as a process.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use gatepass_tests::{Home, Running, VENDORS, gatepass_binary, raw};
use rustix::process::Signal;
use serde_json::Value;

fn start<'home>(home: &'home Home, more: &[&str]) -> (Running<'home>, Value) {
    let args = ["sandbox", "--listen", "127.0.0.1:0", "--format", "json"];
    let sandbox = home.gatepass(args.into_iter().chain(more.iter().copied())).spawn();
    let ready = serde_json::from_str(&sandbox.line()).unwrap();
    (sandbox, ready)
}

fn config(ready: &Value) -> PathBuf {
    PathBuf::from(ready["config"].as_str().unwrap())
}

#[test]
fn sandbox_prints_one_ready_line_of_json() {
    let home = Home::new();
    let (sandbox, ready) = start(&home, &[]);
    let names: Vec<&String> = ready.as_object().unwrap().keys().collect();
    assert_eq!(names, ["clients", "config", "url"]);
    assert!(ready["url"].as_str().unwrap().starts_with("http://127.0.0.1:"));
    let clients = ready["clients"].as_object().unwrap();
    assert!(clients.keys().eq(VENDORS.iter().map(|vendor| vendor.id)));
    for vendor in &VENDORS {
        for secret in vendor.secrets {
            assert!(clients[vendor.id][secret].is_string(), "{}", vendor.id);
        }
    }
    let mode = fs::metadata(config(&ready)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    sandbox.interrupt();
    assert_eq!(sandbox.finish().ok(), "");
}

#[test]
fn sandbox_config_works_in_another_process() {
    let (home, other) = (Home::new(), Home::new());
    let (_sandbox, ready) = start(&home, &[]);
    for profile in VENDORS.iter().map(|vendor| vendor.id).chain(["cloudneeti-account"]) {
        let run = other.gatepass(["token", profile]).config(&config(&ready)).run();
        assert!(run.ok().len() > 20, "{run:#?}");
    }
    let run = other.gatepass(["call", "cisco", "/hello"]).config(&config(&ready)).run();
    assert_eq!(run.ok(), r#"{"helloResponse":{"response":"Hello World!"}}"#);
}

#[test]
fn signal_ends_the_sandbox_and_removes_its_folder() {
    for end in [Signal::INT, Signal::QUIT, Signal::TERM, Signal::HUP] {
        let home = Home::new();
        let (sandbox, ready) = start(&home, &[]);
        let config = config(&ready);
        assert!(config.exists());
        sandbox.signal(end);
        sandbox.finish().ok();
        assert!(!config.exists() && !config.parent().unwrap().exists());
        assert_eq!(fs::read_dir(home.path("tmp")).unwrap().count(), 0);
    }
}

#[test]
fn sandbox_survives_hangup_under_nohup() {
    let home = Home::new();
    let gatepass = gatepass_binary().to_str().unwrap();
    let args = [gatepass, "sandbox", "--listen", "127.0.0.1:0", "--format", "json"];
    let sandbox = home.program("nohup".as_ref(), args).spawn();
    let ready: Value = serde_json::from_str(&sandbox.line()).unwrap();
    let port = ready["url"].as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap();
    sandbox.signal(Signal::HUP);
    let request = format!(
        "GET /_sandbox/state HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\r\n"
    );
    for _ in 0..20 {
        assert!(raw(port, &request).starts_with("HTTP/1.1 200"), "the sandbox has stopped");
    }
    sandbox.terminate();
    sandbox.finish().ok();
}

#[test]
fn sandbox_listens_on_loopback_only() {
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let run = Home::new().gatepass(["sandbox", "--listen", listen]).run();
        assert!(run.failed(2).contains("loopback"), "{run:#?}");
    }
}

#[test]
fn sandbox_starts_in_a_non_utf8_folder() {
    let home = Home::new();
    let odd = home.path(OsStr::from_bytes(b"tmp/\xff"));
    fs::create_dir(&odd).unwrap();
    let args = ["sandbox", "--listen", "127.0.0.1:0", "--format", "json"];
    let sandbox = home.gatepass(args).env("TMPDIR", &odd).spawn();
    let ready: Value = serde_json::from_str(&sandbox.line()).unwrap();
    assert!(ready["config"].as_str().unwrap().ends_with("/config.toml"), "{ready}");
    sandbox.terminate();
    sandbox.finish().ok();
    assert_eq!(fs::read_dir(&odd).unwrap().count(), 0);
}

#[test]
fn sandbox_reports_a_port_in_use() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let run = Home::new().gatepass(["sandbox", "--listen", &listen]).run();
    assert!(run.failed(1).contains("--listen"), "{run:#?}");
}

#[test]
fn ttl_option_sets_the_token_lifetime() {
    let home = Home::new();
    let (_sandbox, ready) = start(&home, &["--ttl", "90s"]);
    let args = ["token", "cisco", "--format", "json"];
    let token = home.gatepass(args).config(&config(&ready)).run().json();
    assert!((60..=90).contains(&token["expires_in"].as_i64().unwrap()), "{token}");
}

#[test]
fn fault_option_applies_per_vendor_and_count() {
    let home = Home::new();
    let (_sandbox, ready) = start(&home, &["--fault", "cisco:status-503*2"]);
    let token = |profile| {
        home.gatepass(["token", profile, "--fresh", "--wait", "0s"]).config(&config(&ready)).run()
    };
    token("huawei").ok();
    token("cisco").failed(6);
    token("cisco").failed(6);
    token("cisco").ok();
}

#[test]
fn unknown_fault_error_lists_the_faults() {
    let run = Home::new().gatepass(["sandbox", "--fault", "status-53"]).run();
    let error = run.failed(2);
    assert!(error.contains("status-503") && error.contains("html"), "{error}");
}

#[test]
fn tls_config_names_the_ca_file() {
    let home = Home::new();
    let (_sandbox, ready) = start(&home, &["--tls"]);
    assert!(ready["url"].as_str().unwrap().starts_with("https://127.0.0.1:"));
    let config = config(&ready);
    assert!(config.with_file_name("ca.pem").exists());
    home.gatepass(["token", "cisco"]).config(&config).run().ok();
    assert!(names_ca(&config));
    let without_ca_file = home.write("stranger.toml", &without_ca(&config));
    let run =
        home.gatepass(["token", "cisco", "--fresh", "--wait", "0s"]).config(&without_ca_file).run();
    assert!(run.failed(6).contains("certificate"), "{run:#?}");
}

fn names_ca(config: &Path) -> bool {
    fs::read_to_string(config).unwrap().contains("ca_file = \"ca.pem\"")
}

fn without_ca(config: &Path) -> String {
    fs::read_to_string(config).unwrap().replace("ca_file = \"ca.pem\"\n", "")
}
