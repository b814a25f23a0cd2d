//! Tests of a login in a real browser: the pages, and the data that remains in the browser.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};
use std::path::PathBuf;

use gatepass_sandbox::NewClient;
use gatepass_testkit::{Canary, find_leak};
use gatepass_tests::{Chrome, Run, Scheme};
use serde_json::json;

use super::{Login, Stage, allow, is_closed, leaks_in, log_in, wait_for_state};

/// Returns the data of a tab: its addresses, its page, its storage and its log.
fn browser_data(chrome: &Chrome) -> String {
    let stored = chrome.run(
        "const all = [
            () => Object.entries(sessionStorage), () => Object.entries(localStorage),
            () => document.cookie, () => window.name, () => document.referrer,
            () => history.state, () => document.documentElement.innerText,
        ];
        // The browser's error page has no access to storage.
        return JSON.stringify(all.map(read => { try { return read() } catch { return null } }))",
    );
    let seen = [chrome.url(), chrome.title(), chrome.source(), stored.to_string()];
    [seen.concat(), chrome.history().concat(), chrome.console().concat()].concat()
}

/// Returns the token of a login.
#[track_caller]
fn token(run: &Run) -> Canary {
    Canary::new("token", run.ok().trim_end())
}

#[test]
fn login_leaves_no_token_in_the_page() {
    let stage = Stage::new();
    let mut chrome = Chrome::start();
    let login = stage.home.gatepass(["login", "cisco", "--no-browser", "-vv"]);
    let login = Login::start(login.env("RUST_LOG", "trace"));
    let (callback, state, port) = (login.callback_url(), login.state(), login.port());
    let arguments = fs::read_to_string(format!("/proc/{}/cmdline", login.running.id())).unwrap();
    assert_eq!(find_leak(&arguments, std::slice::from_ref(&state)), None);

    allow(&chrome, &login.url);
    wait_for_state(&chrome, "good");
    assert!(chrome.text("main").contains("close this window"), "{}", chrome.text("main"));
    assert_eq!(chrome.url(), callback);
    assert_eq!(chrome.run("return location.hash + location.search"), "");
    let run = login.finish();
    assert_eq!(run.code, Some(0), "{run:#?}");

    let response = stage.token();
    let token = token(&response);
    assert_eq!(response.stderr, "");
    let token = std::slice::from_ref(&token);
    // The state occurs only in the printed address.
    let (url, rest) = {
        let (lines, rest): (Vec<&str>, Vec<&str>) =
            run.stderr.lines().partition(|line| line.contains("response_type="));
        (lines.len(), rest.join("\n") + &run.stdout)
    };
    assert_eq!(url, 1);
    assert_eq!(find_leak(&rest, &[token[0].clone(), state.clone()]), None);
    stage.assert_files_clean(&[token[0].clone(), state]);

    assert_eq!(find_leak(&browser_data(&chrome), token), None);
    assert!(chrome.history().iter().all(|entry| !entry.contains('#')), "{:?}", chrome.history());

    // The callback server has ended: reload, back and another tab reach no server.
    chrome.reload();
    assert!(chrome.source().contains("ERR_CONNECTION_REFUSED"), "{}", chrome.source());
    assert_eq!(find_leak(&browser_data(&chrome), token), None);
    chrome.back();
    assert_eq!(find_leak(&browser_data(&chrome), token), None);
    let tab = chrome.new_tab();
    chrome.switch_to(&tab);
    assert!(chrome.try_open(&callback).unwrap_err().contains("CONNECTION_REFUSED"));
    assert!(is_closed(port));

    // A browser records each address before a page can run, and a page cannot undo that. Its caches and
    // the storage of pages are empty.
    chrome.quit();
    assert_ne!(leaks_in(&chrome.profile(), &[Canary::new("address", &callback)]), [""; 0]);
    let stored = leaks_in(&chrome.profile(), token);
    let known = ["/Default/History", "/Default/Sessions/", "/segmentation_platform/ukm_db"];
    let is_expected = |leak: &&String| known.iter().any(|known| leak.contains(known));
    assert_eq!(stored.iter().find(|leak| !is_expected(leak)), None);
}

#[test]
fn private_window_keeps_no_data() {
    let stage = Stage::new();
    let mut chrome = Chrome::private();
    let login = stage.login(&[]);
    let state = login.state();
    allow(&chrome, &login.url);
    wait_for_state(&chrome, "good");
    assert_eq!(login.finish().code, Some(0));
    let token = token(&stage.token());
    chrome.quit();
    assert_eq!(leaks_in(&chrome.profile(), &[token, state]), [""; 0]);
}

#[test]
fn denied_login_exits_3() {
    let stage = Stage::new();
    let chrome = Chrome::start();
    let login = stage.login(&[]);
    let callback = login.callback_url();
    log_in(&chrome, &login.url);
    chrome.click("#deny");
    wait_for_state(&chrome, "bad");
    assert_eq!(chrome.url(), callback);
    let run = login.finish();
    assert!(run.failed(3).contains("the login was denied"), "{run:#?}");
    let run = stage.token();
    assert!(run.failed(4).contains("gatepass login cisco"), "{run:#?}");
}

#[test]
fn login_tolerates_back_and_repeated_visits() {
    let stage = Stage::new();
    let chrome = Chrome::start();
    let mut login = stage.login(&[]);
    let first = chrome.tab();

    // Leave the vendor's page, go back, and reload it.
    chrome.open(&login.url);
    chrome.open("about:blank");
    chrome.back();
    chrome.reload();
    log_in(&chrome, &login.url);

    // Open the callback page in another tab before the response, and reload it.
    let second = chrome.new_tab();
    chrome.switch_to(&second);
    chrome.open(&login.callback_url());
    wait_for_state(&chrome, "empty");
    login.running.wait_for_stderr("without a response");
    chrome.reload();
    wait_for_state(&chrome, "empty");

    // The first tab can still deliver the response.
    chrome.switch_to(&first);
    chrome.click("#allow");
    wait_for_state(&chrome, "good");
    let callback = login.callback_url();
    assert_eq!(login.finish().code, Some(0));
    let token = token(&stage.token());

    // The page of an earlier login cannot deliver to a later one.
    let later = stage.login(&["--wait", "3s"]);
    assert_ne!(later.callback_url(), callback);
    chrome.switch_to(&second);
    chrome.reload();
    assert!(chrome.source().contains("ERR_CONNECTION_REFUSED"), "{}", chrome.source());
    assert!(later.finish().failed(6).contains("no response came"));
    assert_eq!(self::token(&stage.token()).text(), token.text());
}

#[test]
fn huawei_login_returns_a_token() {
    let stage = Stage::new();
    let chrome = Chrome::start();
    let login = Login::start(stage.home.gatepass(["login", "huawei", "--no-browser"]));
    allow(&chrome, &login.url);
    wait_for_state(&chrome, "good");
    let run = login.finish();
    assert_eq!(run.code, Some(0), "{run:#?}");
    let token = token(&stage.home.gatepass(["token", "huawei"]).run());
    assert_eq!(find_leak(&browser_data(&chrome), std::slice::from_ref(&token)), None);
    assert_eq!(find_leak(&run.all(), &[token]), None);
}

#[test]
fn localhost_callback_listens_on_both_addresses() {
    let stage = Stage::new();
    let redirect_uri = "http://localhost:0/cb?from=vendor";
    let client = NewClient::new("cisco").field("redirect_uri", redirect_uri);
    let client = stage.vendors.sandbox.add_client(client).unwrap();
    let config = format!(
        "[profiles.cisco]\nenvironment = \"cloudsso\"\nbase_url = \"{}\"\nclient_id = \"{}\"\ngrant = \"implicit\"\n\
         redirect_uri = \"{redirect_uri}\"\n",
        stage.vendors.sandbox.base_url("cisco"),
        client.field("client_id").unwrap(),
    );
    stage.home.write("config/gatepass/config.toml", &config);
    let login = stage.login(&[]);
    // A process on one of the two addresses would receive the responses of browsers that try it first.
    let port = login.port();
    assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err());
    let has_ipv6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    assert_eq!(TcpStream::connect((Ipv6Addr::LOCALHOST, port)).is_ok(), has_ipv6);
    let chrome = Chrome::start();
    allow(&chrome, &login.url);
    wait_for_state(&chrome, "good");
    assert_eq!(chrome.url(), format!("http://localhost:{port}/cb"));
    assert_eq!(login.finish().code, Some(0));
    assert!(TcpStream::connect((Ipv6Addr::LOCALHOST, port)).is_err());
    assert!(!token(&stage.token()).text().is_empty());
}

#[test]
fn page_without_scripts_keeps_the_response() {
    let stage = Stage::new();
    let chrome = Chrome::start();
    let login = stage.login(&[]);
    log_in(&chrome, &login.url);
    let scripts = |are_off: bool| {
        chrome.devtools("Emulation.setScriptExecutionDisabled", &json!({ "value": are_off }));
    };
    scripts(true);
    chrome.click("#allow");
    chrome.wait_until("at the callback page", |chrome| chrome.url().contains("#access_token="));
    let output = chrome.text("body");
    assert!(output.contains("Allow JavaScript") && output.contains("--paste"), "{output}");
    assert!(!output.contains("Finishing the login"), "{output}");
    scripts(false);
    chrome.reload();
    wait_for_state(&chrome, "good");
    assert_eq!(chrome.url(), login.callback_url());
    assert_eq!(login.finish().code, Some(0));
}

#[test]
fn late_page_reports_the_end_of_the_login() {
    let stage = Stage::new();
    let chrome = Chrome::start();
    let login = stage.login(&[]);
    let gone = "window.fetch = () => Promise.reject(new TypeError('nobody listens'))";
    chrome.devtools("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": gone }));
    let (callback, token) =
        (login.callback_url(), Canary::new("token", "a-token-that-comes-too-late"));
    chrome.open(&format!("{callback}#access_token={}", token.text()));
    wait_for_state(&chrome, "bad");
    assert!(chrome.text("main").contains("This login has ended"), "{}", chrome.source());
    assert!(chrome.title().contains("This login has ended"));
    assert_eq!(chrome.url(), callback);
    assert_eq!(find_leak(&browser_data(&chrome), &[token]), None);
    login.running.interrupt();
    assert!(matches!(login.finish().code, None | Some(130)));
}

#[test]
fn pages_satisfy_their_own_csp() {
    let stage = Stage::new();
    let chrome = Chrome::start();
    let login = stage.login(&[]);
    chrome.open(&login.callback_url());
    wait_for_state(&chrome, "empty");
    chrome.open(&login.callback_url().replace("index", "other"));
    chrome.wait_until("the page of a wrong address", |chrome| {
        chrome.text("main").contains("Page not found")
    });
    let complaints: Vec<_> =
        chrome.console().into_iter().filter(|line| line.contains("Policy")).collect();
    assert_eq!(complaints, [""; 0]);
    login.running.interrupt();
    assert!(matches!(login.finish().code, None | Some(130)));
}

/// Writes screenshots of the pages to the folder in `GATEPASS_SCREENSHOTS`.
#[test]
fn page_follows_the_colour_scheme() {
    let stage = Stage::new();
    let chrome = Chrome::start();
    let folder = std::env::var_os("GATEPASS_SCREENSHOTS")
        .map_or_else(|| stage.home.path("tmp"), PathBuf::from);
    let pictures = |state: &str| {
        let [light, dark] =
            [(Scheme::Light, "light"), (Scheme::Dark, "dark")].map(|(scheme, name)| {
                let path = folder.join(format!("callback-{state}-{name}.png"));
                chrome.screenshot(&path, scheme);
                let ground = chrome.run("return getComputedStyle(document.body).backgroundColor");
                (fs::read(path).unwrap(), ground.to_string())
            });
        assert!(light.0 != dark.0 && light.1 != dark.1, "{state}: {} and {}", light.1, dark.1);
    };
    let login = stage.login(&[]);
    chrome.open(&login.callback_url());
    wait_for_state(&chrome, "empty");
    pictures("empty");
    log_in(&chrome, &login.url);
    pictures("consent");
    chrome.click("#deny");
    wait_for_state(&chrome, "bad");
    pictures("bad");
    assert_eq!(login.finish().code, Some(3));
    let login = stage.login(&[]);
    chrome.open(&login.url);
    chrome.click("#allow");
    wait_for_state(&chrome, "good");
    pictures("good");
    assert_eq!(login.finish().code, Some(0));
}
