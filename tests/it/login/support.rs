//! Tests of the test support itself: the browser and the terminal detect leaks.

use std::fs;

use gatepass_testkit::{canary, find_leak};
use gatepass_tests::{Chrome, Home, Reply, Scheme, Server};

#[test]
fn leak_detector_finds_leaks_in_the_browser() {
    const PAGE: &str = "<title>one</title><p id=shown>here</p><input id=name>
        <style>@media (prefers-color-scheme: dark) { body { background: black } }</style>
        <button id=go onclick='document.title = document.querySelector(\"#name\").value'>go</button>";
    let server = Server::new(|_, _| Reply::new(200, "text/html", PAGE));
    let secret = canary("token");
    let found = |text: &str| find_leak(text, std::slice::from_ref(&secret)).is_some();

    let chrome = Chrome::start();
    let first = chrome.tab();
    chrome.open(&format!("{}/#access_token={}", server.url(), secret.text()));
    assert!(found(&chrome.url()) && found(&chrome.history().concat()));
    assert!(!found(&chrome.source()) && !found(&chrome.title()));
    assert_eq!(chrome.text("#shown"), "here");

    chrome.type_into("#name", secret.text());
    chrome.click("#go");
    chrome.wait_until("titled", |chrome| chrome.title() == secret.text());
    assert!(found(&chrome.source()));

    chrome.run(&format!("console.log('{0}'); sessionStorage.a = '{0}'", secret.text()));
    assert!(found(&chrome.run("return JSON.stringify(sessionStorage)").to_string()));
    assert!(found(&chrome.console().concat()));
    assert!(found(&chrome.events().concat()));

    let tab = chrome.new_tab();
    chrome.switch_to(&tab);
    chrome.open(&format!("http://one.example:{}/two", server.url().rsplit(':').next().unwrap()));
    assert_eq!((chrome.history().len(), chrome.title().as_str()), (2, "one"));
    chrome.back();
    assert!(!chrome.url().contains("/two"));
    chrome.switch_to(&first);
    chrome.reload();
    assert!(found(&chrome.url()));
    assert!(chrome.try_open("http://example.org/").unwrap_err().contains("NOT_RESOLVED"));

    chrome.open(&server.url());
    let pictures = Home::new();
    let [light, dark] = [Scheme::Light, Scheme::Dark].map(|scheme| {
        let path = pictures.path("picture.png");
        chrome.screenshot(&path, scheme);
        fs::read(path).unwrap()
    });
    assert!(light.starts_with(b"\x89PNG") && light != dark);
}

#[test]
fn hidden_input_is_not_echoed() {
    let home = Home::new();
    let script = "stty size; read -r shown; stty -echo; read -r hidden; stty echo; \
                  echo \"got $hidden\" | tr a-z A-Z; exit 3";
    let mut terminal = home.program("/bin/sh".as_ref(), ["-c", script]).at_terminal();
    terminal.wait_for("24 80");
    terminal.line("shown");
    terminal.wait_until_hidden();
    terminal.line("hidden");
    let (code, screen) = terminal.finish();
    assert_eq!(code, Some(3));
    assert_eq!(screen, "24 80\r\nshown\r\nGOT HIDDEN\r\n");

    let mut terminal = home.program("/bin/cat".as_ref(), []).at_terminal();
    terminal.line("a line");
    terminal.wait_for("a line\r\na line");
    terminal.interrupt();
    assert_eq!(terminal.finish().0, None);
}

#[test]
fn browser_is_removed_after_a_failed_test() {
    let chrome = Chrome::start();
    let (folder, browser) = (chrome.profile(), chrome.process());
    assert!(folder.exists() && fs::exists(format!("/proc/{browser}")).unwrap());
    let failed = std::thread::spawn(move || {
        let _chrome = chrome;
        std::panic::resume_unwind(Box::new("a test fails"));
    });
    assert!(failed.join().is_err());
    assert!(!folder.exists() && !fs::exists(format!("/proc/{browser}")).unwrap());
}
