//! Tests of values that attempt to inject a header, a path or a host.

use gatepass_tests::{Home, Reply, Server, VENDORS, Vendor};

/// Returns a vendor's profile with this TOML string in one of its fields.
fn profile(vendor: &Vendor, url: &str, field: &str, value: &str) -> String {
    let profile_text = vendor.profile(url, "");
    let prefix = format!("{field} = ");
    let other_lines = profile_text.lines().filter(|line| !line.starts_with(&prefix));
    other_lines.map(|line| format!("{line}\n")).collect::<String>()
        + &format!("{prefix}\"{value}\"\n")
}

/// Returns the line of the field, the last one of the config.
fn line(home: &Home) -> usize {
    let config = home.path("config/gatepass/config.toml");
    std::fs::read_to_string(config).unwrap().lines().count()
}

#[test]
fn field_values_cannot_inject_headers_or_paths() {
    for vendor in &VENDORS {
        let response = vendor.token_response("token-1");
        let server = Server::responding([Reply::json(200, response)]);
        for (field, _) in vendor.texts {
            for value in [
                r"a\r\nx-injected: unsaid",
                r"a\nx-injected: unsaid",
                r"a\u0000unsaid",
                r"../../unsaid",
                r"%2e%2e%2funsaid",
                r"a?unsaid=1#unsaid",
                r"a\u202Eunsaid",
                r"a@unsaid.example",
            ] {
                let home = Home::with_config(&profile(vendor, &server.url(), field, value));
                let before = server.requests().len();
                let run = home.gatepass(["token", vendor.id, "--wait=0s"]).run();
                let context = format!("{} {field} {value}: {run:#?}", vendor.id);
                let has_control = [r"\n", r"\u0000"].iter().any(|control| value.contains(control));
                assert!(run.code == Some(2) || (run.code == Some(0) && !has_control), "{context}");
                assert!(!run.stderr.contains("unsaid"), "{context}");
                let requests = server.requests();
                if run.code == Some(2) {
                    assert_eq!(requests.len(), before, "{context}");
                    let location = format!("config.toml:{}: `{field}`", line(&home));
                    assert!(!has_control || run.stderr.contains(&location), "{context}");
                    assert!(run.stderr.contains("hint"), "{context}");
                    continue;
                }
                let request = &requests[before];
                assert!(!request.headers.contains_key("x-injected"), "{context}");
                let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
                assert!(!path.split('/').any(|part| part == ".."), "{context}: {path}");
                assert_eq!(path.matches('/').count(), vendor.token_path.matches('/').count());
                assert!(!query.contains("unsaid=1"), "{context}: {query}");
            }
        }
    }
}

#[test]
fn misleading_urls_are_rejected() {
    let vendor = gatepass_tests::vendor("cisco");
    let server = Server::responding([Reply::json(200, vendor.token_response("token-1"))]);
    let port = server.url().rsplit(':').next().unwrap().to_owned();
    for key in ["base_url", "api_url", "api_origins"] {
        for address in [
            "file:///etc/passwd".to_owned(),
            format!("ftp://127.0.0.1:{port}"),
            format!("http://unsaid:unsaid@127.0.0.1:{port}"),
            format!("http://127.0.0.1:{port}/#unsaid"),
            format!("http://127.0.0.1:{port}/?unsaid"),
            format!("http://127.0.0.1:{port}/../unsaid"),
            format!("http://127.0.0.1:{port}/%2e%2E/unsaid"),
            format!("http://127.0.0.1:{port}/\\r\\nx-injected: unsaid"),
            format!("http://127.0.0.1:{port}\\u0000.unsaid.example"),
            format!("http://127.0.0.1:{port}\\\\@unsaid.example"),
            format!("http://loc\\u0430lhost:{port}"),
            format!("http://\\u202E127.0.0.1:{port}"),
            format!("http://127.0.0.1.unsaid.example:{port}"),
            format!("http://2130706433:{port}"),
            format!("//127.0.0.1:{port}"),
            format!("https://{}", "unsaid".repeat(20_000)),
            String::new(),
        ] {
            let profile_text = vendor.profile(&server.url(), "");
            let other_lines =
                profile_text.lines().filter(|line| !line.starts_with(&format!("{key} = ")));
            let other_lines = other_lines.map(|line| format!("{line}\n")).collect::<String>();
            let value = if key == "api_origins" {
                format!("[\"{address}\"]")
            } else {
                format!("\"{address}\"")
            };
            let home = Home::with_config(&format!("{other_lines}{key} = {value}\n"));
            let run = home.gatepass(["token", "cisco", "--wait=0s"]).run();
            let error = run.failed(2);
            let line = other_lines.lines().count() + 1;
            let location = format!("config.toml:{line}: `{key}`");
            assert!(error.contains(&location), "{key} {address}: {error}");
            assert!(!error.contains("unsaid"), "{key} {address}: {error}");
        }
    }
    assert_eq!(server.connections(), 0);
}
