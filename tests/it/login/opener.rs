//! Tests of opening the browser: its arguments, and the behaviour without one.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use gatepass_testkit::{canary, find_leak};
use gatepass_tests::Chrome;

use super::{Login, Stage, allow, log_in, parameter, wait_for_state};

/// A program in place of a browser that records its arguments and ends.
const BROWSER: &str = "#!/bin/sh
cd \"$(dirname \"$0\")\" || exit 1
printf '%s\\n' \"$@\" > arguments
tr '\\0' '\\n' < /proc/$$/environ > environment
ls -l /proc/$$/fd > files
mv arguments given
";

#[test]
fn browser_receives_a_single_use_address() {
    let stage = Stage::new();
    let browser = stage.home.write_as("browser/open", BROWSER, 0o700);
    let secret = canary("secret");
    let login = stage
        .home
        .gatepass(["login", "cisco"])
        .env("BROWSER", &browser)
        .env("GATEPASS_OTHER_CLIENT_SECRET", secret.text())
        .env("AWS_SECRET_ACCESS_KEY", secret.text());
    let login = Login::start(login);
    let arguments = wait_for_file(&browser.with_file_name("given"));
    let [start] = arguments.lines().collect::<Vec<_>>()[..] else { panic!("{arguments}") };
    let state = login.state();
    let canaries = [secret, state.clone()];
    assert_eq!(find_leak(&arguments, &canaries), None);
    assert!(!arguments.contains(&parameter(&login.url, "client_id")), "{arguments}");
    assert!(start.starts_with(&format!("http://127.0.0.1:{}/", login.port())), "{arguments}");
    let environment = fs::read_to_string(browser.with_file_name("environment")).unwrap();
    assert!(environment.contains("HOME="), "{environment}");
    assert!(!environment.contains("GATEPASS_"), "{environment}");
    assert_eq!(find_leak(&environment, &canaries), None);
    let files = fs::read_to_string(browser.with_file_name("files")).unwrap();
    assert!(!files.contains("socket:"), "{files}");

    // The address works once, so that it is useless to a reader of the process list.
    let chrome = Chrome::start();
    log_in(&chrome, start);
    let tab = chrome.tab();
    let other = chrome.new_tab();
    chrome.switch_to(&other);
    chrome.open(start);
    wait_for_state(&chrome, "empty");
    assert!(chrome.text("main").contains("Already used"), "{}", chrome.text("main"));
    assert_eq!(find_leak(&chrome.source(), &[state]), None);
    chrome.switch_to(&tab);
    chrome.click("#allow");
    wait_for_state(&chrome, "good");
    let run = login.finish();
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(run.stderr.contains("the browser has opened the vendor's page"), "{run:#?}");
    assert!(run.stderr.contains("a second time"), "{run:#?}");
}

#[test]
fn printed_address_works_without_a_browser() {
    let stage = Stage::new();
    let login = stage.home.gatepass(["login", "cisco"]).env("BROWSER", "/nonexistent/browser");
    let mut login = Login::start(login.env("PATH", "/nonexistent"));
    login.running.wait_for_stderr("no browser");
    let chrome = Chrome::start();
    allow(&chrome, &login.url);
    wait_for_state(&chrome, "good");
    assert_eq!(login.finish().code, Some(0));
}

#[test]
fn no_browser_option_opens_no_browser() {
    let stage = Stage::new();
    let browser = stage.home.write_as("browser/open", BROWSER, 0o700);
    for option in ["--no-browser", "--paste"] {
        let login = stage.home.gatepass(["login", "cisco", option, "--wait", "1s"]);
        let run = login.env("BROWSER", &browser).run();
        assert_ne!(run.code, Some(0), "{run:#?}");
        assert!(!browser.with_file_name("given").exists(), "{option}");
    }
}

/// Waits until another program has written a file and returns its text.
fn wait_for_file(path: &Path) -> String {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !path.exists() {
        assert!(Instant::now() < deadline, "no {}", PathBuf::from(path).display());
        thread::sleep(Duration::from_millis(10));
    }
    fs::read_to_string(path).unwrap()
}
